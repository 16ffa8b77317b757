"""The figures of 13: where a GPT's numbers are, what temperature does, where the time goes."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from assignments.figures.drawing import BLUE, GREEN, GREY, ORANGE, RED, printed
from tinytorch import next_probabilities

LESSON = "13_transformers"
SCORES = np.array([[2.0, 1.6, 1.1, 0.7, 0.2, -0.2, -0.6, -1.2]])


def parameters() -> Figure:
    """Plot the lesson's counts of the numbers in each part."""
    rows = printed(LESSON, r"\n(tokens|places|attention|feed-forward|norms) +(\d+) numbers")
    names, counts = zip(*rows, strict=True)
    figure = Figure(figsize=(7, 2.6), layout="constrained")
    axes = figure.add_subplot()
    axes.barh(names[::-1], counts[::-1], color=BLUE)
    for row, count in enumerate(counts[::-1]):
        axes.text(count, row, f" {count:,.0f}", va="center")
    axes.set(xlabel="numbers to learn, all four blocks together", xlim=(0, max(counts) * 1.16))
    return figure


def temperatures() -> Figure:
    """Plot the chances of eight ids at three temperatures, and what top_p keeps of them."""
    figure = Figure(figsize=(9, 2.9), layout="constrained")
    for number, temperature in enumerate((0.5, 1.0, 2.0), 1):
        chances = next_probabilities(SCORES, temperature)[0].round(4)
        kept = int((next_probabilities(SCORES, temperature, top_p=0.9) > 0).sum())
        axes = figure.add_subplot(1, 3, number)
        colours = [BLUE if i < kept else "#CCCCCC" for i in range(len(chances))]
        axes.bar(range(len(chances)), chances, color=colours)
        axes.axvline(kept - 0.5, color=RED, linewidth=1)
        axes.text(kept - 0.4, 0.55, "top_p 0.9", color=RED, fontsize=9, rotation=90)
        axes.set(ylim=(0, 0.75), xticks=range(len(chances)), xlabel="id")
        axes.set_title(f"temperature {temperature:g}", fontsize=11)
    return figure


def time() -> Figure:
    """Plot the lesson's measured shares of a forward pass."""
    rows = printed(LESSON, r"(\d+) places: (\w+) +(\d+)%")
    colours = {"linear": BLUE, "attention": ORANGE, "gelu": GREEN, "norms": RED, "others": GREY}
    figure = Figure(figsize=(8, 2.4), layout="constrained")
    axes = figure.add_subplot()
    for row, places in enumerate(sorted({places for places, _, _ in rows})):
        left = 0.0
        shares = {name: share for at, name, share in rows if at == places}
        for name, colour in colours.items():
            axes.barh(row, shares[name], left=left, color=colour, label=name if row == 0 else None)
            if shares[name] > 5:
                text = f"{shares[name]:.0f} %"
                axes.text(left + shares[name] / 2, row, text, ha="center", va="center", color="w")
            left += shares[name]
    axes.set_yticks((0, 1), ("64 places", "512 places"))
    axes.set(xlim=(0, 100), xlabel="share of the time of a forward pass, %")
    axes.legend(ncols=5, loc="upper center", bbox_to_anchor=(0.5, 1.25), frameon=False)
    return figure


FIGURES = {"parameters": parameters, "temperatures": temperatures, "time": time}
