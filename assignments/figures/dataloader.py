"""The figures of 05: how an order becomes batches, and what their size does to the speed."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from assignments.figures.drawing import BLUE, GREEN, GREY, ORANGE, RED, canvas, cell, printed
from tinytorch import DataLoader, TensorDataset, from_numpy

ORDER = (7, 2, 9, 4, 0, 5, 1, 8, 3, 6)


def gather() -> Figure:
    """Draw an order, cut into batches, and the rows that the first of them gathers."""
    table = TensorDataset(from_numpy(np.arange(20).reshape(10, 2)))
    loader = DataLoader(table, batch_size=4, sampler=ORDER)
    figure, axes = canvas(9, 5.6, (-3.2, 15.2), (-0.8, 10.6))
    place = {row: number for number, row in enumerate(ORDER)}
    colours = [(BLUE, ORANGE, GREEN)[place[row] // loader.batch_size] for row in range(10)]
    for row in range(10):
        for column in range(2):
            cell(axes, column, 9 - row, str(2 * row + column), colours[row])
        axes.text(-0.75, 9.5 - row, str(row), ha="right", va="center", color=GREY)
    for number, row in enumerate(ORDER):
        cell(axes, 4 + number + 0.4 * (number // loader.batch_size), 8, str(row), colours[row])
    left = 4
    for batch, colour in zip(loader, (BLUE, ORANGE, GREEN), strict=True):
        rows = batch[0].tolist()
        middle = left + (len(rows) - 1) / 2
        axes.annotate(
            "", (middle, 6.1), (middle, 7.8), arrowprops={"arrowstyle": "-|>", "color": GREY}
        )
        for line, row in enumerate(rows):
            for column, value in enumerate(row):
                cell(axes, middle - 0.5 + column, 5 - line, str(value), colour)
        left += len(rows) + 0.4
    axes.text(0.5, 10.2, "table", ha="center")
    axes.text(8.9, 9.35, "order", ha="center")
    axes.text(8.9, 0.9, "batches, in new memory", ha="center")
    return figure


def throughput() -> Figure:
    """Plot the lesson's measured samples per second against the batch size."""
    pattern = r"batch +(\d+): +([\d.]+) times the samples in order, +([\d.]+) shuffled"
    sizes, plain, shuffled = zip(*printed("05_dataloader", pattern), strict=True)
    figure = Figure(figsize=(7, 3.6), layout="constrained")
    axes = figure.add_subplot()
    for values, colour, label in ((plain, BLUE, "in order"), (shuffled, RED, "shuffled")):
        axes.plot(sizes, values, "o-", color=colour)
        axes.text(sizes[-1] * 1.15, values[-1], label, color=colour, va="center")
    axes.set_xscale("log", base=2)
    axes.set(xlabel="batch size", xlim=(0.8, 4500))
    axes.set(ylabel="samples per second,\nbatch of 1 in order = 1", ylim=(0, max(plain) * 1.1))
    axes.set_xticks(sizes, [f"{size:g}" for size in sizes])
    axes.minorticks_off()
    return figure


FIGURES = {"gather": gather, "throughput": throughput}
