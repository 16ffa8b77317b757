"""The figures of 18: what a new token asks for, and the lesson's tokens per second."""

from __future__ import annotations

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from assignments.figures.drawing import BLUE, GREEN, GREY, ORANGE, PALE, RED, printed

PLACES = 6


def box(axes, x, y, colour, strong):
    """Draw one number, pale unless it is new."""
    face = colour if strong else PALE.get(colour, "white")
    axes.add_patch(Rectangle((x, y), 0.9, 0.9, facecolor=face, edgecolor=colour, linewidth=1.2))


def rows() -> Figure:
    """Draw queries, keys, scores and values, what is new in a strong colour."""
    figure = Figure(figsize=(7, 3.4), layout="constrained")
    axes = figure.add_subplot(xlim=(-0.3, 14), ylim=(-1.2, 8.2), aspect="equal")
    axes.axis("off")
    last = PLACES - 1
    for place in range(PLACES):
        y, new = PLACES - 1 - place, place == last
        if new:
            box(axes, 0.5, y, ORANGE, True)
        else:
            gone = Rectangle((0.5, y), 0.9, 0.9, facecolor="white", edgecolor="#BBBBBB")
            gone.set_linestyle((0, (2, 2)))
            axes.add_patch(gone)
        box(axes, 3 + place, PLACES + 0.6, BLUE, new)
        for key in range(place + 1):
            if new:
                box(axes, 3 + key, y, ORANGE, True)
            else:
                old = Rectangle((3 + key, y), 0.9, 0.9, facecolor="#EEEEEE", edgecolor="#CCCCCC")
                axes.add_patch(old)
        box(axes, 11, y, GREEN, new)
    axes.text(0.95, PLACES + 0.3, "queries", ha="center", va="center")
    axes.text(2.8, PLACES + 1.05, "keys", ha="right", va="center", color=BLUE)
    axes.text(11.45, PLACES + 1.0, "values", ha="center", va="center", color=GREEN)
    axes.text(6, -0.7, "scores: one new row", ha="center", va="center", color=RED)
    axes.text(12.2, PLACES / 2, "pale: in\nthe cache", va="center", color=GREY)
    return figure


def speed() -> Figure:
    """Draw the lesson's table, and the line of 1 / t."""
    table = printed("18_memoization", r"(?m)^ +(\d+) +(\d+) +(\d+) +(\d+)$")
    lengths, none, cached, folded = zip(*table, strict=True)
    figure = Figure(figsize=(7, 3.4), layout="constrained")
    axes = figure.add_subplot(xscale="log", yscale="log")
    lines = (("folded", folded, GREEN), ("cached", cached, BLUE), ("no cache", none, RED))
    for name, values, colour in lines:
        axes.plot(lengths, values, color=colour, marker="o", linewidth=2)
        axes.annotate(name, (lengths[-1], values[-1]), (8, -4), textcoords="offset points")
    ideal = [none[-1] * lengths[-1] / length for length in lengths]
    axes.plot(lengths, ideal, color=GREY, linewidth=1, linestyle=":")
    axes.annotate("1 / t", (lengths[0], ideal[0]), (8, 1), textcoords="offset points", color=GREY)
    axes.set(xlabel="tokens in the text", ylabel="tokens per second", xlim=(14, 480))
    axes.set_xticks(lengths, [f"{length:.0f}" for length in lengths])
    axes.minorticks_off()
    axes.set_ylim(80, 6000)
    speeds = (100, 200, 500, 1000, 2000, 5000)
    axes.set_yticks(speeds, [f"{number}" for number in speeds])
    return figure


FIGURES = {"rows": rows, "speed": speed}
