"""What module 06 must do. Run it with `tito test 06`; the first sentence below a name says why."""

import numpy as np
import pytest

from tinytorch import autograd
from tinytorch.autograd import (
    backward,
    differences,
    enable_grad,
    no_grad,
    topological_order,
    unbroadcast,
    vjp,
)
from tinytorch.tensor import Tensor, apply

# A warning such as "divide by zero" is a failure: the rule needs another form.
pytestmark = pytest.mark.filterwarnings("error")


def leaf(*numbers):
    """A tensor of float64 numbers that wants a gradient."""
    return Tensor(np.array(numbers, dtype=float), requires_grad=True)


def times(a, b):
    """An operation with a rule of its own, so that these tests need none of yours."""
    return a * b


def plus(a, b):
    """Another."""
    return a + b


vjp(times)(lambda y, a, b: (lambda g: g * b, lambda g: g * a))
vjp(plus)(lambda y, a, b: (lambda g: g, lambda g: g))


def maps(rule, y, *inputs, **settings):
    """The maps of a rule as a tuple, one per input."""
    found = getattr(autograd, rule)(np.asarray(y), *inputs, **settings)
    return tuple(found) if isinstance(found, tuple | list) else (found,)


def rules(task, *cases):
    """The cases of one task, each with a name of its own."""
    return [pytest.param(*case, id=case[0], marks=pytest.mark.task(task)) for case in cases]


A, B = np.array([[1.0, -2.0, 0.5], [-1.5, 3.0, 2.0]]), np.array([[2.0, 1.5, -1.0], [0.5, 1.0, 3.0]])
P = np.abs(A)
SIGMOID = 1 / (1 + np.exp(-A))
SOFTMAX = np.exp(A) / np.exp(A).sum(axis=1, keepdims=True)


def gelu(x):
    """The tanh form."""
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


def softmax(x):
    """Along rows."""
    return np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)


WHOLE = {"axis": None, "keepdims": False}
ROWS = {"axis": (1,), "keepdims": False}
EVERY_RULE = [
    *rules(
        "add_rule",
        ("add_rule", np.add, (A, B), {}),
        ("subtract_rule", np.subtract, (A, B), {}),
        ("negative_rule", np.negative, (A,), {}),
        ("multiply_rule", np.multiply, (A, B), {}),
        ("divide_rule", np.divide, (A, B), {}),
        ("power_rule", np.power, (P, B), {}),
    ),
    *rules(
        "exp_rule",
        ("exp_rule", np.exp, (A,), {}),
        ("log_rule", np.log, (P,), {}),
        ("sqrt_rule", np.sqrt, (P,), {}),
        ("abs_rule", np.abs, (A,), {}),
        ("relu_rule", lambda x: np.maximum(x, 0), (A,), {}),
        ("leaky_relu_rule", lambda x: np.where(x > 0, x, x / 4), (A,), {"negative_slope": 0.25}),
        ("sigmoid_rule", lambda x: 1 / (1 + np.exp(-x)), (A,), {}),
        ("tanh_rule", np.tanh, (A,), {}),
        ("gelu_rule", gelu, (A,), {}),
        ("silu_rule", lambda x: x / (1 + np.exp(-x)), (A,), {}),
        ("softmax_rule", softmax, (A,), {"dim": 1}),
        ("log_softmax_rule", lambda x: np.log(softmax(x)), (A,), {"dim": 1}),
    ),
    *rules(
        "clip_rule",
        ("clip_rule", np.clip, (A, np.full((2, 3), -1.2), np.full((2, 3), 1.2)), {}),
        ("maximum_rule", np.maximum, (A, B), {}),
        ("where_rule", np.where, (A > 0, A, B), {}),
        ("extreme_rule", np.max, (A,), WHOLE),
        ("extreme_rule", lambda x: x.min(axis=1), (A,), ROWS),
    ),
    *rules(
        "sum_rule",
        ("sum_rule", np.sum, (A,), {**WHOLE, "dtype": None}),
        ("sum_rule", lambda x: x.sum(axis=1), (A,), {**ROWS, "dtype": None}),
        ("mean_rule", np.mean, (A,), WHOLE),
        ("mean_rule", lambda x: x.mean(axis=1), (A,), ROWS),
        ("var_rule", np.var, (A,), {**WHOLE, "ddof": 0}),
        ("var_rule", lambda x: x.var(axis=1, ddof=1), (A,), {**ROWS, "ddof": 1}),
    ),
    *rules(
        "matmul_rule",
        ("matmul_rule", np.matmul, (A, B.T), {}),
        ("matmul_rule", np.matmul, (A, B[0]), {}),
        ("linear_rule", lambda x, w, b: x @ w.T + b, (A, B, np.ones(2)), {}),
    ),
    *rules(
        "reshape_rule",
        ("reshape_rule", lambda x: x.reshape(3, 2), (A,), {"shape": (3, 2)}),
        ("transpose_rule", np.transpose, (A,), {"axes": (1, 0)}),
        ("concatenate_rule", lambda a, b: np.concatenate([a, b], 1), (A, B), {"axis": 1}),
    ),
]


@pytest.mark.parametrize(("rule", "operation", "inputs", "settings"), EVERY_RULE)
def test_the_rule_is_the_slope(rule, operation, inputs, settings):
    """Σ g · y grows by the map of g when an input grows: compared with finite differences."""
    inputs = [np.array(x) for x in inputs]
    y = np.asarray(operation(*inputs))
    g = np.cos(np.arange(y.size)).reshape(y.shape)
    for number, (x, pull) in enumerate(
        zip(inputs, maps(rule, y, *inputs, **settings), strict=True)
    ):
        if x.dtype == bool:
            continue
        want, got = np.empty_like(x), np.asarray(pull(g))
        got = got.sum(axis=tuple(range(got.ndim - x.ndim)))  # as the engine does: `unbroadcast`
        for at in np.ndindex(x.shape):
            ends = []
            for step in (1e-6, -1e-6):
                moved = [z.copy() for z in inputs]
                moved[number][at] += step
                ends.append((operation(*moved) * g).sum())
            want[at] = (ends[0] - ends[1]) / 2e-6
        np.testing.assert_allclose(np.broadcast_to(got, x.shape), want, atol=1e-7)


@pytest.mark.task("unbroadcast")
def test_a_row_that_was_added_to_every_row_gets_the_sum_of_the_columns():
    """An element that was used n times gets n gradients, added."""
    g = np.array([[1.0, 2.0, 3.0], [10.0, 20.0, 30.0]])
    assert unbroadcast(g, (3,)).tolist() == [11, 22, 33]
    assert unbroadcast(g, (1, 3)).tolist() == [[11, 22, 33]]
    assert unbroadcast(g, (2, 1)).tolist() == [[6], [60]]
    assert unbroadcast(g, ()).tolist() == 66


@pytest.mark.task("unbroadcast")
def test_an_axis_of_size_one_that_did_not_grow_stays():
    """Sum only where the sizes differ."""
    assert unbroadcast(np.ones((2, 1, 3)), (1, 3)).tolist() == [[2, 2, 2]]
    assert unbroadcast(np.ones((2, 3)), (2, 3)).tolist() == [[1, 1, 1], [1, 1, 1]]


@pytest.mark.task("add_rule")
def test_a_power_of_zero_has_no_slope():
    """x⁰ is 1 everywhere, also at 0, where 0 · 0⁻¹ would be NaN."""
    x = np.array([0.0, 2.0])
    assert maps("power_rule", x**0, x, 0)[0](np.ones(2)).tolist() == [0, 0]
    assert maps("power_rule", x**2, x, 2)[0](np.ones(2)).tolist() == [0, 4]


@pytest.mark.task("topological_order")
def test_every_result_comes_once_and_after_what_it_was_made_from():
    """x has no recipe and does not come; y was used twice and comes once, before z."""
    x = leaf(1.0)
    y = apply(times, x, x)
    z = apply(times, y, apply(times, y, x))
    order = topological_order(z)
    assert len(order) == 3
    assert order[0] is y and order[2] is z
    assert topological_order(x) == []


@pytest.mark.task("topological_order")
def test_a_short_way_and_a_long_way():
    """Whatever the order of the inputs, the tensor that both ways share comes first."""
    x = leaf(1.0)
    y = apply(times, x, 2.0)
    far = apply(times, apply(times, apply(times, y, 2.0), 2.0), 2.0)
    for z in (apply(times, far, y), apply(times, y, far)):
        order = topological_order(z)
        assert order[0] is y and len(order) == 5


@pytest.mark.task("topological_order")
def test_a_chain_of_five_thousand_operations_has_an_order():
    """Python allows about a thousand calls in each other: use a list as a stack."""
    x = leaf(1.0)
    for _ in range(5000):
        x = apply(times, x, 1.0)
    assert len(topological_order(x)) == 5000


@pytest.mark.task("backward")
def test_a_reused_result_passes_on_the_sum_of_its_uses():
    """(xw)² at x = 2, w = 3 has the slope 24 for w. You get 12 if xw passes on too early."""
    x, w = leaf(2.0), leaf(3.0)
    y = apply(times, x, w)
    backward(apply(times, y, y))
    assert (w.grad.tolist(), x.grad.tolist()) == ([24.0], [36.0])


@pytest.mark.task("backward")
def test_gradients_of_several_walks_add_up():
    """`.grad` grows until it is set to None."""
    x = leaf(3.0)
    for want in (6.0, 12.0):
        backward(apply(times, x, x))
        assert x.grad.tolist() == [want]


@pytest.mark.task("backward")
def test_what_wants_no_gradient_gets_none():
    """Constants are passed over, and their maps are not called."""
    x, c = leaf(3.0), Tensor([2.0])
    backward(apply(times, x, c))
    assert (x.grad.tolist(), c.grad) == ([2.0], None)


@pytest.mark.task("backward")
def test_a_second_walk_is_refused_unless_the_graph_is_retained():
    """USED, which has no rule, takes the place of every operation whose recipe was used."""
    x = leaf(3.0)
    y = apply(times, x, x)
    backward(y, retain_graph=True)
    backward(y)
    with pytest.raises(RuntimeError, match="retain_graph"):
        backward(y)
    assert x.grad.tolist() == [12.0]


@pytest.mark.task("backward")
def test_numbers_that_changed_are_missed():
    """After x[0] = 5 the rule of x · x would use a number that was not there."""
    x = leaf(3.0)
    y = apply(times, x, x)
    x.data[0] = 5.0
    autograd.note_change(x)
    with pytest.raises(RuntimeError, match="in place"):
        backward(y)


@pytest.mark.task("backward")
def test_gradients_share_no_memory():
    """A map may return what it was given, to both inputs: never add in place into a first part."""
    x, y, g = leaf(1.0), leaf(2.0), np.array([1.0])
    z = apply(plus, apply(plus, x, y), x)
    backward(apply(plus, z, x), g)
    assert (x.grad.tolist(), y.grad.tolist(), g.tolist()) == ([3.0], [1.0], [1.0])
    assert not np.shares_memory(y.grad.data, g)


@pytest.mark.task("backward")
def test_a_gradient_has_the_dtype_of_its_tensor():
    """float32 in, float32 back, also where the walk computed in float64; `_fit` does that."""
    x, y = Tensor([1.0], requires_grad=True), leaf(2.0)
    backward(apply(times, x, y))
    assert (x.grad.dtype, y.grad.dtype) == (np.float32, np.float64)


@pytest.mark.task("clip_rule")
def test_equals_share():
    """Each of two equal numbers gets half, of three a third; a bound counts as inside."""
    x, g = np.array([1.0, 3.0, 3.0]), np.ones(3)
    assert maps("extreme_rule", 3.0, x, **WHOLE)[0](np.array(1.0)).tolist() == [0, 0.5, 0.5]
    to_a, to_b = maps("maximum_rule", [1.0, 3.0, 4.0], x, np.array([1.0, 2.0, 4.0]))
    assert (to_a(g).tolist(), to_b(g).tolist()) == ([0.5, 1, 0], [0.5, 0, 1])
    assert maps("clip_rule", [2.0, 3.0, 3.0], x, 2.0, 3.0)[0](g).tolist() == [0, 1, 1]


@pytest.mark.task("reshape_rule")
@pytest.mark.parametrize(
    ("index", "want"),
    [
        ((1, ...), [0, 1, 0]),
        ((slice(None, None, 2), ...), [1, 0, 1]),
        ((np.array([True, False, True]), ...), [1, 0, 1]),
        ((np.array([0, 2, 0]), ...), [2, 0, 1]),
    ],
    ids=["an int", "a slice", "a mask", "an array of ints"],
)
def test_what_was_taken_gets_its_gradient_as_often_as_it_was_taken(index, want):
    """x[[0, 2, 0]] took x[0] twice: plain assignment would keep only the last."""
    x = np.array([5.0, 6.0, 7.0])
    pull = maps("getitem_rule", x[index], x, index)[0]
    assert pull(np.ones_like(x[index])).tolist() == want


@pytest.mark.task("Recording.__enter__")
def test_recording_stops_and_goes_on():
    """Each end puts back what its beginning found, also inside another one."""
    x, seen = leaf(1.0), []
    with no_grad():
        seen.append(apply(times, x, 2.0).requires_grad)
        with enable_grad():
            seen.append(apply(times, x, 2.0).requires_grad)
        seen.append(apply(times, x, 2.0).requires_grad)
    seen.append(apply(times, x, 2.0).requires_grad)
    assert seen == [False, True, False, True]


@pytest.mark.task("Recording.__enter__")
def test_recording_goes_on_after_an_error():
    """And the error is not swallowed."""
    with pytest.raises(ZeroDivisionError), no_grad():
        raise ZeroDivisionError
    assert apply(times, leaf(1.0), 2.0).requires_grad


@pytest.mark.task("differences")
def test_differences_are_taken_on_both_sides():
    """x² has the slope 2x, exactly: one side alone would be off by eps. x is put back."""
    x = np.array([[1.0, 2.0], [3.0, -4.0]])
    slopes = differences(lambda: float((x * x).sum()), x, 0.5)
    assert slopes.tolist() == [[2.0, 4.0], [6.0, -8.0]]
    assert x.tolist() == [[1.0, 2.0], [3.0, -4.0]]
