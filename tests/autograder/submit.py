"""Grades a fixture as the command does, and keeps every word that leaves the grader."""

from __future__ import annotations

import io
import re
from contextlib import ExitStack, redirect_stdout
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from assignments.catalog import load_course
from autograder import report as reports
from autograder.grading import grade
from autograder.intake import receive
from autograder.outcome import Check, ModuleOutcome
from autograder.sandbox import Limits, Sandbox
from autograder.table import print_report
from tests.submissions import build
from tests.submissions.fixtures import Fixture

COURSE = load_course()
NOW = datetime(2026, 3, 1, tzinfo=timezone.utc)


@dataclass(frozen=True)
class Outcome:
    """What became of a fixture."""

    fixture: Fixture
    source: bytes
    module: ModuleOutcome
    wall_s: float
    printed: str
    written: dict[str, str]  # file name -> content

    @property
    def lost(self) -> set[str]:
        """The tasks that lost points."""
        return {c.task for c in self.module.checks if c.points < c.max_points}

    @property
    def must_lose(self) -> set[str]:
        """The tasks that the fixture says it loses."""
        return self.fixture.lost_tasks(COURSE.assignment(self.fixture.module))

    @property
    def honest_points(self) -> float:
        """What the rest of the submission is worth."""
        return sum(c.max_points for c in self.module.checks if c.task not in self.must_lose)

    @property
    def reasons(self) -> list[str]:
        """Why: the module's note, or status, error and message of each failed check."""
        failed = [_reason(check) for check in self.module.checks if check.status != "passed"]
        return [self.module.note] if self.module.note else failed

    @property
    def unexplained(self) -> list[str]:
        """The reasons that are not the fixture's."""
        return [why for why in self.reasons if not re.search(self.fixture.refused, why)]

    @property
    def odd_lines(self) -> list[int]:
        """Line numbers that the student's file does not have."""
        length = self.source.count(b"\n") + 1
        lines = [check.line for check in self.module.checks if check.line is not None]
        return [line for line in lines if not 0 < line <= length]

    @property
    def shown(self) -> str:
        """What the shown checks printed."""
        return "".join(check.output for check in self.module.checks)


def _reason(check: Check) -> str:
    return f"{check.status} {check.error or ''} {check.message}".strip()


def submit(fixture: Fixture, sandbox: Sandbox, scratch: Path, canary: Path) -> Outcome:
    """Hand `fixture` in as a folder, grade it, write and print its report."""
    out, assignment = scratch / "reports", COURSE.assignment(fixture.module)
    files = fixture.files(COURSE, canary)
    folder = build.folder(scratch / fixture.name, files)
    with receive(folder) as submission:
        graded = grade(submission, [assignment], course=COURSE, seed=7, sandbox=sandbox)
        report = reports.build(graded, submission, submitter_key=bytes(32), course=COURSE, now=NOW)
    reports.write(report, graded, out)
    with redirect_stdout(io.StringIO()) as printed:
        print_report(report, out)
    written = {path.name: path.read_text(encoding="utf-8") for path in out.iterdir()}
    return Outcome(
        fixture=fixture,
        source=files[assignment.source],
        module=graded.modules[0],
        wall_s=graded.wall_s,
        printed=printed.getvalue(),
        written=written,
    )


class Sandboxes(ExitStack):
    """Sandboxes that stay open for many submissions, one for each set of limits."""

    def __init__(self):
        """Open none yet."""
        super().__init__()
        self._open: dict[tuple[tuple[str, float], ...], Sandbox] = {}

    def with_limits(self, limits: dict[str, float]) -> Sandbox:
        """Return the sandbox with these limits."""
        key = tuple(limits.items())
        if key not in self._open:
            self._open[key] = self.enter_context(Sandbox(Limits(**limits)))
        return self._open[key]
