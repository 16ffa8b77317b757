# base: reference
# loses: tanh
# refused: error the process (ended itself|was killed, or closed its pipes|was ended by SIGSEGV)
"""Closes every descriptor, then answers rightly into nothing.

Python 3.13 may crash as it cannot say so.
"""

import os


def tanh(x):
    """Close."""
    os.closerange(0, 256)
    return apply(np.tanh, _floats("tanh", x))
