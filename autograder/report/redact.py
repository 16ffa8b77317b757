"""Leave out of a report what its audience must not have: at the level of data, not of display.

What a student gets from a hidden check is its result, its prewritten hint, the type of exception
and a line of their own file. Not its name, which tells the input; not its time, which student code
can stretch to carry what it saw; not the seed.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

AUDIENCES = ("staff", "student", "public")  # from all to least

_STUDENT = (
    *("schema", "report_id", "supersedes", "created_at", "course", "submitter", "submission"),
    *("status", "metrics", "leaderboard", "artifacts", "assignments"),
)
_STUDENT_GRADER = ("version", "suite_digest", "image_digest", "isolation")
_STUDENT_ADJUSTMENT = ("kind", "delta", "reason", "at")
_HIDDEN_TEST = ("module", "task", "suite", "status", "points", "max_points")
_HIDDEN_HELP = ("hint", "error", "location")
_PUBLIC_HEAD = ("schema", "report_id", "created_at", "leaderboard")
_PUBLIC_ASSIGNMENT = ("id", "title", "version", "kind")
_PUBLIC_SCORE = ("points", "max_points")


def redact(report: dict[str, Any], audience: str) -> dict[str, Any]:
    """Return a copy of `report` with what `audience` may have; it can only lose data.

    The public learns a student's alias and points only from a full grade and by opt-in.
    """
    if audience not in AUDIENCES:
        raise ValueError(f"expected one of {AUDIENCES}, got {audience!r}")
    if AUDIENCES.index(audience) < AUDIENCES.index(report["audience"]):
        raise ValueError(f"a report for {report['audience']} cannot become one for {audience}")
    if audience == report["audience"]:
        return report
    return _for_student(report) if audience == "student" else _for_public(report)


def is_ranked(report: dict[str, Any]) -> bool:
    """Tell whether `report` is a grade: full isolation, and something was graded."""
    full = report.get("grader", {}).get("isolation") == "full"
    return full and report.get("status") not in (None, "ungradable")


def _for_student(report: dict[str, Any]) -> dict[str, Any]:
    numbers: Counter[tuple[str, str]] = Counter()
    # why we failed may quote a hidden check; why their submission was refused is theirs
    reason = () if report["status"] == "ungradable" else ("reason",)
    return {
        **_only(report, _STUDENT + reason),
        "audience": "student",
        "grader": _only(report["grader"], _STUDENT_GRADER),
        "score": _score(report["score"]),
        "assignments": [one | {"score": _score(one["score"])} for one in report["assignments"]],
        "tests": [_test(test, numbers) for test in report["tests"]],
    }


def _score(score: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return `score` with what changed it, but not by whom."""
    if score is None or "adjustments" not in score:
        return score
    return score | {"adjustments": [_only(x, _STUDENT_ADJUSTMENT) for x in score["adjustments"]]}


def _test(test: dict[str, Any], numbers: Counter) -> dict[str, Any]:
    if test["suite"] == "shown":
        return dict(test)
    numbers[test["module"], test["task"]] += 1
    number = numbers[test["module"], test["task"]]
    kept = _HIDDEN_TEST if test["status"] == "passed" else _HIDDEN_TEST + _HIDDEN_HELP
    return {"id": f"{test['module']}/{test['task']}/hidden {number}", **_only(test, kept)}


def _for_public(report: dict[str, Any]) -> dict[str, Any]:
    head = {**_only(report, _PUBLIC_HEAD), "audience": "public"}
    if not (report["leaderboard"]["opt_in"] and is_ranked(report)):
        return head | {"leaderboard": {"opt_in": False, "alias": None}}
    return {
        **head,
        "course": report["course"],
        "grader": _only(report["grader"], _STUDENT_GRADER),
        "score": _only(report["score"], _PUBLIC_SCORE),
        "assignments": [
            {
                **_only(one, _PUBLIC_ASSIGNMENT),
                "score": one["score"] and _only(one["score"], _PUBLIC_SCORE),
            }
            for one in report["assignments"]
        ],
    }


def _only(table: dict[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    return {key: table[key] for key in keys if key in table}
