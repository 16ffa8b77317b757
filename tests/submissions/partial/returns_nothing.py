# base: reference
# loses: relu
# refused: error AttributeError
"""Prints the answer instead of returning it."""


def relu(x):
    """Print."""
    print(np.maximum(x.data, 0))
