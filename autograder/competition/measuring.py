"""Measures how many times faster an entry is than the baseline, as fairly as noise allows.

Fresh workers of both take turns in blocks of equal length, in CPU time on the kernel's clock. Each
question is drawn when its block begins and sent when the last one is answered; each answer is
checked, after the clock has stopped. What is kept is one pair of times for each pair of blocks.

Two workers that do the same differ for their whole life, by where their memory lies and what else
runs on their core. So there are many, on each core in turn, and the interval resamples workers.
"""

from __future__ import annotations

import math
import os
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from assignments.competition.answers import NOT_FINITE
from assignments.competition.pace import SEEDS
from autograder.competition import probes
from autograder.competition.contender import Contender
from autograder.competition.entries import Entry
from autograder.competition.lane import Lane, Span
from autograder.competition.refusal import Refused
from autograder.errors import GraderError
from autograder.milestones import travelling
from autograder.sandbox import Worker, WorkerError
from tinytorch.benchmarking import ratio_of_medians

WAITING = 0.5  # of an answer's time, that an entry may wait for more than the baseline does
WAITING_S = 100e-6
SLOW, SLOW_S = 20, 0.2  # times the baseline's, and seconds beside, of a block
ASLEEP, ASLEEP_S = 5, 2.0  # times a worker's processor time, and seconds, that may pass
LOADING_S = 5.0  # of processor time, to be imported and to load weights: that is not timed


@dataclass(frozen=True)
class Effort:
    """How much is measured; the defaults are the official ones."""

    workers: int = 8  # fresh ones, of each side
    blocks: int = 12  # of each worker
    block_s: float = 0.006  # CPU time
    most_calls: int = 1000  # in a block
    width: float = 0.03  # of the interval, by the ratio; a wider one is noisy
    reruns: int = 2  # of a noisy result
    seeds: int = SEEDS  # of track C
    train_s: float = 60.0  # CPU time of track D
    spread: float = 0.02  # bits by which its two seeds may differ
    pieces: int = 384  # of the hidden text, at once: many, as letters of one are alike
    reveals: int = 16  # letters of each that are predicted


@dataclass(frozen=True)
class Course:
    """What both sides have to do: one kind of question, by which probe, and what is right."""

    name: str
    probe: bytes  # loads, in the worker, the function that answers
    inputs: Callable[[Entry], dict[str, object]]  # of the probe
    draw: Callable[[int], np.ndarray]  # questions (count, ...)
    answer: np.ndarray  # what one answer is like
    check: Callable[[np.ndarray, np.ndarray], None]  # the entry's (questions, answers)
    floor_s: float = 0.0  # of one answer: who is faster has not computed it
    is_secret: bool = False  # may nobody be shown a question?


@dataclass
class Ratio:
    """How many times less the entry took than the baseline."""

    pairs: np.ndarray  # CPU time of an answer: (workers, blocks, 2), baseline and entry
    noisy: bool = False

    @property
    def value(self) -> float:
        """The ratio of the medians."""
        return mean_ratio([self.pairs])

    @cached_property
    def ci95(self) -> tuple[float, float]:
        """The interval of 95 %."""
        return interval([self.pairs])

    @property
    def seconds(self) -> list[float]:
        """The CPU time of one answer: baseline, entry."""
        return np.median(self.pairs, axis=(0, 1)).tolist()

    def is_wide(self, width: float) -> bool:
        """Tell whether the interval is wider than the share `width` of the ratio."""
        low, high = self.ci95
        return high - low > width * self.value


@dataclass
class _Times:
    """Times of one answer in each pair of blocks: baseline, entry."""

    cpu_s: list[tuple[float, float]] = field(default_factory=list)
    wall_s: list[tuple[float, float]] = field(default_factory=list)

    def add(self, base: tuple[int, Span], mine: tuple[int, Span]) -> None:
        self.cpu_s.append(tuple(span.cpu_s / calls for calls, span in (base, mine)))
        self.wall_s.append(tuple(span.wall_s / calls for calls, span in (base, mine)))

    def ratio(self, effort: Effort) -> Ratio:
        pairs = np.array(self.cpu_s).reshape(-1, effort.blocks, 2)
        ratio = Ratio(pairs)
        ratio.noisy = ratio.is_wide(effort.width) or self._waits()
        return ratio

    def _waits(self) -> bool:
        """Tell whether wall and CPU time differ more in the entry than in the baseline."""
        cpu, wall = np.array(self.cpu_s), np.array(self.wall_s)
        base, mine = np.median(wall - cpu, axis=0)
        return mine > base + WAITING_S + WAITING * np.median(cpu[:, 1])


def compare(baseline: Contender, entry: Contender, course: Course, effort: Effort) -> Ratio:
    """Measure until the result is quiet, or `effort` is spent; raises Refused."""
    times = _Times()
    for _ in range(1 + effort.reruns):
        for core in cores(effort.workers):
            with (
                on_one_core(core),
                started(baseline, course, core) as base,
                started(entry, course, core) as mine,
            ):
                try:
                    _take_turns(base, mine, course, effort, times)
                except WorkerError as failure:
                    raise Refused(entry.said(failure, is_secret=course.is_secret)) from None
        ratio = times.ratio(effort)
        if not ratio.noisy:
            break
    return ratio


def mean_ratio(courses: Sequence[np.ndarray]) -> float:
    """Return the geometric mean of the ratios of medians, of pairs (..., 2) of each course."""
    ratios = [ratio_of_medians(pairs.reshape(-1, 2)) for pairs in courses]
    return math.prod(ratios) ** (1 / len(ratios))


def interval(courses: Sequence[np.ndarray], resamples: int = 1000) -> tuple[float, float]:
    """Return the middle 95 % of `mean_ratio` over resamples of pairs (workers, blocks, 2).

    Workers are drawn with replacement, and of each its blocks: blocks of one worker are alike, and
    to draw among all of them would be too sure. The seed is fixed, so all may compute it again.
    """
    rng = np.random.default_rng(0)

    def resampled(pairs: np.ndarray) -> np.ndarray:
        workers, blocks, _ = pairs.shape
        worker = rng.integers(workers, size=(workers, 1))
        return pairs[worker, rng.integers(blocks, size=(workers, blocks))]

    found = [mean_ratio([resampled(pairs) for pairs in courses]) for _ in range(resamples)]
    low, high = np.quantile(found, [0.025, 0.975])
    return float(low), float(high)


def cores(count: int) -> list[int]:
    """Return cores of this process for `count` workers: each in turn, from a random one on."""
    allowed = sorted(os.sched_getaffinity(0))
    first = random.randrange(len(allowed))
    return [allowed[(first + number) % len(allowed)] for number in range(count)]


@contextmanager
def on_one_core(core: int) -> Iterator[None]:
    """Stay on one core: waking a process on another costs more, or less, by chance."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def put(worker: Worker, core: int) -> None:
    """Put a worker on a core, unless it runs as another user: then the kernel says where it is."""
    with suppress(PermissionError):
        os.sched_setaffinity(worker.pid, {core})


def started(side: Contender, course: Course, core: int) -> Lane:
    """Return a fresh worker of `side` that answers the questions of `course`; raises Refused."""
    lane = side.lane()
    put(lane.worker, core)
    try:
        _load(lane, side, course)
    except Refused:
        lane.worker.close()
        raise
    return lane


def _load(lane: Lane, side: Contender, course: Course) -> None:
    was_asked = False
    try:
        side.require_made(lane.worker.run(course.probe, course.inputs(side.entry)))
        question, was_asked = course.draw(1)[0], True
        lane.worker.stream(travelling(probes.loaded), {}, question, course.answer)
    except WorkerError as failure:
        raise Refused(side.said(failure, is_secret=course.is_secret and was_asked)) from None
    if (took := lane.cpu_s()) > LOADING_S:
        raise Refused(f"takes {took:.1f} s to load, expected at most {LOADING_S:g} s; prepare less")


def _take_turns(base: Lane, mine: Lane, course: Course, effort: Effort, times: _Times) -> None:
    sides = [(base, True), (mine, False)]
    each = {base: _warm(base, True, course, effort)}
    each[mine] = _warm(mine, False, course, effort, each[base])
    length_s = max(effort.block_s, *each.values())
    calls = {lane: min(round(length_s / each[lane]), effort.most_calls) for lane, _ in sides}
    for number in range(effort.blocks):
        questions = course.draw(max(calls.values()))
        spans = {}
        for lane, is_ours in sides[:: 1 - 2 * (number % 2)]:
            spans[lane] = _asked(lane, is_ours, course, questions[: calls[lane]])
        _require_speed(spans[mine], calls[mine], each[base])
        times.add((calls[base], spans[base]), (calls[mine], spans[mine]))
    mine.listen()


def _warm(
    lane: Lane, is_ours: bool, course: Course, effort: Effort, base_s: float = math.inf
) -> float:
    """Ask until it is warm; return the CPU time of an answer. The baseline's is `base_s`."""
    calls = 2
    for _ in range(4):
        span = _asked(lane, is_ours, course, course.draw(calls))
        _require_speed(span, calls, base_s)
        each_s = max(span.cpu_s / calls, 1e-6)
        if span.cpu_s < effort.block_s / 2:
            calls = min(math.ceil(effort.block_s / each_s), effort.most_calls)
    if not is_ours:
        lane.listen()
    return each_s


def _require_speed(span: Span, calls: int, base_s: float) -> None:
    """Refuse what is far slower than the baseline, even once: no answer is there to learn in."""
    if span.cpu_s > SLOW * base_s * calls + SLOW_S:
        factor = span.cpu_s / calls / base_s
        raise Refused(f"an answer takes {factor:.0f} times the baseline's; make it faster")


def _asked(lane: Lane, is_ours: bool, course: Course, questions: np.ndarray) -> Span:
    """Time one block and check all its answers."""
    try:
        answers, span = lane.block(questions, course.answer)
    except WorkerError as failure:
        if is_ours:
            raise GraderError(f"the baseline of {course.name}: {failure}") from failure
        raise
    if is_ours:
        return span
    if lane.wall_s > ASLEEP * lane.busy_s + ASLEEP_S:
        took = f"{lane.wall_s:.1f} s for {lane.busy_s:.2g} s of processor time"
        raise Refused(f"waits while it is asked: {took}; compute, and do not sleep")
    _require_finite(answers)
    course.check(questions, answers)
    if span.cpu_s < course.floor_s * len(questions):
        took, least = span.cpu_s / len(questions), course.floor_s
        why = f"an answer in {took * 1e6:.2g} µs, the arithmetic alone takes {least * 1e6:.2g} µs"
        raise Refused(f"impossibly fast: {why}")
    return span


def _require_finite(answers: np.ndarray) -> None:
    if answers.dtype.kind == "f" and not np.isfinite(answers).all():
        raise Refused(NOT_FINITE)
