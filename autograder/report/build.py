"""What grading found becomes the staff's report."""

from __future__ import annotations

import hashlib
import platform
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from ulid import ULID

from assignments.catalog import Assignment, Course
from autograder.outcome import Check, Grade, ModuleOutcome
from autograder.report.alias import read_alias
from autograder.report.schema import validate
from autograder.report.submitter import submitter_id
from autograder.sandbox.text import clean, one_line

if TYPE_CHECKING:
    from autograder.intake import Submission

MESSAGE, OUTPUT = 2_000, 16_000  # characters of one check


def build(
    grade: Grade,
    submission: Submission,
    *,
    submitter_key: bytes,
    course: Course,
    now: datetime,
    submitter: str | None = None,
    supersedes: str | None = None,
) -> dict[str, Any]:
    """Return the staff's report; `submitter` is known by the submission's name if not given."""
    alias, note = read_alias(submission.root)
    notes = [*submission.notes, *([note] if note else [])]
    report = {
        **head(course, now, supersedes),
        "assignments": [_assignment(module) for module in grade.modules],
        "submitter": {"id": submitter_id(submitter or submission.name, submitter_key)},
        "submission": {**origin(submission), "notes": [one_line(n, 500) for n in notes[:100]]},
        "grader": {
            **grader(grade.suite_digest, grade.seed, grade.isolation),
            "limits": dict(grade.limits),
        },
        "timing": {
            "wall_s": round(grade.wall_s, 6),
            "cpu_s": round(grade.cpu_s, 6),
            "peak_rss_bytes": grade.peak_rss_bytes,
        },
        "status": overall_status([module.status for module in grade.modules], _earned(grade)),
        "score": total([(module.points, module.max_points) for module in grade.modules]),
        "tests": [_test(check, m.source) for m in grade.modules for check in m.checks],
        "leaderboard": {"opt_in": alias is not None, "alias": alias},
        "artifacts": [a for m in grade.modules if (a := _artifact(m, submission))],
    }
    return validate(report)


def refused(
    reason: str,
    status: str,
    assignments: Sequence[Assignment],
    *,
    submitter: str,
    submitter_key: bytes,
    course: Course,
    suite_digest: str,
    seed: int,
    isolation: str,
    now: datetime,
    supersedes: str | None = None,
) -> dict[str, Any]:
    """Return the report of what could not be graded, and why.

    Status "error" is the submission's fault and earns 0 points; "ungradable" is ours, no score.
    """
    theirs = status == "error"
    most = [sum(task.points for task in one.tasks) for one in assignments]
    report = {
        **head(course, now, supersedes),
        "assignments": [
            {**_identity(one), "status": status, "score": _score(0, points) if theirs else None}
            for one, points in zip(assignments, most, strict=True)
        ],
        "submitter": {"id": submitter_id(submitter, submitter_key)},
        "submission": {
            "commit": None,
            "tree": None,
            "digest": None,
            "submitted_at": None,
            "notes": [],
        },
        "grader": grader(suite_digest, seed, isolation),
        "status": status,
        "reason": one_line(reason, 1000),
        "score": total([(0, points) for points in most]) if theirs else None,
        "tests": [],
        "leaderboard": {"opt_in": False, "alias": None},
        "artifacts": [],
    }
    return validate(report)


def overall_status(statuses: Sequence[str], earned: bool) -> str:
    """Return the status of a report from those of its modules.

    Example: ["passed", "error"], True -> "partial"; ["error", "timeout"], False -> "timeout"
    """
    if all(status == "passed" for status in statuses):
        return "passed"
    if earned:
        return "partial"
    return next(one for one in ("failed", "timeout", "error", "partial") if one in statuses)


def course_id(title: str) -> str:
    """Example: "TinyTorch 2" -> "tinytorch-2"."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower())


def utc(moment: datetime) -> str:
    """Return an aware `moment` as RFC 3339 in UTC: "2026-11-20T23:19:00.000Z"."""
    text = moment.astimezone(timezone.utc).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def head(course: Course, now: datetime, supersedes: str | None) -> dict[str, Any]:
    """Return what every report begins with."""
    return {
        "schema": "grade-report/1",
        "report_id": str(ULID.from_datetime(now)),
        "supersedes": supersedes,
        "audience": "staff",
        "created_at": utc(now),
        "course": {"id": course_id(course.title), "title": course.title},
        "environment": _environment(),
        "metrics": [],
    }


def _identity(module: ModuleOutcome | Assignment) -> dict[str, Any]:
    return {
        "id": module.id,
        "title": module.title,
        "version": module.version,
        "kind": "module",
        "source": module.source,
    }


def _assignment(module: ModuleOutcome) -> dict[str, Any]:
    return {
        **_identity(module),
        "status": module.status,
        "score": _score(module.points, module.max_points),
        **({"note": one_line(module.note, 1000)} if module.note else {}),
        "integrated": {"passed": module.integrated_passed, "total": module.integrated_total},
    }


def _test(check: Check, source: str) -> dict[str, Any]:
    test = {
        "id": check.id,
        "module": check.module,
        "task": check.task,
        "behaviour": check.behaviour,
        "suite": check.suite,
        "status": check.status,
        "points": check.points,
        "max_points": check.max_points,
        "duration_s": round(check.duration_s, 6),
    }
    optional = {
        "hint": check.hint and one_line(check.hint, 1000),
        "error": check.error and one_line(check.error, 200),
        "location": {"path": source, "line": check.line} if check.line else None,
        "message": clean(check.message, MESSAGE),
        "output": _cut(clean(check.output, OUTPUT), len(check.output)),
    }
    return test | {key: value for key, value in optional.items() if value}


def _cut(text: str, length: int) -> str:
    return text + "\n… (the rest is cut)" if length > OUTPUT else text


def _earned(grade: Grade) -> bool:
    return any(module.points for module in grade.modules)


def _score(points: float, most: float) -> dict[str, float]:
    return {"points": round(points, 5), "max_points": round(most, 5)}


def total(scores: Sequence[tuple[float, float]]) -> dict[str, Any]:
    """Return the score of a report of its parts' points and most points."""
    points, most = (sum(column) for column in zip(*scores, strict=True))
    return {**_score(points, most), "raw_points": round(points, 5), "adjustments": []}


def origin(submission: Submission) -> dict[str, Any]:
    """Return where a submission came from."""
    return {
        "commit": submission.commit,
        "tree": submission.tree,
        "digest": f"sha256:{submission.digest.removeprefix('sha256:')}",
        "submitted_at": utc(submission.submitted_at),
    }


def _artifact(module: ModuleOutcome, submission: Submission) -> dict[str, str] | None:
    content = submission.source(module.source.rpartition("/")[2].removesuffix(".py"))
    if content is None:
        return None
    return {"name": module.source, "sha256": hashlib.sha256(content).hexdigest()}


def artifacts(files: Mapping[str, bytes]) -> list[dict[str, str]]:
    """Return the digests of `files` that were graded, by name."""
    return [
        {"name": one_line(name, 1000), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in files.items()
    ]


def grader(suite_digest: str, seed: int, isolation: str) -> dict[str, Any]:
    """Return who graded, with which checks, how well isolated."""
    return {
        "version": _version("tinytorch-course"),
        "suite_digest": suite_digest,
        "seed": seed,
        "isolation": isolation,
    }


@cache
def _environment() -> dict[str, str]:
    return {
        "python": platform.python_version(),
        "numpy": _version("numpy"),
        "otter": _version("otter-grader"),
        "os": f"{platform.system()} {platform.release()}",
        "arch": platform.machine(),
    }


@cache
def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"
