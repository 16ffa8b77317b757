# base: reference
# loses: tanh
# refused: error PermissionError
# limits: wall_s=1
# alone: yes
"""Stops without ending, so that whoever waits for it waits for ever."""

import os
import signal


def tanh(x):
    """Stop."""
    os.kill(os.getpid(), signal.SIGSTOP)
