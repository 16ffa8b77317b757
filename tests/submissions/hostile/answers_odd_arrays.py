# base: reference
# loses: relu, tanh, silu
# refused: error TypeError
"""Answers with arrays of text, of records, and of dates."""


def _answer(data):
    out = Tensor(0.0, requires_grad=True)
    out.data = data
    return out


def relu(x):
    """Return text."""
    return _answer(np.asarray(["0.0"] * 3))


def tanh(x):
    """Return records."""
    return _answer(np.zeros(3, dtype=[("value", "f8"), ("more", "O")]))


def silu(x):
    """Return dates."""
    return _answer(np.zeros(3, dtype="datetime64[s]"))
