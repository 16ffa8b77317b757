"""What the checks of 02_activations ask of a framework; each function travels alone."""

import numpy as np

import tinytorch as tt


def call(name, x):
    """The result, whether it passed through `apply`, and the input as it was left."""
    x = tt.Tensor(x, requires_grad=True)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        result = getattr(tt, name)(x)
    return [result.data, result.requires_grad, x.data]


def call_view(name, x):
    """The result for a view with every stride unlike that of fresh memory."""
    x = tt.Tensor(x)
    x.data = x.data.T[::2, ::-1]
    return getattr(tt, name)(x).data


def call_plain(name, x, tensor):
    """The result for a tensor of any dtype, or for an array that is none."""
    return getattr(tt, name)(tt.Tensor(x) if tensor else x).data


def leaky(x, slope):
    """The result of leaky_relu, whether it passed through `apply`, and the input afterwards."""
    x = tt.Tensor(x, requires_grad=True)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        result = tt.leaky_relu(x, slope)
    return [result.data, result.requires_grad, x.data]


def along(name, x, dim):
    """The result along one dimension, whether it passed through `apply`, the input afterwards."""
    x = tt.Tensor(x, requires_grad=True)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        result = getattr(tt, name)(x, dim)
    return [result.data, result.requires_grad, x.data]


def along_every(name, x):
    """The results along each dimension, counted from the front and from the back."""
    x = tt.Tensor(x)
    return [getattr(tt, name)(x, dim=dim).data for dim in range(-x.ndim, x.ndim)]


def along_plain(name, x, dim, tensor):
    """The result along one dimension for a tensor of any dtype, or for an array that is none."""
    return getattr(tt, name)(tt.Tensor(x) if tensor else x, dim=dim).data
