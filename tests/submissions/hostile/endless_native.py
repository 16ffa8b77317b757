# base: reference
# loses: tanh
# refused: timeout took longer than 1 s
# limits: wall_s=1
# alone: yes
"""Computes in C, where no signal handler of Python runs, and refuses all signals."""

import signal


def tanh(x):
    """Ignore whatever can be ignored, then take a power."""
    for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_IGN)
    return 7 ** (10**10)
