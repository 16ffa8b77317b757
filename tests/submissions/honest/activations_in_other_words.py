# base: none
# loses: nothing
"""Another right answer: other formulas, other names, the same numbers."""

import operator

import numpy as np

from tinytorch.tensor import Tensor, apply


def _checked(x, dim=None):
    if not isinstance(x, Tensor):
        raise TypeError(f"expected a Tensor, got {type(x)}")
    if x.data.dtype.kind != "f":
        raise TypeError(f"expected floats, got {x.data.dtype}")
    if dim is not None and not -x.ndim <= operator.index(dim) < x.ndim:
        raise IndexError(f"dim={dim} is not a dimension of shape {x.shape}")
    return x


def _logistic(a):
    with np.errstate(over="ignore"):
        return (1 / (1 + np.exp(-a))).astype(a.dtype)


def relu(x):
    return apply(lambda a: np.where(a < 0, a.dtype.type(0), a), _checked(x))


def leaky_relu(x, negative_slope=0.01):
    slope = float(negative_slope)
    return apply(lambda a: np.where(a < 0, a * a.dtype.type(slope), a), _checked(x))


def sigmoid(x):
    return apply(_logistic, _checked(x))


def tanh(x):
    return apply(np.tanh, _checked(x))


def gelu(x):
    def kernel(a):
        cubic = a + a.dtype.type(0.044715) * a**3
        return a / 2 * (1 + np.tanh(a.dtype.type((2 / np.pi) ** 0.5) * cubic))

    return apply(kernel, _checked(x))


def silu(x):
    return apply(lambda a: a * _logistic(a), _checked(x))


def _log_softmax(a, dim):
    if not a.size:
        return a.copy()
    shifted = a - a.max(axis=dim, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=dim, keepdims=True))


def softmax(x, dim):
    return apply(lambda a: np.exp(_log_softmax(a, dim)), _checked(x, dim))


def log_softmax(x, dim):
    return apply(lambda a: _log_softmax(a, dim), _checked(x, dim))
