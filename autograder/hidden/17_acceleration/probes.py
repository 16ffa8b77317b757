"""What the checks of 17_acceleration ask of a framework; each function travels alone."""

import numpy as np

import tinytorch as tt


def blocked(a, b, size):
    """The product, and whether no block was larger than it may be."""
    seen, products = [0], {np.matmul, np.dot, np.einsum, np.inner, np.tensordot}

    def bare(x):
        return np.asarray(x) if isinstance(x, Noted) else x

    class Noted(np.ndarray):
        def __array_ufunc__(self, ufunc, method, *inputs, out=(), **kwargs):
            if out:
                kwargs["out"] = tuple(map(bare, out))
            found = self.noted(getattr(ufunc, method), ufunc, inputs, kwargs)
            return out[0] if out else found

        def __array_function__(self, function, types, inputs, kwargs):
            if function not in products:
                return super().__array_function__(function, types, inputs, kwargs)
            return self.noted(function, function, inputs, kwargs)

        def dot(self, other, *rest):
            return self.noted(np.dot, np.dot, (self, other), {})

        def noted(self, work, name, inputs, kwargs):
            if name in products:
                seen.extend(n for x in inputs if isinstance(x, np.ndarray) for n in x.shape)
            return work(*map(bare, inputs), **{key: bare(x) for key, x in kwargs.items()})

    c = tt.acceleration.matmul_blocked(a.view(Noted), b.view(Noted), size)
    return [np.asarray(c), max(seen) <= size, a, b]


def shifted(x, weight, bias, stride, padding, dilation, groups):
    """A convolution without columns, and what was given."""

    def refused(*args):
        raise AssertionError("columns were made")

    given, tt.convolutions.column_blocks = tt.convolutions.column_blocks, refused
    try:
        how = (tuple(stride), tuple(padding), tuple(dilation), groups)
        y = tt.acceleration.conv2d_shifted(x, weight, bias, *how)
    finally:
        tt.convolutions.column_blocks = given
    return [y, y.transpose(0, 2, 3, 1).flags.c_contiguous, x, weight]


def shifted_in_place(x, weight):
    """Whether a convolution holds less than a third of its columns, KH · KW copies of the image."""
    import tracemalloc

    tracemalloc.start()
    tt.acceleration.conv2d_shifted(x, weight, None, (1, 1), (3, 3), (1, 1), 1)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most < x.nbytes * weight[0, 0].size / 3


def bent(h, budget):
    """Gelu and its slope, and gelu alone, in the memory that was given; is one tanh enough?"""
    tt.acceleration.CACHE_BYTES, given = budget, tt.acceleration.CACHE_BYTES
    tanh, count = np.tanh, [0]

    def counted(x, *args, **kwargs):
        count[0] += np.size(x)
        return tanh(x, *args, **kwargs)

    np.tanh = counted
    try:
        both, alone, slope = h.copy(), h.copy(), np.full_like(h, np.nan)
        returned = [
            tt.acceleration.gelu_and_slope(both, slope),
            tt.acceleration.gelu_and_slope(alone, None),
        ]
    finally:
        tt.acceleration.CACHE_BYTES, np.tanh = given, tanh
    return [both, slope, alone, returned, count[0] <= 2 * h.size]


def bent_in_blocks(h, times):
    """Whether many rows are bent with less beside them than one copy of them."""
    import tracemalloc

    h = np.tile(h, (times, 1))
    slope, less = np.empty_like(h), []
    for wanted in (slope, None):
        tracemalloc.start()
        tt.acceleration.gelu_and_slope(h, wanted)
        less.append(tracemalloc.get_traced_memory()[1] < 0.9 * h.nbytes)
        tracemalloc.stop()
    return less


def fused(x, weight, bias, budget):
    """A layer with its bend, which is this probe's own; what is kept; and the blocks."""
    most, names = [0], ("gelu_and_slope", "PRODUCT_BYTES")
    given = [getattr(tt.acceleration, name) for name in names]

    def bend(h, slope):
        most.append(h.nbytes)
        if slope is not None:
            slope[...] = 3 * h
        h *= h

    tt.acceleration.gelu_and_slope, tt.acceleration.PRODUCT_BYTES = bend, budget
    try:
        kept = []
        y = tt.acceleration.linear_gelu_array(x, weight, bias, kept)
        alone = tt.acceleration.linear_gelu_array(x, weight, bias, None)
    finally:
        for name, value in zip(names, given, strict=True):
            setattr(tt.acceleration, name, value)
    return [y, kept, alone, max(most) <= budget, x]


def lost(x, target, ignore_index, budget):
    """The loss by each reduction, the slope, and what was given."""
    given, tt.acceleration.CACHE_BYTES = tt.acceleration.CACHE_BYTES, budget
    loss, found = tt.acceleration.loss_and_slope_array, []
    try:
        for reduction in ("none", "sum", "mean"):
            kept = []
            both = [loss(x, target, ignore_index, reduction, one) for one in (kept, None)]
            found.append(
                [[np.nan_to_num(value, nan=-7.0) for value in both], kept]
            )  # no loss is -7
    finally:
        tt.acceleration.CACHE_BYTES = given
    return [found, x, target]


def lost_in_blocks(x, target, times):
    """Whether no pass is over half of the scores or more."""
    most = [0]

    class Noted(np.ndarray):
        def __array_ufunc__(self, ufunc, method, *inputs, out=(), **kwargs):
            if method != "at":
                most.extend(x.nbytes for x in inputs if isinstance(x, Noted))
            if out:
                kwargs["out"] = tuple(np.asarray(array) for array in out)
            plain = [np.asarray(x) if isinstance(x, Noted) else x for x in inputs]
            found = getattr(ufunc, method)(*plain, **kwargs)
            return out[0] if out else found

    x, target = np.tile(x, (times, 1)), np.tile(target, times)
    tt.acceleration.loss_and_slope_array(x.view(Noted), target, -100, "sum", [])
    return max(most) < x.nbytes / 2


def pulled(g, x, weight, budget):
    """The three gradients of a norm, and what was given."""
    given, tt.acceleration.CACHE_BYTES = tt.acceleration.CACHE_BYTES, budget
    rows = x.reshape(-1, weight.size)
    mean = rows.mean(axis=1, keepdims=True)
    r = 1 / np.sqrt(rows.var(axis=1, keepdims=True) + x.dtype.type(0.1))
    inputs = [g, x, weight, mean, r]
    try:
        found = tt.acceleration.norm_gradients(*inputs)
    finally:
        tt.acceleration.CACHE_BYTES = given
    return [list(found), inputs]


def pulled_in_blocks(g, x, weight, times):
    """Whether gradients of many rows are found with less beside them than one copy of them."""
    import tracemalloc

    g, x = np.tile(g, (times, 1)), np.tile(x, (times, 1))
    mean, r = x.mean(axis=1, keepdims=True), 1 / x.std(axis=1, keepdims=True)
    tracemalloc.start()
    tt.acceleration.norm_gradients(g, x, weight, mean, r)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most - x.nbytes < 0.9 * x.nbytes


def averaged(scores, values, cuts):
    """What rows of scores make of values, tile by tile, and whether tiles are let go."""
    alive, most, weakref = set(), [0], tt.tensor.weakref

    def tiles():
        for number, (start, stop) in enumerate(zip([0, *cuts], [*cuts, None], strict=True)):
            tile = scores[..., start:stop].copy()
            alive.add(number)
            weakref.finalize(tile, alive.discard, number)
            most.append(len(alive))
            yield tile
            del tile

    pieces = np.split(values, cuts, axis=-2)
    y, total = tt.acceleration.online(tiles(), iter(pieces))
    return [y, np.nan_to_num(total, posinf=1e9, neginf=-1e9), max(most) <= 2, values]


def averaged_in_tiles(scores, values, times):
    """What many tiles give, and whether no more than a quarter of them was held at once."""
    import tracemalloc

    tiles = (scores * (number % 5) for number in range(times))
    tracemalloc.start()
    y, total = tt.acceleration.online(tiles, (values for _ in range(times)))
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return [y, total, most < scores.nbytes * times / 4]


def taken(arrays):
    """The largest of some arrays or 0, which it was, and what was given."""
    y = np.full_like(arrays[0], np.nan)
    tt.acceleration.largest(iter(arrays), y)
    true = np.maximum(np.max(arrays, axis=0), 0)
    marks = np.ones((len(arrays), *true.shape), bool)
    tt.acceleration.mark_taken(iter(arrays), true, marks)
    return [y, marks, true, arrays]


def chosen(on, kwargs):
    """What is chosen for each of some operations, with some backends on in this thread."""
    module, asked = tt.acceleration, []

    def substitute(inputs, given):
        asked.append([list(inputs), given])
        return np.multiply, {**given, "more": len(inputs)}

    given = module.SUBSTITUTES
    module.SUBSTITUTES = {
        np.add: ("layer_norm", substitute),
        np.subtract: ("layer_norm", lambda inputs, given: None),
        np.divide: ("attention", substitute),
    }
    module._here.stack.append(frozenset(on))
    try:
        found = [
            module.choose(op, (1, 2), kwargs) for op in (np.add, np.subtract, np.divide, np.exp)
        ]
    finally:
        module._here.stack.pop()
        module.SUBSTITUTES = given
    return [[[op.__name__, settings] for op, settings in found], asked]


def switched(names, fails):
    """What is on, and who stands in the seams, in and after blocks in each other and beside."""
    module, log, threading = tt.acceleration, [], tt.acceleration.threading

    def note(place):
        chooser, caller = tt.tensor.set_chooser(None), tt.layers.set_caller(None)
        tt.tensor.set_chooser(chooser)
        tt.layers.set_caller(caller)
        on = sorted(module.backends())
        log.append([place, on, chooser is module.choose, caller is None])

    def beside(entered, leave):
        note("beside")
        with module.accelerate(names[2]):
            note("within beside")
            entered.set()
            leave.wait(1)
        note("after beside")

    entered, leave = threading.Event(), threading.Event()
    other, one = threading.Thread(target=beside, args=(entered, leave)), module.accelerate(names[0])
    note("before")
    try:
        with one:
            note("outer")
            with module.accelerate(names[1]), one:
                note("inner")
            other.start()
            entered.wait(1)
            note("outer again")
            if fails:
                raise ArithmeticError("as asked")
    except ArithmeticError as error:
        log.append(str(error))
    note("after")
    leave.set()
    other.join(1)
    note("at the end")
    return log
