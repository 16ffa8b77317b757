"""One submission's files, each compiled in a worker, ready to be loaded into many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from assignments.catalog import Assignment, Course
from autograder.sandbox import Branch, Code, Lane, Worker, WorkerError
from autograder.suite import reference_path

if TYPE_CHECKING:
    from autograder.intake import Submission


class Workspace:
    """A submission in a lane of a sandbox: its sources, their code, and what its workers used."""

    def __init__(
        self,
        submission: Submission,
        course: Course,
        lane: Lane,
        graded: Sequence[Assignment] = (),
    ):
        """Hold `submission` for grading by one thread, in `lane`.

        The files of the `graded` assignments are compiled together.
        """
        self._submission, self._course, self._lane = submission, course, lane
        self._graded = graded
        self._code: dict[str, Code | WorkerError] = {}
        self._branches: dict[int, Branch] = {}
        self.cpu_s, self.peak_rss_bytes = 0.0, 0

    def lower(self, assignment: Assignment) -> list[Assignment]:
        """Return the assignments that come before `assignment`."""
        return [a for a in self._course.assignments if a.number < assignment.number]

    def source(self, assignment: Assignment) -> bytes | None:
        """Return the student's file for `assignment`, None where it is missing."""
        return self._submission.source(assignment.module)

    def is_whole(self, assignment: Assignment) -> bool:
        """Tell whether the student has a file for every assignment up to this one."""
        return all(self.source(one) is not None for one in [*self.lower(assignment), assignment])

    def worker(self, assignment: Assignment, *, integrated: bool) -> Worker:
        """Return a fresh worker: with the reference's lower modules, or integrated, with none."""
        return self._branch([] if integrated else self.lower(assignment)).worker()

    def opponent(self, assignment: Assignment) -> Worker:
        """Return a fresh worker with the reference's modules up to this one, none the student's."""
        return self._branch([*self.lower(assignment), assignment]).worker()

    def code(self, assignment: Assignment) -> Code:
        """Compile the student's file for `assignment` in a worker, once; raises WorkerError."""
        if assignment.id not in self._code:
            self._compile([assignment, *self._graded])
        code = self._code[assignment.id]
        if isinstance(code, WorkerError):
            raise code
        return code

    def _compile(self, assignments: Sequence[Assignment]) -> None:
        """Compile the files that are not yet, in one worker, until one of them is the end of it."""
        with self._branch([]).worker() as worker:
            for one in assignments:
                source = self.source(one)
                if source is None or one.id in self._code:
                    continue
                try:
                    self._code[one.id] = worker.compile(one.source, source)
                except WorkerError as failure:
                    self._code[one.id] = failure
                    if failure.kind != "error":
                        break
            self.account(worker)

    def account(self, worker: Worker) -> None:
        """Add what a finished worker used, by the kernel's figures."""
        worker.close()
        self.cpu_s += worker.usage.cpu_s
        self.peak_rss_bytes = max(self.peak_rss_bytes, worker.usage.peak_rss_bytes)

    def _branch(self, lower: Sequence[Assignment]) -> Branch:
        """Return the fork server that holds the reference of these assignments, the first ones."""
        if len(lower) not in self._branches:
            self._branches[len(lower)] = self._lane.branch(
                {
                    f"tinytorch.{assignment.module}": reference_path(assignment).read_text("utf-8")
                    for assignment in lower
                }
            )
        return self._branches[len(lower)]
