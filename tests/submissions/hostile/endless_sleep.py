# base: reference
# loses: tanh
# refused: timeout took longer than 1 s
# limits: wall_s=1
# alone: yes
"""Sleeps, which takes no processor time."""

import time


def tanh(x):
    """Sleep for an hour."""
    time.sleep(3600)
