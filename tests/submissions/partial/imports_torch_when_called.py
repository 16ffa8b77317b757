# base: reference
# loses: relu
# refused: error ModuleNotFoundError
"""Has the work done by PyTorch where it may be there."""


def relu(x):
    """Ask PyTorch."""
    import torch

    return torch.relu(x)
