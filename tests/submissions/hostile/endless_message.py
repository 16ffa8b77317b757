# base: reference
# loses: tanh
# refused: timeout took longer than 1 s
# limits: wall_s=1
# alone: yes
"""Raises an exception whose message takes for ever to print."""


class Endless(ValueError):
    """Has no message yet."""

    def __str__(self):
        while True:
            pass


def tanh(x):
    """Raise it."""
    raise Endless
