"""What a milestone is: tasks with answers that are held back, a training, gates for its answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Task:
    """Examples to learn from, and others to answer whose right answers the training never sees.

    What a training predicts is one class for each test; `measure` says how good that is.
    """

    inputs: np.ndarray  # (N, features) float32
    labels: np.ndarray  # (N,) int64, classes counted from 0
    tests: np.ndarray  # (M, features) float32
    answers: np.ndarray  # (M,) int64
    options: Mapping[str, Any] = field(default_factory=dict)  # more arguments of the training

    def arguments(self) -> dict[str, Any]:
        """Return what the training is told: everything but the answers."""
        return {"inputs": self.inputs, "labels": self.labels, "tests": self.tests, **self.options}

    def require(self, predicted: Any) -> np.ndarray:
        """Return `predicted` if it has the answers' form; ValueError says what came instead."""
        return _require(predicted, np.dtype(np.int64), self.answers.shape)

    def measure(self, name: str, predicted: np.ndarray) -> float:
        """Return what a gate is on: here the only measure is "accuracy"."""
        return {"accuracy": self.accuracy}[name](predicted)

    def accuracy(self, predicted: np.ndarray) -> float:
        """Return the share of right answers: [1, 0, 1, 1] for [1, 1, 1, 1] -> 0.75."""
        return float(np.mean(predicted == self.answers))


@dataclass(frozen=True)
class Images(Task):
    """Examples whose features are pixels in rows and columns: (N, C, H, W), and (M, C, H, W)."""


@dataclass(frozen=True)
class Sequences(Task):
    """A sequence for a sequence: inputs and labels (N, T) int64, tests and answers (M, T)."""

    def accuracy(self, predicted: np.ndarray) -> float:
        """Return the share of sequences that are right from their first element to their last."""
        return float(np.mean(np.all(predicted == self.answers, axis=1)))


@dataclass(frozen=True)
class Writing(Task):
    """A text to learn from, and the beginnings of others, whose next character is asked for.

    inputs (N,) int64, the text as places in `options["alphabet"]`, a string; labels (0,);
    tests (M, T), what stands before each answer; answers (M,). What a training predicts is a score
    for each character, (M, characters) float32: the log of its odds, up to a constant.
    """

    def require(self, predicted: Any) -> np.ndarray:
        """Return `predicted` if it has a finite score for each character of each test."""
        shape = (len(self.answers), len(self.options["alphabet"]))
        scores = _require(predicted, np.dtype(np.float32), shape)
        if not np.isfinite(scores).all():
            raise ValueError("expected finite scores, got nan or infinity among them")
        return scores

    def measure(self, name: str, predicted: np.ndarray) -> float:
        """Return "loss", or "of a bigram's loss": its share of what pairs of characters tell."""
        measures = {"loss": 1.0, "of a bigram's loss": self.bigram_loss()}
        return self.loss(predicted) / measures[name]

    def loss(self, predicted: np.ndarray) -> float:
        """Return the mean of -log p of the right characters, in nats, p the softmax of a row."""
        scores = predicted.astype(np.float64)
        scores -= scores.max(axis=1, keepdims=True)
        log_p = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
        return float(-log_p[np.arange(len(log_p)), self.answers].mean())

    def bigram_loss(self) -> float:
        """Return the loss of guessing from the last character alone, by counts plus one."""
        counts = np.ones((len(self.options["alphabet"]),) * 2)
        np.add.at(counts, (self.inputs[:-1], self.inputs[1:]), 1)
        return self.loss(np.log(counts)[self.tests[:, -1]])


def _require(predicted: Any, dtype: np.dtype, shape: tuple[int, ...]) -> np.ndarray:
    """Return an array of this dtype and shape, and nothing else."""
    if not isinstance(predicted, np.ndarray):
        raise ValueError(f"expected an array `predicted`, got {type(predicted).__name__}")
    if predicted.dtype != dtype or predicted.shape != shape:
        came = f"{predicted.dtype}, shape {predicted.shape}"
        raise ValueError(f"expected predictions of {dtype}, shape {shape}, got {came}")
    return predicted


@dataclass(frozen=True)
class Gate:
    """The bounds on a measure of one task; both count as inside."""

    task: str
    at_least: float = 0.0
    at_most: float = 1.0
    measure: str = "accuracy"

    def holds(self, value: float) -> bool:
        """Tell whether `value` is within the bounds."""
        return self.at_least <= value <= self.at_most

    def shown(self, value: float) -> str:
        """Say a value of the measure: a loss in nats, anything else as a share.

        With more digits where it would read as on the other side of a bound, 94.996 % of 95.
        """
        scale, digits = (1, 3) if self.measure == "loss" else (100, 2)
        while digits < 9 and self.holds(round(scale * value, digits) / scale) != self.holds(value):
            digits += 1
        return f"{value:.{digits}f} nats" if self.measure == "loss" else f"{value:.{digits}%}"

    def __str__(self) -> str:
        """Say the bounds as one reads them: "≥ 95 %", "70 % to 75 %", "≤ 1.9 nats"."""
        if self.measure == "loss":
            return f"≤ {self.at_most:.4g} nats"
        low, high = (f"{100 * bound:.4g} %" for bound in (self.at_least, self.at_most))
        if self.at_most == 1:
            return "100 %" if self.at_least == 1 else f"≥ {low}"
        return f"{low} to {high}" if self.at_least else f"≤ {high}"


@dataclass(frozen=True)
class Milestone:
    """One script: everything about it but how it is run and shown.

    `train(inputs, labels, tests, seed, watch, **options)` returns a dict of arrays, in it
    `predicted`, which its task's `require` describes. Its code travels alone into the grader's
    sandbox: it may use `tt`, `np`, its arguments and what it defines itself. `watch(share, words)`
    is called as it goes, with `said=` for lines that stay; where nobody watches it is None.
    """

    year: int
    name: str
    title: str
    draw: Callable[[np.random.Generator], dict[str, Task]]
    train: Callable[..., dict[str, np.ndarray]]
    gates: tuple[Gate, ...]
    picture: Callable[..., None]  # (figure, {name: task}, {name: what train returned})
    download: Callable[..., tuple[dict[str, Task], tuple[Gate, ...]]] | None = None  # (folder)
    trainings: Mapping[str, Callable[..., dict[str, np.ndarray]]] = field(default_factory=dict)

    def training(self, task: str) -> Callable[..., dict[str, np.ndarray]]:
        """Return what trains on the task of this name: one of `trainings`, or else `train`."""
        return self.trainings.get(task, self.train)
