"""The figures of 20: a packed layer byte by byte, and what bits buy."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from assignments.figures.drawing import BLUE, GREEN, ORANGE, RED, canvas, cell, printed
from tinytorch.benchmarking import pareto_front
from tinytorch.capstone import Layer, pack

PARTS = (  # how many bytes, what they are, what they say here
    (2, "mark", "TT", None),
    (1, "layers", "1", None),
    (2, "outputs", "1", BLUE),
    (2, "inputs", "2", BLUE),
    (1, "bits", "4", BLUE),
    (1, "ReLU", "yes", BLUE),
    (2, "scale", "0.25", ORANGE),
    (2, "bias", "1.0", ORANGE),
    (1, "weights", "2, -7", GREEN),
)

BESIDE = {  # names that would lie on each other, or on a line
    "3-3-3": (-42, -16),
    "3-3-6": (-6, 7),
    "4-4-4": (-6, -20),
    "8-8-8": (-14, -20),
    "2-4-4": (7, 1),
    "4-2-4": (7, -9),
}


def layout() -> Figure:
    """Draw the bytes of the lesson's layer, each part under its name."""
    layer = Layer(np.array([[0.5, -1.75]], np.float32), np.array([1.0], np.float32), relu=True)
    data = pack([layer], bits=4)
    figure, axes = canvas(9, 1.9, (-0.9, len(data) + 0.3), (-1.1, 1.9))
    place = 0
    for count, name, meaning, colour in PARTS:
        for byte in range(place, place + count):
            cell(axes, byte, 0, f"{data[byte]:02x}", colour)
        middle = place + (count - 1) / 2
        axes.text(middle, 1.25, name, ha="center", fontsize=10)
        axes.text(middle, -0.65, meaning, ha="center", fontsize=10)
        place += count
    return figure


def front() -> Figure:
    """Plot the lesson's choices, size against share; those on the front are joined."""
    rows = printed("20_capstone", r"([\d-]+) bits: (\d+) bytes, ([\d.]+)%")
    points = [(size / 1000, share) for _, size, share in rows]
    chosen = pareto_front(points, maximize=[False, True])
    figure = Figure(figsize=(8, 3.4), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(*zip(*sorted(points[i] for i in chosen), strict=True), color=RED, linewidth=1)
    for i, ((name, _, _), point) in enumerate(zip(rows, points, strict=True)):
        axes.plot(*point, "o", color=RED if i in chosen else BLUE)
        axes.annotate(name, point, BESIDE.get(name, (7, -4)), textcoords="offset points")
    axes.axhline(96, color=GREEN, linewidth=1, linestyle="dashed")
    axes.text(0.2, 97.2, "the gate: 96 %", color=GREEN)
    axes.set(xlabel="kilobytes", xlim=(0, 20), ylabel="% of digits read", ylim=(30, 108))
    return figure


FIGURES = {"layout": layout, "front": front}
