"""A report as bytes from outside: read as strict JSON, and told apart from every other report."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from datetime import datetime, timezone
from typing import Any, NamedTuple, NoReturn

from autograder.errors import GraderError
from autograder.report.kinds import is_competition
from autograder.report.schema import validate

REPORT_BYTES = 8 << 20
DIGITS = 40  # of a whole number: a seed of 128 bits has 39, and a long one takes long to read

MODULES, COMPETITION = AREAS = ("reports", "competition")  # folders of a scores repository

Report = dict[str, Any]


def parse(content: bytes) -> Report:
    """Return the object in `content`: finite numbers, no key twice; ValueError says why not."""
    if len(content) > REPORT_BYTES:
        raise ValueError(f"it has {len(content)} bytes, expected at most {REPORT_BYTES}")
    try:
        report = json.loads(
            content.decode("utf-8"),
            object_pairs_hook=_object,
            parse_constant=_no_number,
            parse_float=_finite,
            parse_int=_whole,
        )
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8") from None
    except json.JSONDecodeError as fault:
        raise ValueError(f"it is not JSON ({fault.msg}, column {fault.colno})") from None
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    if not isinstance(report, dict):
        raise ValueError("it is no JSON object")
    return report


def parse_report(content: bytes) -> Report:
    """Return the staff's report in `content`, as the schema and this repository demand it."""
    report = parse(content)
    try:
        validate(report)
    except GraderError as fault:
        raise ValueError(str(fault)) from None
    if report["audience"] != "staff":
        raise ValueError(f"it is the report for {report['audience']}, expected that for staff")
    if "repository_id" not in report["submission"]:
        raise ValueError("it does not say which repository it is about (submission.repository_id)")
    return report


def created(report: Report) -> datetime:
    """Return when `report` says that it was made; nothing else of it need be in order."""
    stamp = report.get("created_at")
    try:
        moment = datetime.fromisoformat(stamp.removesuffix("Z"))
    except (AttributeError, ValueError):
        moment = None
    if moment is None or moment.tzinfo or not stamp.endswith("Z"):
        raise ValueError("it does not say when it was made (created_at)")
    return moment.replace(tzinfo=timezone.utc)


def place(report: Report) -> str:
    """Return where in a scores repository `report` belongs."""
    area = COMPETITION if is_competition(report) else MODULES
    return f"{area}/{report['submission']['repository_id']}/{report['report_id']}.json"


class Facts(NamedTuple):
    """What tells a report from the others about its repository."""

    report_id: str
    supersedes: str | None
    attempt: tuple | None  # graded once; None: not gradable, which is tried again


def facts(report: Report) -> Facts:
    """Return the facts of `report`; KeyError or TypeError where it is none."""
    origin = report["submission"]
    revision = origin["commit"] or origin["digest"]
    attempt = (revision, report["grader"]["suite_digest"], origin.get("attempt", 1))
    gradable = revision is not None and report["status"] != "ungradable"
    return Facts(report["report_id"], report["supersedes"], attempt if gradable else None)


def replayed(report: Facts, earlier: Iterable[Facts]) -> str | None:
    """Return the id of the report that `report` repeats, among `earlier` ones of its repository.

    An attempt on a commit is graded once by a suite. Only a regrade may follow: it supersedes the
    one before, which nothing else does. (Classmates may well have the same commit: who pushes the
    template as it is.)
    """
    same = [one for one in earlier if one.attempt == report.attempt is not None]
    gone = {one.supersedes for one in same}
    last = [one.report_id for one in same if one.report_id not in gone]
    return last[0] if last and report.supersedes not in last else None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) != len(pairs):
        raise ValueError("it has a key twice")
    return table


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"it has the number {name}, expected finite ones")


def _finite(digits: str) -> float:
    number = float(digits)
    return number if math.isfinite(number) else _no_number(digits[:DIGITS])


def _whole(digits: str) -> int:
    return int(digits) if len(digits) <= DIGITS else _no_number(f"{digits[:DIGITS]}…")
