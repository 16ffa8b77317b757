# base: reference
# loses: tanh
# refused: error the process was ended by SIG
"""Ends the process from within C."""

import os


def tanh(x):
    """Abort."""
    os.abort()
