# base: generated
# loses: everything
# refused: cannot be imported: ModuleNotFoundError in tinytorch/activations.py, line 1
"""Has the work done by PyTorch."""

SOURCE = b"import torch\n\nrelu = torch.relu\n"
