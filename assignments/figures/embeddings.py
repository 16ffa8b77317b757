"""The figures of 11: the waves that tell places apart, and two vectors that turn together."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Arc

from assignments.figures.drawing import BLUE, GREY, ORANGE, canvas
from tinytorch import RotaryEmbedding, Tensor, sinusoidal_encoding

PLACES, COLUMNS, SHADES = 48, 32, 7


def waves() -> Figure:
    """Draw the encoding as a map, neighbours of one shade in one cell."""
    encoding = sinusoidal_encoding(PLACES, COLUMNS).numpy()
    shades = np.rint((encoding + 1) / 2 * (SHADES - 1)).astype(int)
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.add_subplot(xlim=(0, COLUMNS), ylim=(PLACES, 0))
    colours = figure_colours()
    for shade in range(SHADES):
        bars = [bar for column in range(COLUMNS) for bar in runs(shades[:, column], shade, column)]
        if bars:
            x, bottom, height = zip(*bars, strict=True)
            axes.bar(x, height, 1.02, bottom, align="edge", color=colours[shade], linewidth=0)
    axes.set(xlabel="column", ylabel="place", xticks=range(0, COLUMNS + 1, 4))
    axes.set_yticks(range(0, PLACES + 1, 8))
    return figure


def figure_colours() -> list[tuple]:
    """Return the shades from blue over white to orange-red."""
    low, middle, high = np.array([[0, 114, 178], [255, 255, 255], [213, 94, 0]]) / 255
    steps = np.linspace(-1, 1, SHADES)[:, None]
    mixed = middle + np.abs(steps) * (np.where(steps < 0, low, high) - middle)
    return [tuple(colour) for colour in mixed.round(3)]


def runs(column: np.ndarray, shade: int, x: int):
    """Yield x, first place and number of places for each run of a shade in a column."""
    edges = np.flatnonzero(np.diff(column == shade, prepend=False, append=False))
    for start, stop in edges.reshape(-1, 2).tolist():
        yield x, start, stop - start


def rotary() -> Figure:
    """Draw a query and a key two places apart, early and late."""
    figure, axes = canvas(8, 3.6, (-1.6, 5.4), (-1.35, 1.6))
    turn = RotaryEmbedding(2, max_length=16)
    vectors = {"query": (BLUE, [1.0, 0.2]), "key": (ORANGE, [0.9, -0.45])}
    for x, first in ((0, 1), (3.8, 5)):
        angles = []
        axes.add_patch(Arc((x, 0), 2.04, 2.04, color="#CCCCCC"))
        for (name, (colour, vector)), place in zip(
            vectors.items(), (first, first + 2), strict=True
        ):
            end = turn(Tensor([vector]), offset=place).numpy()[0].round(4)
            arrow = {"arrowstyle": "-|>", "color": colour, "linewidth": 2}
            axes.annotate("", (x + end[0], end[1]), (x, 0), arrowprops=arrow)
            at = x + 1.28 * end[0], 1.22 * end[1]
            axes.text(*at, f"{name}\nat {place}", color=colour, ha="center", va="center")
            angles.append(float(np.degrees(np.arctan2(end[1], end[0])).round(2)))
        axes.add_patch(Arc((x, 0), 0.7, 0.7, theta1=angles[0], theta2=angles[1], color=GREY))
        middle = np.radians(angles[0] + (angles[1] - angles[0]) % 360 / 2)
        text = f"{(angles[1] - angles[0]) % 360:.0f}°"
        axes.text(x + 0.55 * np.cos(middle), 0.55 * np.sin(middle), text, ha="center", va="center")
    return figure


FIGURES = {"waves": waves, "rotary": rotary}
