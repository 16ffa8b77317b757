"""The walk: what `.grad` holds, what is freed, what is refused, and when nothing is recorded."""

import doctest
import gc
import subprocess
import sys
import threading
import weakref

import numpy as np
import pytest

from tinytorch import autograd
from tinytorch.autograd import (
    RULES,
    backward,
    check_grads,
    enable_grad,
    retain_grad,
    topological_order,
    unbroadcast,
    vjp,
)
from tinytorch.layers import Parameter
from tinytorch.tensor import Tensor, apply, cat, from_numpy, set_recording


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


def test_the_examples_in_the_docstrings_are_true():
    """Every example of the specification runs and prints what it says."""
    failed, tried = doctest.testmod(autograd)
    assert failed == 0
    assert tried >= 20


def test_a_reused_result_passes_on_the_sum_of_its_uses():
    """d(xw)²/dw at x = 2, w = 3 is 2 · 6 · 2 = 24; passing on too early gives 12."""
    x, w = leaf(2.0), leaf(3.0)
    y = x * w
    (y * y).sum().backward()
    assert (w.grad.tolist(), x.grad.tolist()) == ([24.0], [36.0])


@pytest.mark.parametrize("shape", [(), (1,), (3,), (1, 3), (2, 1), (2, 3)])
def test_any_number_of_uses_add_up_whatever_each_was_broadcast_to(shape):
    """Parts of the shape of the input and parts of larger shapes, in any order."""
    x, y, z = np.full(shape, 0.5), np.arange(6.0).reshape(2, 3), np.ones((4, 1, 1))

    def uses(x, y, z):
        every = (x * y, x + x, x * z, x * 3, (x * y) * (x - z), x)
        return sum((one.sum() for one in every[1:]), every[0].sum())

    check_grads(uses, x, y, z)
    check_grads(lambda x, y, z: uses(x * 1, y, z), x, y, z)
    check_grads(lambda x: x.sum() * x.sum() * x.sum() + x.sum() * 2 + x.mean() * x.sum(), x)


def test_a_tensor_used_near_and_far_waits_for_the_far_use():
    """One path of one step, one of three: whichever is recorded first."""
    for far_first in (True, False):
        x = leaf(2.0)
        y = x * 3
        far = ((y + 1) * 2) * 5
        total = far + y if far_first else y + far
        total.backward(np.ones(1))
        assert x.grad.tolist() == [33.0]


def test_gradients_add_up_until_they_are_cleared():
    """Two walks of the same loss leave twice its gradient, in the same tensor."""
    x = leaf(1.0, 2.0)
    (x * x).sum().backward()
    first = x.grad
    (x * x).sum().backward()
    assert x.grad is first
    assert x.grad.tolist() == [4.0, 8.0]
    x.grad = None
    (x * x).sum().backward()
    assert x.grad.tolist() == [2.0, 4.0]


@pytest.mark.parametrize(
    "make",
    [
        lambda x, y: x + y,
        lambda x, y: x.reshape(2) + y.reshape(2),
        lambda x, y: x.clone() + y.T.expand(2),
        lambda x, y: cat([x, y])[:2] + y,
    ],
)
def test_no_gradient_shares_memory_with_another(make, monkeypatch):
    """A rule may pass its argument on; what a leaf keeps is its own, and can be changed."""
    monkeypatch.setattr(Tensor, "T", property(lambda self: self.transpose(0, 0)))
    x, y, g = leaf(1.0, 2.0), leaf(3.0, 4.0), np.array([5.0, 6.0])
    make(x, y).backward(g)
    x.grad.data[:] = 0
    assert (g.tolist(), (y.grad.data != 0).all()) == ([5.0, 6.0], True)
    assert not np.shares_memory(x.grad.data, y.grad.data)
    assert x.grad.data.flags.owndata and x.grad.data.flags.writeable


def test_a_gradient_is_a_tensor_that_wants_none():
    """Of the shape and dtype of its tensor, also where the computation was wider."""
    x = Tensor([1.0, 2.0], requires_grad=True)
    y = leaf(1.0, 2.0)
    (x * y).sum().backward()
    assert (type(x.grad), x.grad.requires_grad, x.grad.recipe) == (Tensor, False, None)
    assert (x.grad.dtype, y.grad.dtype) == (np.float32, np.float64)
    p = Parameter(np.ones((2, 3)))
    (p * Tensor([1.0, 2.0, 3.0])).sum().backward()
    assert (type(p.grad), p.grad.shape) == (Tensor, (2, 3))


def test_a_single_number_keeps_its_shape():
    """A gradient of no axis is an array all the same, and grows in place."""
    x = Tensor(3.0, requires_grad=True)
    for times in (1, 2):
        (x * x + x).backward()
        assert (x.grad.shape, x.grad.item()) == ((), 7.0 * times)
    assert type(x.grad.data) is np.ndarray


def test_a_leaf_is_its_own_gradient():
    """d x / d x = 1, as in PyTorch."""
    x, g = leaf(1.0, 2.0), np.array([3.0, 4.0])
    x.backward(g)
    assert (x.grad.tolist(), np.shares_memory(x.grad.data, g)) == ([3.0, 4.0], False)
    one = Tensor(5.0, requires_grad=True)
    one.backward()
    assert one.grad.item() == 1.0


def test_only_what_wants_a_gradient_gets_one():
    """Constants keep None, and their maps are not even called."""
    x, constant = leaf(2.0), Tensor(np.array([3.0]))
    calls = []

    def product(a, b):
        return a * b

    def rule(y, a, b):
        return lambda g: g * b, lambda g: calls.append("b")

    apply(taught(product, rule), x, constant).backward(np.ones(1))
    assert (x.grad.tolist(), constant.grad, calls) == ([3.0], None, [])


@pytest.mark.parametrize("gradient", [2.0, 2, np.float32(2), np.array(2.0), Tensor(2.0)])
def test_the_first_gradient_may_be_given(gradient):
    """As a number, array or tensor of any dtype, in the shape of the result."""
    x = Tensor(3.0, requires_grad=True)
    (x * x).backward(gradient)
    assert (x.grad.item(), x.grad.dtype) == (12.0, np.float32)


@pytest.mark.parametrize("shape", [(1,), (1, 1), ()])
def test_one_number_begins_with_one_whatever_its_shape(shape):
    """What has a single element needs no gradient to begin with."""
    x = Tensor(np.ones(shape), requires_grad=True)
    (x * 3).backward()
    assert x.grad.data.tolist() == np.full(shape, 3.0).tolist()


def test_memory_is_freed_while_walking():
    """When the first operation's rule is called, the later results are gone already."""
    alive = []

    def twice(a):
        return a * 2

    def rule(y, a):
        gc.collect()
        alive.append([ref() is not None for ref in results])
        return lambda g: g * 2

    taught(twice, rule)
    x = leaf(1.0)
    y = x
    results = []
    for _ in range(3):
        y = apply(twice, y)
        results.append(weakref.ref(y))
    y.backward()
    assert alive == [[True, True, True], [True, True, True], [True, False, True]]
    assert [ref() is not None for ref in results] == [False, False, True]


def test_a_retained_graph_stays():
    """Nothing is dropped."""
    x = leaf(1.0)
    y = (x * 2) * 3
    inner = weakref.ref(y.recipe.inputs[0])
    y.backward(retain_graph=True)
    gc.collect()
    assert inner() is not None


def test_fifty_thousand_operations_need_no_recursion():
    """A chain as long as fifty times Python's limit of calls in each other."""
    x = leaf(1.0)
    y = x
    for _ in range(25_000):
        y = y * 1.0 + 1.0
    y.backward()
    assert x.grad.tolist() == [1.0]


def test_a_ladder_of_reused_results_is_walked_once():
    """Two to the sixtieth paths, sixty results."""
    x = leaf(1.0)
    y = x
    for _ in range(60):
        y = y + y
    assert len(topological_order(y)) == 60
    y.backward()
    assert x.grad.tolist() == [2.0**60]


def test_the_order_has_every_result_once_and_inputs_first():
    """Whatever the graph: here a hundred random ones."""
    rng = np.random.default_rng(0)
    for _ in range(100):
        made = [leaf(1.0), leaf(2.0), Tensor([3.0])]
        for _ in range(12):
            a, b = rng.integers(0, len(made), 2)
            made.append(made[a] * made[b])
        order = topological_order(made[-1])
        place = {id(t): n for n, t in enumerate(order)}
        assert len(place) == len(order)
        for t in order:
            inner = [x for x in t.recipe.inputs if x.recipe]
            assert all(place[id(x)] < place[id(t)] for x in inner)
        assert order[-1:] == ([made[-1]] if made[-1].recipe else [])


def test_a_graph_that_was_recorded_before_this_module_was_imported_is_walked():
    """The recipes are module 01's; the rules come when they are asked for."""
    code = """
import sys
from tinytorch.tensor import Tensor
x = Tensor([1.0, 2.0], requires_grad=True)
y = ((x @ x) * x.exp()).sum()
assert "tinytorch.autograd" not in sys.modules
y.backward()
assert "tinytorch.autograd" in sys.modules
print(x.grad.shape)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "(2,)\n", done.stderr


def test_an_operation_is_taught_later():
    """The rule counts when the graph is walked."""
    x = leaf(4.0)

    def halved(a):
        return a / 2

    y = apply(halved, x)
    taught(halved, lambda y, a: lambda g: g / 2)
    y.backward()
    assert x.grad.tolist() == [0.5]


def test_options_and_constants_reach_the_rule_as_they_were_given():
    """The rule sees result, arrays, constants and options of the operation."""
    x, seen = leaf(1.0, 2.0), []

    def scaled(a, factor, *, plus):
        return a * factor + plus

    def rule(y, a, factor, *, plus):
        seen.append((y.tolist(), a.tolist(), factor, plus))
        return lambda g: g * factor, None

    taught(scaled, rule)
    apply(scaled, x, 3, plus=1).sum().backward()
    assert (seen, x.grad.tolist()) == ([([4.0, 7.0], [1.0, 2.0], 3, 1)], [3.0, 3.0])


def test_an_intermediate_gradient_is_kept_if_asked_for():
    """As a leaf's: whole, its own memory, added up; otherwise there is none."""
    x = leaf(1.0, 2.0)
    y, z = x * 3, x * 4
    retain_grad(y)
    retain_grad(x)
    (y * y + z).sum().backward()
    assert (y.grad.tolist(), z.grad, x.grad.tolist()) == ([6.0, 12.0], None, [22.0, 40.0])
    y.grad.data[:] = 0
    assert x.grad.tolist() == [22.0, 40.0]


def test_a_kept_gradient_adds_up_in_a_retained_graph():
    """Each walk adds to it, once."""
    x = leaf(2.0)
    y = x * 3
    retain_grad(y)
    retain_grad(y)
    z = y * y
    z.backward(retain_graph=True)
    z.backward()
    assert (y.grad.tolist(), x.grad.tolist()) == ([24.0], [72.0])
    retain_grad(z)
    with pytest.raises(RuntimeError, match="walked before"):
        z.backward()


def test_the_gradient_of_the_result_itself_can_be_kept():
    """It is the one that the walk begins with, and nobody else's."""
    x, g = leaf(2.0), np.array([5.0])
    y = x * 3
    retain_grad(y)
    y.backward(g)
    assert (y.grad.tolist(), x.grad.tolist()) == ([5.0], [15.0])
    assert not np.shares_memory(y.grad.data, g)


@pytest.mark.parametrize(
    ("g", "shape"),
    [((2, 3), (3,)), ((2, 3), (2, 1)), ((2, 3), ()), ((4, 2, 3), (1, 3)), ((2, 3), (2, 3))]
    + [((0, 3), (1, 3)), ((2, 0), (2, 1)), ((2, 0), ()), ((1, 1), (1,)), ((5,), (1,))],
)
def test_unbroadcast_is_what_broadcasting_repeats(g, shape):
    """Σ g · broadcast(x) = Σ unbroadcast(g) · x for any x: the one is the other's transpose."""
    rng = np.random.default_rng(0)
    g, x = rng.normal(0, 1, g), rng.normal(0, 1, shape)
    got = unbroadcast(g, shape)
    assert got.shape == shape
    np.testing.assert_allclose((got * x).sum(), (g * np.broadcast_to(x, g.shape)).sum())


def test_threads_walk_their_own_graphs():
    """Four at once, each with its own result."""
    found = []

    def work(k):
        x = leaf(float(k))
        for _ in range(200):
            y = x * x * x
            x.grad = None
            y.backward()
        found.append((k, x.grad.tolist()))

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [(k, [3.0 * k * k]) for k in range(4)]


def test_backward_is_the_tensors_method():
    """Both ways of calling it are one."""
    x = leaf(2.0)
    backward(x * x)
    (x * x).backward()
    assert x.grad.tolist() == [8.0]
    assert set_recording(True) is True
    with enable_grad():
        from_numpy(np.ones(1), requires_grad=True).sum().backward()
