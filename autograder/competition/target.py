"""Track C: the CPU time of a training until it reads signs that only the grader holds.

The entry gives its weights whenever it wants them to be judged; the clock stands still while they
are, here, on arithmetic of our own. It learns nothing of the verdict but that it must go on. How
times are counted, so that another machine counts the same, says `assignments.competition.pace`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from assignments.competition import draws, given
from assignments.competition.answers import state_fault
from assignments.competition.pace import DROPPED, JUDGED, LONGEST_S, TARGET, middle, pace
from assignments.competition.tracks import percent
from autograder.competition import probes
from autograder.competition.arena import Arena, Gate, Outcome, Part
from autograder.competition.contender import Contender
from autograder.competition.measuring import cores, on_one_core, put
from autograder.competition.refusal import Refused
from autograder.errors import GraderError
from autograder.milestones import travelling
from autograder.sandbox import WorkerError
from tinytorch.benchmarking import bootstrap_interval

WALL = 3.0  # times the CPU time: beyond, the machine was too busy
FLOOR_S = 2e-3  # one look at the examples takes longer


@dataclass(frozen=True)
class Training:
    """What became of one seed."""

    seconds: float  # CPU time; infinite where the target was not reached
    wall_s: float
    accuracy: float  # of the hidden signs
    judged: int = 0  # how often it asked; the baseline does after each epoch
    why: str = ""

    @property
    def failed(self) -> bool:
        """Tell whether the target was missed."""
        return not np.isfinite(self.seconds)


def judge(arena: Arena) -> Outcome:
    """Train the entry and the baseline on the same draws, in turn; raises Refused."""
    entry, baseline = arena.contender(0), arena.opponent(1)
    least = arena.entry.gates["accuracy"]
    mine, base, lost = [], [], arena.effort.seeds // DROPPED
    for seed, core in enumerate(cores(arena.effort.seeds)):
        lesson = draws.lesson(arena.rng)
        with on_one_core(core):
            mine.append(_train(entry, core, lesson, seed, least))
            base.append(_train(baseline, core, lesson, seed, least))
        failed = [one for one in mine if one.failed]
        if len(failed) > lost:
            raise Refused(f"{len(failed)} of {seed + 1} seeds failed, {lost} may: {failed[-1].why}")
    factor = _pace(base, lost)
    seconds = factor * np.array([one.seconds for one in mine])
    reached = seconds[np.isfinite(seconds)]
    took = [(one.wall_s, one.seconds) for one in mine if not one.failed]
    wall, cpu = np.sum(took, axis=0)
    return Outcome(
        value=middle(seconds),
        ci95=bootstrap_interval(np.minimum(seconds, reached.max()), middle),
        baseline=middle(factor * np.array([one.seconds for one in base])),
        gates=(Gate("accuracy", float(min(o.accuracy for o in mine if not o.failed)), least),),
        noisy=bool(wall > WALL * cpu),
        parts=(Part("missed", len(mine) - len(reached), "seeds", sum(o.failed for o in base)),),
    )


def _pace(base: list[Training], lost: int) -> float:
    """Return by what to multiply the seconds of this run; raises GraderError."""
    failed = [one.why for one in base if one.failed]
    if len(failed) > lost:
        raise GraderError(f"the baseline of target failed {len(failed)} seeds: {failed[-1]}")
    seconds, epochs = zip(*((one.seconds, one.judged) for one in base), strict=True)
    return pace(np.array(seconds), np.array(epochs))


def _train(side: Contender, core: int, lesson: draws.Lesson, seed: int, least: float) -> Training:
    """Let a fresh worker of `side` learn until it reads well enough."""
    with side.lane() as lane:
        put(lane.worker, core)
        try:
            inputs = {"images": lesson.images, "labels": lesson.labels, "seed": seed}
            begin = travelling(probes.target_begin)
            side.require_made(lane.timed(lambda: lane.worker.run(begin, inputs))[0])
            training = _steps(lane, lesson, least)
            lane.listen()
        except WorkerError as failure:
            raise Refused(side.said(failure)) from None
    if training.seconds < FLOOR_S:
        took, floor = training.seconds * 1e3, FLOOR_S * 1e3
        raise Refused(f"impossibly fast: trained in {took:.2g} ms, one look takes {floor:g} ms")
    return training


def _steps(lane, lesson: draws.Lesson, least: float) -> Training:
    why, judged, reached, hidden = "", 0, 0.0, 0.0
    while judged < JUDGED:
        judged += 1
        state, _ = lane.timed(lambda: lane.worker.run(travelling(probes.target_next), {}))
        if state is None:
            why = f"the training ended at {percent(reached, 1)}, expected {TARGET:.0%}"
            break
        reached = _accuracy(state, *lesson.validation)
        if reached >= TARGET:
            hidden = _accuracy(state, *lesson.hidden)
            if hidden < least:
                why = f"{percent(hidden, 1)} of the hidden signs, expected {least:.0%}"
            break
        if max(lane.busy_s, lane.wall_s / WALL) > LONGEST_S:
            why = f"{percent(reached, 1)} after {LONGEST_S:g} s, expected {TARGET:.0%}"
            break
    else:
        why = f"judged {JUDGED} times, {percent(reached, 1)} at last, expected {TARGET:.0%}"
    return Training(np.inf if why else lane.busy_s, lane.wall_s, hidden, judged, why)


def _accuracy(state: object, images: np.ndarray, labels: np.ndarray) -> float:
    if fault := state_fault(state):
        raise Refused(fault)
    return float(np.mean(given.logits(state, images).argmax(axis=1) == labels))
