"""How much the results of one entry differ, on a machine whose two cores are busy."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from assignments.competition.tracks import tracks
from autograder.competition.judging import LIMITS
from autograder.competition.measuring import Effort
from autograder.sandbox import Sandbox
from tests.autograder.competition.arena import judged
from tests.bench.measure import Bar
from tests.submissions.competition import entries

BUSY = "while True:\n    sum(range(1000))"
RUNS, BUSY_PROCESSES = 5, 2
EFFORT = Effort(blocks=15, reruns=0)  # less than official: what is shown is that it suffices


def bars() -> list[Bar]:
    """Judge the gold entries of the two tracks by ratio again and again, each with a new seed."""
    with busy(), Sandbox(LIMITS) as box:
        return [_bar(track, box) for track in ("sprint", "decode")]


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


def _bar(track: str, box: Sandbox) -> Bar:
    results = [judged(entries.gold(track), track, box, EFFORT) for _ in range(RUNS)]
    ratios = sorted(result.outcome.value for result in results)
    middle = ratios[len(ratios) // 2]
    apart = 100 * max(ratios[-1] / middle - 1, 1 - ratios[0] / middle)
    noisy = sum(result.outcome.noisy for result in results)
    note = f"{RUNS} runs of gold beside {BUSY_PROCESSES} busy processes, {noisy} of them noisy: "
    note += ", ".join(f"{ratio:.3f}" for ratio in ratios)
    details = {"ratios": ratios, "isolation": box.isolation}
    title = f"{tracks()[track].title}: farthest from the median"
    return Bar(title, 5, apart, unit="%", note=note, details=details)
