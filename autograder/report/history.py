"""Which results of many reports count: a regrade replaces what it graded anew, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from autograder.report.redact import is_ranked

Report = dict[str, Any]


def counting(reports: Iterable[Report]) -> list[tuple[Report, dict[str, Any]]]:
    """Return each grade with each of its modules that no later grade replaced, in given order.

    A report replaces, module by module, those before it in its chain of `supersedes`. One that is
    no grade replaces nothing, so nobody vanishes while being graded again.
    """
    grades = [report for report in reports if is_ranked(report)]
    gone = _replaced(grades)
    return [
        (report, module)
        for report in grades
        for module in report["assignments"]
        if (report["report_id"], module["id"]) not in gone
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
    return gone
