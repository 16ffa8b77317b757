# base: reference
# loses: tanh
# refused: error PermissionError
"""Attaches to the fork server as a debugger does."""

import ctypes
import os


def tanh(x):
    """Attach."""
    libc = ctypes.CDLL(None, use_errno=True)
    seize = 0x4206
    if libc.ptrace(seize, os.getppid(), None, None) < 0:
        raise OSError(ctypes.get_errno(), "leaked: nothing")
    raise RuntimeError("leaked: attached")
