"""A job: one head of one repository that is to be graded, and the plan that lists them all."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from autograder.errors import GraderError
from autograder.intake import Submission
from autograder.report.files import replace

SCHEMA = "grade-plan/1"


@dataclass(frozen=True)
class Job:
    """What is known of a submission before a line of it runs; none of it is the student's word."""

    key: str  # of the content: repository, graded files, suite, image
    repository_id: int
    repository: str  # the name when it was planned
    owner_id: int
    commit: str
    tree: str | None
    digest: str | None  # of the graded files
    pushed_at: str  # by the server
    before: str
    kind: str  # of the push
    modules: tuple[str, ...]
    seed: int
    attempt: int
    files: tuple[tuple[str, str], ...] = ()  # each module's, with its SHA-256
    notes: tuple[str, ...] = ()  # what was not read, and why
    refused: str | None = None  # why nothing of it can be graded
    supersedes: str | None = None


@dataclass(frozen=True)
class Plan:
    """All jobs of a run, which shard has which, and what there was to say."""

    suite_digest: str
    image_digest: str
    modules: tuple[str, ...]
    jobs: tuple[Job, ...]
    shards: tuple[tuple[str, ...], ...]  # keys
    lines: tuple[str, ...] = ()
    is_competition: bool = False  # then `modules` are tracks
    is_final: bool = False

    @property
    def words(self) -> list[str]:
        """The options by which the grader's command knows what to grade."""
        option = "--track" if self.is_competition else "--module"
        found = [word for one in self.modules for word in (option, one)]
        return [*found, "--final"] if self.is_final else found

    def job(self, key: str) -> Job:
        """Return the job with this key."""
        return next(job for job in self.jobs if job.key == key)


def key_of(repository: int, content: str, suite: str, image: str) -> str:
    """Return the name of a content: the same files, checks and image are never graded twice."""
    return hashlib.sha256(f"{repository} {content} {suite} {image}".encode()).hexdigest()[:40]


def pack(submission: Submission) -> bytes:
    """Return the graded files alone as a .tar.gz, the same bytes for the same files."""
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as zipped:
        with tarfile.open(fileobj=zipped, mode="w") as archive:
            for path in sorted(p for p in submission.root.rglob("*") if p.is_file()):
                content = path.read_bytes()
                member = tarfile.TarInfo(path.relative_to(submission.root).as_posix())
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def write_plan(plan: Plan, archives: dict[str, bytes], out: Path) -> None:
    """Write `shards/<n>/<key>/{submission.tar.gz,job.json}`, and at last plan.json."""
    for number, keys in enumerate(plan.shards):
        for key in keys:
            folder = out / "shards" / str(number) / key
            folder.mkdir(parents=True, exist_ok=True)
            replace(folder / "submission.tar.gz", archives[key])
            replace(folder / "job.json", _json(asdict(plan.job(key))))
            # what a shell reads without a parser
            replace(folder / "seed", f"{plan.job(key).seed}\n".encode())
            replace(folder / "modules", "".join(f"{word}\n" for word in plan.words).encode())
    out.mkdir(parents=True, exist_ok=True)
    replace(out / "plan.json", _json({"schema": SCHEMA, **asdict(plan)}))


def read_plan(path: Path) -> Plan:
    """Read plan.json as `write_plan` wrote it."""
    try:
        data = json.loads(path.read_bytes())
        if data.pop("schema") != SCHEMA:
            raise ValueError("another schema")
        jobs = tuple(_job(one) for one in data.pop("jobs"))
        shards = tuple(tuple(keys) for keys in data.pop("shards"))
        lists = {name: tuple(data.pop(name)) for name in ("modules", "lines")}
        return Plan(jobs=jobs, shards=shards, **lists, **data)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        kind = type(error).__name__
        raise GraderError(
            f"{path}: expected a plan of `autograder plan`, got none ({kind}); plan again"
        ) from error


def _job(data: dict[str, Any]) -> Job:
    if set(data) != {field.name for field in fields(Job)}:
        raise ValueError("another schema")
    lists = {name: tuple(data[name]) for name in ("modules", "notes")}
    return Job(**data | lists | {"files": tuple((name, sha) for name, sha in data["files"])})


def _json(document: dict[str, Any]) -> bytes:
    return json.dumps(document, indent=1, allow_nan=False).encode() + b"\n"
