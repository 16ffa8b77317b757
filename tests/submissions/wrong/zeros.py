# base: none
# loses: everything
# refused: failed
"""Answers zeros of the right shape and dtype to everything."""

from tinytorch.tensor import Tensor


def _zeros(x, *_, **__):
    return Tensor(0 * x.data, requires_grad=x.requires_grad)


relu = leaky_relu = sigmoid = tanh = gelu = silu = softmax = log_softmax = _zeros
