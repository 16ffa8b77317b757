"""Measures two models in use: what they weigh, what they answer, and how long that takes.

Nothing that a submission says of itself counts, and no model of its own is what it is held against.

- Bytes: training and compressing leave arrays, which came over a wire that knows nothing else.
  They are added up here, and fresh workers that got these and no more answer the tests. Before
  that, no worker has seen one, and none sees one twice.
- Points: of the same answers. The model as trained must reach its own gate first, so that losing a
  point of nothing is no way.
- Time: of the small model, on the student's framework, by the kernel's clock and from outside, turn
  by turn with the model as it was in its year, on the reference. There is nothing of the student
  in the latter: neither code, which could sleep, nor weights, which could be so small that a
  processor is slow with them. It has the same names and shapes, so the same operations.

A regrade sees the same bytes and points, and another time: gates stand far from what is measured.
What `autograder.milestones` says of knowledge by heart holds here as well: a file of the framework
may hold weights of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from autograder.competition.lane import Lane
from autograder.competition.measuring import cores, on_one_core, put
from autograder.sandbox import Worker
from autograder.trainee import Trainee, travelling
from milestones.deployment import Arrays, Deployment, Service, require_arrays, weigh

WARM = 3  # answers to what is known, before the clock counts


def in_use(
    trainee: Trainee, deployment: Deployment, train: Callable[..., Any], seed: int
) -> Service:
    """Let a submission train and compress; measure what comes of it.

    Raises WorkerError, Refused, and ValueError for what are no models.
    """
    told = {"seed": seed, "watch": None}
    result = trainee.run(travelling(train), {**deployment.arguments(), **told})
    found = result.get("weights") if isinstance(result, dict) else None
    trained = deployment.require_trained(found)
    inputs = {"weights": trained, **deployment.examples(), **told}
    stages = trainee.run(travelling(deployment.compress), inputs)
    if not isinstance(stages, dict) or not stages:
        raise ValueError(f"expected models by their names, got {type(stages).__name__}")
    small = require_arrays(list(stages.values())[-1])
    (core,) = cores(1)
    with on_one_core(core):
        with _students(trainee, deployment, trained, True, core) as lane:
            old, _ = lane.block(deployment.questions, deployment.answer)
        new, seconds = _take_turns(trainee, deployment, small, core)
    predicted = tuple(np.concatenate(answers) for answers in (old, new))
    return Service(predicted, (weigh(trained), weigh(small)), seconds)


def _take_turns(
    trainee: Trainee, deployment: Deployment, small: Arrays, core: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the small model's answers, and the CPU time of each of both, whoever comes first."""
    answers, seconds = [], []
    with (
        _reference(trainee, deployment, core) as base,
        _students(trainee, deployment, small, False, core) as mine,
    ):
        known = deployment.task.inputs[: deployment.batch]
        for lane in (base, mine):
            lane.block(np.stack([known] * WARM), deployment.answer)
        for number, question in enumerate(deployment.questions):
            took = {}
            for lane in (base, mine)[:: 1 - 2 * (number % 2)]:
                took[lane] = lane.block(question[None], deployment.answer)
            answers.append(took[mine][0][0])
            seconds.append([took[lane][1].cpu_s for lane in (base, mine)])
        mine.listen()
    return np.stack(answers), np.array(seconds)


@contextmanager
def _students(
    trainee: Trainee, deployment: Deployment, weights: Arrays, plain: bool, core: int
) -> Iterator[Lane]:
    """Give a lane in which a model answers on the student's framework."""
    worker = trainee.worker()
    try:
        yield _serving(worker, deployment, weights, plain, core)
    finally:
        trainee.workspace.account(worker)


@contextmanager
def _reference(trainee: Trainee, deployment: Deployment, core: int) -> Iterator[Lane]:
    """Give a lane in which the model as it was in its year answers on the reference."""
    with trainee.opponent() as worker:
        yield _serving(worker, deployment, deployment.begin, True, core)


def _serving(
    worker: Worker, deployment: Deployment, weights: Arrays, plain: bool, core: int
) -> Lane:
    """Put a model into a worker, and the worker on a core."""
    put(worker, core)
    probe, inputs = travelling(deployment.serve), {"weights": dict(weights), "plain": plain}
    form = np.zeros_like(deployment.questions[0])  # it is sent, and none is seen beforehand
    worker.stream(probe, inputs, form, deployment.answer)
    return Lane(worker)
