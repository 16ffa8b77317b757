"""Publish: raw reports become signed ones in the scores repository. Never runs student code."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from assignments.catalog import Course
from autograder.github.job import Job, Plan
from autograder.github.published import Published
from autograder.github.ruling import Policy, ruled
from autograder.github.verdict import ClaimError, final_report, read_claim, refusal
from autograder.report.schema import validate
from autograder.sandbox.text import one_line
from autograder.signatures import sign

KILLED = (124, 137)  # by `timeout`, and by the kernel for memory or by `timeout --kill-after`


@dataclass
class Publisher:
    """What reports are made with, and what there was to say."""

    plan: Plan
    published: Published
    course: Course
    policy: Policy
    submitter_key: bytes
    signing_key: Path
    now: datetime
    term: str = ""
    lines: list[str] = field(default_factory=list)

    def signed(self, raw: Path) -> list[tuple[bytes, bytes]]:
        """Return every report of the plan that came back, with its signature."""
        return [signed(report, self.signing_key) for report in self.reports(raw)]

    def reports(self, raw: Path) -> list[dict[str, Any]]:
        """Return every report of the plan that came back, with what the policy gives."""
        reports = list(self._reports(raw))
        return [self._rule(report, reports) for report in reports]

    def _reports(self, raw: Path) -> Iterator[dict[str, Any]]:
        for job in self.plan.jobs:
            if job.refused is not None:
                yield self._refusal(job.refused, "error", job)
        for number, keys in enumerate(self.plan.shards):
            for key in keys:
                job = self.plan.job(key)
                report = self._report(raw, number, job)
                if report is None:
                    self._say(job, "no report came back: the next sweep takes it up")
                else:
                    yield report

    def _report(self, raw: Path, shard: int, job: Job) -> dict[str, Any] | None:
        try:
            claim = read_claim(raw, shard, job.key)
            if claim is None:
                return None
            if isinstance(claim, int):
                raise ClaimError(_ended(claim))
            return self._final(claim, job)
        except ClaimError as error:
            self._say(job, str(error))
            return self._refusal(str(error), "ungradable", job)

    def _final(self, claim: dict[str, Any], job: Job) -> dict[str, Any]:
        key, now = self.submitter_key, self.now
        return final_report(claim, job, self.plan, self.course, key=key, now=now)

    def _refusal(self, reason: str, status: str, job: Job) -> dict[str, Any]:
        key, now = self.submitter_key, self.now
        return refusal(reason, status, job, self.plan, self.course, key=key, now=now)

    def _rule(self, report: dict[str, Any], others: list[dict[str, Any]]) -> dict[str, Any]:
        """Return `report` with what the policy gives; `others` came back with it."""
        repository = report["submission"]["repository_id"]
        if self.term:
            report = report | {"course": report["course"] | {"term": self.term}}
        mine = [one for one in others if one["submission"]["repository_id"] == repository]
        known = [*self.published.reports(repository), *mine]
        return validate(ruled(report, known, self.policy))

    def _say(self, job: Job, line: str) -> None:
        self.lines.append(one_line(f"{job.repository} {job.commit[:10]}: {line}", 400))


def signed(report: dict[str, Any], key: Path) -> tuple[bytes, bytes]:
    """Return a report as it is published, and its signature."""
    content = json.dumps(report, indent=1, allow_nan=False).encode("ascii") + b"\n"
    return content, sign(content, key)


def _ended(code: int) -> str:
    if code in KILLED:
        return f"the container was ended for its time or memory (exit code {code})"
    return f"the container ended without a report (exit code {code})"
