"""What the checks of 01_tensor ask of a framework; each function travels alone."""

import numpy as np

import tinytorch as tt


def from_python(data, dtype):
    """The array that Tensor makes of nested Python numbers."""
    return tt.Tensor(data, dtype=dtype).data


def common_shape(shapes):
    """The common shape, and whether it is a tuple."""
    common = tt.tensor.broadcast_shape(*map(tuple, shapes))
    return [common, isinstance(common, tuple)]


def loops(a, b):
    """The product by loops, and the inputs as they were left."""
    return [tt.tensor.matmul_loops(a, b), a, b]


def loops_by_element(a, b):
    """The product by loops over arrays that refuse any arithmetic with whole rows."""
    harmless = (np.shape, np.ndim, np.size, np.result_type, np.empty_like, np.zeros_like)

    def function(self, asked, types, arguments, options):
        if asked not in harmless:
            raise TypeError(f"{asked.__name__} does not read one element at a time")
        return np.ndarray.__array_function__(self, asked, types, arguments, options)

    refused = {"__array_ufunc__": None, "dot": None, "__array_function__": function}
    shy = type("Shy", (np.ndarray,), refused)
    return np.asarray(tt.tensor.matmul_loops(a.view(shy), b.view(shy)))


def product(a, b):
    """The product, and whether it was recorded."""
    product = tt.Tensor(a, requires_grad=True) @ tt.Tensor(b, requires_grad=True)
    return [product.data, product.requires_grad]


def product_with_arrays(a, b):
    """The product of a tensor of any dtype with an array, and of an array with a tensor."""
    return [(tt.Tensor(a) @ b).data, (a @ tt.Tensor(b)).data]


def product_with_array(a, b):
    """The product of a tensor with an array."""
    return (tt.Tensor(a) @ b).data


def choice(condition, a, b):
    """The choice between two tensors, whether it was recorded, and one that leaves infinities."""
    a, condition = tt.Tensor(a, requires_grad=True), tt.Tensor(condition)
    chosen = tt.where(condition, a, tt.Tensor(b))
    infinite = tt.full(b.shape, float("inf"))
    kept = tt.where(condition, a, tt.where(condition, infinite, 0.0))
    return [chosen.data, chosen.requires_grad, kept.data]


def choice_of_numbers(condition, a, b):
    """The choice between two numbers."""
    return tt.where(tt.Tensor(condition), a, b).data


def larger(a, b):
    """The larger elements, either way round, whether they were recorded, and those of ints."""
    ints = tt.maximum(tt.Tensor([-1, 5]), 0)
    a, b = tt.Tensor(a, requires_grad=True), b if isinstance(b, float) else tt.Tensor(b)
    larger = tt.maximum(a, b)
    return [larger.data, tt.maximum(b, a).data, larger.requires_grad, ints.data]


def clipped(x, low, high):
    """The elements between two bounds, whether recorded, the input as it was left, and ints."""
    ints = tt.Tensor((9 * x).astype(int)).clip(-2, 7)
    x = tt.Tensor(x, requires_grad=True)
    clipped = x.clip(low, high)
    return [clipped.data, clipped.requires_grad, x.data, ints.data]


def reduced(name, x, axis, keepdims):
    """The reduced tensor, and whether it was recorded."""
    x = tt.Tensor(x, requires_grad=x.dtype.kind == "f")
    axis = tuple(axis) if isinstance(axis, list) else axis
    reduced = getattr(x, name)(axis=axis, keepdims=keepdims)
    return [reduced.data, reduced.requires_grad]


def reduced_whole(name, x):
    """The reduction of all elements by default, of a tensor and of a view with other strides."""
    view = tt.from_numpy(x.T[::-1])
    return [getattr(tt.Tensor(x), name)().data, getattr(view, name)().data]


def variance(x, axis, correction, keepdims):
    """The variance, and whether it was recorded."""
    x = tt.Tensor(x, requires_grad=True)
    variance = x.var(axis=axis, correction=correction, keepdims=keepdims)
    return [variance.data, variance.requires_grad]


def reshaped(x, shape):
    """The reshaped tensor, whether recorded; the same for the shape as a tuple and for a view."""
    x = tt.Tensor(x, requires_grad=True)
    there = x.reshape(*shape)
    turned = tt.from_numpy(x.data.T).reshape(tuple(shape))
    return [there.data, there.requires_grad, turned.data]


def reshaped_memory(x, shape):
    """Whether reshaping kept the memory: of fresh memory, and of a view that rows do not fit."""
    fresh, turned = tt.Tensor(x), tt.from_numpy(x.T)
    return [np.shares_memory(t.reshape(*shape).data, t.data) for t in (fresh, turned)]


def transposed(x, dim0, dim1):
    """The transposed tensor, whether it was recorded, and whether it shares memory."""
    x = tt.Tensor(x, requires_grad=True)
    turned = x.transpose(dim0, dim1)
    return [turned.data, turned.requires_grad, np.shares_memory(turned.data, x.data)]


def permuted(x, dims):
    """The permuted tensor, whether it was recorded, and whether it shares memory."""
    x = tt.Tensor(x, requires_grad=True)
    turned = x.permute(*dims)
    return [turned.data, turned.requires_grad, np.shares_memory(turned.data, x.data)]


def squeezed(x, dim):
    """The squeezed tensor, whether recorded, whether it shares memory, and an empty one's shape."""
    x = tt.Tensor(x, requires_grad=True)
    squeezed = x.squeeze() if dim is None else x.squeeze(dim)
    shared, empty = np.shares_memory(squeezed.data, x.data), tt.zeros(0, 1).squeeze()
    return [squeezed.data, squeezed.requires_grad, shared, empty.shape]


def unsqueezed(x, dim):
    """The tensor with one axis more, whether recorded, whether it and a view's share memory."""
    x = tt.Tensor(x, requires_grad=True)
    longer, turned = x.unsqueeze(dim), tt.from_numpy(x.data.T).unsqueeze(dim)
    shared = [np.shares_memory(t.data, x.data) for t in (longer, turned)]
    return [longer.data, longer.requires_grad, shared]


def expanded(x, sizes):
    """The expanded tensor, whether recorded, whether it shares memory and can be written to."""
    x = tt.Tensor(x, requires_grad=True)
    larger = x.expand(*sizes)
    writable = larger.data.flags.writeable and larger.shape != x.shape
    return [larger.data, larger.requires_grad, np.shares_memory(larger.data, x.data), writable]


def joined(name, arrays, dim):
    """The joined tensors, whether recorded, and the same as tensors of mixed dtypes."""
    tensors = [tt.Tensor(a, requires_grad=True) for a in arrays]
    joined = getattr(tt, name)(tensors, dim)
    mixed = (tt.Tensor(arrays[0].astype(int)), *tensors[1:])
    return [joined.data, joined.requires_grad, getattr(tt, name)(mixed, dim=dim).data]


def joined_first(name, arrays):
    """The tensors joined along the first axis, which is the default."""
    return getattr(tt, name)([tt.Tensor(a) for a in arrays]).data


def parts(x, sizes, dim):
    """The parts, whether they were recorded, share memory, and come in a tuple."""
    x = tt.Tensor(x, requires_grad=True)
    parts = tt.split(x, sizes, dim)
    views = [np.shares_memory(part.data, x.data) for part in parts]
    recorded = [part.requires_grad for part in parts]
    return [[part.data for part in parts], recorded, views, isinstance(parts, tuple)]
