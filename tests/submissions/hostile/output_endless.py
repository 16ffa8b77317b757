# base: reference
# loses: relu
# refused: error printed more than 1 MiB
"""Prints without end."""


def relu(x):
    """Print."""
    while True:
        print("a line of text that fills the pipe")
