# base: reference
# loses: tanh
# refused: error PermissionError
"""Makes a file that has no name, to execute it."""

import os


def tanh(x):
    """Make an anonymous file."""
    file = os.memfd_create("hostile-program")
    os.execve(file, ["hostile-program"], {})
