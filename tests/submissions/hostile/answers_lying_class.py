# base: reference
# loses: relu
# refused: error (TypeError|ValueError)
"""Answers with an object that says it is an array, and computes when somebody looks."""


class Pretender:
    """Passes isinstance, and has an answer for every question."""

    __class__ = np.ndarray

    def __getattr__(self, name):
        return lambda *_, **__: True

    def __len__(self):
        return 0


def relu(x):
    """Return it."""
    out = Tensor(0.0, requires_grad=True)
    out.data = Pretender()
    return out
