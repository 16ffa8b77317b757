"""Tell students what is published: each at most once, and whoever was missed with the next sweep.

Nothing is ever posted twice: a check run is found by its commit and the app, the comment by its
marker and the app, and then they are edited. A student can write the marker, but not as the app.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from autograder.github import feedback
from autograder.github.client import Client, GitHubError
from autograder.github.published import Published
from autograder.github.ruling import Decision, Policy, rule, ruled

BUDGET_S = 420.0  # of a job's ten minutes; GitHub allows some 500 writes an hour anyway
SILENCES = 3


@dataclass
class Herald:
    """Who tells, and what came of it."""

    client: Client
    published: Published
    policy: Policy
    app: int  # the app's own id
    notices: bool = False
    now: datetime = field(default_factory=lambda: datetime.now(timezone.utc))
    budget_s: float = BUDGET_S
    lines: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)  # old Classroom notices
    rows: list[tuple[int, str, str]] = field(default_factory=list)  # repository, commit, score
    marker = feedback.MARKER  # of the comment

    def tell(self) -> dict[int, datetime | None]:
        """Tell all who do not know yet; return who was told, and when they are to be told more."""
        ends, silent = time.monotonic() + self.budget_s, 0
        told: dict[int, datetime | None] = {}
        waiting = self.published.untold(self.now)
        for number, repository in enumerate(waiting):
            if silent == SILENCES or time.monotonic() > ends:
                self.lines.append(f"{len(waiting) - number} are told with the next sweep")
                break
            due = None
            try:
                due = self._tell(repository)
                silent = 0
            except GitHubError as error:
                self.lines.append(f"repository {repository}: {error}")
                silent += not error.is_gone
                if not error.is_gone:
                    continue
            told[repository] = due, self.published.tell(repository, due)
        return told

    def _tell(self, repository: int) -> datetime | None:
        """Tell one; return when there will be more to tell without another push."""
        report = self.published.newest(repository)
        earlier = self.published.earlier(repository, report)
        view, decisions = self._view(report)
        before = earlier and self._view(earlier)[0]
        run = feedback.check_run(view, before, decisions)
        score = run["output"]["title"]
        self._write_check_run(repository, run)
        self._write_comment(repository, feedback.comment(view, before, decisions))
        self.rows.append((repository, view["submission"]["commit"], score))
        if self.notices:
            self.said.extend(feedback.notices(view))
        held = [one.feedback.next_at for one in decisions.values() if not one.feedback.allowed]
        return min(held, default=None)

    def _view(self, report: dict[str, Any]) -> tuple[dict[str, Any], Mapping[str, Decision]]:
        """Return what a student may read of `report`, and the decisions on its modules."""
        reports = self.published.reports(report["submission"]["repository_id"])
        decisions = rule(report, reports, self.policy, self.now)
        return feedback.student_view(ruled(report, reports, self.policy), decisions), decisions

    def _write_check_run(self, repository: int, run: dict[str, Any]) -> None:
        try:
            known = self.client.check_runs(repository, run["head_sha"], run["name"], self.app)
            self.client.write_check_run(repository, run, known[0]["id"] if known else None)
        except GitHubError as error:
            if error.status != 422:
                raise
            self.lines.append(f"repository {repository}: {run['head_sha'][:10]} is no longer there")

    def _write_comment(self, repository: int, text: str) -> None:
        try:
            issue = next(self._own(self.client.issues(repository), feedback.MARKER), None)
            if issue is None:
                issue = self.client.create_issue(repository, feedback.ISSUE_TITLE, feedback.ISSUE)
            number = issue["number"]
            known = next(self._own(self.client.comments(repository, number), self.marker), None)
            if known is None:
                self.client.comment(repository, number, text)
            elif known["body"] != text:
                self.client.edit_comment(repository, known["id"], text)
        except GitHubError as error:
            if error.status not in (403, 410):  # archived, or issues are switched off
                raise
            self.lines.append(f"repository {repository}: no comment, the check run says it all")

    def _own(self, items: Iterator[dict[str, Any]], marker: str) -> Iterator[dict[str, Any]]:
        """Yield what the app itself wrote and marked."""
        for one in items:
            author = (one.get("performed_via_github_app") or {}).get("id")
            if author == self.app and (one.get("body") or "").startswith(marker):
                yield one
