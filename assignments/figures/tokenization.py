"""The figures of 10: how bytes grow into tokens, and what a vocabulary and a dict gain."""

from __future__ import annotations

from matplotlib.figure import Figure

from assignments.figures.drawing import BLUE, GREEN, GREY, ORANGE, canvas, cell, printed
from tinytorch.tokenization import BPETokenizer, merge

WORDS = "low low low low low lower lower newest newest newest newest newest newest widest widest"
SHOWN = (" newest", " lower")


def tree() -> Figure:
    """Draw the merges of two words, from their bytes up to their tokens."""
    tokenizer = BPETokenizer.train(" " + WORDS, 256 + 9)
    figure, axes = canvas(9, 3.4, (-0.8, 14.2), (-0.3, 5.2))
    left = 0
    for word in SHOWN:
        _grow(axes, tokenizer, word, left)
        left += len(word) + 1.4
    return figure


def _grow(axes, tokenizer: BPETokenizer, word: str, left: float) -> None:
    """Draw one word's bytes on the floor, and each merge one storey above its higher part."""
    ids = list(word.encode())
    nodes = [(left + i, 0) for i in range(len(ids))]
    for (x, y), byte in zip(nodes, ids, strict=True):
        cell(axes, x, y, chr(byte).replace(" ", "␣"), BLUE)
    for pair, new in tokenizer.ranks.items():
        at = next((i for i in range(len(ids) - 1) if (ids[i], ids[i + 1]) == pair), None)
        if at is None:
            continue
        merge(ids, pair, new)
        (x1, y1), (x2, y2) = parts = nodes[at : at + 2]
        x, y = (x1 + x2) / 2, max(y1, y2) + 1.55
        for part in parts:
            axes.plot([part[0], x], [part[1] + 1, y], color=GREY, linewidth=1.2, zorder=0)
        text = tokenizer.vocab[new].decode().replace(" ", "␣")
        axes.text(x, y + 0.35, text, ha="center", va="center", color=GREEN, weight="bold")
        axes.text(x + 0.12 * len(text) + 0.15, y + 0.5, new - 255, color=ORANGE, fontsize=9)
        nodes[at : at + 2] = [(x, y - 0.3)]


def lengths() -> Figure:
    """Plot the lesson's bytes per token against the size of the vocabulary."""
    rows = printed("10_tokenization", r" *(\d+) tokens: \d+ in the text, ([\d.]+) bytes each")
    sizes, each = zip(*rows, strict=True)
    figure = Figure(figsize=(7, 3.2), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(sizes, each, color=BLUE, linewidth=2, marker="o")
    for size, length in rows:
        axes.annotate(f"{length:.2f}", (size, length), (4, -14), textcoords="offset points")
    axes.set(xlabel="tokens in the vocabulary", xlim=(0, 1.08 * max(sizes)))
    axes.set(ylabel="bytes per token", ylim=(0, 1.12 * max(each)))
    axes.set_xticks(sizes, [f"{size:.0f}" if size != 384 else "" for size in sizes])
    return figure


def speed() -> Figure:
    """Draw the lesson's speeds of encoding as bars."""
    rows = printed("10_tokenization", r"(step by step|the \w+ time) *: +([\d.]+) MB/s")
    names, speeds = zip(*rows, strict=True)
    figure = Figure(figsize=(7, 1.9), layout="constrained")
    axes = figure.add_subplot()
    axes.barh(names, speeds, color=[GREY, ORANGE, GREEN], height=0.6)
    for name, value in rows:
        axes.text(value + 0.01 * max(speeds), name, f"{value:.2g}", va="center")
    axes.invert_yaxis()
    axes.set(xlabel="MB/s", xlim=(0, 1.1 * max(speeds)))
    return figure


FIGURES = {"tree": tree, "lengths": lengths, "speed": speed}
