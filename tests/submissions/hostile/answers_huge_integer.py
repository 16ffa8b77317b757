# base: reference
# loses: relu
# refused: error ValueError
"""Answers with an integer that takes minutes to write in digits."""


def relu(x):
    """Return it."""
    out = Tensor(0.0, requires_grad=True)
    out.data = 1 << 10_000_000
    return out
