"""A submission's modules as a milestone needs them: workers that hold these, and run our code."""

from __future__ import annotations

import marshal
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from assignments.catalog import Assignment
from autograder.errors import GraderError
from autograder.sandbox import Worker
from autograder.suite import GIVEN, global_names
from autograder.workspace import Workspace


@dataclass(frozen=True)
class Trainee:
    """A student's framework: some modules of a submission, and no others."""

    workspace: Workspace
    modules: tuple[Assignment, ...]

    @property
    def missing(self) -> list[str]:
        """The files that the submission lacks."""
        return [one.source for one in self.modules if self.workspace.source(one) is None]

    def run(self, code: bytes, inputs: dict[str, Any]) -> Any:
        """Return what a function that travelled returns in a fresh worker; raises WorkerError."""
        worker = self.worker()
        try:
            return worker.run(code, inputs)
        finally:
            self.workspace.account(worker)

    def worker(self) -> Worker:
        """Return a fresh worker that holds the modules; the caller hands it to `account`."""
        files = {f"tinytorch.{one.module}": self.workspace.code(one) for one in self.modules}
        worker = self.workspace.worker(self.modules[-1], integrated=True)
        try:
            worker.load(files)
        except BaseException:
            self.workspace.account(worker)
            raise
        return worker

    def opponent(self) -> Worker:
        """Return a fresh worker that holds the reference's modules, and nothing of the student."""
        return self.workspace.opponent(self.modules[-1])


def travelling(function: Callable[..., Any]) -> bytes:
    """Return the code of a function for a worker; GraderError if it needs what cannot go along."""
    name = f"`{function.__name__}`"
    if function.__closure__ or function.__defaults__ or function.__kwdefaults__:
        raise GraderError(f"{name} must have no closure and no defaults: its code travels alone")
    foreign = global_names(function.__code__) & set(function.__globals__) - GIVEN
    if foreign:
        names = ", ".join(sorted(foreign))
        raise GraderError(f"{name} uses {names}: its code travels alone, with `np` and `tt`")
    return marshal.dumps(function.__code__)
