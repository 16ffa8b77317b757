# base: reference
# loses: tanh
# refused: error the process (ended itself|was killed, or closed its pipes)
"""Closes every descriptor, then answers rightly into nothing."""

import os


def tanh(x):
    """Close."""
    os.closerange(0, 256)
    return apply(np.tanh, _floats("tanh", x))
