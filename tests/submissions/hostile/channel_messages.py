# base: reference
# loses: tanh
# refused: error ValueError
"""Tells the hidden inputs in the message of an exception, and prints them."""

import warnings


def tanh(x):
    """Say everything."""
    print("leaked:", x.data)
    warnings.warn(f"leaked: {x.data}", stacklevel=2)
    raise ValueError(f"leaked: {x.data}")
