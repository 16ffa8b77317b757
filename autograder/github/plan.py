"""Plan: which heads are to be graded. Reads repositories, never runs a line of what is in them.

A sweep looks at every repository of the course, a dispatch at one. Several pushes to one are its
newest head, once, and those that may count more than it by the policy (wanted.py); what is
published for the same content is not graded again. When a push came is
what the server says in its activity; a commit's date is whatever its author typed.
"""

from __future__ import annotations

import hashlib
import heapq
import secrets
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from assignments.catalog import load_course
from autograder.errors import SubmissionError
from autograder.github.answers import Answers
from autograder.github.client import Client, GitHubError, Push, Repository
from autograder.github.job import Job, Plan, key_of, pack
from autograder.github.published import Content, Published
from autograder.github.repositories import RepositoryError, fetch_commit
from autograder.github.wanted import before_boundaries, counting_pushes
from autograder.intake import Limits, Submission, receive
from autograder.policy import Policy, Who
from autograder.report.build import utc
from autograder.suite import suite_digest

SHARDS, SHARD_SIZE = 256, 20  # a matrix holds 256; twenty submissions are a few minutes
FETCHES = 8  # at a time
SILENCES = 3  # repositories in a row without an answer: then the API is down, and the sweep ends


@dataclass(frozen=True)
class Scope:
    """Whose repositories count as the course's."""

    organisation: str
    prefix: str = ""  # of the repository's name
    without: frozenset[int] = frozenset()  # the grader's own
    scores: str = ""  # the address of the scores repository: no student's

    def holds(self, repository: Repository, known: Iterable[int]) -> bool:
        """Tell a student's repository; one that has reports stays one under any name."""
        owner, _, name = repository.name.partition("/")
        ours = owner.lower() == self.organisation.lower() and repository.listed
        named = name.startswith(self.prefix) or repository.id in known
        own = repository.id in self.without or repository.url.lower() == self.scores.lower()
        return ours and named and not own


class Head(NamedTuple):
    """A push that may have to be graded."""

    repository: Repository
    push: Push
    is_newest: bool = False  # what is on the branch now


@dataclass
class Sweep:
    """One run of planning: what it works with, and what it has to say."""

    client: Client
    published: Published
    scope: Scope
    image: str  # digest
    token: str
    hints: Answers = field(default_factory=lambda: Answers(None))
    force: bool = False
    module: str = ""  # this one alone, as in "03"; all if empty
    policy: Policy = field(default_factory=Policy)
    lines: list[str] = field(default_factory=list)
    area = ""  # what the hints of another kind of sweep begin with
    intake: Limits | None = None
    seed_bits = 32
    shard_size = 0  # SHARD_SIZE

    def __post_init__(self):
        """Look up once what every job shares."""
        course = load_course()
        one = (course.assignment(self.module),) if self.module else ()
        self.assignments = one or course.assignments
        self.modules = tuple(one.id for one in self.assignments)
        self.suite = suite_digest(self.assignments)
        self.known = frozenset(self.published.repositories())

    def plan(self, only: int | None = None) -> tuple[Plan, dict[str, bytes]]:
        """Return the plan and the packed submissions by key; `only` is a repository's id."""
        heads = list(self._heads(self._repositories() if only is None else self._one(only)))
        with ThreadPoolExecutor(FETCHES) as threads:
            found = [one for one in threads.map(self._prepare, heads) if one is not None]
        found = list(_numbered(found))
        keys = {job.key: len(archive) for job, archive in found if job.refused is None}
        shards = deal(list(keys), list(keys.values()), self.shard_size or SHARD_SIZE)
        dealt = {key for keys in shards for key in keys}
        jobs = tuple(job for job, _ in found if job.refused or job.key in dealt)
        if len(jobs) < len(found):
            self.lines.append(f"{len(found) - len(jobs)} more wait for the next sweep")
        plan = Plan(self.suite, self.image, self.modules, jobs, shards, tuple(self.lines))
        return self._finished(plan), {job.key: archive for job, archive in found}

    def _finished(self, plan: Plan) -> Plan:
        return plan

    def _repositories(self) -> list[Repository]:
        listed = self.client.repositories(self.scope.organisation)
        gone = self.known - {one.id for one in listed}
        for number in sorted(gone):
            self.lines.append(f"repository {number} is gone; what is published of it stays")
        return [one for one in listed if self.scope.holds(one, self.known)]

    def _one(self, number: int) -> list[Repository]:
        try:
            found = self.client.repository(number)
        except GitHubError as error:
            if not error.is_gone:
                raise
            self.lines.append(f"repository {number} is gone; what is published of it stays")
            return []
        if not self.scope.holds(found, self.known):
            self.lines.append(f"repository {number} is none of this course's students")
            return []
        return [found]

    def _heads(self, repositories: Iterable[Repository]) -> Iterator[Head]:
        """Yield the pushes that are to be graded and are not, as far as GitHub answers."""
        silent = 0
        for one in repositories:
            state = {
                "pushed_at": one.pushed_at,
                "branch": one.branch,
                "suite": self.suite,
                "image": self.image,
                "signers": self.published.signers and self.published.signers.digest,
            }
            state["policy"] = hashlib.sha256(repr(self.policy).encode()).hexdigest()
            hint = f"{self.area}settled {one.id} {self.module}".rstrip()
            if not self.force and self.hints.get(hint) == state:
                continue
            try:
                wanted = self._wanted(one)
                silent = 0
            except GitHubError as error:
                silent += not error.is_gone
                self.lines.append(f"{one.name}: {error}")
                if silent == SILENCES:
                    self.lines.append("the sweep ends here; the next one takes up the rest")
                    return
                continue
            if not wanted:
                self.hints.keep(hint, state)
            yield from wanted

    def _wanted(self, repository: Repository) -> list[Head]:
        """Return which pushes to one repository are to be graded, oldest first."""
        push = self.client.newest_push(repository)
        if push is None or push.is_empty:
            self.lines.append(f"{repository.name}: nothing on {repository.branch}, nothing graded")
            return []
        heads = [Head(repository, one) for one in self._deciding(repository, push)]
        heads.append(Head(repository, push, is_newest=True))
        digests = [self.hints.get(f"{self.area}digest {one.push.after}") or {} for one in heads]
        pairs = zip(heads, digests, strict=True)
        return [one for one, known in pairs if not self._is_settled(one, known.get("digest"))]

    def _deciding(self, repository: Repository, head: Push) -> Iterator[Push]:
        """Yield the pushes before `head` that may count more than it, see wanted.py."""
        reports = self.published.reports(repository.id)
        if not self.module:  # else no new work is looked for
            submitter = reports[0]["submitter"]["id"] if reports else None
            boundaries = self.policy.boundaries(Who(repository.id, submitter))
            yield from before_boundaries(self.client.pushes(repository), boundaries, head)
        suites = {one["grader"]["suite_digest"] for one in reports}
        if reports and (self.force or suites - {self.suite}):
            for push in counting_pushes(reports, self.policy, self.modules):
                if push.after != head.after:
                    yield push

    def _is_settled(self, head: Head, digest: str | None) -> bool:
        """Tell whether nothing is to be done for a push whose content has this `digest`."""
        content, number = Content(digest, self.suite, self.image), head.repository.id
        settled = self.published.settled(number, head.push.after, content)
        if settled and head.is_newest and self.policy.counts_latest:
            settled = self.published.is_newest(number, head.push, content)
        return settled and not self.force

    def _prepare(self, head: Head) -> tuple[Job, bytes] | None:
        """Fetch a push and pack what is graded of it; None where that is not to be done now."""
        repository, push = head.repository, head.push
        with TemporaryDirectory(prefix="head-") as folder:
            bare = Path(folder) / "submission.git"
            try:
                fetch_commit(repository.url, push.after, bare, self.token)
                with receive(f"{bare}@{push.after}", self.intake) as submission:
                    return self._packed(head, submission)
            except SubmissionError as error:
                return self._refused(repository, push, str(error)), b""
            except RepositoryError as error:
                self.lines.append(f"{repository.name}: {error}; the next sweep tries again")
                return None

    def _packed(self, head: Head, submission: Submission) -> tuple[Job, bytes] | None:
        digest = self._digest(submission)
        self.hints.keep(f"{self.area}digest {head.push.after}", {"digest": digest})
        if self._is_settled(head, digest):
            return None
        job = self._job(head.repository, head.push, digest)
        job = replace(job, tree=submission.tree, digest=digest, notes=submission.notes)
        job = replace(job, files=tuple(self._files(submission)))
        return job, pack(submission)

    def _digest(self, submission: Submission) -> str:
        return f"sha256:{submission.digest}"

    def _files(self, submission: Submission) -> Iterator[tuple[str, str]]:
        for one in self.assignments:
            content = submission.source(one.module)
            if content is not None:
                yield one.source, hashlib.sha256(content).hexdigest()

    def _refused(self, repository: Repository, push: Push, reason: str) -> Job:
        return replace(self._job(repository, push, push.after), refused=reason)

    def _job(self, repository: Repository, push: Push, content: str) -> Job:
        if push.kind == "force_push":
            line = "was force-pushed: graded as it is now, earlier reports stay"
            self.lines.append(f"{repository.name} {line}")
        reports = self.published.reports(repository.id)
        same = [one for one in reports if one["submission"]["commit"] == push.after]
        return Job(
            key=key_of(repository.id, content, self.suite, self.image),
            repository_id=repository.id,
            repository=repository.name,
            owner_id=repository.owner_id,
            commit=push.after,
            tree=None,
            digest=None,
            pushed_at=utc(push.at),
            before=push.before,
            kind=push.kind,
            modules=self.modules,
            seed=secrets.randbits(self.seed_bits),
            attempt=len(reports) + 1,  # see _numbered
            supersedes=same[-1]["report_id"] if same else None,
        )


def _numbered(found: Iterable[tuple[Job, bytes]]) -> Iterator[tuple[Job, bytes]]:
    """Yield the jobs oldest first, each content of a repository once, attempts counted on."""
    order = sorted(found, key=lambda one: (one[0].pushed_at, one[0].repository_id))
    keys: set[str] = set()
    more: Counter[int] = Counter()
    for job, archive in order:
        if job.key not in keys:
            keys.add(job.key)
            yield replace(job, attempt=job.attempt + more[job.repository_id]), archive
            more[job.repository_id] += 1


def deal(
    keys: Sequence[str], weights: Sequence[int], size: int = SHARD_SIZE
) -> tuple[tuple[str, ...], ...]:
    """Deal `keys` to as few shards as hold them, none heavier or longer than it must be.

    Beyond 256 full shards the rest is left out.
    """
    keys, weights = keys[: SHARDS * size], weights[: SHARDS * size]
    shards: list[list[str]] = [[] for _ in range(-(-len(keys) // size))]
    lightest = [(0, number) for number in range(len(shards))]
    for weight, key in sorted(zip(weights, keys, strict=True), reverse=True):
        load, number = heapq.heappop(lightest)
        shards[number].append(key)
        if len(shards[number]) < size:
            heapq.heappush(lightest, (load + weight, number))
    return tuple(map(tuple, shards))
