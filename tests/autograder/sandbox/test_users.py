"""Isolation is full for an ordinary user too, where no uid can be dropped."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[3]
NOBODY = 65534
SITE = Path(np.__file__).parents[1]
TESTS = ["test_proof.py", "test_processes.py", "test_secrets.py"]


def as_nobody(python: str, *arguments: str) -> subprocess.CompletedProcess:
    """Run `python` as the user nobody, who owns nothing here."""
    return subprocess.run(
        [python, *arguments],
        user=NOBODY,
        group=NOBODY,
        extra_groups=[],
        cwd=ROOT,
        env={"PYTHONPATH": f"{SITE}:{ROOT}", "PATH": os.environ["PATH"], "HOME": "/nonexistent"},
        capture_output=True,
        text=True,
    )


def interpreters() -> Iterator[str]:
    """Name the Pythons of this version that there may be outside of root's home."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    yield sys.executable
    yield from (f"{folder}/{version}" for folder in ("/usr/bin", "/usr/local/bin"))


@pytest.fixture(scope="module")
def python() -> str:
    """Return a Python that nobody may run and that finds NumPy, pytest and this project."""
    if os.geteuid() != 0:
        pytest.skip("not root: every other test of the sandbox runs as an ordinary user already")
    tried = []
    for candidate in interpreters():
        try:
            result = as_nobody(candidate, "-c", "import numpy, pytest, autograder.sandbox")
        except OSError as error:
            tried.append(f"{candidate}: {error.strerror}")
            continue
        if result.returncode == 0:
            return candidate
        tried.append(f"{candidate}: {result.stderr.strip().splitlines()[-1]}")
    pytest.skip(f"no Python that an ordinary user can run: {'; '.join(tried)}")


def test_an_ordinary_user_is_isolated_in_full(python):
    """The proof, each attack, each missing layer and each death: all tests hold as nobody."""
    paths = [str(Path(__file__).with_name(name)) for name in TESTS]
    result = as_nobody(python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *paths)
    assert result.returncode == 0, result.stdout[-5000:] + result.stderr[-2000:]
