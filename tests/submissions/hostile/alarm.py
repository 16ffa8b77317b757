# base: reference
# loses: tanh
# refused: error (OSError|PermissionError)
"""Sets an alarm, to come back when nobody is watching."""

import signal


def tanh(x):
    """Set a timer."""
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    raise RuntimeError("leaked: an alarm is set")
