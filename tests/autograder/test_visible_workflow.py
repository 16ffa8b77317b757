"""The workflow in every student's repository: green for work that is done, red for a mistake."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from autograder.template import FILES
from tests.act import act
from tests.student import StudentRepository, environment

WORKFLOW = ".github/workflows/visible-tests.yml"
TOOLS = Path(sys.executable).parent


@pytest.fixture
def student(tmp_path):
    return StudentRepository(tmp_path / "student")


def run(student, scratch):
    """Commit the student's work and run the workflow on it."""
    student.git("add", "--all")
    student.git("commit", "--quiet", "--allow-empty", "--message", "work")
    return act(student.root, WORKFLOW, scratch, python=environment(scratch / "venv"))


def test_a_fresh_repository_is_green(student, tmp_path):
    """Nothing is started, so nothing fails."""
    done = run(student, tmp_path)
    assert done.returncode == 0, done.stdout
    assert "Nothing is started yet" in done.stdout


def test_a_finished_module_is_green(student, tmp_path):
    """All visible tests pass on the runner as they do at home."""
    student.finish("tensor", "activations")
    done = run(student, tmp_path)
    assert done.returncode == 0, done.stdout
    assert "`tito submit` hands your work in" in done.stdout


def test_a_wrong_module_is_red(student, tmp_path):
    """One wrong function fails the run, and the log names it."""
    student.finish("tensor", "activations")
    student.write("activations", relu="return x")
    done = run(student, tmp_path)
    assert done.returncode == 1
    assert re.search("relu.* failing", done.stdout), done.stdout
    assert "Job failed" in done.stdout


@pytest.mark.parametrize(
    "command",
    [
        ["zizmor", "--offline", "--strict-collection"],
        ["check-jsonschema", "--builtin-schema", "vendor.github-workflows"],
        ["check-jsonschema", "--builtin-schema", "custom.github-workflows-require-timeout"],
    ],
    ids=["zizmor", "schema", "timeout"],
)
def test_it_has_no_finding(student, command):
    """Audited and checked against GitHub's schema, in the place where students have it."""
    done = subprocess.run(
        [TOOLS / command[0], *command[1:], student.root / WORKFLOW],
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_holds_no_power():
    """It may read, and nothing else: no secret, no other permission, every action pinned."""
    text = (FILES / "visible-tests.yml").read_text(encoding="utf-8")
    assert re.findall(r"permissions:\n(  .*\n)+", text) == ["  contents: read\n"]
    assert "secrets" not in text and "write" not in text
    assert "persist-credentials: false" in text
    uses = re.findall(r"uses: \S+@(\S+)", text)
    assert len(uses) == 2 and all(re.fullmatch("[0-9a-f]{40}", version) for version in uses)
