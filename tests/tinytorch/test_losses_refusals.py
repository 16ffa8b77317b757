"""The losses refuse wrong input, and say what was expected, what came and what to do."""

import numpy as np
import pytest

from tinytorch.losses import (
    BCELoss,
    BCEWithLogitsLoss,
    CrossEntropyLoss,
    L1Loss,
    MSELoss,
    NLLLoss,
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cross_entropy,
    l1_loss,
    mse_loss,
    nll_loss,
)
from tinytorch.tensor import Tensor

OVER_PAIRS = [mse_loss, l1_loss, binary_cross_entropy, binary_cross_entropy_with_logits]
OVER_LABELS = [nll_loss, cross_entropy]
over_pairs = pytest.mark.parametrize("loss", OVER_PAIRS)
over_labels = pytest.mark.parametrize("loss", OVER_LABELS)
every_loss = pytest.mark.parametrize("loss", OVER_PAIRS + OVER_LABELS)


def fitting(loss):
    """An input and a target that fit a loss."""
    if loss in OVER_LABELS:
        return Tensor([[-0.5, -1.0, -2.0], [-2.0, -1.0, -0.5]]), Tensor([1, 0])
    return Tensor([[0.5, 0.25, 1.0]]), Tensor([[1.0, 0.0, 0.5]])


WRONG_PAIRS = [
    ([[1.0]], Tensor([[1.0]]), TypeError, "expected a Tensor, got list"),
    (Tensor([1.0]), np.ones(1), TypeError, "expected a Tensor, got ndarray"),
    (Tensor([1]), Tensor([1]), TypeError, "expected floats, got int64; .*astype"),
    (Tensor([1.0]), Tensor([1]), TypeError, "expected floats, got int64; .*astype"),
    (Tensor([1.0]), Tensor(np.ones(1)), TypeError, "target in float32, got float64; .*astype"),
    (
        Tensor([[1.0]] * 4),
        Tensor([1.0] * 4),
        ValueError,
        r"equal shapes, got input \(4, 1\), target \(4,\); reshape",
    ),
    (Tensor(1.0), Tensor([1.0]), ValueError, r"got input \(\), target \(1,\)"),
]


@over_pairs
@pytest.mark.parametrize(("x", "target", "error", "message"), WRONG_PAIRS)
def test_a_wrong_pair_is_refused(loss, x, target, error, message):
    """What came, what was expected, and what to do."""
    with pytest.raises(error, match=f"^{loss.__name__}: .*{message}"):
        loss(x, target)


X = Tensor([[-0.5, -1.0, -2.0], [-2.0, -1.0, -0.5]])
WRONG_LABELS = [
    ([[1.0]], Tensor([1]), {}, TypeError, "expected a Tensor, got list"),
    (X, [0, 1], {}, TypeError, r"expected a Tensor, got list; write Tensor"),
    (X.astype(np.int64), Tensor([0, 1]), {}, TypeError, "expected floats, got int64"),
    (Tensor(1.0), Tensor(0), {}, ValueError, r"expected input \(C,\) or \(N, C, ...\), got a"),
    (Tensor(1.0), Tensor(0.0), {}, ValueError, r"expected input \(C,\) or \(N, C, ...\), got a"),
    (X, Tensor([0.0, 1.0]), {}, TypeError, "integer labels, got float32; .*astype"),
    (X, Tensor([True, False]), {}, TypeError, "integer labels, got bool"),
    (X, Tensor([0, 3]), {}, IndexError, "labels from 0 to 2, got 3; .* has label -100"),
    (X, Tensor([-1, 0]), {}, IndexError, "labels from 0 to 2, got -1"),
    (X, Tensor([-100, 0]), {"ignore_index": -1}, IndexError, "got -100; .* has label -1"),
    (X, Tensor([0]), {}, ValueError, r"labels \(2,\) for input \(2, 3\), got \(1,\)"),
    (X, Tensor([[0], [1]]), {}, ValueError, r"labels \(2,\) for input \(2, 3\), got \(2, 1\)"),
    (X[0], Tensor([0]), {}, ValueError, r"labels \(\) for input \(3,\), got \(1,\)"),
    (X, Tensor([0, 1]), {"ignore_index": None}, TypeError, "ignore_index as an int, got None"),
    (X, Tensor([0, 1]), {"weight": Tensor([1.0])}, ValueError, r"shape \(3,\), got \(1,\)"),
    (X, Tensor([0, 1]), {"weight": np.ones(3)}, TypeError, "weight: expected a Tensor"),
    (X, Tensor([0, 1]), {"weight": Tensor(np.ones(3))}, TypeError, "weight in float32, got"),
    (
        X,
        Tensor([0, 1]),
        {"weight": Tensor([1.0] * 3, requires_grad=True)},
        ValueError,
        "weight without requires_grad.*detach",
    ),
]


@over_labels
@pytest.mark.parametrize(("x", "target", "kept", "error", "message"), WRONG_LABELS)
def test_wrong_labels_and_weights_are_refused(loss, x, target, kept, error, message):
    """No label wraps round, none is rounded, and none is compared with another sample."""
    with pytest.raises(error, match=f"^{loss.__name__}: .*{message}"):
        loss(x, target, **kept)


@every_loss
@pytest.mark.parametrize("wrong", ["avg", "MEAN", None, ""])
def test_an_unknown_reduction_is_refused(loss, wrong):
    """By the function and, before there is any data, by the object."""
    with pytest.raises(ValueError, match=f"expected reduction 'none', .*, got {wrong!r}"):
        loss(*fitting(loss), reduction=wrong)


@pytest.mark.parametrize("smoothing", [-0.1, 1.1, float("nan")])
def test_a_share_outside_zero_and_one_is_refused(smoothing):
    """NaN included; 0 and 1 are shares."""
    with pytest.raises(ValueError, match="0 <= label_smoothing <= 1, got"):
        cross_entropy(*fitting(cross_entropy), label_smoothing=smoothing)


def test_probabilities_refuse_what_makes_no_sense_for_them():
    """An ignore_index is for labels; dtypes and weights are checked as ever."""
    with pytest.raises(ValueError, match="expected no ignore_index, got 1"):
        cross_entropy(X, X.exp(), ignore_index=1)
    with pytest.raises(TypeError, match="target in float32, got float64"):
        cross_entropy(X, X.astype(np.float64))
    with pytest.raises(ValueError, match=r"shape \(3,\), got \(2,\)"):
        cross_entropy(X, X.exp(), weight=Tensor([1.0, 2.0]))
    with pytest.raises(ValueError, match="'avg'"):
        cross_entropy(X, X.exp(), reduction="avg")


@pytest.mark.parametrize("wrong", [1.5, -0.25, float("nan"), float("inf")])
def test_what_is_no_chance_is_refused_and_pointed_to_the_other_loss(wrong):
    """The input and the target are checked alike."""
    good, bad = Tensor([0.5, 0.5]), Tensor([0.5, wrong])
    with pytest.raises(ValueError, match=f"0 <= input <= 1, got {wrong}; .*with_logits"):
        binary_cross_entropy(bad, good)
    with pytest.raises(ValueError, match=f"0 <= target <= 1, got {wrong}; a truth is 0 for no"):
        binary_cross_entropy(good, bad)


@pytest.mark.parametrize(
    ("loss", "what"),
    [
        (binary_cross_entropy, "weight"),
        (binary_cross_entropy_with_logits, "weight"),
        (binary_cross_entropy_with_logits, "pos_weight"),
    ],
)
@pytest.mark.parametrize(
    ("weight", "error", "message"),
    [
        (Tensor([1.0, 1.0]), ValueError, r"to broadcast to \(1, 3\), got \(2,\)"),
        (Tensor([[1.0], [1.0]]), ValueError, r"to broadcast to \(1, 3\), got \(2, 1\)"),
        (Tensor([[[1.0]]]), ValueError, r"to broadcast to \(1, 3\), got \(1, 1, 1\)"),
        (Tensor([1, 1, 1]), TypeError, "expected floats, got int64"),
        (Tensor(np.ones(3)), TypeError, "in float32, got float64"),
        (Tensor([1.0], requires_grad=True), ValueError, "without requires_grad"),
        (2.0, TypeError, "expected a Tensor, got float"),
    ],
)
def test_a_weight_that_would_grow_the_losses_is_refused(loss, what, weight, error, message):
    """A weight broadcasts to the losses, the losses never to a weight."""
    with pytest.raises(error, match=f"^{loss.__name__}: .*{message}"):
        loss(*fitting(loss), **{what: weight})


@pytest.mark.parametrize(
    "make", [MSELoss, L1Loss, NLLLoss, CrossEntropyLoss, BCELoss, BCEWithLogitsLoss]
)
def test_an_object_refuses_an_unknown_reduction_when_it_is_made(make):
    """Not an hour later, at the first batch."""
    with pytest.raises(ValueError, match=f"^{make.__name__}: expected reduction"):
        make(reduction="avg")
