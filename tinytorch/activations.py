"""Activations: the functions that stand between two layers, so that they are more than one layer.

Each comes in three forms. `gelu_array` is the kernel: mathematics on a float array, nothing else.
`gelu` is the operation: it refuses wrong input (`_floats` and `_dim` below say how) and hands the
kernel to `apply`, where module 06 finds it. `GELU()` is the operation as an object, for a list of
layers.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable

import numpy as np

from tinytorch.tensor import Tensor, apply

__all__ = [
    "GELU",
    "LeakyReLU",
    "LogSoftmax",
    "ReLU",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Tanh",
    "gelu",
    "leaky_relu",
    "log_softmax",
    "relu",
    "sigmoid",
    "silu",
    "softmax",
    "tanh",
]

BLOCK = 2**15  # numbers of a block, see `by_blocks`


def relu(x: Tensor) -> Tensor:
    """Keep what is positive and put 0 for the rest: max(x, 0), element by element.

    Shapes: any -> the same, dtype kept. Errors: TypeError unless `x` is a Tensor of floats.
    Source: Nair and Hinton, "Rectified linear units improve restricted Boltzmann machines", 2010.

    >>> relu(Tensor([-2.0, 0.0, 3.0])).tolist()
    [0.0, 0.0, 3.0]
    """
    return apply(relu_array, _floats("relu", x))


def relu_array(x: np.ndarray) -> np.ndarray:
    """Compute max(x, 0)."""
    zeros = np.zeros_like(x)  # NumPy has no SIMD loop for maximum(x, 0)
    return np.maximum(x, zeros, out=zeros)


def leaky_relu(x: Tensor, negative_slope: float = 0.01) -> Tensor:
    """Multiply what is negative by a small slope: max(x, 0) + negative_slope · min(x, 0).

    Shapes: any -> the same, dtype kept. Errors: TypeError unless `x` is a Tensor of floats.
    Source: Maas, Hannun and Ng, "Rectifier nonlinearities improve neural network acoustic
    models", 2013.

    >>> leaky_relu(Tensor([-2.0, 0.0, 3.0]), negative_slope=0.5).tolist()
    [-1.0, 0.0, 3.0]
    """
    return apply(leaky_relu_array, _floats("leaky_relu", x), negative_slope=negative_slope)


def leaky_relu_array(x: np.ndarray, negative_slope: float) -> np.ndarray:
    """Compute max(x, 0) + negative_slope · min(x, 0)."""
    zeros = np.zeros_like(x)
    return np.maximum(x, zeros) + negative_slope * np.minimum(x, zeros)


def sigmoid(x: Tensor) -> Tensor:
    """Squeeze any number into (0, 1): 1 / (1 + exp(-x)), element by element, without overflow.

    exp(1000) is infinite, exp(-1000) is 0 and harmless: use exp(-|x|), which is at most 1. For
    x < 0 multiply both sides of the fraction by exp(x): sigmoid(x) = exp(x) / (1 + exp(x)).
    Shapes: any -> the same, dtype kept. Errors: TypeError unless `x` is a Tensor of floats.

    >>> sigmoid(Tensor([-1000.0, 0.0, 1000.0])).tolist()
    [0.0, 0.5, 1.0]
    """
    return apply(sigmoid_array, _floats("sigmoid", x))


def sigmoid_array(x: np.ndarray) -> np.ndarray:
    """Compute 1 / (1 + exp(-x)) for x >= 0 and exp(x) / (1 + exp(x)) for x < 0."""
    decay = np.exp(-np.abs(x))
    # 1 where x >= 0, decay elsewhere; np.where says so plainly, and takes longer.
    return np.maximum(decay, x >= 0) / (1 + decay)


def tanh(x: Tensor) -> Tensor:
    """Squeeze any number into (-1, 1): (exp(x) - exp(-x)) / (exp(x) + exp(-x)), without overflow.

    `np.tanh` is such a function already, so this operation needs no kernel of its own.
    Shapes: any -> the same, dtype kept. Errors: TypeError unless `x` is a Tensor of floats.
    Source: LeCun, Bottou, Orr and Müller, "Efficient backprop", 1998.

    >>> tanh(Tensor([-1000.0, 0.0, 1000.0])).tolist()
    [-1.0, 0.0, 1.0]
    """
    return apply(np.tanh, _floats("tanh", x))


def gelu(x: Tensor) -> Tensor:
    """Weigh x by the chance that a normal number is smaller: ½ x (1 + tanh(√(2/π) (x + c x³))).

    c = 0.044715. This is the tanh form, PyTorch's `gelu(x, approximate="tanh")`.
    Shapes: any -> the same, dtype kept. Errors: TypeError unless `x` is a Tensor of floats.
    Source: Hendrycks and Gimpel, "Gaussian error linear units", 2016, section 2.

    >>> print(gelu(Tensor([-1.0, 0.0, 1.0])).numpy().round(4))
    [-0.1588  0.      0.8412]
    """
    return apply(gelu_array, _floats("gelu", x))


def gelu_array(x: np.ndarray) -> np.ndarray:
    """Compute ½ x (1 + tanh(√(2/π) (x + 0.044715 x³)))."""

    def write(y, x):  # as x (1 + tanh(x (√(2/π) + 0.044715 √(2/π) x²))) / 2, in the memory of y
        np.multiply(x, x, out=y)
        y *= 0.044715 * math.sqrt(2 / math.pi)
        y += math.sqrt(2 / math.pi)
        y *= x
        np.tanh(y, out=y)
        y += 1
        y *= x
        y *= 0.5

    return by_blocks(write, x)


def by_blocks(write: Callable, *arrays: np.ndarray) -> np.ndarray:
    """Return an array like the first one that `write(y, *arrays)` filled, block after block.

    A kernel of several passes takes two thirds of the time if its numbers stay in a cache from one
    pass to the next, and nothing in between is larger than a block. All arrays have one shape.

    >>> by_blocks(lambda y, x: np.add(x, 1, out=y), np.array([1, 2])).tolist()
    [2, 3]
    """
    y = np.empty_like(arrays[0])
    if y.size <= BLOCK or not all(array.flags.c_contiguous for array in arrays):
        write(y, *arrays)
        return y
    flat = [array.reshape(-1) for array in (y, *arrays)]
    for start in range(0, y.size, BLOCK):
        write(*[array[start : start + BLOCK] for array in flat])
    return y


def silu(x: Tensor) -> Tensor:
    """Let x through its own sigmoid gate: x · sigmoid(x), element by element, without overflow.

    Shapes: any -> the same, dtype kept. Errors: TypeError unless `x` is a Tensor of floats.
    Source: Elfwing, Uchibe and Doya, "Sigmoid-weighted linear units for neural network function
    approximation in reinforcement learning", 2018; also known as swish.

    >>> print(silu(Tensor([-1.0, 0.0, 1.0])).numpy().round(4))
    [-0.2689  0.      0.7311]
    """
    return apply(silu_array, _floats("silu", x))


def silu_array(x: np.ndarray) -> np.ndarray:
    """Compute x · sigmoid(x)."""
    return x * sigmoid_array(x)


def softmax(x: Tensor, dim: int) -> Tensor:
    """Turn scores into probabilities that sum to 1 along `dim`: exp(xᵢ) / Σⱼ exp(xⱼ).

    Taking the same number from every score changes nothing, so take the largest first: then no
    exp exceeds 1. Shapes: any with at least one dimension -> the same, dtype kept; empty -> empty.
    Errors: TypeError unless `x` is a Tensor of floats and `dim` an int; IndexError for a `dim`
    that `x` does not have. Source: Bridle, "Probabilistic interpretation of feedforward
    classification network outputs", 1990.

    >>> softmax(Tensor([[1000.0, 1000.0], [0.0, -1000.0]]), dim=1).tolist()
    [[0.5, 0.5], [1.0, 0.0]]
    """
    return apply(softmax_array, _floats("softmax", x), dim=_dim("softmax", x, dim))


def softmax_array(x: np.ndarray, dim: int) -> np.ndarray:
    """Compute exp(x - max) / Σ exp(x - max) along `dim`."""
    if x.size == 0:  # an empty row has no largest score
        return x.copy()
    shifted = x - x.max(axis=dim, keepdims=True)
    weights = np.exp(shifted, out=shifted)
    return np.divide(weights, weights.sum(axis=dim, keepdims=True), out=weights)


def log_softmax(x: Tensor, dim: int) -> Tensor:
    """Take the logarithm of softmax along `dim` without computing softmax: xᵢ - log Σⱼ exp(xⱼ).

    A probability below about 1e-45 is 0 in float32 and its logarithm infinite; here no such
    number is ever formed. Take the largest score from all of them first, as in `softmax`.
    Shapes: any with at least one dimension -> the same, dtype kept. Errors: as `softmax`.
    Source: Blanchard, Higham and Higham, "Accurately computing the log-sum-exp and softmax
    functions", 2021.

    >>> log_softmax(Tensor([[0.0, -1000.0]]), dim=1).tolist()
    [[0.0, -1000.0]]
    """
    return apply(log_softmax_array, _floats("log_softmax", x), dim=_dim("log_softmax", x, dim))


def log_softmax_array(x: np.ndarray, dim: int) -> np.ndarray:
    """Compute (x - max) - log Σ exp(x - max) along `dim`."""
    if x.size == 0:
        return x.copy()
    shifted = x - x.max(axis=dim, keepdims=True)
    total = np.exp(shifted).sum(axis=dim, keepdims=True)
    return np.subtract(shifted, np.log(total), out=shifted)


class _Activation:
    """An operation as an object: its settings now, its input later, as in Softmax(dim=1)(x)."""

    def __call__(self, x: Tensor) -> Tensor:
        """Return operation(x, **settings); the attributes of the object are its settings."""
        return self.operation(x, **vars(self))

    def __repr__(self) -> str:
        settings = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"{type(self).__name__}({settings})"


class ReLU(_Activation):
    """`relu` as an object: ReLU()(x) is relu(x)."""

    operation = staticmethod(relu)


class LeakyReLU(_Activation):
    """`leaky_relu` as an object, with the slope for negative numbers."""

    operation = staticmethod(leaky_relu)

    def __init__(self, negative_slope: float = 0.01):
        """Remember the slope."""
        self.negative_slope = negative_slope


class Sigmoid(_Activation):
    """`sigmoid` as an object."""

    operation = staticmethod(sigmoid)


class Tanh(_Activation):
    """`tanh` as an object."""

    operation = staticmethod(tanh)


class GELU(_Activation):
    """`gelu` as an object."""

    operation = staticmethod(gelu)


class SiLU(_Activation):
    """`silu` as an object."""

    operation = staticmethod(silu)


class Softmax(_Activation):
    """`softmax` as an object, with the dimension along which the results sum to 1."""

    operation = staticmethod(softmax)

    def __init__(self, dim: int):
        """Remember the dimension."""
        self.dim = dim


class LogSoftmax(_Activation):
    """`log_softmax` as an object, with its dimension."""

    operation = staticmethod(log_softmax)

    def __init__(self, dim: int):
        """Remember the dimension."""
        self.dim = dim


def _floats(name: str, x: Tensor) -> Tensor:
    """Return `x` when it is a Tensor of floats; raise TypeError with the cure otherwise."""
    if not isinstance(x, Tensor):
        raise TypeError(f"{name}: expected a Tensor, got {type(x).__name__}; write Tensor(...)")
    if x.dtype.kind != "f":
        cure = "convert it with x.astype(np.float32)"
        raise TypeError(f"{name}: expected floats, got {x.dtype}; {cure}")
    return x


def _dim(name: str, x: Tensor, dim: int) -> int:
    """Return `dim` when it is a dimension of `x`; raise TypeError or IndexError otherwise."""
    try:
        dim = operator.index(dim)
    except TypeError:
        what = f"{name}: expected dim as an int, got {dim!r}"
        raise TypeError(f"{what}; dim=-1 is the last dimension") from None
    if not -x.ndim <= dim < x.ndim:
        allowed = f"from {-x.ndim} to {x.ndim - 1}" if x.ndim else "none, as it is a single number"
        raise IndexError(f"{name}: shape {x.shape} has dims {allowed}, got dim={dim}")
    return dim
