"""Hidden and shown checks of 11_embeddings; otter-grader runs this file in the trusted process."""

import numpy as np
from otter.test_files import test_case

OK_FORMAT = False
name = "11_embeddings"
points = 100

SINGLE = {"rtol": 1e-5, "atol": 1e-6}


def hidden(name, points):
    """Make a check of which a student learns no more than the hint, the function's docstring."""
    return lambda check: test_case(name, points, hidden=True, failure_message=check.__doc__)(check)


def shown(name, points):
    """Make a check that also shows its values, or the exception."""
    return lambda check: test_case(name, points, hidden=False, failure_message=check.__doc__)(check)


def table(rng, *shape, dtype=np.float64):
    """Random numbers."""
    return rng.normal(0, 1, shape).astype(dtype)


@shown("embedding: three ids", points=4)
def embedding_small(agree, rng):
    """y[..., :] = weight[x[...]], handed to `apply` as `embedding_array`, padding_idx by name."""
    agree("looked_up", ids=np.array([2, 0, 2]), weight=table(rng, 3, 2), padding_idx=None)


@hidden("embedding: any shape, any kind of int, any table", points=6)
def embedding_random(agree, rng):
    """Ids have any shape; a padding_idx below 0 is handed to `apply` counted from the front."""
    for shape, kind in (((2, 3), np.int64), ((), np.int32), ((0, 2), np.int64), ((3,), np.uint8)):
        weight = table(rng, int(rng.integers(4, 9)), 3)
        ids = rng.integers(0, len(weight), shape).astype(kind)
        for padding in (None, 1, -int(rng.integers(1, 4))):
            agree("looked_up", ids=ids, weight=weight, padding_idx=padding)
    agree("looked_up_kernel", ids=np.array([[1, 1], [0, 3]]), weight=table(rng, 4, 5, dtype="f"))


@hidden("embedding: what is refused", points=8)
def embedding_refused(refuses, rng):
    """Ids below 0 or beyond the table: IndexError with the id; no ints, no floats: TypeError."""
    count = int(rng.integers(5, 9))
    good = {"ids": rng.integers(0, count, 4), "weight": table(rng, count, 2), "padding_idx": 0}
    for wrong in (count, count + int(rng.integers(1, 90)), -1, -count):
        ids = np.array([0, 1, wrong, 2])
        refuses("look_up", IndexError, str(wrong), bad={**good, "ids": ids}, good=good)
    for padding in (count, -count - 1):
        refuses("look_up", IndexError, bad={**good, "padding_idx": padding}, good=good)
    for ids in (np.array([1.0, 2.0]), np.array([True, False])):
        refuses("look_up", TypeError, bad={**good, "ids": ids}, good=good)
    whole = good["weight"].astype(int)
    refuses("look_up", TypeError, bad={**good, "weight": whole}, good=good)
    refuses("look_up", ValueError, bad={**good, "weight": good["weight"][0]}, good=good)


@shown("scatter_add: an id that comes twice", points=4)
def scatter_small(agree, rng):
    """total[v] is the sum of all rows whose id is v; rows of no id are 0."""
    agree("scattered", ids=np.array([2, 0, 2]), rows=table(rng, 3, 2), count=4)


@hidden("scatter_add: random ids", points=8)
def scatter_random(agree, rng):
    """Flatten ids and rows alike; places must not overflow the ids' own kind of int."""
    for shape, kind in (((2, 3), np.int64), ((), np.int32), ((0,), np.int64), ((5, 4), np.int8)):
        count, size = int(rng.integers(2, 60)), int(rng.integers(4, 9))
        ids = rng.integers(0, count, shape).astype(kind)
        agree("scattered", ids=ids, rows=table(rng, *shape, size), count=count)
    ids = rng.integers(90, 110, (4, 3)).astype(np.int8)
    agree("scattered", ids=ids, rows=table(rng, 4, 3, 2, dtype=np.float32), count=110, **SINGLE)
    for kind in (np.uint8, np.uint64):
        ids = rng.integers(30, 60, (2, 3)).astype(kind)
        agree("scattered", ids=ids, rows=table(rng, 2, 3, 9), count=60)
    turned = table(rng, 3, 4, 2).transpose(2, 0, 1)
    agree("scattered", ids=rng.integers(0, 3, (2, 3)), rows=turned, count=3)


@hidden("scatter_add: the rule of the table", points=12)
def embedding_rule(agree, rng):
    """None for the ids, a map for the table: the sums of g, and 0 in the padding row."""
    for padding in (None, 0, 2):
        for shape in ((3,), (2, 4)):
            ids = np.concatenate([rng.integers(0, 5, shape), np.full(shape, 2)])
            inputs = {"ids": ids, "weight": table(rng, 5, 3), "g": table(rng, *ids.shape, 3)}
            agree("pulled_rows", **inputs, padding_idx=padding)


@shown("Embedding.reset_parameters: a look-up in the layer", points=3)
def layer_small(agree, rng):
    """Call `embedding` with the layer's weight and padding_idx."""
    agree("layer_rows", ids=np.array([[1, 0]]), weight=table(rng, 3, 2), padding_idx=1)


@hidden("Embedding.reset_parameters: the numbers drawn", points=5)
def layer_drawn(agree, rng):
    """One standard_normal of the whole table; then the padding row is 0; then note_change."""
    for padding, dtype in ((None, np.float32), (2, np.float32), (0, np.float64)):
        inputs = {"sizes": [int(rng.integers(3, 7)), 4], "seed": int(rng.integers(1000))}
        agree("drawn", **inputs, padding_idx=padding, dtype=np.dtype(dtype).name)


@hidden("Embedding.reset_parameters: look-ups in layers", points=4)
def layer_random(agree, rng):
    """With padding and without, in float64 too; row 0 is a padding like any other."""
    for padding in (None, -1, 0, 2):
        ids = rng.integers(0, 6, (2, 3))
        agree("layer_rows", ids=ids, weight=table(rng, 6, 4), padding_idx=padding)


@shown("sinusoidal_encoding: three places", points=4)
def waves_small(agree):
    """Column 2i is sin(p · ωᵢ), column 2i + 1 is cos(p · ωᵢ), ωᵢ = 10000^(-2i / dim)."""
    agree("waves", length=3, dim=4, rows=[], **SINGLE)


@hidden("sinusoidal_encoding: random sizes, and far away", points=9)
def waves_random(agree, rng):
    """Compute in float64 and round at the end: a float32 has no exact sine of a large number."""
    for _ in range(3):
        length, dim = int(rng.integers(2, 30)), 2 * int(rng.integers(1, 9))
        agree("waves", length=length, dim=dim, rows=[], rtol=1e-6, atol=1e-7)
    length = int(rng.integers(20_000, 30_000))
    agree("waves", length=length, dim=4, rows=[length - 1, length // 2], rtol=1e-6, atol=1e-7)
    agree("waves", length=0, dim=4, rows=[])


@hidden("sinusoidal_encoding: what is refused", points=3)
def waves_refused(refuses, rng):
    """An odd dim would leave a sine without its cosine; sizes are not below 0."""
    good = {"length": int(rng.integers(2, 9)), "dim": 6, "rows": []}
    for wrong in ({"dim": 5}, {"dim": 1}, {"length": -1}, {"dim": -2}):
        refuses("waves", ValueError, bad={**good, **wrong}, good=good)


@shown("LearnedPositionalEmbedding.forward: two places", points=2)
def placed_small(agree, rng):
    """Add weight[offset : offset + T] to x."""
    agree("placed", x=table(rng, 2, 3), weight=table(rng, 5, 3), offset=None)


@hidden("LearnedPositionalEmbedding.forward: batches and offsets", points=5)
def placed_random(agree, rng):
    """T is the second axis from the end, whatever stands in front; gradients follow."""
    for shape, offset in (((2, 3, 4), None), ((3, 2, 4), 3), ((2, 1, 2, 4), 1), ((6, 4), 0)):
        agree("placed", x=table(rng, *shape), weight=table(rng, 6, 4), offset=offset)


@hidden("LearnedPositionalEmbedding.forward: what is refused", points=3)
def placed_refused(refuses, rng):
    """A slice beyond the end comes out shorter, and may even broadcast: refuse it by numbers."""
    good = {"x": table(rng, 1, 3), "weight": table(rng, 4, 3), "offset": 1}
    wrong = {"4": {"offset": 4}, "-1": {"offset": -1}, "1": {"x": table(rng, 4, 3)}}
    for number, bad in {**wrong, "3": {"x": table(rng, 1, 1)}}.items():
        refuses("placed", ValueError, number, bad={**good, **bad}, good=good)


def turn(rng, *shape):
    """Vectors, and cosine and sine of random angles."""
    angles = rng.uniform(-4, 4, (shape[-2], shape[-1] // 2))
    return {"x": table(rng, *shape), "cos": np.cos(angles), "sin": np.sin(angles)}


@shown("rotate_array: one pair", points=3)
def rotate_small(agree, rng):
    """(a, b) -> (a · cos - b · sin, a · sin + b · cos)."""
    agree("rotated", **turn(rng, 1, 2))


@hidden("rotate_array: random pairs, and back", points=6)
def rotate_random(agree, rng):
    """Pairs are neighbours; y is new, in the dtype of x. The rule turns g by opposite angles."""
    for shape in ((3, 4), (2, 3, 6), (2, 2, 1, 8), (0, 4)):
        inputs = turn(rng, *shape)
        agree("rotated", **inputs)
        agree("pulled_turn", **inputs, g=table(rng, *shape))
    inputs = turn(rng, 2, 3, 4)
    agree("rotated", **{**inputs, "x": inputs["x"].astype(np.float32)}, **SINGLE)


@hidden("rotate_array: tables of the angles", points=4)
def rotate_tables(agree, rng):
    """cos and sin of p · base^(-2i / dim) for all p < max_length, in float64."""
    for _ in range(3):
        inputs = {"dim": 2 * int(rng.integers(1, 6)), "max_length": int(rng.integers(1, 9))}
        agree("tables", **inputs, base=float(rng.uniform(50, 20_000)))


@hidden("rotate_array: the layer", points=7)
def rotary_layer(agree, refuses, rng):
    """`rotate_array` by rows offset … offset + T of both tables, in x's dtype; or is refused."""
    base = float(rng.uniform(50, 500))
    for shape, offset in (((2, 3, 5, 6), None), ((4, 6), 3), ((3, 1, 6), 8)):
        inputs = {"dim": 6, "max_length": 9, "base": base, "offset": offset}
        agree("turned", x=table(rng, *shape), **inputs)
        agree("turned", x=table(rng, *shape, dtype=np.float32), **inputs, **SINGLE)
    good = {"x": table(rng, 3, 6), "dim": 6, "max_length": 9, "base": base, "offset": 6}
    wrong = {"7": {"offset": 7}, "-1": {"offset": -1}, "6": {"x": table(rng, 3, 4)}}
    for number, bad in wrong.items():
        refuses("turned", ValueError, number, bad={**good, **bad}, good=good)
