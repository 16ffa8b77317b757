"""The optimizers walk PyTorch's paths, keep their memory, save what they know, refuse the rest."""

import doctest
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from tests.tinytorch.oracles.optimizers import SETTINGS, cases
from tinytorch import optimizers
from tinytorch.optimizers import SGD, Adam, AdamW, Optimizer, RMSprop
from tinytorch.tensor import Tensor, apply, changed_since, from_numpy

pytestmark = pytest.mark.filterwarnings("error")

with np.load(Path(__file__).parent / "fixtures" / "optimizers.npz") as _file:
    FIXTURE = dict(_file)

KINDS = [SGD, RMSprop, Adam, AdamW]
every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
# Settings under which each optimizer keeps all it can keep.
RICH = {
    SGD: dict(lr=0.1, momentum=0.9, dampening=0.3, weight_decay=0.2),
    RMSprop: dict(lr=0.02, momentum=0.9, centered=True, weight_decay=0.2),
    Adam: dict(lr=0.05, betas=(0.4, 0.8), amsgrad=True, weight_decay=0.2),
    AdamW: dict(lr=0.05, betas=(0.4, 0.8), amsgrad=True, weight_decay=0.2),
}


def tensors(*shapes, dtype=np.float32, seed=0):
    """Random parameters, each with a random gradient."""
    rng = np.random.default_rng(seed)
    made = [Tensor(rng.normal(0, 1, shape).astype(dtype), requires_grad=True) for shape in shapes]
    for p in made:
        p.grad = Tensor(rng.normal(0, 1, p.shape).astype(dtype))
    return made


def walk(optimizer, gradients, steps=3, layout=np.asarray):
    """Take some steps and return all parameters after the last."""
    params = [p for group in optimizer.param_groups for p in group["params"]]
    for step in range(steps):
        for p, gradient in zip(params, gradients, strict=True):
            p.grad = None if gradient is None else from_numpy(layout(gradient * (1 + step)))
        optimizer.step()
    return [p.data.copy() for p in params]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@every_kind
def test_five_steps_are_pytorchs_for_every_setting(kind, dtype):
    """Every combination of settings leads where PyTorch was led, step by step."""
    want = FIXTURE[f"{kind.__name__}.{np.dtype(dtype)}"]
    every = list(cases(kind.__name__))
    assert len(every) == len(want) >= 20
    for settings, path in zip(every, want, strict=True):
        p = Tensor(FIXTURE["p"].astype(dtype), requires_grad=True)
        optimizer = kind([p], **settings)
        for gradient, point in zip(FIXTURE["g"].astype(dtype), path, strict=True):
            p.grad = Tensor(gradient)
            optimizer.step()
            assert p.dtype == dtype
            tolerance = (
                dict(rtol=1e-12, atol=1e-13) if dtype == np.float64 else dict(rtol=2e-6, atol=2e-8)
            )
            np.testing.assert_allclose(p.data, point, err_msg=str(settings), **tolerance)
        np.testing.assert_array_equal(p.grad.data, FIXTURE["g"][-1].astype(dtype))


def test_the_fixture_tells_all_settings_apart():
    """No two combinations lead to the same place: a setting that is ignored is seen."""
    for kind in SETTINGS:
        ends = FIXTURE[f"{kind}.float64"][:, -1]
        different = {tuple(end.round(9)) for end in ends}
        same = sum(
            not s.get("momentum") and s.get("dampening", 0) != 0 for s in cases(kind)
        )  # dampening without momentum does nothing
        assert len(different) == len(ends) - same


@every_kind
def test_the_defaults_are_pytorchs(kind):
    """Nothing but the parameters has to be said."""
    shared = {"weight_decay": 0, "maximize": False}
    want = {
        SGD: {"lr": 1e-3, "momentum": 0, "dampening": 0, "nesterov": False},
        RMSprop: {"lr": 1e-2, "alpha": 0.99, "eps": 1e-8, "momentum": 0, "centered": False},
        Adam: {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8, "amsgrad": False},
    }
    want[AdamW] = {**want[Adam], "weight_decay": 1e-2}
    (p,) = tensors(2)
    assert kind([p]).param_groups == [{"params": [p], **shared, **want[kind]}]


@every_kind
def test_blocks_and_strides_change_nothing(kind, monkeypatch):
    """However memory is cut and laid out, each number goes its own way."""
    rng = np.random.default_rng(3)
    start, gradient = rng.normal(0, 1, (2, 7, 5))
    (want,) = walk(kind([Tensor(start)], **RICH[kind]), [gradient])
    monkeypatch.setattr(optimizers, "BLOCK_BYTES", 64)  # eight numbers
    layouts = [np.array, np.asfortranarray, lambda x: np.repeat(x, 2, 1)[:, ::2]]
    for of_values in layouts:
        for of_gradient in layouts:
            p = from_numpy(of_values(start.copy()))
            memory = p.data
            (got,) = walk(kind([p], **RICH[kind]), [gradient], layout=of_gradient)
            np.testing.assert_allclose(got, want, rtol=1e-13)
            assert p.data is memory


@every_kind
@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (1,), (1, 1, 1)])
def test_numbers_and_nothing_are_parameters_too(kind, shape):
    """A 0-d parameter moves like any other, and an empty one does no harm."""
    (want,) = walk(kind([Tensor(np.ones(4))], **RICH[kind]), [np.full(4, 0.5)])
    (got,) = walk(kind([Tensor(np.ones(shape))], **RICH[kind]), [np.full(shape, 0.5)])
    np.testing.assert_allclose(got, np.broadcast_to(want[0], shape), rtol=1e-13)


@every_kind
def test_a_step_needs_no_memory_of_the_parameters_size(kind):
    """After the first step, whatever a step allocates is a few blocks."""
    (p,) = tensors(4_000_000)
    optimizer = kind([p], **RICH[kind])
    optimizer.step()
    tracemalloc.start()
    optimizer.step()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert optimizers.BLOCK_BYTES / 2 < peak < 4 * optimizers.BLOCK_BYTES < p.nbytes / 10


@every_kind
def test_the_gradient_stays_as_it_was(kind):
    """It belongs to the caller, who may look at it afterwards."""
    (p,) = tensors(5)
    before = p.grad.data.copy()
    kind([p], **RICH[kind]).step()
    np.testing.assert_array_equal(p.grad.data, before)


def test_a_step_is_noted_as_a_change_in_place():
    """A graph recorded before the step must not be differentiated with the new values."""
    p, unused = tensors(3, 3)
    unused.grad = None
    recipes = [apply(np.multiply, one, 2.0).recipe for one in (p, unused)]
    SGD([p, unused]).step()
    assert [changed_since(t, r) for t, r in zip((p, unused), recipes, strict=True)] == [True, False]


@every_kind
def test_a_parameter_without_a_gradient_is_left_alone(kind):
    """Neither value nor state changes, so its first step is still to come."""
    a, b = tensors(3, 3)
    optimizer = kind([a, b], **RICH[kind])
    b.grad, before = None, b.data.copy()
    optimizer.step()
    np.testing.assert_array_equal(b.data, before)
    assert b not in optimizer.state
    assert optimizer.state[a]["step"] == 1


def test_each_parameter_counts_its_own_steps():
    """A gradient that comes later begins its own bias correction."""
    a, b = tensors((2,), (2,))
    b.data[...], gradient = a.data, a.grad.data
    optimizer = Adam([a, b], lr=0.1)
    b.grad = None
    optimizer.step()
    b.grad = from_numpy(gradient)
    a_after_one = a.data.copy()
    optimizer.step()
    np.testing.assert_array_equal(b.data, a_after_one)
    assert [optimizer.state[p]["step"] for p in (a, b)] == [2, 1]


def test_groups_have_settings_of_their_own():
    """What a group says counts there, the defaults elsewhere; generators are read once."""
    a, b, c = tensors(2, 2, 2)
    start = [p.data.copy() for p in (a, b, c)]
    groups = [{"params": (p for p in (a, b)), "lr": 0.5}, {"params": c}]
    optimizer = SGD(groups, lr=0.25)
    assert callable(groups[0]["params"].send)  # the caller's dict is as it was
    optimizer.step()
    for p, before, lr in zip((a, b, c), start, (0.5, 0.5, 0.25), strict=True):
        np.testing.assert_allclose(p.data, before - lr * p.grad.data, rtol=1e-6)


def test_a_setting_may_change_between_steps():
    """A scheduler writes into param_groups, and the next step obeys."""
    (p,) = tensors(2)
    optimizer, before = SGD([p], lr=1.0), p.data.copy()
    optimizer.param_groups[0]["lr"] = np.float64(0.5)
    optimizer.step()
    np.testing.assert_allclose(p.data, before - 0.5 * p.grad.data, rtol=1e-6)
    assert p.dtype == np.float32


def test_zero_grad_forgets_or_fills_with_zeros():
    """None costs nothing and is skipped; zeros are the old way, in the gradient's own memory."""
    a, b = tensors(2, 3)
    b.grad = None
    memory = a.grad.data
    optimizer = SGD([{"params": [a]}, {"params": [b]}])
    optimizer.zero_grad(set_to_none=False)
    assert a.grad.data is memory
    assert (memory == 0).all()
    assert b.grad is None
    optimizer.zero_grad()
    assert a.grad is None


def test_centered_rmsprop_survives_a_constant_gradient():
    """v - m² tends to 0 and rounding takes it below, where the root would be NaN."""
    p = Tensor(np.ones(1000, np.float32))
    gradient = np.random.default_rng(0).normal(0, 1, 1000).astype(np.float32)
    optimizer = RMSprop([p], alpha=0.5, eps=1e-3, centered=True)
    for _ in range(50):
        p.grad = from_numpy(gradient)
        optimizer.step()
    state = optimizer.state[p]
    assert (state["square_avg"] - state["grad_avg"] ** 2 < 0).any()  # it does happen here
    assert np.isfinite(p.data).all()


@every_kind
def test_loading_goes_on_exactly_where_saving_stopped(kind):
    """Two steps, saved, loaded by another optimizer, three more: bit for bit five steps."""
    shapes = [(3, 2), (4,), (2,)]
    gradients = [p.grad.data for p in tensors(*shapes, seed=1)]
    gradients[2] = None

    def make():
        a, b, c = tensors(*shapes)
        return kind([{"params": [a]}, {"params": [b, c], "lr": 0.5}], **RICH[kind])

    first, straight = make(), make()
    walk(first, gradients, 2)
    saved = first.state_dict()
    assert [group["params"] for group in saved["param_groups"]] == [[0], [1, 2]]
    assert saved["state"].keys() == {0, 1}
    second = make()
    for group in second.param_groups:
        group["lr"] = 99.0
    for p, other in zip(second._parameters(), first._parameters(), strict=True):
        p.data[...] = other.data
    second.load_state_dict(saved)
    walk(first, gradients, 1)  # what was loaded does not move with its source
    walk(straight, gradients, 2)
    for got, want in zip(walk(second, gradients), walk(straight, gradients), strict=True):
        np.testing.assert_array_equal(got, want)


@every_kind
def test_what_is_remembered_does_not_depend_on_the_learning_rate(kind):
    """So that a schedule acts at once, and only on the steps to come."""
    kept = []
    for lr in (0.0, 0.5):
        (p,) = tensors(4)
        optimizer = kind([p], **{**RICH[kind], "lr": lr, "weight_decay": 0})
        walk(optimizer, [p.grad.data])
        kept.append([v for v in optimizer.state[p].values() if isinstance(v, np.ndarray)])
    np.testing.assert_array_equal(*kept)


def test_loading_goes_by_the_numbers_and_forgets_what_was_here():
    """State belongs to the number under which it was saved; where none was, none is left."""
    params = tensors(2, 2, 2)
    optimizer = SGD(params, momentum=0.5)
    optimizer.step()
    saved = optimizer.state_dict()
    other = {i: {"step": 10 + i, "momentum_buffer": np.full(2, i)} for i in (2, 1)}
    optimizer.load_state_dict({**saved, "state": other})
    assert params[0] not in optimizer.state
    assert [optimizer.state[p]["step"] for p in params[1:]] == [11, 12]
    assert optimizer.state[params[2]]["momentum_buffer"].tolist() == [2.0, 2.0]


def test_a_state_dict_shares_memory_and_holds_plain_values():
    """Ints, floats, bools and Tensors: 08 writes them without pickle."""
    (p,) = tensors((2, 3))
    optimizer = Adam([p], lr=0.5)
    optimizer.step()
    saved = optimizer.state_dict()
    kept = saved["state"][0]
    assert [*kept] == ["step", "exp_avg", "exp_avg_sq"]
    assert kept["step"] == 1
    assert kept["exp_avg"].data is optimizer.state[p]["exp_avg"]
    assert saved["param_groups"] == [{**optimizer.defaults, "params": [0]}]
    assert optimizer.param_groups[0]["params"] == [p]


def test_loading_takes_lists_strings_and_arrays_as_a_file_gives_them():
    """JSON has no tuples and no int keys; an .npz gives arrays, of whatever dtype."""
    (p,) = tensors(2)
    state = {"step": np.int64(7), "exp_avg": [1.0, 2.0], "exp_avg_sq": np.array([3.0, 4.0])}
    group = {**Adam([p]).defaults, "betas": [0.5, 0.75], "params": [0], "initial_lr": 0.125}
    optimizer = Adam([p])
    optimizer.load_state_dict({"state": {"0": state}, "param_groups": [group]})
    assert optimizer.param_groups[0]["betas"] == (0.5, 0.75)
    assert optimizer.param_groups[0]["initial_lr"] == 0.125  # a scheduler's
    assert optimizer.param_groups[0]["params"] == [p]
    assert optimizer.state[p]["step"] == 7
    assert optimizer.state[p]["exp_avg"].dtype == np.float32
    assert optimizer.state[p]["exp_avg_sq"].tolist() == [3.0, 4.0]


def test_a_rule_of_ones_own_is_one_method():
    """A subclass says what happens to a block, and is told where it is missing."""

    class SignDescent(Optimizer):
        def __init__(self, params, lr):
            super().__init__(params, {"lr": lr})

        def update(self, p, g, state, group):
            p -= group["lr"] * np.sign(g)

    p = Tensor([1.0, 1.0])
    p.grad = Tensor([5.0, -0.1])
    SignDescent([p], lr=0.5).step()
    assert p.tolist() == [0.5, 1.5]
    with pytest.raises(NotImplementedError, match="Optimizer: expected a method update"):
        Optimizer([p], {}).step()


def test_the_examples_in_the_docstrings_are_true():
    """Every example of the specification runs and prints what it says."""
    failed, tried = doctest.testmod(optimizers)
    assert failed == 0
    assert tried >= 30
