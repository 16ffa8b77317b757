# base: reference
# loses: relu, tanh
# refused: (failed|error (AttributeError|TypeError))
"""Returns what looks right when printed: lists, or arrays in place of tensors."""


def relu(x):
    """Return a list."""
    return [max(0.0, float(value)) for value in x.data.ravel()]


def tanh(x):
    """Return an array."""
    return np.tanh(x.data)
