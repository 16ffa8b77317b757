"""A worker under a clock that it cannot touch: timed while it works, stopped while it does not.

The kernel counts what a process and all its threads use, and tells it to whoever knows the number
of the process. So the worker's own clocks do not matter, nor what it says of itself.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from autograder.competition.refusal import Refused
from autograder.errors import GraderError
from autograder.sandbox import Worker

T = TypeVar("T")
PROCESS_CLOCK = 2  # of the kernel's clocks of a process: the time it was scheduled, in ns
LISTEN_S = 0.02
IDLE_S, IDLE_SHARE = 0.002, 0.05  # that may pass beside the work: waking up, falling asleep
LOOKS, STILL = 2000, (b"T", b"t", b"Z", b"X")  # how often it is asked; states of a process
THREADS = 1.2  # seconds of processor time in a second: one thread, and the clocks' error


@dataclass(frozen=True)
class Span:
    """What a piece of work took."""

    cpu_s: float
    wall_s: float


class Lane:
    """One worker that works only while it is watched."""

    def __init__(self, worker: Worker):
        """Hold `worker`, whose number its parent was told before foreign code was in it."""
        self.worker, self.busy_s, self.wall_s, self.idle_s = worker, 0.0, 0.0, 0.0
        self._clock = (~worker.pid << 3) | PROCESS_CLOCK
        self._stopped, self._left_at = False, 0.0

    def __enter__(self) -> Lane:
        """Return the lane."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the worker."""
        self.worker.close()

    def cpu_s(self) -> float:
        """Return the processor time that the worker has used in its life, all threads together."""
        return time.clock_gettime(self._clock)

    def timed(self, work: Callable[[], T]) -> tuple[T, Span]:
        """Wake the worker, let it do `work`, stop it; return the result and the time taken.

        A worker that fails raises its WorkerError and is no more.
        """
        was_stopped = self._stopped  # else it was being set up, which is not timed
        self._wake()
        began, began_wall = self.cpu_s(), time.perf_counter()
        if was_stopped:
            self.idle_s += began - self._left_at
        result = work()
        self._left_at = self.cpu_s()
        span = Span(self._left_at - began, time.perf_counter() - began_wall)
        self._stop()
        self.busy_s, self.wall_s = self.busy_s + span.cpu_s, self.wall_s + span.wall_s
        return result, span

    def block(self, questions: np.ndarray, answer: np.ndarray) -> tuple[np.ndarray, Span]:
        """Ask `questions` one by one in a stream; return all answers, each like `answer`."""
        answers = np.empty((len(questions), *answer.shape), answer.dtype)

        def ask() -> None:
            for question, place in zip(questions, answers, strict=True):
                self.worker.exchange(question, place)

        _, span = self.timed(ask)
        return answers, span

    def listen(self) -> None:
        """Leave the worker awake with nothing to do; refuse it if its clock goes on.

        What it did beside its timed work, so far, must be little too.
        """
        self._wake()
        time.sleep(LISTEN_S / 4)  # to fall asleep in
        began = self.cpu_s()
        time.sleep(LISTEN_S)
        moved = self.cpu_s() - began
        if moved > IDLE_S / 2:
            was = f"its processor clock moved {moved * 1e3:.1f} ms of {LISTEN_S * 1e3:.0f} ms"
            raise Refused(f"works while it has nothing to do: {was}")
        if self.idle_s > IDLE_S + IDLE_SHARE * self.busy_s:
            was = f"{self.idle_s * 1e3:.1f} ms beside {self.busy_s * 1e3:.1f} ms of its own"
            raise Refused(f"works while the other runs: {was}")
        if self.busy_s > THREADS * self.wall_s:
            threads = self.busy_s / self.wall_s
            raise Refused(f"uses {threads:.1f} threads, expected one")
        self._left_at = self.cpu_s()
        self._stop()

    def _stop(self) -> None:
        """Stop all threads of the worker, and see that they are: nobody can refuse this signal."""
        os.kill(self.worker.pid, signal.SIGSTOP)
        self._stopped = True
        stat = Path(f"/proc/{self.worker.pid}/stat")
        for look in range(LOOKS):
            if stat.read_bytes().rpartition(b")")[2].split()[0] in STILL:
                return
            time.sleep(0 if look < LOOKS // 10 else 0.01)
        raise GraderError("a worker of the competition was told to stop and did not")

    def _wake(self) -> None:
        if self._stopped:
            os.kill(self.worker.pid, signal.SIGCONT)
            self._stopped = False
