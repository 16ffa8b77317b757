"""The figures of 16: bytes and time of a sparse matrix, and accuracy after a cut, as measured."""

from __future__ import annotations

from matplotlib.figure import Figure

from assignments.figures.drawing import BLUE, GREY, ORANGE, RED, printed

LESSON = "16_compression"


def zeros() -> Figure:
    """Draw the lesson's table, and the line where a whole matrix stands."""
    share, size, seconds = zip(
        *printed(LESSON, r"(?m)^ *(\d+) % +([\d.]+) × +([\d.]+) ×$"), strict=True
    )
    figure = Figure(figsize=(7, 3.2), layout="constrained")
    axes = figure.add_subplot(yscale="log")
    axes.axhline(1, color=GREY, linewidth=0.8, linestyle=":")
    for name, values, colour in (("time", seconds, RED), ("bytes", size, BLUE)):
        axes.plot(share, values, color=colour, marker="o", linewidth=2)
        axes.annotate(name, (share[1], values[1]), (6, 6), textcoords="offset points", color=colour)
    axes.text(62, 1.06, "whole matrix", color=GREY, va="bottom")
    axes.set(xlabel="% of zeros", ylabel="relative to a whole matrix", ylim=(0.01, 200))
    marks = (0.01, 0.1, 1, 10, 100)
    axes.set_yticks(marks, [f"{mark:g} ×" for mark in marks])
    axes.minorticks_off()
    return figure


def neurons() -> Figure:
    """Draw accuracy right after the cut and trained on."""
    left, before, after = zip(
        *printed(LESSON, r"(?m)^ *([\d.]+)% +([\d.]+)% +([\d.]+)%$"), strict=True
    )
    figure = Figure(figsize=(7, 3), layout="constrained")
    axes = figure.add_subplot(xscale="log")
    for name, values, colour in (("trained on", after, BLUE), ("right after", before, ORANGE)):
        axes.plot(left, values, color=colour, marker="o", linewidth=2)
        axes.annotate(name, (left[2], values[2]), (8, 6), textcoords="offset points")
    axes.set(xlabel="% of the neurons that stay", ylabel="% right", ylim=(20, 102))
    axes.set_xticks(left, [f"{share:g}" for share in left])
    axes.minorticks_off()
    axes.invert_xaxis()
    return figure


FIGURES = {"zeros": zeros, "neurons": neurons}
