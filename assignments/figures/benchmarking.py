"""The figures of 19: what turns are good for, and what an interval promises and keeps."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from assignments.figures.drawing import BLUE, GREY, ORANGE, printed
from tinytorch.benchmarking import compare, measure

BLOCKS = 20


class Tired:
    """A machine on which every block takes longer than the one before, and a little at random."""

    def __init__(self):
        """Begin fresh."""
        self.now, self.blocks, self.rng = 0.0, 0, np.random.default_rng(4)

    def __call__(self) -> float:
        """Read the clock."""
        return self.now

    def work(self) -> None:
        """Do what anyone does, for 1 s at first and 2 s after forty blocks."""
        self.blocks += 1
        self.now += 1 + self.blocks / (2 * BLOCKS) + abs(self.rng.normal(0, 0.05))


def turns() -> Figure:
    """Plot the blocks of two equal rivals, one after the other and in turns."""
    machine = Tired()
    row = np.stack(
        [measure(machine.work, BLOCKS, warmup=0, calls=1, clock=machine) for _ in "ab"], axis=1
    )
    machine = Tired()
    pairs = compare(machine.work, machine.work, BLOCKS, warmup=0, calls=(1, 1), clock=machine)
    figure = Figure(figsize=(9, 3), layout="constrained")
    plots = figure.subplots(1, 2, sharey=True)
    number = np.arange(2 * BLOCKS)
    _plot(plots[0], "one after the other", [number[:BLOCKS], number[BLOCKS:]], row)
    odd = np.arange(BLOCKS) % 2
    _plot(plots[1], "in turns", [number[::2] + odd, number[1::2] - odd], pairs.pairs)
    plots[0].set_ylabel("seconds")
    return figure


def _plot(axes, title: str, places: list, times: np.ndarray) -> None:
    """Draw the times of both where they were taken, with their medians."""
    for place, time, colour, name in zip(places, times.T, (BLUE, ORANGE), "ab", strict=True):
        axes.plot(place, time, color=colour, marker="o", markersize=4, linestyle="none", label=name)
        axes.axhline(np.median(time), color=colour, linewidth=1)
    first, second = np.median(times, axis=0)
    axes.set_title(f"{title}: b by a is {second / first:.2f}", fontsize=11)
    axes.set(xlabel="block", ylim=(0, 2.4))
    axes.legend(loc="lower right", ncols=2)


def coverage() -> Figure:
    """Plot the lesson's share of intervals that hold the truth."""
    rows = printed("19_benchmarking", r" *(\d+) samples: ([\d.]+)% of the intervals")
    counts, shares = zip(*rows, strict=True)
    figure = Figure(figsize=(7, 2.8), layout="constrained")
    axes = figure.add_subplot()
    axes.axhline(95, color=GREY, linewidth=1, linestyle="dashed")
    axes.plot(counts, shares, color=BLUE, linewidth=2, marker="o")
    for count, share in rows:
        axes.annotate(f"{share:g}", (count, share), (4, -14), textcoords="offset points")
    axes.set(xlabel="samples", xlim=(0, 1.1 * max(counts)))
    axes.set(ylabel="% hold the truth", ylim=(min(shares) - 10, 100))
    return figure


FIGURES = {"turns": turns, "coverage": coverage}
