"""Hidden and shown checks of 06_autograd; otter-grader runs this file in the trusted process."""

import math

import numpy as np
from otter.test_files import test_case

OK_FORMAT = False
name = "06_autograd"
points = 100


def hidden(name, points):
    """Make a check of which a student learns no more than the hint, the function's docstring."""
    return lambda check: test_case(name, points, hidden=True, failure_message=check.__doc__)(check)


def shown(name, points):
    """Make a check that also shows its values, or the exception."""
    return lambda check: test_case(name, points, hidden=False, failure_message=check.__doc__)(check)


def pull(agree, rng, rule, op, *inputs, **settings):
    """Hold the maps of a rule, called alone, against the reference's, for a random gradient."""
    inputs = [np.asarray(x) if isinstance(x, np.generic) else x for x in inputs]
    y = np.asarray(op(*inputs))
    g = np.asarray(rng.normal(0, 2, y.shape))
    agree("pulled", rule=rule, y=y, inputs=inputs, g=g, settings=settings)


def numbers(rng, *shape):
    """Return random numbers of both signs, none near 0."""
    return np.asarray(rng.uniform(0.3, 2, shape) * rng.choice([-1, 1], shape))


@shown("unbroadcast: a row and a column", points=2)
def unbroadcast_small(agree, rng):
    """Sum over the axis along which the input was repeated."""
    g = rng.integers(1, 9, (2, 3)).astype(float)
    for shape in ((3,), (2, 1), (2, 3)):
        agree("summed", g=g, shape=shape)


@hidden("unbroadcast: random shapes", points=5)
def unbroadcast_random(agree, rng):
    """Axes in front are summed, and axes of size 1 that grew; the result has the input's shape."""
    for _ in range(8):
        whole, cut = rng.integers(2, 5, 4), int(rng.integers(0, 5))
        shape = np.where(rng.random(4) < 0.5, whole, 1)[cut:]
        agree("summed", g=rng.normal(0, 1, whole), shape=shape.tolist())


@hidden("unbroadcast: one, none and nothing", points=3)
def unbroadcast_odd(agree, rng):
    """An axis of size 1 that did not grow stays; () and sizes of 0 are shapes too."""
    g = rng.normal(0, 1, (2, 1, 3))
    for shape in ((2, 1, 3), (1, 1, 3), (1, 3), (), (1,), (1, 1)):
        agree("summed", g=g, shape=shape)
    agree("summed", g=np.zeros((0, 3)), shape=(1, 3))
    agree("summed", g=np.zeros((2, 0)), shape=())
    agree("summed", g=g.astype(np.float32), shape=(3,), rtol=1e-5)


@shown("add_rule: a product and a sum", points=2)
def arithmetic_small(agree, rng):
    """y = ab: b for a, a for b. y = a + b: 1 for both."""
    a, b = np.array([2.0, -1.0]), np.array([3.0, 5.0])
    pull(agree, rng, "multiply_rule", np.multiply, a, b)
    pull(agree, rng, "add_rule", np.add, a, b)


@hidden("add_rule: all six with random numbers", points=4)
def arithmetic_random(agree, rng):
    """Check each with check_grads; also where one of both is a plain number, or broadcast."""
    for shapes in (((2, 3), (2, 3)), ((3,), (2, 1)), ((), (4,))):
        a, b = (numbers(rng, *shape) for shape in shapes)
        pull(agree, rng, "add_rule", np.add, a, b)
        pull(agree, rng, "subtract_rule", np.subtract, a, b)
        pull(agree, rng, "multiply_rule", np.multiply, a, b)
        pull(agree, rng, "divide_rule", np.divide, a, b)
        pull(agree, rng, "power_rule", np.power, np.abs(a), b)
        pull(agree, rng, "negative_rule", np.negative, a)
    number = float(rng.uniform(2, 3))
    for rule, op in (("multiply_rule", np.multiply), ("divide_rule", np.divide)):
        pull(agree, rng, rule, op, a, number)
        pull(agree, rng, rule, op, number, b)


@hidden("add_rule: powers of nothing and to nothing", points=4)
def powers(agree, rng):
    """a⁰ has slope 0 everywhere, 0ᵇ slope 0 for b; numbers may be negative for a whole exponent."""
    a = numbers(rng, 2, 3)
    for exponent in (2, 3, -1, 0, 1):
        pull(agree, rng, "power_rule", np.power, np.abs(a), exponent * np.ones(3))
        pull(agree, rng, "power_rule", lambda a, b: a**b, a, exponent)
        pull(agree, rng, "power_rule", np.power, a, np.array([exponent, 2, 1]))
    zeros = np.array([0.0, 0.0, 2.0, 0.0])
    pull(agree, rng, "power_rule", np.power, zeros, np.array([0.0, 1.0, 0.0, 2.5]))
    pull(agree, rng, "power_rule", np.power, 2, a)


def require_order(places, pairs):
    """Raise unless places is a topological order of the graph of these pairs."""
    reach, stack = set(), [len(pairs) + 2]
    wanted = [True, False, True]
    for a, b in pairs:
        wanted.append(wanted[a] or wanted[b])
    while stack:
        n = stack.pop()
        if n not in reach and n > 2 and wanted[n]:
            reach.add(n)
            stack += pairs[n - 3]
    places = [int(n) for n in places]
    assert len(places) == len(set(places)), f"a tensor comes twice in {places}"
    assert set(places) == reach, f"expected the tensors {sorted(reach)}, got {sorted(places)}"
    for at, n in enumerate(places):
        late = reach.intersection(pairs[n - 3]) - set(places[:at])
        assert not late, f"tensor {n} comes before {late}, which it was made from"


@hidden("topological_order: random graphs", points=6)
def order_random(student, rng):
    """Every tensor with a recipe once, its inputs before it; leaves and constants not at all."""
    for length in (1, 4, 8, 16, 16):
        pairs = [[int(n) for n in rng.integers(0, k, 2)] for k in range(3, 3 + length)]
        pairs.append([length + 2, int(rng.integers(0, length + 3))])
        require_order(student.run("order", pairs=pairs), pairs)
    require_order(
        student.run("order", pairs=[[0, 1], [3, 3], [4, 3], [5, 0], [6, 5]]),
        pairs=[[0, 1], [3, 3], [4, 3], [5, 0], [6, 5]],
    )


@hidden("topological_order: a long chain", points=4)
def order_long(agree, rng):
    """A chain of thousands of operations exceeds Python's limit of calls in each other."""
    agree("long_order", length=int(rng.integers(20_000, 21_000)))


@shown("backward: a reused product", points=2)
def backward_reused(agree, rng):
    """(xw)² at x = 2, w = 3 has the slope 24 for w: its gradient comes from two uses of xw."""
    agree("walk", pairs=[(0, 1), (2, 2)], leaves=[np.array(2.0), np.array(3.0)], g=np.array(1.0))
    leaves = list(rng.normal(0, 2, (2, 3)))
    agree("walk", pairs=[(0, 1), (2, 0), (3, 2)], leaves=leaves, g=rng.normal(0, 1, 3))


@hidden("backward: random graphs", points=6)
def backward_random(agree, rng):
    """A tensor passes its gradient on when all its uses have added to it, not before."""
    for length in (3, 6, 9, 9):
        pairs = [[int(n) for n in rng.integers(0, k, 2)] for k in range(3, 3 + length)]
        pairs.append([length + 2, int(rng.integers(0, length + 3))])
        leaves = list(rng.uniform(0.5, 1.5, (3, 2)) * rng.choice([-1, 1], (3, 2)))
        agree("walk", pairs=pairs, leaves=leaves, g=rng.normal(0, 1, 2))


@hidden("backward: sums in memory of their own", points=4)
def backward_memory(agree, rng):
    """A map may return what others have: what a leaf keeps is its own, the next walk adds to it."""
    for again in (1, 2, 3):
        x, y, g = rng.normal(0, 1, (3, 4))
        for new in (False, True):
            agree("walk_twice", x=x, y=y, g=g, again=again, new=new)
        agree("walk_twice", x=x.astype(np.float32), y=y, g=g, again=again, new=False, rtol=1e-5)


@hidden("backward: a long chain, freed", points=4)
def backward_far(agree, rng):
    """Walk without recursion, and let go of what each recipe that was used kept alive."""
    agree("walk_far", length=int(rng.integers(10_000, 11_000)), number=float(rng.normal()))


@hidden("backward: what is refused, and who is not asked", points=4)
def backward_refusals(agree, refuses, rng):
    """A second walk needs retain_graph, changed numbers are gone; an error leaves every grad."""
    x = rng.normal(0, 1, 3)
    good = {"x": x, "retain": False, "walks": 1, "change": False, "lazily": True}
    refuses("walk_again", RuntimeError, "retain_graph", bad={**good, "walks": 2}, good=good)
    refuses("walk_again", RuntimeError, "in place", bad={**good, "change": True}, good=good)
    agree("walk_again", **{**good, "lazily": False, "retain": True, "walks": 3})
    good = {"x": x, "g": rng.normal(0, 1, 3), "known": True, "wanted": True}
    refuses("walk_from", NotImplementedError, "triple", bad={**good, "known": False}, good=good)
    refuses("walk_from", RuntimeError, bad={**good, "wanted": False}, good=good)
    refuses("walk_from", RuntimeError, bad={**good, "g": None}, good=good)
    refuses("walk_from", ValueError, bad={**good, "g": np.ones(2)}, good=good)
    agree("walk_failed", x=x, g=rng.normal(0, 1, 3))


def sigmoid(x):
    """The function, far out as well."""
    return 0.5 * (1 + np.tanh(x / 2))


def softmax(x, dim):
    """The function."""
    e = np.exp(x - x.max(axis=dim, keepdims=True))
    return e / e.sum(axis=dim, keepdims=True)


@hidden("exp_rule: functions of one number", points=6)
def functions_random(agree, rng):
    """Check each with check_grads; at 0, |x| and relu have slope 0, leaky_relu its small one."""
    for x in (numbers(rng, 3, 4), numbers(rng), np.array([0.0, -1.5, 0.0, 2.0])):
        positive, slope = np.abs(x) + 0.1, float(rng.uniform(0.1, 0.4))
        pull(agree, rng, "exp_rule", np.exp, x)
        pull(agree, rng, "log_rule", np.log, positive)
        pull(agree, rng, "sqrt_rule", np.sqrt, positive)
        pull(agree, rng, "abs_rule", np.abs, x)
        pull(agree, rng, "relu_rule", lambda x: np.maximum(x, 0), x)
        leaky = np.where(x > 0, x, slope * x)
        pull(agree, rng, "leaky_relu_rule", lambda x, y=leaky: y, x, negative_slope=slope)


@hidden("exp_rule: smooth activations", points=6)
def activations_random(agree, rng):
    """Check each with check_grads, also at ±1000; softmax couples the numbers along dim."""
    for x in (rng.normal(0, 2, (3, 4)), np.array([-1000.0, -20.0, 0.0, 20.0, 1000.0])):
        pull(agree, rng, "sigmoid_rule", sigmoid, x)
        pull(agree, rng, "tanh_rule", np.tanh, x)
        pull(agree, rng, "silu_rule", lambda x: x * sigmoid(x), x)
        inner = math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)
        pull(agree, rng, "gelu_rule", lambda x, t=inner: 0.5 * x * (1 + np.tanh(t)), x)
    for dim in (0, 1, -1):
        x = rng.normal(0, 2, (3, 4))
        pull(agree, rng, "softmax_rule", lambda x, d=dim: softmax(x, d), x, dim=dim)
        pull(agree, rng, "log_softmax_rule", lambda x, d=dim: np.log(softmax(x, d)), x, dim=dim)


@hidden("clip_rule: clip, maximum and where", points=4)
def choices_random(agree, rng):
    """The gradient goes where the number came from; bounds count as inside, equals share."""
    x, low, high = rng.integers(-3, 4, (3, 4)) / 2, np.array(-0.5), np.full((3, 1), 1.0)
    pull(agree, rng, "clip_rule", np.clip, x, low, high)
    pull(agree, rng, "clip_rule", np.clip, x, (-0.5), 0.5)
    pull(agree, rng, "clip_rule", np.clip, x, None, 0.5)
    pull(agree, rng, "clip_rule", np.clip, x, (-0.5), None)
    pull(agree, rng, "maximum_rule", np.maximum, x, rng.integers(-3, 4, 4) / 2)
    pull(agree, rng, "maximum_rule", np.maximum, x, 0.5)
    condition = rng.random((3, 4)) < 0.5
    pull(agree, rng, "where_rule", np.where, condition, x, numbers(rng, 4))


@hidden("clip_rule: the largest and the smallest", points=4)
def extremes_random(agree, rng):
    """Along each axis and all of them; among n equals each gets the n-th part."""
    x = rng.integers(0, 3, (2, 3, 4)) / 2
    for op in (np.max, np.min):
        for axis in (None, (0,), (2,), (0, 2)):
            for keepdims in (False, True):
                settings = {"axis": axis, "keepdims": keepdims}
                pull(
                    agree, rng, "extreme_rule", lambda x, o=op, s=settings: o(x, **s), x, **settings
                )


def reduce(agree, rng, rule, op, **more):
    """Hold the rule of a reduction against the reference's along every axis."""
    x = rng.normal(0, 1, (2, 3, 4))
    for axis in (None, (0,), (1,), (0, 2), (2, 1)):
        for keepdims in (False, True):
            y = op(x, axis=axis, keepdims=keepdims)
            settings = {"axis": axis, "keepdims": keepdims, **more}
            pull(agree, rng, rule, lambda x, y=y: y, x, **settings)


@hidden("sum_rule: sum and mean", points=4)
def sums_random(agree, rng):
    """Each number of x gets the gradient of the result it went into; for the mean the n-th part."""
    reduce(agree, rng, "sum_rule", np.sum, dtype=None)
    reduce(agree, rng, "mean_rule", np.mean)


@hidden("sum_rule: var", points=4)
def variance_random(agree, rng):
    """∂y/∂x = 2 (x - mean) / (n - correction), the mean along the same axes."""
    for ddof in (0, 1):
        reduce(agree, rng, "var_rule", np.var, ddof=ddof)
        x = rng.normal(3, 1, 5)
        y = np.var(x, ddof=ddof)
        pull(agree, rng, "var_rule", lambda x, y=y: y, x, axis=None, ddof=ddof, keepdims=False)


@shown("matmul_rule: a small product", points=1)
def matmul_small(agree, rng):
    """G Bᵀ for A, Aᵀ G for B."""
    a, b = rng.integers(1, 9, (2, 2, 3)).astype(float)
    pull(agree, rng, "matmul_rule", np.matmul, a, b.T)


@hidden("matmul_rule: matrices, vectors and batches", points=4)
def matmul_random(agree, rng):
    """A vector on the left is a row, on the right a column; batch axes may be missing or 1."""
    k = int(rng.integers(3, 6))
    for a in ((2, k), (k,), (4, 2, k), (3, 1, 2, k), (0, k)):
        for b in ((k, 5), (k,), (4, k, 5), (4, k, 1)):
            pull(agree, rng, "matmul_rule", np.matmul, numbers(rng, *a), numbers(rng, *b))


@hidden("matmul_rule: the linear layer", points=3)
def linear_random(agree, rng):
    """G W for x, Gᵀ X for W, and for b every row of G; x has any number of axes in front."""
    weight, bias = numbers(rng, 5, 3), numbers(rng, 5)
    for shape in ((4, 3), (3,), (2, 4, 3), (0, 3)):
        x = numbers(rng, *shape)
        y = x @ weight.T
        pull(agree, rng, "linear_rule", lambda x, w, b: x @ w.T + b, x, weight, bias)
        pull(agree, rng, "linear_rule", lambda x, w, b, y=y: y, x, weight, None)


@hidden("reshape_rule: reshape, transpose and concatenate", points=3)
def shapes_random(agree, rng):
    """Back to the old shape; axis i of y is axis axes[i] of x; each array gets its own part."""
    x = rng.normal(0, 1, (2, 3, 4))
    pull(agree, rng, "reshape_rule", lambda x: x.reshape(4, 6), x, shape=(4, 6))
    for axes in ((1, 2, 0), (2, 0, 1), (0, 2, 1), (2, 1, 0)):
        pull(agree, rng, "transpose_rule", lambda x, a=axes: x.transpose(a), x, axes=axes)
    for axis in (0, 1, 2):
        sizes = [(5 if a == axis else n, n)[k] for k in (0, 1) for a, n in enumerate(x.shape)]
        parts = [rng.normal(0, 1, sizes[:3]), x, rng.normal(0, 1, sizes[3:])]
        pull(
            agree,
            rng,
            "concatenate_rule",
            lambda *p, a=axis: np.concatenate(p, a),
            *parts,
            axis=axis,
        )


@hidden("reshape_rule: every kind of index", points=3)
def indices_random(agree, rng):
    """What was not taken gets 0, what was taken twice gets the sum of both."""
    x, g = rng.normal(0, 1, (2, 4, 3, 4))
    places = np.array([0, 2, 0, 0, 3, 2])
    for kind in ("row", "steps", "mask", "places", "pairs"):
        agree("pulled_index", x=x, g=g, kind=kind, places=places)


@hidden("Recording.__enter__: contexts within each other", points=2)
def recording_nested(agree, rng):
    """Each end puts back what its beginning found; an error is not swallowed."""
    for fail in (False, True):
        agree("recorded", modes=[False, True, *(rng.random(4) < 0.5).tolist(), False], fail=fail)


@hidden("Recording.__enter__: one context, entered again", points=2)
def recording_again(agree, rng):
    """A context may be entered within itself, so what it found needs a stack."""
    agree("recorded_again", modes=[False, True, *(rng.random(3) < 0.5).tolist(), True])


@hidden("differences: cubes", points=2)
def differences_cubes(agree, rng):
    """Both sides: x³ has the slope 3x² + eps², one alone is off by 3x · eps. x is put back."""
    for shape in ((4,), (2, 3), ()):
        x, c = rng.normal(0, 1, shape), rng.uniform(1, 2, shape)
        agree("slopes", x=np.array(x), c=np.array(c), eps=0.125)
        agree("slopes", x=np.array(x), c=np.array(c), eps=1e-4)
        agree("slopes", x=np.array(1e-9 * x), c=np.array(c), eps=1e-4)


@hidden("differences: one number at a time", points=2)
def differences_default(agree, rng):
    """The others stay where they are meanwhile; f is called twice for each number."""
    x, c = rng.uniform(0.3, 0.7, (2, 2, 3))
    agree("slopes_by_default", x=x, c=c, rtol=1e-7)
