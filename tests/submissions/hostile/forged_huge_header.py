# base: reference
# loses: tanh
# refused: error not an answer: a header of 4294967295 bytes
"""Announces four gigabytes, for which a careless reader would make room."""

import os
import struct


def tanh(x):
    """Write the beginning of a frame."""
    for descriptor in range(3, 64):
        try:
            os.write(descriptor, struct.pack("<4sI", b"TTW1", 2**32 - 1))
        except OSError:
            continue
    os._exit(0)
