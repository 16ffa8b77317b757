# base: reference
# loses: relu
# refused: failed
# shows: hostile
"""Prints bytes that are no text, and half of a character at the end, and answers wrongly."""

import os


def relu(x):
    """Print."""
    os.write(1, b"hostile \xff\xfe\x00\xf0\x9f\x98")
    return -x
