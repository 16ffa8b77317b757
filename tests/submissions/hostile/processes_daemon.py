# base: reference
# loses: tanh
# refused: error PermissionError
"""Leaves a process behind in a session of its own."""

import os
import time


def tanh(x):
    """Fork, leave the session, stay."""
    if os.fork() == 0:
        os.setsid()
        time.sleep(3600)
    return apply(np.tanh, x)
