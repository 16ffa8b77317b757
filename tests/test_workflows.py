"""The workflows, tried without GitHub: schema, audit, and the authors' workflow under act.

Under act `make` is a stub that notes how it was called, since the whole check would run this test
again. So these tests prove what the workflow does, and `make --dry-run` what that leads to.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.act import act

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
CHECK = ".github/workflows/check.yml"
IMAGE = ".github/workflows/image.yml"
WORKFLOWS = [
    CHECK,
    IMAGE,
    "autograder/template/files/visible-tests.yml",
    ".github/workflows/compete.yml",
    ".github/workflows/grade.yml",
    ".github/workflows/leaderboard.yml",
]
MAKE = """\
#!/bin/sh
echo "make $*" >> "{calls}"
exit {code}
"""


@pytest.mark.parametrize("workflow", WORKFLOWS)
@pytest.mark.parametrize(
    "schema", ["vendor.github-workflows", "custom.github-workflows-require-timeout"]
)
def test_a_workflow_is_what_github_expects_and_ends_in_time(workflow, schema):
    """No unknown key, and a timeout on every job."""
    passes(BIN / "check-jsonschema", "--builtin-schema", schema, workflow)


def test_dependabot_s_file_is_what_github_expects():
    """It moves the pinned actions on, once a month."""
    passes(
        BIN / "check-jsonschema", "--builtin-schema", "vendor.dependabot", ".github/dependabot.yml"
    )


def test_the_citation_is_readable_by_machines():
    """CITATION.cff follows the Citation File Format."""
    name = "vendor.citation-file-format"
    passes(BIN / "check-jsonschema", "--builtin-schema", name, "CITATION.cff")


def test_the_audit_finds_nothing_in_the_workflows():
    """zizmor: actions pinned by hash, least privilege, no injection, no kept credentials."""
    passes(
        BIN / "zizmor", "--offline", "--strict-collection", "--quiet", ".github", *WORKFLOWS[1:2]
    )


def test_the_audit_would_find_an_action_that_is_not_pinned(tmp_path):
    """The audit above can fail."""
    text = (ROOT / CHECK).read_text(encoding="utf-8")
    loose = tmp_path / "loose.yml"
    loose.write_text(
        text.replace("3d3c42e5aac5ba805825da76410c181273ba90b1", "v7"), encoding="utf-8"
    )
    audit = [BIN / "zizmor", "--offline", "--strict-collection", "--quiet", loose]
    done = subprocess.run(audit, capture_output=True, encoding="utf-8")
    assert done.returncode != 0 and "unpinned-uses" in done.stdout


def test_the_check_workflow_runs_make_check_on_each_python(tmp_path):
    """Both jobs of the matrix run, and each calls `make check` once."""
    done, calls = run_check(tmp_path, code=0)
    assert done.returncode == 0, done.stdout
    assert calls == ["make check"] * 2
    assert "Check on Python 3.10" in done.stdout and "Check on Python 3.13" in done.stdout


def test_the_check_workflow_is_red_when_make_check_fails(tmp_path):
    """One failing job does not stop the other."""
    done, calls = run_check(tmp_path, code=1)
    assert done.returncode != 0
    assert calls == ["make check"] * 2


def test_make_check_formats_lints_compares_starters_and_tests(tmp_path):
    """What the workflow's one line stands for."""
    dry = ["make", "--dry-run", "--always-make", "check"]
    lines = subprocess.run(dry, cwd=ROOT, check=True, capture_output=True, encoding="utf-8").stdout
    steps = ["black --check", "ruff check", "autograder starters --check", "pytest -n auto"]
    places = [lines.index(step) for step in steps]
    assert places == sorted(places)


def test_an_old_python_is_named_with_the_cure(tmp_path):
    """`make` looks for a Python that will do before it makes anything."""
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    old = ["make", "test", "PYTHON=false no-such-python"]
    done = subprocess.run(old, cwd=tmp_path, capture_output=True, encoding="utf-8")
    assert done.returncode == 2
    assert "no Python 3.10 or newer with venv among: false no-such-python" in done.stdout
    assert not (tmp_path / ".venv").exists()


def run_check(scratch: Path, code: int) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """Run check.yml for a push, with a `make` that ends with `code`; return how it was called."""
    repository, tools, calls = scratch / "repository", scratch / "tools", scratch / "calls"
    (repository / CHECK).parent.mkdir(parents=True)
    (repository / CHECK).write_bytes((ROOT / CHECK).read_bytes())
    subprocess.run(["git", "init", "--quiet", "--initial-branch=main"], cwd=repository, check=True)
    tools.mkdir()
    (tools / "make").write_text(MAKE.format(calls=calls, code=code), encoding="utf-8")
    (tools / "make").chmod(0o755)
    place = scratch / "act"
    place.mkdir()
    done = act(repository, CHECK, place, python=tools)
    return done, calls.read_text(encoding="utf-8").splitlines() if calls.exists() else []


def passes(*command: str | Path) -> None:
    """Demand that `command` has nothing to complain of."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stdout + done.stderr
