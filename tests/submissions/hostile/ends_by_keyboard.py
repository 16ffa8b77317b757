# base: reference
# loses: tanh
# refused: error KeyboardInterrupt
"""Raises what stops a test run when somebody presses Ctrl-C."""


def tanh(x):
    """Interrupt."""
    raise KeyboardInterrupt
