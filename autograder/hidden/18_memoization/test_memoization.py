"""Hidden and shown checks of 18_memoization; otter-grader runs this file in the trusted process."""

import numpy as np
from otter.test_files import test_case

OK_FORMAT = False
name = "18_memoization"
points = 100

DOUBLE = {"rtol": 1e-7, "atol": 1e-10}
SINGLE = {"rtol": 1e-4, "atol": 2e-5}
SIZES = {"vocab_size": 7, "block_size": 6, "n_layer": 2, "n_head": 2, "n_embd": 4}


def hidden(name, points):
    """Make a check of which a student learns no more than the hint, the function's docstring."""
    return lambda check: test_case(name, points, hidden=True, failure_message=check.__doc__)(check)


def shown(name, points):
    """Make a check that also shows its values, or the exception."""
    return lambda check: test_case(name, points, hidden=False, failure_message=check.__doc__)(check)


def table(rng, *shape, dtype=np.float64):
    """Random numbers."""
    return rng.normal(0, 1, shape).astype(dtype)


def seed(rng):
    """A seed for the model's numbers."""
    return int(rng.integers(1000))


@shown("kv_bytes: 2 · L · B · T · D · itemsize", points=4)
def bytes_small(agree, rng):
    """A key and a value, each of D numbers, for every place of every layer."""
    agree("counted", sizes=[rng.integers(1, 9, 5).tolist() for _ in range(3)])


@hidden("kv_bytes: append, place after place", points=8)
def append_places(agree, rng):
    """New places go behind the others; the views that come back end with them."""
    for dtype in ("float32", "float64"):
        news = []
        for n in (3, 1, 1):
            for layer in (0, 1):
                key, value = (table(rng, 2, 3, n, 2, dtype=dtype) for _ in range(2))
                news.append([layer, key, value])
        agree("appended", shape=[2, 2, 3, 6, 2], dtype=dtype, news=news)


@hidden("kv_bytes: append, a layer by itself", points=4)
def append_layers(agree, rng):
    """Each layer has a length of its own, and memory of its own, as the formula says."""
    agree("counted", sizes=[[3, 1, 3, 6, 8], rng.integers(1, 99, 4).tolist()])
    news = [[layer, *table(rng, 2, 1, 2, 1, 3)] for layer in (2, 0, 2, 2, 1)]
    agree("appended", shape=[3, 1, 2, 3, 3], dtype="float64", news=news)


@hidden("kv_bytes: append, what does not fit", points=6)
def append_refuses(agree, rng):
    """Compare the end with the places, and the shapes with (B, H, N, E), before writing."""

    def new(*shape):
        return [table(rng, *shape) for _ in range(2)]

    three, two, one = (new(2, 2, n, 3) for n in (3, 2, 1))
    wrong = [new(1, 2, 1, 3), new(2, 1, 1, 3), new(2, 2, 1, 1), [one[0], two[1]], [two[0], one[1]]]
    agree("refused", shape=[1, 2, 2, 4, 3], news=[three, two, *wrong, one, one])


@shown("last_attention_array: one query", points=4)
def last_small(agree, rng):
    """It sees every key there is, its own included."""
    agree("last", q=table(rng, 1, 2), k=table(rng, 3, 2), v=table(rng, 3, 2), **DOUBLE)


@hidden("last_attention_array: several queries", points=10)
def last_several(agree, rng):
    """Query i of N stands at place S - N + i and sees all up to itself."""
    for queries, keys in ((2, 5), (4, 4), (3, 4), (1, 1)):
        q, k = table(rng, 2, 2, queries, 3), table(rng, 2, 2, keys, 3)
        agree("last", q=q, k=k, v=table(rng, 2, 2, keys, 4), **DOUBLE)


@hidden("last_attention_array: large scores, float32", points=6)
def last_large(agree, rng):
    """`softmax_in_place` takes the largest of each row first; the dtype stays."""
    q, k, v = (table(rng, 2, 4, 3, dtype=np.float32) for _ in range(3))
    agree("last", q=q[:, 1:], k=k, v=v, **SINGLE)
    agree("last", q=1000 * q, k=k, v=v, **SINGLE)


@shown("cached_block: a place at a time", points=4)
def block_small(agree, rng):
    """As the block itself, with keys and values from the cache."""
    x = table(rng, 1, 3, 4, dtype=np.float32)
    agree("passed", size=4, heads=2, seed=seed(rng), x=x, cuts=[1, 2], **SINGLE)


@hidden("cached_block: some at a time", points=8)
def block_cuts(agree, rng):
    """Every place is projected once, with one product for queries, keys and values."""
    x = table(rng, 2, 5, 6, dtype=np.float32)
    for cuts in ([], [4], [2, 3]):
        agree("passed", size=6, heads=3, seed=seed(rng), x=x, cuts=cuts, **SINGLE)


@hidden("cached_block: scores, every place", points=8)
def scores_places(agree, rng):
    """New tokens stand behind those that the cache has; all scores are the model's, to 1e-5."""
    ids = rng.integers(0, 7, (2, 6))
    for cuts in ([1, 2, 3, 4, 5], [3, 5], []):
        agree("scored", sizes=SIZES, seed=seed(rng), ids=ids, cuts=cuts, **SINGLE)


@hidden("cached_block: scores, no place is left", points=4)
def scores_refuses(refuses, rng):
    """Call `_require_room` first."""
    ids = rng.integers(0, 7, (1, 7))
    case = {"sizes": SIZES, "seed": seed(rng)}
    for places, most in ((None, 6), (9, 6), (4, 4)):
        good = {**case, "places": places, "ids": ids[:, :most], "cuts": [2]}
        for cut in (2, most):
            bad = {**good, "ids": ids[:, : most + 1], "cuts": [cut]}
            refuses("roomy", ValueError, bad=bad, good=good)


@shown("window_start: lengths one after the other", points=4)
def window_small(agree, rng):
    """0 as long as all fits, then the smallest multiple of hop with which it does."""
    block = int(rng.integers(4, 8))
    agree("windows", lengths=list(range(1, 20)), block_size=block, hop=3)
    agree("windows", lengths=list(range(1, 12)), block_size=block, hop=1)
    agree("windows", lengths=list(range(1, 16)), block_size=block, hop=block)


@hidden("window_start: hops that are none", points=3)
def window_refuses(refuses, rng):
    """A window that does not move ends; one that jumps over ids loses them."""
    good = {"lengths": [9], "block_size": int(rng.integers(4, 7)), "hop": 2}
    for wrong in (0, good["block_size"] + 1):
        refuses("windows", ValueError, bad={**good, "hop": wrong}, good=good)


@hidden("window_start: text within block_size", points=5)
def generate_inside(agree, refuses, rng):
    """After the prompt, each token passes each product once; draws and errors are generate's."""
    hot = {"temperature": 2.0, "seed": 5}
    for batch, settings in ((1, {}), (3, {"top_k": 3, **hot}), (3, {"top_p": 0.3, **hot})):
        ids = rng.integers(0, 7, (batch, 2))
        case = {"sizes": SIZES, "seed": seed(rng), "ids": ids, "settings": settings, "folds": False}
        agree("written", **case, new=4, **SINGLE)
        agree("written", **case, new=0, **SINGLE)
    good = {**case, "new": 1}
    refuses("written", ValueError, bad={**good, "ids": ids[0]}, good=good)
    refuses("written", TypeError, bad={**good, "ids": ids.astype(float)}, good=good)


@hidden("window_start: text beyond block_size", points=8)
def generate_beyond(agree, rng):
    """When the window moves, all of it is read again; what is `folded` reads if it is there."""
    for start, hop in ((2, 1), (2, 3), (9, 6), (6, 2)):
        ids = rng.integers(0, 7, (2, start))
        settings = {"hop": hop, "temperature": 1.5, "seed": seed(rng)}
        case = {"sizes": SIZES, "seed": seed(rng), "ids": ids, "new": 8, "settings": settings}
        agree("written", **case, folds=False, **SINGLE)
    agree("written", **case, folds=True, **SINGLE)


@shown("fold_norm: two numbers", points=3)
def fold_small(agree, rng):
    """W diag(w), and W c + b."""
    weight, bias, scale, shift = table(rng, 3, 2), table(rng, 3), table(rng, 2), table(rng, 2)
    agree("folded", weight=weight, bias=bias, scale=scale, shift=shift, **DOUBLE)


@hidden("fold_norm: without biases", points=6)
def fold_kinds(agree, rng):
    """None stands for zeros, and what was given stays as it is."""
    for dtype, close in ((np.float64, DOUBLE), (np.float32, SINGLE)):
        weight, scale = table(rng, 4, 3, dtype=dtype), table(rng, 3, dtype=dtype)
        for bias in (None, table(rng, 4, dtype=dtype)):
            for shift in (None, table(rng, 3, dtype=dtype)):
                agree("folded", weight=weight, bias=bias, scale=scale, shift=shift, **close)


@hidden("fold_norm: centred, the mean of every product is 0", points=5)
def centre_kinds(agree, rng):
    """The mean of the rows is taken from each row, and from the bias its own mean."""
    for dtype, close in ((np.float64, DOUBLE), (np.float32, SINGLE)):
        weight = table(rng, 4, 3, dtype=dtype)
        for bias in (None, table(rng, 4, dtype=dtype)):
            agree("centred", weight=weight, bias=bias, **close)
