"""The figures of 07: four optimizers in one valley, and what the size of a block costs."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

import tinytorch
from assignments.figures.drawing import BLUE, GREEN, ORANGE, RED, printed
from tinytorch import Tensor

START, STEPS, STEEP = (-9.0, 1.0), 60, 100.0
RULES = {
    "SGD": (BLUE, lambda p: tinytorch.SGD([p], lr=0.019)),
    "SGD, momentum 0.8": (ORANGE, lambda p: tinytorch.SGD([p], lr=0.02, momentum=0.8)),
    "RMSprop": (GREEN, lambda p: tinytorch.RMSprop([p], lr=0.3, alpha=0.9)),
    "Adam": (RED, lambda p: tinytorch.Adam([p], lr=0.4)),
}


def path(make) -> np.ndarray:
    """Return the points that an optimizer visits in the valley ½ (x² + 100 y²)."""
    p = Tensor(np.array(START), requires_grad=True)
    optimizer, points = make(p), [START]
    for _ in range(STEPS):
        p.grad = Tensor(p.data * [1.0, STEEP])
        optimizer.step()
        points.append(p.tolist())
    return np.round(points, 4)


def paths() -> Figure:
    """Draw the paths over the valley's contours, each in a field of its own."""
    angle = np.linspace(0, 2 * np.pi, 49)
    circle = np.round([np.cos(angle), np.sin(angle) / STEEP**0.5], 4)
    figure = Figure(figsize=(9, 4.6), layout="constrained")
    for number, (name, (colour, make)) in enumerate(RULES.items(), 1):
        axes = figure.add_subplot(2, 2, number)
        for height in (2, 12, 30, 60):
            axes.plot(*(2 * height) ** 0.5 * circle, color="#CCCCCC", linewidth=0.8)
        at = path(make)
        axes.plot(*at.T, color=colour, linewidth=1.4, marker="o", markersize=2.5)
        axes.plot(*START, color="black", marker="o", markersize=5)
        axes.plot(0, 0, color="black", marker="+", markersize=9)
        near = np.nonzero(np.hypot(*at.T) > 0.5)[0][-1] + 1
        after = f"within ½ after {near} steps" if near <= STEPS else f"not there in {STEPS} steps"
        axes.set_title(f"{name}: {after}", fontsize=11)
        axes.set(xlim=(-10, 4), ylim=(-1.5, 1.5), xticks=(), yticks=())
    return figure


def blocks() -> Figure:
    """Plot the lesson's measured times of a step against the size of a block."""
    rows = printed("07_optimizers", r"blocks of +([\d.]+) KiB: ([\d.]+) times as long")
    sizes, times = zip(*rows, strict=True)
    figure = Figure(figsize=(7, 3.2), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(sizes, times, color=BLUE, linewidth=2, marker="o")
    for size, time in rows:
        axes.annotate(f"{time:.1f}", (size, time), (4, 6), textcoords="offset points")
    axes.set_xscale("log", base=2)
    axes.set_xticks(sizes, [f"{size:.0f}" for size in sizes])
    axes.minorticks_off()
    axes.set(
        xlabel="KiB of the parameter in a block, 65,536 KiB in all", ylim=(0, max(times) * 1.12)
    )
    axes.set(ylabel="time of an Adam step")
    return figure


FIGURES = {"paths": paths, "blocks": blocks}
