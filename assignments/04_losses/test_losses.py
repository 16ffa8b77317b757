"""What module 04 must do. Run it with `tito test 04`; the first sentence below a name says why."""

import numpy as np
import pytest

from tinytorch.losses import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    collect,
    cross_entropy,
    l1_loss,
    mse_loss,
    nll_loss,
    own_class,
)
from tinytorch.tensor import Tensor

# A warning such as "overflow encountered in exp" is a failure: the formula needs another form.
pytestmark = pytest.mark.filterwarnings("error")

SCORES = Tensor(np.log([[1.0, 3.0], [3.0, 1.0], [1.0, 1.0]]), np.float32)  # odds of 1 to 3, …
LOG_P = Tensor([[-1.0, -2.0], [-3.0, -4.0], [-5.0, -6.0]])
WEIGHT = Tensor([1.0, 3.0])


def task(name, loss, *arguments):
    """A loss with the task that it belongs to and arguments that fit, for the tests of them all."""
    return pytest.param(loss, arguments, id=name, marks=pytest.mark.task(name))


PAIR = ([[0.25, 0.5, 1.0]], [[1.0, 0.0, 1.0]])
OVER_PAIRS = [
    task("mse_loss", mse_loss, *PAIR),
    task("l1_loss", l1_loss, *PAIR),
    task("binary_cross_entropy", binary_cross_entropy, *PAIR),
    task("binary_cross_entropy_with_logits", binary_cross_entropy_with_logits, *PAIR),
]
OVER_LABELS = [
    task("nll_loss", nll_loss, [[-0.5, -1.0], [-2.0, -0.25]], [1, 0]),
    task("cross_entropy", cross_entropy, [[-0.5, -1.0], [-2.0, -0.25]], [1, 0]),
]
every_pair = pytest.mark.parametrize(("loss", "arguments"), OVER_PAIRS)
over_labels = pytest.mark.parametrize(("loss", "arguments"), OVER_LABELS)
every_loss = pytest.mark.parametrize(("loss", "arguments"), OVER_PAIRS + OVER_LABELS)


def close(tensor, expected):
    """Compare up to four digits, as printed in the tests below."""
    np.testing.assert_allclose(tensor.numpy(), np.array(expected), atol=6e-5)


@pytest.mark.task("mse_loss")
def test_mse_loss_is_the_mean_of_the_squared_differences():
    """Differences 0, 2 and -1 have squares 0, 4 and 1: their mean is 5/3, not their sum."""
    x, y = Tensor([1.0, 2.0, 3.0]), Tensor([1.0, 4.0, 2.0])
    close(mse_loss(x, y), 5 / 3)
    close(mse_loss(x, y, reduction="sum"), 5.0)
    close(mse_loss(x, y, reduction="none"), [0.0, 4.0, 1.0])


@pytest.mark.task("l1_loss")
def test_l1_loss_is_the_mean_of_the_absolute_differences():
    """Differences 0, 2 and -1 have absolute values 0, 2 and 1: their mean is 1."""
    x, y = Tensor([1.0, 2.0, 3.0]), Tensor([1.0, 4.0, 2.0])
    close(l1_loss(x, y), 1.0)
    close(l1_loss(x, y, reduction="sum"), 3.0)
    close(l1_loss(x, y, reduction="none"), [0.0, 2.0, 1.0])


@pytest.mark.task("own_class")
def test_own_class_says_where_each_label_stands():
    """Sample 0 has its own class at (0, 2), sample 1 at (1, 0); sample 2 does not count."""
    n, c = own_class(np.array([2, 0, -100]), ignore_index=-100)
    assert (n.tolist(), c.tolist()) == ([0, 1], [2, 0])
    n, c = own_class(np.array([2, 0, 1]), ignore_index=2)
    assert (n.tolist(), c.tolist()) == ([1, 2], [0, 1])


@pytest.mark.task("own_class")
def test_own_class_of_images_has_the_pixel_behind_the_class():
    """Labels (N, d) belong to scores (N, C, d): the class stands second, the pixel third."""
    labels = np.array([[1, 0], [-1, 2]])
    n, c, d = own_class(labels, ignore_index=-1)
    assert (n.tolist(), c.tolist(), d.tolist()) == ([0, 0, 1], [1, 0, 2], [0, 1, 1])


@pytest.mark.task("collect")
def test_collect_puts_zero_where_a_sample_does_not_count():
    """Of four samples the second is ignored: "none" keeps its place, with 0 in it."""
    own = (np.array([0, 2, 3]), np.array([1, 0, 1]))
    got = collect(np.array([2.0, 7.0, 3.0]), own, (4,), None, "none")
    assert got.tolist() == [2.0, 0.0, 7.0, 3.0]


@pytest.mark.task("collect")
def test_collect_divides_by_the_weights_of_the_samples_that_count():
    """Weights 3, 1 and 3 of classes 1, 0 and 1 sum to 7; without weights there are 3 samples."""
    losses, own = np.array([2.0, 7.0, 3.0]), (np.array([0, 2, 3]), np.array([1, 0, 1]))
    assert collect(losses, own, (4,), None, "sum") == 12
    assert collect(losses, own, (4,), None, "mean") == 4
    assert collect(losses, own, (4,), np.array([1.0, 3.0]), "mean") == 12 / 7


@pytest.mark.task("collect")
def test_collect_answers_nan_for_the_mean_of_no_sample():
    """0 / 0 is no number, and 0 would look like a perfect answer; the sum of nothing is 0."""
    none, own = np.array([]), (np.array([], int), np.array([], int))
    assert np.isnan(collect(none, own, (2,), None, "mean"))
    assert np.isnan(collect(none, own, (2,), np.array([1.0, 3.0]), "mean"))
    assert collect(none, own, (2,), None, "sum") == 0


@pytest.mark.task("nll_loss")
def test_nll_loss_picks_the_label_and_turns_the_sign():
    """Labels 1, 0 and 1 pick -2, -3 and -6; their mean, with the sign turned, is 11/3."""
    close(nll_loss(LOG_P, Tensor([1, 0, 1]), reduction="none"), [2.0, 3.0, 6.0])
    close(nll_loss(LOG_P, Tensor([1, 0, 1])), 11 / 3)


@pytest.mark.task("nll_loss")
def test_nll_loss_weighs_each_sample_by_its_own_class():
    """Weights 3, 1, 3: losses 6, 3, 18, and the mean divides by 7, not by 3."""
    close(nll_loss(LOG_P, Tensor([1, 0, 1]), WEIGHT, reduction="none"), [6.0, 3.0, 18.0])
    close(nll_loss(LOG_P, Tensor([1, 0, 1]), weight=WEIGHT), 27 / 7)


@pytest.mark.task("cross_entropy")
def test_cross_entropy_is_minus_the_logarithm_of_the_probability_of_the_label():
    """Odds of 1 to 3 are chances of 1/4 and 3/4: a label of 1 costs -log(3/4), of 0 -log(1/4)."""
    got = cross_entropy(SCORES, Tensor([1, 1, 0]), reduction="none")
    close(got, -np.log([0.75, 0.25, 0.5]))


@pytest.mark.task("cross_entropy")
def test_cross_entropy_is_stable_far_out():
    """Never form a probability: exp(-2000) is 0, and its logarithm would be infinite."""
    scores = Tensor([[1000.0, -1000.0], [1000.0, 1000.0]])
    close(cross_entropy(scores, Tensor([1, 0]), reduction="none"), [2000.0, np.log(2)])


@pytest.mark.task("cross_entropy")
def test_label_smoothing_spreads_a_share_over_all_classes():
    """With ε = 0.2 and two classes, the truth is (0.1, 0.9): the label's class gets 1 - ε + ε/2."""
    got = cross_entropy(SCORES[:1], Tensor([1]), label_smoothing=0.2)
    close(got, -0.9 * np.log(0.75) - 0.1 * np.log(0.25))


@pytest.mark.task("cross_entropy")
def test_weights_reach_the_smoothed_part_and_the_mean_divides_by_the_labels_weights():
    """Every class of the smoothed truth has its own weight; the divisor stays Σ w[tᵢ]."""
    got = cross_entropy(SCORES[:2], Tensor([1, 0]), weight=WEIGHT, label_smoothing=0.2)
    row = -3 * 0.9 * np.log(0.75) - 0.1 * np.log(0.25)
    other = -0.9 * np.log(0.75) - 3 * 0.1 * np.log(0.25)
    close(got, (row + other) / (3 + 1))


@pytest.mark.task("cross_entropy")
def test_probabilities_may_stand_for_labels():
    """A target (N, C) of floats says how likely each class is; one of 1 is a label."""
    truth = Tensor([[0.0, 1.0], [0.5, 0.5]])
    want = [-np.log(0.75), -0.5 * np.log(0.75) - 0.5 * np.log(0.25)]
    close(cross_entropy(SCORES[:2], truth, reduction="none"), want)


@over_labels
def test_an_ignored_sample_costs_nothing_and_does_not_count(loss, arguments):
    """The mean over a sample and an ignored one is the loss of the sample, not half of it."""
    scores, _ = map(Tensor, arguments)
    alone = loss(scores[:1], Tensor([1]))
    close(loss(scores, Tensor([1, -100])), alone.item())
    close(loss(scores, Tensor([1, 0]), ignore_index=0), alone.item())


@over_labels
def test_classes_stand_on_axis_one_or_on_the_only_axis(loss, arguments):
    """(N, C, d) and (N, d) are d rows per image; (C,) and a label alone are one row."""
    scores, labels = map(Tensor, arguments)
    rows = loss(scores, labels, reduction="none")
    image = loss(scores.T.unsqueeze(0), labels.unsqueeze(0), reduction="none")
    assert image.shape == (1, 2)
    close(image[0], rows.numpy())
    single = loss(scores[1], labels[1], reduction="none")
    assert single.shape == ()
    close(single, rows[1].item())


@over_labels
def test_labels_that_name_no_class_are_refused(loss, arguments):
    """2 is beyond two classes, and -1 is not the last class: `_settings` says so."""
    scores, labels = map(Tensor, arguments)
    assert loss(scores, labels).shape == ()
    for wrong in ([1, 2], [-1, 0]):
        with pytest.raises(IndexError, match="labels from 0 to 1"):
            loss(scores, Tensor(wrong))
    with pytest.raises(TypeError, match="integer labels"):
        loss(scores, Tensor([1.0, 0.0]))


@pytest.mark.task("binary_cross_entropy")
def test_binary_cross_entropy_costs_the_logarithm_of_the_truths_chance():
    """A chance of 1/4 costs -log(1/4) when the truth is 1, and -log(3/4) when it is 0."""
    got = binary_cross_entropy(Tensor([0.25, 0.25]), Tensor([1.0, 0.0]), reduction="none")
    close(got, -np.log([0.25, 0.75]))
    halves = binary_cross_entropy(Tensor([0.25]), Tensor([0.5]))
    close(halves, -0.5 * np.log(0.25) - 0.5 * np.log(0.75))


@pytest.mark.task("binary_cross_entropy")
def test_binary_cross_entropy_costs_at_most_a_hundred():
    """log 0 is -∞; cut at -100, a chance of 0 for what is true costs 100, and 1 costs 0."""
    got = binary_cross_entropy(Tensor([0.0, 1.0]), Tensor([1.0, 1.0]), reduction="none")
    assert got.tolist() == [100.0, 0.0]


@pytest.mark.task("binary_cross_entropy")
def test_binary_cross_entropy_refuses_what_is_no_chance():
    """Scores, which may be 1.5, belong in the other function: `_chances` says so."""
    assert binary_cross_entropy(Tensor([1.0]), Tensor([1.0])).item() == 0
    with pytest.raises(ValueError, match="with_logits"):
        binary_cross_entropy(Tensor([1.5]), Tensor([1.0]))


@pytest.mark.task("binary_cross_entropy_with_logits")
def test_with_logits_is_the_same_loss_of_the_sigmoid():
    """sigmoid(-log 3) is 1/4, so the losses are -log(1/4) and -log(3/4)."""
    scores = Tensor([-np.log(3), -np.log(3)])
    got = binary_cross_entropy_with_logits(scores, Tensor([1.0, 0.0]), reduction="none")
    close(got, -np.log([0.25, 0.75]))


@pytest.mark.task("binary_cross_entropy_with_logits")
def test_with_logits_keeps_its_digits_far_out():
    """At 20 a right answer still costs e⁻²⁰, and at -1000 a wrong one 1000, not 100."""
    scores, truth = Tensor([20.0, -1000.0, 1000.0]), Tensor([1.0, 1.0, 0.0])
    got = binary_cross_entropy_with_logits(scores, truth, reduction="none").numpy()
    np.testing.assert_allclose(got, [np.exp(-20), 1000, 1000], rtol=1e-5)


@pytest.mark.task("binary_cross_entropy_with_logits")
def test_pos_weight_multiplies_the_yes_part_alone():
    """A pos_weight of 3 makes a missed yes three times as dear; a missed no stays."""
    scores, truth = Tensor([[0.0, 0.0]]), Tensor([[1.0, 0.0]])
    got = binary_cross_entropy_with_logits(
        scores, truth, pos_weight=Tensor([3.0, 3.0]), reduction="none"
    )
    close(got, [[3 * np.log(2), np.log(2)]])


@pytest.mark.parametrize(("loss", "arguments"), OVER_PAIRS[2:])
def test_weights_multiply_the_losses_and_not_the_divisor(loss, arguments):
    """Here the mean divides by the number of elements, whatever they weigh."""
    x, y = map(Tensor, arguments)
    weight = Tensor([2.0, 0.0, 1.0])
    want = (loss(x, y, reduction="none") * weight).sum() / 3
    close(loss(x, y, weight), want.item())


@every_pair
def test_nothing_broadcasts(loss, arguments):
    """(3, 1) against (3,) would compare every answer with every truth: `_pair` refuses it."""
    x, y = map(Tensor, arguments)
    assert loss(x, y).shape == ()
    with pytest.raises(ValueError, match="equal shapes"):
        loss(x.T, y[0])


@every_loss
def test_another_reduction_is_refused(loss, arguments):
    """A misspelt reduction must not pass for the mean."""
    x, y = map(Tensor, arguments)
    assert loss(x, y, reduction="sum").shape == ()
    with pytest.raises(ValueError, match="avg"):
        loss(x, y, reduction="avg")


@every_loss
def test_the_dtype_stays_and_so_does_the_input(loss, arguments):
    """float32 in, float32 out, and float64 likewise; whoever owns x may still need it."""
    x, y = map(Tensor, arguments)
    assert loss(x, y).dtype == np.float32
    assert np.array_equal(x.numpy(), Tensor(arguments[0]).numpy())
    y = y.astype(np.float64) if y.dtype == np.float32 else y
    assert loss(x.astype(np.float64), y, reduction="none").dtype == np.float64


@every_loss
def test_the_loss_passes_through_apply(loss, arguments):
    """`apply` notes how a result came about; without it, module 06 could not differentiate."""
    x, y = map(Tensor, arguments)
    x.requires_grad = True
    assert all(loss(x, y, reduction=r).requires_grad for r in ("none", "mean", "sum"))
