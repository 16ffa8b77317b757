"""Ours beside PyTorch's: each in a process of its own, taking turns; and how much memory it took.

A peer is named like `tests.bench.mlp:ours`: a function that gets sizes and returns one step of
work, a function without arguments. Processes of their own, as a BLAS reads its number of threads
when it is loaded, and as neither shall profit from memory that the other has mapped.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any

from tests.bench.measure import Bar, interleave, median_ratio

ROOT = Path(__file__).resolve().parents[2]
LIBRARIES = ("OPENBLAS", "MKL", "OMP", "BLIS")
MISSING = 'not measured: .venv/bin/pip install "torch==2.13.0" and run again'
WARM = 2  # rounds that do not count


class Peer:
    """A process that makes a step and runs it when told, with so many threads."""

    def __init__(self, factory: str, threads: int = 1):
        """Start it; it makes nothing yet."""
        command = [sys.executable, "-m", "tests.bench.peers", factory]
        # Without settings that pin NumPy's BLAS to the kernels of another processor.
        own = {k: value for k, value in os.environ.items() if not k.startswith("OPENBLAS_")}
        own |= {f"{library}_NUM_THREADS": str(threads) for library in LIBRARIES}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.factory = factory
        self.process = subprocess.Popen(command, cwd=ROOT, env=own, **pipes)

    def __enter__(self) -> Peer:
        """Nothing is left to do."""
        return self

    def __exit__(self, *error) -> None:
        """Let the process end."""
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()

    def ask(self, verb: str, *arguments: Any) -> Any:
        """Return what the process answers to `make(*sizes)`, `run(steps)` or `grow(tiny, sizes)`.

        RuntimeError when it ends instead.
        """
        try:
            print(json.dumps([verb, *arguments]), file=self.process.stdin, flush=True)
        except BrokenPipeError:
            pass  # it has ended, as the next line says
        if not (line := self.process.stdout.readline()):
            raise RuntimeError(f"{self.factory} ended with {self.process.wait()} at {verb}")
        return json.loads(line)


def times(
    ours: str, theirs: str, sizes: tuple, steps: int, rounds: int, threads: int = 1
) -> list[tuple[float, float]]:
    """Return the seconds that `steps` steps took, ours and theirs in turn.

    CPU time of the whole process with one thread; with several, where waiting counts, wall time.
    """
    clock = "cpu" if threads == 1 else "wall"
    with Peer(ours, threads) as one, Peer(theirs, threads) as other:
        for peer in (one, other):
            peer.ask("make", *sizes)
        blocks = [lambda p=p: p.ask("run", steps)[clock] for p in (one, other)]
        interleave(*blocks, WARM)
        return interleave(*blocks, rounds)


def growth(factory: str, tiny: tuple, sizes: tuple) -> dict[str, int]:
    """Return by how many bytes a process grew at most when it made a step and ran it.

    A tiny one was made and run before, so that code which is loaded when it is first used does not
    count. Linux only: it reads /proc.
    """
    with Peer(factory) as peer:
        return peer.ask("grow", tiny, sizes)


def time_bar(
    name: str,
    target: float,
    peers: tuple[str, str],
    sizes: tuple = (),
    steps: int = 10,
    rounds: int = 21,
    note: str = "",
    two_threads: bool = False,
) -> Bar:
    """Return the ratio of our CPU time to theirs; that of wall times on two threads beside it."""
    if importlib.util.find_spec("torch") is None:
        return Bar(name, target, None, note=MISSING)
    pairs = times(*peers, sizes, steps, rounds)
    details = {"rounds": rounds, "steps": steps}
    details["microseconds"] = [median(side) * 1e6 / steps for side in zip(*pairs, strict=True)]
    details["ratios"] = sorted(round(one / other, 3) for one, other in pairs)
    if two_threads:
        pair = median_ratio(times(*peers, sizes, steps, max(rounds // 3, 3), threads=2))
        details["two_threads"] = pair
        note += f"; with two threads each, wall time, for information: {pair:.2f}"
    settings = "settings OPENBLAS_* of the environment are left out, they can hold the BLAS back"
    note = f"{note}, one thread, CPU time / PyTorch's; {settings}"
    return Bar(name, target, median_ratio(pairs), note=note, details=details)


def memory_bar(
    name: str,
    target: float,
    peers: tuple[str, str],
    tiny: tuple,
    sizes: tuple = (),
    what: str = "growth",
) -> Bar:
    """Return the ratio of the memory that ours took at its worst moment to theirs.

    Its `growth` over what a tiny model takes, or the `peak` of the process, framework and all.
    """
    if importlib.util.find_spec("torch") is None:
        return Bar(name, target, None, note=MISSING)
    ours, theirs = (growth(peer, tiny, sizes) for peer in peers)
    ratios = {kind: ours[kind] / theirs[kind] for kind in ("growth", "peak")}
    grown = "growth of resident memory, after a tiny model was trained, while this one is made and"
    notes = {
        "growth": f"{grown} trained / PyTorch's",
        "peak": "most resident memory of the process, with the framework in it / PyTorch's; the "
        f"{grown} trained alone: {ratios['growth']:.2f}",
    }
    details = {"ours": ours, "theirs": theirs}
    return Bar(name, target, ratios[what], note=notes[what], details=details)


def _run(step: Callable[[], Any], steps: int) -> dict[str, float]:
    """How long some steps take."""
    cpu, wall = time.process_time(), time.perf_counter()
    for _ in range(steps):
        step()
    return {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}


def _grow(make: Callable, tiny: tuple, sizes: tuple, steps: int = 10) -> dict[str, int]:
    """By how much this process grows at most."""
    _run(make(*tiny), steps)
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = _status("VmRSS")
    _run(make(*sizes), steps)
    peak = _status("VmHWM")
    return {"growth": peak - before, "peak": peak}


def _status(field: str) -> int:
    """A figure of this process by the kernel's account, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:"))


def serve(factory: str) -> None:
    """Answer the questions on stdin, a line of JSON each, until it is closed."""
    module, name = factory.split(":")
    make, step = getattr(import_module(module), name), None
    for line in sys.stdin:
        verb, *arguments = json.loads(line)
        answer = None
        if verb == "make":
            step = make(*arguments)
        else:
            answer = _run(step, *arguments) if verb == "run" else _grow(make, *arguments)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    serve(sys.argv[1])
