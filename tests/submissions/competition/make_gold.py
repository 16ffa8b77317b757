"""Makes gold's networks of few bits: `python -m tests.submissions.competition.make_gold`.

One hidden layer, taught by the given network and trained with the weights that it will have: as
integers. What multiplies a hidden unit's weights may as well multiply what it gives on, ReLU(s·x)
being s·ReLU(x), so the first layer has no scales; the second has a power of two for each unit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from assignments.competition import draws, given

GOLD = Path(__file__).parent / "gold"
FIRST, SECOND, BIAS = 4, 7, 4  # levels on each side of 0, of both layers; parts of a bias's unit
BATCH, FREE = 192, 0.4  # of each kind of images; share of the steps with weights of any value
FADE = 0.9, 0.99  # of Adam's moments


@dataclass(frozen=True)
class Recipe:
    """A network and what it is taught."""

    hidden: int
    steps: int
    kin: tuple[float, float, float]  # how much answers to digits, noise, overlaid digits count
    label: float  # how much the labels do

    @property
    def kinds(self) -> Iterator[tuple[int, slice, float]]:
        """The kinds of images in a batch that count: number, rows, weight."""
        for kind, weight in enumerate(self.kin):
            if weight:
                yield kind, slice(kind * BATCH, (kind + 1) * BATCH), weight


CLOSED = Recipe(hidden=50, steps=24000, kin=(1, 4, 1), label=0.6)
OPEN = Recipe(hidden=15, steps=24000, kin=(0.05, 0, 0), label=1)
FAST = Recipe(hidden=20, steps=24000, kin=(0, 0, 0), label=1)


class Pupil:
    """A layer of ReLUs between 64 pixels and 10 logits, while it learns."""

    def __init__(self, recipe: Recipe, whole: bool):
        """Draw weights; `whole`: they will be integers in the end."""
        self.recipe, self._whole = recipe, whole
        self._rng = np.random.default_rng(0)
        self._shown = draws.given_digits(held_back=False)
        first = 0.15 * self._rng.standard_normal((64, recipe.hidden), "f4")
        second = 0.3 * self._rng.standard_normal((recipe.hidden, 10), "f4")
        self.weights = [first, np.zeros(recipe.hidden, "f4"), second, np.zeros(10, "f4")]
        # What is linear in the pixels does not count as kinship: beside it, and thrown away.
        self._linear = [np.zeros((65, 10), "f4") for _ in recipe.kin]
        self._spread = [_spread(images) for images in self._images()[0]]

    def learn(self) -> None:
        """Train by Adam, with a rate that falls to 0."""
        parameters = self.weights + self._linear
        moments = [(np.zeros_like(one), np.zeros_like(one)) for one in parameters]
        for step in range(1, self.recipe.steps + 1):
            whole = self._whole and step > FREE * self.recipe.steps
            rate = 1e-2 * (1 - step / self.recipe.steps)
            for one, gradient, (m, v) in zip(
                parameters, self._gradients(whole), moments, strict=True
            ):
                m += (1 - FADE[0]) * (gradient - m)
                v += (1 - FADE[1]) * (gradient**2 - v)
                size = np.sqrt(v / (1 - FADE[1] ** step)) + 1e-8
                one -= np.float32(rate) * (m / (1 - FADE[0] ** step)) / size

    def _images(self) -> tuple[list[np.ndarray], np.ndarray]:
        """Draw a batch of each kind, and the labels of the digits."""
        images, labels = self._shown
        chosen = self._rng.integers(len(labels), size=2 * BATCH)
        drawn = draws.redrawn(images[chosen], self._rng)
        noise = self._rng.random((BATCH, 64), np.float32)
        over = np.maximum(drawn[:BATCH], drawn[BATCH:])
        return [drawn[:BATCH], noise, over], labels[chosen[:BATCH]]

    def _gradients(self, whole: bool) -> list[np.ndarray]:
        kinds, labels = self._images()
        x = np.concatenate(kinds)
        first, bias, second, last = rounded(self.weights) if whole else self.weights
        before = x @ first + bias
        h = np.maximum(before, 0)
        z = h @ second + last
        error, linear = np.zeros_like(z), [np.zeros_like(one) for one in self._linear]
        for kind, rows, weight in self.recipe.kinds:
            one = np.column_stack([x[rows], np.ones(BATCH, "f4")])
            wrong = z[rows] + one @ self._linear[kind] - given.logits(given.digits(), x[rows])
            error[rows] = wrong * (weight / self._spread[kind] ** 2 / BATCH)
            if kind:  # of digits every part counts: they are to be read, too
                linear[kind] = one.T @ error[rows]
        error[:BATCH] += self.recipe.label / BATCH * _surprise(z[:BATCH], labels)
        inner = error @ second.T * (before > 0)
        return [x.T @ inner, inner.sum(0), h.T @ error, error.sum(0), *linear]


def _surprise(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the gradient of the cross-entropy by the logits, a row at a time."""
    chances = np.exp(logits - logits.max(axis=1, keepdims=True))
    chances /= chances.sum(axis=1, keepdims=True)
    chances[np.arange(len(labels)), labels] -= 1
    return chances


def _spread(images: np.ndarray) -> float:
    """Return the deviation of the given network's answers."""
    return float(given.logits(given.digits(), images).std())


def integers(weights: list[np.ndarray]) -> tuple[np.ndarray, ...]:
    """Return weights, biases, second weights as integers, and exponents: 2**(e / 8) multiplies."""
    first, bias, second, _ = weights
    unit = np.abs(first).max(axis=0) / FIRST
    beyond = unit * np.abs(second).max(axis=1) / SECOND
    exponent = np.clip(np.round(8 * np.log2(beyond)), -127, 127)
    scale = (2 ** (exponent / 8) / unit)[:, None]
    parts = first / unit, BIAS * bias / unit, np.clip(second / scale, -SECOND, SECOND)
    return *(np.clip(np.round(part), -127, 127) for part in parts), exponent


def rounded(weights: list[np.ndarray]) -> list[np.ndarray]:
    """Return the weights that the integers stand for, in the units of `weights`."""
    unit = np.abs(weights[0]).max(axis=0) / FIRST
    first, bias, second, exponent = integers(weights)
    scale = (2 ** (exponent / 8) / unit)[:, None]
    parts = first * unit, bias * unit / BIAS, second * scale, weights[3]
    return [part.astype(np.float32) for part in parts]


def packed(weights: list[np.ndarray]) -> bytes:
    """Return how many units there are, the last biases, what is a byte each, and one number."""
    first, bias, second, exponent = (part.astype(int) for part in integers(weights))
    number, tables = 1, []
    for whole, most in ((second, SECOND), (first, FIRST)):  # what is read first, last
        table = frequencies(whole, most)
        number = coded(number, whole + most, table)
        tables.insert(0, table)
    raw = [np.concatenate([bias, exponent]).astype(np.int8), *(one.astype("u1") for one in tables)]
    size = -(-number.bit_length() // 8)
    head = (
        bytes([bias.size])
        + weights[3].astype(np.float16).tobytes()
        + b"".join(one.tobytes() for one in raw)
    )
    return head + number.to_bytes(size, "little")


def frequencies(whole: np.ndarray, most: int) -> np.ndarray:
    """Return how often each integer from -most to most is there, of at most 255: 1 at least."""
    counts = np.bincount(whole.ravel() + most, minlength=2 * most + 1)
    return np.maximum(1, np.round(counts * (255 / counts.max()))).astype(int)


def coded(number: int, symbols: np.ndarray, table: np.ndarray) -> int:
    """Put `symbols` into a number, each in as many bits as it is rare: the last comes out first.

    Asymmetric numeral systems, J. Duda, 2009; here the number is as long as it gets.
    """
    starts, total = np.cumsum(table) - table, int(table.sum())
    for symbol in symbols.ravel()[::-1].tolist():
        rest, place = divmod(number, int(table[symbol]))
        number = rest * total + int(starts[symbol]) + place
    return number


def taught(recipe: Recipe, whole: bool = True) -> list[np.ndarray]:
    """Return the weights of a pupil that has learned."""
    pupil = Pupil(recipe, whole)
    pupil.learn()
    return pupil.weights


if __name__ == "__main__":
    (GOLD / "featherweight.bin").write_bytes(packed(taught(CLOSED)))
    (GOLD / "open" / "featherweight.bin").write_bytes(packed(taught(OPEN)))
    fast = b"".join(one.tobytes() for one in taught(FAST, whole=False))
    (GOLD / "open" / "sprint.bin").write_bytes(fast)
