"""A course on the stand-in for GitHub, and what a sweep of it finds."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from assignments.catalog import load_course
from autograder.github import plan as plans
from autograder.github import runs
from autograder.github.answers import Answers
from autograder.github.client import Client
from autograder.github.job import Job, Plan
from autograder.github.plan import Scope, Sweep
from autograder.github.published import Published
from autograder.suite import load_suite, suite_digest
from tests.autograder.grades import check, grade, module, staff_report
from tests.autograder.signed import line, new_key
from tests.github.course import git
from tests.github.standin import APP, ORGANISATION, TOKEN, GitHub

IMAGE = "sha256:" + "1" * 64
PINNED = f"registry.example.org/grader@{IMAGE}"
COURSE = replace(load_course(), assignments=load_course().assignments[:1])  # one module is quick
QUICK = {"pause": 0, "backoff_factor": 0, "secondary_rate_wait": 0}
WORK = {"tinytorch/tensor.py": "x = 1\n", "README.md": "mine\n"}


@contextmanager
def server(folder: Path, patch: pytest.MonkeyPatch) -> Iterator[GitHub]:
    """Run a stand-in, and let clients find it."""
    github = GitHub(folder)
    patch.setenv("GITHUB_API_URL", github.url)
    try:
        yield github
    finally:
        github.close()


def client(answers: Answers | None = None, **waits: float) -> Client:
    """Return a client that does not wait."""
    return Client(TOKEN, answers, **(QUICK | waits))


def sweep(scores: Path, hints: Path | None = None, **changes) -> Sweep:
    """Return a sweep of the course whose scores are in the folder `scores`."""
    answers = Answers(hints)
    settings = {
        "client": client(answers),
        "published": Published(scores),
        "scope": Scope(ORGANISATION),
        "image": IMAGE,
        "token": TOKEN,
        "hints": answers,
    }
    return Sweep(**(settings | changes))


def planned(scores: Path, hints: Path | None = None, only: int | None = None, **changes) -> Plan:
    """Return the plan alone."""
    return sweep(scores, hints, **changes).plan(only)[0]


class Course:
    """A course with one module and everything that a run needs: keys, scores, the server."""

    def __init__(self, folder: Path, github: GitHub, patch: pytest.MonkeyPatch):
        """Make an empty scores repository and new keys."""
        self.folder, self.github = folder, github
        self.scores = folder / "scores.git"
        git(folder, "init", "--quiet", "--bare", "--initial-branch=main", str(self.scores))
        self.key, self.signers = new_key(folder, "signing"), folder / "allowed_signers"
        self.signers.write_text(line(self.key), encoding="ascii")
        (folder / "submitter.key").write_text("5" * 64, encoding="ascii")
        settings = {
            "GH_TOKEN": TOKEN,
            "GITHUB_APP_ID": str(APP),
            "GITHUB_REPOSITORY_OWNER": ORGANISATION,
            "GITHUB_WRITE_PAUSE_S": "0",
            "GITHUB_OUTPUT": str(folder / "output"),
            "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
            "AUTOGRADER_KEY_FILE": str(folder / "submitter.key"),
        }
        for name, value in settings.items():
            patch.setenv(name, value)
        patch.setattr(runs, "make_client", lambda hints=None: client(Answers(hints)))
        for user in (plans, runs):
            patch.setattr(user, "load_course", lambda: COURSE)

    def plan(self, **changes) -> Plan:
        """Plan as the command does."""
        options = {"only": "", "prefix": "", "force": False, "hints": None}
        options |= {"signers": self.signers} | changes
        return runs.plan_run(self.folder / "plan", str(self.scores), PINNED, **options)

    def grade(self, plan: Plan, failing: Collection[str] = (), only: int | None = None) -> Path:
        """Grade with a stub: the checks whose behaviour is in `failing` fail; return the folder."""
        raw = self.folder / "raw"
        shutil.rmtree(raw, ignore_errors=True)
        raw.mkdir()
        for number, keys in enumerate(plan.shards):
            for key in keys if only in (None, number) else ():
                self.put(plan, key, claim(plan.job(key), failing))
        return raw

    def put(self, plan: Plan, key: str, report: object, shard: int | None = None) -> None:
        """Put the raw report where its shard would."""
        found = next(number for number, keys in enumerate(plan.shards) if key in keys)
        place = self.folder / "raw" / f"raw-{found if shard is None else shard}" / key / "out"
        place.mkdir(parents=True, exist_ok=True)
        (place / "report.json").write_text(json.dumps(report), encoding="utf-8")

    def publish(self, raw: Path, **changes) -> list[str]:
        """Publish as the command does; return what it says."""
        options = {"signers": self.signers, "overrides": None, "notices": False} | changes
        plan = self.folder / "plan" / "plan.json"
        return list(runs.publish_run(raw, plan, str(self.scores), self.key, **options))

    def deliver(self, failing: Collection[str] = ()) -> list[str]:
        """Plan, grade and publish."""
        return self.publish(self.grade(self.plan(), failing))

    def reports(self) -> list[dict]:
        """Return what is published, oldest first."""
        if not git(self.scores, "for-each-ref"):
            return []
        names = git(self.scores, "ls-tree", "-r", "--name-only", "main").splitlines()
        shown = [name for name in names if name.endswith(".json") and name.startswith("reports")]
        found = [json.loads(git(self.scores, "show", f"main:{name}")) for name in shown]
        return sorted(found, key=lambda one: one["report_id"])


class Forger:
    """Somebody who may write to the scores repository, and has no key that counts."""

    def __init__(self, course: Course):
        """Clone the scores as they are."""
        self.folder = course.folder / f"forger-{os.urandom(4).hex()}"
        git(course.folder, "clone", "--quiet", str(course.scores), str(self.folder))

    def put(self, path: str, content: bytes, signature: bytes | None = None) -> None:
        """Write a report, beside whatever is there."""
        place = self.folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        if signature is not None:
            place.with_name(f"{place.name}.sig").write_bytes(signature)

    def push(self) -> None:
        """Push what was written."""
        git(self.folder, "add", "--all")
        who = ("-c", "user.name=x", "-c", "user.email=x@example.org")
        git(self.folder, *who, "commit", "--quiet", "--message", "Forge")
        git(self.folder, "push", "--quiet", "origin", "HEAD:main")


def claim(job: Job, failing: Collection[str] = ()) -> dict:
    """Return the raw report of a job, as the grader in the container would write it."""
    report = json.loads(_claim(tuple(sorted(failing))))
    report["submission"] |= {"commit": None, "tree": None, "digest": job.digest}
    report["grader"]["seed"] = job.seed
    return report


@cache
def _claim(failing: tuple[str, ...]) -> str:
    outcomes = []
    for one in COURSE.assignments:
        checks = [
            check(
                case.task,
                case.behaviour,
                case.suite,
                "failed" if case.behaviour in failing else "passed",
                case.points,
                module=one.id,
                hint=case.hint,
                line=3 if case.behaviour in failing else None,
                message="a secret value" if case.behaviour in failing else "",
            )
            for case in load_suite(one).cases
        ]
        outcomes.append(module(*checks, id=one.id, integrated_total=len(checks)))
    with TemporaryDirectory() as empty:
        graded = grade(*outcomes, digest=suite_digest(COURSE.assignments))
        return json.dumps(staff_report(graded, Path(empty)))
