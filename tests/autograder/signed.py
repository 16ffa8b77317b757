"""Signed reports, keys and scores for tests: the real course, checks that add up to its points."""

from __future__ import annotations

import copy
import json
import shutil
import subprocess
import tempfile
from datetime import datetime, timedelta, timezone
from functools import cache
from pathlib import Path

import pytest
from ulid import ULID

from assignments.catalog import load_course
from autograder.scores import Rules, append
from autograder.scores.document import place
from autograder.signatures import NAMESPACE, sign
from autograder.suite import suite_digest
from tests.autograder.grades import check, grade, module, staff_report

if shutil.which("ssh-keygen") is None:
    pytest.skip(
        "signed reports are NOT tested: no ssh-keygen here, run `apt-get install openssh-client`",
        allow_module_level=True,
    )

COURSE = load_course()
START = datetime(2026, 11, 20, 12, 0, tzinfo=timezone.utc)
RULES = Rules(COURSE, now=START + timedelta(days=1))


@cache
def _template(modules: int, alias: str | None) -> dict:
    """Return a report on the first `modules`: of each task half the checks pass."""
    chosen = COURSE.assignments[:modules]
    outcomes = [
        module(
            *(
                check(task.id, status, worth=task.points / 2, status=status, module=one.id)
                for task in one.tasks
                for status in ("passed", "failed")
            ),
            id=one.id,
        )
        for one in chosen
    ]
    with tempfile.TemporaryDirectory() as folder:
        if alias:
            (Path(folder) / "leaderboard.toml").write_text(f'alias = "{alias}"', encoding="utf-8")
        return staff_report(grade(*outcomes, digest=suite_digest(chosen)), Path(folder))


def report(
    repository=101, *, minutes=0, modules=1, alias=None, supersedes=None, commit=None, attempt=1
):
    """Return a staff report, made `minutes` after START; each minute has its own commit."""
    when, one = START + timedelta(minutes=minutes), copy.deepcopy(_template(modules, alias))
    stamp = int(when.timestamp() * 1000).to_bytes(6, "big")
    one["report_id"] = str(ULID(stamp + repository.to_bytes(10, "big")))
    one["created_at"] = when.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    one["supersedes"] = supersedes
    one["submitter"]["id"] = "abcdefghijklmnopqrstuvwxyz234567"[repository % 32] * 32
    commit = commit or f"{repository * 1000 + minutes:040x}"
    one["submission"] |= {"repository_id": repository, "commit": commit, "attempt": attempt}
    return one


def encoded(one: dict) -> bytes:
    """Return the bytes of a report as the grader writes them; NaN is let through."""
    return json.dumps(one, indent=1).encode() + b"\n"


def new_key(folder: Path, name: str) -> Path:
    """Make a key pair, and return the private half."""
    key = folder / name
    make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(key)]
    subprocess.run(make, check=True, stdin=subprocess.DEVNULL)
    return key


def line(key: Path, name="publish", options=f'namespaces="{NAMESPACE}"') -> str:
    """Return the line that lets `key` sign, as `name`."""
    return f"{name} {options} {key.with_name(f'{key.name}.pub').read_text()}"


class Scores:
    """A scores repository in a folder, with one publisher."""

    def __init__(self, folder: Path):
        self.folder, self.signers = folder / "scores", folder / "allowed_signers"
        (self.folder / "reports").mkdir(parents=True)
        self.key = new_key(folder, "key")
        self.signers.write_text(line(self.key))

    def add(self, *reports: dict) -> Path:
        """Append the reports as the publisher does; return where the last one is."""
        for one in reports:
            content = encoded(one)
            append(self.folder, content, sign(content, self.key))
        return self.path(one)

    def plant(self, one: dict, content: bytes | None = None, key: Path | None = None) -> Path:
        """Put a signed file there without asking anybody."""
        path, content = self.path(one), encoded(one) if content is None else content
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.with_name(f"{path.name}.sig").write_bytes(sign(content, key or self.key))
        return path

    def path(self, one: dict) -> Path:
        """Return where a report belongs."""
        return self.folder / place(one)
