"""Draw every figure of the lessons from the reference: `python -m assignments.figures [--check]`.

Staff only. Shapes, strides, curves and slopes come from `tinytorch`; measured numbers come from the
lesson's own printed results, so that text and picture cannot differ. The bytes are the same on
every run; `--check` writes nothing and fails where a committed figure is not what is drawn here.
"""

from __future__ import annotations

import argparse
import io
import re
import sys
from collections.abc import Callable
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Rectangle

import tinytorch
from tinytorch import Tensor

FOLDER = Path(__file__).resolve().parent
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


def strides() -> Figure:
    """Draw one line of memory, read as a matrix and as its transpose."""
    x = Tensor(np.arange(6, dtype=np.float32).reshape(2, 3))
    figure, axes = _canvas(9, 4.1, (-0.8, 12.8), (-0.1, 6.0))
    for i, value in enumerate(x.data.ravel().tolist()):
        _cell(axes, 4 + i, 4.3, f"{value:g}", (BLUE, ORANGE)[i // 3])
        axes.text(4 + i, 5.45, f"{i * x.data.itemsize}", ha="center", color=GREY)
    axes.text(3.2, 4.8, "memory", ha="right", va="center")
    axes.text(3.2, 5.45, "byte", ha="right", color=GREY)
    for name, tensor, left in (("x", x, 1.7), ("x.T", x.T, 9.6)):
        rows, columns = tensor.shape
        for i in range(rows):
            for j in range(columns):
                value = tensor[i, j].item()
                _cell(axes, left + j, 2 - i, f"{value:g}", (BLUE, ORANGE)[int(value) // 3])
        label = f"{name}\nshape {tensor.shape}\nstrides {tensor.data.strides}"
        axes.text(left - 0.75, 3 - rows / 2, label, ha="right", va="center", linespacing=1.5)
        _step(axes, (left, 3.12), (left + 1, 3.12), f"{tensor.data.strides[1]} bytes")
        end = left + columns - 0.35
        _step(axes, (end, 2.5), (end, 1.5), f"{tensor.data.strides[0]} bytes")
    return figure


def broadcasting() -> Figure:
    """Draw how a column and a row are stretched to a matrix and added."""
    column, row = Tensor([[0], [10], [20], [30]]), Tensor([1, 2, 3])
    figure, axes = _canvas(8.5, 3.6, (-0.7, 11.7), (-1.2, 4.2))
    shape = tinytorch.tensor.broadcast_shape(column.shape, row.shape)
    parts = ((column, 0, BLUE), (row, 4.5, ORANGE), (column + row, 9, GREEN))
    for tensor, left, colour in parts:
        full = tensor.expand(*shape)
        own = (1,) * (len(shape) - tensor.ndim) + tensor.shape
        for i, j in np.ndindex(shape):
            real = i < own[0] and j < own[1]
            _cell(axes, left + j, 3 - i, str(full[i, j].item()), colour if real else None)
        axes.text(left + 1, -0.75, f"{tensor.shape}", ha="center", va="center")
    for sign, left in (("+", 3.25), ("=", 7.75)):
        axes.text(left, 2, sign, ha="center", va="center", fontsize=20)
    return figure


def cache() -> Figure:
    """Plot the lesson's measured times by stride, and where a cache line ends."""
    rows = _printed("01_tensor", r"stride +(\d+) bytes: +([\d.]+) times")
    steps, times = zip(*rows, strict=True)
    figure = Figure(figsize=(7, 3.4), layout="constrained")
    axes = figure.add_subplot()
    axes.axvspan(64, max(steps) * 1.2, color="#F3F3F3")
    axes.axvline(64, color=GREY, linestyle="--", linewidth=1)
    axes.text(67, max(times) * 0.06, "a cache line\nfor every element", color=GREY, va="bottom")
    axes.plot(steps, times, "o-", color=BLUE)
    for step, time in rows:
        axes.annotate(f"{time:.1f}", (step, time), (-3, 6), textcoords="offset points", ha="right")
    axes.set_xscale("log", base=2)
    axes.set(xlabel="bytes from element to element", xlim=(3.2, max(steps) * 1.2))
    axes.set(ylabel="time, contiguous = 1", ylim=(0, max(times) * 1.15))
    axes.set_xticks(steps, [f"{step:g}" for step in steps])
    axes.minorticks_off()
    return figure


def curves() -> Figure:
    """Plot six activations and their slopes, from differences in float64."""
    x, h = np.linspace(-4, 4, 161), 1e-6
    figure = Figure(figsize=(9, 5), layout="constrained")
    for number, name in enumerate(("relu", "leaky_relu", "sigmoid", "tanh", "gelu", "silu"), 1):
        function = getattr(tinytorch, name)
        y = function(Tensor(x)).data
        slope = (function(Tensor(x + h)).data - function(Tensor(x - h)).data) / (2 * h)
        axes = figure.add_subplot(2, 3, number)
        axes.axhline(0, color="#BBBBBB", linewidth=0.8)
        axes.axvline(0, color="#BBBBBB", linewidth=0.8)
        # Rounded, as the last digits differ from processor to processor.
        axes.plot(x, np.round(y, 4), color=BLUE, linewidth=2, label="value")
        axes.plot(x, np.round(slope, 4), color=RED, linewidth=1.5, linestyle="--", label="slope")
        axes.set(title=name, xlim=(-4, 4), ylim=(-1.3, 2.3), xticks=(-4, -2, 0, 2, 4))
    figure.axes[0].legend(loc="upper left", frameon=False)
    return figure


def softmax() -> Figure:
    """Plot the largest of three probabilities against the size of the scores, by both formulas."""
    shift = np.linspace(-140, 140, 561).astype(np.float32)
    scores = shift[:, None] + np.array([0, 1, 2], np.float32)
    with np.errstate(all="ignore"):
        # Rounded once from float64: float32's own exp differs from processor to processor.
        weights = np.exp(scores.astype(np.float64)).astype(np.float32)
        naive = weights / weights.sum(axis=1, keepdims=True)
    stable = tinytorch.softmax(Tensor(scores), dim=1).data
    figure = Figure(figsize=(7, 3.4), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(shift, np.round(stable[:, 2], 3), color=BLUE, linewidth=6, alpha=0.35)
    axes.plot(shift, np.round(naive[:, 2], 3), color=RED, linewidth=1.5)
    lost = np.isnan(naive[:, 2])
    for nan, label in ((lost & (shift < 0), "0 / 0"), (lost & (shift > 0), "∞ / ∞")):
        axes.axvspan(shift[nan].min(), shift[nan].max(), color="#F8E0D3")
        axes.text(shift[nan].mean(), 0.3, f"{label}\nNaN", ha="center", color=RED)
    axes.text(0, 0.71, "largest score subtracted first", color=BLUE, ha="center")
    axes.text(0, 0.58, "straight from the formula", color=RED, ha="center")
    axes.set(xlabel="c, for the scores c, c + 1, c + 2 in float32", xlim=(-140, 140))
    axes.set(ylabel="softmax of c + 2", ylim=(0, 1.05))
    return figure


def cost() -> Figure:
    """Draw the lesson's measured times of the activations as bars."""
    rows = _printed("02_activations", r"(\w+) +([\d.]+) times as long as relu")
    names, times = zip(*rows, strict=True)
    figure = Figure(figsize=(7, 3.2), layout="constrained")
    axes = figure.add_subplot()
    bars = axes.barh(names, times, color=BLUE)
    axes.bar_label(bars, [f"{time:.1f}" for time in times], padding=4)
    axes.invert_yaxis()
    axes.set(xlabel="time, relu = 1", xlim=(0, max(times) * 1.12))
    return figure


FIGURES: dict[str, Callable[[], Figure]] = {
    "01_tensor/figures/strides.svg": strides,
    "01_tensor/figures/broadcasting.svg": broadcasting,
    "01_tensor/figures/cache.svg": cache,
    "02_activations/figures/curves.svg": curves,
    "02_activations/figures/softmax.svg": softmax,
    "02_activations/figures/cost.svg": cost,
}


def _canvas(width: float, height: float, x: tuple, y: tuple) -> tuple[Figure, Axes]:
    """Make a figure without axes, on which lengths are equal in both directions."""
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot(xlim=x, ylim=y, aspect="equal")
    axes.axis("off")
    return figure, axes


def _cell(axes: Axes, x: float, y: float, text: str, colour: str | None) -> None:
    """Draw one element centred over x, standing on y; without a colour it is a repetition."""
    if colour:
        box = Rectangle((x - 0.5, y), 1, 1, facecolor=PALE[colour], edgecolor=colour, linewidth=1.4)
    else:
        box = Rectangle((x - 0.43, y + 0.07), 0.86, 0.86, facecolor="white", edgecolor="#999999")
        box.set_linestyle((0, (3, 2)))
    axes.add_patch(box)
    shade = "black" if colour else "#777777"
    axes.text(x, y + 0.5, text, ha="center", va="center", color=shade)


def _step(axes: Axes, start: tuple, end: tuple, text: str) -> None:
    """Draw an arrow from one element to the next, above a row or right of a column."""
    arrow = FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=10, color=GREY)
    axes.add_patch(arrow)
    if start[1] == end[1]:
        axes.text((start[0] + end[0]) / 2, start[1] + 0.12, text, ha="center", color=GREY)
    else:
        axes.text(start[0] + 0.2, (start[1] + end[1]) / 2, text, va="center", color=GREY)


def _printed(lesson: str, pattern: str) -> list[tuple]:
    """Return what the groups of `pattern` find in the lesson's text, numbers as floats."""
    found = re.findall(pattern, (FOLDER / lesson / "README.md").read_text(encoding="utf-8"))
    if not found:
        raise SystemExit(f"{lesson}/README.md prints nothing like {pattern!r}: paste its result")
    return [tuple(float(g) if re.fullmatch(r"[\d.]+", g) else g for g in row) for row in found]


def draw(make: Callable[[], Figure]) -> bytes:
    """Return the figure as SVG, on white, without a date."""
    with matplotlib.rc_context(STYLE):
        buffer = io.BytesIO()
        make().savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


def drifted(folder: Path = FOLDER) -> list[str]:
    """Name the figures below `folder` that are missing or are not what is drawn now."""
    paths = {name: folder / name for name in FIGURES}
    return [n for n, p in paths.items() if not p.is_file() or p.read_bytes() != draw(FIGURES[n])]


def main(arguments: list[str] | None = None, folder: Path = FOLDER) -> int:
    """Write the figures that have drifted; with --check only name them, and fail."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing, fail on drift")
    check = parser.parse_args(arguments).check
    names = drifted(folder)
    for name in names:
        print(f"{name} has drifted: run python -m assignments.figures" if check else f"drew {name}")
        if not check:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(draw(FIGURES[name]))
    return int(check and bool(names))


if __name__ == "__main__":
    sys.exit(main())
