# base: reference
# loses: tanh
# refused: error PermissionError
"""Asks whether it may signal the grader, the fork server or everybody; 0 is a harmless signal."""

import os


def tanh(x):
    """Signal."""
    for send, targets in ((os.kill, (os.getppid(), 1, -1, 0)), (os.killpg, (1, 0))):
        for target in targets:
            try:
                send(target, 0)
            except PermissionError:
                continue
            raise RuntimeError(f"leaked: {send.__name__} reached {target}")
    raise PermissionError("leaked: nothing")
