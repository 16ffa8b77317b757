"""A course on the stand-in for GitHub, and what a sweep of it finds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from autograder.github.answers import Answers
from autograder.github.client import Client
from autograder.github.job import Plan
from autograder.github.plan import Scope, Sweep
from autograder.github.published import Published
from tests.github.standin import ORGANISATION, TOKEN, GitHub

IMAGE = "sha256:" + "1" * 64
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
