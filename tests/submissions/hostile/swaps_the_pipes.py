# base: reference
# loses: tanh
# refused: error PermissionError
"""Makes what it prints go where answers go."""

import os


def tanh(x):
    """Put one descriptor in another's place."""
    for descriptor in range(3, 64):
        try:
            os.dup2(descriptor, 1)
        except PermissionError:
            continue
        raise RuntimeError("leaked: swapped")
    raise PermissionError("leaked: nothing")
