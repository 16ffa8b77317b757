"""What the figures share: colours, style, cells of memory, and the results a lesson prints."""

from __future__ import annotations

import re
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Rectangle

FOLDER = Path(__file__).resolve().parents[1]
# Okabe and Ito's colours, which the colour-blind can tell apart.
BLUE, ORANGE, GREEN, RED, GREY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#666666"
PALE = {BLUE: "#CFE5F1", ORANGE: "#FBE7C2", GREEN: "#CDEBE1"}
STYLE = {
    "svg.hashsalt": "tinytorch",  # ids without it are random
    "svg.fonttype": "path",  # the same letters on every machine
    "font.size": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def canvas(width: float, height: float, x: tuple, y: tuple) -> tuple[Figure, Axes]:
    """Make a figure without axes, on which lengths are equal in both directions."""
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot(xlim=x, ylim=y, aspect="equal")
    axes.axis("off")
    return figure, axes


def cell(axes: Axes, x: float, y: float, text: str, colour: str | None) -> None:
    """Draw one element centred over x, standing on y; without a colour it is a repetition."""
    if colour:
        box = Rectangle((x - 0.5, y), 1, 1, facecolor=PALE[colour], edgecolor=colour, linewidth=1.4)
    else:
        box = Rectangle((x - 0.43, y + 0.07), 0.86, 0.86, facecolor="white", edgecolor="#999999")
        box.set_linestyle((0, (3, 2)))
    axes.add_patch(box)
    shade = "black" if colour else "#777777"
    axes.text(x, y + 0.5, text, ha="center", va="center", color=shade)


def step(axes: Axes, start: tuple, end: tuple, text: str) -> None:
    """Draw an arrow from one element to the next, above a row or right of a column."""
    arrow = FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=10, color=GREY)
    axes.add_patch(arrow)
    if start[1] == end[1]:
        axes.text((start[0] + end[0]) / 2, start[1] + 0.12, text, ha="center", color=GREY)
    else:
        axes.text(start[0] + 0.2, (start[1] + end[1]) / 2, text, va="center", color=GREY)


def printed(lesson: str, pattern: str) -> list[tuple]:
    """Return what the groups of `pattern` find in the lesson's text, numbers as floats."""
    found = re.findall(pattern, (FOLDER / lesson / "README.md").read_text(encoding="utf-8"))
    if not found:
        raise SystemExit(f"{lesson}/README.md prints nothing like {pattern!r}: paste its result")
    return [tuple(float(g) if re.fullmatch(r"[\d.]+", g) else g for g in row) for row in found]
