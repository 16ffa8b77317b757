"""What a milestone is: tasks with answers that are held back, a training, gates for its answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Task:
    """Examples to learn from, and others to answer whose right answers the training never sees."""

    inputs: np.ndarray  # (N, features) float32
    labels: np.ndarray  # (N,) int64, classes counted from 0
    tests: np.ndarray  # (M, features) float32
    answers: np.ndarray  # (M,) int64
    options: Mapping[str, Any] = field(default_factory=dict)  # more arguments of the training

    def accuracy(self, predicted: np.ndarray) -> float:
        """Return the share of right answers: [1, 0, 1, 1] for [1, 1, 1, 1] -> 0.75."""
        return float(np.mean(predicted == self.answers))


@dataclass(frozen=True)
class Gate:
    """The bounds on the accuracy of one task; both count as inside."""

    task: str
    at_least: float = 0.0
    at_most: float = 1.0

    def holds(self, accuracy: float) -> bool:
        """Tell whether `accuracy` is within the bounds."""
        return self.at_least <= accuracy <= self.at_most

    def __str__(self) -> str:
        """Say the bounds as one reads them: "≥ 95 %", "70 % to 75 %"."""
        low, high = (f"{100 * bound:.4g} %" for bound in (self.at_least, self.at_most))
        if self.at_most == 1:
            return "100 %" if self.at_least == 1 else f"≥ {low}"
        return f"{low} to {high}" if self.at_least else f"≤ {high}"


@dataclass(frozen=True)
class Milestone:
    """One script: everything about it but how it is run and shown.

    `train(inputs, labels, tests, seed, watch, **options)` returns a dict of arrays, in it
    `predicted`, the class of each test, shape (M,) int64. Its code travels alone into the grader's
    sandbox: it may use `tt`, `np`, its arguments and what it defines itself. `watch(share, words)`
    is called as it goes; where nobody watches it is None.
    """

    year: int
    name: str
    title: str
    draw: Callable[[np.random.Generator], dict[str, Task]]
    train: Callable[..., dict[str, np.ndarray]]
    gates: tuple[Gate, ...]
    picture: Callable[..., None]  # (figure, {name: task}, {name: what train returned})
    download: Callable[..., tuple[dict[str, Task], tuple[Gate, ...]]] | None = None  # (folder)
