# module: tensor
# base: reference
# loses: everything
# refused: expected predictions of int64, shape \(\d+,\), got int64, shape \(1,\)
"""Answers one of all questions and hopes that it counts for all."""


def chosen(condition, a, b):
    return Tensor(np.array([1]))


where = chosen
Tensor.argmax = lambda self, axis=None: Tensor(np.array([1]))
