"""Plan: which heads are to be graded. Reads repositories, never runs a line of what is in them.

A sweep looks at every repository of the course, a dispatch at one. Several pushes to one are its
newest head, once; what is published for the same content is not graded again. When a push came is
what the server says in its activity; a commit's date is whatever its author typed.
"""

from __future__ import annotations

import hashlib
import heapq
import secrets
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from assignments.catalog import load_course
from autograder.errors import SubmissionError
from autograder.github.answers import Answers
from autograder.github.client import Client, GitHubError, Push, Repository
from autograder.github.job import Job, Plan, key_of, pack
from autograder.github.published import Content, Published
from autograder.github.repositories import RepositoryError, fetch_commit
from autograder.intake import Submission, receive
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

    def holds(self, repository: Repository, known: Iterable[int]) -> bool:
        """Tell a student's repository; one that has reports stays one under any name."""
        owner, _, name = repository.name.partition("/")
        ours = owner.lower() == self.organisation.lower() and repository.listed
        named = name.startswith(self.prefix) or repository.id in known
        return ours and named and repository.id not in self.without


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
    lines: list[str] = field(default_factory=list)

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
        found.sort(key=lambda one: (one[0].pushed_at, one[0].repository_id))
        keys = {job.key: len(archive) for job, archive in found if job.refused is None}
        shards = deal(list(keys), list(keys.values()))
        dealt = {key for keys in shards for key in keys}
        jobs = tuple(job for job, _ in found if job.refused or job.key in dealt)
        if len(jobs) < len(found):
            self.lines.append(f"{len(found) - len(jobs)} more wait for the next sweep")
        plan = Plan(self.suite, self.image, self.modules, jobs, shards, tuple(self.lines))
        return plan, {job.key: archive for job, archive in found}

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

    def _heads(self, repositories: Iterable[Repository]) -> Iterator[tuple[Repository, Push]]:
        """Yield each repository whose newest head is not published, as far as GitHub answers."""
        silent = 0
        for one in repositories:
            state = {"pushed_at": one.pushed_at, "suite": self.suite, "image": self.image}
            hint = f"settled {one.id} {self.module}".rstrip()
            if not self.force and self.hints.get(hint) == state:
                continue
            try:
                push = self.client.newest_push(one)
                silent = 0
            except GitHubError as error:
                silent += not error.is_gone
                self.lines.append(f"{one.name}: {error}")
                if silent == SILENCES:
                    self.lines.append("the sweep ends here; the next one takes up the rest")
                    return
                continue
            if self._is_settled(one, push):
                self.hints.keep(hint, state)
            else:
                yield one, push

    def _is_settled(self, repository: Repository, push: Push | None) -> bool:
        if push is None or push.is_empty:
            self.lines.append(f"{repository.name}: nothing on {repository.branch}, nothing graded")
            return True
        digest = (self.hints.get(f"digest {push.after}") or {}).get("digest")
        return not self.force and self._is_published(repository, push.after, digest)

    def _is_published(self, repository: Repository, commit: str, digest: str | None) -> bool:
        content = Content(digest, self.suite, self.image)
        return self.published.settled(repository.id, commit, content)

    def _prepare(self, head: tuple[Repository, Push]) -> tuple[Job, bytes] | None:
        """Fetch a head and pack what is graded of it; None where that is not to be done now."""
        repository, push = head
        with TemporaryDirectory(prefix="head-") as folder:
            bare = Path(folder) / "submission.git"
            try:
                fetch_commit(repository.url, push.after, bare, self.token)
                with receive(f"{bare}@{push.after}") as submission:
                    return self._packed(repository, push, submission)
            except SubmissionError as error:
                return self._refused(repository, push, str(error)), b""
            except RepositoryError as error:
                self.lines.append(f"{repository.name}: {error}; the next sweep tries again")
                return None

    def _packed(
        self, repository: Repository, push: Push, submission: Submission
    ) -> tuple[Job, bytes] | None:
        digest = f"sha256:{submission.digest}"
        self.hints.keep(f"digest {push.after}", {"digest": digest})
        if not self.force and self._is_published(repository, push.after, digest):
            return None
        job = self._job(repository, push, digest)
        job = replace(job, tree=submission.tree, digest=digest, notes=submission.notes)
        job = replace(job, files=tuple(self._files(submission)))
        return job, pack(submission)

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
            seed=secrets.randbits(32),
            attempt=len(reports) + 1,
            supersedes=same[-1]["report_id"] if same else None,
        )


def deal(keys: Sequence[str], weights: Sequence[int]) -> tuple[tuple[str, ...], ...]:
    """Deal `keys` to as few shards as hold them, none heavier or longer than it must be.

    Beyond 256 full shards the rest is left out.
    """
    keys, weights = keys[: SHARDS * SHARD_SIZE], weights[: SHARDS * SHARD_SIZE]
    shards: list[list[str]] = [[] for _ in range(-(-len(keys) // SHARD_SIZE))]
    lightest = [(0, number) for number in range(len(shards))]
    for weight, key in sorted(zip(weights, keys, strict=True), reverse=True):
        load, number = heapq.heappop(lightest)
        shards[number].append(key)
        if len(shards[number]) < SHARD_SIZE:
            heapq.heappush(lightest, (load + weight, number))
    return tuple(map(tuple, shards))
