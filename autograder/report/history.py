"""Which results of many reports count: a regrade replaces what it graded anew, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from autograder.report.build import overall_status
from autograder.report.redact import is_ranked

Report = dict[str, Any]


def counting(reports: Iterable[Report]) -> list[tuple[Report, dict[str, Any]]]:
    """Return each grade with each of its modules that no later grade replaced, in given order.

    A report replaces, module by module, those before it in its chain of `supersedes`, and earlier
    attempts at grading the same commit. One that is no grade replaces nothing, so nobody vanishes
    while being graded again.
    """
    grades = [report for report in reports if is_ranked(report)]
    gone = _replaced(grades)
    return [
        (report, module)
        for report in grades
        for module in report["assignments"]
        if (report["report_id"], module["id"]) not in gone
        and module.get("kind") != "competition"  # a board of its own, and no mark
    ]


def _replaced(grades: list[Report]) -> set[tuple[str, str]]:
    before = {report["report_id"]: report["supersedes"] for report in grades}
    gone: set[tuple[str, str]] = set()
    for report in grades:
        seen, earlier = {report["report_id"]}, report["supersedes"]
        while earlier is not None and earlier not in seen:
            gone |= {(earlier, module["id"]) for module in report["assignments"]}
            seen.add(earlier)
            earlier = before.get(earlier)
    return gone | _regraded(grades)


def _regraded(grades: list[Report]) -> set[tuple[str, str]]:
    results = [
        (_revision(one), module["id"], one) for one in grades for module in one["assignments"]
    ]
    last: dict[tuple, tuple[int, str]] = {}
    for revision, module, report in results:
        last[revision, module] = max(_attempt(report), last.get((revision, module), (0, "")))
    return {
        (report["report_id"], module)
        for revision, module, report in results
        if _attempt(report) < last[revision, module]
    }


def _revision(report: Report) -> tuple:
    """Return what was graded; what has no commit is like no other."""
    commit = report["submission"]["commit"] or report["report_id"]
    return report["submitter"]["id"], commit


def _attempt(report: Report) -> tuple[int, str]:
    return report["submission"].get("attempt", 1), report["report_id"]


def whole(reports: list[Report]) -> Report:
    """Return the last of `reports`, all of one commit, with the modules that only others graded.

    So a regrade of one module leaves a student the page on all of them.
    """
    last = max(reports, key=_attempt)
    results = counting(reports)
    if last["score"] is None or len({id(report) for report, _ in results}) < 2:
        return last
    modules = sorted((one for _, one in results), key=lambda one: one["id"])
    tests = {id(report): report["tests"] for report, _ in results}
    score = {
        key: round(sum(one["score"][key] for one in modules), 5) for key in ("points", "max_points")
    }
    return last | {
        "assignments": modules,
        "tests": [
            test
            for report, one in sorted(results, key=lambda pair: pair[1]["id"])
            for test in tests[id(report)]
            if test["module"] == one["id"]
        ],
        "status": overall_status([one["status"] for one in modules], score["points"] > 0),
        "score": score | {"raw_points": score["points"], "adjustments": []},
    }
