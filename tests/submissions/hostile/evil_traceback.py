# base: reference
# loses: tanh
# refused: error RecursionError
"""Raises from ten thousand frames down, with a chain of causes that leads back to itself."""


def tanh(x):
    """Recur until Python refuses."""
    try:
        return tanh(x)
    except RecursionError as error:
        error.__context__ = error.__cause__ = ValueError("leaked: cause")
        raise
