"""The two commands as a workflow runs them: from its environment to its outputs and summary."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from tempfile import TemporaryDirectory

from autograder.errors import GraderError
from autograder.github.answers import Answers
from autograder.github.client import WRITE_PAUSE_S, Client
from autograder.github.job import Plan, write_plan
from autograder.github.plan import Scope, Sweep
from autograder.github.published import Published
from autograder.github.repositories import clone

IMAGE = re.compile(r"[\w./:-]+@(sha256:[0-9a-f]{64})")


def variable(name: str, what: str) -> str:
    """Return an environment variable that a run cannot do without."""
    value = os.environ.get(name, "").strip()
    if not value:
        raise GraderError(f"{name} is not set: expected {what}; see .github/workflows/grade.yml")
    return value


def make_client(hints: Path | None = None) -> Client:
    """Return a client with the app's token, GH_TOKEN."""
    token = variable("GH_TOKEN", "the app's installation token")
    pause = float(os.environ.get("GITHUB_WRITE_PAUSE_S") or WRITE_PAUSE_S)
    return Client(token, Answers(hints), pause=pause)


def plan_run(
    out: Path, scores: str, image: str, *, only: str, prefix: str, force: bool, hints: Path | None
) -> Plan:
    """Plan a sweep, or one repository where `only` is its id, into `out`; see grade.yml."""
    pinned = IMAGE.fullmatch(image)
    if not pinned:
        raise GraderError(
            f"the image is {image[:200]!r}: expected NAME@sha256:DIGEST, as `docker push` prints it"
        )
    if only and not re.fullmatch(r"[1-9][0-9]{0,18}", only):
        raise GraderError(f"the repository is {only[:80]!r}: expected its numeric id, or nothing")
    token = variable("GH_TOKEN", "the app's installation token")
    owner = variable("GITHUB_REPOSITORY_OWNER", "the organisation")
    own = os.environ.get("GITHUB_REPOSITORY_ID", "")
    without = frozenset({int(own)} if own.isdecimal() else ())
    with cloned(scores, token) as published:
        sweep = Sweep(
            client=make_client(hints),
            published=published,
            scope=Scope(owner, prefix, without),
            image=pinned[1],
            token=token,
            hints=Answers(hints),
            force=force,
        )
        plan, archives = sweep.plan(int(only) if only else None)
        untold = published.untold(datetime.now(timezone.utc))
    shutil.rmtree(out, ignore_errors=True)
    write_plan(plan, archives, out)
    outputs(
        shards=json.dumps(list(range(len(plan.shards)))),
        work=json.dumps(bool(plan.jobs or untold)),
    )
    return plan


@contextmanager
def cloned(scores: str, token: str) -> Iterator[Published]:
    """Hold a fresh clone of the scores repository."""
    with TemporaryDirectory(prefix="scores-") as folder:
        clone(scores, Path(folder) / "scores", token)
        yield Published(Path(folder) / "scores")


def outputs(**values: str) -> None:
    """Set the outputs of this step, where there is a workflow."""
    file = os.environ.get("GITHUB_OUTPUT")
    if file:
        with open(file, "a", encoding="utf-8") as stream:
            stream.writelines(f"{key}={value}\n" for key, value in values.items())
