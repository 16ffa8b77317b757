"""Hidden and shown checks of 14_profiling; otter-grader runs this file in the trusted process.

No check depends on how long anything takes: the clocks are the probes' own.
"""

import numpy as np
from otter.test_files import test_case

OK_FORMAT = False
name = "14_profiling"
points = 100


def hidden(name, points):
    """Make a check of which a student learns no more than the hint, the function's docstring."""
    return lambda check: test_case(name, points, hidden=True, failure_message=check.__doc__)(check)


def shown(name, points):
    """Make a check that also shows its values, or the exception."""
    return lambda check: test_case(name, points, hidden=False, failure_message=check.__doc__)(check)


def count(agree, counter, y, *inputs, **settings):
    """Compare what a counter says of arrays of these shapes."""
    agree("counted", counter=counter, y=y, inputs=list(inputs), settings=settings)


def sizes(rng, n, low=2, high=6):
    """Draw some sizes that differ, so that none stands for another."""
    return (low + rng.permutation(high + n)[:n]).tolist()


def numbers(rng):
    """What an operation costs: start, seconds, flops, read, written, allocated, changes, thread."""
    costs = rng.integers(1, 1000, 4).tolist()
    return [*rng.uniform(0, 1, 2).tolist(), *costs, int(rng.integers(0, 6)), 1]


@shown("matmul_flops: one product", points=3)
def matmul_small(agree, rng):
    """Each number of the result is a sum of K products: 2 K FLOPs."""
    m, k, n = sizes(rng, 3)
    count(agree, "matmul_flops", (m, n), (m, k), (k, n))


@hidden("matmul_flops: batches, vectors, linear layers", points=6)
def products(agree, rng):
    """Count the numbers of the result; a vector adds no axis to it; a bias is one more for each."""
    for _ in range(3):
        b, m, k, n = sizes(rng, 4)
        count(agree, "matmul_flops", (b, m, n), (b, m, k), (k, n))
        count(agree, "matmul_flops", (b, m), (b, m, k), (k,))
        count(agree, "matmul_flops", (b, n), (k,), (b, k, n))
        count(agree, "linear_flops", (b, m, n), (b, m, k), (n, k), None)
        count(agree, "linear_flops", (m, n), (m, k), (n, k), (n,))


@hidden("matmul_flops: convolutions", points=6)
def convolutions(agree, rng):
    """A window has C / groups channels of KH · KW numbers; every number of the result has one."""
    for groups in (1, 2, 3):
        n, c, kh, kw, out, oh, ow = sizes(rng, 7)
        how = dict(stride=[1, 2], padding=[2, 1], dilation=[1, 1], groups=groups)
        weight, y = (out * groups, c, kh, kw), (n, out * groups, oh, ow)
        x = (n, c * groups, 3 * oh, 3 * ow)
        count(agree, "conv2d_flops", y, x, weight, None, **how)
        count(agree, "conv2d_flops", y, x, weight, (out * groups,), **how)


@hidden("matmul_flops: attention and reductions", points=5)
def attention(agree, rng):
    """Causal, query i meets i + 1 keys, if there are so many; a sum of n numbers is n - 1."""
    for causal in (False, True):
        for short in (0, 1):
            n, h, e, d, length = sizes(rng, 5, low=4)
            shapes = [(n, h, length, e), (n, h, length - short, e), (n, h, length - short, d)]
            for bias in (None, (length, length - short)):
                y = (n, h, length, d)
                count(agree, "attention_flops", y, *shapes, bias, is_causal=causal)
    m, n = sizes(rng, 2)
    for y, axis in (((m,), [1]), ((1, n), [0]), ((), None)):
        count(agree, "reduction_flops", y, (m, n), axis=axis)
    count(agree, "reduction_flops", (n,), (0, n), axis=[0])


@hidden("moved_bytes: two arrays, one twice", points=3)
def moved_small(agree, rng):
    """`nbytes` of each array that is read, once, and of the result."""
    x, other = rng.normal(0, 1, (3, 2)), rng.normal(0, 1, (3, 2)).astype(np.float32)
    for case in ("two", "twice", "number"):
        agree("moved", case=case, x=x, other=other)


@hidden("moved_bytes: views and lookups", points=5)
def moved_views(agree, rng):
    """A view of any input is free, a copy is not; a lookup reads what it returns, at most."""
    rows, columns = sizes(rng, 2)
    x, other = np.ones((rows, columns), np.float32), np.ones((rows, columns))
    for case in ("row", "turned", "lookup", "equal", "spread"):
        agree("moved", case=case, x=x, other=other)


@shown("Memory.track: one array and a view", points=4)
def track_small(agree, rng):
    """The owner of the memory counts, once, until nothing shows it any more."""
    order = [["new", 0], ["view", 0], ["free", 0], ["free", -1]]
    agree("tracked", sizes=[[int(rng.integers(2, 9)), 3]], order=order)


@hidden("Memory.track: many arrays", points=5)
def track_many(agree, rng):
    """The moment of each change is that of the clock; views first seen stand for their owner."""
    order = [["new", 0], ["new", 1], ["view", 1], ["view", 0], ["free", 1], ["part", 2]]
    order += [["free", 0], ["free", -2], ["view", 2], ["free", 2], ["free", -1], ["free", -3]]
    agree("tracked", sizes=[[size, 2] for size in sizes(rng, 3)], order=order)


@hidden("Memory.track: an id comes again; the timeline", points=7)
def track_again(agree, rng):
    """Forget an array that was freed: the next one may have its id. Add changes up in order."""
    agree("tracked_in_a_loop", sizes=rng.integers(1, 90, 30).tolist())
    changes = [[float(i), size] for i, size in enumerate(rng.integers(-50, 90, 6).tolist())]
    agree("moments", changes=changes)
    agree("moments", changes=[])


@shown("Profiler.run: one operation", points=4)
def run_small(agree, rng):
    """Between the two readings of the clock there is the operation, and nothing else."""
    waits = rng.integers(1, 9, 3).astype(float).tolist()
    agree("ran", x=rng.normal(0, 1, 3), waits=waits, names=["m"], kind="plain")


@hidden("Profiler.run: views, scalars, what is kept", points=8)
def run_kinds(agree, rng):
    """A view is no new memory; an array comes back, never a scalar; kwargs reach the operation."""
    for kind in ("view", "scalar", "keeps", "plain"):
        waits = rng.integers(1, 9, 3).astype(float).tolist()
        x = rng.normal(0, 1, (4, 2)).astype(np.float32)
        agree("ran", x=x, waits=waits, names=["m", "m.0"][: len(kind) % 3], kind=kind)


@hidden("Profiler.run: an operation that fails", points=4)
def run_fails(agree, rng):
    """The error goes to the caller as it is, and no record of the operation stays."""
    agree("failed", message=f"number {rng.integers(1000)}")


@shown("Profiler.call: a layer in a layer", points=4)
def call_small(agree, rng):
    """The name is on the stack while the layer runs; the span lasts as long."""
    agree("called", waits=rng.integers(1, 9, 1).astype(float).tolist(), fails=False)


@hidden("Profiler.call: several layers, and an error", points=6)
def call_fails(agree, rng):
    """Take the name off and note the span in `finally`: the next layer must not stand in it."""
    for fails in (True, False):
        waits = (1.0 + rng.permutation(6)[:3]).tolist()
        agree("called", waits=waits, fails=fails)


@hidden("Profiler.call: into the seams and out again", points=6)
def entering(agree, rng):
    """Put back who was there, after an error too; reopen and close the memory; add seconds up."""
    for fails in (False, True):
        agree("entered", waits=rng.integers(1, 9, 3).astype(float).tolist(), fails=fails)
        agree("watched", sizes=sizes(rng, 2), fails=fails)


@hidden("summarize: sums and the peak", points=4)
def summing(agree, rng):
    """An operation that was done after no change saw no memory; one without counter adds 0."""
    live = rng.integers(1, 1000, 5).tolist()
    made = [numbers(rng) for _ in range(4)]
    made[1][2] = None
    for chosen in (made, made[:2], [[*made[0][:6], 0, 1]], []):
        agree("summed", operations=chosen, live=live, calls=int(rng.integers(1, 9)))


@hidden("summarize: layers within layers", points=6)
def layering(agree, rng):
    """Every operation counts in each of its layers, once; outer layers come first."""
    spans = [["m.b", "layer", 5.0, 1.0], ["m.a", "layer", 2.0, 2.0], ["m.a", "layer", 8.0, 1.0]]
    spans += [["m", "layer", 2.0, 7.0], ["r", "region", 1.0, 9.0], ["idle", "layer", 9.5, 0.0]]
    stacks = [["m", "m.a"], ["m", "m.b"], ["m"], [], ["m", "m.a", "m.a"], ["m", "m.a"]]
    operations = [[stack, *numbers(rng)] for stack in stacks]
    agree("layered", spans=spans, operations=operations, sizes=rng.integers(1, 99, 5).tolist())


@hidden("chrome_trace: a layer, an operation, memory", points=3)
def trace_small(agree, rng):
    """ts counts microseconds from the earliest event; the layer contains the operation."""
    start = float(rng.integers(1, 9))
    operations = [["add", start, 0.5, 6, 48, 24, 24, 1, 77]]
    spans = [["m", "layer", start, 1.0, 77]]
    agree("traced", spans=spans, operations=operations, moments=[[start + 0.25, 24]])


@hidden("chrome_trace: threads, regions, nothing", points=5)
def trace_more(agree, rng):
    """Threads are numbered as they first appear in time; a moment of memory may be the earliest."""
    starts = (5.0 + rng.permutation(9)[:5]).tolist()
    threads = [71, 72, 71, 73, 72]
    operations = [
        ["op", start, 0.5, None, *rng.integers(1, 99, 3).tolist(), 1, thread]
        for start, thread in zip(starts[:3], threads, strict=False)
    ]
    kinds = ("layer", "region")
    spans = [
        ["s", kind, start, 0.25, thread]
        for kind, start, thread in zip(kinds, starts[3:], threads[3:], strict=True)
    ]
    agree("traced", spans=spans, operations=operations, moments=[[4.0, 8], [20.5, 0]])
    agree("traced", spans=spans, operations=[], moments=[])
    agree("traced", spans=[], operations=[], moments=[])


@hidden("Machine.attainable: under the roof", points=4)
def attainable(agree, rng):
    """Bytes per second times FLOPs per byte, up to the FLOPs per second."""
    peak, bandwidth = (float(x) for x in rng.uniform(5, 50, 2))
    intensities = [0.0, 0.01, peak / bandwidth, *rng.uniform(0, 30, 4).tolist(), 1e9]
    agree("attained", peak=peak, bandwidth=bandwidth, intensities=intensities)


@hidden("Machine.attainable: an intensity below 0", points=2)
def attainable_refuses(refuses, rng):
    """There is no such intensity: refuse it, NaN too."""
    for wrong in (-1.0, float("nan")):
        good = {"peak": 9.0, "bandwidth": 2.0, "intensities": [float(rng.uniform(1, 3))]}
        refuses("attained", ValueError, bad={**good, "intensities": [wrong]}, good=good)
