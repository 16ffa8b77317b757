"""The figures of 02: the curves, what softmax loses without its largest score, what each costs."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

import tinytorch
from assignments.figures.drawing import BLUE, RED, printed
from tinytorch import Tensor


def curves() -> Figure:
    """Plot six activations and their slopes, from differences in float64."""
    x, h = np.linspace(-4, 4, 161), 1e-6
    figure = Figure(figsize=(9, 5), layout="constrained")
    for number, name in enumerate(("relu", "leaky_relu", "sigmoid", "tanh", "gelu", "silu"), 1):
        function = getattr(tinytorch, name)
        y = function(Tensor(x)).data
        slope = (function(Tensor(x + h)).data - function(Tensor(x - h)).data) / (2 * h)
        axes = figure.add_subplot(2, 3, number)
        axes.axhline(0, color="#BBBBBB", linewidth=0.8)
        axes.axvline(0, color="#BBBBBB", linewidth=0.8)
        # Rounded, as the last digits differ from processor to processor.
        axes.plot(x, np.round(y, 4), color=BLUE, linewidth=2, label="value")
        axes.plot(x, np.round(slope, 4), color=RED, linewidth=1.5, linestyle="--", label="slope")
        axes.set(title=name, xlim=(-4, 4), ylim=(-1.3, 2.3), xticks=(-4, -2, 0, 2, 4))
    figure.axes[0].legend(loc="upper left", frameon=False)
    return figure


def softmax() -> Figure:
    """Plot the largest of three probabilities against the size of the scores, by both formulas."""
    shift = np.linspace(-140, 140, 561).astype(np.float32)
    scores = shift[:, None] + np.array([0, 1, 2], np.float32)
    with np.errstate(all="ignore"):
        # Rounded once from float64: float32's own exp differs from processor to processor.
        weights = np.exp(scores.astype(np.float64)).astype(np.float32)
        naive = weights / weights.sum(axis=1, keepdims=True)
    stable = tinytorch.softmax(Tensor(scores), dim=1).data
    figure = Figure(figsize=(7, 3.4), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(shift, np.round(stable[:, 2], 3), color=BLUE, linewidth=6, alpha=0.35)
    axes.plot(shift, np.round(naive[:, 2], 3), color=RED, linewidth=1.5)
    lost = np.isnan(naive[:, 2])
    for nan, label in ((lost & (shift < 0), "0 / 0"), (lost & (shift > 0), "∞ / ∞")):
        axes.axvspan(shift[nan].min(), shift[nan].max(), color="#F8E0D3")
        axes.text(shift[nan].mean(), 0.3, f"{label}\nNaN", ha="center", color=RED)
    axes.text(0, 0.71, "largest score subtracted first", color=BLUE, ha="center")
    axes.text(0, 0.58, "straight from the formula", color=RED, ha="center")
    axes.set(xlabel="c, for the scores c, c + 1, c + 2 in float32", xlim=(-140, 140))
    axes.set(ylabel="softmax of c + 2", ylim=(0, 1.05))
    return figure


def cost() -> Figure:
    """Draw the lesson's measured times of the activations as bars."""
    rows = printed("02_activations", r"(\w+) +([\d.]+) times as long as relu")
    names, times = zip(*rows, strict=True)
    figure = Figure(figsize=(7, 3.2), layout="constrained")
    axes = figure.add_subplot()
    bars = axes.barh(names, times, color=BLUE)
    axes.bar_label(bars, [f"{time:.1f}" for time in times], padding=4)
    axes.invert_yaxis()
    axes.set(xlabel="time, relu = 1", xlim=(0, max(times) * 1.12))
    return figure


FIGURES = {"curves": curves, "softmax": softmax, "cost": cost}
