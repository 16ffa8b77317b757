"""Marks: how many points each student of the roster has in each module, for gradebooks.

They are what the policy gives, as on the leaderboard: due dates, late days, today's overrides.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assignments.catalog import Assignment
from autograder.policy import Policy, standing
from autograder.policy.facts import Facts
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
    if not grades:
        return Mark(student, {}, None)
    facts = Facts(reports)
    outcomes = standing(policy, facts.who, facts.attempts())
    return Mark(student, {name: one.points for name, one in outcomes.items()}, grades[-1][0])


def heading(assignment: Assignment) -> str:
    """Return what a gradebook calls a module: "01 Tensor"."""
    return f"{assignment.number:02} {assignment.title}"
