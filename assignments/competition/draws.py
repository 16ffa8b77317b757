"""Draws the competition's examples: digits as nobody has seen them, turned, shifted and noisy.

The 1797 digits are public and so is this code. What is secret is the seed: with another one every
image is another, so that an answer which is known by heart fits none. Who is to learn gets signs
that were never written before.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from milestones import datasets

SIDE = 8
HELD_BACK = 5  # every fifth digit: the given weights were not trained on it
TURN, GROW, SHIFT, NOISE = np.deg2rad(5), 0.05, 0.3, 0.04  # most of each; NOISE is a deviation

WAYS = 6  # to write each sign of a lesson
BETWEEN, DOTS, PEN = (0.8, 6.2), 8, 0.55  # where its corners are; dots of a line; their size


def given_digits(held_back: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return images (N, 64) from 0 to 1 and labels (N,): the fifth held back, or the others."""
    images, labels = datasets.digits()
    chosen = (np.arange(len(labels)) % HELD_BACK == 0) == held_back
    return images[chosen], labels[chosen]


def redrawn(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return each of `images` (N, 64) turned, grown, shifted a little, and with noise."""
    moved = _between(images.reshape(-1, SIDE, SIDE), *_places(len(images), rng))
    noisy = moved + rng.normal(0, NOISE, moved.shape)
    return np.clip(noisy, 0, 1).astype(np.float32)


def _places(count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return where to read each pixel of `count` images, row and column: (count, 64) each."""
    turn, grow = (rng.uniform(-most, most, count) for most in (TURN, GROW))
    grow += 1
    cos, sin = np.cos(turn) * grow, np.sin(turn) * grow
    center = (SIDE - 1) / 2
    rows, columns = np.divmod(np.arange(SIDE * SIDE), SIDE) - np.float64(center)
    shift = center + rng.uniform(-SHIFT, SHIFT, (2, count, 1))
    y = cos[:, None] * rows - sin[:, None] * columns + shift[0]
    x = sin[:, None] * rows + cos[:, None] * columns + shift[1]
    return y, x


def _between(images: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Read `images` (N, 8, 8) at the points (N, P), linearly between pixels, 0 outside."""
    padded = np.pad(images, ((0, 0), (2, 2), (2, 2)))
    y, x = np.clip(y + 2, 0, SIDE + 2), np.clip(x + 2, 0, SIDE + 2)
    top, left = y.astype(int), x.astype(int)
    down, right = y - top, x - left
    width = SIDE + 4
    place = np.arange(len(images))[:, None] * width**2 + top * width + left
    pixels = padded.reshape(-1)
    upper = pixels[place] * (1 - right) + pixels[place + 1] * right
    lower = pixels[place + width] * (1 - right) + pixels[place + width + 1] * right
    return upper * (1 - down) + lower * down


def hidden_digits(count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return `count` images (N, 64) and labels (N,), redrawn from the digits held back."""
    images, labels = given_digits(held_back=True)
    chosen = rng.integers(len(labels), size=count)
    return redrawn(images[chosen], rng), labels[chosen]


class Stream:
    """Draws many hidden digits, fast: each draw moves digits in some ways that were never used.

    A digit moved the same way comes once, or who has seen it would know the answer the next time.
    """

    MOST = 256  # digits that are moved in one way

    def __init__(self, rng: np.random.Generator):
        """Draw from the secret `rng`."""
        self._rng = rng
        self._images, self._labels = given_digits(held_back=True)

    def draw(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Return `count` images (N, 64) and labels (N,), none of them seen before."""
        ways = -(-count // self.MOST)
        order = np.argsort(self._rng.random((ways, len(self._labels))), axis=1)
        chosen = order[:, : -(-count // ways)]
        images = (self._images[chosen] @ self._moving(ways)).reshape(-1, SIDE * SIDE)
        images += NOISE * self._rng.standard_normal(images.shape, np.float32)
        np.clip(images, 0, 1, out=images)
        kept = self._rng.permutation(len(images))[:count]
        return images[kept], self._labels[chosen].reshape(-1)[kept]

    def _moving(self, ways: int) -> np.ndarray:
        """Return what moves an image when multiplied with, in each way: (ways, 64, 64)."""
        y, x = (np.repeat(one, SIDE**2, axis=0) for one in _places(ways, self._rng))
        single = np.tile(np.eye(SIDE**2).reshape(-1, SIDE, SIDE), (ways, 1, 1))
        return _between(single, y, x).reshape(ways, SIDE**2, SIDE**2).astype(np.float32)


@dataclass(frozen=True)
class Lesson:
    """Examples to learn from, and two sets that the learner never sees."""

    images: np.ndarray  # (N, 64) float32
    labels: np.ndarray  # (N,) int64
    validation: tuple[np.ndarray, np.ndarray]
    hidden: tuple[np.ndarray, np.ndarray]


def signs(count: int, rng: np.random.Generator) -> np.ndarray:
    """Return images (N, 64) of signs of no alphabet: a stroke through four random points."""
    corners = rng.uniform(*BETWEEN, (count, 4, 1, 2))
    along = np.linspace(0, 1, DOTS)[:, None]
    dots = (corners[:, :-1] + (corners[:, 1:] - corners[:, :-1]) * along).reshape(count, -1, 2)
    pixels = np.stack(np.divmod(np.arange(SIDE * SIDE), SIDE), axis=1)  # (64, 2)
    apart = ((dots[:, :, None] - pixels) ** 2).sum(axis=-1)  # (N, dots, 64)
    return np.exp(-apart.min(axis=1) / (2 * PEN**2))


def lesson(rng: np.random.Generator, examples: int = 1438, tests: int = 4000) -> Lesson:
    """Draw what one training is given: ten classes of signs that are made up for it.

    Digits would not do, in whatever disguise: who knows how light each pixel mostly is finds out
    which is which in a millisecond, and needs not learn. Weights from before fit no new signs; and
    as pixels come in an order of the lesson's own, what sees strokes in general fits none either.
    """
    written = signs(10 * WAYS, rng)
    labels, order = np.repeat(np.arange(10), WAYS), rng.permutation(SIDE * SIDE)

    def drawn(count: int) -> tuple[np.ndarray, np.ndarray]:
        chosen = rng.integers(len(labels), size=count)
        return redrawn(written[chosen], rng)[:, order], labels[chosen]

    return Lesson(*drawn(examples), drawn(tests), drawn(tests))
