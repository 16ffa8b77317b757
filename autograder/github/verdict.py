"""What came back from a grading job, held against the plan: the last step before it is signed.

A grading job runs next to student code, so its report is a claim. Who, which commit, when and with
which image come from the plan; which checks there are and what they are worth, from the suite; the
claim only says which of them passed, and what may be told of those that did not.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from ulid import ULID

from assignments.catalog import Assignment, Course
from autograder.errors import AutograderError, SubmissionError
from autograder.github.job import Job, Plan
from autograder.intake.folder import open_folder, read_file
from autograder.report.alias import is_made
from autograder.report.build import overall_status, refused, utc
from autograder.report.schema import validate
from autograder.report.submitter import submitter_id
from autograder.sandbox.text import one_line
from autograder.scores.document import REPORT_BYTES, parse
from autograder.suite import Case, load_suite


class ClaimError(AutograderError):
    """A raw report is not what the plan asked for; says what differs."""


def read_claim(raw: Path, shard: int, key: str) -> dict[str, Any] | int | None:
    """Return the raw report of a job, the exit code of its container, or None: nothing came.

    It is only looked for where its own shard writes: no shard can speak for another.
    """
    folder = raw / f"raw-{shard}" / key
    try:
        if os.path.lexists(folder / "out" / "report.json"):
            return _parsed(_file(folder, "out", "report.json"))
        return _code(_file(folder, "exit")) if os.path.lexists(folder / "exit") else None
    except SubmissionError as error:
        raise ClaimError(f"the raw report cannot be read: {error}") from None


def _file(folder: Path, *names: str) -> bytes:
    """Return the file that `names` lead to, through no link."""
    with ExitStack() as stack:
        opened = stack.enter_context(open_folder(str(folder)))
        for name in names[:-1]:
            opened = stack.enter_context(open_folder(name, opened))
        return read_file(names[-1], opened, REPORT_BYTES)


def _parsed(content: bytes) -> dict[str, Any]:
    try:
        return parse(content)
    except ValueError as error:
        raise ClaimError(f"the raw report: {error}") from None


def _code(content: bytes) -> int:
    text = content.strip()
    return int(text) if text.isdigit() and len(text) < 4 else 1


def final_report(
    claim: dict[str, Any], job: Job, plan: Plan, course: Course, *, key: bytes, now: datetime
) -> dict[str, Any]:
    """Return the staff's report that a claim supports; ClaimError where it is about something else.

    Points are at most those that the suite has, check by check.
    """
    try:
        validate(claim)
    except AutograderError as error:
        raise ClaimError(str(error)) from None
    hold_against_plan(claim, job, plan)
    assignments = tuple(course.assignment(one) for one in plan.modules)
    tests = {one: list(_tests(claim, one)) for one in assignments}
    modules = [_module(claim, one, tests[one]) for one in assignments]
    points, most = (sum(one["score"][k] for one in modules) for k in ("points", "max_points"))
    most_and_raw = {"max_points": round(most, 5), "raw_points": round(points, 5)}
    return validate(
        {
            **{name: claim[name] for name in _TAKEN if name in claim},
            **report_head(job, key, now),
            "submission": submission(job, claim["submission"]["digest"]),
            "grader": claim["grader"] | {"image_digest": plan.image_digest},
            "assignments": modules,
            "status": overall_status([one["status"] for one in modules], points > 0),
            "score": {"points": round(points, 5), **most_and_raw, "adjustments": []},
            "tests": [test for one in assignments for test in tests[one]],
            "artifacts": [{"name": name, "sha256": sha} for name, sha in job.files],
        }
    )


_TAKEN = (
    *("schema", "audience", "course", "environment", "timing", "metrics"),
    "leaderboard",
)


def hold_against_plan(claim: dict[str, Any], job: Job, plan: Plan) -> None:
    """Raise ClaimError where a raw report is about something else than was planned."""
    grader = claim.get("grader", {})
    facts = {
        "audience": (claim["audience"], "staff"),
        "files graded": ((claim.get("submission") or {}).get("digest"), job.digest),
        "suite": (grader.get("suite_digest"), plan.suite_digest),
        "seed": (grader.get("seed"), job.seed),
        "modules": (tuple(one["id"] for one in claim.get("assignments", ())), plan.modules),
        "isolation": (grader.get("isolation"), "full"),
    }
    for what, (came, expected) in facts.items():
        if came != expected:
            raise ClaimError(f"{what}: expected {expected}, the raw report has {came}")
    if not is_made(claim["leaderboard"]):
        raise ClaimError("the raw report has an alias that no grader makes")
    if claim.get("status") == "ungradable":
        raise ClaimError("the grader says that it could not grade")


@cache
def _cases(assignment: Assignment) -> dict[str, Case]:
    """Return the checks that there are, by the ids that a report has for them."""
    cases = load_suite(assignment).cases
    return {f"{assignment.id}/{case.task}/{case.behaviour}": case for case in cases}


def _tests(claim: dict[str, Any], assignment: Assignment) -> Iterator[dict[str, Any]]:
    """Yield the checks of a module as the suite knows them, with what the claim says of each."""
    claimed = {one["id"]: one for one in claim["tests"] if one["module"] == assignment.id}
    cases = _cases(assignment)
    if len(claimed) != len(cases) or set(claimed) != set(cases):
        raise ClaimError(f"{assignment.id}: the raw report has other checks than the suite")
    for name, case in cases.items():
        yield _test(claimed[name], name, case, assignment)


def _test(claimed: dict, name: str, case: Case, assignment: Assignment) -> dict[str, Any]:
    passed = claimed["status"] == "passed"
    test = {
        "id": name,
        "module": assignment.id,
        "task": case.task,
        "behaviour": case.behaviour,
        "suite": case.suite,
        "status": claimed["status"],
        "points": min(claimed["points"], case.points) if passed else 0.0,
        "max_points": case.points,
        "duration_s": claimed.get("duration_s", 0.0),
    }
    if passed:
        return test
    line = claimed.get("location", {}).get("line")
    told = {
        "hint": case.hint and one_line(case.hint, 1000),
        "error": claimed.get("error"),
        "location": {"path": assignment.source, "line": line} if line else None,
    }
    if case.suite == "shown":
        told |= {name: claimed.get(name) for name in ("message", "output")}
    return test | {key: value for key, value in told.items() if value}


def _module(claim: dict, assignment: Assignment, tests: list[dict]) -> dict[str, Any]:
    claimed = next(one for one in claim["assignments"] if one["id"] == assignment.id)
    most = sum(task.points for task in assignment.tasks)
    points = min(round(sum(test["points"] for test in tests), 5), most)
    status = claimed.get("status", "failed")
    if points == most or status == "passed":
        status = "passed" if points == most else "partial" if points else "failed"
    return {
        **_identity(assignment),
        "status": status,
        "score": {"points": points, "max_points": most},
        **{name: claimed[name] for name in ("note", "integrated") if name in claimed},
    }


def _identity(assignment: Assignment) -> dict[str, Any]:
    return {
        "id": assignment.id,
        "title": assignment.title,
        "version": assignment.version,
        "kind": "module",
        "source": assignment.source,
    }


def refusal(
    reason: str,
    status: str,
    job: Job,
    plan: Plan,
    course: Course,
    *,
    key: bytes,
    now: datetime,
) -> dict[str, Any]:
    """Return the report of what could not be graded: "error" is their fault, "ungradable" ours."""
    report = refused(
        reason,
        status,
        tuple(course.assignment(one) for one in plan.modules),
        submitter=submitter_name(job.repository_id),
        submitter_key=key,
        course=course,
        suite_digest=plan.suite_digest,
        seed=job.seed,
        isolation="full",
        now=now,
    )
    report["grader"]["image_digest"] = plan.image_digest
    return validate(
        report | report_head(job, key, now) | {"submission": submission(job, job.digest)}
    )


def submitter_name(repository: int) -> str:
    """Return what a student is known by to the keyed hash: the id, since names change."""
    return f"github.com/repositories/{repository}"


def report_head(job: Job, key: bytes, now: datetime) -> dict[str, Any]:
    """Return what tells a report from all others."""
    return {
        "report_id": str(ULID.from_datetime(now)),
        "supersedes": job.supersedes,
        "created_at": utc(now),
        "submitter": {"id": submitter_id(submitter_name(job.repository_id), key)},
    }


def submission(job: Job, digest: str | None) -> dict[str, Any]:
    """Return what the plan knows of a submission."""
    return {
        "repository_id": job.repository_id,
        "commit": job.commit,
        "tree": job.tree,
        "digest": digest,
        "submitted_at": job.pushed_at,
        "attempt": job.attempt,
        "notes": [one_line(note, 500) for note in job.notes[:100]],
    }
