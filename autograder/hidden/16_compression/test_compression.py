"""Hidden and shown checks of 16_compression; otter-grader runs this file in the trusted process."""

import numpy as np
from otter.test_files import test_case

OK_FORMAT = False
name = "16_compression"
points = 100

DOUBLE = {"rtol": 1e-7, "atol": 1e-10}
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


def holes(rng, *shape, dtype=np.float64):
    """Random numbers of which more than half are 0, with a row of zeros in the middle and last."""
    weight = table(rng, *shape, dtype=dtype) * (rng.random(shape) < 0.4)
    weight[[1, -1]] = 0
    weight[0, 0] = 1
    return weight


@shown("magnitude_masks: two arrays", points=4)
def masks_small(agree, rng):
    """The smallest of all together are dropped."""
    agree("masked", weights=[table(rng, 4), table(rng, 2, 3)], sparsity=0.5)


@hidden("magnitude_masks: shares, and equal numbers", points=7)
def masks_ties(agree, refuses, rng):
    """round(sparsity · n) go, of equals the first ones; a share beyond 0 to 1 is refused."""
    weights = [table(rng, 3, 4), rng.integers(-2, 3, (50, 2)).astype(np.float32), table(rng, 2)]
    for sparsity in (0.0, 0.3, 0.77, 1.0):
        agree("masked", weights=weights, sparsity=sparsity)
    good = {"weights": weights[1:2], "sparsity": 0.5}
    agree("masked", **good)
    for wrong in (-0.1, 1.5):
        refuses("masked", ValueError, bad={**good, "sparsity": wrong}, good=good)


@hidden("magnitude_masks: prune a model", points=6)
def masks_prune(agree, refuses, rng):
    """In place, weights only; all together or each by itself."""
    case = {"shapes": [[3, 4], [5, 3]], "seed": int(rng.integers(1000))}
    for scope in ("global", "layer"):
        agree("pruned", **case, sparsity=float(rng.uniform(0.4, 0.8)), scope=scope)
    good = {**case, "sparsity": 0.5, "scope": "layer"}
    refuses("pruned", ValueError, bad={**good, "scope": "row"}, good=good)


@hidden("magnitude_masks: apply after a step", points=5)
def masks_apply(agree, rng):
    """What the masks do not name stays."""
    weight = table(rng, 3, 4, dtype=np.float32)
    agree("kept", seed=int(rng.integers(99)), weight=weight, mask=rng.random((3, 4)) < 0.5)


@shown("compress_rows: a matrix with holes", points=4)
def rows_small(agree, rng):
    """Numbers, columns, and where each row starts."""
    agree("compressed", weight=holes(rng, 4, 3))


@hidden("compress_rows: sizes and dtypes", points=7)
def rows_kinds(agree, rng):
    """The smallest unsigned dtype that holds the last column, and the count."""
    for shape in ((5, 6), (3, 300), (4, 257), (4, 256), (300, 2)):
        agree("compressed", weight=holes(rng, *shape, dtype=np.float32))
    agree("compressed", weight=np.zeros((3, 2)))


@hidden("compress_rows: products", points=11)
def rows_products(agree, rng):
    """The sum of each row's numbers times x in their columns, a few rows of x at a time."""
    for dtype, close in ((np.float64, DOUBLE), (np.float32, SINGLE)):
        for weight in (holes(rng, 5, 4, dtype=dtype), np.zeros((3, 4), dtype)):
            rows, columns = np.nonzero(weight)
            starts = np.searchsorted(rows, np.arange(len(weight) + 1))
            parts = {"values": weight[rows, columns], "columns": columns.astype(np.uint8)}
            parts["starts"] = starts.astype(np.uint8)
            for x in (table(rng, 3, 4, dtype=dtype), table(rng, 2, 3, 4, dtype=dtype)):
                for bias in (None, table(rng, len(weight), dtype=dtype)):
                    agree("sparse", x=x, **parts, bias=bias, **close)
    values, starts = table(rng, 3000), np.arange(0, 3001, 50).astype(np.uint16)
    columns = np.tile(np.arange(50), 60).astype(np.uint8)
    agree("sparse_peak", x=table(rng, 300, 50), values=values, columns=columns, starts=starts)


@shown("strongest: rows by their norm", points=4)
def strongest_small(agree, rng):
    """The largest, in rising order of their indices."""
    agree("chosen", weight=table(rng, 5, 3), keep=2)


@hidden("strongest: kernels, equals, all", points=6)
def strongest_kinds(agree, refuses, rng):
    """All numbers of an output count; of equals the first ones stay."""
    for weight in (table(rng, 6, 2, 3, 3), rng.integers(-1, 2, (8, 2)).astype(float)):
        for keep in (1, 3, len(weight)):
            agree("chosen", weight=weight, keep=keep)
    good = {"weight": table(rng, 4, 2), "keep": 2}
    for wrong in (0, 5):
        refuses("chosen", ValueError, bad={**good, "keep": wrong}, good=good)


@hidden("strongest: smaller layers", points=10)
def strongest_shrink(agree, refuses, rng):
    """Rows of the first, columns of the second, channels of the norm; copies."""

    def layer(*shape):
        return [table(rng, *shape, dtype=np.float32), table(rng, shape[0], dtype=np.float32)]

    plain = {"norm": None, "groups": 1}
    dense = {**plain, "first": layer(6, 3), "second": layer(2, 6), "keep": 4}
    agree("shrunk", **dense, kinds=["linear", "linear"])
    bare = {"first": [dense["first"][0], None], "second": [dense["second"][0], None]}
    agree("shrunk", **{**dense, **bare}, kinds=["linear", "linear"])
    convs = {**plain, "first": layer(5, 2, 3, 3), "second": layer(3, 5, 2, 2), "keep": 2}
    convs |= {"norm": table(rng, 5, dtype=np.float32), "kinds": ["conv", "conv"]}
    agree("shrunk", **convs)
    flat = {**convs, "second": layer(2, 20), "norm": None, "kinds": ["conv", "linear"]}
    agree("shrunk", **flat)
    refuses("shrunk", ValueError, bad={**flat, "second": layer(2, 18)}, good=flat)
    one = {**flat, "first": layer(4, 1, 3, 3), "second": layer(2, 4)}
    refuses("shrunk", ValueError, bad={**one, "groups": 2}, good=one)


@hidden("factorize: the nearest product", points=5)
def factorize_kinds(agree, refuses, rng):
    """Both factors have √σ; the rank is one that the matrix can have."""
    for shape in ((4, 3), (3, 5)):
        for rank in (1, 3):
            agree("product", weight=table(rng, *shape), rank=rank, rtol=1e-6, atol=1e-9)
    good = {"weight": np.diag([4.0, 2.0, 1.0]), "rank": 2}
    for wrong in (0, 4):
        refuses("product", ValueError, bad={**good, "rank": wrong}, good=good)


@hidden("factorize: a rank that keeps enough", points=7)
def factorize_rank(agree, refuses, rng):
    """Shares of the sum of squares; what rounding takes of a sum does not count."""
    agree("full_ranks", sizes=rng.uniform(1, 2, (64, 32)))
    u, _ = np.linalg.qr(table(rng, 4, 4))
    weight = u * rng.permutation([4.0, 3.0, 2.0, 1.0])
    shares = [0.0, 0.5, 0.6, 0.8, 0.95, 1.0]
    agree("ranks", weight=weight, shares=shares)
    refuses(
        "ranks",
        ValueError,
        bad={"weight": weight, "shares": [1.1]},
        good={"weight": weight, "shares": [0.7]},
    )


def lesson(rng, dtype=np.float64):
    """Scores of student and teacher, and classes."""
    scores, teacher = table(rng, 4, 3, dtype=dtype), 3 * table(rng, 4, 3, dtype=dtype)
    return {"scores": scores, "teacher": teacher, "target": rng.integers(0, 3, 4)}


@shown("distillation_loss: T of 2", points=3)
def soft_small(agree, rng):
    """alpha · T² · KL + (1 - alpha) · cross-entropy."""
    agree("soft", **lesson(rng), temperature=2.0, alpha=0.7, **DOUBLE)


@hidden("distillation_loss: temperatures and shares", points=6)
def soft_kinds(agree, refuses, rng):
    """With gradients, for the student alone; large scores stay numbers."""
    for temperature, alpha in ((1.0, 1.0), (5.0, 0.25), (0.5, 0.0)):
        agree("soft", **lesson(rng), temperature=temperature, alpha=alpha, **DOUBLE)
    large = {**lesson(rng, np.float32), "teacher": 1000 * table(rng, 4, 3, dtype=np.float32)}
    agree("soft", **large, temperature=1.5, alpha=0.5, **SINGLE)
    good = {**lesson(rng, np.float32), "temperature": 1.0, "alpha": 0.0}
    for wrong in ({"temperature": 0.0}, {"alpha": 1.5}, {"teacher": good["teacher"][:1]}):
        refuses("soft", ValueError, bad={**good, **wrong}, good=good)


@hidden("distillation_loss: train a student", points=7)
def soft_train(agree, rng):
    """The teacher in eval mode, unrecorded, and its modes back in the end, after an error too."""
    weights = [table(rng, 3, 2, dtype=np.float32) for _ in range(2)]
    x, target = table(rng, 2, 4, 2, dtype=np.float32), rng.integers(0, 3, (2, 4))
    case = {"weights": weights, "x": x, "target": target, "epochs": 2}
    for settings in ({"temperature": 2.0, "alpha": 0.6}, {}):
        agree("taught", **case, settings=settings, fails=False, **SINGLE)
    agree("taught", **case, settings={}, fails=True)


@hidden("cost_of: bytes and FLOPs", points=4)
def cost_small(agree, rng):
    """Buffers count, what is shared counts once, and FLOPs are those of one sample."""
    x, target = table(rng, 5, 3, dtype=np.float32), rng.integers(0, 4, 5)
    case = {"sizes": [3, 4], "seed": int(rng.integers(99)), "x": x, "target": target}
    agree("measured", **case, fails=False)


@hidden("cost_of: accuracy and modes", points=4)
def cost_more(agree, refuses, rng):
    """In eval mode, where dropout drops nothing; modes come back; what is uncounted is refused."""
    x, target = table(rng, 40, 6, dtype=np.float32), rng.integers(0, 2, 40)
    case = {"sizes": [6, 2], "seed": int(rng.integers(99)), "x": x, "target": target}
    for fails in (False, True):
        agree("measured", **case, fails=fails)
    refuses("counted", ValueError, "twice", bad={"named": False}, good={"named": True})
