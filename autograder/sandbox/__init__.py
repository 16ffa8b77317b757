"""Run code that nobody trusts, and get plain values back.

    grader               fork server                       worker, one for each check
    ──────               ───────────                       ──────────────────────────
    Sandbox ── starts ─► has NumPy, no secret ──── forks ─► locks itself        layers, syscalls
      │                    │ forks                          tries to get out    proof
      └─ branch(…) ──────► branch: and the reference's      compiles, loads,
                           lower modules                    runs               package
    Worker ◄══════ three pipes: requests, replies, printed text ══════► worker
    handle, channel                   wire

What decides: a worker has no file system. It needs none, because all it may import is loaded
before the fork and the student's files come over a pipe; so nothing needs a quota, nothing is left
to clean up, and Landlock, seccomp and a file size of zero refuse every open, each for itself. What
a later module saves or loads, a probe hands over as bytes in memory.

Text that a worker prints is kept up to `Limits.output_bytes` and dropped beyond, because a chatty
answer may still be right; at `Limits.flood_bytes` the worker is ended.
"""

from autograder.sandbox.failures import (
    StudentError,
    Tampering,
    WorkerDied,
    WorkerError,
    WorkerMemory,
    WorkerOutput,
    WorkerTimeout,
)
from autograder.sandbox.handle import Code, Usage, Worker
from autograder.sandbox.launcher import Branch, Lane, Sandbox
from autograder.sandbox.limits import Limits
from autograder.sandbox.wire import snapshot

__all__ = [
    "Branch",
    "Code",
    "Lane",
    "Limits",
    "Sandbox",
    "StudentError",
    "Tampering",
    "Usage",
    "Worker",
    "WorkerDied",
    "WorkerError",
    "WorkerMemory",
    "WorkerOutput",
    "WorkerTimeout",
    "snapshot",
]
