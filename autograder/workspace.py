"""One submission's files, each compiled once in a worker, ready to be loaded into many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from assignments.catalog import Assignment, Course
from autograder.sandbox import Sandbox
from autograder.suite import reference_path

if TYPE_CHECKING:
    from autograder.intake import Submission


class Workspace:
    """A submission in a sandbox: its sources, their code, and what its workers used."""

    def __init__(self, submission: Submission, course: Course, sandbox: Sandbox):
        """Hold `submission` for grading in `sandbox`."""
        self._submission, self._course, self._sandbox = submission, course, sandbox
        self._code: dict[str, bytes] = {}
        self.cpu_s, self.peak_rss_bytes = 0.0, 0

    def lower(self, assignment: Assignment) -> list[Assignment]:
        """Return the assignments that come before `assignment`."""
        return [a for a in self._course.assignments if a.number < assignment.number]

    def source(self, assignment: Assignment) -> bytes | None:
        """Return the student's file for `assignment`, None where it is missing."""
        return self._submission.source(assignment.module)

    def isolated(self, assignment: Assignment):
        """Return a fresh worker that holds the reference's modules below `assignment`."""
        return self._branch(self.lower(assignment)).worker()

    def bare(self):
        """Return a fresh worker that holds nothing of the reference."""
        return self._branch([]).worker()

    def code(self, assignment: Assignment) -> bytes:
        """Compile the student's file for `assignment` in a worker; raises WorkerError."""
        if assignment.id not in self._code:
            with self.bare() as worker:
                try:
                    self._code[assignment.id] = worker.compile(
                        assignment.source, self.source(assignment)
                    )
                finally:
                    self.account(worker)
        return self._code[assignment.id]

    def account(self, worker) -> None:
        """Add what a finished worker used, by the kernel's figures."""
        worker.close()
        self.cpu_s += worker.usage.cpu_s
        self.peak_rss_bytes = max(self.peak_rss_bytes, worker.usage.peak_rss_bytes)

    def _branch(self, assignments: Sequence[Assignment]):
        sources = {
            f"tinytorch.{a.module}": reference_path(a).read_text(encoding="utf-8")
            for a in assignments
        }
        return self._sandbox.branch(sources)
