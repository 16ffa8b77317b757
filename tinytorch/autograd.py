"""Autograd: the gradient of a result, from the recipes that the operations left behind.

One can let a tensor compute its gradients (`backward`, which `Tensor.backward` calls), stop
recording for a while (`no_grad`, `enable_grad`), keep the gradient of an intermediate result
(`retain_grad`), teach an operation its rule (`vjp`), and hold a rule against finite differences
(`check_grads`). First comes the engine, then the table of rules, module by module.
"""

from __future__ import annotations

import functools
import inspect
import math
import weakref
from collections.abc import Callable
from operator import getitem, itemgetter, pow
from sys import getrefcount

import numpy as np

from tinytorch import activations, layers, losses
from tinytorch.tensor import (
    Axis,
    Tensor,
    cast,
    changed_since,
    clock,
    concatenate,
    from_numpy,
    note_change,
    set_recording,
)

__all__ = ["backward", "check_grads", "enable_grad", "no_grad", "retain_grad", "vjp"]


class _Rules(dict):
    """The table: a rule by its operation."""

    def __missing__(self, op):
        """Refuse an operation that no rule is for, and USED, which stands for none."""
        if op is USED:
            cure = "compute the result again, or pass retain_graph=True the first time"
            raise RuntimeError(f"backward: the graph was walked before, and is gone; {cure}")
        name = getattr(op, "__name__", op)
        cure = f"write one below @vjp({name}), or call detach() before this operation"
        raise NotImplementedError(f"backward: {name} has no rule; {cure}")


class USED:
    """In the place of an operation whose recipe was dropped."""


RULES = _Rules()
LINEAR = set()  # operations whose rules look at shapes alone


def vjp(op: Callable, linear: bool = False) -> Callable:
    """Make the function below the rule of `op`: how a gradient passes from result to inputs.

    `rule(y, *inputs, **kwargs)` gets the arrays of `y = op(*inputs, **kwargs)` and returns a tuple
    with one linear map per input, from the gradient of y to the gradient of that input; a single
    input's map may stand alone. Only maps of inputs that want a gradient are called. A map returns
    what it was given, a view of it, or a new array, in the shape of the input or, where that was
    broadcast, of y; it changes nothing. A rule that looks at shapes and at no numbers is `linear`:
    inputs may change after the operation.

    >>> @vjp(np.cbrt)
    ... def cbrt_rule(y, x):
    ...     return lambda g: g / (3 * y * y)
    """

    def register(rule):
        RULES[op] = rule
        if linear:
            LINEAR.add(op)
        return rule

    return register


def unbroadcast(g: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Sum a gradient over every axis along which an input of this shape was repeated.

    An element that was used n times gets the sum of n gradients. Axes that broadcasting put in
    front, and axes of size 1 that it stretched, are summed; the result has the shape again.

    >>> unbroadcast(np.array([[1, 2, 3], [10, 20, 30]]), (2, 1)).tolist()
    [[6], [60]]
    >>> unbroadcast(np.array([[1, 2, 3], [10, 20, 30]]), (3,)).tolist()
    [11, 22, 33]
    """
    front = g.ndim - len(shape)
    stretched = (axis for axis, n in enumerate(shape, front) if n == 1 != g.shape[axis])
    return g.sum(axis=(*range(front), *stretched)).reshape(shape)


def _alone() -> int:
    array = np.empty(0)
    return getrefcount(array)


ALONE = _alone()  # what Python counts where one variable has an array, and nobody else


def topological_order(tensor: Tensor) -> list[Tensor]:
    """List every tensor with a recipe that `tensor` was made from, each after all its inputs.

    The last is `tensor` itself. No tensor comes twice, however often it was used, and leaves, which
    have no recipe, do not come at all. Without recursion: a chain of 50,000 operations is ordinary,
    and Python allows a thousand calls in each other. Source: Tarjan, "Edge-disjoint spanning trees
    and depth-first search", 1976.

    >>> x = Tensor([1.0], requires_grad=True)
    >>> y = x * x
    >>> z = y + y
    >>> [t is y or t is z for t in topological_order(z)]
    [True, True]
    """
    order, seen, stack = [], set(), [tensor] if tensor._op else []
    while stack:
        entry = stack.pop()
        if entry is None:  # the mark: all that the tensor below was made from is in the list
            order.append(stack.pop())
        elif id(entry) not in seen:
            seen.add(id(entry))
            stack.append(entry)
            stack.append(None)
            for x in entry._inputs:
                if isinstance(x, Tensor) and x._op and x._requires_grad:
                    stack.append(x)
    return order


def backward(tensor: Tensor, gradient=None, retain_graph: bool = False) -> None:
    """Add the gradient of `tensor` to `.grad` of every leaf that it was made from.

    A leaf is a tensor that wants a gradient and that no operation made. `_start` gives the gradient
    to begin with. Then every tensor with a recipe, each before what it was made from, so that its
    own gradient is whole, passes it on: through the maps of its operation's rule, to the inputs
    that want one, and `_fit` to their shape and dtype. Parts are added in place where an array is
    our own: a part that nobody else has, or a sum of two; else a new array holds the sum. Unless
    `retain_graph`, a recipe that was used gives its operation for USED and its inputs for (), which
    frees memory while walking.

    Errors: those of `_start`, of the table RULES, and, where memory was changed in place since a
    recipe's moment, of `_require_unchanged`. After an error no leaf's `.grad` has changed.

    >>> x = Tensor([1.0, 2.0], requires_grad=True)
    >>> backward((x * x).sum())
    >>> x.grad
    Tensor([2., 4.])
    """
    sums = {id(tensor): _start(tensor, gradient)}  # what came so far, by the tensor's id
    own, leaves, now = set(), [] if tensor._op else [tensor], clock()
    order = topological_order(tensor)
    # The body of this loop is what a gradient costs, so it calls little, and no zip.
    while order:
        made = order.pop()
        g, rule = sums.pop(id(made)), RULES[made._op]
        inputs, kwargs, number = made._inputs, made._kwargs, 0
        if made._moment != now:
            _require_unchanged(made)
        if len(inputs) == 2 and not kwargs:  # most are so, and argument lists take twice as long
            a, b = inputs
            a, b = a.data if isinstance(a, Tensor) else a, b.data if isinstance(b, Tensor) else b
            maps = rule(made.data, a, b)
        else:
            maps = _maps(rule, made.data, inputs, kwargs)
        for x in inputs:
            if isinstance(x, Tensor) and x._requires_grad:
                part, key = maps[number](g), id(x)
                if part.shape != x.data.shape or part.dtype is not x.data.dtype:
                    part = _fit(part, x.data)
                alone = type(part) is np.ndarray and getrefcount(part) == ALONE
                mine = alone and part.base is None and part.flags.writeable
                if key in own:
                    sums[key] += part
                elif key in sums:
                    sums[key] = np.asarray(np.add(part, sums[key], out=part if mine else None))
                    own.add(key)
                else:
                    sums[key] = part
                    if mine:
                        own.add(key)
                    if not x._op:
                        leaves.append(x)
            number += 1
        if not retain_graph:
            made._op, made._inputs = USED, ()
    for leaf in leaves:
        _deposit(leaf, sums[id(leaf)], id(leaf) in own)


def _maps(rule, y, inputs, kwargs):
    """The tuple of maps of one operation: its rule, called with arrays."""
    maps = rule(y, *[x.data if isinstance(x, Tensor) else x for x in inputs], **kwargs)
    return maps if type(maps) is tuple else (maps,)


def _fit(part, array):
    """A part of a gradient in the shape and dtype of its tensor's array."""
    part = part if part.shape == array.shape else unbroadcast(part, array.shape)
    return part.astype(array.dtype, copy=False)


def _deposit(tensor, total, own):
    """Add an array to `.grad`: itself if it is our own, else a copy."""
    if tensor.grad is None:
        tensor.grad = from_numpy(total if own else np.array(total))
    else:
        tensor.grad.data += total
        note_change(tensor.grad)


def _start(tensor, gradient):
    """The gradient with which the walk begins, as an array of the tensor's shape and dtype.

    RuntimeError for a tensor that wants no gradient, or for several numbers without a gradient;
    ValueError for a gradient of another shape.
    """
    if not tensor.requires_grad:
        cure = "set requires_grad before computing, and compute outside no_grad"
        raise RuntimeError(f"backward: expected a tensor that wants a gradient, got none; {cure}")
    if gradient is None:
        if tensor.size != 1:
            cure = "reduce it first, as by sum(), or pass the gradient to begin with"
            raise RuntimeError(f"backward: expected one number, got shape {tensor.shape}; {cure}")
        return np.ones_like(tensor.data)
    gradient = gradient.data if isinstance(gradient, Tensor) else gradient
    if np.shape(gradient) != tensor.shape:
        found = f"expected a gradient of shape {tensor.shape}, got {np.shape(gradient)}"
        raise ValueError(f"backward: {found}; it has one number per number of the tensor")
    return np.asarray(gradient, tensor.dtype)


def _require_unchanged(made):
    """Refuse what was changed in place after an operation used or made it, unless it is linear."""
    recipe = made.recipe
    for x in (made, *recipe.inputs):
        if isinstance(x, Tensor) and recipe.op not in LINEAR and changed_since(x, recipe):
            raise _changed(x, recipe)


def _changed(tensor, recipe):
    """The error for a tensor that was changed in place."""
    what = f"a tensor of shape {tensor.shape} was changed in place after {recipe.op.__name__}"
    return RuntimeError(f"backward: {what}, whose rule needs its old numbers; change a clone()")


def retain_grad(tensor: Tensor) -> None:
    """Let `backward` keep the gradient of an intermediate result, as it does for leaves.

    RuntimeError for a tensor that wants no gradient.

    >>> x = Tensor([1.0, 2.0], requires_grad=True)
    >>> y = x * 3
    >>> retain_grad(y)
    >>> (y * y).sum().backward()
    >>> y.grad
    Tensor([ 6., 12.])
    """
    if not tensor.requires_grad:
        raise RuntimeError("retain_grad: expected a tensor that wants a gradient, got none")
    if tensor._op not in (None, USED, keep_array):
        inner = tensor.detach()
        inner._requires_grad = True
        inner._op, inner._inputs, inner._kwargs, inner._moment = tensor.recipe
        tensor._op, tensor._inputs = keep_array, (inner,)
        tensor._kwargs = {"keeper": weakref.ref(tensor)}


class Recording:
    """Recipes on or off in this thread, for the body of a `with` or for a decorated function."""

    on: bool

    def __new__(cls, function: Callable | None = None):
        """Return a context; or a function decorated with it, as `@no_grad` without () does."""
        context = super().__new__(cls)
        context._before = []  # a stack: one context may be entered within itself
        return context if function is None else context(function)

    def __enter__(self):
        """Switch, and remember how it was."""
        self._before.append(set_recording(self.on))

    def __exit__(self, *error):
        """Put back how it was, after an error too."""
        set_recording(self._before.pop())

    def __call__(self, function: Callable) -> Callable:
        """Decorate a function, or a generator function, whose caller records as before."""
        context = type(self)

        @functools.wraps(function)
        def call(*args, **kwargs):
            with context():
                return function(*args, **kwargs)

        @functools.wraps(function)
        def steps(*args, **kwargs):
            generator = function(*args, **kwargs)
            resume = functools.partial(next, generator)
            while True:
                try:
                    with context():
                        value = resume()
                except StopIteration as end:
                    return end.value
                try:
                    resume = functools.partial(generator.send, (yield value))
                except BaseException as error:  # thrown in by the caller, or its close()
                    resume = functools.partial(generator.throw, error)

        return steps if inspect.isgeneratorfunction(function) else call


class no_grad(Recording):
    """Leave no recipes: `with no_grad():` or `@no_grad()`; what is computed wants no gradient.

    >>> x = Tensor([1.0], requires_grad=True)
    >>> with no_grad():
    ...     y = x * 2
    >>> y.requires_grad
    False
    """

    on = False


class enable_grad(Recording):
    """Leave recipes again, within no_grad."""

    on = True


def check_grads(f: Callable, *inputs, eps: float = 1e-6, tolerance: float = 1e-6) -> None:
    """Compare the gradients of `f` with central differences (f(x + ε) - f(x - ε)) / 2ε.

    `f` takes tensors and returns a tensor of any shape. `inputs` are arrays or tensors; floats
    become float64 copies, each number of which is moved by ± eps, others are passed as they are.
    AssertionError where |gradient - difference| > tolerance · (1 + |difference|).

    >>> check_grads(lambda x, w: (x @ w).exp(), np.ones((2, 3)), np.ones(3))
    """
    tensors = [_double(x) for x in inputs]
    result = f(*tensors)
    weights = np.random.default_rng(0).uniform(0.5, 1.5, result.shape)
    backward(result, weights)
    for number, x in enumerate(tensors):
        if x.requires_grad:
            with no_grad():
                want = differences(lambda: float((f(*tensors).data * weights).sum()), x.data, eps)
            got = np.zeros_like(want) if x.grad is None else x.grad.data
            wrong = ~(np.abs(got - want) <= tolerance * (1 + np.abs(want)))
            if wrong.any():
                at = tuple(np.argwhere(wrong)[0].tolist())
                what = f"check_grads: input {number} at {at}: difference {want[at]:.8g}"
                raise AssertionError(f"{what}, gradient {got[at]:.8g}; {wrong.sum()} are wrong")


def _double(x):
    """The input as a tensor: floats as a float64 copy that wants a gradient."""
    array = x.data if isinstance(x, Tensor) else np.asarray(x)
    if array.dtype.kind == "f":
        return Tensor(array, dtype=np.float64, requires_grad=True)
    return from_numpy(array)


def differences(f: Callable[[], float], x: np.ndarray, eps: float = 1e-6) -> np.ndarray:
    """Return the slope of f() along each number of x: (f at x + eps - f at x - eps) / (2 eps).

    `f` reads the array `x`, whose numbers are moved in place, one after the other, and put back to
    the bit. Shapes: x any -> the same. Both sides, since then the error is of the size eps², and
    not eps; a much smaller eps would drown in rounding.

    >>> x = np.array([1.0, 2.0])
    >>> differences(lambda: float((x**2).sum()), x).round(6).tolist()
    [2.0, 4.0]
    """
    slopes = np.empty_like(x)
    for at in np.ndindex(x.shape):
        middle = x[at]
        x[at] = middle + eps
        above = f()
        x[at] = middle - eps
        slopes[at] = (above - f()) / (2 * eps)
        x[at] = middle
    return slopes


def same(g: np.ndarray) -> np.ndarray:
    """The map of an input that the result repeats."""
    return g


def keep_array(x: np.ndarray, keeper: weakref.ref) -> np.ndarray:
    """The array itself: what stands between a tensor and its recipe while it keeps its gradient."""
    return x


@vjp(keep_array, linear=True)
def keep_rule(y, x, keeper):
    """The gradient passes, and is added to that of the tensor."""

    def pull(g):
        _deposit(keeper(), g, own=False)
        return g

    return pull


@vjp(np.add, linear=True)
def add_rule(y, a, b):
    """y = a + b: ∂y/∂a = 1, ∂y/∂b = 1."""
    return same, same


@vjp(np.subtract, linear=True)
def subtract_rule(y, a, b):
    """y = a - b: ∂y/∂a = 1, ∂y/∂b = -1."""
    return same, np.negative


@vjp(np.negative, linear=True)
def negative_rule(y, x):
    """y = -x: ∂y/∂x = -1."""
    return np.negative


@vjp(np.multiply)
def multiply_rule(y, a, b):
    """y = a · b: ∂y/∂a = b, ∂y/∂b = a.

    >>> to_a, to_b = multiply_rule(np.array(6.0), np.array(2.0), np.array(3.0))
    >>> print(to_a(np.array(10.0)), to_b(np.array(10.0)))
    30.0 20.0
    """
    return lambda g: g * b, lambda g: g * a


@vjp(np.true_divide)
def divide_rule(y, a, b):
    """y = a / b: ∂y/∂a = 1 / b, ∂y/∂b = -a / b² = -y / b."""
    return lambda g: g / b, lambda g: -g * y / b


@vjp(pow)
def power_rule(y, a, b):
    """y = aᵇ: ∂y/∂a = b · aᵇ⁻¹, 0 where b = 0; ∂y/∂b = y · log a, 0 where a = 0 and b >= 0."""

    def exponent(g):
        zero = np.equal(a, 0) & np.greater_equal(b, 0)
        return g * y * np.log(np.where(zero, 1, a))

    return lambda g: g * (b * a ** (b - np.not_equal(b, 0))), exponent


@vjp(np.exp)
def exp_rule(y, x):
    """y = exp(x): ∂y/∂x = y."""
    return lambda g: g * y


@vjp(np.log)
def log_rule(y, x):
    """y = log(x): ∂y/∂x = 1 / x."""
    return lambda g: g / x


@vjp(np.sqrt)
def sqrt_rule(y, x):
    """y = √x: ∂y/∂x = 1 / (2 y)."""
    return lambda g: g / (2 * y)


@vjp(np.abs)
def abs_rule(y, x):
    """y = |x|: ∂y/∂x = sign(x), 0 at 0."""
    return lambda g: g * np.sign(x)


@vjp(np.clip)
def clip_rule(y, x, low, high):
    """y = min(max(x, low), high): 1 to x from low to high, both included, else to the bound."""
    low, high = -np.inf if low is None else low, np.inf if high is None else high
    over = (x > high) | np.less(high, low)  # the upper bound wins where they cross
    under = (x < low) & ~over
    return lambda g: g * ~(under | over), lambda g: g * under, lambda g: g * over


@vjp(np.maximum)
def maximum_rule(y, a, b):
    """y = max(a, b): 1 to the larger, ½ to each of equals."""
    return (
        lambda g: g * np.greater(a, b) + g / 2 * np.equal(a, b),
        lambda g: g * np.less(a, b) + g / 2 * np.equal(a, b),
    )


@vjp(np.where)
def where_rule(y, condition, a, b):
    """y = a where the condition holds, else b: the gradient goes where the number came from."""
    return None, lambda g: np.where(condition, g, 0), lambda g: np.where(condition, 0, g)


@vjp(np.matmul)
def matmul_rule(y, a, b):
    """Y = A B: Ḡ Bᵀ for A, Aᵀ Ḡ for B; a vector on the left is a row, on the right a column."""
    if b.ndim == 2:  # the rows of all batches are one long matrix
        rows, (inner, outer) = math.prod(a.shape[:-1]), b.shape
        return lambda g: g @ b.T, lambda g: a.reshape(rows, inner).T @ g.reshape(rows, outer)
    left = a if a.ndim > 1 else a[None]
    right = b if b.ndim > 1 else b[:, None]
    batch = np.broadcast_shapes(left.shape[:-2], right.shape[:-2])
    full = (*batch, left.shape[-2], right.shape[-1])
    return (
        lambda g: g.reshape(full) @ right.mT,
        lambda g: (left.mT @ g.reshape(full)).reshape(*batch, *b.shape[-2:]),
    )


def spread(g: np.ndarray, x: np.ndarray, axis: Axis, keepdims: bool) -> np.ndarray:
    """Repeat the result of a reduction of x along `axis`, or its gradient, in the shape of x.

    >>> spread(np.array([1, 2]), np.zeros((2, 3)), axis=(1,), keepdims=False).tolist()
    [[1, 1, 1], [2, 2, 2]]
    """
    if axis is not None and not keepdims:
        g = np.expand_dims(g, axis)
    return np.broadcast_to(g, x.shape)


def _count(x, axis):
    """How many numbers of x go into one result of a reduction."""
    return x.size if axis is None else math.prod(x.shape[a] for a in axis)


@vjp(np.sum, linear=True)
def sum_rule(y, x, axis, dtype, keepdims):
    """y = Σ x: ∂y/∂x = 1."""
    return lambda g: spread(g, x, axis, keepdims)


@vjp(np.mean, linear=True)
def mean_rule(y, x, axis, keepdims):
    """y = Σ x / n: ∂y/∂x = 1 / n."""
    return lambda g: spread(g / _count(x, axis), x, axis, keepdims)


@vjp(np.var)
def var_rule(y, x, axis, ddof, keepdims):
    """y = Σ (x - mean)² / (n - ddof): ∂y/∂x = 2 (x - mean) / (n - ddof)."""

    def pull(g):
        scale = 2 * g / (_count(x, axis) - ddof)
        return spread(scale, x, axis, keepdims) * (x - x.mean(axis=axis, keepdims=True))

    return pull


@vjp(np.max)
@vjp(np.min)
def extreme_rule(y, x, axis, keepdims):
    """y = max x, or min x: 1 to the largest, shared evenly among equals."""

    def pull(g):
        best = x == spread(y, x, axis, keepdims)
        count = best.sum(axis=axis, keepdims=True, dtype=x.dtype)
        return spread(g, x, axis, keepdims) * best / count

    return pull


@vjp(np.reshape, linear=True)
def reshape_rule(y, x, shape):
    """The same numbers in the old shape."""
    return lambda g: g.reshape(x.shape)


@vjp(np.transpose, linear=True)
def transpose_rule(y, x, axes):
    """Axis i of y is axis axes[i] of x: the other way round."""
    return lambda g: g.transpose([axes.index(axis) for axis in range(len(axes))])


@vjp(np.broadcast_to, linear=True)
def broadcast_rule(y, x, shape):
    """Repetition, which the engine undoes."""
    return same


@vjp(np.copy, linear=True)
def copy_rule(y, x):
    """y = x."""
    return same


@vjp(cast, linear=True)
def cast_rule(y, x, dtype):
    """y = x in another dtype; the engine gives each gradient the dtype of its tensor."""
    return same


@vjp(concatenate, linear=True)
def concatenate_rule(y, *arrays, axis):
    """Each array gets its part of the gradient."""
    sizes = [array.shape[axis] for array in arrays]
    ends = np.cumsum(sizes).tolist()
    parts = [slice(end - size, end) for end, size in zip(ends, sizes, strict=True)]
    return tuple(itemgetter((*[slice(None)] * axis, part)) for part in parts)


@vjp(getitem, linear=True)
def getitem_rule(y, x, index):
    """y = x[index]: elements taken get their gradient, those taken twice the sum, others 0."""

    def pull(g):
        scattered = np.zeros(x.shape, g.dtype)
        if any(np.ndim(i) and np.asarray(i).dtype.kind in "iu" for i in index):
            np.add.at(scattered, index, g)
        else:
            scattered[index] = g
        return scattered

    return pull, None


@vjp(activations.relu_array)
def relu_rule(y, x):
    """y = max(x, 0): 1 where x > 0, else 0."""
    return lambda g: g * (y > 0)


@vjp(activations.leaky_relu_array)
def leaky_relu_rule(y, x, negative_slope):
    """1 where x > 0, else the slope."""
    return lambda g: np.where(x > 0, g, g * negative_slope)


@vjp(activations.sigmoid_array)
def sigmoid_rule(y, x):
    """∂y/∂x = y (1 - y)."""
    return lambda g: g * y * (1 - y)


@vjp(np.tanh)
def tanh_rule(y, x):
    """∂y/∂x = 1 - y²."""
    return lambda g: g * (1 - y * y)


@vjp(activations.gelu_array)
def gelu_rule(y, x):
    """y = ½ x (1 + t), t = tanh(u), u = c (x + 0.044715 x³): ½ (1 + t) (1 + x (1 - t) u′)."""

    def write(slope, x, g):
        c, square = math.sqrt(2 / math.pi), x * x
        t = square * (0.044715 * c)
        t += c
        t *= x
        np.tanh(t, out=t)
        square *= 3 * 0.044715 * c
        square += c  # u′
        square *= x
        np.subtract(1, t, out=slope)
        slope *= square
        slope += 1
        t += 1
        slope *= t
        slope *= 0.5
        slope *= g

    return lambda g: activations.by_blocks(write, x, g)


@vjp(activations.silu_array)
def silu_rule(y, x):
    """y = x s, s = sigmoid(x): ∂y/∂x = s + x s (1 - s) = s + y (1 - s)."""

    def pull(g):
        s = activations.sigmoid_array(x)
        return g * (s + y * (1 - s))

    return pull


@vjp(activations.softmax_array)
def softmax_rule(y, x, dim):
    """∂yᵢ/∂xⱼ = yᵢ (1{i = j} - yⱼ), so the gradient is y (g - Σ g y)."""
    return lambda g: y * (g - (g * y).sum(axis=dim, keepdims=True))


@vjp(activations.log_softmax_array)
def log_softmax_rule(y, x, dim):
    """∂yᵢ/∂xⱼ = 1{i = j} - exp(yⱼ), so the gradient is g - exp(y) Σ g."""
    return lambda g: g - np.exp(y) * g.sum(axis=dim, keepdims=True)


@vjp(layers.linear_array)
def linear_rule(y, x, weight, bias):
    """Y = X Wᵀ + b: Ḡ W for X, Ḡᵀ X for W, and for b the sum of the rows of Ḡ."""
    (outputs, inputs), rows = weight.shape, math.prod(x.shape[:-1])
    return (
        lambda g: (g.reshape(rows, outputs) @ weight).reshape(x.shape),
        lambda g: g.reshape(rows, outputs).T @ x.reshape(rows, inputs),
        lambda g: np.ones(rows, g.dtype) @ g.reshape(rows, outputs),  # faster than their sum
    )


def _shares(g, own, weight, reduction):
    """The gradient of the loss of each sample that counts, before its weight (see `collect`)."""
    if reduction == "none":
        return g[own[:1] + own[2:]]
    if reduction == "mean":
        count = len(own[0]) if weight is None else weight[own[1]].sum()
        return g / count if count else g * np.nan
    return g


@vjp(losses.nll_loss_array)
def nll_loss_rule(y, log_p, target, weight, ignore_index, reduction):
    """lᵢ = -w[tᵢ] log_p[i, tᵢ]: -w[tᵢ] at the label's class, else 0."""

    def pull(g):
        own = losses.own_class(target, ignore_index)
        scattered = np.zeros_like(log_p)
        scale = _shares(g, own, weight, reduction)
        scattered[own] = -scale if weight is None else -scale * weight[own[1]]
        return scattered

    return pull, None


@vjp(losses.cross_entropy_array)
def cross_entropy_rule(y, x, target, weight, ignore_index, reduction, label_smoothing):
    """p = softmax(xᵢ): (1 - ε) w[tᵢ] (p_c - 1{c = tᵢ}) + ε / C · (p_c Σ_k w[k] - w[c])."""

    def pull(g):
        own = losses.own_class(target, ignore_index)
        counts = own[:1] + own[2:]
        slope = activations.softmax_array(x, 1)
        if weight is None and not label_smoothing:
            slope[own] -= 1
        else:
            weights = np.ones(x.shape[1], x.dtype) if weight is None else weight
            others = label_smoothing / len(weights) * weights
            label = (1 - label_smoothing) * weights[own[1]]
            total = np.full(target.shape, others.sum(), x.dtype)
            total[counts] += label
            slope *= total[:, None]
            slope[own] -= label
            slope -= others.reshape(-1, *[1] * (x.ndim - 2))
        scale = np.zeros(target.shape, x.dtype)
        scale[counts] = _shares(g, own, weight, reduction)
        return slope * scale[:, None]

    return pull, None


@vjp(losses.binary_cross_entropy_array)
def binary_cross_entropy_rule(y, p, target):
    """∂l/∂p = (p - t) / (p (1 - p)), no divisor below 1e-12; ∂l/∂t = log(1 - p) - log p."""

    def truth(g):
        with np.errstate(divide="ignore"):
            return g * (np.maximum(np.log1p(-p), -100) - np.maximum(np.log(p), -100))

    return lambda g: g * (p - target) / np.maximum(p * (1 - p), 1e-12), truth


@vjp(losses.binary_cross_entropy_with_logits_array)
def binary_cross_entropy_with_logits_rule(y, x, target, pos_weight):
    """∂l/∂x = (1 - t) - (1 + (q - 1) t) sigmoid(-x); ∂l/∂t = (q - 1) log(1 + exp(-x)) - x."""
    q = 1 if pos_weight is None else pos_weight

    def truth(g):  # not by the logarithm of a sigmoid, which is -∞ far to the left
        return g * ((q - 1) * (np.log1p(np.exp(-np.abs(x))) + np.maximum(-x, 0)) - x)

    return (
        lambda g: g * (1 - target - (1 + (q - 1) * target) * activations.sigmoid_array(-x)),
        truth,
    )
