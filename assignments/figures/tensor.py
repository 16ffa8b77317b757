"""The figures of 01: strides, broadcasting, the cache."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

import tinytorch
from assignments.figures.drawing import BLUE, GREEN, GREY, ORANGE, canvas, cell, printed, step
from tinytorch import Tensor


def strides() -> Figure:
    """Draw one line of memory, read as a matrix and as its transpose."""
    x = Tensor(np.arange(6, dtype=np.float32).reshape(2, 3))
    figure, axes = canvas(9, 4.1, (-0.8, 12.8), (-0.1, 6.0))
    for i, value in enumerate(x.data.ravel().tolist()):
        cell(axes, 4 + i, 4.3, f"{value:g}", (BLUE, ORANGE)[i // 3])
        axes.text(4 + i, 5.45, f"{i * x.data.itemsize}", ha="center", color=GREY)
    axes.text(3.2, 4.8, "memory", ha="right", va="center")
    axes.text(3.2, 5.45, "byte", ha="right", color=GREY)
    for name, tensor, left in (("x", x, 1.7), ("x.T", x.T, 9.6)):
        rows, columns = tensor.shape
        for i in range(rows):
            for j in range(columns):
                value = tensor[i, j].item()
                cell(axes, left + j, 2 - i, f"{value:g}", (BLUE, ORANGE)[int(value) // 3])
        label = f"{name}\nshape {tensor.shape}\nstrides {tensor.data.strides}"
        axes.text(left - 0.75, 3 - rows / 2, label, ha="right", va="center", linespacing=1.5)
        step(axes, (left, 3.12), (left + 1, 3.12), f"{tensor.data.strides[1]} bytes")
        end = left + columns - 0.35
        step(axes, (end, 2.5), (end, 1.5), f"{tensor.data.strides[0]} bytes")
    return figure


def broadcasting() -> Figure:
    """Draw how a column and a row are stretched to a matrix and added."""
    column, row = Tensor([[0], [10], [20], [30]]), Tensor([1, 2, 3])
    figure, axes = canvas(8.5, 3.6, (-0.7, 11.7), (-1.2, 4.2))
    shape = tinytorch.tensor.broadcast_shape(column.shape, row.shape)
    parts = ((column, 0, BLUE), (row, 4.5, ORANGE), (column + row, 9, GREEN))
    for tensor, left, colour in parts:
        full = tensor.expand(*shape)
        own = (1,) * (len(shape) - tensor.ndim) + tensor.shape
        for i, j in np.ndindex(shape):
            real = i < own[0] and j < own[1]
            cell(axes, left + j, 3 - i, str(full[i, j].item()), colour if real else None)
        axes.text(left + 1, -0.75, f"{tensor.shape}", ha="center", va="center")
    for sign, left in (("+", 3.25), ("=", 7.75)):
        axes.text(left, 2, sign, ha="center", va="center", fontsize=20)
    return figure


def cache() -> Figure:
    """Plot the lesson's measured times by stride, and where a cache line ends."""
    rows = printed("01_tensor", r"stride +(\d+) bytes: +([\d.]+) times")
    steps, times = zip(*rows, strict=True)
    figure = Figure(figsize=(7, 3.4), layout="constrained")
    axes = figure.add_subplot()
    axes.axvspan(64, max(steps) * 1.2, color="#F3F3F3")
    axes.axvline(64, color=GREY, linestyle="--", linewidth=1)
    axes.text(67, max(times) * 0.06, "a cache line\nfor every element", color=GREY, va="bottom")
    axes.plot(steps, times, "o-", color=BLUE)
    for stride, time in rows:
        axes.annotate(
            f"{time:.1f}", (stride, time), (-3, 6), textcoords="offset points", ha="right"
        )
    axes.set_xscale("log", base=2)
    axes.set(xlabel="bytes from element to element", xlim=(3.2, max(steps) * 1.2))
    axes.set(ylabel="time, contiguous = 1", ylim=(0, max(times) * 1.15))
    axes.set_xticks(steps, [f"{step:g}" for step in steps])
    axes.minorticks_off()
    return figure


FIGURES = {"strides": strides, "broadcasting": broadcasting, "cache": cache}
