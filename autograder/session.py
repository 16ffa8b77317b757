"""The workers behind one check: started at the first probe, replaced when one has died."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from assignments.catalog import Assignment
from autograder.errors import AutograderError
from autograder.sandbox import WorkerError
from autograder.workspace import Workspace


@dataclass
class Attempt:
    """What one check's worker did, noted beside what otter records."""

    failure: Exception | None = None  # the last one: no answer came, and why
    broken: AutograderError | None = None  # the grader's fault, not to be taken for a wrong answer
    output: str = ""
    duration_s: float = 0.0


class Session:
    """The worker behind a check: started at the first probe, replaced when it has died."""

    def __init__(self, workspace: Workspace, assignment: Assignment, *, integrated: bool):
        """Run probes on the student's file alone, or integrated with all of the student's own."""
        self._workspace, self._assignment = workspace, assignment
        self._integrated = integrated
        self._worker = None
        self.attempt = Attempt()

    def send(self, probe: bytes, inputs: dict[str, Any]) -> Any:
        """Run one probe in the worker; raises WorkerError, and remembers it."""
        self.attempt.failure = None
        try:
            return self._ready().run(probe, inputs)
        except WorkerError as failure:
            self.attempt.failure = failure
            if failure.kind != "error":
                self.close()
            raise
        except AutograderError as broken:
            self.attempt.broken = broken
            raise

    def preflight(self) -> None:
        """Load the student's files once, to learn whether they can be imported at all."""
        try:
            self._ready()
        finally:
            self.close()

    def close(self) -> None:
        """End the worker and note what it printed."""
        if self._worker is not None:
            self._workspace.account(self._worker)
            self.attempt.output = self._worker.usage.output
            self._worker = None

    def _ready(self):
        if self._worker is None:
            workspace, assignment = self._workspace, self._assignment
            chosen = (
                [*workspace.lower(assignment), assignment] if self._integrated else [assignment]
            )
            code = {f"tinytorch.{a.module}": workspace.code(a) for a in chosen}
            open_worker = workspace.bare() if self._integrated else workspace.isolated(assignment)
            self._worker = open_worker
            self._worker.load(code)
        return self._worker
