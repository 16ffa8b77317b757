"""Measures by whole processes and by interleaved rounds; a result is a `Bar` beside its target.

Machines are noisy, so ours and theirs take turns and each round gives one ratio; the median of the
ratios moves far less than either time does.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

TICK_S = 0.005


@dataclass(frozen=True)
class Bar:
    """One promise: a figure beside its target, or a `note` that says why there is no figure."""

    name: str
    target: float
    measured: float | None
    at_least: bool = False  # else at most
    unit: str = "×"
    note: str = ""
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def met(self) -> bool | None:
        """Whether the measured figure keeps the promise; None when nothing was measured."""
        if self.measured is None:
            return None
        return self.measured >= self.target if self.at_least else self.measured <= self.target


@dataclass(frozen=True)
class Run:
    """What one command used: its CPU time, by the kernel's account, with that of its children."""

    wall_s: float
    cpu_s: float


def run(command: Sequence[str], folder: Path, extra: dict[str, str] | None = None) -> Run:
    """Run `command` in `folder` to its end; a failure raises what it printed last."""
    with tempfile.TemporaryFile() as printed:
        began = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=folder, env=os.environ | (extra or {}), stdout=printed, stderr=printed
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            printed.seek(0)
            last = printed.read()[-2000:].decode("utf-8", "replace")
            raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}:\n{last}")
    return Run(wall_s, usage.ru_utime + usage.ru_stime)


def interleave(ours: Callable[[], Any], theirs: Callable[[], Any], rounds: int) -> list[tuple]:
    """Call both in turn, whoever was second going first in the next round."""
    pairs = []
    for number in range(rounds):
        if number % 2:
            other, own = theirs(), ours()
        else:
            own, other = ours(), theirs()
        pairs.append((own, other))
    return pairs


def median_ratio(pairs: list[tuple[float, float]]) -> float:
    """Return the median over the rounds of the first figure by the second."""
    return median(one / other for one, other in pairs)


def tree_peak(command: Sequence[str], folder: Path, extra: dict[str, str] | None = None) -> int:
    """Return the most resident memory that `command` and all its descendants had together.

    Sampled every few milliseconds; pages that processes share are counted in each, so the truth is
    lower. Not by wait4: its ru_maxrss begins with what this process had when it started the other.
    Linux only: it reads /proc.
    """
    environment = os.environ | (extra or {})
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, cwd=folder, env=environment, **quiet)
    peak, stop = 0, threading.Event()

    def sample() -> None:
        nonlocal peak
        while not stop.wait(TICK_S):
            peak = max(peak, _resident(process.pid))

    sampler = threading.Thread(target=sample)
    sampler.start()
    code = process.wait()
    stop.set()
    sampler.join()
    if code:
        raise RuntimeError(f"{' '.join(command)} ended with {code}")
    return peak


def _resident(pid: int) -> int:
    """Return the resident bytes of a process and its descendants; of one that has ended, none."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = [int(one) for task in tasks for one in (task / "children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE") + sum(map(_resident, children))
