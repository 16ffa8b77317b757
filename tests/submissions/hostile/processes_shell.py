# base: reference
# loses: tanh
# refused: error PermissionError
"""Runs a shell, in each way that Python knows."""

import os
import subprocess


def tanh(x):
    """Run a command."""
    shell = ["/bin/sh", "-c", "true"]
    ways = (
        lambda: os.execv(shell[0], shell),
        lambda: os.posix_spawn(shell[0], shell, {}),
        lambda: subprocess.run(shell, check=True),
        lambda: subprocess.run(shell, check=True, start_new_session=True),
    )
    for way in ways:
        try:
            way()
        except PermissionError:
            continue
        raise RuntimeError("leaked: ran a shell")
    raise PermissionError("leaked: nothing")
