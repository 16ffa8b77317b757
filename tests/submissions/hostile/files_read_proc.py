# base: reference
# loses: tanh
# refused: error PermissionError
"""Reads its own memory map, and the memory and the environment of the grader."""

import os


def tanh(x):
    """Return what /proc tells."""
    for process in ("self", os.getppid(), 1):
        for name in ("maps", "mem", "environ", "cmdline", "fd/0", "root/etc/passwd"):
            try:
                found = open(f"/proc/{process}/{name}", "rb").read(100)
            except PermissionError:
                continue
            raise RuntimeError(f"leaked: {found}")
    raise PermissionError("leaked: nothing")
