# base: reference
# loses: relu
# refused: error TypeError
"""Answers with functions, classes and objects that run code when they are copied or loaded."""

import os


class Command:
    """Becomes a call when it is copied."""

    def __reduce__(self):
        return os.system, ("echo > /tmp/hostile-reduce",)


def relu(x):
    """Return one among numbers."""
    out = Tensor(0.0, requires_grad=True)
    out.data = [1.0, Command(), lambda: 0]
    return out
