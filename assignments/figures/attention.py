"""The figures of 12: what masks leave of the weights, what a head learned, and the square."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from assignments.figures.drawing import BLUE, GREEN, ORANGE, printed
from tinytorch import Tensor, attention_weights

LESSON = "12_attention"


def chart(axes: Axes, weights: np.ndarray, title: str = "") -> None:
    """Draw weights as shades, the query 0 on top; a weight of 0 is white."""
    queries, keys = weights.shape
    for (query, key), weight in np.ndenumerate(weights):
        if weight > 0:
            shade = round(float(weight), 2)
            axes.add_patch(Rectangle((key, query), 1, 1, facecolor=BLUE, alpha=shade, linewidth=0))
    axes.set(xlim=(0, keys), ylim=(queries, 0), aspect="equal", xlabel="key", title=title)
    axes.set_xticks(np.arange(keys) + 0.5, range(keys))
    axes.set_yticks(np.arange(queries) + 0.5, range(queries))
    axes.tick_params(length=0)
    axes.spines[["top", "right"]].set_visible(True)


def masks() -> Figure:
    """Draw the same weights without a mask, causal, and with two keys as padding."""
    rng = np.random.default_rng(3)
    query, key = (Tensor(rng.normal(0, 0.8, (6, 4))) for _ in "qk")
    padding = Tensor(np.arange(6) < 4).reshape(1, 6)
    panels = {
        "all take part": attention_weights(query, key),
        "is_causal": attention_weights(query, key, is_causal=True),
        "the last two are padding": attention_weights(query, key, padding),
    }
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    for number, (title, weights) in enumerate(panels.items(), 1):
        axes = figure.add_subplot(1, 3, number)
        chart(axes, weights.numpy(), title)
        if number == 1:
            axes.set_ylabel("query")
    return figure


def learned() -> Figure:
    """Draw the weights that the lesson prints."""
    rows = printed(LESSON, r"place \d: " + r" +([\d.]+)" * 8)
    figure = Figure(figsize=(4, 3.8), layout="constrained")
    axes = figure.add_subplot()
    chart(axes, np.array(rows) / 100)
    axes.set_ylabel("query")
    return figure


def square() -> Figure:
    """Plot the lesson's measured bytes and times against the number of tokens."""
    number = r"([\d.]+)"
    rows = printed(
        LESSON,
        rf"{number} tokens of +{number} MB: weights +{number} MB, causal +{number}; "
        rf"+{number} ms, causal +{number}; projections +{number} ms",
    )
    tokens, size, kept, causal, time, causal_time, projections = np.array(rows).T
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    panels = (
        ("MB", {"weights": kept, "causal": causal, "tokens": size}),
        ("ms", {"attention": time, "causal": causal_time, "projections": projections}),
    )
    for place, (unit, lines) in enumerate(panels, 1):
        axes = figure.add_subplot(1, 2, place)
        for (label, line), colour in zip(lines.items(), (BLUE, GREEN, ORANGE), strict=True):
            axes.plot(tokens, line, color=colour, marker="o", linewidth=2, label=label)
        axes.set(xscale="log", yscale="log", xlabel="tokens", ylabel=unit)
        axes.set_xticks(tokens, [f"{n:.0f}" for n in tokens])
        axes.minorticks_off()
        axes.legend(frameon=False)
    return figure


FIGURES = {"masks": masks, "map": learned, "square": square}
