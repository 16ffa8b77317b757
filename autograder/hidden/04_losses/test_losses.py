"""Hidden and shown checks of 04_losses; otter-grader runs this file in the trusted process."""

import numpy as np
from otter.test_files import test_case

OK_FORMAT = False
name = "04_losses"
points = 100

# float32 formulas that are equal on paper differ by a few units in the seventh digit.
SINGLE = {"rtol": 1e-5, "atol": 1e-6}
REFUSED = "`_pair` refuses unequal shapes and dtypes, `_reduced` a misspelt reduction."
MASK = -100  # the label that does not count, unless another is said


def shown(name, points, hint):
    """A check that students see; the hint is what they read when it fails."""
    return test_case(name=name, points=points, hidden=False, failure_message=hint)


def hidden(name, points, hint):
    """A check that students do not see, but for its hint."""
    return test_case(name=name, points=points, hidden=True, failure_message=hint)


def pair(rng, shape, dtype=np.float64):
    """Random answers and the truth they are compared with."""
    x, target = rng.normal(0, 2, (2, *shape)).astype(dtype)
    return {"x": x, "target": target}


def chances(rng, shape, dtype=np.float64):
    """Random chances, and truths that are 0 and 1 and between."""
    x, target = rng.uniform(0.02, 0.98, (2, *shape)).astype(dtype)
    return {"x": x, "target": np.where(target < 0.5, target.round(), target).astype(dtype)}


def labelled(rng, batch, classes, *rest, dtype=np.float64):
    """Random scores of classes, (N, C, ...), and a label for each sample."""
    scores = rng.normal(0, 3, (batch, classes, *rest)).astype(dtype)
    return {"x": scores, "target": rng.integers(0, classes, (batch, *rest))}


def log_p(rng, *shape, dtype=np.float64):
    """Labels, and log-probabilities along axis 1 in place of the scores."""
    given = labelled(rng, *shape)
    given["x"] = (given["x"] - np.log(np.exp(given["x"]).sum(1, keepdims=True))).astype(dtype)
    return given


def masked(given, rng, share=0.4):
    """The same with some labels ignored, the first never and the last always."""
    target = given["target"].copy()
    target[rng.random(target.shape) < share] = MASK
    target.flat[0], target.flat[-1] = given["target"].flat[0], MASK
    return {**given, "target": target}


def agree_on_pairs(agree, rng, function, make):
    """Compare every reduction in both dtypes, of several dimensions, one and none."""
    agree("every_reduction", name=function, **make(rng, (3, 4)))
    agree("every_reduction", name=function, **make(rng, (2, 1, 3), np.float32), **SINGLE)
    agree("every_reduction", name=function, **make(rng, ()))
    agree("in_order", name=function, **make(rng, (5,)), settings=[])
    agree("kept", name=function, **make(rng, (2, 2)))


def refuse_wrong_pairs(refuses, rng, function, make):
    """Demand equal shapes, one floating dtype and a reduction that exists."""
    good = {"name": function, **make(rng, (4,)), "reduction": "mean"}
    x, target = good["x"], good["target"]
    for shape in ((4, 1), (1,), (2, 2)):
        bad = {**good, "x": np.resize(x, shape)}
        refuses("silent", ValueError, "(4,)", str(shape), bad=bad, good=good)
    refuses("silent", TypeError, "float32", bad={**good, "target": target.astype("f")}, good=good)
    refuses("silent", TypeError, "int64", bad={**good, "target": np.ones(4, int)}, good=good)
    refuses("silent", ValueError, "avg", bad={**good, "reduction": "avg"}, good=good)


def refuse_wrong_labels(refuses, rng, function):
    """Demand labels that are integers, name a class, and fit; a weight per class, too."""
    good = {"name": function, **labelled(rng, 4, 3), "weight": rng.uniform(1, 2, 3)}
    good.update(reduction="mean", ignore_index=MASK)
    for wrong in (-1, -3, 3):
        target = good["target"].copy()
        target[int(rng.integers(4))] = wrong
        refuses("silent", IndexError, str(wrong), bad={**good, "target": target}, good=good)
    floats, short = good["target"].astype(float), good["target"][:3]
    refuses("silent", TypeError, "float64", bad={**good, "target": floats}, good=good)
    refuses("silent", ValueError, "(3,)", bad={**good, "target": short}, good=good)
    refuses("silent", ValueError, "avg", bad={**good, "reduction": "avg"}, good=good)
    refuses("silent", ValueError, "(4,)", bad={**good, "weight": np.ones(4)}, good=good)
    refuses("silent", TypeError, bad={**good, "weight": np.ones(3, np.float32)}, good=good)


def agree_on_shapes(agree, rng, function, make):
    """Compare images, volumes, a single sample, a view and one class, in both dtypes."""
    for shape in ((2, 3, 4), (2, 3, 2, 2), (3, 1)):
        agree("every_reduction", name=function, **masked(make(rng, *shape), rng))
        single = masked(make(rng, *shape, dtype=np.float32), rng)
        agree("every_reduction", name=function, **single, **SINGLE)
    alone = make(rng, 1, 4)
    alone = {"x": alone["x"][0], "target": alone["target"][0]}
    agree("every_reduction", name=function, **alone)
    flipped = make(rng, 4, 3, 2)
    agree("of_view", name=function, x=flipped["x"].transpose(2, 1, 0), target=flipped["target"])


@shown("mse_loss: three differences", 3, "The mean of (input - target)², element by element.")
def mse_small(agree, rng):
    agree("silent", name="mse_loss", x=np.array([1.0, 2, 3]), target=np.array([1.0, 4, 2]))
    agree("silent", name="mse_loss", **pair(rng, (6,)))


@hidden("mse_loss: random numbers", 4, "none, sum and mean of any shape; dtype and inputs stay.")
def mse_random(agree, rng):
    agree_on_pairs(agree, rng, "mse_loss", pair)


@hidden("mse_loss: wrong input", 3, REFUSED)
def mse_refusals(refuses, rng):
    refuse_wrong_pairs(refuses, rng, "mse_loss", pair)


@hidden("l1_loss: random numbers", 3, "Absolute differences: none, sum and mean; the dtype stays.")
def l1_random(agree, rng):
    agree_on_pairs(agree, rng, "l1_loss", pair)


@hidden("l1_loss: wrong input", 3, REFUSED)
def l1_refusals(refuses, rng):
    refuse_wrong_pairs(refuses, rng, "l1_loss", pair)


@shown("own_class: a batch of labels", 3, "The sample's index, then its label, where it counts.")
def own_class_small(agree, rng):
    agree("places", target=np.array([2, MASK, 0]), ignore_index=MASK)
    agree("places", target=rng.integers(0, 4, 6), ignore_index=2)


@hidden("own_class: what it picks", 3, "scores[own] are the scores of the labels that count.")
def own_class_picks(agree, rng):
    given = masked(labelled(rng, 7, 5), rng)
    agree("picked", scores=given["x"], target=given["target"], ignore_index=MASK)
    narrow = rng.integers(0, 5, 7).astype(np.uint8)
    agree("picked", scores=given["x"], target=narrow, ignore_index=int(narrow[3]))


@hidden("own_class: images, and nothing", 4, "First n, then the label, then the other axes.")
def own_class_images(agree, rng):
    for shape in ((2, 3, 4), (2, 5, 2, 3)):
        given = masked(labelled(rng, *shape), rng)
        agree("picked", scores=given["x"], target=given["target"], ignore_index=MASK)
        agree("places", target=given["target"], ignore_index=MASK)
    agree("places", target=np.full(3, MASK), ignore_index=MASK)


@shown("collect: sum and mean", 3, "The mean divides by the own classes' weights.")
def collect_small(agree, rng):
    given = {"losses": rng.uniform(1, 5, 3), "own": [np.array([0, 2, 3]), np.array([1, 0, 1])]}
    agree("collected", **given, shape=[4], weight=None, reduction="sum")
    agree("collected", **given, shape=[4], weight=None, reduction="mean")
    agree("collected", **given, shape=[4], weight=rng.uniform(0.5, 4, 2), reduction="mean")


@hidden(
    "collect: none",
    5,
    "Each loss at its sample's place (own without its second array); 0 elsewhere.",
)
def collect_none(agree, rng):
    for shape in ((6,), (3, 4), (2, 2, 3)):
        own = list(np.nonzero(rng.random(shape) < 0.6))
        own.insert(1, rng.integers(0, 5, own[0].size))
        losses = rng.uniform(1, 5, own[0].size)
        for weight in (None, rng.uniform(1, 2, 5)):
            settings = {"shape": list(shape), "weight": weight, "reduction": "none"}
            agree("collected", losses=losses, own=own, **settings)


@hidden(
    "collect: random weights, and no sample",
    6,
    "Weights ten times as large change no mean; the mean of nothing is NaN.",
)
def collect_weights(agree, rng):
    own = [rng.permutation(9)[:6], rng.integers(0, 4, 6), rng.integers(0, 2, 6)]
    for weight in (None, rng.uniform(0.1, 9, 4), np.array([0.0, 1, 0, 2])):
        given = {"losses": rng.uniform(1, 5, 6), "own": own, "shape": [9, 2], "weight": weight}
        agree("collected", **given, reduction="mean", finite=False)
        agree("collected", **given, reduction="sum")
    nothing = {"losses": np.zeros(0), "own": [np.zeros(0, int)] * 2, "shape": [3]}
    for weight in (None, np.ones(2)):
        agree("collected", **nothing, weight=weight, reduction="mean", finite=False)
        agree("collected", **nothing, weight=weight, reduction="sum")


@shown("nll_loss: a batch", 3, "Minus the log-probability of the label.")
def nll_small(agree, rng):
    agree("every_reduction", name="nll_loss", **log_p(rng, 3, 4))
    agree("every_reduction", name="nll_loss", **masked(log_p(rng, 4, 3), rng))


@hidden(
    "nll_loss: weights and shapes",
    7,
    "Times the weight of the label's class; (N, C, d…) has its classes on axis 1.",
)
def nll_random(agree, rng):
    agree_on_shapes(agree, rng, "nll_loss", log_p)
    for shape in ((6, 3), (2, 3, 4)):
        given = masked(log_p(rng, *shape), rng)
        agree("every_reduction", name="nll_loss", **given, weight=rng.uniform(0.2, 5, 3))
    settings = [rng.uniform(0.2, 5, 3), 1, "sum"]
    agree("in_order", name="nll_loss", **log_p(rng, 6, 3), settings=settings)
    ignored = {"x": np.array([[-np.inf, 0.0], [-2, -1]]), "target": np.array([MASK, 1])}
    agree("every_reduction", name="nll_loss", **ignored)


@hidden(
    "nll_loss: wrong input", 4, "`_settings` refuses what is no label, no weight and no reduction."
)
def nll_refusals(refuses, rng):
    refuse_wrong_labels(refuses, rng, "nll_loss")


@shown("cross_entropy: a batch", 4, "nll_loss of log_softmax along axis 1.")
def cross_entropy_small(agree, rng):
    scores = np.log([[1.0, 3.0], [3.0, 1.0]])
    agree("every_reduction", name="cross_entropy", x=scores, target=np.array([1, 0]))
    agree("every_reduction", name="cross_entropy", **labelled(rng, 4, 3))


@hidden(
    "cross_entropy: scores around a thousand",
    4,
    "The log of a probability that is 0 is infinite: never form the probability.",
)
def cross_entropy_far(agree, rng):
    given = labelled(rng, 3, 4)
    given["x"] += np.array([[1000.0], [-1000.0], [0.0]])
    given["x"][2] *= 500
    agree("every_reduction", name="cross_entropy", **given)
    given["x"] = given["x"].astype(np.float32)
    agree("every_reduction", name="cross_entropy", **given, rtol=1e-4, atol=1e-4)
    agree("every_reduction", name="cross_entropy", **given, label_smoothing=0.3, rtol=1e-4)


@hidden(
    "cross_entropy: weights and label smoothing",
    6,
    "1 - ε for the label, ε / C for every class, each with its class's weight.",
)
def cross_entropy_smoothed(agree, rng):
    for shape in ((6, 3), (2, 3, 4)):
        for more in ({}, {"label_smoothing": float(rng.uniform(0.1, 0.9))}):
            given = {**masked(labelled(rng, *shape), rng), **more}
            agree("every_reduction", name="cross_entropy", **given)
            agree("every_reduction", name="cross_entropy", **given, weight=rng.uniform(0.2, 5, 3))
    given = labelled(rng, 5, 3)
    agree("every_reduction", name="cross_entropy", **given, label_smoothing=1.0)
    settings = [rng.uniform(0.2, 5, 3), 1, "sum", 0.25]
    agree("in_order", name="cross_entropy", **given, settings=settings)


@hidden(
    "cross_entropy: shapes, nothing that counts, probabilities",
    4,
    "(N, C, d…), (C,), a mean of nothing is NaN; floats like x are probabilities.",
)
def cross_entropy_shapes(agree, rng):
    agree_on_shapes(agree, rng, "cross_entropy", labelled)
    nothing = {"x": rng.normal(0, 1, (2, 3)), "target": np.full(2, MASK)}
    for more in ({}, {"weight": np.ones(3)}, {"label_smoothing": 0.1}):
        agree("silent", name="cross_entropy", **nothing, **more, finite=False)
    soft = {"x": rng.normal(0, 3, (4, 3)), "target": rng.dirichlet(np.ones(3), 4)}
    agree("every_reduction", name="cross_entropy", **soft)
    more = {"weight": rng.uniform(0.2, 5, 3), "label_smoothing": 0.2}
    agree("every_reduction", name="cross_entropy", **soft, **more)


@hidden(
    "cross_entropy: wrong input",
    4,
    "`_settings` and `_share` refuse what is no label, no weight and no share.",
)
def cross_entropy_refusals(refuses, rng):
    refuse_wrong_labels(refuses, rng, "cross_entropy")
    good = {"name": "cross_entropy", **labelled(rng, 4, 3), "label_smoothing": 0.5}
    for wrong in (-0.1, 1.5):
        refuses("silent", ValueError, str(wrong), bad={**good, "label_smoothing": wrong}, good=good)


@hidden(
    "binary_cross_entropy: random chances, and certain ones",
    6,
    "Both logarithms, none below -100; a weight multiplies, the mean ignores it.",
)
def bce_random(agree, rng):
    agree_on_pairs(agree, rng, "binary_cross_entropy", chances)
    weighed = {**chances(rng, (2, 3)), "weight": rng.uniform(0.5, 2, (2, 1))}
    agree("every_reduction", name="binary_cross_entropy", **weighed)
    sure = np.array([0.0, 1, 0, 1, 1e-30, 1e-60])
    truth = np.array([1.0, 0, 0, 1, 1, float(rng.uniform(0.2, 0.8))])
    agree("silent", name="binary_cross_entropy", x=sure, target=truth, reduction="none")


@hidden(
    "binary_cross_entropy: wrong input",
    4,
    "`_pair` and `_chances` refuse wrong input, `_factor` a weight that grows it.",
)
def bce_refusals(refuses, rng):
    refuse_wrong_pairs(refuses, rng, "binary_cross_entropy", chances)
    good = {"name": "binary_cross_entropy", **chances(rng, (3,))}
    for what, wrong in (("x", 1.5), ("x", -0.25), ("x", np.nan), ("target", 2.0)):
        bad = {**good, what: np.array([0.5, wrong, 0.5])}
        refuses("silent", ValueError, "0 <=", str(wrong), bad=bad, good=good)
    good["weight"] = np.ones(3)
    refuses("silent", ValueError, "(2, 3)", bad={**good, "weight": np.ones((2, 3))}, good=good)


@hidden(
    "binary_cross_entropy_with_logits: random scores",
    5,
    "(1 - t) x + (1 + (q - 1) t) s, q the pos_weight; then weigh, then reduce.",
)
def logits_random(agree, rng):
    function = "binary_cross_entropy_with_logits"
    agree_on_pairs(agree, rng, function, chances)
    given = pair(rng, (2, 3)) | {"target": rng.integers(0, 2, (2, 3)).astype(float)}
    weight, pos_weight = rng.uniform(0.5, 2, (2, 1)), rng.uniform(0.5, 4, 3)
    agree("every_reduction", name=function, **given, weight=weight)
    agree("every_reduction", name=function, **given, pos_weight=pos_weight)
    agree("in_order", name=function, **given, settings=[weight, "sum", pos_weight])


@hidden(
    "binary_cross_entropy_with_logits: far out",
    5,
    "exp(-|x|) never overflows; at 20, a right answer still costs 2e-9.",
)
def logits_far(agree, rng):
    x = np.array([-1000.0, 1000, -1000, 1000, 20, -20, 0])
    given = {"x": x, "target": np.array([1.0, 1, 0, 0, 1, 0, 0.5])}
    given["pos_weight"] = rng.uniform(0.5, 4, 7)
    function = "binary_cross_entropy_with_logits"
    agree("every_reduction", name=function, **given, rtol=1e-9, atol=0)
    singles = {key: value.astype(np.float32) for key, value in given.items()}
    agree("every_reduction", name=function, **singles, rtol=1e-5, atol=0)


@hidden(
    "binary_cross_entropy_with_logits: wrong input",
    4,
    "`_pair` refuses wrong input, `_factor` each weight that does not broadcast.",
)
def logits_refusals(refuses, rng):
    function = "binary_cross_entropy_with_logits"
    refuse_wrong_pairs(refuses, rng, function, pair)
    for what in ("weight", "pos_weight"):
        good = {"name": function, **pair(rng, (2, 3)), what: np.ones(3)}
        refuses("silent", ValueError, "(2,)", bad={**good, what: np.ones(2)}, good=good)
        refuses("silent", TypeError, what, bad={**good, what: np.ones(3, int)}, good=good)
