"""The figures of 03: the tree of names, what a start loses by depth, and the bytes of a batch."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch

from assignments.figures.drawing import BLUE, GREY, ORANGE, PALE, RED, printed
from tinytorch import Linear, Module, manual_seed, randn, relu


class Net(Module):
    """The lesson's example: two layers in a list, a head, and one of them under a second name."""

    def __init__(self):
        """Assign the parts."""
        super().__init__()
        self.blocks = [Linear(784, 256), Linear(256, 128)]
        self.head = Linear(128, 10, bias=False)
        self.first = self.blocks[0]


def tree() -> Figure:
    """Draw modules in the middle, their parameters on the right, and the root on the left."""
    net = Net()
    figure = Figure(figsize=(8, 3.6), layout="constrained")
    axes = figure.add_subplot(xlim=(-0.6, 7.8), ylim=(-0.6, 5.0))
    axes.axis("off")
    children = dict(net.named_children())
    rows = [(n, *p) for n, child in children.items() for p in child.named_parameters()]
    heights = {n: np.mean([4 - i for i, row in enumerate(rows) if row[0] == n]) for n in children}
    root = float(np.mean(list(heights.values())))
    label(axes, 0.2, root, "Net", BLUE)
    for name, height in heights.items():
        arrow(axes, (0.65, root), (2.75, height), name)
        label(axes, 3.3, height, "Linear", BLUE)
    for i, (module, name, parameter) in enumerate(rows):
        arrow(axes, (3.85, heights[module]), (6.05, 4 - i), name)
        label(axes, 6.8, 4 - i, f"{parameter.shape}", ORANGE)
    shared = FancyArrowPatch((0.2, root + 0.35), (3.2, heights["blocks.0"] + 0.35), color=RED)
    shared.set(arrowstyle="-|>", mutation_scale=10, linestyle="--")
    shared.set_connectionstyle("arc3", rad=-0.35)
    axes.add_patch(shared)
    axes.text(0.55, 4.35, "first: met again,\ncounted once", color=RED, ha="center", va="bottom")
    return figure


def label(axes, x: float, y: float, text: str, colour: str) -> None:
    """Write a text in a box of a colour."""
    box = {"boxstyle": "round,pad=0.35", "facecolor": PALE[colour], "edgecolor": colour}
    axes.text(x, y, text, ha="center", va="center", bbox=box)


def arrow(axes, start: tuple, end: tuple, name: str) -> None:
    """Draw an arrow with the name of an attribute on it."""
    axes.add_patch(FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=10, color=GREY))
    middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
    white = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
    axes.text(*middle, name, ha="center", va="center", fontsize=10, color="black", bbox=white)


def signal() -> Figure:
    """Plot how far samples differ behind each of ten layers, for three factors of the start."""
    figure = Figure(figsize=(7, 3.4), layout="constrained")
    axes = figure.add_subplot()
    rows = ((6**0.5, ORANGE, "times √6"), (1.0, BLUE, "PyTorch's bounds"), (0.6, RED, "times 0.6"))
    for factor, colour, text in rows:
        manual_seed(0)
        x, spread = randn(256, 256), []
        for _ in range(10):
            layer = Linear(256, 256)
            layer.weight.data[...] *= factor
            x = relu(layer(x))
            spread.append(x.data.std(axis=0, dtype=np.float64).mean())
        # Two digits, as the last ones differ from processor to processor.
        spread = [float(f"{one:.2g}") for one in spread]
        axes.plot(range(1, 11), spread, "o-", color=colour)
        axes.text(10.25, spread[-1], text, color=colour, va="center")
    axes.set_yscale("log")
    axes.set(xlabel="layers", xlim=(0.7, 12.9), xticks=range(1, 11))
    axes.set(ylabel="difference of samples", ylim=(1e-7, 2))
    axes.minorticks_off()
    return figure


def memory() -> Figure:
    """Plot the lesson's measured bytes of activations by batch size, beside the parameters."""
    ((_, parameters),) = printed("03_layers", r"(parameters) (\d+) kB")
    pattern = r"batch +(\d+): activations +(\d+) kB, with dropout +(\d+) kB"
    batches, plain, dropping = zip(*printed("03_layers", pattern), strict=True)
    figure = Figure(figsize=(7, 3.6), layout="constrained")
    axes = figure.add_subplot()
    axes.axhline(parameters, color=GREY, linestyle="--")
    axes.text(1, parameters * 1.15, f"parameters, {parameters:g} kB", color=GREY, va="bottom")
    for values, colour, text in ((dropping, ORANGE, "with dropout"), (plain, BLUE, "activations")):
        axes.plot(batches, values, "o-", color=colour, label=text)
    axes.set_xscale("log", base=4)
    axes.set_yscale("log")
    axes.set_xticks(batches, [f"{batch:g}" for batch in batches])
    axes.set(xlabel="samples in a batch", ylabel="kB", ylim=(4, 20_000))
    axes.minorticks_off()
    axes.legend(loc="lower right", frameon=False)
    return figure


FIGURES = {"tree": tree, "signal": signal, "bytes": memory}
