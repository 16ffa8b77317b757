"""The competition on GitHub: the same plan, publication and message as for modules, of entries.

Plan: the newest push of everybody who has a folder `entry/`; in the final those who are ranked, on
one machine. Publish: a claim is held against the plan, and its points follow from its metrics.
Tell: a comment of its own, with the student's place and the few just ahead.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import chain
from typing import Any

from assignments.catalog import Course, load_course
from assignments.competition.tracks import by_id, tracks
from autograder.competition import states
from autograder.competition.changes import load_changes
from autograder.competition.identity import absent, digest, heading
from autograder.errors import AutograderError
from autograder.github.client import Push, Repository
from autograder.github.feedback import COMMENT
from autograder.github.job import Job, Plan
from autograder.github.plan import Head, Sweep
from autograder.github.publish import Publisher
from autograder.github.published import Published
from autograder.github.tell import Herald
from autograder.github.verdict import ClaimError, hold_against_plan, report_head, submission
from autograder.intake import WITH_ENTRIES, Limits, Submission
from autograder.leaderboard.board import Board, build
from autograder.leaderboard.place import student_page
from autograder.leaderboard.tracks import results
from autograder.report.build import grader, head, overall_status, total
from autograder.report.schema import validate
from autograder.sandbox.text import one_line
from autograder.scores import races
from autograder.scores.document import COMPETITION

NO_ENTRY = "none"  # the digest of who has none
FEW, ALL = 4, 20  # entries of a shard: each takes some ten minutes, and a job ends after six hours
EMPTY = "entry/ holds no entry: add entry/<track>.py, as assignments/competition says"
MARKER = "<!-- autograder: competition -->"


@dataclass
class RaceSweep(Sweep):
    """Finds the entries that are to be measured."""

    is_final: bool = False
    area = "competition "
    intake: Limits | None = field(default_factory=lambda: WITH_ENTRIES)
    seed_bits = 128

    def __post_init__(self):
        """Look up once what every job shares; what staff decided must fit to what is published."""
        found = map(self.published.reports, self.published.repositories())
        results(chain.from_iterable(found), load_changes(load_course()))
        self.assignments, self.modules, self.suite = (), tuple(tracks()), digest()
        self.module = COMPETITION  # so no older push is looked for
        # who was ever graded is of the course, too
        here = Published(self.published.folder, signers=self.published.signers)
        self.known = frozenset([*self.published.repositories(), *here.repositories()])
        self.shard_size = ALL if self.is_final else FEW
        self.force = self.force or self.is_final

    def _finished(self, plan: Plan) -> Plan:
        if self.is_final and len(plan.shards) > 1:
            self.lines.append("the final is more than one machine's work: it is on several")
        lines = tuple(self.lines)
        return replace(plan, lines=lines, is_competition=True, is_final=self.is_final)

    def _repositories(self) -> list[Repository]:
        found = super()._repositories()
        if not self.is_final:
            return found
        board = _board(self.published)
        ranked = {
            row.repository for table in (board.tables if board else ()) for row in table.ranked
        }
        return [one for one in found if one.id in ranked]

    def _deciding(self, repository: Repository, head: Push) -> Iterator[Push]:
        return iter(())

    def _is_settled(self, head: Head, digest: str | None) -> bool:
        is_idle = digest == NO_ENTRY and not self.is_final
        return is_idle or super()._is_settled(head, digest)

    def _digest(self, submission: Submission) -> str:
        # in the final, who has none any more gets a report that says so
        is_job = self.is_final or submission.entry()
        return super()._digest(submission) if is_job else NO_ENTRY

    def _files(self, submission: Submission) -> Iterator[tuple[str, str]]:
        for name, content in submission.entry().items():
            yield f"entry/{name}", hashlib.sha256(content).hexdigest()


class RacePublisher(Publisher):
    """Makes reports of the competition."""

    def _final(self, claim: dict[str, Any], job: Job) -> dict[str, Any]:
        if claim.get("assignments") == [] and not self.plan.is_final:
            return self._refusal(EMPTY, "error", job)
        return final_race(claim, job, self.plan, self.submitter_key, self.now)

    def _refusal(self, reason: str, status: str, job: Job) -> dict[str, Any]:
        return refusal(reason, status, job, self.plan, self.course, self.submitter_key, self.now)

    def _rule(self, report: dict[str, Any], others: list[dict[str, Any]]) -> dict[str, Any]:
        """Return `report`: no due date is about the competition."""
        term = {"term": self.term} if self.term else {}
        return validate(report | {"course": report["course"] | term})


def final_race(
    claim: dict[str, Any], job: Job, plan: Plan, key: bytes, now: datetime
) -> dict[str, Any]:
    """Return the staff's report that a claim supports; ClaimError where it says something else."""
    try:
        validate(claim)
    except AutograderError as error:
        raise ClaimError(str(error)) from None
    hold_against_plan(claim, job, replace(plan, modules=_ids(claim)))
    faults = [*races.unknown(claim)] or [*races.too_good(claim)]
    state = states.VERIFIED if plan.is_final else states.CI
    faults += [f"{one['id']} is {one['state']}" for one in _of_another(claim, state)]
    if faults:
        raise ClaimError(f"the raw report claims too much: {faults[0]}")
    shown = [*map(_assignment, claim["assignments"])]
    if plan.is_final:  # of a track that the claim leaves out nothing earlier counts on
        left = (tracks()[name] for name in plan.modules)
        shown += [absent(one, state) for one in left if one.id not in _ids(claim)]
    taken = ("schema", "audience", "course", "environment", "metrics", "leaderboard")
    return validate(
        {
            **{name: claim[name] for name in taken if name in claim},
            **report_head(job, key, now),
            "submission": submission(job, claim["submission"]["digest"]),
            "grader": claim["grader"] | {"image_digest": plan.image_digest},
            "assignments": shown,
            "status": overall_status(
                [one["status"] for one in shown] or ["failed"], _earned(shown)
            ),
            "score": total(_scores(shown)),
            "tests": [],
            "artifacts": [{"name": name, "sha256": sha} for name, sha in job.files],
        }
    )


def _ids(claim: dict[str, Any]) -> tuple[str, ...]:
    return tuple(one["id"] for one in claim["assignments"])


def _of_another(claim: dict[str, Any], state: str) -> list[dict[str, Any]]:
    return [one for one in claim["assignments"] if one["state"] != state]


def _assignment(claimed: dict[str, Any]) -> dict[str, Any]:
    """Return a track's result as the course names it."""
    track = by_id(claimed["id"])
    kept = ("score", "state", "division", "medal")
    facts = {name: claimed[name] for name in kept if name in claimed}
    if "note" in claimed:
        facts["note"] = one_line(claimed["note"], 1000)
    is_missed = claimed.get("status") == "failed"  # a gate
    status = "passed" if claimed["score"] else "failed" if is_missed else "error"
    return {**heading(track), "status": status, **facts}


def _scores(shown: list[dict[str, Any]]) -> list[tuple[float, float]]:
    return [(one["score"]["points"] if one["score"] else 0, 100) for one in shown] or [(0, 100)]


def _earned(shown: list[dict[str, Any]]) -> bool:
    return any(points for points, _ in _scores(shown))


def refusal(
    reason: str, status: str, job: Job, plan: Plan, course: Course, key: bytes, now: datetime
) -> dict[str, Any]:
    """Return the report of what could not be measured: no track of it is ranked, none is 0."""
    reason, ours = one_line(reason, 1000), status == "ungradable"
    state = states.VERIFIED if plan.is_final else states.CI
    chosen = [tracks()[name] for name in plan.modules]
    result = {"status": status, "score": None, "state": state}
    result |= {} if ours else {"note": reason}  # why we failed may quote what is hidden
    report = {
        **head(course, now, job.supersedes),
        **report_head(job, key, now),
        "assignments": [{**heading(one), **result} for one in chosen],
        # no digest: it was not read whether the student is to be named
        "submission": submission(job, None),
        "grader": grader(plan.suite_digest, job.seed, "full") | {"image_digest": plan.image_digest},
        "status": status,
        "reason": reason,
        "score": None if ours else total([(0, 100) for _ in chosen]),
        "tests": [],
        "metrics": [],
        "leaderboard": {"opt_in": False, "alias": None},
        "artifacts": [],
    }
    return validate(report)


@dataclass
class RaceHerald(Herald):
    """Tells students their place."""

    marker = MARKER

    def __post_init__(self):
        """Rank once, for all who are told."""
        self.board = _board(self.published)

    def _tell(self, repository: int) -> datetime | None:
        report = self.published.newest(repository)
        is_failed = report["status"] == "ungradable"
        who = report["submitter"]["id"]
        refused = "" if is_failed else report.get("reason", "")
        page = student_page(self.board, who, self.now, is_failed=is_failed, refused=refused)
        self._write_comment(repository, f"{MARKER}\n{page}"[:COMMENT])
        self.rows.append((repository, report["submission"]["commit"], "competition"))
        return None


def _board(published: Published) -> Board | None:
    """Rank what is published; a grading of modules may take a name back as well."""
    grades, found = Published(published.folder, signers=published.signers), []
    for repository in published.repositories():
        found += published.reports(repository)
        # a class's checks, of all its pushes, would not fit into memory
        found += [one | {"tests": []} for one in grades.read(repository)]
    found.sort(key=lambda one: one["report_id"])
    return build(found, load_changes(load_course()))
