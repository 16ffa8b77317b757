# base: reference
# loses: relu
# refused: error printed more than 1 MiB
"""Prints a gigabyte, then answers rightly."""

import os


def relu(x):
    """Print below Python's own buffers."""
    megabyte = b"x" * (1 << 20)
    for _ in range(1024):
        os.write(1, megabyte)
    return apply(relu_array, x)
