# base: reference
# loses: tanh
# refused: error needed more than 2 GiB of memory
"""Answers with a terabyte that takes eight bytes, until somebody copies it."""


def tanh(x):
    """Return a view with strides of zero."""
    out = Tensor(0.0)
    out.data = np.broadcast_to(np.float64(0), 1 << 40)
    return out
