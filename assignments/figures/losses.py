"""The figures of 04: losses and their slopes, the stable logarithm, the memory of one-hot."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from assignments.figures.drawing import BLUE, GREEN, GREY, ORANGE, RED, printed
from tinytorch import (
    Tensor,
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cross_entropy,
    l1_loss,
    mse_loss,
    sigmoid,
)

LOSSES = (
    ("cross-entropy", binary_cross_entropy, BLUE),
    ("squared error", mse_loss, RED),
    ("absolute error", l1_loss, ORANGE),
)


def curves() -> Figure:
    """Plot three losses by the chance of the right class, and their slopes by its score."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    p, z, h = np.linspace(0.002, 1, 250), np.linspace(-8, 8, 161), 1e-6
    for name, loss, colour in LOSSES:
        value = loss(Tensor(p), Tensor(np.ones_like(p)), reduction="none").data
        # Rounded, as the last digits differ from processor to processor.
        left.plot(p, np.round(value, 4), color=colour, linewidth=2, label=name)
        ends = [_by_score(loss, z + step) for step in (h, -h)]
        right.plot(z, np.round((ends[0] - ends[1]) / (2 * h), 4), color=colour, linewidth=2)
    left.set(xlabel="chance of the right class", ylabel="loss", xlim=(0, 1), ylim=(0, 6))
    left.legend(frameon=False)
    right.axhline(0, color="#BBBBBB", linewidth=0.8)
    right.axvline(0, color="#BBBBBB", linewidth=0.8)
    right.set(xlabel="score z of the right class", ylabel="slope of the loss", xlim=(-8, 8))
    right.text(-7.8, -0.97, "full slope", color=BLUE, va="bottom")
    right.text(-7.8, -0.03, "no slope", color=RED, va="top")
    return figure


def _by_score(loss, z: np.ndarray) -> np.ndarray:
    """Return the loss of a chance that is the sigmoid of the score z, in its stable form."""
    z, truth = Tensor(z), Tensor(np.ones_like(z))
    if loss is binary_cross_entropy:
        return binary_cross_entropy_with_logits(z, truth, reduction="none").data
    return loss(sigmoid(z), truth, reduction="none").data


def stable() -> Figure:
    """Plot the loss of a wrong answer by the lead of the wrong score, by both formulas."""
    lead = np.linspace(0, 140, 561).astype(np.float32)
    scores = np.stack([np.zeros_like(lead), lead], axis=1)
    loss = cross_entropy(Tensor(scores), Tensor(np.zeros(lead.size, int)), reduction="none").data
    with np.errstate(all="ignore"):
        # Rounded once from float64: float32's own exp differs from processor to processor.
        chance = (1 / (1 + np.exp(lead.astype(np.float64)))).astype(np.float32)
        naive = -np.log(chance.astype(np.float64))
    figure = Figure(figsize=(7, 3.4), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(lead, np.round(loss, 3), color=BLUE, linewidth=6, alpha=0.35)
    axes.plot(lead, np.round(naive, 3), color=RED, linewidth=1.5)
    lost = lead[np.isinf(naive)].min()
    axes.axvspan(lost, 140, color="#F8E0D3")
    axes.text((lost + 140) / 2, 40, "-log 0 = ∞", ha="center", color=RED)
    axes.text(40, 62, "log-sum-exp", color=BLUE, ha="center")
    axes.text(62, 30, "logarithm of a probability", color=RED, ha="center")
    axes.set(xlabel="lead of the wrong score over the right one, in float32", xlim=(0, 140))
    axes.set(ylabel="cross-entropy", ylim=(0, 145))
    return figure


def memory() -> Figure:
    """Draw the lesson's measured memory for the largest number of classes as bars."""
    rows = printed("04_losses", r"(picked|one-hot|blocks) +([\d.]+) times the scores on top")[-3:]
    figure = Figure(figsize=(7, 2.4), layout="constrained")
    axes = figure.add_subplot()
    names = {"picked": "picked by index", "one-hot": "by one-hot", "blocks": "in blocks of 8 rows"}
    labels, sizes = [names[name] for name, _ in rows], [size for _, size in rows]
    bars = axes.barh(labels, sizes, color=[BLUE, RED, GREEN])
    axes.bar_label(bars, [f"{size:.2f}" for size in sizes], padding=4)
    axes.axvline(1, color=GREY, linestyle="--", linewidth=1)
    axes.invert_yaxis()
    axes.set(xlabel="most memory on top of the scores, scores = 1", xlim=(0, max(sizes) * 1.12))
    return figure


FIGURES = {"curves": curves, "stable": stable, "memory": memory}
