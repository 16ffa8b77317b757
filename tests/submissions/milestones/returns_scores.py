# module: tensor
# base: reference
# loses: everything
# refused: expected predictions of int64, shape \(\d+,\), got float64
"""Answers with numbers that are no classes, NaN among them."""


def chosen(condition, a, b):
    return Tensor(np.full(condition.shape, np.nan))


where = chosen
Tensor.argmax = lambda self, axis=None: Tensor(np.full(len(self), np.nan))
