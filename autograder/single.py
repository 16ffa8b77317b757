"""Grade one submission from its path to its written reports: the unit that a class is made of."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from assignments.catalog import Assignment, Course, load_course
from autograder import report as reports
from autograder.grading import grade
from autograder.intake import receive
from autograder.sandbox import Sandbox

MOST_LANES = 4  # also on fewer cores: a lane waits for processes that start and end


def chosen(course: Course, modules: Sequence[str]) -> tuple[Assignment, ...]:
    """Return the assignments called `modules` in course order; all of them when none is named."""
    if not modules:
        return course.assignments
    named = {course.assignment(key).id for key in modules}
    return tuple(one for one in course.assignments if one.id in named)


def grade_one(
    source: str | Path,
    modules: Sequence[str],
    folder: Path,
    *,
    seed: int,
    sandbox: Sandbox | None = None,
) -> dict[str, Any]:
    """Grade `source`, write the five files into `folder`, return the staff report.

    The `sandbox` may have been started, is opened here, and closed at the end.
    """
    with sandbox or Sandbox() as box, receive(source) as submission:
        course = load_course()
        assignments = chosen(course, modules)
        lanes = min(len(assignments), MOST_LANES)
        outcome = grade(submission, assignments, course=course, seed=seed, sandbox=box, lanes=lanes)
        now = datetime.now(timezone.utc)
        report = reports.build(
            outcome, submission, submitter_key=reports.load_key(), course=course, now=now
        )
        reports.write(report, outcome, folder)
    return report
