"""What passes through `apply`, what it keeps, and which tensors show the same memory."""

import copy
import gc
import pickle
import sys
import threading
import types
import weakref

import numpy as np
import pytest

from tinytorch import tensor as tt
from tinytorch.tensor import Recipe, Tensor, apply, changed_since, from_numpy, note_change


@pytest.fixture
def x():
    """A 2 x 3 tensor that wants a gradient."""
    return Tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], requires_grad=True)


@pytest.fixture
def not_recording():
    """No recipes in this thread, until the test ends."""
    before = tt.set_recording(False)
    yield
    tt.set_recording(before)


OPERATIONS = {
    "x + 1": np.add,
    "1 + x": np.add,
    "x - x": np.subtract,
    "1 - x": np.subtract,
    "x * x": np.multiply,
    "x / 2": np.true_divide,
    "2 / x": np.true_divide,
    "-x": np.negative,
    "x @ x.T": np.matmul,
    "np.ones((1, 2), np.float32) @ x": np.matmul,
    "x.exp()": np.exp,
    "x.log()": np.log,
    "x.sqrt()": np.sqrt,
    "abs(x)": np.abs,
    "x.clip(0, 1)": np.clip,
    "maximum(x, 1)": np.maximum,
    "where(x.detach() > 1, x, 0.0)": np.where,
    "x.sum()": np.sum,
    "x.mean(axis=0)": np.mean,
    "x.var()": np.var,
    "x.max()": np.max,
    "x.min()": np.min,
    "x.reshape(6)": np.reshape,
    "x.view(6)": np.reshape,
    "x.flatten()": np.reshape,
    "x.squeeze()": np.reshape,
    "x.unsqueeze(0)": np.reshape,
    "x.transpose(0, 1)": np.transpose,
    "x.permute(1, 0)": np.transpose,
    "x.T": np.transpose,
    "x.expand(2, 2, 3)": np.broadcast_to,
    "x.clone()": np.copy,
    "x.astype(np.float64)": tt.cast,
    "cat([x, x])": tt.concatenate,
    "stack([x, x])": tt.concatenate,
}


@pytest.mark.parametrize("expression", OPERATIONS)
def test_an_operation_leaves_its_recipe(expression, x):
    """Operation, inputs as they were given and options: what module 06 needs, and no more."""
    result = eval(expression, {**vars(tt), "x": x})
    recipe = result.recipe
    assert type(recipe) is Recipe
    assert recipe.op is OPERATIONS[expression]
    assert any(isinstance(one, Tensor) and one.requires_grad for one in recipe.inputs)
    assert result.requires_grad
    again = recipe.op(*(getattr(one, "data", one) for one in recipe.inputs), **recipe.kwargs)
    np.testing.assert_array_equal(again, result.data)


def test_recipes_hold_the_very_inputs(x):
    """Not copies: gradients flow to the tensors that took part."""
    y = Tensor([1.0, 2.0, 3.0])
    assert (x + y).recipe.inputs[0] is x
    assert (x + y).recipe.inputs[1] is y
    assert (x * 3).recipe.inputs[1] == 3
    assert x[0].recipe.inputs[0] is x
    assert [part.recipe.inputs[0] is x for part in tt.split(x, 1)] == [True, True]
    assert x.sum(axis=-1, keepdims=True).recipe.kwargs == dict(axis=(1,), keepdims=True, dtype=None)


@pytest.mark.parametrize("expression", OPERATIONS)
def test_nothing_is_kept_where_no_gradient_is_wanted(expression, x):
    """A tensor that wants none makes results that want none, and keeps no input alive."""
    result = eval(expression, {**vars(tt), "x": x.detach()})
    assert (result.requires_grad, result.recipe, result.grad) == (False, None, None)


@pytest.mark.parametrize("expression", OPERATIONS)
def test_nothing_is_kept_while_recording_is_off(expression, x, not_recording):
    """What module 06 calls no_grad."""
    result = eval(expression, {**vars(tt), "x": x})
    assert (result.requires_grad, result.recipe) == (False, None)


@pytest.mark.parametrize("expression", ["x > 1", "x == x", "x.argmax()", "x.astype(np.int64)"])
def test_results_that_are_no_floats_want_no_gradient(expression, x):
    """Ints and bools have none."""
    result = eval(expression, {"x": x, "np": np})
    assert (result.requires_grad, result.recipe) == (False, None)


def test_inputs_that_are_dropped_are_freed(x):
    """A result without recipe does not keep its inputs in memory; one with a recipe does."""
    free, kept = x.detach() + 1, x + 1
    watched = [weakref.ref(free), weakref.ref(kept)]
    results = [free * 2, kept * 2]
    del free, kept
    gc.collect()
    assert [ref() is None for ref in watched] == [True, False]
    assert len(results) == 2


def test_a_long_chain_is_freed_without_recursion(x):
    """A hundred thousand recipes hang on each other, and go without a crash."""
    y = x
    for _ in range(100_000):
        y = y + 1
    del y


def test_threads_record_for_themselves(x):
    """Switching recording off in one thread leaves it on in another."""
    seen, ready, go = [], threading.Event(), threading.Event()

    def other():
        tt.set_recording(False)
        ready.set()
        go.wait(10)
        seen.append((x + 1).requires_grad)

    thread = threading.Thread(target=other)
    thread.start()
    ready.wait(10)
    assert (x + 1).requires_grad
    go.set()
    thread.join()
    assert seen == [False]


def test_the_switch_tells_how_it_was():
    """So that a context can put it back."""
    assert tt.set_recording(False) is True
    assert tt.set_recording(True) is False


def test_the_count_of_threads_that_record_nothing_is_exact():
    """Switching off twice counts once, in any number of threads; where none is, none is asked."""

    def switch():
        for on in [False, False, True, True] * 500:
            tt.set_recording(on)

    before = tt._off  # a thread that ended while it was off is still counted
    threads = [threading.Thread(target=switch) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert tt._off == before
    assert (tt.set_recording(False), tt.set_recording(False)) == (True, False)
    assert tt._off == before + 1
    assert tt.set_recording(True) is False
    assert tt._off == before


def test_a_runner_computes_instead_and_the_recipe_stays(x):
    """The profiler and the backends see operation, arrays and options; the graph is the same."""
    calls = []

    def run(op, arrays, kwargs):
        calls.append((op, [np.shape(a) for a in arrays], kwargs))
        return op(*arrays, **kwargs)

    assert tt.set_runner(run) is None
    try:
        y = (x * 2).sum(axis=0)
    finally:
        assert tt.set_runner(None) is run
    assert [op for op, _, _ in calls] == [np.multiply, np.sum]
    assert calls[0][1] == [(2, 3), ()]
    assert y.recipe.op is np.sum
    assert (x + 1).tolist() and len(calls) == 2


def test_subclasses_take_part_and_results_are_tensors(x):
    """A Parameter (module 03) is a Tensor; what is computed from it is no Parameter."""

    class Parameter(Tensor):
        __slots__ = ()

    p = Parameter([1.0, 2.0, 3.0], requires_grad=True)
    assert type(p + 1) is type(x * p) is Tensor
    assert (p + 1).requires_grad


VIEWS = [
    "x.reshape(3, 2)",
    "x.view(-1)",
    "x.flatten()",
    "x.transpose(0, 1)",
    "x.permute(1, 0)",
    "x.T",
    "x.squeeze()",
    "x.unsqueeze(1)",
    "x.expand(4, 2, 3)",
    "x[0]",
    "x[0, 1]",
    "x[..., ::2]",
    "x[None]",
    "split(x, 1)[1]",
    "x.detach()",
    "from_numpy(x.numpy())",
    "next(iter(x))",
]
COPIES = [
    "Tensor(x.numpy())",
    "x.clone()",
    "x.astype(x.dtype)",
    "x[[0, 1]]",
    "x[x > 0]",
    "x.T.reshape(6)",
    "cat([x])",
    "stack([x])",
    "x + 0",
]


@pytest.mark.parametrize("expression", VIEWS + COPIES)
def test_views_share_memory_and_copies_do_not(expression):
    """As in PyTorch: a change of the one is seen in the other, or is not."""
    x = tt.ones(2, 3)
    other = eval(expression, {**vars(tt), "x": x})
    x[:] = 7.0
    assert (other.data == 7).all() == (expression in VIEWS)
    assert np.shares_memory(other.data, x.data) == (expression in VIEWS)


@pytest.mark.parametrize("expression", VIEWS)
def test_a_change_through_any_view_is_known(expression, x):
    """Whoever recorded the tensor before is told, whoever records it afterwards is not."""
    base = tt.ones(2, 3)
    other = eval(expression, {**vars(tt), "x": base})
    before = (base + x).recipe
    assert not changed_since(base, before)
    if other.data.flags.writeable:
        other[...] = 9.0
    else:
        note_change(other)
    assert changed_since(base, before)
    assert changed_since(other, before)
    assert not changed_since(x, before)
    assert not changed_since(base, (base + x).recipe)


def test_a_change_without_recording_is_known_too(x, not_recording):
    """An optimizer's step changes parameters that want gradients, and says so."""
    tt.set_recording(True)
    recipe = (x * x).recipe
    tt.set_recording(False)
    x[0, 0] = 5.0
    assert changed_since(x, recipe)
    assert x[0, 0].item() == 5.0


def test_changes_are_forgotten_with_the_memory():
    """The book of changes does not grow with tensors that are gone."""
    gc.collect()
    size = len(tt._changed)
    for _ in range(100):
        y = tt.zeros(3)
        y[0] = 1.0
        y[1] = 2.0
    assert len(tt._changed) == size + 1
    del y
    gc.collect()
    assert len(tt._changed) == size


def test_elements_are_set_by_every_kind_of_index():
    """Numbers, arrays and tensors, at ints, slices, masks and lists."""
    x = tt.zeros(2, 3)
    x[0] = Tensor([1.0, 2.0, 3.0])
    x[1, -1] = 9
    x[x == 2] = np.float32(5)
    x[:, [0]] = np.array([[7.0], [8.0]])
    x[Tensor([1]), Tensor([1])] = 4.0
    assert x.tolist() == [[7.0, 5.0, 3.0], [8.0, 4.0, 9.0]]


def test_tensors_are_found_by_identity_and_compared_by_element():
    """A tensor is a key of a dict, although == gives a tensor."""
    a, b = Tensor([1, 2]), Tensor([1, 2])
    assert {a: 1, b: 2}[a] == 1
    assert (a == b).tolist() == [True, True]
    assert (a != b).tolist() == [False, False]


def test_tensors_can_be_copied_and_pickled(x):
    """Data and the wish for a gradient go along."""
    for twin in (copy.deepcopy(x), pickle.loads(pickle.dumps(x))):
        np.testing.assert_array_equal(twin.data, x.data)
        assert twin.requires_grad
        assert not np.shares_memory(twin.data, x.data)


def test_backward_is_module_06s_and_says_so(x, monkeypatch):
    """Missing, it is named; present, it gets the tensor and the options."""
    monkeypatch.setitem(sys.modules, "tinytorch.autograd", None)
    with pytest.raises(NotImplementedError, match="module 06"):
        x.backward()
    calls = []
    module = types.ModuleType("tinytorch.autograd")
    module.backward = lambda *args: calls.append(args)
    monkeypatch.setitem(sys.modules, "tinytorch.autograd", module)
    x.backward(1.0, retain_graph=True)
    assert calls[0][0] is x
    assert calls[0][1:] == (1.0, True)


def test_apply_takes_any_function_on_arrays(x):
    """Later modules bring operations of their own."""

    def twice(a, times):
        return a * times

    y = apply(twice, x, times=2)
    np.testing.assert_array_equal(y.data, x.data * 2)
    assert (y.recipe.op, y.recipe.kwargs) == (twice, {"times": 2})
    assert from_numpy(x.data, requires_grad=True).recipe is None
