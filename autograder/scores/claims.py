"""What a signed report may claim: this course, a suite that counts, points that there are.

A signature says who made a report, not that it is right. So the points are counted again, from the
checks up: a signing key that errs, or that someone borrowed, cannot give more than the course has.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from assignments.catalog import Assignment, Course
from autograder.errors import GraderError
from autograder.report.alias import is_made
from autograder.report.build import course_id
from autograder.report.kinds import is_competition
from autograder.scores import races
from autograder.scores.document import Report, created
from autograder.suite import suite_digest

CLOSE = 1e-3  # points are rounded to 5 digits, check by check and module by module
CLOCKS = timedelta(minutes=10)  # by which two machines may differ
SUITE = re.compile(r"sha256:[0-9a-f]{64}")


class Fault(NamedTuple):
    """Why a report does not count."""

    kind: str  # "foreign", "outdated", "too good" or "unreadable"
    reason: str


@dataclass(frozen=True)
class Rules:
    """What reports are held against."""

    course: Course
    now: datetime
    term: str | None = None  # None: any
    roster: frozenset[int] | None = None  # numeric repository ids; None: any
    suites: frozenset[str] = field(default_factory=frozenset)  # earlier ones that still count


def read_roster(path: Path) -> frozenset[int]:
    """Return the column `repository_id` of the CSV file `path`; GraderError names a bad line.

    Who has no repository yet has an empty cell.
    """
    rows = csv.DictReader(_text(path).splitlines())
    if "repository_id" not in (rows.fieldnames or ()):
        raise GraderError(f"{path}: expected a column repository_id, got {rows.fieldnames}")
    ids = [(rows.line_num, one) for row in rows if (one := (row["repository_id"] or "").strip())]
    for line, one in ids:
        if not re.fullmatch("[1-9][0-9]{0,18}", one):
            raise GraderError(f"{path}, line {line}: expected a numeric repository id, got {one!r}")
    return frozenset(int(one) for _, one in ids)


def read_suites(path: Path) -> frozenset[str]:
    """Return the suite digests in `path`, one a line; what follows a `#` says why."""
    lines = _text(path).splitlines()
    digests = [digest for line in lines if (digest := line.partition("#")[0].strip())]
    for one in digests:
        if not SUITE.fullmatch(one):
            raise GraderError(f"{path}: expected sha256: and 64 hexadecimal digits, got {one!r}")
    return frozenset(digests)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise GraderError(f"{path}: expected a text file, got none ({reason})") from None


def fault(report: Report, rules: Rules) -> Fault | None:
    """Return the first reason why a valid staff `report` does not count, None if it does."""
    return next(faults(report, rules), None)


def faults(report: Report, rules: Rules) -> Iterator[Fault]:
    """Yield every reason why a valid staff `report` does not count."""
    race = is_competition(report)
    strange = [
        *_foreign(report, rules),
        *(races.unknown(report) if race else _unknown(report, rules)),
    ]
    yield from (Fault("foreign", reason) for reason in strange)
    modules = [one["id"] for one in report["assignments"]]
    today = races.current_suite() if race else _current_suite(rules.course, frozenset(modules))
    suite = report["grader"]["suite_digest"]
    if suite not in {today, *rules.suites}:
        yield Fault("outdated", f"its suite {suite[:19]}… is neither today's nor allowed; regrade")
    if not race:
        yield from (Fault("too good", reason) for reason in _too_good(report, rules.course))
    elif not strange:
        yield from (Fault("too good", reason) for reason in races.too_good(report))
    yield from (Fault("unreadable", reason) for reason in _odd(report, rules))


def _foreign(report: Report, rules: Rules) -> Iterator[str]:
    course, repository = report["course"], report["submission"]["repository_id"]
    if course["id"] != course_id(rules.course.title):
        yield f"it is of the course {course['id']}, expected {course_id(rules.course.title)}"
    if rules.term is not None and course.get("term") != rules.term:
        yield f"it is of the term {course.get('term')!r}, expected {rules.term!r}"
    if rules.roster is not None and repository not in rules.roster:
        yield f"repository {repository} is not on the roster"


def _unknown(report: Report, rules: Rules) -> Iterator[str]:
    known = {one.id for one in rules.course.assignments}
    for one in report["assignments"]:
        if one["id"] not in known:
            yield f"it grades {one['id']}, which this course does not have"


def _odd(report: Report, rules: Rules) -> Iterator[str]:
    if created(report) > rules.now + CLOCKS:
        yield f"it was made at {report['created_at']}, which is still to come"
    if not is_made(report["leaderboard"]):
        yield "its alias is none that the grader makes"


@cache
def _suite(assignments: tuple[Assignment, ...]) -> str:
    return suite_digest(assignments)


def _current_suite(course: Course, modules: frozenset[str]) -> str:
    return _suite(tuple(one for one in course.assignments if one.id in modules))


def _too_good(report: Report, course: Course) -> Iterator[str]:
    """Count the points again: checks, modules, the whole report."""
    modules, score = report["assignments"], report["score"]
    ids = [one["id"] for one in modules]
    tests = [one["id"] for one in report["tests"]]
    if len(set(ids)) < len(ids) or len(set(tests)) < len(tests):
        yield "a module or a check counts twice"
    if {one["module"] for one in report["tests"]} - set(ids):
        yield "a check is of a module that was not graded"
    if report["status"] == "ungradable":
        return
    if any(one["score"] is None for one in modules):
        yield "a module has no points, though it could be graded"
        return
    for one in modules:
        assignment = next((known for known in course.assignments if known.id == one["id"]), None)
        mine = [test for test in report["tests"] if test["module"] == one["id"]]
        yield from _module_faults(one, mine, assignment) if assignment else ()
    most = sum(one["score"]["max_points"] for one in modules)
    yield from _score_faults("the report", score, sum(map(_raw, modules)), most)


def _module_faults(one: dict[str, Any], tests: list[dict], known: Assignment) -> Iterator[str]:
    most = sum(task.points for task in known.tasks)
    for test in tests:
        if test["points"] > (test["max_points"] if test["status"] == "passed" else 0):
            has = f"{test['points']:g} of {test['max_points']:g} points"
            yield f"a check of {test['task']} {test['status']} and has {has}"
    if tests and not _same(sum(test["max_points"] for test in tests), most):
        yield f"the checks of {known.id} do not add up to its {most} points"
    if one["version"] == known.version:
        yield from _task_faults(tests, known)
    yield from _score_faults(known.id, one["score"], sum(test["points"] for test in tests), most)


def _task_faults(tests: list[dict], known: Assignment) -> Iterator[str]:
    worth = Counter()
    for test in tests:
        worth[test["task"]] += test["max_points"]
    there = {task.id: task.points for task in known.tasks}
    for task, points in worth.items():
        if not _same(points, there.get(task, 0)):
            yield f"the checks of {task} are worth {points:g} points, expected {there.get(task, 0)}"


def _score_faults(what: str, score: dict[str, Any], earned: float, most: float) -> Iterator[str]:
    raw = score.get("raw_points", score["points"])
    changed = raw + sum(one["delta"] for one in score.get("adjustments", ()))
    if not _same(score["max_points"], most):
        yield f"{what} is out of {score['max_points']:g} points, there are {most:g}"
    if not _same(raw, earned):
        yield f"{what} has {raw:g} points, what was passed adds up to {earned:g}"
    if score["points"] > most or not _same(score["points"], min(max(changed, 0), most)):
        yield f"{what} has {score['points']:g} points, expected {raw:g} and what adjusts them"


def _raw(module: dict[str, Any]) -> float:
    return module["score"].get("raw_points", module["score"]["points"])


def _same(one: float, other: float) -> bool:
    return abs(one - other) <= CLOSE
