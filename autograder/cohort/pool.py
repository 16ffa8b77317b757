"""A pool of processes that survives the death of one, an interrupt, and its own parent's end."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    Executor,
    Future,
    ProcessPoolExecutor,
    wait,
)
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

from autograder.errors import GraderError

J, R = TypeVar("J"), TypeVar("R")
TIDY_S = 10.0  # at most, for an orphan to close its sandbox and remove its files
_idle = threading.Event()  # set while this process of a pool runs no job


def run_all(
    unit: Callable[[J], R], jobs: Iterable[J], *, width: int, executor: Executor | None = None
) -> Iterator[tuple[J, Future[R]]]:
    """Yield every job with its finished future, in the order of finishing.

    Uses `executor`, or else `width` processes of this machine. When one of these dies, what was in
    flight runs again, each job in a process of its own: only the one that kills it fails.
    """
    waiting = deque(jobs)
    if executor is not None:
        yield from _feed(executor, unit, waiting, 4 * width)
        _require_progress(len(waiting) == 0)
    while waiting:
        before, suspects = len(waiting), []
        with _pool(width) as pool:
            for job, future in _feed(pool, partial(_obedient, unit), waiting, 2 * width):
                if _is_broken(future):
                    suspects.append(job)
                else:
                    yield job, future
        _require_progress(len(waiting) < before)
        for job in suspects:
            with _pool(1) as pool:
                yield from _feed(pool, partial(_obedient, unit), deque([job]), 1)


def _feed(
    executor: Executor, unit: Callable[[J], R], waiting: deque[J], most: int
) -> Iterator[tuple[J, Future[R]]]:
    """Keep `most` jobs in flight until none is waiting, or the executor is broken."""
    flying: dict[Future[R], J] = {}
    broken = False
    while flying or (waiting and not broken):
        while waiting and len(flying) < most and not broken:
            try:
                flying[executor.submit(unit, waiting[0])] = waiting[0]
                waiting.popleft()
            except (BrokenExecutor, OSError):  # OSError: it broke while it started a process
                broken = True
        for future in wait(flying, return_when=FIRST_COMPLETED).done:
            broken = broken or _is_broken(future)
            yield flying.pop(future), future


def _is_broken(future: Future) -> bool:
    return isinstance(future.exception(), BrokenExecutor)


def _require_progress(progress: bool) -> None:
    if not progress:
        raise GraderError(
            "the processes that grade end at once; what is graded is in the ledger: look at memory "
            "and limits of this machine, then run the same command again"
        )


@contextmanager
def _pool(width: int) -> Iterator[Executor]:
    """Open a pool of clean processes: not forks of this one, which has threads and a terminal."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["autograder.cohort.unit"])
    pool = ProcessPoolExecutor(width, mp_context=context, initializer=_settle)
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _settle() -> None:
    """Prepare a process of the pool: deaf to interrupts between jobs, ended with its parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _idle.set()
    threading.Thread(target=_follow_parent, daemon=True).start()


def _follow_parent() -> None:
    """End this process when the one that started the pool was killed: no one else would."""
    multiprocessing.parent_process().join()
    os.kill(os.getpid(), signal.SIGINT)  # a job that runs closes its sandbox, removes its files
    _idle.wait(TIDY_S)
    os._exit(1)


def _obedient(unit: Callable[[J], R], job: J) -> R:
    """Run `unit`, which an interrupt ends at once."""
    _idle.clear()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return unit(job)
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        _idle.set()
