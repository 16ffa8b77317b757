"""Schedules and clipping agree with PyTorch's frozen results, and refuse wrong settings."""

import doctest
import json
from pathlib import Path

import numpy as np
import pytest

from tinytorch import training
from tinytorch.optimizers import SGD
from tinytorch.tensor import Tensor
from tinytorch.training import (
    CosineAnnealingLR,
    LinearLR,
    LRScheduler,
    SequentialLR,
    StepLR,
    clip_grad_norm_,
    clip_grad_value_,
)

with np.load(Path(__file__).parent / "fixtures" / "training.npz") as _file:
    FIXTURE = dict(_file)

SCHEDULES = {
    "step": lambda o: StepLR(o, 4),
    "step_0.7": lambda o: StepLR(o, step_size=3, gamma=0.7),
    "step_every": lambda o: StepLR(o, 1, 0.9),
    "cosine": lambda o: CosineAnnealingLR(o, 10),
    "cosine_min": lambda o: CosineAnnealingLR(o, T_max=7, eta_min=0.002),
    "cosine_one": lambda o: CosineAnnealingLR(o, 1, 0.001),
    "linear": lambda o: LinearLR(o),
    "linear_up": lambda o: LinearLR(o, start_factor=0.01, total_iters=8),
    "linear_down": lambda o: LinearLR(o, 1.0, 0.2, 12),
    "warm_cosine": lambda o: SequentialLR(
        o, [LinearLR(o, 0.1, total_iters=5), CosineAnnealingLR(o, 15, 0.001)], [5]
    ),
    "three": lambda o: SequentialLR(
        o, [LinearLR(o), StepLR(o, 2), CosineAnnealingLR(o, 9)], milestones=[3, 11]
    ),
}
EPOCHS, RATES = 25, (0.1, 0.003)
every_schedule = pytest.mark.parametrize("name", SCHEDULES)


def optimizer():
    """Two groups with rates of their own."""
    weights = [Tensor([0.0], requires_grad=True) for _ in RATES]
    return SGD([{"params": [w], "lr": lr} for w, lr in zip(weights, RATES, strict=True)])


def rates(scheduler, epochs):
    """The rates of the groups in each epoch, and what the optimizer would use."""
    found = []
    for _ in range(epochs):
        found.append(scheduler.get_last_lr())
        assert found[-1] == [group["lr"] for group in scheduler.optimizer.param_groups]
        scheduler.step()
    return found


@every_schedule
def test_the_rates_are_pytorchs_in_every_epoch(name):
    """PyTorch computes each rate from the one before, here it comes from the epoch: the same."""
    found = rates(SCHEDULES[name](optimizer()), EPOCHS)
    np.testing.assert_allclose(found, FIXTURE[f"rates.{name}"], rtol=1e-12, atol=1e-18)


def test_the_fixture_holds_every_schedule():
    """Nothing is skipped because a name is misspelt."""
    assert {key for key in FIXTURE if key.startswith("rates.")} == {
        f"rates.{name}" for name in SCHEDULES
    }


@every_schedule
@pytest.mark.parametrize("epoch", [0, 4, 11])
def test_a_schedule_goes_on_from_its_state(name, epoch):
    """With the optimizer's state, which has the rates, the rest of the run is the same."""
    whole = rates(SCHEDULES[name](optimizer()), EPOCHS)
    first = SCHEDULES[name](optimizer())
    rates(first, epoch)
    state = json.loads(json.dumps(first.state_dict()))
    settings = first.optimizer.state_dict()
    second = SCHEDULES[name](optimizer())
    second.optimizer.load_state_dict(settings)
    second.load_state_dict(state)
    assert rates(second, EPOCHS - epoch) == whole[epoch:]


def test_a_scheduler_made_late_begins_with_the_first_rate():
    """Another scheduler has changed "lr" by then: "initial_lr" has not."""
    groups = optimizer()
    LinearLR(groups, 0.1)
    assert CosineAnnealingLR(groups, 4).base_lrs == list(RATES)


def test_a_sequence_may_be_part_of_a_sequence():
    """Every scheduler is a function of its own epochs."""
    o = optimizer()
    inner = SequentialLR(o, [LinearLR(o, 0.5, total_iters=1), StepLR(o, 1, 0.5)], [2])
    outer = SequentialLR(o, [StepLR(o, 9), inner], [3])
    factors = [rate / RATES[0] for rate, _ in rates(outer, 8)]
    assert factors == pytest.approx([1, 1, 1, 0.5, 1, 1, 0.5, 0.25])


def test_a_scheduler_of_ones_own_is_a_rate():
    """The base class does the rest, state included."""

    class InverseRoot(LRScheduler):
        def rate(self, base_lr, epoch):
            return base_lr * (epoch + 1) ** -self.power

    scheduler = InverseRoot(optimizer(), power=0.5)
    assert [round(rate, 4) for rate, _ in rates(scheduler, 4)] == [0.1, 0.0707, 0.0577, 0.05]
    assert scheduler.state_dict() == {"power": 0.5, "last_epoch": 4, "base_lrs": [0.1, 0.003]}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda o: StepLR(o, 0), "StepLR: expected step_size > 0, got 0"),
        (lambda o: CosineAnnealingLR(o, -1), "CosineAnnealingLR: expected T_max > 0, got -1"),
        (lambda o: LinearLR(o, 0.0), "LinearLR: expected factors .* got start_factor=0.0, "),
        (lambda o: LinearLR(o, 2.0), "got start_factor=2.0"),
        (lambda o: LinearLR(o, end_factor=1.5), "end_factor=1.5"),
        (lambda o: LinearLR(o, total_iters=0), "total_iters=0"),
        (lambda o: SequentialLR(o, [StepLR(o, 1)], [3]), "got 1 schedulers, milestones"),
        (lambda o: SequentialLR(o, [StepLR(o, 1)] * 3, [5, 2]), r"rising .* \[5, 2\]"),
        (lambda o: SequentialLR(o, [StepLR(optimizer(), 1)], []), "another optimizer"),
        (lambda o: StepLR(o, 1).load_state_dict(LinearLR(o).state_dict()), "StepLR: expected a s"),
    ],
)
def test_a_wrong_setting_is_refused(make, message):
    """It would divide by zero later, or train at a rate that nobody wanted."""
    with pytest.raises(ValueError, match=message):
        make(optimizer())


def test_a_group_added_later_has_no_rate_here():
    """Rather an error than a group whose rate never changes."""
    scheduler = StepLR(optimizer(), 1)
    scheduler.optimizer.add_param_group({"params": [Tensor([0.0], requires_grad=True)]})
    with pytest.raises(ValueError, match="zip"):
        scheduler.step()


CASES = ("float32", "float64", "single", "small", "zero", "missing", "mixed")
NORMS = ("0.5", "1.0", "2.0", "3.0", "inf")


def parameters(case):
    """Tensors with the gradients of a case of the fixture."""
    tensors = []
    for i in range(1 if case == "single" else 2 if case == "mixed" else 3):
        gradient = FIXTURE.get(f"grad.{case}.{i}")
        shape = np.zeros(1) if gradient is None else np.zeros_like(gradient)
        tensors.append(Tensor(shape, requires_grad=True))
        tensors[-1].grad = None if gradient is None else Tensor(gradient)
    return tensors


def same(tensors, prefix, rtol=1e-6):
    """Compare all gradients with those that the fixture has under the prefix."""
    found = {f"{prefix}.{i}": t.grad.data for i, t in enumerate(tensors) if t.grad is not None}
    assert found.keys() == {key for key in FIXTURE if key.startswith(f"{prefix}.")}
    for key, gradient in found.items():
        assert gradient.dtype == FIXTURE[key].dtype
        np.testing.assert_allclose(gradient, FIXTURE[key], rtol=rtol)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("p", NORMS)
def test_the_clipped_norm_is_pytorchs(case, p):
    """Norm, its dtype, and the gradients, which are changed in their own memory."""
    tensors = parameters(case)
    memory = [None if t.grad is None else t.grad.data for t in tensors]
    norm = clip_grad_norm_(iter(tensors), 1.5, float(p))
    want = FIXTURE[f"norm.{case}.{p}"]
    assert (norm.dtype, norm.shape) == (want.dtype, ())
    np.testing.assert_allclose(norm.data, want, rtol=1e-6)
    same(tensors, f"after.{case}.{p}", rtol=2e-6)
    assert all(t.grad is None or t.grad.data is m for t, m in zip(tensors, memory, strict=True))


@pytest.mark.parametrize("case", CASES)
def test_the_clipped_values_are_pytorchs(case):
    """Each element by itself, in place."""
    tensors = parameters(case)
    memory = [None if t.grad is None else t.grad.data for t in tensors]
    assert clip_grad_value_(tensors, 0.75) is None
    same(tensors, f"value.{case}")
    assert all(t.grad is None or t.grad.data is m for t, m in zip(tensors, memory, strict=True))


@pytest.mark.parametrize("clip", [clip_grad_norm_, clip_grad_value_])
def test_one_tensor_stands_for_a_list_of_one(clip):
    """As in PyTorch."""
    (tensor,) = parameters("single")
    clip(tensor, 0.5)
    assert tensor.grad.item() == pytest.approx(-0.5)


def test_without_gradients_the_norm_is_zero():
    """Nothing to scale, nothing to fail."""
    assert clip_grad_norm_([Tensor([1.0], requires_grad=True)], 1.0).item() == 0.0
    assert clip_grad_norm_([], 1.0).item() == 0.0


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_norm_that_is_not_finite_is_an_error_where_asked_for(bad):
    """Otherwise the factor is what the formula says, as in PyTorch: NaN or 0."""
    (tensor, other), values = (parameters("mixed")), []
    tensor.grad.data[0, 0] = bad
    before = other.grad.data.copy()
    with pytest.raises(RuntimeError, match="clip_grad_norm_: the norm is (nan|inf)"):
        clip_grad_norm_([tensor, other], 1.0, error_if_nonfinite=True)
    np.testing.assert_array_equal(other.grad.data, before)
    with np.errstate(invalid="ignore"):
        values.append(clip_grad_norm_([tensor, other], 1.0).item())
    assert not np.isfinite(values[0])
    assert np.isnan(other.grad.data).all() if np.isnan(bad) else (other.grad.data == 0).all()


@pytest.mark.parametrize("clip", [clip_grad_norm_, clip_grad_value_])
@pytest.mark.parametrize("bound", [-1.0, float("nan")])
def test_a_bound_below_zero_is_refused(clip, bound):
    """It would turn the step around."""
    with pytest.raises(ValueError, match=f"^{clip.__name__}: expected .* >= 0, got {bound}"):
        clip(parameters("float32"), bound)


def test_a_clipped_gradient_is_noted_as_changed():
    """What was recorded from it before must not be differentiated with other numbers."""
    weight = Tensor([1.0, 2.0], requires_grad=True)
    weight.grad = Tensor([3.0, 4.0])
    factor = Tensor([1.0, 1.0], requires_grad=True)
    for clip in (clip_grad_norm_, clip_grad_value_):
        product = (factor * weight.grad).sum()
        clip([weight], 0.1)
        with pytest.raises(RuntimeError, match="changed"):
            product.backward()


def test_the_examples_in_the_docstrings_are_true():
    """Every example of the specification runs and prints what it says."""
    failed, tried = doctest.testmod(training)
    assert failed == 0
    assert tried >= 20
