"""A model put to use: how often it is right, how many bytes it is, how long an answer takes.

A training leaves its weights as arrays. `compress` makes fewer bytes of them, and `serve` answers
with either. Who measures keeps to what cannot be claimed: bytes of arrays that came, answers that
were given, and a clock of its own.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from milestones.problem import Task

Arrays = Mapping[str, np.ndarray]
TRAINED = "as trained"
FEW = 5  # turns that show in the picture how fast a model on the way is


@dataclass(frozen=True)
class Service:
    """What was seen of two models in use: one as it was trained, and the one in its place."""

    predicted: tuple[np.ndarray, np.ndarray]
    nbytes: tuple[int, int]
    seconds: np.ndarray  # (turns, 2): of an answer each, one after the other


@dataclass(frozen=True)
class Step:
    """A model on its way from the one to the other, for the picture."""

    name: str
    nbytes: int
    seconds: float  # of an answer
    accuracy: float


@dataclass(frozen=True)
class Deployment:
    """A task, and what makes a model for it smaller and faster; a `Service` is its answer.

    `compress(weights, inputs, labels, seed, watch)` returns dicts of arrays by what was done last:
    {"pruned": {…}, "int8": {…}}; the last of them is deployed. `serve(weights, plain)` returns the
    function from a question, `batch` tests, to the answer; `plain` as in the model's year, else as
    fast as it can. The code of both travels alone, as a training's does.
    """

    task: Task
    begin: Arrays  # the model before its training: names and shapes that it must have
    batch: int
    compress: Callable[..., dict[str, dict[str, np.ndarray]]]
    serve: Callable[..., Callable[[np.ndarray], np.ndarray]]
    fast: str  # what `serve` does where it is not plain: "accelerated"

    def arguments(self) -> dict[str, Any]:
        """Return what the training is told: of the tests nothing, it answers a known example."""
        return {**self.task.arguments(), "tests": self.task.inputs[:1]}

    def examples(self) -> dict[str, Any]:
        """Return what compressing is told: what the training was, and no tests at all."""
        return {"inputs": self.task.inputs, "labels": self.task.labels}

    @property
    def questions(self) -> np.ndarray:
        """All tests, once each: (questions, batch, …)."""
        tests = self.task.tests.reshape(-1, self.batch, *self.task.tests.shape[1:])
        return np.ascontiguousarray(tests)  # each goes over a wire as it is

    @property
    def answer(self) -> np.ndarray:
        """An array like one answer."""
        return self.task.answers[: self.batch]

    def require(self, predicted: Any) -> Service:
        """Return a service whose answers have their form; ValueError says what came instead."""
        if not isinstance(predicted, Service):
            raise ValueError(f"expected what was seen in use, got {type(predicted).__name__}")
        for one in predicted.predicted:
            self.task.require(one)
        return predicted

    def require_trained(self, arrays: Any) -> dict[str, np.ndarray]:
        """Return the weights of a training if they are those of the model it was to train."""
        arrays = require_arrays(arrays)
        shapes = {name: (array.dtype, array.shape) for name, array in self.begin.items()}
        if {name: (array.dtype, array.shape) for name, array in arrays.items()} != shapes:
            wrong = [name for name in {**shapes, **arrays} if not _same(name, arrays, self.begin)]
            raise ValueError(
                f"expected the arrays of the model as it began, not so: {wrong[0]!r:.80}"
            )
        return arrays

    def measure(self, name: str, service: Service) -> float:
        """Return what a gate is on, a share: "accuracy" is that of the model as trained."""
        old, new = (self.task.accuracy(one) for one in service.predicted)
        if name == "accuracy":
            return old
        if name == "accuracy lost":
            return max(round(old - new, 9), 0.0)
        if name == "of the bytes":
            return service.nbytes[1] / service.nbytes[0]
        return {"of the time": _share_of_time}[name](service.seconds)


def require_arrays(found: Any) -> dict[str, np.ndarray]:
    """Return a model if it is arrays by their names, and nothing else; ValueError if not."""
    if not isinstance(found, dict) or not found:
        raise ValueError(f"expected a dict of arrays, got {type(found).__name__}")
    for name, array in found.items():
        if not isinstance(name, str) or not isinstance(array, np.ndarray):
            raise ValueError(f"expected arrays alone in a model, got {type(array).__name__}")
    return found


def weigh(arrays: Arrays) -> int:
    """Return the bytes that a model takes: its numbers, the names, and 8 for each size in a shape.

    Names and shapes count because a model could hide there: an array (123, 456, 0) has no number.

    >>> weigh({"scale": np.ones((2, 3), np.int8)})
    27
    """
    return sum(
        array.nbytes + len(name.encode("utf-8", "surrogatepass")) + 8 * array.ndim
        for name, array in arrays.items()
    )


def rehearse(
    deployment: Deployment, train: Callable[..., dict], seed: int, watch: Callable | None
) -> dict[str, Any]:
    """Train, compress and measure here, on the student's framework: practice for the grader's own.

    Return the `Service` as "predicted", and a `Step` for each model on the way as "steps".
    """
    result = train(**deployment.arguments(), seed=seed, watch=_half(watch, 0.0))
    weights = deployment.require_trained(result["weights"])
    told = {**deployment.examples(), "seed": seed, "watch": _half(watch, 0.5)}
    stages = deployment.compress(weights, **told)
    last = list(stages)[-1]
    models = [(TRAINED, weights, True), *((name, one, True) for name, one in stages.items())]
    models.append((deployment.fast, stages[last], False))
    old = deployment.serve(weights, True)
    seen = [
        _tried(deployment, old, deployment.serve(one, plain), FEW if plain else None)
        for _, one, plain in models
    ]
    once = np.median(seen[0][1][:, 0])
    steps = [
        Step(
            name,
            weigh(require_arrays(arrays)),
            once * _share_of_time(seconds),
            deployment.task.accuracy(predicted),
        )
        for (name, arrays, _), (predicted, seconds) in zip(models, seen, strict=True)
    ]
    (first, _), (final, seconds) = seen[0], seen[-1]
    service = Service((first, final), (steps[0].nbytes, steps[-1].nbytes), seconds)
    return {**result, "predicted": service, "steps": steps}


def _half(watch: Callable | None, begun: float) -> Callable | None:
    """Return what watches one half of the work, where so much is done already."""
    if watch is None:
        return None
    return lambda share, words, said="": watch(begun + share / 2, words, said)


def _tried(
    deployment: Deployment, old: Callable, new: Callable, turns: int | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return all answers of the new model, and the times of both in so many turns, else in all."""
    from tinytorch.benchmarking import compare  # the student's module 19

    questions = deployment.questions
    predicted = np.concatenate([new(question) for question in questions])
    rivals = (_asked(one, questions) for one in (old, new))
    blocks = turns or len(questions)
    times = compare(*rivals, blocks=blocks, calls=(1, 1), clock=time.thread_time)
    return predicted, times.pairs


def _asked(answer: Callable, questions: np.ndarray) -> Callable[[], np.ndarray]:
    """Return a call without arguments that answers question after question, round and round."""
    again = itertools.cycle(questions)
    return lambda: answer(next(again))


def _share_of_time(seconds: np.ndarray) -> float:
    """Return how much of the first model's time the second takes, by the medians."""
    old, new = np.median(seconds, axis=0)
    return float(new / old)


def _same(name: str, arrays: Arrays, others: Arrays) -> bool:
    """Tell whether both have an array of this name, of one dtype and shape."""
    both = [one[name] for one in (arrays, others) if name in one]
    return len(both) == 2 and both[0].dtype == both[1].dtype and both[0].shape == both[1].shape
