"""Track D: how well a text is predicted by what learned another one for a minute.

The grader lets the training go on, pause by pause, until its CPU time is up. Then it shows the
beginning of many pieces of a hidden text, and each next letter only when it has been predicted: no
letter that counts was ever in the worker. What it used to be imported counts as training, and what
it may use to predict is bounded: in either it could go on learning.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from assignments.competition import language
from assignments.competition.answers import distribution_fault
from assignments.competition.weight import cost
from autograder.competition import probes, texts
from autograder.competition.arena import Arena, Gate, Outcome
from autograder.competition.contender import Contender
from autograder.competition.lane import Lane
from autograder.competition.measuring import ASLEEP, ASLEEP_S, Effort
from autograder.competition.refusal import Refused
from autograder.milestones import travelling
from autograder.sandbox import StudentError, WorkerError
from tinytorch.benchmarking import bootstrap_interval

SEEDS = 2
OVER = 1.02  # of the time, when the last step ends
OVER_S = 0.5
PREDICTING, PREDICTING_S = 3, 1.0  # times what the baseline takes to predict, and so much more
COSTED_S = 1.0  # of training, before the baseline shows how long it takes to predict
FRAMEWORK_BYTES = 256 << 10  # of literals and packed code; the reference has 107 KiB
DIGITS = 4  # of a result behind the point: in more, an entry could tell hidden letters


@dataclass(frozen=True)
class Reading:
    """The bits of each letter that was predicted, (pieces, letters)."""

    bits: np.ndarray
    predicting_s: float

    @property
    def mean(self) -> float:
        """Bits per byte: each letter is one byte."""
        return float(self.bits.mean())


def judge(arena: Arena) -> Outcome:
    """Let the entry learn from two seeds, and the baseline from one; raises Refused."""
    effort = arena.effort
    arena = replace(arena, framework=_weighed(arena))
    given, hidden = texts.disguised(arena.rng)
    pieces = _pieces(hidden, effort, arena.rng)
    entry = arena.contender(0)
    short = min(COSTED_S, effort.train_s)
    cost_s = _read(arena.opponent(1), given, pieces, 0, short).predicting_s
    most = PREDICTING * cost_s + PREDICTING_S
    mine = [_read(entry, given, pieces, seed, effort.train_s, most) for seed in range(SEEDS)]
    apart = abs(mine[0].mean - mine[1].mean)
    if apart > effort.spread:
        raise Refused(f"two seeds are {apart:.3f} bits apart, expected at most {effort.spread:g}")
    base = _read(arena.opponent(1), given, pieces, 0, effort.train_s)
    bits = np.mean([one.bits.mean(axis=1) for one in mine], axis=0)
    low, high = bootstrap_interval(bits, np.mean)
    return Outcome(
        value=round(float(bits.mean()), DIGITS),
        ci95=(round(low, DIGITS), round(high, DIGITS)),
        baseline=base.mean,
        gates=(Gate("normalized", 1.0, arena.entry.gates["normalized"]),),
    )


def _weighed(arena: Arena) -> dict[str, bytes]:
    """Return the framework as it was weighed, without docstrings, for an entry could read there.

    Refuses one that holds much more than a framework.
    """
    total, weighed = 0, {}
    with arena.box.branch({}).worker() as worker:
        for name, source in arena.framework.items():
            try:
                found = worker.run(travelling(cost), {"source": np.frombuffer(source, np.uint8)})
                total += found["literals"] + found["code"]
                weighed[name] = found["source"].tobytes()
            except StudentError:  # no Python; or what Python cannot write again
                total += len(source)
                weighed[name] = source
            except WorkerError as failure:
                raise Refused(f"tinytorch/ cannot be parsed: {failure}") from None
    if total > FRAMEWORK_BYTES:
        came, most = total >> 10, FRAMEWORK_BYTES >> 10
        line = (
            f"tinytorch/ holds {came} KiB of packed code and literals, expected at most {most} KiB"
        )
        raise Refused(f"{line}: a text to learn from is no part of a framework")
    return weighed


def _pieces(text: np.ndarray, effort: Effort, rng: np.random.Generator) -> np.ndarray:
    """Return pieces that do not overlap, (pieces, CONTEXT + letters to predict)."""
    length = language.CONTEXT + effort.reveals
    count = min(effort.pieces, len(text) // length)
    chosen = rng.choice(len(text) // length, count, replace=False)
    return text[chosen[:, None] * length + np.arange(length)]


def _read(
    side: Contender,
    given: np.ndarray,
    pieces: np.ndarray,
    seed: int,
    seconds: float,
    most: float = math.inf,
) -> Reading:
    """Let a fresh worker of `side` learn for so many seconds, and predict in at most so many."""
    with side.lane() as lane:
        try:
            _train(side, lane, given, seed, seconds)
            trained = lane.cpu_s()
        except WorkerError as failure:
            raise Refused(side.said(failure)) from None
        try:
            bits = _predict(lane, pieces, most)
            predicting = lane.cpu_s() - trained
            lane.listen()
        except WorkerError as failure:  # what the code says now could be the hidden text
            raise Refused(str(failure)) from None
    return Reading(bits, predicting)


def _train(side: Contender, lane: Lane, text: np.ndarray, seed: int, seconds: float) -> None:
    inputs = {"letters": len(language.LETTERS), "context": language.CONTEXT, "seed": seed}
    begin, go_on = travelling(probes.language_begin), travelling(probes.language_next)
    side.require_made(lane.timed(lambda: lane.worker.run(begin, {"text": text, **inputs}))[0])
    paused = False
    while lane.cpu_s() < seconds:
        if lane.wall_s > ASLEEP * lane.cpu_s() + ASLEEP_S:
            took = f"{lane.wall_s:.0f} s for {lane.cpu_s():.2g} s of processor time"
            raise Refused(f"waits while it should learn: {took}; compute, and do not sleep")
        if lane.timed(lambda: lane.worker.run(go_on, {}))[0] is not True:
            break
        paused = True
    took = lane.cpu_s()
    if took > seconds * OVER + OVER_S:
        raise Refused(f"trained for {took:.1f} s, expected {seconds:g} s; yield more often")
    if not paused:
        raise Refused("the training ended without a function that predicts; yield one")


def _predict(lane: Lane, pieces: np.ndarray, most: float) -> np.ndarray:
    """Return the bits of every letter behind the first CONTEXT ones of each piece."""
    probe, bits = travelling(probes.language_predict), []
    began = lane.cpu_s()
    for place in range(language.CONTEXT, pieces.shape[1]):
        seen = np.ascontiguousarray(pieces[:, place - language.CONTEXT : place])
        answer, _ = lane.timed(lambda seen=seen: lane.worker.run(probe, {"ids": seen}))
        if fault := distribution_fault(answer, len(pieces)):
            raise Refused(fault)
        chances = language.normalized(answer)
        bits.append(-chances[np.arange(len(pieces)), pieces[:, place]] / np.log(2))
        if lane.cpu_s() - began > most:
            limit = f"{most:.1f} s, {PREDICTING} times what the baseline takes"
            raise Refused(f"predicts for longer than {limit}; predict faster")
    return np.stack(bits, axis=1)
