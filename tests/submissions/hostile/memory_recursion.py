# base: reference
# loses: tanh
# refused: error (the process was ended by SIG|needed more than)
"""Lifts the bound on recursion and falls through the stack."""

import sys


def tanh(x):
    """Call itself through C, where each level takes kilobytes of the stack."""
    sys.setrecursionlimit(2**31 - 1)
    return sorted([x, x], key=tanh)
