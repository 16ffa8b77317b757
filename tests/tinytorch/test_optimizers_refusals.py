"""What optimizers refuse: settings, parameters, gradients and saved states that do not fit."""

import numpy as np
import pytest

from tinytorch.optimizers import SGD, Adam, AdamW, RMSprop
from tinytorch.tensor import Tensor

KINDS = [SGD, RMSprop, Adam, AdamW]
every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)


def tensors(*shapes):
    """Parameters of ones, each with a gradient of ones."""
    made = [Tensor(np.ones(shape, np.float32), requires_grad=True) for shape in shapes]
    for p in made:
        p.grad = Tensor(np.ones(p.shape, np.float32))
    return made


def saved_adam():
    """What an Adam with two groups saves after a step."""
    a, b = tensors((2, 3), (4,))
    optimizer = Adam([{"params": [a]}, {"params": [b]}])
    optimizer.step()
    return optimizer, optimizer.state_dict()


def lose_a_group(saved):
    """Leave only the first group."""
    saved["param_groups"].pop()


def grow_a_group(saved):
    """Say that the first group had two parameters."""
    saved["param_groups"][0]["params"] = [0, 9]


def lose_a_setting(saved):
    """A group without betas is none of Adam's."""
    del saved["param_groups"][1]["betas"]


def lose_a_moment(saved):
    """Adam cannot go on with one average."""
    del saved["state"][1]["exp_avg_sq"]


def swap_the_states(saved):
    """The parameters were listed in another order."""
    saved["state"] = {0: saved["state"][1], 1: saved["state"][0]}


def add_a_stranger(saved):
    """State of a parameter that no group has."""
    saved["state"][5] = saved["state"][0]


def spoil_a_setting(saved):
    """A file may be wrong."""
    saved["param_groups"][1]["lr"] = -1.0


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lose_a_group, r"expected groups of \[1, 1\] parameters, got \[1\]: make the optimizer"),
        (grow_a_group, r"expected groups of \[1, 1\] parameters, got \[2, 1\]"),
        (lose_a_setting, r"\['betas'\] missing: saved by another optimizer\?"),
        (lose_a_moment, r"expected the state \['step', 'exp_avg', 'exp_avg_sq'\], got .*another"),
        (swap_the_states, r"exp_avg of a parameter of shape \(2, 3\) has shape \(4,\): list the"),
        (add_a_stranger, r"got state of parameters \[5\], not here"),
        (spoil_a_setting, r"Adam: lr: expected a finite number >= 0, got -1.0"),
    ],
)
def test_what_does_not_fit_is_not_loaded(spoil, message):
    """The error says what was expected and what came, and nothing is changed."""
    optimizer, saved = saved_adam()
    groups, state = optimizer.param_groups, optimizer.state
    spoil(saved)
    with pytest.raises(ValueError, match=message):
        optimizer.load_state_dict(saved)
    assert optimizer.param_groups is groups
    assert optimizer.state is state


FINITE = "expected a finite number >= 0, got"


@pytest.mark.parametrize(
    ("kind", "settings", "error", "message"),
    [
        *((kind, {"lr": -0.1}, ValueError, f"lr: {FINITE} -0.1") for kind in KINDS),
        *((kind, {"lr": float("nan")}, ValueError, f"lr: {FINITE} nan") for kind in KINDS),
        *((kind, {"lr": float("inf")}, ValueError, f"lr: {FINITE} inf") for kind in KINDS),
        *((kind, {"lr": "0.1"}, TypeError, "lr: expected a number, got '0.1'") for kind in KINDS),
        *((kind, {"weight_decay": -1}, ValueError, f"weight_decay: {FINITE} -1") for kind in KINDS),
        *((kind, {"maximize": 1}, TypeError, "expected True or False, got 1") for kind in KINDS),
        (SGD, {"momentum": -0.9}, ValueError, f"momentum: {FINITE} -0.9"),
        (SGD, {"dampening": float("inf")}, ValueError, "expected a finite number >= -inf, got inf"),
        (SGD, {"nesterov": True}, ValueError, "nesterov expects momentum > 0 .* got momentum=0,"),
        (SGD, dict(nesterov=True, momentum=0.9, dampening=0.1), ValueError, "dampening=0.1"),
        (RMSprop, {"momentum": -0.9}, ValueError, f"momentum: {FINITE} -0.9"),
        (RMSprop, {"alpha": 1.0}, ValueError, "alpha: expected 0 <= alpha < 1, got 1.0"),
        (RMSprop, {"alpha": -0.1}, ValueError, "alpha: expected 0 <= alpha < 1, got -0.1"),
        (RMSprop, {"eps": -1e-8}, ValueError, f"eps: {FINITE} -1e-08"),
        *(
            (kind, {"betas": betas}, error, message)
            for kind in (Adam, AdamW)
            for betas, error, message in [
                ((0.9, 1.0), ValueError, r"betas: expected 0 <= betas < 1, got \(0.9, 1.0\)"),
                ((-0.1, 0.9), ValueError, r"betas: expected 0 <= betas < 1, got \(-0.1, 0.9\)"),
                (0.9, TypeError, r"betas: expected two numbers, got 0.9: write \(0.9, 0.999\)"),
                ((0.9,), TypeError, r"expected two numbers"),
            ]
        ),
        (Adam, {"eps": -1.0}, ValueError, f"eps: {FINITE} -1.0"),
        (Adam, {"amsgrad": None}, TypeError, "amsgrad: expected True or False, got None"),
    ],
)
def test_settings_out_of_range_are_refused(kind, settings, error, message):
    """At once, for all groups or for one of them, and no group is added."""
    a, b = tensors(2, 2)
    with pytest.raises(error, match=f"^{kind.__name__}: .*{message}"):
        kind([a], **settings)
    optimizer = kind([a])
    with pytest.raises(error, match=message):
        optimizer.add_param_group({"params": [b], **settings})
    assert len(optimizer.param_groups) == 1


@every_kind
@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda a: [], ValueError, r"expected at least one parameter, got none"),
        (lambda a: [{"params": []}], ValueError, r"expected at least one parameter, got none"),
        (lambda a: a, TypeError, r"expected a list of tensors or of dicts, got Tensor: write \["),
        (lambda a: {"params": [a]}, TypeError, r"or of dicts, got dict: write \["),
        (lambda a: 3, TypeError, r"expected a list of tensors or of dicts, got int"),
        (lambda a: {a}, TypeError, r"expected parameters in an order, got a set: use a list"),
        (lambda a: [{"params": {a}}], TypeError, r"got a set: use a list"),
        (lambda a: [{"lr": 0.1}], TypeError, r"expected a dict with 'params', got {'lr': 0.1}"),
        (lambda a: [{"params": a}, a], TypeError, r"expected a dict with 'params', got Tensor"),
        (lambda a: [a.data], TypeError, r"expected Tensors, got ndarray: pass model.parameters"),
        (lambda a: [("w", a)], TypeError, r"expected Tensors, got tuple: pass model.parameters"),
        (lambda a: [a * 2], ValueError, r"nothing computed, got the result .* \(2,\): .*detach"),
        (lambda a: [a, a], ValueError, r"shape \(2,\) came twice: list it once"),
        (lambda a: [{"params": [a]}, {"params": [a]}], ValueError, r"came twice: list it once"),
        (lambda a: [{"params": [a], "rate": 1}], ValueError, r"among .*, got \['rate'\]"),
    ],
)
def test_what_cannot_be_a_parameter_is_refused(kind, make, error, message):
    """Each mistake has its sentence."""
    (a,) = tensors(2)
    with pytest.raises(error, match=f"^{kind.__name__}: .*{message}"):
        kind(make(a))


def test_a_gradient_of_another_shape_or_dtype_is_refused():
    """It would broadcast, or change the precision, silently."""
    (p,) = tensors((2, 3))
    optimizer, before = SGD([p]), p.data.copy()
    p.grad = Tensor([1.0, 1.0, 1.0])
    with pytest.raises(ValueError, match=r"expected a gradient of shape \(2, 3\), got \(3,\)"):
        optimizer.step()
    p.grad = Tensor(np.ones((2, 3)))
    with pytest.raises(TypeError, match="expected a gradient of float32, got float64: use astype"):
        optimizer.step()
    np.testing.assert_array_equal(p.data, before)
