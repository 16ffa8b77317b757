"""The losses agree with PyTorch's frozen results and keep their laws."""

import ast
import doctest
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tinytorch import losses
from tinytorch.activations import log_softmax, sigmoid
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

pytestmark = pytest.mark.filterwarnings("error")

with np.load(Path(__file__).parent / "fixtures" / "losses.npz") as _file:
    FIXTURE = dict(_file)

OVER_LABELS = [nll_loss, cross_entropy]
over_labels = pytest.mark.parametrize("loss", OVER_LABELS)
laws = settings(deadline=None, max_examples=60)


def frozen():
    """Each call of the fixture with the shape and the numbers that PyTorch gave."""
    rest = FIXTURE["results"]
    for call, shape in zip(FIXTURE["calls"].tolist(), FIXTURE["shapes"].tolist(), strict=True):
        shape = ast.literal_eval(shape)
        want, rest = np.split(rest, [int(np.prod(shape))])
        yield pytest.param(call, want.reshape(shape), id=call)
    assert rest.size == 0


def answer(call):
    """The array that tinytorch gives for a call of the fixture, and that of the input."""
    name, x, target, *options = call.split()
    x, target, kept = FIXTURE[f"in.{x}"], FIXTURE[f"in.{target}"], {}
    for key, value in (option.split("=") for option in options):
        if key.endswith("weight"):
            kept[key] = Tensor(FIXTURE[f"in.{value}"].astype(x.dtype))
        else:
            kept[key] = {"reduction": str, "ignore_index": int}.get(key, float)(value)
    target = np.where(target == -100, kept.get("ignore_index", -100), target)
    return getattr(losses, name)(Tensor(x), Tensor(target), **kept).data, x


@pytest.mark.parametrize(("call", "want"), list(frozen()))
def test_the_result_is_pytorchs(call, want):
    """Values, shape and dtype are those that PyTorch gave, NaN and infinity included."""
    # Where infinities make a NaN, NumPy warns and PyTorch is silent: only the values are compared.
    with np.errstate(invalid="ignore" if "masked" in call else "warn"):
        got, x = answer(call)
    assert (got.dtype, got.shape) == (x.dtype, want.shape)
    np.testing.assert_allclose(got, want, rtol=1e-12 if x.dtype == np.float64 else 1e-6)


def test_the_fixture_calls_every_loss_with_every_reduction():
    """Nothing is skipped because a name in the fixture is misspelt."""
    calls = FIXTURE["calls"].tolist()
    assert len(set(calls)) == 474
    for name in ("mse_loss", "l1_loss", "nll_loss", "cross_entropy", "binary_cross_entropy"):
        for reduction in ("none", "mean", "sum"):
            assert any(c.startswith(name) and f"={reduction}" in c for c in calls)


def scores(limit=1000, dtypes=(np.float32, np.float64), max_dims=4):
    """Arrays (N, C, d…) of at least one class, with a label for each sample that counts."""
    shapes = hnp.array_shapes(min_dims=2, max_dims=max_dims, min_side=1, max_side=4)

    def arrays(dtype, shape):
        bound = {"min_value": -limit, "max_value": limit, "width": np.dtype(dtype).itemsize * 8}
        labels = st.sampled_from([*range(shape[1]), -100])
        return st.tuples(
            hnp.arrays(dtype, shape, elements=st.floats(**bound)),
            hnp.arrays(np.int64, shape[:1] + shape[2:], elements=labels),
        )

    return st.tuples(st.sampled_from(dtypes), shapes).flatmap(lambda pair: arrays(*pair))


@laws
@given(given=scores())
def test_cross_entropy_is_finite_and_not_negative_up_to_a_thousand(given):
    """Nothing overflows or warns, the input stays, and an ignored sample costs exactly 0."""
    x, labels = given
    before, tensor = x.copy(), Tensor(x)
    got = cross_entropy(tensor, Tensor(labels), reduction="none").data
    assert (got.dtype, got.shape) == (x.dtype, labels.shape)
    assert np.isfinite(got).all() and (got >= 0).all()
    assert not got[labels == -100].any()
    np.testing.assert_array_equal(tensor.data, before)


@laws
@given(given=scores(), smoothing=st.sampled_from([0.0, 0.3]))
def test_cross_entropy_is_nll_of_log_softmax(given, smoothing):
    """And with smoothing, a mixture of the label's own and of every class's."""
    x, labels = Tensor(given[0]), Tensor(given[1])
    log_p = log_softmax(x, 1)
    want = (1 - smoothing) * nll_loss(log_p, labels, reduction="none").data
    spread = -log_p.data.mean(axis=1)
    want = want + smoothing * np.where(given[1] == -100, 0, spread)
    got = cross_entropy(x, labels, reduction="none", label_smoothing=smoothing).data
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-30)


@laws
@given(given=scores(limit=50, dtypes=(np.float64,)), shift=st.floats(-1000, 1000))
def test_cross_entropy_forgets_what_all_scores_share(given, shift):
    """Only differences between scores count."""
    x, labels = given
    want = cross_entropy(Tensor(x), Tensor(labels), reduction="sum").data
    got = cross_entropy(Tensor(x + shift), Tensor(labels), reduction="sum").data
    np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-9)


@over_labels
@laws
@given(given=scores(limit=50, dtypes=(np.float64,)), factor=st.floats(0.1, 10))
def test_the_mean_is_the_weighted_average_of_the_samples_that_count(loss, given, factor):
    """Weights all times a factor change nothing; the ignored have no weight."""
    x, labels = given
    weight = np.linspace(1, 2, x.shape[1])
    mean = loss(Tensor(x), Tensor(labels), Tensor(weight * factor)).data
    total = loss(Tensor(x), Tensor(labels), Tensor(weight), reduction="sum").data
    count = weight[labels[labels != -100]].sum()
    if count == 0:
        assert np.isnan(mean)
    else:
        np.testing.assert_allclose(mean, total / count, rtol=1e-12)


@over_labels
@laws
@given(given=scores(limit=50))
def test_every_position_of_an_image_is_a_row(loss, given):
    """(N, C, d…) is a batch of N·d… rows; a view with other strides is as good."""
    x, labels = given
    rows = Tensor(np.moveaxis(x, 1, -1).reshape(-1, x.shape[1]))
    want = loss(rows, Tensor(labels.reshape(-1)), reduction="none").data
    for scores in (Tensor(x), Tensor(np.swapaxes(x, 0, 1)).transpose(0, 1)):
        got = loss(scores, Tensor(labels), reduction="none").data
        np.testing.assert_allclose(got.reshape(-1), want, rtol=1e-5, atol=1e-6)


@laws
@given(given=scores(limit=50, dtypes=(np.float64,)), smoothing=st.sampled_from([0.0, 0.2]))
def test_probabilities_of_one_are_labels(given, smoothing):
    """A truth (N, C, d…) with a single 1 per sample costs what its label costs."""
    x, labels = given
    labels = np.where(labels == -100, 0, labels)
    truth = np.moveaxis(np.eye(x.shape[1])[labels], -1, 1)
    for reduction in losses.REDUCTIONS:
        kept = {"reduction": reduction, "label_smoothing": smoothing}
        want = cross_entropy(Tensor(x), Tensor(labels), **kept).data
        got = cross_entropy(Tensor(x), Tensor(truth), **kept).data
        np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-12)


@laws
@given(
    x=hnp.arrays(np.float64, 5, elements=st.floats(-20, 20)),
    t=hnp.arrays(np.float64, 5, elements=st.floats(0, 1)),
)
def test_binary_cross_entropy_of_the_sigmoid_is_that_of_the_score(x, t):
    """And the score's is finite at any score, where the chance's stops at 100."""
    want = binary_cross_entropy(sigmoid(Tensor(x)), Tensor(t), reduction="none").data
    got = binary_cross_entropy_with_logits(Tensor(x), Tensor(t), reduction="none").data
    np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-9)
    far = binary_cross_entropy_with_logits(Tensor(x * 1e30), Tensor(t), reduction="none").data
    assert np.isfinite(far).all() and (far >= 0).all()


@laws
@given(x=hnp.arrays(np.float64, 6, elements=st.floats(-30, 30)))
def test_two_classes_are_yes_or_no(x):
    """softmax of (0, x) is (1 - sigmoid(x), sigmoid(x)), so the two losses are one."""
    two = Tensor(np.stack([np.zeros_like(x), x], axis=1))
    for label in (0, 1):
        want = cross_entropy(two, Tensor(np.full(6, label)), reduction="none").data
        truth = Tensor(np.full(6, float(label)))
        got = binary_cross_entropy_with_logits(Tensor(x), truth, reduction="none").data
        np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-12)


@over_labels
@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int32, np.uint64])
def test_labels_may_be_any_integers(loss, dtype):
    """-100 does not fit into uint8, and need not: then every label counts."""
    x, labels = Tensor([[0.5, -1.0], [2.0, 1.0]]), np.array([1, 0])
    got = loss(x, Tensor(labels.astype(dtype)))
    assert got.item() == loss(x, Tensor(labels)).item()
    with pytest.raises(IndexError, match="from 0 to 1, got 2"):
        loss(x, Tensor(np.array([0, 2], dtype)))


@over_labels
def test_an_ignored_label_may_name_a_class_or_none(loss):
    """`ignore_index` 1 leaves class 1 out; 7 of two classes is no error when it is ignored."""
    x = Tensor([[-0.5, -1.0], [-2.0, -1.0]])
    want = loss(x[:1], Tensor([0])).item()
    assert loss(x, Tensor([0, 1]), ignore_index=1).item() == want
    assert loss(x, Tensor([0, 7]), ignore_index=7).item() == want
    assert loss(x, Tensor([0, -1]), ignore_index=-1).item() == want


@over_labels
def test_an_empty_batch_sums_to_zero_and_has_no_mean(loss):
    """NaN without a warning, as in PyTorch."""
    x, labels = Tensor(np.zeros((0, 3))), Tensor(np.zeros(0, int))
    assert loss(x, labels, reduction="sum").item() == 0
    assert loss(x, labels, reduction="none").shape == (0,)
    assert np.isnan(loss(x, labels).item())


def fitting(loss):
    """An input and a target that fit a loss."""
    if loss in OVER_LABELS:
        return Tensor([[-0.5, -1.0, -2.0], [-2.0, -1.0, -0.5]]), Tensor([1, 0])
    return Tensor([[0.5, 0.25, 1.0]]), Tensor([[1.0, 0.0, 0.5]])


KERNELS = {
    nll_loss: losses.nll_loss_array,
    cross_entropy: losses.cross_entropy_array,
    binary_cross_entropy: losses.binary_cross_entropy_array,
    binary_cross_entropy_with_logits: losses.binary_cross_entropy_with_logits_array,
}


@pytest.mark.parametrize("loss", KERNELS)
def test_one_kernel_stands_behind_a_loss(loss):
    """A rule table looks it up by name; its recipe computes the result again."""
    x, target = fitting(loss)
    assert loss(x, target).recipe is None
    x.requires_grad = True
    recipe = loss(x, target, reduction="none").recipe
    assert recipe.op is KERNELS[loss]
    assert recipe.inputs == (x, target)
    again = recipe.op(x.data, target.data, **recipe.kwargs)
    np.testing.assert_array_equal(again, loss(x, target, reduction="none").data)


@pytest.mark.parametrize("loss", [mse_loss, l1_loss])
def test_the_target_of_a_regression_may_want_a_gradient_too(loss):
    """Both sides of a difference are recorded."""
    x, target = fitting(loss)
    target.requires_grad = True
    assert loss(x, target).requires_grad


WEIGHT = Tensor([1.0, 2.0, 3.0])


@pytest.mark.parametrize(
    ("layer", "loss", "kept"),
    [
        (MSELoss(), mse_loss, {}),
        (MSELoss("sum"), mse_loss, {"reduction": "sum"}),
        (L1Loss(reduction="none"), l1_loss, {"reduction": "none"}),
        (NLLLoss(WEIGHT, 1, "sum"), nll_loss, dict(weight=WEIGHT, ignore_index=1, reduction="sum")),
        (CrossEntropyLoss(), cross_entropy, {}),
        (
            CrossEntropyLoss(WEIGHT, 1, "none", 0.5),
            cross_entropy,
            dict(weight=WEIGHT, ignore_index=1, reduction="none", label_smoothing=0.5),
        ),
        (BCELoss(WEIGHT, "sum"), binary_cross_entropy, dict(weight=WEIGHT, reduction="sum")),
        (
            BCEWithLogitsLoss(WEIGHT, "none", WEIGHT),
            binary_cross_entropy_with_logits,
            dict(weight=WEIGHT, reduction="none", pos_weight=WEIGHT),
        ),
    ],
    ids=lambda value: type(value).__name__ if hasattr(value, "operation") else "",
)
def test_an_object_does_what_its_function_does(layer, loss, kept):
    """Settings stand in PyTorch's order, and the object prints itself with them."""
    x, target = fitting(loss)
    np.testing.assert_array_equal(layer(x, target).data, loss(x, target, **kept).data)
    assert repr(layer).startswith(f"{type(layer).__name__}(reduction={layer.reduction!r}")


def test_the_examples_in_the_docstrings_are_true():
    """Every example of the specification runs and prints what it says."""
    failed, tried = doctest.testmod(losses)
    assert failed == 0
    assert tried >= 8
