"""Hidden and shown checks of 17_acceleration; otter-grader runs this file in the trusted process.

No check looks at a clock: that a fast form is one is seen by the blocks it makes, or by the memory
that it holds, with limits that blocks of some times CACHE_BYTES keep.
"""

import numpy as np
from otter.test_files import test_case

OK_FORMAT = False
name = "17_acceleration"
points = 100

DOUBLE = {"rtol": 1e-6, "atol": 1e-9}
SINGLE = {"rtol": 1e-4, "atol": 1e-5}


def hidden(name, points):
    """Make a check of which a student learns no more than the hint, the function's docstring."""
    return lambda check: test_case(name, points, hidden=True, failure_message=check.__doc__)(check)


def shown(name, points):
    """Make a check that also shows its values, or the exception."""
    return lambda check: test_case(name, points, hidden=False, failure_message=check.__doc__)(check)


def table(rng, *shape, dtype=np.float64):
    """Random numbers."""
    return rng.normal(0, 1, shape).astype(dtype)


@shown("matmul_blocked: four blocks", points=3)
def matmul_small(agree, rng):
    """Block (i, j) is the sum over k of block (i, k) times block (k, j)."""
    agree("blocked", a=table(rng, 4, 4), b=table(rng, 4, 4), size=2, **DOUBLE)


@hidden("matmul_blocked: random sizes", points=3)
def matmul_random(agree, rng):
    """Blocks at the ends are smaller, and no block is larger than size × size."""
    for size in (1, 3, 5):
        m, k, n = (int(n) for n in rng.integers(1, 12, 3))
        agree("blocked", a=table(rng, m, k), b=table(rng, k, n), size=size, **DOUBLE)


@hidden("matmul_blocked: dtypes, nothing to add, no product", points=2)
def matmul_kinds(agree, refuses, rng):
    """The dtype is that of `a`; a sum of no blocks is 0; inner sizes that differ are refused."""
    a, b = table(rng, 7, 9, dtype=np.float32), table(rng, 9, 4, dtype=np.float32)
    agree("blocked", a=a, b=b, size=4, **SINGLE)
    a, b = rng.integers(0, 9, (5, 0)), rng.integers(0, 9, (0, 3))
    agree("blocked", a=a, b=b, size=4)
    good = {"a": table(rng, 2, 3), "b": table(rng, 3, 5), "size": 2}
    for shape in ((4, 5), (2, 5), (3,), (1, 3, 5)):
        refuses("blocked", ValueError, bad={**good, "b": table(rng, *shape)}, good=good)
    refuses("blocked", ValueError, bad={**good, "a": table(rng, 3)}, good=good)


PLAIN = {"stride": [1, 1], "padding": [0, 0], "dilation": [1, 1], "groups": 1}


@shown("conv2d_shifted: one image", points=4)
def shifted_small(agree, rng):
    """Each place of the kernel is one product with the images from there on."""
    agree("shifted", x=table(rng, 1, 2, 3, 3), weight=table(rng, 2, 2, 2, 2), bias=None, **PLAIN)


@hidden("conv2d_shifted: strides, padding, dilation", points=4)
def shifted_random(agree, rng):
    """Channels last in memory, and no columns: no place of an image is repeated."""
    x = table(rng, 2, 4, 7, 8)
    agree("shifted", x=x, weight=table(rng, 6, 4, 3, 2), bias=None, **PLAIN, **DOUBLE)
    how = {"stride": [2, 3], "padding": [2, 0], "dilation": [1, 2], "groups": 1}
    agree("shifted", x=x, weight=table(rng, 6, 4, 2, 3), bias=None, **how, **DOUBLE)
    agree("shifted_in_place", x=table(rng, 1, 8, 40, 40), weight=table(rng, 8, 8, 7, 7))


@hidden("conv2d_shifted: groups, bias, float32", points=4)
def shifted_groups(agree, rng):
    """A group of outputs sees its group of channels; the bias is added once."""
    x, bias = table(rng, 2, 4, 7, 8), table(rng, 6)
    agree("shifted", x=x, weight=table(rng, 6, 4, 3, 2), bias=bias, **PLAIN, **DOUBLE)
    how = {"stride": [1, 2], "padding": [0, 1], "dilation": [2, 1], "groups": 2}
    agree("shifted", x=x, weight=table(rng, 6, 2, 3, 2), bias=bias, **how, **DOUBLE)
    weight = table(rng, 6, 4, 3, 3, dtype=np.float32)
    agree("shifted", x=x.astype(np.float32), weight=weight, bias=None, **PLAIN, **SINGLE)


@shown("gelu_and_slope: two rows", points=4)
def gelu_small(agree, rng):
    """y = h s in place; the slope is s + 2 y (1 - s) u′."""
    agree("bent", h=table(rng, 2, 3), budget=2**18, **DOUBLE)


@hidden("gelu_and_slope: blocks", points=4)
def gelu_random(agree, rng):
    """All rows, in blocks, however they are cut; tanh of each once; without a slope the same."""
    for rows, columns in ((1, 1), (9, 5), (0, 3)):
        agree("bent", h=2 * table(rng, rows, columns), budget=80, **DOUBLE)
    agree("bent_in_blocks", h=table(rng, 16, 1024, dtype=np.float32), times=256)


@hidden("gelu_and_slope: large numbers, float32", points=4)
def gelu_large(agree, rng):
    """Nothing overflows: far to the right the slope is 1, far to the left 0."""
    agree("bent", h=table(rng, 4, 3, dtype=np.float32), budget=2**18, **SINGLE)
    agree("bent", h=np.array([[-1e4, -50.0, 0.0], [50.0, 1e4, 1.0]]), budget=2**18, **DOUBLE)


@shown("linear_gelu_array: three rows", points=3)
def fused_small(agree, rng):
    """x Wᵀ + b, then gelu_and_slope of it, in place."""
    given = {"x": table(rng, 3, 2), "weight": table(rng, 4, 2), "bias": table(rng, 4)}
    agree("fused", **given, budget=2**20, **DOUBLE)


@hidden("linear_gelu_array: blocks", points=3)
def fused_random(agree, rng):
    """Blocks of rows of at most PRODUCT_BYTES; slopes are kept as a matrix if they are wanted."""
    for lead in ((7,), (2, 3)):
        given = {"x": table(rng, *lead, 3), "weight": table(rng, 5, 3), "bias": table(rng, 5)}
        agree("fused", **given, budget=90, **DOUBLE)


@hidden("linear_gelu_array: no bias, one row, float32", points=2)
def fused_bare(agree, rng):
    """A bias of None is none; the result has the axes of x."""
    for lead in ((), (2, 1, 3)):
        given = {"x": table(rng, *lead, 3), "weight": table(rng, 5, 3), "bias": None}
        agree("fused", **given, budget=90, **DOUBLE)
    given = {name: table(rng, *shape, dtype=np.float32) for name, shape in
             {"x": (4, 3), "weight": (5, 3), "bias": (5,)}.items()}  # fmt: skip
    agree("fused", **given, budget=2**20, **SINGLE)


@shown("loss_and_slope_array: two rows", points=4)
def loss_small(agree, rng):
    """log Σ exp(x) - x[t], and softmax less 1 at the label."""
    x, target = table(rng, 2, 3), rng.integers(0, 3, 2)
    agree("lost", x=x, target=target, ignore_index=-100, budget=2**18, **DOUBLE)


@hidden("loss_and_slope_array: ignored labels", points=5)
def loss_random(agree, rng):
    """Ignored rows have loss 0, whatever they hold, and slope 0, and no part in the mean."""
    for ignored in (-100, 2):
        x, target = 3 * table(rng, 9, 4), rng.integers(0, 4, 9)
        target[[1, 5]] = ignored
        agree("lost", x=x, target=target, ignore_index=ignored, budget=70, **DOUBLE)
        hidden = np.where(np.arange(4) == rng.integers(0, 2, (9, 1)), -np.inf, x)
        target[target == 0], target[target == 1] = 2, 3  # classes 0 and 1 may be hidden
        target[[1, 5]] = ignored
        given = {"x": hidden, "target": target, "ignore_index": ignored, "finite": False}
        agree("lost", **given, budget=70, **DOUBLE)
        target = np.full(9, ignored)
        agree("lost", x=x, target=target, ignore_index=ignored, budget=70, **DOUBLE)


@hidden("loss_and_slope_array: blocks, large scores", points=3)
def loss_large(agree, rng):
    """Take the largest score of a row from all of them first; go through blocks of rows."""
    x, target = table(rng, 9, 4), rng.integers(0, 4, 9)
    agree("lost", x=x, target=target, ignore_index=-100, budget=70, **DOUBLE)
    x, target = 1000 * table(rng, 5, 3, dtype=np.float32), rng.integers(0, 3, 5)
    agree("lost", x=x, target=target, ignore_index=-100, budget=2**18, **SINGLE)
    x, target = table(rng, 16, 256, dtype=np.float32), rng.integers(0, 256, 16)
    agree("lost_in_blocks", x=x, target=target, times=512)


@shown("norm_gradients: two rows", points=5)
def norm_small(agree, rng):
    """r (h - mean(h) - n mean(h n)); Σ g n; Σ g."""
    given = {"g": table(rng, 2, 3), "x": table(rng, 2, 3), "weight": table(rng, 3)}
    agree("pulled", **given, budget=2**18, **DOUBLE)


@hidden("norm_gradients: blocks", points=5)
def norm_blocks(agree, rng):
    """One walk through blocks of rows, sums over all; nothing that is given is changed."""
    for rows, size in ((11, 4), (7, 1), (4, 6)):
        x, weight, g = 2 + table(rng, rows, size), table(rng, size), table(rng, rows, size)
        agree("pulled", g=g, x=x, weight=weight, budget=150, **DOUBLE)
    g, x, weight = (table(rng, *shape, dtype=np.float32) for shape in ((8, 512), (8, 512), (512,)))
    agree("pulled_in_blocks", g=g, x=x, weight=weight, times=1024)


@hidden("norm_gradients: shapes, float32", points=4)
def norm_shapes(agree, rng):
    """The gradients have the shapes and dtypes of x and weight."""
    for shape, row, dtype in (
        ((2, 5, 6), (6,), np.float64),
        ((3, 2, 4), (2, 4), np.float32),
        ((5, 2, 2), (2, 2), np.float64),
    ):
        x, weight = 2 + table(rng, *shape, dtype=dtype), table(rng, *row, dtype=dtype)
        g = table(rng, x.size // weight.size, weight.size, dtype=dtype)
        agree("pulled", g=g, x=x, weight=weight, budget=2**18, **SINGLE)


@shown("online: two tiles of one row", points=4)
def online_small(agree, rng):
    """Where a larger score comes, what is there is multiplied by exp(old - new)."""
    agree("averaged", scores=table(rng, 1, 4), values=table(rng, 4, 2), cuts=[2], **DOUBLE)


@hidden("online: many tiles, large scores", points=6)
def online_random(agree, rng):
    """Tiles of any width, whichever has the largest score; no tile outlives the next, no copy."""
    for lead, rows, keys in (((), 3, 7), ((2, 3), 2, 8)):
        scores, values = 3 * table(rng, *lead, rows, keys), table(rng, *lead, keys, 3)
        agree("averaged", scores=scores, values=values, cuts=[], **DOUBLE)
        agree("averaged", scores=scores, values=values, cuts=[1, 3, 4, 6], **DOUBLE)
        large = (400 * scores).astype(np.float32)
        agree("averaged", scores=large, values=values.astype(np.float32), cuts=[2, 5], **SINGLE)
    scores, values = table(rng, 32, 64), table(rng, 64, 4)
    agree("averaged_in_tiles", scores=scores, values=values, times=64, **DOUBLE)


@hidden("online: rows that see nothing", points=6)
def online_hidden(agree, rng):
    """-inf in a whole tile adds nothing; in all tiles the row is 0, and its total +inf."""
    for lead, rows, keys in (((), 3, 7), ((2,), 4, 9)):
        scores, values = 3 * table(rng, *lead, rows, keys), table(rng, *lead, keys, 3)
        scores[rng.random(scores.shape) < 0.4] = -np.inf
        scores[..., 0, :], scores[..., 1, :4], scores[..., 2, 4:] = -np.inf, -np.inf, -np.inf
        for cuts in ([], [2, 4, 5]):
            agree("averaged", scores=scores, values=values, cuts=cuts, **DOUBLE)


@shown("largest: two arrays", points=3)
def taken_small(agree, rng):
    """The largest or 0; the mark stands where the number came from."""
    agree("taken", arrays=[table(rng, 2, 3), table(rng, 2, 3)])


@hidden("largest: nothing positive", points=2)
def taken_none(agree, rng):
    """No array is marked where the largest is not above 0."""
    arrays = [table(rng, 3, 4, dtype=np.float32) for _ in range(3)]
    agree("taken", arrays=arrays)
    agree("taken", arrays=[-np.abs(array) for array in arrays])


@hidden("largest: equals", points=3)
def taken_equals(agree, rng):
    """The first of equals is marked, and no other."""
    for count in (1, 2, 4):
        agree("taken", arrays=[rng.integers(-2, 3, (3, 4)) * 1.0 for _ in range(count)])
    one = table(rng, 3, 2)
    agree("taken", arrays=[one, one.copy(), 2 * one])


@shown("choose: one backend on", points=3)
def choose_small(agree, rng):
    """The substitute's answer, if it has one and its backend is on; else what was given."""
    agree("chosen", on=["layer_norm"], kwargs={"axis": int(rng.integers(9))})
    agree("chosen", on=[], kwargs={"axis": 1})
    agree("chosen", on=["attention", "layer_norm"], kwargs={})


@hidden("choose: blocks in each other, another thread", points=4)
def choose_threads(agree, rng):
    """On in one thread until the end of the block; seams are left when the last has gone."""
    agree("chosen", on=[names(rng)[0], "layer_norm"], kwargs={"axis": int(rng.integers(9))})
    agree("chosen", on=["cross_entropy"], kwargs={"dim": int(rng.integers(9))})
    agree("switched", names=names(rng), fails=False)


@hidden("choose: an error", points=3)
def choose_fails(agree, rng):
    """It ends the block as any other way out does, and goes on to whoever waits for it."""
    agree("switched", names=names(rng), fails=True)


def names(rng):
    """Three backends."""
    return [str(name) for name in rng.permutation(["attention", "layer_norm", "cross_entropy"])]
