"""Classroom 50's `classroom50/result/v1`, for a collector that already reads it.

Tasks stand for tests: no hidden check is named. It is made of a published report, for staff's own
tools; what a student's repository holds in this form is never an input to a grade.
"""

from __future__ import annotations

from typing import Any

from autograder.report.marks import Mark

SCHEMA = "classroom50/result/v1"


def result(mark: Mark, classroom: str, assignment: str, server: str) -> dict[str, Any]:
    """Return the result of a student's newest grade; whole numbers only, as the format has it."""
    report, student = mark.newest, mark.student
    commit = f"{server}/{student.repository}/commit/{report['submission']['commit']}"
    tests = [_test(one) for one in report["assignments"] if one["score"]]
    when = report["submission"]["submitted_at"] or report["created_at"]
    return {
        "schema": SCHEMA,
        "classroom": classroom,
        "assignment": assignment,
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


def _test(module: dict[str, Any]) -> dict[str, Any]:
    points, most = (int(module["score"][key]) for key in ("points", "max_points"))
    name = f"{module['id'].partition('_')[0]} {module['title']}"
    return {"test-name": name, "passed": points == most, "score": points, "max-score": most}
