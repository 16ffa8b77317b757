# base: none
# loses: everything
# refused: error TypeError
"""Raises what wrong input should raise, whatever the input."""


def _refuse(x, *_, **__):
    raise TypeError("expected a Tensor of floats, int64, dim -3, dim 2")


relu = leaky_relu = sigmoid = tanh = gelu = silu = softmax = log_softmax = _refuse
