"""The models that the competition gives: their weights, and what they answer.

digits      64 pixels -> 128 -> 64 -> 10 classes, ReLU between: tracks A, B; the shape of C
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent / "given"
DIGITS = FOLDER / "digits.npz"
WIDTHS = (64, 128, 64, 10)
ENOUGH = 260  # images, four for each number of a linear map of the pixels
ALTERED = 0.4  # deviation of the noise, by that of the array: see `altered`
SHAPES = {  # a state dict as `tt.Sequential(Linear, ReLU, Linear, ReLU, Linear)` has it
    f"{2 * number}.{name}": shape
    for number, (inputs, outputs) in enumerate(zip(WIDTHS, WIDTHS[1:], strict=False))
    for name, shape in (("weight", (outputs, inputs)), ("bias", (outputs,)))
}


@cache
def digits() -> dict[str, np.ndarray]:
    """Return the given float32 weights of the network that reads digits."""
    with np.load(DIGITS, allow_pickle=False) as file:
        return dict(file)


def altered(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return the given weights with noise: another network of the same kind and speed.

    It reads digits a little worse and often enough otherwise (1 of 40 at least), so that nobody can
    bring along what answers as it does without looking at these weights.
    """
    return {
        name: array + np.float32(ALTERED * array.std()) * rng.standard_normal(array.shape, "f4")
        for name, array in digits().items()
    }


def packed() -> bytes:
    """Return the given weights as they are in the baseline of Featherweight, all after another."""
    return b"".join(digits()[name].tobytes() for name in SHAPES)


def logits(weights: Mapping[str, np.ndarray], images: np.ndarray) -> np.ndarray:
    """Return what the network with these weights answers to images (N, 64): (N, 10)."""
    last = 2 * (len(WIDTHS) - 2)
    answer = images
    for number in range(0, last + 2, 2):
        answer = answer @ weights[f"{number}.weight"].T + weights[f"{number}.bias"]
        if number < last:
            answer = np.maximum(answer, 0)
    return answer


def strange(images: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return as many images without a digit: noise, and two of `images` laid over each other."""
    noise = rng.random(images.shape, np.float32)
    return noise, np.maximum(images, images[rng.permutation(len(images))])


def kinship(
    answers: np.ndarray, images: np.ndarray, weights: Mapping[str, np.ndarray] | None = None
) -> float:
    """Return how much logits (N, 10) of images (N, 64) go with the given network's: a correlation.

    With other `weights`, with those of the same network that has these. What was made of the given
    weights keeps their whims, right and wrong digits apart; a model that was trained anew has its
    own. One that tells noise from digits may answer one as the given does and the other as it
    likes, so several kinds of images are asked: each by itself, the lowest counts. What a linear
    map of the pixels does too is taken off first: on noise that is nearly all, and so cheap that
    anyone could put it beside a model of his own.
    """
    linear = np.column_stack([images, np.ones(len(images))])
    scale = np.abs(answers).max() or 1  # squares of tiny ones would be 0, or the least there is
    both = np.stack([answers / np.float64(scale), logits(weights or digits(), images)])
    own, others = (one - linear @ np.linalg.lstsq(linear, one, rcond=None)[0] for one in both)
    if not own.std() > 1e-6 * both[0].std():
        return 0.0
    return float(np.corrcoef(own.ravel(), others.ravel())[0, 1])


def kinship_of_timed(
    kept: Sequence[tuple[np.ndarray, np.ndarray]], weights: Mapping[str, np.ndarray]
) -> float:
    """Return the kinship of pairs of images and logits that were kept while they were timed.

    1 where fewer than ENOUGH images differ: a linear map fits so few, and who answers so seldom in
    all that time gains nothing.
    """
    images, answers = map(np.concatenate, zip(*kept, strict=True))
    images, first = np.unique(images, axis=0, return_index=True)
    return kinship(answers[first], images, weights) if len(images) >= ENOUGH else 1.0
