"""Reads from a student's reports the facts that the policy rests on.

A content of a module is as old as the server's first sight of it, in whichever push: who goes on
with the next module after the due date hands nothing in late, and no commit's date is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from autograder.policy.feedback import Push
from autograder.policy.overrides import Who
from autograder.policy.standing import Attempt
from autograder.report.history import counting

Report = dict[str, Any]


class Facts:
    """What all `reports` of one student say."""

    def __init__(self, reports: Iterable[Report]):
        """Read the reports, in any order; one that is there twice counts once."""
        unique = {report["report_id"]: report for report in reports}
        self.reports = [unique[name] for name in sorted(unique)]
        self._first: dict[tuple[str, str], datetime] = {}
        for report in self.reports:
            for path, digest in _contents(report).items():
                at = moment(report)
                self._first[path, digest] = min(at, self._first.get((path, digest), at))

    @property
    def who(self) -> Who:
        """Whose reports they are."""
        return who(self.reports[0])

    def attempt(self, report: Report, module: dict[str, Any]) -> Attempt:
        """Return the attempt that `report` grades at `module`, one of its own."""
        path = module.get("source", "")
        digest = _contents(report).get(path, "")
        score = module["score"]
        return Attempt(
            at=self._first.get((path, digest), moment(report)),
            raw=score.get("raw_points", score["points"]),
            most=score["max_points"],
            name=report["submission"]["commit"] or report["report_id"],
            timed="repository_id" in report["submission"],
        )

    def attempts(self) -> dict[str, list[Attempt]]:
        """Return the attempts at each module, in its newest version that was graded.

        A push that could not be read is none, unless there is no other.
        """
        pairs = counting(self.reports)
        newest: dict[str, int] = {}
        for _, module in pairs:
            newest[module["id"]] = max(module["version"], newest.get(module["id"], 0))
        pairs = [pair for pair in pairs if pair[1]["version"] == newest[pair[1]["id"]]]
        found: dict[str, list[Attempt]] = {}
        for one in newest:
            mine = [pair for pair in pairs if pair[1]["id"] == one]
            readable = [pair for pair in mine if pair[0]["submission"]["digest"] is not None]
            found[one] = [self.attempt(*pair) for pair in readable or mine]
        return found

    def pushes(self, path: str) -> list[Push]:
        """Return when which content of the file `path` was pushed."""
        contents = [(moment(one), _contents(one).get(path)) for one in self.reports]
        return [Push(at, digest) for at, digest in contents if digest is not None]


def who(report: Report) -> Who:
    """Return whose report it is."""
    return Who(report["submission"].get("repository_id"), report["submitter"]["id"])


def content(report: Report, path: str) -> str | None:
    """Return the digest of the file `path` that was graded."""
    return _contents(report).get(path)


def moment(report: Report) -> datetime:
    """Return when the server saw the push, or when it was graded if no server did."""
    stamp = report["submission"]["submitted_at"] or report["created_at"]
    return datetime.fromisoformat(stamp.replace("Z", "+00:00"))


def by_submitter(reports: Iterable[Report]) -> dict[str, list[Report]]:
    """Return the reports of each submitter, in the order in which the first of each comes."""
    found: dict[str, list[Report]] = {}
    for report in reports:
        found.setdefault(report["submitter"]["id"], []).append(report)
    return found


def _contents(report: Report) -> dict[str, str]:
    files: Sequence[dict[str, str]] = report.get("artifacts", ())
    return {one["name"]: one["sha256"] for one in files}
