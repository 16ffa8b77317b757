"""Classroom 50's `classroom50/result/v1`, for a collector that already reads it.

Modules stand for tests: no hidden check is named. It is made of a published report, for staff's own
tools; what a student's repository holds in this form is never an input to a grade.
"""

from __future__ import annotations

from typing import Any

from assignments.catalog import Assignment, Course
from autograder.report.marks import Mark, heading

SCHEMA = "classroom50/result/v1"


def result(mark: Mark, course: Course, names: tuple[str, str], server: str) -> dict[str, Any]:
    """Return what counts of a student, in whole numbers, as the format has it.

    `names` are the classroom's and the assignment's.
    """
    report, student = mark.newest, mark.student
    commit = f"{server}/{student.repository}/commit/{report['submission']['commit']}"
    tests = [_test(one, mark.points[one.id]) for one in course.assignments if one.id in mark.points]
    when = report["submission"]["submitted_at"] or report["created_at"]
    return {
        "schema": SCHEMA,
        "classroom": names[0],
        "assignment": names[1],
        "assignment_type": "individual",
        "owner": student.github_username,
        "submission": f"grade/{report['report_id']}",
        "commit": commit,
        "release": commit,  # there is none: the commit is what was graded
        "review": commit,
        "datetime": f"{when[:19]}Z",
        "score": sum(one["score"] for one in tests),
        "max-score": sum(one["max-score"] for one in tests),
        "tests": tests,
    }


def _test(module: Assignment, points: float) -> dict[str, Any]:
    most = sum(task.points for task in module.tasks)
    whole = int(points)  # never more than there is
    return {
        "test-name": heading(module),
        "passed": whole == most,
        "score": whole,
        "max-score": most,
    }
