"""What PyTorch's losses answer, and what gradient they give the input, for every setting."""

from itertools import product

import numpy as np
import torch
import torch.nn.functional as F

# A call is "<function> <case>" and its settings; names stand for the arrays `in.<name>`.
ELEMENTWISE = ("pairs32", "pairs64", "far", "single")
CHANCES = ("chances32", "chances64", "certain")
LOGITS = ("logits32", "logits64", "far_logits")
LABELS = ("rows32", "rows64", "images", "volumes", "alone", "far_rows", "masked")
SOFT = ("rows32", "rows64", "images", "alone")


def calls():
    """Every combination of function, case and settings, as a line of text."""
    for case, r in product(ELEMENTWISE, ("none", "mean", "sum")):
        yield f"mse_loss {case} {case}.target reduction={r}"
        yield f"l1_loss {case} {case}.target reduction={r}"
    for case, r, w in product(CHANCES, ("none", "mean", "sum"), ("", " weight=factor")):
        yield f"binary_cross_entropy {case} {case}.target reduction={r}{w}"
    for case, r, w, q in product(
        LOGITS, ("none", "mean", "sum"), ("", " weight=factor"), ("", " pos_weight=positive")
    ):
        yield f"binary_cross_entropy_with_logits {case} {case}.target reduction={r}{w}{q}"
    for case, r, w, i in product(
        LABELS, ("none", "mean", "sum"), ("", " weight=classes"), ("", " ignore_index=1")
    ):
        yield f"nll_loss {case} {case}.labels reduction={r}{w}{i}"
        for smoothing in ("", " label_smoothing=0.1", " label_smoothing=1.0"):
            yield f"cross_entropy {case} {case}.labels reduction={r}{w}{i}{smoothing}"
    for case, r, w, e in product(
        SOFT, ("none", "mean", "sum"), ("", " weight=classes"), ("", " label_smoothing=0.25")
    ):
        yield f"cross_entropy {case} {case}.soft reduction={r}{w}{e}"
    for r, w, e in product(("none", "mean", "sum"), ("", " weight=classes"), (0.0, 0.1)):
        yield f"cross_entropy ignored ignored.labels reduction={r}{w} label_smoothing={e}"


def pairs(rng):
    """Inputs with a target for each element, by name, and the weights of elements."""
    single = np.float32
    return {
        "pairs32": rng.normal(0, 2, (3, 4)).astype(single),
        "pairs32.target": rng.normal(0, 2, (3, 4)).astype(single),
        "pairs64": rng.normal(0, 2, (2, 1, 3)),
        "pairs64.target": rng.normal(0, 2, (2, 1, 3)),
        "far": np.array([-1000, 1000, 1e-9, 5], single),
        "far.target": np.array([1000, 999.5, 0, 5], single),
        "single": np.array(1.5, single),
        "single.target": np.array(-1.0, single),
        "chances32": rng.uniform(0, 1, (2, 3)).astype(single),
        "chances32.target": rng.integers(0, 2, (2, 3)).astype(single),
        "chances64": rng.uniform(0, 1, (2, 3)),
        "chances64.target": rng.uniform(0, 1, (2, 3)),
        "certain": np.array([[0, 1, 1], [0, 1e-30, 1 - 1e-7]], single),
        "certain.target": np.array([[1, 1, 0], [0, 1, 0.25]], single),
        "logits32": rng.normal(0, 3, (2, 3)).astype(single),
        "logits32.target": rng.integers(0, 2, (2, 3)).astype(single),
        "logits64": rng.normal(0, 3, (2, 2, 3)),
        "logits64.target": rng.uniform(0, 1, (2, 2, 3)),
        "far_logits": np.array([[-1000, 1000, 20], [1000, -1000, 0]], single),
        "far_logits.target": np.array([[1, 1, 1], [0, 0, 0.5]], single),
        "factor": rng.uniform(0.5, 2, (2, 1)),
        "positive": rng.uniform(0.5, 4, 3),
    }


def scores(rng):
    """Scores of three classes with labels or probabilities, by name, and the classes' weights."""
    single, soft = np.float32, rng.dirichlet(np.ones(3), 8)
    return {
        "rows32": rng.normal(0, 3, (5, 3)).astype(single),
        "rows32.labels": np.array([2, 1, -100, 0, 1]),
        "rows32.soft": soft[:5].astype(single),
        "rows64": rng.normal(0, 3, (4, 3)),
        "rows64.labels": np.array([2, 0, 1, 0]),
        "rows64.soft": soft[4:],
        "images": rng.normal(0, 3, (2, 3, 4)).astype(single),
        "images.labels": np.array([[0, 2, 2, 1], [-100, 1, 0, 2]]),
        "images.soft": soft.reshape(2, 4, 3).swapaxes(1, 2).astype(single),
        "volumes": rng.normal(0, 3, (2, 3, 2, 2)),
        "volumes.labels": rng.integers(0, 3, (2, 2, 2)),
        "alone": rng.normal(0, 3, 3),
        "alone.labels": np.array(2),
        "alone.soft": soft[0],
        "far_rows": np.array([[-1000, 0, 1000], [1000, 1000, 1000], [-1e4, 3, 2]], single),
        "far_rows.labels": np.array([0, 2, 1]),
        "masked": np.array([[-np.inf, 1, 2], [0, -np.inf, 1], [-np.inf, 0, 1]], single),
        "masked.labels": np.array([2, 0, 0]),
        "ignored": rng.normal(0, 3, (2, 3)),
        "ignored.labels": np.array([-100, -100]),
        "classes": np.array([0.25, 1.0, 3.0]),
    }


def parse(call, names):
    """The function's name, its input and target, and its settings, of a line of text."""
    function, case, target, *settings = call.split()
    x, target, known = names[case], names[target], {}
    for key, value in (setting.split("=") for setting in settings):
        kind = {"reduction": str, "ignore_index": int}.get(key, float)
        known[key] = names[value].astype(x.dtype) if value in names else kind(value)
    if "ignore_index" in known:
        target = np.where(target == -100, known["ignore_index"], target)
    return function, x, target, known


def arrays():
    """Inputs `in.<name>`, the `calls`, and of each its result's shape, the result, the gradient.

    The gradient is that of the sum of the result, for the input. Results and gradients follow each
    other in one line of numbers each, as a file of many small arrays is mostly headers.
    """
    rng, rows = np.random.default_rng(4), []
    names = pairs(rng) | scores(rng)
    for call in calls():
        function, x, target, settings = parse(call, names)
        x = torch.tensor(x, requires_grad=True)
        weights = {k: torch.from_numpy(v) for k, v in settings.items() if k.endswith("weight")}
        result = getattr(F, function)(x, torch.from_numpy(target), **{**settings, **weights})
        result.sum().backward()
        assert result.dtype == x.grad.dtype == x.dtype
        rows.append((call, str(tuple(result.shape)), result.detach(), x.grad))
    called, shapes, results, gradients = zip(*rows, strict=True)
    frozen = {"calls": np.array(called), "shapes": np.array(shapes)}
    for name, tensors in (("results", results), ("gradients", gradients)):
        frozen[name] = np.concatenate([t.numpy().astype(np.float64).ravel() for t in tensors])
    return {f"in.{name}": x for name, x in names.items()} | frozen
