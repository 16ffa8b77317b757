# base: none
# loses: everything
# refused: failed
"""Answers every question with the question."""

from tinytorch.tensor import Tensor


def _echo(x, *_, **__):
    return Tensor(x.data, requires_grad=x.requires_grad)


relu = leaky_relu = sigmoid = tanh = gelu = silu = softmax = log_softmax = _echo
