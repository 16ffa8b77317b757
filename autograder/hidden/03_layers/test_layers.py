"""Hidden and shown checks of 03_layers; otter-grader runs this file in the trusted process."""

import numpy as np
from otter.test_files import test_case

OK_FORMAT = False
name = "03_layers"
points = 100


def hidden(name, points):
    """Make a check of which a student learns no more than the hint, the function's docstring."""
    return lambda check: test_case(name, points, hidden=True, failure_message=check.__doc__)(check)


def shown(name, points):
    """Make a check that also shows its values, or the exception."""
    return lambda check: test_case(name, points, hidden=False, failure_message=check.__doc__)(check)


# Sums of a few float32 numbers in another order differ in the seventh digit.
SINGLE = {"rtol": 1e-5, "atol": 1e-5}


def single(rng, *shape):
    """Return random float32 numbers."""
    return rng.standard_normal(shape).astype(np.float32)


def sizes(rng, *wanted):
    """Return different sizes in random order: a size mistaken for another is then seen."""
    return [int(n) for n in rng.permutation(wanted)]


def layer(rng, outputs, inputs):
    """Return weight and bias of a layer, in float64."""
    return {"weight": rng.standard_normal((outputs, inputs)), "bias": rng.standard_normal(outputs)}


@shown("linear: two samples, three features, two outputs", points=4)
def linear_small(agree):
    """y[i, j] is the sum over k of x[i, k] * weight[j, k], plus bias[j]."""
    x, weight = np.array([[1.0, 2.0, 3.0], [0.0, -1.0, 1.0]]), np.array([[1.0, 0, 0], [10, 1, 2]])
    agree("weighted", x=x, weight=weight, bias=np.array([0.5, -1.0]))
    agree("weighted", x=x, weight=weight, bias=None)


@hidden("linear: random sizes and any number of axes", points=6)
def linear_random(agree, rng):
    """A vector, a matrix, a batch of matrices, none at all; one operation, `linear_array`."""
    n, inputs, outputs = sizes(rng, 3, 4, 5)
    for shape in ((n, inputs), (inputs,), (2, n, inputs), (2, 1, n, inputs), (0, inputs)):
        agree("weighted", x=rng.standard_normal(shape), **layer(rng, outputs, inputs))
    agree("weighted", x=np.ones((2, n, 0)), **layer(rng, outputs, 0))
    x, weight = single(rng, n, inputs), single(rng, outputs, inputs)
    agree("weighted", x=x, weight=weight, bias=single(rng, outputs), **SINGLE)
    agree("weighted", x=x, weight=weight, bias=None, **SINGLE)
    x = rng.standard_normal((n, inputs))
    agree("weighted_arrays", x=x, **layer(rng, outputs, inputs))
    agree("weighted", x=x, **layer(rng, inputs, inputs))


@hidden("linear: shapes and dtypes that do not fit", points=6)
def linear_refuses(refuses, rng):
    """Shapes: a ValueError that shows both. Ints, arrays, a mix of dtypes: a TypeError."""
    n, inputs, outputs = sizes(rng, 3, 4, 5)
    good = {"x": rng.standard_normal((n, inputs)), **layer(rng, outputs, inputs), "tensor": True}
    words = (f"({n}, {inputs + 2})", f"({outputs}, {inputs})")
    x = rng.standard_normal((n, inputs + 2))
    refuses("weighted_plain", ValueError, *words, bad={**good, "x": x}, good=good)
    refuses("weighted_plain", ValueError, bad={**good, "x": np.array(1.0)}, good=good)
    for bias in (np.ones(1), np.ones((1, outputs)), np.array(2.0)):
        refuses("weighted_plain", ValueError, bad={**good, "bias": bias}, good=good)
    refuses("weighted_plain", ValueError, bad={**good, "weight": np.ones(inputs)}, good=good)
    ints = rng.integers(1, 9, (n, inputs))
    refuses("weighted_plain", TypeError, "int64", bad={**good, "x": ints}, good=good)
    x = single(rng, n, inputs)
    refuses("weighted_plain", TypeError, "float32", bad={**good, "x": x}, good=good)
    bias = single(rng, outputs)
    refuses("weighted_plain", TypeError, "float32", bad={**good, "bias": bias}, good=good)
    refuses("weighted_plain", TypeError, bad={**good, "tensor": False}, good=good)


def require_uniform(numbers, bound):
    """Demand numbers that fill [-bound, bound] evenly, as far as so many can be told."""
    inside, error = numbers.ravel() / bound, 6 / np.sqrt(numbers.size)
    assert np.abs(inside).max() <= 1 + 1e-6, "outside of the bounds"
    assert np.abs(inside).max() > 1 - 2 * error, "far within the bounds"
    for edge in (-0.75, -0.5, 0.0, 0.5, 0.75):
        share = float((inside < edge).mean())
        assert abs(share - (1 + edge) / 2) < error / 2, f"{share:.0%} of them are below {edge}"


@shown("Linear.reset_parameters: a hundred inputs", points=3)
def reset_small(student, seed):
    """With 100 inputs, every number lies between -0.1 and 0.1, and reaches close to both."""
    (weight, bias), _, _ = student.run("initial", inputs=100, outputs=50, seed=seed)
    assert (weight.shape, bias.shape) == ((50, 100), (50,))
    require_uniform(weight, 0.1)
    assert 0 < np.abs(bias).max() <= 0.1 + 1e-7


@hidden("Linear.reset_parameters: bounds from the number of inputs", points=5)
def reset_bounds(student, seed, rng):
    """The bounds of weight and bias are ±1/√in, no other formula; weight and bias differ."""
    for inputs, outputs in (sizes(rng, 64, 300), sizes(rng, 16, 900), (4, 5000)):
        (weight, bias), again, another = student.run(
            "initial", inputs=inputs, outputs=outputs, seed=seed
        )
        require_uniform(weight, 1 / np.sqrt(inputs))
        require_uniform(bias, 1 / np.sqrt(inputs))
        assert (weight.dtype, bias.dtype) == (np.float32, np.float32)
        assert np.array_equal(again[0], weight) and np.array_equal(again[1], bias), "the same seed"
        assert (another[0] != weight).mean() > 0.9 and (another[1] != bias).mean() > 0.9
        assert (weight[:, 0] != bias).mean() > 0.9 and weight.std(axis=0).min() > 0


@hidden("Linear.reset_parameters: in place, and without inputs or bias", points=4)
def reset_in_place(agree, rng):
    """Write into the memory of both parameters, and call note_change; 0 inputs: a bias of 0."""
    agree("drawn_anew", inputs=int(rng.integers(3, 9)), outputs=int(rng.integers(3, 9)))
    agree("edges", outputs=int(rng.integers(2, 9)))


def require_dropout(x, y, p):
    """Demand that each element is 0 or divided by 1 - p, and that about a share p is 0."""
    stays, error = y != 0, 6 * np.sqrt(p * (1 - p) / x.size)
    assert y.dtype == x.dtype and y.shape == x.shape
    exact = 1e-5 if x.dtype == np.float32 else 1e-12
    np.testing.assert_allclose(y, np.where(stays, x / (1 - p), 0), rtol=exact)
    assert abs((~stays).mean() - p) < error, f"{(~stays).mean():.1%} are 0, expected {p:.1%}"
    return stays


@shown("dropout: one fifth of ten thousand ones", points=3)
def dropout_small(student, seed):
    """With p = 0.2 about a fifth become 0, the others 1 / 0.8 = 1.25."""
    x = np.ones((100, 100), np.float32)
    require_dropout(x, student.run("dropped", x=x, p=0.2, seed=seed)[0], 0.2)


@hidden("dropout: random p, shapes and seeds", points=5)
def dropout_random(student, seed, rng):
    """0 with probability p; others / (1 - p); another mask each time, the same for one seed."""
    for p in (0.1, float(rng.uniform(0.2, 0.4)), float(rng.uniform(0.6, 0.9))):
        for x in (rng.uniform(1, 2, (40, 50)), rng.uniform(-2, -1, (9, 8, 30)).astype(np.float32)):
            first, second, again, recorded, left = student.run("dropped", x=x, p=p, seed=seed)
            masks = [require_dropout(x, y, p) for y in (first, second)]
            both, error = (masks[0] & masks[1]).mean(), 6 * np.sqrt(0.25 / x.size)
            assert abs(both - (1 - p) ** 2) < error, "two masks in a row depend on each other"
            require_independent(masks[0], p)
            assert np.array_equal(first, again), "the same seed gives another mask"
            assert recorded and np.array_equal(left, x)


def require_independent(stays, p):
    """Demand that the elements of a row, or of a column, do not fall together."""
    rows = stays.reshape(len(stays), -1)
    for axis in (0, 1):
        assert rows.mean(axis=axis).var() < p * (1 - p) / 2, "whole rows or columns fall together"


@hidden("dropout: nothing in use, all with p = 1", points=4)
def dropout_never(agree, rng):
    """training=False and p = 0 return x itself, ints too; p = 1 gives zeros, and no NaN."""
    agree("dropped_never", x=rng.standard_normal((3, 4)))
    agree("dropped_never", x=single(rng, 5))
    agree("dropped_steps", x=rng.standard_normal((3, 4)), p=float(rng.uniform(0.1, 0.9)))


@hidden("dropout: what is no probability, and ints", points=4)
def dropout_refuses(refuses, rng):
    """ValueError unless 0 <= p <= 1, in use too; TypeError for ints in training."""
    good = {"x": rng.standard_normal((2, 3)), "p": 0.5, "training": True}
    for p in (-0.1, 1.1, float("nan"), 50.0):
        refuses("dropped_plain", ValueError, bad={**good, "p": p}, good=good)
    refuses("dropped_plain", TypeError, "int64", bad={**good, "x": np.arange(6)}, good=good)
    for training in (True, False):
        scalar = {"x": np.array(rng.uniform(1, 2)), "p": 0.5, "training": training}
        refuses("dropped_plain", ValueError, bad={**scalar, "p": 2.0}, good=scalar)


@shown("contents: a list in a dict in a list", points=2)
def contents_small(agree):
    """The path goes down with a dot, an index or a key for each level."""
    agree("opened", name="blocks", value=[7, {"a": 8, "b": ["tuple", 9]}])
    agree("opened", name="one", value=3)


@hidden("contents: random nesting", points=3)
def contents_random(agree, rng):
    """Any depth, any order, empty containers, and names that differ in case."""

    def nested(depth):
        kind = rng.integers(4) if depth else 0
        if kind == 0:
            return int(rng.integers(100))
        parts = [nested(depth - 1) for _ in range(rng.integers(0, 4))]
        keys = (f"{chr(97 + int(rng.integers(26)))}{i}" for i in range(len(parts)))
        return {1: parts, 2: ["tuple", *parts], 3: dict(zip(keys, parts, strict=False))}[int(kind)]

    for name in ("layers", "x", "a.b"):
        agree("opened", name=name, value=[nested(4), {"K": nested(3), "k": [nested(2)]}, 5])
    for value in ([], {}, ["tuple"], 0, "text", None, [[[1]], [[]]]):
        agree("opened", name="it", value=value)


@hidden("contents: kinds of lists and dicts", points=3)
def contents_kinds(agree, rng):
    """isinstance knows an OrderedDict and a namedtuple; a text is no list of letters."""
    agree("opened_kinds", values=[int(n) for n in rng.integers(100, size=2)])


@shown("Module.named_modules: a module in a module", points=4)
def named_small(agree):
    """Names go down with dots, the module itself has the empty one; parameters likewise."""
    w = np.array([1.0, 2.0])
    agree("walked", spec={"w": w, "first": {"w": w, "inner": {"v": w}}, "second": {"w": w}})


@hidden("Module.named_modules: random trees", points=6)
def named_random(agree, rng):
    """Depth first, in order of assignment; own parameters before those of children."""

    def tree(depth):
        kinds = rng.integers(0, 2, 4) if depth else [0, 0]
        parts = [tree(depth - 1) if kind else rng.standard_normal(2) for kind in kinds]
        return {f"{chr(97 + int(rng.integers(26)))}{i}": part for i, part in enumerate(parts)}

    for depth in (0, 1, 3):
        agree("walked", spec={"z": rng.standard_normal(3), "net": tree(depth), "last": tree(1)})


@hidden("Module.named_modules: shared modules and parameters", points=6)
def named_shared(agree, rng):
    """What is met again is passed over, under whatever name; a ring of modules ends."""
    w, v = rng.standard_normal((2, 3))
    agree("walked", spec={"w": w, "again": "w", "net": {"tied": "w", "v": v}, "last": {"v": v}})
    net = {"w": w, "deep": {"v": v, "up": "net"}}
    agree("walked", spec={"net": net, "same": "net", "b": {"deep": "net.deep", "w": "net.w"}})
    agree("walked_apart", arrays=[w, v])


@hidden("Module.train: every module below", points=3)
def train_all(agree, rng):
    """train(mode) reaches all below, by their own train, and returns the module itself."""
    agree("switched", modes=[bool(mode) for mode in rng.random(4) < 0.5])
    agree("switched", modes=[False, True, False])


@hidden("Module.train: what is no mode", points=3)
def train_refuses(refuses):
    """A ValueError that shows what came, for all but True and False."""
    for bad in (1, 0, None, "train"):
        refuses("switched_to", ValueError, str(bad), bad={"mode": bad}, good={"mode": True})
    refuses("switched_to", ValueError, bad={"mode": np.ones(2)}, good={"mode": False})


def loading(rng):
    """Return two arrays for a model, and a state for it with other numbers."""
    w, b = single(rng, 2, 3), single(rng, 4)
    state = {"weight": w + 1, "bias": b + 2, "steps": np.array(int(rng.integers(2, 99)))}
    state |= {"part.weight": w + 3, "part.bias": b + 4, "part.steps": np.array(1)}
    return {"w": w, "b": b, "steps": 0}, state


@shown("Module.state_dict: names and numbers, there and back", points=3)
def state_small(agree, rng):
    """state_dict names every parameter and buffer; load_state_dict copies by those names."""
    agree("state", w=np.array([[1.0]]), b=np.array([2.0, 3.0]), steps=4)
    model, state = loading(rng)
    agree("loaded", **model, state=state, strict=True)


@hidden("Module.state_dict: order, memory, shared parameters and buffers", points=5)
def state_random(agree, rng):
    """Detached, same memory; parameters, persistent buffers, what children say; each name."""
    for shape in ((2, 3), (1,), ()):
        w, steps = rng.standard_normal(shape), int(rng.integers(99))
        agree("state", w=w, b=single(rng, 4), steps=steps)


@hidden("Module.state_dict: loading in place", points=5)
def load_random(agree, rng):
    """Tensors and arrays, in any order, float64 rounded to float32; memory stays, noted."""
    model, state = loading(rng)
    agree("loaded", **model, state=dict(reversed(state.items())), strict=True)
    wide = {key: x.astype(float) if x.dtype.kind == "f" else x for key, x in state.items()}
    agree("loaded", **model, state=wide, strict=False)
    few = {key: state[key] for key in ("bias", "part.weight")} | {"head.bias": np.ones(2)}
    agree("loaded", **model, state=few, strict=False)


@hidden("Module.state_dict: a state that does not fit", points=5)
def load_refuses(agree, refuses, student, rng):
    """A ValueError that names all: missing, unexpected, both shapes, no array; no copy of any."""
    model, state = loading(rng)
    good = {**model, "state": state, "strict": True}
    less = {key: x for key, x in state.items() if key != "part.bias"}
    refuses("loaded", ValueError, "part.bias", bad={**good, "state": less}, good=good)
    more = {**state, "head.weight": np.ones(3)}
    refuses("loaded", ValueError, "head.weight", bad={**good, "state": more}, good=good)
    for shape in ((3, 2), (2, 1), (3,), (1, 2, 3)):
        bad = {**good, "state": {**state, "part.weight": np.ones(shape)}}
        words = ("part.weight", str(shape), "(2, 3)")
        for strict in (True, False):
            refuses("loaded", ValueError, *words, bad={**bad, "strict": strict}, good=good)
    floats = {**state, "steps": np.array(1.5)}
    refuses("loaded", ValueError, "steps", bad={**good, "state": floats}, good=good)
    lists = {**state, "weight": state["weight"].tolist()}
    refuses("loaded", ValueError, "weight", bad={**good, "state": lists}, good=good)
    pairs = {"w": model["w"], "pairs": True}
    refuses("loaded_pairs", TypeError, bad=pairs, good={**pairs, "pairs": False})
    w, b, bad = model["w"], model["b"], {"weight": model["w"] + 1, "bias": np.ones((9, 8))}
    weight, bias, said = student.run("loaded_badly", w=w, b=b, state={**bad, "head": b})
    assert np.array_equal(weight, w) and np.array_equal(bias, b), "a part of it was loaded"
    assert all(word in said for word in ("head", "bias", "(9, 8)", "(4,)")), said


@hidden("Sequential.forward: a chain of functions and modules", points=4)
def sequential_random(agree, rng):
    """Each gets what the one before returned; any callable, a Sequential too; none: x itself."""
    for count in (1, 2, 4):
        factors = rng.uniform(-3, 3, count).tolist()
        agree("chained", x=rng.standard_normal((2, 3)), factors=factors)


@hidden("Sequential.forward: picking layers", points=4)
def sequential_picks(agree, refuses, rng):
    """From either end; a slice is a Sequential that keeps names; else IndexError, TypeError."""
    count = int(rng.integers(4, 8))
    for index in (0, count - 1, -1, -count, int(rng.integers(count))):
        agree("picked", count=count, index=index)
    for index in (
        [1, None, None],
        [None, -1, None],
        [None, None, 2],
        [None, None, -1],
        [9, 9, None],
    ):
        agree("picked", count=count, index=index)
    for bad in (count, -count - 1):
        good = {"count": count, "index": -1}
        refuses("picked", IndexError, str(count), bad={**good, "index": bad}, good=good)
    for bad in (1.5, "layer1"):
        refuses("picked", TypeError, bad={**good, "index": bad}, good=good)
