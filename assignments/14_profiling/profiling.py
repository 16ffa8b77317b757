"""Profiling: what a model computes, moves, keeps and waits for, read while it runs.

`with Profiler() as profile:` watches the two seams that every operation and every layer pass
through, `set_runner` of module 01 and `set_caller` of module 03; outside of it nothing is slower.
Then one can ask for rows (`by_operation`, `by_layer`), the memory (`peak`, `timeline`), a `table`,
JSON, a trace for a browser's viewer (`chrome_trace`), and a picture of what the machine allows
(`Machine`, `roofline`). `flops` teaches an operation what it costs.

Rules of `backward` (06) run on plain arrays and pass through no seam: a `region` around it tells
its time, and the memory of what it frees is seen; its operations, and gradients, are not.
"""

from __future__ import annotations

import json
import math
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from operator import getitem, pow
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tinytorch import activations, attention, convolutions, embeddings, layers, losses, transformers
from tinytorch.layers import Module, set_caller
from tinytorch.tensor import cast, concatenate, set_runner

__all__ = [
    "Machine",
    "Memory",
    "Operation",
    "Profiler",
    "Row",
    "chrome_trace",
    "count_flops",
    "flops",
    "layer_by_layer",
    "measure_machine",
    "roofline",
    "summarize",
]

COUNTERS = {}
_lock = threading.Lock()  # a profiler of one thread may come while that of another goes


def flops(*ops: Callable) -> Callable:
    """Make the function below count the FLOPs of the operations, as `vjp` makes it their rule.

    `counter(y, *inputs, **kwargs)` gets the arrays of `y = op(*inputs, **kwargs)` and returns an
    int. One FLOP is one addition, multiplication, division, comparison, root, or elementary
    function of one number; a multiplication and the addition of its product are two. Moving numbers
    is none.

    >>> @flops(np.cbrt)
    ... def cbrt_flops(y, x):
    ...     return y.size
    """

    def register(counter):
        COUNTERS.update(dict.fromkeys(ops, counter))
        return counter

    return register


def count_flops(op: Callable, y: np.ndarray, inputs: list, kwargs: dict) -> int | None:
    """Return the FLOPs of one call: by its counter, else of a ufunc one per result, else None."""
    counter = COUNTERS.get(op)
    if counter is not None:
        return int(counter(y, *inputs, **kwargs))
    return y.size if isinstance(op, np.ufunc) else None


@flops(np.matmul)
def matmul_flops(y: np.ndarray, a: np.ndarray, b: np.ndarray) -> int:
    """Count K multiplications and K additions for each number of y, K being the inner size.

    (..., M, K) @ (..., K, N) -> 2 · y.size · K, which is 2·M·K·N for two matrices; a vector has no
    M or no N.

    >>> a, b = np.ones((5, 2, 3)), np.ones((3, 4))
    >>> matmul_flops(a @ b, a, b)
    240
    """
    raise NotImplementedError("14_profiling: matmul_flops")


@flops(layers.linear_array)
def linear_flops(y: np.ndarray, x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None) -> int:
    """Count x Wᵀ + b: 2 · in for each number of y, and one more if there is a bias.

    >>> x, weight, bias = np.ones((5, 3)), np.ones((4, 3)), np.ones(4)
    >>> linear_flops(x @ weight.T, x, weight, None), linear_flops(x @ weight.T, x, weight, bias)
    (120, 140)
    """
    raise NotImplementedError("14_profiling: linear_flops")


@flops(convolutions.conv2d_array, convolutions.few_channels_array)
def conv2d_flops(y, x, weight, bias, stride, padding, dilation, groups) -> int:
    """Count, for each number of y, 2 · C / groups · KH · KW, and one more if there is a bias.

    x (N, C, H, W), weight (out, C / groups, KH, KW) -> y (N, out, OH, OW). Products with the zeros
    of the padding count: they are computed.

    >>> x, weight, y = np.ones((1, 4, 5, 5)), np.ones((6, 2, 3, 3)), np.ones((1, 6, 3, 3))
    >>> conv2d_flops(y, x, weight, None, (1, 1), (0, 0), (1, 1), groups=2)
    1944
    """
    raise NotImplementedError("14_profiling: conv2d_flops")


@flops(attention.attention_array)
def attention_flops(y, q, k, v, bias=None, is_causal: bool = False, **kwargs) -> int:
    """Count softmax(Q Kᵀ / √E + bias) V over the pairs of a query and a key that take part.

    q (..., L, E), k (..., S, E), v (..., S, D) -> y (..., L, D). For each pair: 2 · E for the
    score, 5 for the softmax, 2 · D for the value, and one more if there is a bias; for each number
    of q one, its product with 1 / √E. All L · S pairs take part; if causal, those of query i with
    keys 0 … i alone, whatever an implementation computes beside them.

    >>> q, k, v = np.ones((2, 3)), np.ones((4, 3)), np.ones((4, 5))
    >>> attention_flops(q @ k.T @ v, q, k, v)
    174
    >>> attention_flops(q @ k.T @ v, q, k, v, is_causal=True)
    69
    """
    raise NotImplementedError("14_profiling: attention_flops")


@flops(np.sum, np.max, np.min, np.argmax)
def reduction_flops(y: np.ndarray, x: np.ndarray, axis=None, **kwargs) -> int:
    """Count what makes one number of n: n - 1 additions, or comparisons, for each number of y.

    >>> x = np.ones((2, 5))
    >>> reduction_flops(x.sum(axis=1), x, axis=1)
    8
    """
    raise NotImplementedError("14_profiling: reduction_flops")


@flops(np.mean)
def mean_flops(y: np.ndarray, x: np.ndarray, axis=None, keepdims: bool = False) -> int:
    """Count n - 1 additions and a division for each number of y."""
    return x.size


@flops(np.var)
def var_flops(y: np.ndarray, x: np.ndarray, axis=None, ddof: int = 0, keepdims=False) -> int:
    """Count mean, differences, their squares, and the mean of those: 4 n for each number of y."""
    return 4 * x.size


@flops(convolutions.max_pool2d_array)
def max_pool2d_flops(y, x, kernel_size, stride, padding) -> int:
    """Count the comparisons of a window, for each number of y."""
    return y.size * (math.prod(kernel_size) - 1)


@flops(convolutions.avg_pool2d_array)
def avg_pool2d_flops(y, x, kernel_size, stride, padding) -> int:
    """Count the additions of a window and a division, for each number of y."""
    return y.size * math.prod(kernel_size)


@flops(convolutions.adaptive_avg_pool2d_array)
def adaptive_avg_pool2d_flops(y, x, output_size) -> int:
    """Count the additions of a region and a division, for each; regions may overlap."""
    seen = (
        sum(-(-(i + 1) * size // places) - i * size // places for i in range(places))
        for size, places in zip(x.shape[2:], output_size, strict=True)
    )
    return math.prod(x.shape[:2]) * math.prod(seen)


@flops(convolutions.batch_norm_array)
def batch_norm_flops(y, x, weight, bias, mean, var, eps, training) -> int:
    """Count a product and a sum for each number, and what makes their factors for each channel.

    Per channel: var + eps, its root, one by it, times weight; times mean, from bias.
    """
    return 2 * x.size + mean.size * (4 + (weight is not None) + (bias is not None))


@flops(attention.packed_attention_array)
def packed_attention_flops(y, heads, bias=None, is_causal: bool = False, **kwargs) -> int:
    """Count `attention_flops` of the three thirds."""
    return attention_flops(y, *attention.thirds(heads), bias, is_causal)


@flops(transformers.layer_norm_array)
def layer_norm_flops(y, x, weight, bias, eps) -> int:
    """Count four for each number as in `var`, the product with 1 / √(var + eps), weight and bias.

    And three for each row: what makes that factor.
    """
    return x.size * (6 + (bias is not None)) + 3 * (x.size // max(weight.size, 1))


@flops(transformers.rms_norm_array)
def rms_norm_flops(y, x, weight, eps) -> int:
    """Count square, sum, quotient and weight for each number, and √(mean + eps) for each row."""
    return 4 * x.size + 2 * (x.size // max(weight.size, 1))


def per_number(cost: int) -> Callable:
    """Return a counter of operations that cost so much for each number of their result."""
    return lambda y, *inputs, **kwargs: cost * y.size


def per_input(cost: int) -> Callable:
    """Return a counter of operations that cost so much for each number of their first input."""
    return lambda y, x, *inputs, **kwargs: cost * x.size


moves = (np.reshape, np.transpose, np.broadcast_to, np.copy, cast, concatenate, getitem, np.where)
moves += (embeddings.embedding_array, convolutions.side_by_side, transformers.by_columns)
flops(*moves)(per_number(0))
flops(pow, activations.relu_array)(per_number(1))
flops(np.clip, activations.leaky_relu_array)(per_number(2))  # two comparisons; one and a product
flops(activations.sigmoid_array)(per_number(4))  # 1 / (1 + exp(-x))
flops(activations.gelu_array)(per_number(8))  # ½ x (1 + tanh(x (c + d x²)))
flops(activations.silu_array)(per_number(5))  # x · sigmoid(x)
# Of n numbers: the largest, n differences, n exp, their sum; then n quotients, or n differences.
flops(activations.softmax_array, activations.log_softmax_array)(per_number(5))
flops(embeddings.rotate_array)(per_number(3))  # of two products each, one sum
flops(convolutions.channel_moments)(per_input(4))  # as var
flops(losses.nll_loss_array)(lambda y, x, target, **kwargs: 2 * target.size)
flops(losses.cross_entropy_array)(
    lambda y, x, target, **kwargs: 5 * x.size + 2 * target.size
)  # log-softmax, then each label's own, negated, into a mean
flops(losses.binary_cross_entropy_array)(per_input(8))  # -(t log p + (1 - t) log(1 - p))
flops(losses.binary_cross_entropy_with_logits_array)(per_input(9))


GATHERS = {getitem, embeddings.embedding_array}  # they read of their input no more than they return


def moved_bytes(op: Callable, y: np.ndarray, inputs: list) -> tuple[int, int]:
    """Return the bytes an operation reads, each array once, and those it writes; a view is free.

    >>> x = np.ones((2, 3), np.float32)
    >>> moved_bytes(np.multiply, x * x, [x, x]), moved_bytes(np.transpose, x.T, [x])
    ((24, 24), (0, 0))
    """
    raise NotImplementedError("14_profiling: moved_bytes")


def shows(y: np.ndarray, inputs: list) -> bool:
    """Is the array a view of one of the inputs' memory?"""
    return any(isinstance(x, np.ndarray) and owner(x) is owner(y) for x in inputs)


def owner(array: np.ndarray) -> np.ndarray:
    """Return the array whose memory this one shows: itself unless it is a view."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


class Memory:
    """The bytes of the arrays that operations made, from birth to death."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter):
        """Begin with none."""
        self.clock = clock
        self.changes = []  # (moment, bytes), below 0 when freed; appending needs no lock
        self._alive = {}  # weak references by the id of an owner; without them nothing is called
        self._closed = []  # what was alive at `close`: weak references that call nothing, and bytes

    def track(self, array: np.ndarray) -> int:
        """Note that an array's memory is there, and, when it is freed, that it is not any more.

        What holds memory is the array's `owner`, and counts with its own `nbytes`: return them, or
        0 where the owner is known, as views of it and the array itself must not count again.
        `changes` gets (moment by the clock, bytes) now, and (moment, -bytes) when the owner dies: a
        `weakref.ref` calls its second argument then, as long as somebody keeps the reference, here
        `_alive` by the owner's id. It forgets it then, since an id may be used again. Nothing here
        may keep the array itself alive.

        >>> memory, array = Memory(clock=lambda: 0.0), np.ones((2, 3), np.float32)
        >>> memory.track(array), memory.track(array.T)
        (24, 0)
        >>> del array
        >>> memory.changes
        [(0.0, 24), (0.0, -24)]
        """
        raise NotImplementedError("14_profiling: Memory.track")

    def close(self) -> None:
        """Watch no longer, until `reopen`."""
        wholes = [reference() for reference in list(self._alive.values())]
        self._alive.clear()
        self._closed += [(weakref.ref(one), one.nbytes) for one in wholes if one is not None]

    def reopen(self) -> None:
        """Go on after `close`: what was freed in between goes now, what is still there is tracked.

        >>> memory, one, two = Memory(clock=lambda: 0.0), np.ones(2), np.ones(3)
        >>> _ = memory.track(one), memory.track(two), memory.close()
        >>> del two
        >>> memory.reopen(), memory.timeline()[-1]
        (None, (0.0, 16))
        """
        closed, self._closed = self._closed, []
        for reference, size in closed:
            self.changes.append((self.clock(), -size))
            if (whole := reference()) is not None:
                self.track(whole)

    def timeline(self) -> list[tuple[float, int]]:
        """Return the live bytes after each change: (moment, bytes).

        >>> memory = Memory()
        >>> memory.changes = [(0.0, 24), (1.0, 8), (2.0, -24)]
        >>> memory.timeline()
        [(0.0, 24), (1.0, 32), (2.0, 8)]
        """
        raise NotImplementedError("14_profiling: Memory.timeline")

    def peak(self) -> int:
        """Return the most bytes that were alive at once."""
        return max((live for _, live in self.timeline()), default=0)


class Operation(NamedTuple):
    """One call of an operation."""

    name: str
    layers: tuple[str, ...]  # whose forward was running, the outermost first
    start: float
    seconds: float
    flops: int | None  # None: it has no counter
    read: int
    written: int
    allocated: int
    changes: int  # how many changes of the memory there were when it was done
    thread: int


class Span(NamedTuple):
    """One call of a layer, or a region of the caller's own."""

    name: str
    kind: str  # "layer" or "region"
    start: float
    seconds: float
    thread: int


class Row(NamedTuple):
    """What operations of one name, or those within one layer, come to."""

    name: str
    calls: int
    flops: int
    moved: int  # bytes read and written
    allocated: int  # bytes of new arrays
    peak: int  # the most bytes alive when one of them was done
    seconds: float

    @property
    def intensity(self) -> float:
        """FLOPs per byte moved."""
        return self.flops / self.moved if self.moved else 0.0


def summarize(name: str, operations: list[Operation], live: list[int], calls: int) -> Row:
    """Add operations up to a row.

    `live[i]` are the bytes alive after change i of the memory, and operation o was done after
    change `o.changes - 1`; before the first change nothing was alive. An operation without counter
    adds no FLOPs. What is moved is what is read and written.

    >>> one = Operation("add", (), 0.0, 0.5, 6, 48, 24, 24, 1, 0)
    >>> summarize("add", [one, one._replace(changes=2)], [24, 32], calls=2)
    Row(name='add', calls=2, flops=12, moved=144, allocated=48, peak=32, seconds=1.0)
    """
    raise NotImplementedError("14_profiling: summarize")


_here = threading.local()


@contextmanager
def layer_by_layer() -> Iterator[None]:
    """Let each layer that is called in this thread run by itself, until the end of the block.

    For who must see all of them: nobody runs two as one meanwhile, as module 17 does.
    """
    before, _here.apart = is_layer_by_layer(), True
    try:
        yield
    finally:
        _here.apart = before


def is_layer_by_layer() -> bool:
    """Tell whether this thread is inside of `layer_by_layer`."""
    return getattr(_here, "apart", False)


class Profiler:
    """A context that records every operation and every layer, of all threads, while it is open.

    Profilers may be open within each other, and see the same. One that is opened again goes on.

    >>> with Profiler() as profile:
    ...     y = layers.Linear(3, 4)(layers.Tensor([[1.0, 2.0, 3.0]]))
    >>> profile.flops, profile.peak, [row.name for row in profile.by_layer()]
    (28, 16, ['Linear'])
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter):
        """Read the seconds from a clock: another one for tests, or for CPU time."""
        self.clock = clock
        self.memory = Memory(clock)
        self.operations, self.spans, self.seconds = [], [], 0.0
        self._names, self._calls, self._local = {}, {}, threading.local()
        self._opened, self._below = None, [None, None]  # who was in the seams before

    def __enter__(self) -> Profiler:
        """Put `run` and `call` into the seams, and keep in `_below` who was there; note the moment.

        The memory is reopened first: it was closed if this is not the first time. RuntimeError if
        the profiler is open.
        """
        raise NotImplementedError("14_profiling: Profiler.__enter__")

    def __exit__(self, *error) -> None:
        """Put back who was there, after an error too; close the memory and add the seconds up."""
        raise NotImplementedError("14_profiling: Profiler.__exit__")

    def _leave(self, seam, own, number):
        """Take this profiler out of a seam, also where one of another thread came after it."""
        top = seam(self._below[number])
        if top == own:
            return
        seam(top)
        above = getattr(top, "__self__", None)
        while isinstance(above, Profiler) and above._below[number] != own:
            above = getattr(above._below[number], "__self__", None)
        if not isinstance(above, Profiler):
            raise RuntimeError("Profiler: something else is in its place: leave that first")
        above._below[number] = self._below[number]

    def run(self, op: Callable, arrays: list, kwargs: dict) -> np.ndarray:
        """Compute an operation and record it: what `apply` calls while the profiler is open.

        `_compute(op, arrays, kwargs)` is the operation. Its seconds are those between two readings
        of the clock, the one right before and the other right after it. Then come the costs, which
        are not in these seconds: `count_flops`, `moved_bytes`, and `_allocated`, after which the
        changes of the memory are counted. What is returned is an array, also where NumPy answers a
        scalar: the one that was measured. The Operation, named by `op_name`, goes to `operations`,
        with the layers of `_stack()` and the thread. One that fails leaves nothing.

        >>> profile = Profiler(clock=iter(range(9)).__next__)
        >>> y = profile.run(np.add, [np.ones(2), np.ones(2)], {})
        >>> profile.operations[0][:9]
        ('add', (), 0, 1, 2, 32, 16, 16, 1)
        """
        raise NotImplementedError("14_profiling: Profiler.run")

    def _allocated(self, y, arrays, kwargs):
        """Track what is new: the result unless it is a view, and what is kept in dicts (12)."""
        dicts = (value for value in kwargs.values() if isinstance(value, dict))
        new = [kept for one in dicts for kept in one.values() if isinstance(kept, np.ndarray)]
        return sum(map(self.memory.track, new if shows(y, arrays) else [y, *new]))

    def call(self, module: Module, inputs: tuple, kwargs: dict):
        """Call a layer and record it: what `Module.__call__` calls while the profiler is open.

        `_forward(module, inputs, kwargs)` is the layer. While it runs, its `_name` is the last on
        `_stack()`, which belongs to this thread; it is taken off again after an error too. A Span
        of kind "layer", with the seconds from before to after, goes to `spans`.

        >>> profile = Profiler(clock=iter(range(9)).__next__)
        >>> profile.call(layers.Identity(), (7,), {})
        7
        >>> profile.spans[0][:4], profile._stack()
        (('Identity', 'layer', 0, 1), [])
        """
        raise NotImplementedError("14_profiling: Profiler.call")

    @contextmanager
    def region(self, name: str) -> Iterator[None]:
        """Record the time of a `with` block, such as one around `backward`."""
        start = self.clock()
        try:
            yield
        finally:
            self._span(name, "region", start)

    def _span(self, name, kind, start):
        seconds, thread = self.clock() - start, threading.get_ident()
        self.spans.append(Span(name, kind, start, seconds, thread))

    def _compute(self, op, arrays, kwargs):
        below = self._below[0]
        return op(*arrays, **kwargs) if below is None else below(op, arrays, kwargs)

    def _forward(self, module, inputs, kwargs):
        below = self._below[1]
        if below is None:
            return module.forward(*inputs, **kwargs)
        return below(module, inputs, kwargs)

    def _stack(self) -> list[str]:
        """The names of the layers that are running in this thread."""
        if not hasattr(self._local, "stack"):
            self._local.stack = []
        return self._local.stack

    def _name(self, module: Module) -> str:
        """A layer's name: that in the model which was called first, such as "Sequential.0"."""
        if module not in self._names:
            kind = type(module).__name__
            self._calls[kind] = number = self._calls.get(kind, 0) + 1
            root = kind if number == 1 else f"{kind} {number}"
            for path, child in module.named_modules():
                self._names.setdefault(child, f"{root}.{path}" if path else root)
        return self._names[module]

    @property
    def flops(self) -> int:
        """FLOPs of all operations that have a counter."""
        return sum(o.flops or 0 for o in self.operations)

    @property
    def uncounted(self) -> list[str]:
        """The operations that have no counter."""
        return sorted({o.name for o in self.operations if o.flops is None})

    @property
    def peak(self) -> int:
        """The most bytes, of arrays that operations made, that were alive at once."""
        return self.memory.peak()

    @property
    def live(self) -> int:
        """The bytes that were alive at the end, or are now."""
        return sum(size for _, size in self.memory.changes)

    def by_operation(self) -> list[Row]:
        """Return a row for each operation, the slowest first."""
        groups = {}
        for one in self.operations:
            groups.setdefault(one.name, []).append(one)
        live = [size for _, size in self.memory.timeline()]
        rows = [summarize(name, group, live, len(group)) for name, group in groups.items()]
        return sorted(rows, key=lambda row: -row.seconds)

    def by_layer(self) -> list[Row]:
        """Return a row for each layer that was called, with all that ran within it, in order.

        A layer comes in the order of its first call, so before those inside it. `calls` counts its
        calls. Its operations are those with its name among their `layers`, even if that is there
        more than once: they count once.

        >>> model = layers.Sequential(layers.Linear(3, 4), layers.Linear(4, 2))
        >>> with Profiler() as profile:
        ...     y = model(layers.Tensor([[1.0, 2.0, 3.0]]))
        >>> [(row.name, row.flops) for row in profile.by_layer()]
        [('Sequential', 46), ('Sequential.0', 28), ('Sequential.1', 18)]
        """
        raise NotImplementedError("14_profiling: Profiler.by_layer")

    def table(self, rows: list[Row] | None = None) -> str:
        """Return rows, those of the operations unless others are given, as text in columns."""
        rows = self.by_operation() if rows is None else rows
        cells = [("", "calls", "FLOP", "moved", "allocated", "peak", "FLOP/B", "time")]
        for row in rows:
            sizes = [si(n, "B") for n in (row.moved, row.allocated, row.peak)]
            intensity, seconds = f"{row.intensity:.2f}", f"{row.seconds * 1e6:,.0f} µs"
            cells.append((row.name, str(row.calls), si(row.flops), *sizes, intensity, seconds))
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = [
            "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]).rstrip()
            for line in cells
        ]
        return "\n".join(lines)

    def to_dict(self) -> dict:
        """Return all of it in numbers, strings, lists and dicts."""
        rows = {"operations": self.by_operation(), "layers": self.by_layer()}
        return {
            "schema": "tinytorch-profile/1",
            "seconds": self.seconds,
            "flops": self.flops,
            "peak_bytes": self.peak,
            "live_bytes": self.live,
            "uncounted": self.uncounted,
            **{name: [row._asdict() for row in group] for name, group in rows.items()},
            "regions": [span._asdict() for span in self.spans if span.kind == "region"],
        }

    def save(self, path: str | Path) -> None:
        """Write `to_dict` as JSON; to a name that ends in .trace.json, `chrome_trace`."""
        what = chrome_trace(self) if str(path).endswith(".trace.json") else self.to_dict()
        Path(path).write_text(json.dumps(what), encoding="utf-8")


def _outermost_first(span):
    return span.start, -span.seconds


def op_name(op: Callable) -> str:
    """Return the name under which an operation is shown: `relu` for relu_array."""
    return getattr(op, "__name__", type(op).__name__).removesuffix("_array")


def si(number: float, unit: str = "") -> str:
    """Return a number with a prefix: 1500 -> "1.5 k"."""
    if not number:
        return f"0 {unit}".rstrip()
    number = float(f"{number:.3g}")  # first, as 999,600 is 1 M
    power = min(max(math.floor(math.log10(abs(number)) / 3 + 1e-9), -3), 4)
    return f"{number / 1000**power:.3g} {'nµm kMGT'[power + 3].strip()}{unit}".rstrip()


def chrome_trace(profile: Profiler) -> dict:
    """Return the profile in the Trace Event Format, which a browser's trace viewer opens.

    {"traceEvents": [...], "displayTimeUnit": "ms"}. Each span and each operation is a complete
    event: "name"; "cat": "layer", "region" or "operation"; "ph": "X"; "ts" and "dur", start and
    duration in microseconds, the earliest event of all beginning at 0; "pid": 1; "tid": the thread,
    numbered from 1 in the order of first appearance. An operation has "args" with its flops, read,
    written and allocated; spans have {}. Each moment of the memory's timeline is a counter event:
    "name": "memory", "ph": "C", "ts", "pid": 1, "args": {"live": bytes}. They come in the order of
    ts, and what contains comes before what it contains.
    Source: "Trace Event Format", the Catapult project, 2016.

    >>> profile = Profiler()
    >>> profile.spans.append(Span("forward", "region", 2.0, 0.5, thread=77))
    >>> for event in chrome_trace(profile)["traceEvents"]:
    ...     print(event["name"], event["ph"], event["ts"], event["dur"], event["tid"])
    forward X 0.0 500000.0 1
    """
    raise NotImplementedError("14_profiling: chrome_trace")


class Machine(NamedTuple):
    """What a computer can do at most."""

    flops_per_second: float
    bytes_per_second: float

    @property
    def ridge(self) -> float:
        """The intensity, in FLOPs per byte, from which arithmetic is the limit, and not memory."""
        return self.flops_per_second / self.bytes_per_second

    def attainable(self, intensity: float) -> float:
        """Return the FLOPs per second that an operation of this intensity can reach at most.

        Bytes come at their rate and bring `intensity` FLOPs each; arithmetic has its own limit.
        ValueError for an intensity below 0. Source: Williams, Waterman and Patterson, "Roofline: an
        insightful visual performance model for multicore architectures", 2009.

        >>> laptop = Machine(flops_per_second=100e9, bytes_per_second=10e9)
        >>> laptop.attainable(0.5), laptop.attainable(40), laptop.ridge
        (5000000000.0, 100000000000.0, 10.0)
        """
        raise NotImplementedError("14_profiling: Machine.attainable")


def measure_machine(size: int = 1024, repeat: int = 5, clock=time.perf_counter) -> Machine:
    """Return what this computer reached at best: in products of matrices, and in copying.

    Where the clock is so coarse that it has not moved yet, the work goes on until it has, up to a
    thousand times; RuntimeError if it stands still even then.
    """
    a, b = np.ones((2, size, size), np.float32)
    source, target = np.ones((2, 16 * size * size), np.float32)

    def fastest(work):
        seconds = []
        for _ in range(repeat):
            start, passed, times = clock(), 0, 0
            while not passed > 0:
                if times == 1000:
                    raise RuntimeError(f"measure_machine: the clock stands still, at {start}")
                work()
                passed, times = clock() - start, times + 1
            seconds.append(passed / times)
        return min(seconds)

    product, copy = fastest(lambda: a @ b), fastest(lambda: np.copyto(target, source))
    return Machine(2 * size**3 / product, 2 * source.nbytes / copy)


def roofline(rows: list[Row], machine: Machine, width: int = 640, height: int = 400) -> str:
    """Return an SVG: the machine's roof, and below it each row, on logarithmic axes.

    A row that computes nothing, moves nothing, or was too short for the clock has no place there.
    """
    rows = [row for row in rows if row.flops and row.moved and row.seconds > 0]
    points = [(row.name, row.intensity, row.flops / row.seconds) for row in rows]
    xs = [machine.ridge, *(x for _, x, _ in points)]
    left, right = (math.floor(math.log10(min(xs))) - 1, math.ceil(math.log10(max(xs))) + 1)
    top = math.ceil(math.log10(machine.flops_per_second) + 0.1)
    bottom = math.floor(math.log10(min([machine.attainable(10**left), *(y for *_, y in points)])))

    def at(x, y):
        across = (math.log10(x) - left) / (right - left)
        up = (math.log10(y) - bottom) / (top - bottom)
        return f"{60 + across * (width - 80):.1f}", f"{height - 40 - up * (height - 60):.1f}"

    roof = [at(x, machine.attainable(x)) for x in (10**left, machine.ridge, 10**right)]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="#fff"/>',
        f'<polyline fill="none" stroke="#0072B2" points="{" ".join(map(",".join, roof))}"/>',
        f'<text x="{width / 2}" y="{height - 6}" text-anchor="middle">FLOP per byte moved</text>',
    ]
    for power in range(left, right + 1):
        x, y = at(10.0**power, 10.0**bottom)
        parts.append(
            f'<text x="{x}" y="{float(y) + 16}" text-anchor="middle">{10.0**power:g}</text>'
        )
    for power in range(bottom, top + 1):
        _, y = at(10.0**left, 10.0**power)
        parts.append(f'<text x="52" y="{y}" text-anchor="end">{si(10.0**power)}</text>')
    for name, x, y in points:
        (cx, cy), safe = at(x, y), name.replace("&", "&amp;").replace("<", "&lt;")
        parts.append(f'<circle cx="{cx}" cy="{cy}" r="4" fill="#D55E00"/>')
        parts.append(f'<text x="{float(cx) + 7}" y="{float(cy) + 4}">{safe}</text>')
    return "\n".join([*parts, "</svg>"])
