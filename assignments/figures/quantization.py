"""The figures of 15: what fewer bits do to weights and answers, and what a layer reads."""

from __future__ import annotations

from matplotlib.figure import Figure

from assignments.figures.drawing import BLUE, GREEN, ORANGE, printed


def bits() -> Figure:
    """Plot the lesson's errors and right answers against the bits of a weight."""
    line = r"(\d) bits, a scale per (\w+) *: +([\d.]+)% error, (\d+) of (\d+) right"
    rows = printed("15_quantization", line)
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    errors, answers = figure.subplots(1, 2)
    for name, colour in (("tensor", ORANGE), ("channel", BLUE)):
        own = [row for row in rows if row[1] == name]
        counts = [row[0] for row in own]
        style = {"color": colour, "linewidth": 2, "marker": "o", "label": f"a scale per {name}"}
        errors.semilogy(counts, [row[2] for row in own], **style)
        answers.plot(counts, [row[3] / row[4] * 100 for row in own], **style)
    errors.set(xlabel="bits of a weight", ylabel="error of the weights, %")
    answers.set(xlabel="bits of a weight", ylabel="digits read right, %", ylim=(70, 100))
    for axes in (errors, answers):
        axes.set_xticks(range(2, 9))
        axes.invert_xaxis()
    errors.set_yticks([0.5, 1, 2, 5, 10, 20, 50], ["0.5", "1", "2", "5", "10", "20", "50"])
    errors.minorticks_off()
    answers.legend(frameon=False, loc="lower left")
    return figure


def bytes_read() -> Figure:
    """Draw what one call of each layer reads, by the profiler, as bars."""
    rows = printed("15_quantization", r"(\w+) +reads +([\d,]+) KiB, ([\d.]+) times as long")
    figure = Figure(figsize=(7, 1.7), layout="constrained")
    axes = figure.add_subplot()
    inputs = 64 * 1024 * 4 / 2**10
    for place, (_, read, _) in enumerate(reversed(rows)):
        read = float(str(read).replace(",", ""))
        axes.barh(place, inputs, color=GREEN, height=0.6)
        axes.barh(place, read - inputs, left=inputs, color=BLUE, height=0.6)
        axes.text(read + 20, place, f"{read:,.0f} KiB", va="center")
        axes.text(inputs / 2, place, "inputs", ha="center", va="center", color="white")
        axes.text((read + inputs) / 2, place, "weights", ha="center", va="center", color="white")
    axes.set_yticks(range(len(rows)), [row[0] for row in reversed(rows)])
    axes.set(xlim=(0, 2700), xlabel="KiB read by one call")
    return figure


FIGURES = {"bits": bits, "bytes": bytes_read}
