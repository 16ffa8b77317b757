"""The figures of 17: how much faster each backend is, and the memory of attention by length."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from assignments.figures.drawing import BLUE, GREEN, GREY, ORANGE, printed

LESSON = "17_acceleration"


def ratios() -> Figure:
    """Draw the lesson's measured ratios as bars, from the plain form at 1."""
    rows = printed(LESSON, r"(?m)^(\w+) +([\d.]+) times as fast$")
    names, ratios = zip(*reversed(rows), strict=True)
    figure = Figure(figsize=(7, 2.6), layout="constrained")
    axes = figure.add_subplot()
    axes.barh(names, ratios, color=BLUE, height=0.6)
    for place, ratio in enumerate(ratios):
        axes.text(ratio + 0.03, place, f"{ratio:.2f}", va="center")
    axes.axvline(1, color=GREY, linestyle=":")
    axes.set(xlabel="times as fast as the plain form", xlim=(0, max(ratios) * 1.15))
    return figure


def memory() -> Figure:
    """Plot the lesson's measured bytes against the number of tokens."""
    rows = printed(LESSON, r"([\d.]+) tokens: plain +([\d.]+) MB, tiled +([\d.]+) MB")
    tokens, plain, tiled = np.array(rows).T
    figure = Figure(figsize=(6, 3.4), layout="constrained")
    axes = figure.add_subplot()
    for label, line, colour in (("plain", plain, ORANGE), ("tiled", tiled, GREEN)):
        axes.plot(tokens, line, color=colour, marker="o", linewidth=2, label=label)
    axes.set(xscale="log", yscale="log", xlabel="tokens", ylabel="MB at the worst moment")
    axes.set_xticks(tokens, [f"{n:.0f}" for n in tokens])
    axes.set_yticks(plain, [f"{n:g}" for n in plain])
    axes.minorticks_off()
    axes.legend(frameon=False)
    return figure


FIGURES = {"memory": memory, "ratios": ratios}
