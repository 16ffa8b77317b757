# base: reference
# loses: tanh
# refused: error PermissionError
"""Asks for root back."""

import os


def tanh(x):
    """Change the user."""
    os.setresuid(0, 0, 0)
    raise RuntimeError("leaked: is root")
