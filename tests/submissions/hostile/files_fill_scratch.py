# base: reference
# loses: tanh
# refused: error (PermissionError|FileNotFoundError)
"""Fills the disk with one sparse file of a terabyte."""

import tempfile


def tanh(x):
    """Write a terabyte."""
    with tempfile.TemporaryFile(prefix="hostile-") as file:
        file.truncate(1 << 40)
    return apply(np.tanh, x)
