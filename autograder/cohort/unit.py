"""The unit of work: one submission in, its report and its files out. Writes nothing anywhere.

It can run in any process or machine of any `concurrent.futures.Executor`: what goes in and comes
out can be pickled, and each process (each thread, where there are several) keeps one warm sandbox.
"""

from __future__ import annotations

import atexit
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import cache, lru_cache
from typing import Any

from assignments.catalog import load_course
from autograder import report as reports
from autograder.errors import SubmissionError
from autograder.grading import grade
from autograder.intake import Submission, receive
from autograder.sandbox import Limits, Sandbox
from autograder.single import chosen
from autograder.student import Draw
from autograder.suite import suite_digest


@dataclass(frozen=True)
class Job:
    """One submission to grade, and what is known about it."""

    name: str
    source: str
    modules: tuple[str, ...]
    seed: int
    submitter_key: bytes
    limits: Limits = field(default_factory=Limits)
    unsandboxed: bool = False
    done: Mapping[str, str] = field(default_factory=dict)  # revision -> report that need not be
    earlier: Mapping[str, str] = field(default_factory=dict)  # revision -> report to be superseded


@dataclass(frozen=True)
class Result:
    """What became of a job: a new report and its files, or the id of the report there is."""

    name: str
    report: dict[str, Any] | None
    files: Mapping[str, bytes]
    known: str | None = None


def grade_submission(job: Job) -> Result:
    """Grade one submission. Whatever fails is a report, but for a sandbox that cannot be opened.

    Raises IsolationError then: it is this machine that must be mended, not this submission.
    """
    sandbox = _sandbox(job.limits, job.unsandboxed)
    try:
        with receive(job.source) as submission:
            known = job.done.get(revision_of(submission))
            if known is not None:
                return Result(job.name, None, {}, known)
            return _graded(job, submission, sandbox)
    except SubmissionError as error:
        return refusal(job, str(error), "error")
    except Exception as error:
        _discard(job.limits, job.unsandboxed)
        return refusal(job, f"the grader failed: {type(error).__name__}: {error}", "ungradable")


def revision_of(submission: Submission) -> str:
    """Return what the ledger knows this state of a submission by."""
    return submission.commit or f"sha256:{submission.digest}"


def refusal(job: Job, reason: str, status: str) -> Result:
    """Return the result of a submission that could not be graded."""
    course = _course()
    assignments = chosen(course, job.modules)
    report = reports.refused(
        reason,
        status,
        assignments,
        submitter=job.name,
        submitter_key=job.submitter_key,
        course=course,
        suite_digest=suite_digest(assignments),
        seed=job.seed,
        isolation="none" if job.unsandboxed else "full",
        now=datetime.now(timezone.utc),
        supersedes=job.earlier.get(""),
    )
    return Result(job.name, report, reports.render(report, None))


def _graded(job: Job, submission: Submission, sandbox: Sandbox) -> Result:
    course = _course()
    assignments = chosen(course, job.modules)
    outcome = grade(
        submission,
        assignments,
        course=course,
        seed=job.seed,
        sandbox=sandbox,
        draw=_draw(job.seed),
    )
    report = reports.build(
        outcome,
        submission,
        submitter=job.name,
        submitter_key=job.submitter_key,
        course=course,
        now=datetime.now(timezone.utc),
        supersedes=job.earlier.get(revision_of(submission)) or job.earlier.get(""),
    )
    return Result(job.name, report, reports.render(report, outcome))


_course = cache(load_course)  # once for a process, which grades many
_draw = lru_cache(maxsize=1)(Draw)  # a class is graded with one seed
_warm = threading.local()


def _sandbox(limits: Limits, unsandboxed: bool) -> Sandbox:
    """Return this thread's sandbox, opened at the first use."""
    boxes = _warm.__dict__
    key = f"{limits} {unsandboxed}"
    if key not in boxes:
        boxes[key] = Sandbox(limits, require_full=not unsandboxed).__enter__()
        atexit.register(boxes[key].close)
    return boxes[key]


def _discard(limits: Limits, unsandboxed: bool) -> None:
    """Close this thread's sandbox, which may be the reason of a failure."""
    box = _warm.__dict__.pop(f"{limits} {unsandboxed}", None)
    if box is not None:
        atexit.unregister(box.close)
        box.close()
