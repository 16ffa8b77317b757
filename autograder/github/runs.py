"""The two commands as a workflow runs them: from its environment to its outputs and summary."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from assignments.catalog import load_course
from autograder.errors import GraderError
from autograder.github.answers import Answers
from autograder.github.client import WRITE_PAUSE_S, Client
from autograder.github.job import Plan, read_plan, write_plan
from autograder.github.plan import Scope, Sweep
from autograder.github.publish import Publisher
from autograder.github.published import Published
from autograder.github.races import RaceHerald, RacePublisher, RaceSweep
from autograder.github.repositories import Rejected, clone, commit_and_push
from autograder.github.ruling import Policy, load_policy
from autograder.github.tell import Herald
from autograder.report.submitter import VARIABLE, load_key
from autograder.scores import Signers, share
from autograder.scores.document import COMPETITION, MODULES

SUMMARY = 900_000  # characters; GitHub takes a MiB
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
    out: Path,
    scores: str,
    image: str,
    *,
    signers: Path,
    only: str,
    prefix: str,
    force: bool,
    hints: Path | None,
    module: str = "",
    overrides: Path | None = None,
    race: bool = False,
    final: bool = False,
) -> Plan:
    """Plan a sweep into `out`, or one repository where `only` is its id; see grade.yml.

    Published is what one of the `signers` signed. Where a `module` is named, this one alone is
    graded; in a `race`, entries of the competition.
    """
    repository, digest = _repository(only), _pinned(image)
    token = variable("GH_TOKEN", "the app's installation token")
    scope = _scope(prefix, scores)
    make = partial(RaceSweep, is_final=final) if race else Sweep
    area, believed = COMPETITION if race else MODULES, Signers(signers)
    with cloned(scores, token, area, believed) as published:
        sweep = make(
            client=make_client(hints),
            published=published,
            scope=scope,
            image=digest,
            token=token,
            hints=Answers(hints),
            force=force,
            module=module,
            policy=load_policy(load_course(), overrides),
        )
        plan, archives = sweep.plan(repository)
        untold = published.untold(datetime.now(timezone.utc))
    plan = replace(plan, lines=(*plan.lines, *believed.lines()))
    shutil.rmtree(out, ignore_errors=True)
    write_plan(plan, archives, out)
    shards = list(range(len(plan.shards)))
    outputs(shards=json.dumps(shards), work=json.dumps(bool(plan.jobs or untold)))
    return plan


def _scope(prefix: str, scores: str) -> Scope:
    """Return whose repositories a sweep looks at: neither the grader's own, nor the scores."""
    owner = variable("GITHUB_REPOSITORY_OWNER", "the organisation")
    own = os.environ.get("GITHUB_REPOSITORY_ID", "")
    return Scope(owner, prefix, frozenset({int(own)} if own.isdecimal() else ()), scores)


def _repository(only: str) -> int | None:
    """Return the id of the one repository that is asked for, or None for all."""
    if only and not re.fullmatch(r"[1-9][0-9]{0,18}", only):
        raise GraderError(f"the repository is {only[:80]!r}: expected its numeric id, or nothing")
    return int(only) if only else None


def _pinned(image: str) -> str:
    """Return the digest of `image`."""
    found = IMAGE.fullmatch(image)
    if not found:
        raise GraderError(
            f"the image is {image[:200]!r}: expected NAME@sha256:DIGEST, as `docker push` prints it"
        )
    return found[1]


def publish_run(
    raw: Path,
    plan_file: Path,
    scores: str,
    key: Path,
    *,
    signers: Path,
    overrides: Path | None,
    notices: bool,
    term: str = "",
) -> Iterator[str]:
    """Publish what came back of a plan, then tell the students; yield what there is to say.

    What none of the `signers` signed is neither published nor told.
    """
    token = variable("GH_TOKEN", "the app's installation token for students' repositories")
    app = variable("GITHUB_APP_ID", "the app's numeric id")
    if not app.isdecimal():
        raise GraderError(f"GITHUB_APP_ID is {app[:80]!r}: expected the app's numeric id")
    policy = load_policy(load_course(), overrides)
    writes = os.environ.get("SCORES_TOKEN") or token
    plan, believed = read_plan(plan_file), Signers(signers)
    publisher = _publish(raw, plan, scores, key, policy, writes, term, believed)
    yield from publisher.lines
    make = RaceHerald if plan.is_competition else Herald
    herald = _tell(make, scores, writes, policy, int(app), notices, believed)
    said = [*herald.lines, *believed.lines()]
    yield from said
    summary(herald.rows, dict.fromkeys([*publisher.plan.lines, *publisher.lines, *said]))
    for line in herald.said:
        yield Notice(line)


class Notice(str):
    """A line that GitHub is meant to obey."""


def submitter_key() -> bytes:
    """Return the key that hides names; a new one would make every student another."""
    path = Path(variable(VARIABLE, "a file with the key that hides names"))
    if not path.is_file():
        raise GraderError(f"{path}: expected the submitter key; a new one renames all")
    return load_key(path)


def _publish(
    raw: Path,
    plan: Plan,
    scores: str,
    key: Path,
    policy: Policy,
    token: str,
    term: str,
    signers: Signers,
) -> Publisher:
    names = submitter_key()
    make = RacePublisher if plan.is_competition else Publisher
    area = COMPETITION if plan.is_competition else MODULES
    with cloned(scores, token, area, signers) as published:
        publisher = make(
            plan=plan,
            published=published,
            course=load_course(),
            policy=policy,
            submitter_key=names,
            signing_key=key,
            now=datetime.now(timezone.utc),
            term=term,
        )
        signed = publisher.signed(raw)
    shared = share(scores, signed, token=token, signers=signers)
    publisher.lines += [*shared.replays, f"{shared.appended} reports published"]
    return publisher


def _tell(
    make: type[Herald],
    scores: str,
    token: str,
    policy: Policy,
    app: int,
    notices: bool,
    signers: Signers,
) -> Herald:
    """Tell whoever does not know yet, and note it; another publisher's push is no obstacle."""
    area = COMPETITION if make is RaceHerald else MODULES
    with cloned(scores, token, area, signers) as published:
        herald = make(make_client(), published, policy, app, notices)
        told = herald.tell()
        try:
            commit_and_push(published.folder, "Note who was told", token)
            return herald
        except Rejected:
            pass
    with cloned(scores, token, area) as published:
        for repository, (due, last) in told.items():
            published.tell(repository, due, last)
        commit_and_push(published.folder, "Note who was told", token)
    return herald


@contextmanager
def cloned(
    scores: str, token: str, area: str = MODULES, signers: Signers | None = None
) -> Iterator[Published]:
    """Hold a fresh clone of the scores repository, to read what `signers` signed of an area."""
    with TemporaryDirectory(prefix="scores-") as folder:
        clone(scores, Path(folder) / "scores", token)
        yield Published(Path(folder) / "scores", area, signers)


def quoted(lines: Iterable[str]) -> Iterator[str]:
    """Yield `lines` so that GitHub obeys none of them but a Notice."""
    token = secrets.token_hex(16)
    for line in lines:
        if isinstance(line, Notice):
            yield line
        else:
            yield from (f"::stop-commands::{token}", " ".join(line.split()), f"::{token}::")


def summary(rows: Iterable[tuple[int, str, str]], lines: Iterable[str]) -> None:
    """Append to the job's summary, which staff read: who was told what, and what went wrong."""
    file = os.environ.get("GITHUB_STEP_SUMMARY")
    if file:
        table = [f"| {one} | `{commit[:10]}` | {score} |" for one, commit, score in rows]
        head = ["| Repository | Commit | Told |", "|---:|---|---|"]
        said = [f"- `{line.replace('`', chr(39))}`" for line in lines]
        text = "\n".join([*(head + table if table else []), "", *said, ""])
        with open(file, "a", encoding="utf-8") as stream:
            stream.write(text[:SUMMARY])


def outputs(**values: str) -> None:
    """Set the outputs of this step, where there is a workflow."""
    file = os.environ.get("GITHUB_OUTPUT")
    if file:
        with open(file, "a", encoding="utf-8") as stream:
            stream.writelines(f"{key}={value}\n" for key, value in values.items())
