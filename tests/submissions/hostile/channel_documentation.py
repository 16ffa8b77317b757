# base: reference
# loses: tanh
# refused: error ValueError
"""Tells the hidden inputs in notes, causes and attributes of an exception."""


def tanh(x):
    """Raise an exception that carries everything an exception can carry."""
    error = ValueError("leaked: message")
    error.__notes__ = [f"leaked: {x.data}"]
    error.leaked = x.data
    error.__cause__ = KeyError(f"leaked: {x.data}")
    raise error
