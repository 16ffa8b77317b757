"""What the walk refuses: no beginning, a second walk, no rule, changed memory, wrong slopes."""

import copy

import numpy as np
import pytest

from tinytorch.autograd import RULES, USED, check_grads, no_grad, retain_grad, vjp
from tinytorch.tensor import Tensor, apply, note_change


def leaf(*numbers):
    """A tensor of float64 numbers that wants a gradient."""
    return Tensor(np.array(numbers, dtype=float), requires_grad=True)


def taught(op, rule):
    """Teach an operation for the length of one test."""
    vjp(op)(rule)
    return op


@pytest.fixture(autouse=True)
def same_table():
    """Leave the table of rules as it was."""
    before = dict(RULES)
    yield
    RULES.clear()
    RULES.update(before)


def test_a_gradient_that_grows_in_place_says_so():
    """Whoever recorded the old gradient is told that it is gone."""
    x, y = leaf(1.0), leaf(5.0)
    (x * 2).backward(np.ones(1))
    loss = (x.grad * y).sum()
    (x * 2).backward(np.ones(1))
    with pytest.raises(RuntimeError, match="changed in place after multiply"):
        loss.backward()


@pytest.mark.parametrize(
    ("make", "gradient", "error", "message"),
    [
        (lambda: leaf(1.0, 2.0) * 2, None, RuntimeError, r"expected one number, got shape \(2,\)"),
        (lambda: leaf(1.0, 2.0) * 2, np.ones(3), ValueError, r"shape \(2,\), got \(3,\)"),
        (lambda: leaf(1.0, 2.0) * 2, 1.0, ValueError, r"shape \(2,\), got \(\)"),
        (lambda: leaf(1.0) * 2, np.ones(()), ValueError, r"shape \(1,\), got \(\)"),
        (lambda: Tensor([1.0]), None, RuntimeError, "wants a gradient, got none; set requires"),
        (lambda: Tensor([1.0]) * 2, None, RuntimeError, "wants a gradient, got none"),
        (lambda: leaf(1.0).detach() * 2, None, RuntimeError, "wants a gradient, got none"),
        (lambda: leaf(1.0) > 0, None, RuntimeError, "wants a gradient, got none"),
    ],
)
def test_a_walk_that_cannot_begin_is_refused(make, gradient, error, message):
    """The message says what was expected, what came, and what to do."""
    with pytest.raises(error, match=message):
        make().backward(gradient)


def test_a_second_walk_is_refused():
    """The recipes are gone; a graph that shares a part with it is refused as well."""
    x = leaf(1.0)
    y = x * 2
    z = y * y
    z.backward()
    assert (y._op, z._op) == (USED, USED)
    for again in (z, y, y + 1, (x * y).sum()):
        with pytest.raises(RuntimeError, match="walked before, and is gone; .*retain_graph=True"):
            again.backward()
    assert x.grad.tolist() == [8.0]
    with pytest.raises(RuntimeError, match="walked before"):
        copy.deepcopy(z).backward()


def test_a_graph_that_is_retained_can_be_walked_again():
    """As often as one likes; the last walk drops it."""
    x = leaf(3.0)
    y = x * x
    y.backward(retain_graph=True)
    y.backward(None, True)
    y.backward()
    assert x.grad.tolist() == [18.0]
    with pytest.raises(RuntimeError, match="walked before"):
        y.backward()


def test_an_operation_without_rule_is_named():
    """With the cure; and no gradient has changed."""
    x = leaf(4.0)

    def halved(a):
        return a / 2

    y = apply(halved, x * 2) + x
    with pytest.raises(NotImplementedError, match=r"halved has no rule; write one below @vjp\(hal"):
        y.backward()
    assert x.grad is None


CHANGED = {
    "an input": lambda x, y: x.__setitem__(0, 9.0),
    "a view of an input": lambda x, y: x.reshape(1, 2)[0].__setitem__(1, 9.0),
    "the result": lambda x, y: y.__setitem__(0, 9.0),
    "an input, as optimizers do": lambda x, y: note_change(x),
}


@pytest.mark.parametrize("change", CHANGED.values(), ids=CHANGED)
def test_what_was_changed_in_place_after_it_was_used_is_refused(change):
    """The rule would compute with numbers that were not there; no gradient has changed then."""
    x = leaf(1.0, 2.0)
    y = x * x
    z = y * 2
    w = y * x
    with no_grad():
        change(x, y)
    with pytest.raises(RuntimeError, match=r"shape \(2,\) was changed in place after multiply"):
        (z + w).sum().backward()
    assert x.grad is None


def test_a_changed_result_is_refused_where_its_rule_reads_it():
    """exp's rule is its own result; that of the sum reads no number."""
    x = leaf(1.0, 2.0)
    y = x.exp()
    z = y.sum()
    with no_grad():
        y[0] = 0.0
    with pytest.raises(RuntimeError, match="changed in place after exp"):
        z.backward()


def test_a_change_does_no_harm_where_no_number_is_read():
    """A sum needs none of what it added up; so in PyTorch."""
    x = leaf(1.0, 2.0)
    y = ((x + 1).reshape(1, 2).T - 2).sum(axis=0).mean()
    with no_grad():
        x[0] = 9.0
    y.backward()
    assert x.grad.tolist() == [1.0, 1.0]


def test_a_change_before_the_operation_or_elsewhere_is_no_concern():
    """What was recorded afterwards has the new numbers."""
    x, other = leaf(1.0, 2.0), leaf(5.0)
    with no_grad():
        x[0] = 3.0
    y = (x * x).sum()
    with no_grad():
        other[0] = 1.0
    y.backward()
    assert x.grad.tolist() == [6.0, 4.0]


def test_there_is_no_gradient_to_keep_without_a_recipe():
    """Nothing was recorded."""
    with pytest.raises(RuntimeError, match="retain_grad: expected a tensor that wants a gradient"):
        retain_grad(Tensor([1.0]) * 2)


def test_a_kept_gradient_does_not_hide_a_change():
    """The recipe of a tensor that keeps its gradient is as old as it was."""
    x = leaf(2.0)
    y = x * x
    with no_grad():
        x[0] = 1.0
    retain_grad(y)
    with pytest.raises(RuntimeError, match="changed in place"):
        y.backward()


def test_check_grads_finds_a_wrong_rule():
    """It names the input, the place and both numbers."""

    def cube(a, b):
        return a**3 * b

    taught(cube, lambda y, a, b: (lambda g: g * 3 * a * a * b, lambda g: g * a**2))
    with pytest.raises(AssertionError, match=r"input 1 at \(0,\): difference .*; 1 are wrong"):
        check_grads(lambda a, b: apply(cube, a, b), np.array([1.0, 2.0]), np.array([1.0]))


def test_check_grads_takes_ints_as_they_are_and_changes_nothing():
    """Indices and labels want no gradient; inputs are copied, and float32 becomes float64."""
    x, index = np.array([1.0, 2.0], np.float32), np.array([0, 0, 1])
    check_grads(lambda x, i: x[i] * x[i], x, index)
    assert (x.tolist(), x.dtype) == ([1.0, 2.0], np.float32)
    t = leaf(1.0, 2.0)
    check_grads(lambda t: t.exp(), t)
    assert t.grad is None


def test_check_grads_sees_a_gradient_that_is_not_there():
    """An input that the result depends on, but behind detach()."""
    with pytest.raises(AssertionError, match="input 0"):
        check_grads(lambda x, y: x.detach() * y, np.array([2.0]), np.array([3.0]))
    check_grads(lambda x, y: y * 2, np.array([2.0]), np.array([3.0]))
