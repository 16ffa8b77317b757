"""The figures of 09: windows that become rows of a matrix, and how far a pixel sees."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from assignments.figures.drawing import BLUE, GREEN, GREY, ORANGE, PALE, RED, canvas, printed

IMAGE = np.array([[1, 2, 0], [0, 1, 3], [2, 0, 1]])
KERNEL = np.array([[1, 2], [0, 1]])
COLOURS = (BLUE, ORANGE, GREEN, RED)
SHADES = PALE | {RED: "#F8D9C4"}


def grid(axes: Axes, numbers: np.ndarray, x: float, y: float, colours) -> None:
    """Draw a matrix, its upper left corner at (x, y), with one colour for each row."""
    for (i, j), number in np.ndenumerate(numbers):
        colour = colours[i]
        box = Rectangle((x + j, y - i - 1), 1, 1, facecolor=SHADES.get(colour, "white"))
        box.set(edgecolor=colour or "#999999", linewidth=1.2)
        axes.add_patch(box)
        axes.text(x + j + 0.5, y - i - 0.5, str(number), ha="center", va="center")


def columns() -> Figure:
    """Draw the lesson's example: image, windows as rows, the kernel as a column, the result."""
    figure, axes = canvas(9.5, 3.4, (-0.4, 20), (-5.4, 1.4))
    grid(axes, IMAGE, 0, -0.5, [None] * 3)
    corners = [(i, j) for i in range(2) for j in range(2)]
    for number, (i, j) in enumerate(corners):
        inset = 0.1 + 0.07 * number
        box = Rectangle((j + inset, -2.5 - i + inset), 2 - 2 * inset, 2 - 2 * inset, fill=False)
        box.set(edgecolor=COLOURS[number], linewidth=1.8)
        axes.add_patch(box)
    windows = np.array([IMAGE[i : i + 2, j : j + 2].reshape(-1) for i, j in corners])
    result = windows @ KERNEL.reshape(-1)
    grid(axes, windows, 5.5, 0, COLOURS)
    grid(axes, KERNEL.reshape(-1, 1), 11, 0, [GREY] * 4)
    grid(axes, result.reshape(-1, 1), 14, 0, COLOURS)
    grid(axes, result.reshape(2, 2), 17.5, -1, [None] * 2)
    for x, y, sign in ((4.2, -2, "→"), (10.25, -2, "·"), (13, -2, "="), (16.2, -2, "→")):
        axes.text(x, y, sign, ha="center", va="center", fontsize=18)
    titles = {1.5: "image", 7.5: "columns", 11.5: "kernel", 14.5: "products", 18.5: "output"}
    for x, title in titles.items():
        axes.text(x, 0.6, title, ha="center", color=GREY)
    axes.text(7.5, -4.9, "one row per window", ha="center", color=GREY)
    return figure


def receptive() -> Figure:
    """Plot the lesson's measured fields of view against the depth."""
    rows = printed("09_convolutions", r"(\w[\w ,×]+?) +sees +(\d+) × +\d+ pixels")
    names, sizes = zip(*rows, strict=True)
    figure = Figure(figsize=(7, 2.8), layout="constrained")
    axes = figure.add_subplot()
    bars = axes.barh(range(len(rows)), sizes, color=BLUE, height=0.6)
    axes.bar_label(bars, [f"{size:.0f}" for size in sizes], padding=4)
    axes.set_yticks(range(len(rows)), names)
    axes.invert_yaxis()
    axes.set(xlabel="side of the square that one output pixel sees", xlim=(0, max(sizes) * 1.1))
    return figure


FIGURES = {"columns": columns, "receptive": receptive}
