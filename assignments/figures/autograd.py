"""The figures of 06: a graph with its gradients, and the memory that it keeps alive."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from assignments.figures.drawing import BLUE, GREEN, GREY, ORANGE, PALE, RED, canvas, printed
from tinytorch import Tensor, retain_grad
from tinytorch.autograd import RULES, topological_order

X, W, B, PRODUCT, Z, LOSS = "x", "w", "b", "x w", "z = x w + b", "loss = z z"
PLACES = {X: (0, 4), W: (0, 2), B: (3.8, 0.9), PRODUCT: (3.8, 3), Z: (7.6, 2), LOSS: (11.4, 2)}


def graph() -> Figure:
    """Draw the recipes behind (x w + b)², with each value, its gradient, and the parts of that."""
    x, w, b = (Tensor(n, requires_grad=True) for n in (2.0, 3.0, -1.0))
    product = x * w
    z = product + b
    loss = z * z
    tensors = {X: x, W: w, B: b, PRODUCT: product, Z: z, LOSS: loss}
    recipes = [(made, made.recipe) for made in topological_order(loss)]
    for tensor in tensors.values():
        retain_grad(tensor)
    loss.backward()
    figure, axes = canvas(9, 3.7, (-1.4, 12.8), (0, 5))
    boxes = {id(tensor): _box(axes, name, tensor) for name, tensor in tensors.items()}
    for made, (op, inputs, *_) in recipes:
        maps = RULES[op](made.data, *(one.data for one in inputs))
        for number, (one, pull) in enumerate(zip(inputs, maps, strict=True)):
            bend = (0.3, -0.3)[number] if inputs[0] is inputs[1] else 0
            _arrow(axes, boxes[id(one)], boxes[id(made)], bend)
            at = _centre(boxes[id(one)]) * 0.5 + _centre(boxes[id(made)]) * 0.5
            at = at - (0, 1.4 * bend) + (0, 0.32 if bend <= 0 else -0.32)
            back = f"← {pull(made.grad.data):g}"
            axes.text(*at, back, ha="center", va="center", color=RED)
    axes.text(9.5, 4.4, "value, computed from left to right", ha="center")
    axes.text(9.5, 3.9, "gradient, from right to left", ha="center", color=RED)
    return figure


def _box(axes: Axes, name: str, tensor: Tensor) -> FancyBboxPatch:
    x, y = PLACES[name]
    box = FancyBboxPatch((x - 1.15, y - 0.55), 2.3, 1.1, boxstyle="round,pad=0.05")
    leaf = tensor.recipe is None
    box.set(facecolor=PALE[GREEN if leaf else BLUE], edgecolor=GREEN if leaf else BLUE)
    axes.add_patch(box)
    axes.text(x, y + 0.24, f"{name} = {tensor.item():g}", ha="center", va="center")
    axes.text(x, y - 0.26, f"{tensor.grad.item():g}", ha="center", va="center", color=RED)
    return box


def _centre(box: FancyBboxPatch) -> np.ndarray:
    return np.array([box.get_x() + box.get_width() / 2, box.get_y() + box.get_height() / 2])


def _arrow(axes: Axes, start: FancyBboxPatch, end: FancyBboxPatch, bend: float) -> None:
    arrow = FancyArrowPatch(
        _centre(start),
        _centre(end),
        patchA=start,
        patchB=end,
        arrowstyle="-|>",
        mutation_scale=14,
        color=GREY,
        connectionstyle=f"arc3,rad={bend}",
    )
    axes.add_patch(arrow)


def memory() -> Figure:
    """Plot the lesson's measured megabytes, forward and backward."""
    rows = printed("06_autograd", r"(recorded|retain_graph|no_grad) +((?:[\d.]+ *)+)\n")
    figure = Figure(figsize=(8, 3.6), layout="constrained")
    axes = figure.add_subplot()
    for (name, numbers), colour in zip(rows, (BLUE, ORANGE, GREEN), strict=True):
        heights = [float(one) for one in numbers.split()]
        axes.plot(range(1, 1 + len(heights)), heights, "o-", color=colour, markersize=4)
        axes.text(len(heights) + 0.25, heights[-1], name, color=colour, va="center")
    axes.axvline(8.5, color="#BBBBBB", linewidth=0.8)
    axes.set(xlabel="operation: eight forward, eight backward", ylabel="megabytes alive")
    axes.set(xlim=(0.5, 18.8), ylim=(0, None), xticks=[1, 8, 9, 16], xticklabels=[1, 8, 8, 1])
    return figure


FIGURES = {"graph": graph, "memory": memory}
