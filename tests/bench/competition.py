"""How much the results of one entry differ, on a machine whose two cores are busy.

Each gold entry is judged again and again, each time on other secret draws, in a process of its own:
the judge shares a core with what it measures, so BLAS may have one thread in it, which only who
has not loaded NumPy yet can say.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing import get_context
from statistics import median

from assignments.competition.tracks import tracks
from autograder.competition.judging import LIMITS, Result
from autograder.competition.measuring import Effort
from autograder.errors import GraderError
from autograder.sandbox import Sandbox
from tests.autograder.competition.arena import judged
from tests.bench.measure import Bar
from tests.submissions.competition import entries

BUSY = """
import os
parent = os.getppid()
while os.getppid() == parent:  # also when the benchmark is killed
    sum(range(1000))
"""
BUSY_PROCESSES, TARGET = 2, 5  # percent
RUNS = {"featherweight": 5, "sprint": 5, "target": 5, "language": 3, "decode": 4}
QUICK = Effort(reruns=0, train_s=2, spread=0.2, pieces=192, reveals=8)  # or it would take an hour
EFFORT = {
    "sprint": replace(QUICK, workers=6, blocks=10),
    "decode": replace(QUICK, workers=6, blocks=5),
}
LESS = "less than the official effort"
SHORT = {"language": f"{QUICK.train_s:g} s of training", "sprint": LESS, "decode": LESS}


def bars() -> list[Bar]:
    """Judge the gold entry of every track by turns, each time with a new seed."""
    with _single_thread(), ProcessPoolExecutor(1, get_context("spawn")) as pool, busy():
        return [pool.submit(_bar, track).result() for track in RUNS]


@contextmanager
def busy() -> Iterator[None]:
    """Keep two processes running that do nothing but that."""
    spinning = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(BUSY_PROCESSES)]
    try:
        yield
    finally:
        for process in spinning:
            process.kill()
            process.wait()


@contextmanager
def _single_thread() -> Iterator[None]:
    """Let processes that are started meanwhile have one thread of BLAS."""
    before = os.environ.get("OPENBLAS_NUM_THREADS")
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    try:
        yield
    finally:
        del os.environ["OPENBLAS_NUM_THREADS"]
        os.environ |= {} if before is None else {"OPENBLAS_NUM_THREADS": before}


def _bar(track: str) -> Bar:
    began = time.perf_counter()
    with Sandbox(LIMITS) as box:
        results = [_judged(track, box) for _ in range(RUNS[track])]
        isolation = box.isolation
    values = [result.outcome.value for result in results]
    note = f"{len(values)} runs of gold beside {BUSY_PROCESSES} busy processes"
    note += f", {SHORT[track]}" if track in SHORT else ""
    note += f", {time.perf_counter() - began:.0f} s: " + ", ".join(f"{v:.4g}" for v in values)
    covered = sum(_covers(result, median(values)) for result in results if result.outcome.ci95)
    details = {"values": values, "isolation": isolation, "intervals_with_median": covered}
    if any(result.outcome.ci95 for result in results):
        note += f"; {covered} intervals hold the median"
    title = f"{tracks()[track].title}: farthest from the median"
    return Bar(title, TARGET, spread(values), unit="%", note=note, details=details)


def spread(values: Sequence[float]) -> float:
    """Return by how many percent the value farthest from the median differs from it.

    >>> spread([2.0, 1.9, 2.0, 2.1, 2.06])
    5.0
    """
    middle = median(values)
    return round(100 * max(abs(value / middle - 1) for value in values), 6)


def _judged(track: str, box: Sandbox) -> Result:
    result = judged(entries.gold(track), track, box, EFFORT.get(track, QUICK))
    if result.outcome is None:
        raise GraderError(f"gold of {track} was refused: {result.reason}")
    return result


def _covers(result: Result, value: float) -> bool:
    low, high = result.outcome.ci95
    return low <= value <= high
