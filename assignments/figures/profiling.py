"""The figures of 14: memory that is alive in training and in use, and the lesson's roofline."""

from __future__ import annotations

from matplotlib.figure import Figure

from assignments.figures.drawing import BLUE, GREY, ORANGE, RED, printed
from tinytorch import Linear, Profiler, Sequential, manual_seed, no_grad, randn

LAYERS, SIZE, ROWS = 10, 256, 64
RIGHT = (9, -4, "left")
BESIDE = {
    "add": (-1, 9, "right"),
    "row times matrix": (14, 10, "right"),
    "relu": (6, -14, "left"),
    "matrix times matrix": (9, -16, "center"),
}


def timelines() -> tuple[list[float], list[float]]:
    """Return the live bytes after each change, in activations: of a training step, and of use."""
    manual_seed(0)
    model = Sequential(*[Linear(SIZE, SIZE) for _ in range(LAYERS)])
    x = randn(ROWS, SIZE)
    with Profiler() as training:
        model(x).sum().backward()
    with no_grad(), Profiler() as using:
        model(x).sum()
    return tuple(
        [0.0, *(live / x.nbytes for _, live in profile.memory.timeline())]
        for profile in (training, using)
    )


def memory() -> Figure:
    """Draw both, a step for each array that comes or goes."""
    training, using = timelines()
    figure = Figure(figsize=(7, 3.2), layout="constrained")
    axes = figure.add_subplot()
    axes.step(range(len(training)), training, where="post", color=BLUE, linewidth=2)
    axes.step(range(len(using)), using, where="post", color=ORANGE, linewidth=2)
    axes.text(LAYERS - 1, LAYERS - 0.4, "forward  ", ha="right", color=BLUE)
    axes.text(LAYERS + 4, LAYERS - 0.4, "backward", color=BLUE)
    axes.text(LAYERS + 2, 2.4, "in use", ha="center", color=RED)
    axes.axvline(LAYERS + 1, color=GREY, linewidth=0.8, linestyle=":")
    axes.set(xlabel="arrays that came or went", ylabel="alive, in activations", ylim=(0, 11))
    axes.set_xlim(0, None)
    return figure


def roofline() -> Figure:
    """Draw the roof and the operations as the lesson measured them."""
    ((_, ridge),) = printed("14_profiling", r"(ridge) at ([\d.]+) FLOP per byte")
    row = r"^([a-z ]+?) +([\d.]+) FLOP/B +([\d.]+) GFLOP/s, +([\d.]+)% of the roof"
    rows = printed("14_profiling", rf"(?m){row}")
    name, intensity, speed, share = max(rows, key=lambda one: one[1])
    peak = speed / share * 100
    figure = Figure(figsize=(7, 3.8), layout="constrained")
    axes = figure.add_subplot(xscale="log", yscale="log")
    axes.plot([0.03, ridge, 1000], [peak / ridge * 0.03, peak, peak], color=BLUE, linewidth=2)
    axes.annotate(f"ridge at {ridge:g}", (ridge, peak), (-6, 6), textcoords="offset points")
    for name, intensity, speed, share in rows:
        axes.plot(intensity, speed, color=RED, marker="o", markersize=6)
        style = {"textcoords": "offset points", "ha": BESIDE.get(name, RIGHT)[2]}
        text = f"{name}, {share:.0f} %"
        axes.annotate(text, (intensity, speed), BESIDE.get(name, RIGHT)[:2], **style)
    axes.set(xlabel="FLOP per byte moved", ylabel="GFLOP per second", xlim=(0.012, 4000))
    axes.set_ylim(0.2, peak * 3)
    return figure


FIGURES = {"memory": memory, "roofline": roofline}
