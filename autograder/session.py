"""The workers behind one check: started at the first probe, replaced when one has died."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from assignments.catalog import Assignment
from autograder.sandbox import StudentError, Worker, WorkerError
from autograder.workspace import Workspace


class Session:
    """The worker behind a check: started at the first probe, replaced when it has died."""

    def __init__(
        self,
        workspace: Workspace,
        assignment: Assignment,
        *,
        integrated: bool,
        obstacle: Callable[[], Exception | None] = lambda: None,
    ):
        """Run probes on the student's file alone, or integrated with all of the student's own.

        What `obstacle` returns is raised in place of an answer.
        """
        self._workspace, self._assignment = workspace, assignment
        self._integrated, self._obstacle = integrated, obstacle
        self._worker: Worker | None = None
        self.output = ""  # what the last worker printed, once it is closed

    def send(self, calls: list[tuple[bytes, dict[str, Any]]]) -> tuple[list, StudentError | None]:
        """Run probes in the worker, until the first that fails; raises what ends a worker."""
        obstacle = self._obstacle()
        if obstacle is not None:
            raise obstacle
        try:
            return self._ready().run_all(calls)
        except WorkerError as failure:
            if failure.kind != "error":
                self.close()
            raise

    def preflight(self) -> WorkerError | None:
        """Load the student's files, for the first probe; return why they cannot be imported."""
        try:
            self._ready()
        except WorkerError as failure:
            return failure
        return None

    def close(self) -> None:
        """End the worker and note what it printed."""
        if self._worker is not None:
            self._workspace.account(self._worker)
            self.output = self._worker.usage.output
            self._worker = None

    def _ready(self) -> Worker:
        if self._worker is None:
            workspace, assignment = self._workspace, self._assignment
            lower = workspace.lower(assignment) if self._integrated else []
            files = [a for a in [*lower, assignment] if workspace.source(a) is not None]
            code = {f"tinytorch.{a.module}": workspace.code(a) for a in files}
            self._worker = workspace.worker(assignment, integrated=self._integrated)
            try:
                self._worker.load(code)
            except WorkerError:
                self.close()  # or the next probe would meet a worker without the student's files
                raise
        return self._worker
