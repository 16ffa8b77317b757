"""The layers that lock a worker, applied by the worker itself, in order, before student code.

Each is independent of the others, so that one which fails leaves a second behind it: a file is
out of reach by Landlock and by seccomp, and mostly by its owner too.
"""

from __future__ import annotations

import math
import os
import resource
import signal
from collections.abc import Callable
from dataclasses import dataclass

from autograder.sandbox import kernel

# Nobody's: no file belongs to them and no name in /etc/passwd. The kernel counts tasks by uid over
# the whole machine; each sandbox has a uid of its own, or one worker could starve its neighbours.
WORKER_UIDS = range(65000, 65500)
MAX_TASKS = 64  # processes and threads of a uid, so of the workers of one sandbox
STACK_BYTES = 8 << 20
OPEN_FILES = 16


@dataclass(frozen=True)
class Lock:
    """What the layers need to know, made once by the fork server."""

    limits: tuple[tuple[int, int, int], ...]
    landlock_ruleset: int | None  # a file descriptor
    seccomp_program: bytes | None
    uid: int | None  # to become, and the group of the same number; None where it is not root's
    server_pid: int


def worker_uid(server_pid: int) -> int:
    """Return the uid for the workers of the sandbox whose first fork server is `server_pid`.

    Two sandboxes share one only where their servers' numbers differ by a multiple of the range, or
    are the same in two containers; then they share a bound on tasks, and nothing else.
    """
    return WORKER_UIDS[server_pid % len(WORKER_UIDS)]


def required(as_root: bool) -> tuple[str, ...]:
    """Return the layers that a worker must have; only root has a uid to drop."""
    return tuple(name for name in LAYERS if name != "uid" or as_root)


def apply(lock: Lock, chosen: tuple[str, ...]) -> dict[str, str]:
    """Apply the layers in `chosen`; return those that failed, each with its reason."""
    failed = {}
    for name in chosen:
        try:
            _LAYERS[name](lock)
        except (OSError, ValueError) as error:
            failed[name] = f"{type(error).__name__}: {error}"
    return failed


def limits(memory_bytes: int, cpu_s: float, alone: bool) -> tuple[tuple[int, int, int], ...]:
    """Return the limits of a worker, (kind, soft, hard); `alone` if its uid is no person's.

    None is higher than this process's own.
    """
    cpu_s = math.ceil(cpu_s)
    bounds = {
        resource.RLIMIT_AS: memory_bytes,
        resource.RLIMIT_STACK: STACK_BYTES,
        resource.RLIMIT_NOFILE: OPEN_FILES,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_MSGQUEUE: 0,
    }
    if alone:  # as an ordinary user it would count the user's own processes
        bounds[resource.RLIMIT_NPROC] = MAX_TASKS
    pairs = {kind: (bound, bound) for kind, bound in bounds.items()}
    # A signal of its own at the bound tells what happened; a second later no handler helps.
    pairs[resource.RLIMIT_CPU] = (cpu_s, cpu_s + 1)
    return tuple((kind, *_lowered(kind, *pair)) for kind, pair in pairs.items())


def _lowered(kind: int, soft: int, hard: int) -> tuple[int, int]:
    highest = resource.getrlimit(kind)[1]
    if highest == resource.RLIM_INFINITY:
        return soft, hard
    return min(soft, highest), min(hard, highest)


def _limits(lock: Lock) -> None:
    for kind, soft, hard in lock.limits:
        resource.setrlimit(kind, (soft, hard))


def _uid(lock: Lock) -> None:
    os.setgroups([])
    os.setresgid(lock.uid, lock.uid, lock.uid)
    os.setresuid(lock.uid, lock.uid, lock.uid)


def _capabilities(lock: Lock) -> None:
    kernel.drop_capabilities()


def _parent_death(lock: Lock) -> None:
    # After the uid: the kernel forgets this signal when a process changes its credentials.
    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != lock.server_pid:
        os._exit(1)


def _no_new_privs(lock: Lock) -> None:
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)


def _dumpable(lock: Lock) -> None:
    kernel.prctl(kernel.PR_SET_DUMPABLE, 0)


def _landlock(lock: Lock) -> None:
    if lock.landlock_ruleset is None:
        raise OSError("this kernel has no Landlock")
    kernel.landlock_restrict(lock.landlock_ruleset)
    os.close(lock.landlock_ruleset)


def _seccomp(lock: Lock) -> None:
    if lock.seccomp_program is None:
        raise OSError("the filter could not be made")
    kernel.seccomp_filter(lock.seccomp_program)


# In this order: limits while root may still lower them, seccomp last because it forbids the others.
_LAYERS: dict[str, Callable[[Lock], None]] = {
    "limits": _limits,
    "uid": _uid,
    "capabilities": _capabilities,
    "parent_death": _parent_death,
    "no_new_privs": _no_new_privs,
    "dumpable": _dumpable,
    "landlock": _landlock,
    "seccomp": _seccomp,
}
LAYERS = tuple(_LAYERS)
