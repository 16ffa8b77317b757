"""Run code that nobody trusts, and get plain values back.

grader (trusted) ── Sandbox ─┬─ fork server (trusted, has NumPy) ── worker: student code
                             └─ fork server, a branch (has the reference's lower modules) ── …
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
from autograder.sandbox.launcher import Branch, Sandbox
from autograder.sandbox.limits import Limits

__all__ = [
    "Branch",
    "Code",
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
]
