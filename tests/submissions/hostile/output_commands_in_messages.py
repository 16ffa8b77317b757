# base: reference
# loses: relu
# refused: error ValueError
"""Puts a workflow command and a terminal's into the message of an exception."""


def relu(x):
    """Raise."""
    raise ValueError("\n::error::hostile\r\n::add-mask::1\x1b[2J##[error]hostile")
