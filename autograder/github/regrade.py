"""Regrade: who goes up and down if today's policy, or a new grading, is published.

What students were told stands in the signed reports. Where the policy now gives something else (a
due date was moved, an extension given, an override taken back), `republished` makes reports that
supersede those, of the same commit, checks and seed. Until one is there the old one counts, so
nobody vanishes from the board; what does not change is not published again.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple

from ulid import ULID

from assignments.catalog import load_course
from autograder.errors import GraderError
from autograder.github.job import read_plan
from autograder.github.publish import Publisher, signed
from autograder.github.published import Published
from autograder.github.ruling import ruled
from autograder.github.runs import cloned, submitter_key
from autograder.leaderboard.collect import collect
from autograder.policy import Policy, load_policy, standing
from autograder.policy.facts import Facts
from autograder.report.build import utc
from autograder.report.history import counting
from autograder.report.schema import validate
from autograder.scores import Refused, Shared, Signers, share

Report = dict[str, Any]


class Change(NamedTuple):
    """A module of a student that counts something else than before."""

    repository: int
    module: str
    before: float | None  # None: it was not graded
    after: float
    why: str

    @property
    def gain(self) -> float:
        """The points that the student wins; negative where they lose."""
        return round(self.after - (self.before or 0), 5)


@dataclass
class Regrade:
    """The verified reports of each repository, and what would become of them."""

    known: dict[int, list[Report]]
    policy: Policy
    now: datetime
    new: dict[int, list[Report]]  # graded again, not published yet
    refused: list[Refused] = field(default_factory=list)  # what is no report to go by, and why

    def changes(self) -> list[Change]:
        """Return what changes, the greatest loss first."""
        found = [one for number in self._repositories() for one in self._changes(number)]
        return sorted(found, key=lambda one: (one.gain, one.repository, one.module))

    def _repositories(self) -> list[int]:
        return sorted({*self.known, *self.new})

    def _changes(self, repository: int) -> Iterator[Change]:
        old = self.known.get(repository, [])
        facts = Facts([*old, *self.new.get(repository, [])])
        told = recorded(old, self.policy)
        for module, outcome in standing(self.policy, facts.who, facts.attempts()).items():
            if told.get(module) != outcome.points:
                why = "; ".join(one.reason for one in outcome.adjustments) or "nothing adjusts it"
                yield Change(repository, module, told.get(module), outcome.points, why)

    def republished(self) -> Iterator[Report]:
        """Yield a report for each that the policy now gives something else, superseding it."""
        for repository in sorted(self.known):
            reports = self.known[repository]
            counted = {report["report_id"] for report, _ in counting(reports)}
            for report in reports:
                anew = ruled(report, reports, self.policy)
                if report["report_id"] in counted and not _is_same(report, anew):
                    head = {
                        "report_id": str(ULID.from_datetime(self.now)),
                        "supersedes": report["report_id"],
                        "created_at": utc(self.now),
                    }
                    yield validate(anew | head)


def recorded(reports: list[Report], policy: Policy) -> dict[str, float]:
    """Return what each module counts by what the reports say, as students were told."""
    if not reports:
        return {}
    facts = Facts(map(_as_told, reports))
    term = policy.term and replace(policy.term, deadlines=(), late_days=0)
    outcomes = standing(Policy(term), facts.who, facts.attempts())
    return {module: outcome.points for module, outcome in outcomes.items()}


def _as_told(report: Report) -> Report:
    told = ("points", "max_points")
    modules = [
        one | {"score": one["score"] and {key: one["score"][key] for key in told}}
        for one in report["assignments"]
    ]
    return report | {"assignments": modules}


def _is_same(report: Report, anew: Report) -> bool:
    """Tell whether a report says already what it would say now."""
    return all(
        _figures(one) == _figures(two)
        for one, two in zip(report["assignments"], anew["assignments"], strict=True)
    )


def _figures(module: dict[str, Any]) -> tuple:
    score = module["score"]
    raw = score.get("raw_points", score["points"])
    return score["points"], raw, score.get("adjustments", []), module.get("due_at")


@dataclass(frozen=True)
class Sources:
    """Where a regrade reads, and whom it believes."""

    scores: str
    signers: Path
    suites: Path | None = None
    term: str | None = None
    overrides: Path | None = None


def regrade(sources: Sources, raw: Path | None = None, plan: Path | None = None) -> Regrade:
    """Return the regrade of all published reports, and of `raw` ones that came back of a `plan`."""
    now, course = datetime.now(timezone.utc), load_course()
    policy = load_policy(course, sources.overrides)
    with cloned(sources.scores, _token()) as published:
        known, refused = _verified(published, sources)
        new: dict[int, list[Report]] = {}
        if raw is not None:
            planned = read_plan(plan or Path("plan", "plan.json"))
            key = submitter_key()
            believed = Published(published.folder, signers=Signers(sources.signers))
            publisher = Publisher(
                planned, believed, course, policy, key, Path(), now, sources.term or ""
            )
            for report in publisher.reports(raw):
                new.setdefault(report["submission"]["repository_id"], []).append(report)
    return Regrade(known, policy, now, new, refused)


def apply(regrade: Regrade, sources: Sources, key: Path) -> Shared:
    """Publish the reports that supersede; whoever they are about is told with the next sweep."""
    if regrade.new:
        raise GraderError("raw reports are published by `autograder publish`: leave --raw out")
    reports = [signed(report, key) for report in regrade.republished()]
    return share(sources.scores, reports, token=_token(), signers=Signers(sources.signers))


def _verified(
    published: Published, sources: Sources
) -> tuple[dict[int, list[Report]], list[Refused]]:
    """Return the whole reports that count, and what is refused.

    What is signed again must have been signed.
    """
    found = collect(
        published.folder, sources.signers, suites=sources.suites, term=sources.term or None
    )
    good: dict[int, set[str]] = {}
    for report in found.accepted:
        good.setdefault(report["submission"]["repository_id"], set()).add(report["report_id"])
    pairs = ((one, _those(published.reports(one), ids)) for one, ids in sorted(good.items()))
    return {repository: reports for repository, reports in pairs if reports}, found.refused


def _those(reports: Iterable[Report], ids: set[str]) -> list[Report]:
    return [report for report in reports if report["report_id"] in ids]


def _token() -> str:
    return os.environ.get("SCORES_TOKEN") or os.environ.get("GH_TOKEN") or ""
