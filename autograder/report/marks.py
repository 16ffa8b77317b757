"""Marks: how many points each student of the roster has in each module, for gradebooks.

What the policy gives, as on the leaderboard: of full isolation, not replaced by a later grade.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assignments.catalog import Assignment
from autograder.leaderboard.ranking import best_points
from autograder.policy import Policy
from autograder.report.history import counting
from autograder.roster import Student

Report = dict[str, Any]


@dataclass(frozen=True)
class Mark:
    """One student's line."""

    student: Student
    points: dict[str, float]  # by module; none for a module without a grade
    newest: Report | None  # the last grade


def of_scores(reports: Iterable[Report], students: Iterable[Student], policy: Policy) -> list[Mark]:
    """Return the marks by the verified `reports` of a scores repository, oldest first."""
    mine: dict[str, list[Report]] = {}
    for report in reports:
        mine.setdefault(str(report["submission"]["repository_id"]), []).append(report)
    return [_mark(one, mine.get(one.repository_id, []), policy) for one in students]


def of_class(folder: Path, students: Iterable[Student], policy: Policy) -> list[Mark]:
    """Return the marks in what `autograder class` wrote: each folder is a student's."""
    names = {path.parent.name.casefold(): path for path in sorted(folder.rglob("report.json"))}
    marks = []
    for one in students:
        called = (one.repository.rpartition("/")[2], one.github_username, one.identifier)
        path = next((names[key] for name in called if (key := name.casefold()) in names), None)
        marks.append(_mark(one, [json.loads(path.read_bytes())] if path else [], policy))
    return marks


def _mark(student: Student, reports: list[Report], policy: Policy) -> Mark:
    grades = counting(reports)
    best = best_points(reports, policy) if grades else {}
    points = {module: points for module, (points, _) in best.items()}
    return Mark(student, points, grades[-1][0] if grades else None)


def heading(assignment: Assignment) -> str:
    """Return what a gradebook calls a module: "01 Tensor"."""
    return f"{assignment.number:02} {assignment.title}"
