"""Tensor: an n-dimensional array that computes with NumPy and remembers what a gradient needs.

One can make tensors (`Tensor`, `zeros`, `arange`, `randn`), compute with them (operators, `exp`,
`sum`, `matmul`) and look at the same memory in other shapes (`reshape`, `transpose`, `x[1:]`).
Names and results are PyTorch's; reductions say `axis` and `keepdims`, as NumPy and PyTorch both do.
Every operation passes through `apply`: module 06 differentiates the recipes it leaves, 14 measures
and 17 replaces what it runs.
"""

from __future__ import annotations

import ctypes
import math
import operator
import sys
import threading
import weakref
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

__all__ = [
    "Tensor",
    "arange",
    "cat",
    "default_generator",
    "eye",
    "from_numpy",
    "full",
    "manual_seed",
    "maximum",
    "ones",
    "rand",
    "randn",
    "split",
    "stack",
    "where",
    "zeros",
]

Axis = int | tuple[int, ...] | None
FLOAT32 = np.dtype(np.float32)
INT64 = np.dtype(np.int64)
PYTHON_DTYPES = {"f": FLOAT32, "i": INT64, "u": INT64, "b": np.dtype(np.bool_)}  # by dtype.kind


def _keep_memory():
    """Let glibc keep what arrays up to 32 MiB gave back, for the next ones.

    Else it goes to the kernel, and comes back as zeros, page by page, which takes longer than
    adding two arrays does. Other C libraries have no mallopt, and stay as they are.
    """
    library = ctypes.CDLL(None) if sys.platform == "linux" else None
    if hasattr(library, "mallopt"):
        library.mallopt(-3, 2**25)  # M_MMAP_THRESHOLD, at its most: larger ones are mapped each
        library.mallopt(-1, -1)  # M_TRIM_THRESHOLD: the end of the heap is never given back
        _use_large_pages(library, 2**27)


def _use_large_pages(library, size):
    """Ask the kernel to lay the next `size` bytes of the heap out in pages of 2 MiB, not 4 KiB.

    A core remembers where two thousand pages are or so: 8 MiB of small ones, and looks up others in
    a table. What is allocated here is freed at once, and none of it touched, so it takes addresses
    only. A kernel without such pages does not mind being asked.
    """
    library.malloc.restype, library.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
    library.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    library.mallopt(-4, 0)  # M_MMAP_MAX: however large, from the heap
    start, large = library.malloc(ctypes.c_size_t(size)), 2**21
    library.mallopt(-4, 2**16)  # as glibc has it
    if start is not None:
        library.madvise(-(-start // large) * large, size - large, 14)  # MADV_HUGEPAGE
        library.free(start)


_keep_memory()


def as_array(data, dtype=None) -> np.ndarray:
    """Return nested Python numbers as an array: floats become float32, ints int64, bools bool.

    A `dtype` overrides this. ValueError if rows differ in length, TypeError for what is no number,
    OverflowError for an int too large for its dtype.

    >>> as_array([[1, 2], [3, 4.5]])
    array([[1. , 2. ],
           [3. , 4.5]], dtype=float32)
    """
    try:
        array = np.array(data)
    except ValueError:
        raise ValueError(f"Tensor: expected rows of equal length, got {data!r:.60}") from None
    if array.dtype.kind not in PYTHON_DTYPES:
        raise TypeError(f"Tensor: expected numbers, got {data!r:.60}")
    return np.array(data, dtype or PYTHON_DTYPES[array.dtype.kind])


def broadcast_shape(*shapes: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape that arrays of these shapes have together (NumPy user guide, Broadcasting).

    Shapes align at their last axis, a missing axis counts as 1, and on every axis the sizes are
    equal or 1. ValueError names the two sizes that differ, and their axis counted from the end.

    >>> broadcast_shape((4, 1), (3,))
    (4, 3)
    """
    result = ()
    for axis in range(-1, -1 - max(map(len, shapes)), -1):
        sizes = {shape[axis] for shape in shapes if len(shape) >= -axis} - {1}
        if len(sizes) > 1:
            shown, differ = " and ".join(map(str, shapes)), " != ".join(map(str, sorted(sizes)))
            raise ValueError(f"{shown} do not broadcast: {differ} on axis {axis}, neither is 1")
        result = (*(sizes or {1}), *result)
    return result


def matmul_loops(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the matrix product of two arrays by three loops: 2·M·K·N operations.

    (M, K) @ (K, N) -> (M, N), c[i, j] = Σₖ a[i, k] · b[k, j], in the dtype of `a`. Reads one
    element at a time, no rows: what NumPy's matmul saves is seen only against this.

    >>> matmul_loops(np.array([[1, 2], [3, 4]]), np.array([[10], [1]]))
    array([[12],
           [34]])
    """
    (rows, inner), columns = a.shape, b.shape[1]
    c = np.zeros((rows, columns), dtype=a.dtype)
    for i in range(rows):
        for j in range(columns):
            for k in range(inner):
                c[i, j] += a[i, k] * b[k, j]
    return c


def concatenate(*arrays: np.ndarray, axis: int) -> np.ndarray:
    """The arrays end to end, as `apply` hands them over."""
    return np.concatenate(arrays, axis)


def cast(x: np.ndarray, dtype) -> np.ndarray:
    """The array in another dtype."""
    return x.astype(dtype)


class Recipe(NamedTuple):
    """How a tensor came about: `op(*inputs, **kwargs)`, at a moment of the clock of changes."""

    op: Callable
    inputs: tuple  # tensors and constants alike, as they were given
    kwargs: dict
    moment: int


class _Mode(threading.local):
    """Whether `apply` leaves recipes, for each thread its own."""

    recording = True


_mode = _Mode()
_lock = threading.Lock()
_off = 0  # how many threads record nothing; for one of them, `apply` asks which it is in
_new = object.__new__  # Tensor.__new__, found in half the time
_NO_KWARGS = {}  # one for all recipes: a thousand empty ones are a thousand objects to collect
_run = None  # what computes instead of the operation itself
_choose = None  # what says which operation stands in for one
_clock = 0  # counts changes in place
_changed = {}  # id of an array that owns memory: the clock at its last change


def apply(op: Callable, *inputs, **kwargs) -> Tensor:
    """Return `op`, a function on arrays, of tensors and constants as a Tensor.

    If an input requires a gradient, so does a floating result, and keeps its Recipe.

    >>> apply(np.add, from_numpy(np.array([1, 2])), 10)
    Tensor([11, 12])
    """
    if _choose is not None:
        op, kwargs = _choose(op, inputs, kwargs)
    arrays, wanted = [], False
    for x in inputs:
        if isinstance(x, Tensor):
            arrays.append(x.data)
            wanted = wanted or x._requires_grad
        else:
            arrays.append(x)
    try:
        data = op(*arrays, **kwargs) if _run is None else _run(op, arrays, kwargs)
    except ValueError as error:
        raise _explained(error, op, arrays) from None
    return _result(data, op, inputs, kwargs or _NO_KWARGS, wanted)


def _result(data, op, inputs, kwargs, wanted):
    """What `op` computed as a Tensor, with its recipe if a gradient is wanted."""
    if type(data) is not np.ndarray:  # NumPy returns a scalar where no axis is left
        data = np.asarray(data)
    if data.dtype is not FLOAT32:
        data = _settled(data, inputs, kwargs)
        wanted = wanted and data.dtype.kind == "f"
    wanted = wanted and (not _off or _mode.recording)
    out = _new(Tensor)
    out.data = data
    out.grad = None
    out._requires_grad = wanted
    if wanted:
        out._op, out._inputs = op, inputs
        out._kwargs, out._moment = kwargs, _clock
    else:
        out._op = None
    return out


def _settled(data, inputs, kwargs):
    """`data` in PyTorch's dtype: where ints meet floats, NumPy answers float64."""
    if data.dtype.kind != "f" or "dtype" in kwargs:
        return data
    arrays = [x.data if isinstance(x, Tensor) else x for x in inputs]
    floats = [a for a in arrays if type(a) is np.ndarray and a.dtype.kind == "f"]
    floats = [a.dtype for a in floats if a.ndim] or [a.dtype for a in floats]  # 0-d widens nothing
    return data.astype(np.result_type(*floats) if floats else FLOAT32, copy=False)


def _explained(error, op, arrays):
    """The error of an operation, in our words where shapes do not broadcast."""
    if "could not be broadcast" in str(error):
        try:
            broadcast_shape(*(np.shape(a)[: -2 if op is np.matmul else None] for a in arrays))
        except ValueError as reason:
            return ValueError(f"{op.__name__}: {reason}")
    return error


def set_recording(on: bool) -> bool:
    """Switch recipes on or off in this thread; return how it was (for no_grad, module 06)."""
    global _off
    before, _mode.recording = _mode.recording, bool(on)
    with _lock:
        _off += before - _mode.recording
    return before


def set_runner(run: Callable | None) -> Callable | None:
    """Let `run(op, arrays, kwargs)` compute, or None: the operation; return who did (14)."""
    global _run
    before, _run = _run, run
    return before


def set_chooser(choose: Callable | None) -> Callable | None:
    """Let `choose(op, inputs, kwargs)` say what `apply` runs instead; return who did (17).

    It returns an operation and its kwargs, which the recipe keeps, or those that it was given; None
    stands for this everywhere. The operators of two tensors, as a + b, ask nobody.
    """
    global _choose
    before, _choose = _choose, choose
    return before


def is_recording() -> bool:
    """Say whether `apply` leaves recipes in this thread."""
    return not _off or _mode.recording


def _owner(array):
    """The array whose memory this one shows."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def clock() -> int:
    """Return how many changes in place there were."""
    return _clock


def note_change(tensor: Tensor) -> None:
    """Say that the tensor's memory was changed in place, as `x[0] = 1` does."""
    global _clock
    owner = _owner(tensor.data)
    if id(owner) not in _changed:
        weakref.finalize(owner, _changed.pop, id(owner))
    _changed[id(owner)] = _clock = _clock + 1


def changed_since(tensor: Tensor, recipe: Recipe) -> bool:
    """Was the tensor's memory changed in place, through whichever view, after the recipe?"""
    return _changed.get(id(_owner(tensor.data)), 0) > recipe.moment


def _numeric(dtype):
    """The NumPy dtype, refused if tensors cannot hold it."""
    dtype = np.dtype(dtype)
    if dtype.kind not in "fiub":
        raise TypeError(f"Tensor: expected a float, int or bool dtype, got {dtype}")
    return dtype


def _floating(name, x):
    """Refuse ints and bools, for which the operation has no meaning."""
    if x.dtype.kind != "f":
        raise TypeError(f"{name}: expected a floating tensor, got {x.dtype}: use astype first")


def _axes(name, axis, ndim):
    """One axis or a tuple of them, counted from either end, as a tuple counted from the front."""
    if axis is None:
        return None
    axes = axis if isinstance(axis, tuple | list) else (axis,)
    for a in axes:
        if not -ndim <= operator.index(a) < ndim:
            raise IndexError(f"{name}: axis {a} is out of range, expected {-ndim} <= axis < {ndim}")
    return tuple(a % ndim for a in axes)


def _sizes(sizes):
    """The sizes of `f(2, 3)` and `f((2, 3))` alike."""
    several = len(sizes) == 1 and isinstance(sizes[0], tuple | list)
    return tuple(map(operator.index, sizes[0] if several else sizes))


def _tensors(name, tensors):
    """A list of at least one tensor, as a tuple."""
    if not isinstance(tensors, tuple | list) or not all(isinstance(t, Tensor) for t in tensors):
        raise TypeError(f"{name}: expected a list of tensors, got {tensors!r:.60}")
    if not tensors:
        raise ValueError(f"{name}: expected at least one tensor, got none")
    return tuple(tensors)


def _as_index(index):
    """A Tensor's index as NumPy's, of which an element is a view and no scalar: x[0, ...]."""
    index = index if isinstance(index, tuple) else (index,)
    index = tuple(i.data if isinstance(i, Tensor) else i for i in index)
    return index if any(i is ... for i in index) else (*index, ...)


def _unary(op):
    return lambda self: apply(op, self)


def _real(op):
    return lambda self: apply(op, self if self.dtype.kind == "f" else self.astype(FLOAT32))


def _binary(op):
    def operation(self, other):
        if _run is None and isinstance(other, Tensor):  # as `apply`, in two thirds of the time
            try:
                data = op(self.data, other.data)
            except ValueError:
                return apply(op, self, other)  # which says in our words what is wrong
            wanted = self._requires_grad or other._requires_grad
            return _result(data, op, (self, other), _NO_KWARGS, wanted)
        return apply(op, self, other)

    return operation


def _reflected(op):
    return lambda self, other: apply(op, other, self)


class Tensor:
    """An array `data`, its gradient `grad`, and the `recipe` that made it if a gradient is wanted.

    >>> Tensor([[1, 2], [3, 4]]) * 0.5
    Tensor([[0.5, 1. ],
            [1.5, 2. ]])
    """

    # The last four are the recipe: an object of its own for each result takes a tenth of all time.
    __slots__ = ("data", "grad", "_requires_grad", "__weakref__") + tuple(
        f"_{name}" for name in Recipe._fields
    )
    __array_ufunc__ = None  # so that array + tensor comes to Tensor.__radd__

    def __init__(self, data, dtype=None, requires_grad: bool = False):
        """Copy the data; NumPy's keeps its dtype, Python's gets that of `as_array`."""
        if isinstance(data, Tensor):
            raise TypeError("Tensor: expected numbers, got a Tensor: use clone() or detach()")
        dtype = dtype and _numeric(dtype)
        if isinstance(data, np.ndarray | np.generic):
            self.data = np.array(data, dtype=dtype or _numeric(data.dtype), order="C")
        else:
            self.data = as_array(data, dtype)
        self.grad = self._op = None
        self.requires_grad = requires_grad

    @property
    def requires_grad(self) -> bool:
        """Is a gradient wanted? Only a floating tensor has one."""
        return self._requires_grad

    @requires_grad.setter
    def requires_grad(self, wanted: bool):
        if wanted and self.dtype.kind != "f":
            raise RuntimeError(f"requires_grad: expected a floating tensor, got {self.dtype}")
        self._requires_grad = bool(wanted)

    def backward(self, gradient=None, retain_graph: bool = False) -> None:
        """Compute the gradients of whatever this tensor was made from (module 06)."""
        try:
            from tinytorch.autograd import backward
        except ModuleNotFoundError as error:
            raise NotImplementedError("backward comes in module 06, autograd") from error
        backward(self, gradient, retain_graph)

    @property
    def recipe(self) -> Recipe | None:
        """How the tensor came about; None if no operation made it, or none with a gradient."""
        return self._op and Recipe(self._op, self._inputs, self._kwargs, self._moment)

    shape = property(lambda self: self.data.shape, doc="The sizes of the axes.")
    ndim = property(lambda self: self.data.ndim, doc="The number of axes.")
    size = property(lambda self: self.data.size, doc="The number of elements.")
    dtype = property(lambda self: self.data.dtype, doc="The NumPy dtype of the elements.")
    nbytes = property(lambda self: self.data.nbytes, doc="The bytes of the elements.")

    exp, log, sqrt = _real(np.exp), _real(np.log), _real(np.sqrt)
    abs, __abs__, __neg__ = _unary(np.abs), _unary(np.abs), _unary(np.negative)
    __add__ = __radd__ = _binary(np.add)
    __mul__ = __rmul__ = _binary(np.multiply)
    __sub__, __rsub__ = _binary(np.subtract), _reflected(np.subtract)
    __truediv__, __rtruediv__ = _binary(np.true_divide), _reflected(np.true_divide)
    __pow__, __rpow__ = _binary(operator.pow), _reflected(operator.pow)  # np.power squares slowly
    __eq__, __ne__ = _binary(np.equal), _binary(np.not_equal)
    __lt__, __le__ = _binary(np.less), _binary(np.less_equal)
    __gt__, __ge__ = _binary(np.greater), _binary(np.greater_equal)
    __hash__ = object.__hash__

    def __matmul__(self, other):
        """Return `self @ other`, see `matmul`."""
        return self.matmul(other)

    def __rmatmul__(self, other):
        """Return `array @ self`."""
        return from_numpy(other).matmul(self)

    def __getitem__(self, index):
        """Return a view for ints and slices, a copy for index arrays and masks."""
        return apply(operator.getitem, self, _as_index(index))

    def __setitem__(self, index, value):
        """Change elements in place, which no gradient can follow."""
        if _mode.recording and (self._requires_grad or getattr(value, "requires_grad", False)):
            raise RuntimeError("x[i] = y: a change in place has no gradient: use where or detach()")
        if not self.data.flags.writeable:
            raise ValueError("x[i] = y: elements of x share memory: use clone() first")
        self.data[_as_index(index)] = value.data if isinstance(value, Tensor) else value
        note_change(self)

    def __len__(self):
        """Return the size of the first axis."""
        if not self.ndim:
            raise TypeError("len: expected an axis, got a single number")
        return self.shape[0]

    def __iter__(self):
        """Go through the first axis."""
        return (self[i] for i in range(len(self)))

    def __bool__(self):
        """Return the truth of the only element."""
        return bool(self.item())

    def __array__(self, dtype=None, copy=None):
        """Let NumPy read the tensor: `np.asarray(x)`."""
        return np.array(self.numpy(), dtype=dtype, copy=copy)

    def __repr__(self):
        """Show the elements, and the dtype if it is none of Python's."""
        text = np.array2string(self.data, separator=", ", prefix="Tensor(")
        dtype = "" if self.dtype in PYTHON_DTYPES.values() else f", dtype={self.dtype}"
        return f"Tensor({text}{dtype}{', requires_grad=True' * self.requires_grad})"

    def item(self) -> float | int | bool:
        """Return the only element as a Python number."""
        if self.size != 1:
            raise ValueError(f"expected one element, got shape {self.shape}: index or reduce first")
        return self.data.item()

    def numpy(self) -> np.ndarray:
        """Return the array itself, memory shared."""
        if self.requires_grad:
            raise RuntimeError("numpy: the gradient would lose track: use detach().numpy()")
        return self.data

    def tolist(self) -> list:
        """Return the elements as nested lists of Python numbers."""
        return self.data.tolist()

    def detach(self) -> Tensor:
        """Return a tensor on the same memory, without gradient or recipe."""
        return from_numpy(self.data)

    def clone(self) -> Tensor:
        """Return a copy through which gradients flow."""
        return apply(np.copy, self)

    def astype(self, dtype) -> Tensor:
        """Return a copy in another dtype."""
        return apply(cast, self, dtype=_numeric(dtype))

    def clip(self, min=None, max=None) -> Tensor:
        """Return each element moved into [min, max]; None leaves a side open.

        The upper bound wins where the two cross. ValueError without any bound.

        >>> from_numpy(np.array([-2, 5, 9])).clip(0, 7)
        Tensor([0, 5, 7])
        """
        if min is None and max is None:
            raise ValueError("clip: expected min, max or both, got neither")
        return apply(np.clip, self, min, max)

    def sum(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """Return the sum of all elements, or along an axis or a tuple of axes.

        (2, 3), axis=1 -> (2,), with keepdims (2, 1). Ints and bools add up to int64. IndexError for
        an axis that is not there.

        >>> from_numpy(np.array([[1, 2], [3, 4]])).sum(axis=0)
        Tensor([4, 6])
        """
        axes = _axes("sum", axis, self.ndim)
        dtype = None if self.dtype.kind == "f" else INT64
        return apply(np.sum, self, axis=axes, dtype=dtype, keepdims=keepdims)

    def mean(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """Return the mean, Σx / n, of all elements, or along an axis or a tuple of axes.

        TypeError unless the tensor is floating: the mean of ints is no int.

        >>> from_numpy(np.array([[1.0, 2.0], [3.0, 6.0]])).mean(axis=1).tolist()
        [1.5, 4.5]
        """
        _floating("mean", self)
        return apply(np.mean, self, axis=_axes("mean", axis, self.ndim), keepdims=keepdims)

    def var(self, axis: Axis = None, correction: int = 1, keepdims: bool = False) -> Tensor:
        """Return the variance, Σ(x - mean)² / (n - correction), along the axes as in `mean`.

        The correction 1, Bessel's, makes a sample's variance an estimate of its population's.
        TypeError unless the tensor is floating.

        >>> from_numpy(np.array([1.0, 2.0, 6.0])).var().item()
        7.0
        """
        _floating("var", self)
        axes = _axes("var", axis, self.ndim)
        return apply(np.var, self, axis=axes, ddof=correction, keepdims=keepdims)

    def max(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """Return the largest of all elements, or along an axis or a tuple of axes, like `amax`.

        >>> from_numpy(np.array([[1, 9], [3, 4]])).max(axis=1)
        Tensor([9, 4])
        """
        return apply(np.max, self, axis=_axes("max", axis, self.ndim), keepdims=keepdims)

    def min(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """Return the smallest of all elements, or along an axis or a tuple of axes, like `amin`.

        >>> from_numpy(np.array([[1, 9], [3, 4]])).min()
        Tensor(1)
        """
        return apply(np.min, self, axis=_axes("min", axis, self.ndim), keepdims=keepdims)

    def argmax(self, axis: int | None = None, keepdims: bool = False) -> Tensor:
        """Return the index, int64, of the largest element along an axis, the first of equals.

        Without an axis, elements are counted row by row.

        >>> from_numpy(np.array([[1, 2], [9, 4]])).argmax()
        Tensor(2)
        """
        if axis is not None:
            (axis,) = _axes("argmax", operator.index(axis), self.ndim)
        return apply(np.argmax, self, axis=axis, keepdims=keepdims)

    def reshape(self, *shape: int) -> Tensor:
        """Return the same elements, row by row, in another shape, a view if possible.

        One size may be -1: what is left. ValueError shows both shapes if the number of elements
        differs or more than one size is -1.

        >>> from_numpy(np.arange(6)).reshape(2, -1)
        Tensor([[0, 1, 2],
                [3, 4, 5]])
        """
        shape = _sizes(shape)
        known = math.prod(n for n in shape if n != -1)
        if shape.count(-1) == 1 and known and self.size % known == 0:
            shape = tuple(self.size // known if n == -1 else n for n in shape)
        if min(shape, default=0) < 0 or math.prod(shape) != self.size:
            raise ValueError(f"reshape: {self.shape}, {self.size} elements, does not fit {shape}")
        return apply(np.reshape, self, shape=shape)

    def view(self, *shape: int) -> Tensor:
        """Return `reshape` on the same memory, refused where that takes a copy."""
        seen = self.reshape(*shape)
        if seen.size and not np.may_share_memory(seen.data, self.data):
            raise ValueError(f"view: {self.shape} to {seen.shape} takes a copy here: use reshape")
        return seen

    def flatten(self, start_dim: int = 0, end_dim: int = -1) -> Tensor:
        """Return a tensor in which the axes from start_dim to end_dim, included, are one."""
        shape = self.shape or (1,)
        start, end = _axes("flatten", (start_dim, end_dim), len(shape))
        if start > end:
            raise ValueError(f"flatten: expected start_dim <= end_dim, got {start_dim}, {end_dim}")
        return self.reshape(*shape[:start], math.prod(shape[start : end + 1]), *shape[end + 1 :])

    def transpose(self, dim0: int, dim1: int) -> Tensor:
        """Return a view with two axes swapped.

        (A, B, C).transpose(0, 2) -> (C, B, A). IndexError for an axis that is not there.

        >>> from_numpy(np.array([[1, 2], [3, 4]])).transpose(0, 1)
        Tensor([[1, 3],
                [2, 4]])
        """
        a, b = _axes("transpose", (dim0, dim1), self.ndim)
        axes = list(range(self.ndim))
        axes[a], axes[b] = b, a
        return apply(np.transpose, self, axes=tuple(axes))

    def permute(self, *dims: int) -> Tensor:
        """Return a view whose axis i is this tensor's axis dims[i].

        (A, B, C).permute(2, 0, 1) -> (C, A, B). ValueError unless dims has every axis once,
        IndexError for one that is not there.

        >>> zeros(2, 3, 4).permute(2, 0, 1).shape
        (4, 2, 3)
        """
        axes = _axes("permute", _sizes(dims), self.ndim)
        if sorted(axes) != list(range(self.ndim)):
            raise ValueError(f"permute: expected each axis of {self.shape} once, got {dims}")
        return apply(np.transpose, self, axes=axes)

    @property
    def T(self) -> Tensor:
        """The matrix with rows and columns swapped, a view."""
        if self.ndim != 2:
            raise ValueError(f"T: expected a matrix, got shape {self.shape}: use transpose")
        return apply(np.transpose, self, axes=(1, 0))

    def squeeze(self, dim: int | None = None) -> Tensor:
        """Return a view without the axes of size 1, or without axis `dim` if it is one of them.

        >>> zeros(1, 3, 1).squeeze(0).shape
        (3, 1)
        """
        dims = range(self.ndim) if dim is None else _axes("squeeze", dim, self.ndim)
        shape = tuple(n for i, n in enumerate(self.shape) if n != 1 or i not in dims)
        return apply(np.reshape, self, shape=shape)

    def unsqueeze(self, dim: int) -> Tensor:
        """Return a view with a new axis of size 1, which will be axis `dim`.

        (2, 3), dim=1 -> (2, 1, 3), dim=-1 -> (2, 3, 1). IndexError beyond that.

        >>> zeros(2, 3).unsqueeze(-1).shape
        (2, 3, 1)
        """
        (dim,) = _axes("unsqueeze", dim, self.ndim + 1)
        return apply(np.reshape, self, shape=(*self.shape[:dim], 1, *self.shape[dim:]))

    def expand(self, *sizes: int) -> Tensor:
        """Return a read-only view that repeats axes of size 1 without copying; -1 keeps a size.

        (3, 1) -> (3, 4); new axes come first: (3,) -> (2, 3). ValueError shows both shapes if
        another size would change or an axis is missing.

        >>> from_numpy(np.array([[1], [2]])).expand(-1, 3)
        Tensor([[1, 1, 1],
                [2, 2, 2]])
        """
        sizes = _sizes(sizes)
        lead = len(sizes) - self.ndim
        both = list(zip(self.shape, sizes[lead:], strict=False))
        new = sizes[:lead] + tuple(old if n == -1 else n for old, n in both)
        if lead < 0 or min(new, default=0) < 0 or any(o != 1 and n not in (o, -1) for o, n in both):
            raise ValueError(f"expand: only sizes of 1 grow, {self.shape} cannot become {sizes}")
        return apply(np.broadcast_to, self, shape=new)

    def matmul(self, other: Tensor | np.ndarray) -> Tensor:
        """Return the matrix product with a tensor or array: `matmul_loops`, handed to np.matmul.

        (..., M, K) @ (..., K, N) -> (..., M, N), batch axes broadcast. A vector (K,) is a row on
        the left, a column on the right, and that axis is dropped again. ValueError shows both
        shapes if inner sizes differ or a side has no axis; TypeError if the dtypes differ.

        >>> from_numpy(np.array([[1, 2], [3, 4]])) @ np.array([10, 1])
        Tensor([12, 34])
        """
        other = other if isinstance(other, Tensor) else from_numpy(other)
        a, b = self.shape, other.shape
        if not a or not b:
            raise ValueError(f"matmul: expected at least one axis on each side, got {a} @ {b}")
        inner = b[-2] if len(b) > 1 else b[0]
        if a[-1] != inner:
            raise ValueError(f"matmul: inner sizes differ, {a} @ {b}: {a[-1]} != {inner}")
        if self.dtype != other.dtype:
            raise TypeError(f"matmul: dtypes differ, {self.dtype} @ {other.dtype}: use astype")
        return apply(np.matmul, self, other)


def maximum(a, b) -> Tensor:
    """Return the larger of two tensors or numbers, element by element; nan if either is nan.

    >>> maximum(from_numpy(np.array([-1, 5])), 0)
    Tensor([0, 5])
    """
    return apply(np.maximum, a, b)


def where(condition, a, b) -> Tensor:
    """Return elements of `a` where the condition holds and of `b` elsewhere; all three broadcast.

    TypeError unless the condition is bool.

    >>> where(from_numpy(np.array([True, False])), 1, 2)
    Tensor([1, 2])
    """
    dtype = getattr(condition, "dtype", type(condition))
    if np.dtype(dtype) != bool:
        raise TypeError(f"where: expected a bool condition, got {dtype}: compare, as in x > 0")
    return apply(np.where, condition, a, b)


def cat(tensors: list[Tensor], dim: int = 0) -> Tensor:
    """Return a list of tensors end to end along an axis; on the others their sizes agree.

    (2, 3) and (4, 3) -> (6, 3). ValueError shows the two shapes that do not fit.

    >>> cat([from_numpy(np.array([1, 2])), from_numpy(np.array([3]))])
    Tensor([1, 2, 3])
    """
    tensors = _tensors("cat", tensors)
    first = tensors[0].shape
    (dim,) = _axes("cat", dim, len(first))
    for shape in (t.shape for t in tensors):
        if shape[:dim] + shape[dim + 1 :] != first[:dim] + first[dim + 1 :]:
            raise ValueError(f"cat: {first} and {shape} differ on another axis than {dim}")
    return apply(concatenate, *tensors, axis=dim)


def stack(tensors: list[Tensor], dim: int = 0) -> Tensor:
    """Return a list of tensors of one shape side by side along a new axis.

    Three of (2, 4), dim=1 -> (2, 3, 4). ValueError shows the two shapes that differ.

    >>> stack([from_numpy(np.array([1, 2])), from_numpy(np.array([3, 4]))], dim=1)
    Tensor([[1, 3],
            [2, 4]])
    """
    tensors = _tensors("stack", tensors)
    first = tensors[0].shape
    (dim,) = _axes("stack", dim, len(first) + 1)
    for shape in (t.shape for t in tensors):
        if shape != first:
            raise ValueError(f"stack: expected equal shapes, got {first} and {shape}")
    slices = [apply(np.reshape, t, shape=(*first[:dim], 1, *first[dim:])) for t in tensors]
    return apply(concatenate, *slices, axis=dim)


def split(tensor: Tensor, split_size_or_sections: int | list[int], dim: int = 0) -> tuple:
    """Return views of a tensor in a tuple: chunks of one size, the last shorter, or sizes listed.

    (5, 2), 2 -> (2, 2), (2, 2), (1, 2). ValueError unless one size is positive, or those listed add
    up to the axis.

    >>> split(from_numpy(np.arange(5)), [2, 3])
    (Tensor([0, 1]), Tensor([2, 3, 4]))
    """
    (dim,) = _axes("split", dim, tensor.ndim)
    n, sizes = tensor.shape[dim], split_size_or_sections
    if isinstance(sizes, int) and sizes > 0:
        sizes = [min(sizes, n - start) for start in range(0, max(n, 1), sizes)]
    if isinstance(sizes, int) or sum(sizes) != n or min(sizes, default=0) < 0:
        raise ValueError(f"split: expected a size > 0, or sizes that add up to {n}, got {sizes}")
    ends = np.cumsum(sizes, dtype=int).tolist()
    parts = [slice(end - size, end) for end, size in zip(ends, sizes, strict=True)]
    return tuple(tensor[(slice(None),) * dim + (part,)] for part in parts)


def from_numpy(array: np.ndarray, requires_grad: bool = False) -> Tensor:
    """Return a tensor on the array's own memory."""
    if not isinstance(array, np.ndarray):
        raise TypeError(f"from_numpy: expected an array, got {type(array).__name__}: use Tensor")
    _numeric(array.dtype)
    tensor = _new(Tensor)
    tensor.data = array
    tensor.grad = tensor._op = None
    tensor.requires_grad = requires_grad
    return tensor


def zeros(*shape: int, dtype=FLOAT32, requires_grad: bool = False) -> Tensor:
    """Return a tensor of zeros: `zeros(2, 3)`."""
    return from_numpy(np.zeros(_sizes(shape), _numeric(dtype)), requires_grad)


def ones(*shape: int, dtype=FLOAT32, requires_grad: bool = False) -> Tensor:
    """Return a tensor of ones: `ones(2, 3)`."""
    return from_numpy(np.ones(_sizes(shape), _numeric(dtype)), requires_grad)


def full(shape, fill_value, dtype=None, requires_grad: bool = False) -> Tensor:
    """Return a tensor in which every element is the value."""
    array = np.full(shape, fill_value, dtype or PYTHON_DTYPES[np.asarray(fill_value).dtype.kind])
    return from_numpy(array, requires_grad)


def arange(start, end=None, step=1, dtype=None, requires_grad: bool = False) -> Tensor:
    """Return start, start + step, … below end; `arange(3)` is 0, 1, 2."""
    start, end = (0, start) if end is None else (start, end)
    if step == 0 or (end - start) * step < 0:
        raise ValueError(f"arange: steps of {step} do not lead from {start} to {end}")
    array = np.arange(start, end, step)
    return from_numpy(array.astype(dtype or PYTHON_DTYPES[array.dtype.kind]), requires_grad)


def eye(n: int, m: int | None = None, dtype=FLOAT32, requires_grad: bool = False) -> Tensor:
    """Return the n x n (or n x m) matrix with ones on its diagonal."""
    return from_numpy(np.eye(n, m, dtype=_numeric(dtype)), requires_grad)


_generator = None  # made when first needed: importing numpy.random takes time


def manual_seed(seed: int | None) -> np.random.Generator:
    """Start the random numbers of the whole framework anew; return their generator."""
    global _generator
    _generator = np.random.default_rng(seed)
    return _generator


def default_generator() -> np.random.Generator:
    """Return the NumPy generator from which the whole framework draws."""
    return manual_seed(None) if _generator is None else _generator


def rand(*shape: int, requires_grad: bool = False) -> Tensor:
    """Return random numbers, uniform in [0, 1)."""
    return from_numpy(default_generator().random(_sizes(shape), FLOAT32), requires_grad)


def randn(*shape: int, requires_grad: bool = False) -> Tensor:
    """Return random numbers, normal with mean 0 and variance 1."""
    return from_numpy(default_generator().standard_normal(_sizes(shape), FLOAT32), requires_grad)
