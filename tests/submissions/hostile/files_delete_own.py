# base: reference
# loses: tanh
# refused: error PermissionError
"""Deletes its own files while being graded, and everything else that it can."""

import os
import shutil


def tanh(x):
    """Delete."""
    shutil.rmtree("tinytorch", ignore_errors=True)
    for path in (__file__, os.path.abspath(__file__), "@CANARY@"):
        try:
            os.unlink(path)
        except PermissionError:
            continue
        raise RuntimeError("leaked: deleted a file")
    raise PermissionError("leaked: nothing")
