"""The figures of 08: learning rates by schedule, and where the memory of a training step goes."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from assignments.figures.drawing import BLUE, GREEN, GREY, ORANGE, RED, printed
from tinytorch import SGD, CosineAnnealingLR, LinearLR, SequentialLR, StepLR, Tensor

EPOCHS = 41


def _rates(make) -> list[float]:
    """Return the rate of each epoch, for an optimizer that begins with 1."""
    optimizer = SGD([Tensor([0.0], requires_grad=True)], lr=1.0)
    scheduler = make(optimizer)
    found = []
    for _ in range(EPOCHS):
        found.append(optimizer.param_groups[0]["lr"])
        scheduler.step()
    return found


def schedules() -> Figure:
    """Plot the rates of the four schedules over forty epochs."""
    makes = {
        "StepLR(step_size=10, gamma=0.5)": lambda o: StepLR(o, 10, gamma=0.5),
        "CosineAnnealingLR(T_max=40)": lambda o: CosineAnnealingLR(o, 40),
        "LinearLR(start_factor=0.1, total_iters=8)": lambda o: LinearLR(o, 0.1, total_iters=8),
        "SequentialLR: warm-up, then cosine": lambda o: SequentialLR(
            o, [LinearLR(o, 0.1, total_iters=8), CosineAnnealingLR(o, 32)], milestones=[8]
        ),
    }
    figure = Figure(figsize=(9, 4.6), layout="constrained")
    for number, (name, make) in enumerate(makes.items(), 1):
        axes = figure.add_subplot(2, 2, number)
        # Rounded, as the last digits differ from processor to processor.
        axes.plot(range(EPOCHS), np.round(_rates(make), 4), ".-", color=BLUE, markersize=4)
        if name.startswith("Sequential"):
            axes.axvline(8, color=GREY, linestyle="--", linewidth=1)
            axes.text(8.6, 0.05, "milestone", color=GREY)
        axes.set_title(name, fontsize=11)
        axes.set(xlim=(0, EPOCHS - 1), ylim=(0, 1.08), yticks=(0, 0.5, 1))
        if number > 2:
            axes.set_xlabel("epoch")
        if number % 2:
            axes.set_ylabel("rate / first rate")
    return figure


def memory() -> Figure:
    """Draw the lesson's measured kilobytes of a step as bars, one for each batch size."""
    row = r"batch +(\d+): parameters +(\d+), gradients +(\d+), Adam +(\d+), activations +(\d+) kB"
    sizes, *parts = zip(*printed("08_training", row), strict=True)
    names = ("parameters", "gradients", "Adam's averages", "activations")
    figure = Figure(figsize=(8, 3.4), layout="constrained")
    axes = figure.add_subplot()
    left = np.zeros(len(sizes))
    for name, part, colour in zip(names, parts, (BLUE, ORANGE, GREEN, RED), strict=True):
        axes.barh([f"{size:g}" for size in sizes], part, left=left, color=colour, label=name)
        left += part
    axes.bar_label(axes.containers[-1], [f"{total:,.0f}" for total in left], padding=4)
    axes.invert_yaxis()
    axes.set(xlabel="kB", ylabel="batch size", xlim=(0, max(left) * 1.12))
    axes.legend(loc="upper right", frameon=False)
    return figure


FIGURES = {"schedules": schedules, "memory": memory}
