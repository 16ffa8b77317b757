# base: reference
# loses: tanh
# refused: error returned more than 64 MiB
"""Answers with more than the grader wants to hold."""


def tanh(x):
    """Return 128 MiB."""
    return Tensor(np.zeros(1 << 24))
