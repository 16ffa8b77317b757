"""Whatever is handed in, the command ends with one clear line, or with a report that says it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import traceback
from pathlib import Path

import pytest
from click.testing import CliRunner

from autograder.cli import main
from autograder.ledger import Ledger
from autograder.suite import reference_path
from tests.autograder.submit import COURSE
from tests.submissions import build
from tests.submissions.fixtures import load

WORK = {a.source: reference_path(a).read_bytes() for a in COURSE.assignments}
TENSOR, ACTIVATIONS = (f"tinytorch/{name}.py" for name in ("tensor", "activations"))
FIXTURES = {f.name: f for kind in ("partial", "hostile", "honest") for f in load(kind)}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Run in a folder of one's own, with a key of one's own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AUTOGRADER_KEY_FILE", str(tmp_path / "key"))
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setenv("AUTOGRADER_TRACEBACK", "1")  # a fault of the grader tells where it is


def grade(source, *options):
    """Run `autograder grade`."""
    return CliRunner().invoke(main, ["grade", str(source), "--out", "report", *options])


def assert_ended(result, code):
    """Fail with all that the command said: an assertion on the text would cut it."""
    told = result.stderr + "".join(traceback.format_exception(*result.exc_info))
    assert result.exit_code == code, f"exit code {result.exit_code}, expected {code}:\n{told}"


def folder(at):
    """Hand in the reference, in a folder."""
    return build.folder(at / "alice", WORK)


def sparse(at):
    """Hand in a sparse file of 10 GB with the work."""
    with open(folder(at) / "weights.bin", "wb") as file:
        file.truncate(10 << 30)
    return at / "alice"


def linked(at):
    """Hand in a folder that is a link out of the tree."""
    (at / "alice").mkdir()
    (at / "alice" / "tinytorch").symlink_to(reference_path(COURSE.assignment("01")).parent)
    return at / "alice"


def file(at):
    """Hand in one file."""
    (at / "tensor.py").write_bytes(b"")
    return at / "tensor.py"


REFUSED = {
    "no such path": (lambda at: at / "bob", "got no such path; name one of these"),
    "a file": (file, "got another file; name one of these"),
    "not a repository": (lambda at: f"{folder(at)}@main", "alice: expected a git repository"),
    "an unknown commit": (
        lambda at: f"{build.repository(at / 'alice', WORK)}@0123456789",
        "expected the commit '0123456789', got a repository where it is missing; push it",
    ),
    "an empty repository": (
        lambda at: build.git(at, "init", "--quiet", "alice") or at / "alice",
        "alice: expected the commit 'HEAD', got a repository without it",
    ),
    "an empty archive": (
        lambda at: build.zip_file(at / "alice.zip", {}),
        "alice: expected files tinytorch/*.py, got nothing at all",
    ),
    "a zip with ../": (
        lambda at: build.zip_file(at / "alice.zip", WORK | {"../evil.py": b""}),
        "alice: expected relative names inside the archive, got '../evil.py'; pack it anew",
    ),
    "a broken archive": (
        lambda at: build.folder(at, {"alice.tar.gz": b"no archive"}) / "alice.tar.gz",
        "alice: expected a readable .zip or .tar.gz, got a broken one",
    ),
    "a folder that is a link": (linked, "alice: expected files tinytorch/*.py"),
    "a sparse file": (sparse, "'weights.bin': expected at most 10 MiB, got 10 GiB; remove"),
    "a thousand files": (
        lambda at: build.repository(at / "alice", {f"{i}.txt": b"" for i in range(1001)}),
        "alice: expected at most 1000 files and folders, got more; remove what is not code",
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_graded_is_refused_in_one_line(kind, tmp_path):
    """Exit code 2, one line that says what came and what to do, and no report."""
    make, words = REFUSED[kind]
    result = grade(make(tmp_path))
    assert_ended(result, 2)
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("autograder: ")
    assert words in line
    assert not Path("report").exists()


@pytest.mark.parametrize("module", ["99", "tensors", "01_tensors", "", "../01_tensor"])
def test_an_unknown_module_is_refused_with_the_known_ones(module, tmp_path):
    """Exit code 2, and nobody has to look the names up."""
    result = grade(folder(tmp_path), "--module", module)
    assert_ended(result, 2)
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert "01_tensor" in line and "02_activations" in line


def hand_in(name, at):
    """Write the fixture `name` below `at`."""
    return build.folder(at / "alice", FIXTURES[name].files(COURSE, at / "canary"))


def only_activations(at):
    """Hand in a repository in which the first module is missing."""
    return build.repository(at / "alice", {ACTIVATIONS: WORK[ACTIVATIONS]})


GRADED = {
    "tensor.py is missing": (
        only_activations,
        "tinytorch/tensor.py is missing: run 'tito start 01' and commit it",
        100,
    ),
    "a link as tensor.py": (
        lambda at: link_tensor(only_activations(at)),
        "'tinytorch/tensor.py' is a link: not read",
        100,
    ),
    "not UTF-8": (
        lambda at: hand_in("not_text", at),
        "tinytorch/activations.py cannot be imported: SyntaxError",
        100,
    ),
    "importing torch": (
        lambda at: hand_in("imports_torch", at),
        "tinytorch/activations.py, line 1: No module named 'torch'",
        100,
    ),
    "an array as Tensor": (lambda at: hand_in("replaces_tensor", at), "AttributeError", 0),
    "lists": (lambda at: hand_in("returns_lists", at), "AttributeError", 186),
    "a gigabyte of print": (
        lambda at: hand_in("output_gigabyte", at),
        "printed more than 1 MiB",
        192,
    ),
    "deleting itself": (lambda at: hand_in("files_delete_own", at), "PermissionError", 194),
}


def link_tensor(repository):
    """Commit a link to the reference as tensor.py."""
    (repository / TENSOR).symlink_to(reference_path(COURSE.assignment("01")))
    build.git(repository, "add", "--all")
    build.git(repository, "commit", "--quiet", "--message=link")
    return repository


@pytest.mark.parametrize("kind", GRADED)
def test_what_can_be_graded_is_graded_and_says_what_is_wrong(kind, tmp_path):
    """Exit code 0, whatever the score; the line or the hint is in the student's report."""
    make, words, points = GRADED[kind]
    source = make(tmp_path)
    files = {path: path.read_bytes() for path in source.rglob("*.py")}
    result = grade(source)
    assert_ended(result, 0)
    assert result.stderr == ""
    shown = " ".join(Path("report/student.md").read_text(encoding="utf-8").split())
    assert words in shown
    assert json.loads(Path("report/report.json").read_bytes())["score"]["points"] == points
    assert {path: path.read_bytes() for path in source.rglob("*.py")} == files


@pytest.mark.parametrize("source, code", [("nowhere", 2), ("output_workflow_commands", 0)])
def test_the_real_command_does_the_same(source, code, tmp_path):
    """As a process of its own: exit code, one line or a table, and never a traceback."""
    path = hand_in(source, tmp_path) if source in FIXTURES else source
    command = [sys.executable, "-m", "autograder", "grade", str(path), "--module", "02"]
    root = Path(main.callback.__code__.co_filename).parents[1]
    environment = os.environ | {"PYTHONPATH": str(root)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == code, f"exit code {done.returncode}, expected {code}:\n{done.stderr}"
    assert "Traceback" not in done.stdout + done.stderr
    assert len(done.stderr.splitlines()) == (1 if code else 0)
    lines = (done.stdout + done.stderr).splitlines()
    assert lines and not any(line.lstrip().startswith(("::", "##[")) for line in lines)
    assert "\x1b" not in done.stdout


def test_the_rest_of_a_class_is_unharmed(tmp_path):
    """One honest student among everything above gets full marks, and nobody is lost."""
    build.repository(tmp_path / "class" / "alice", WORK)
    build.repository(tmp_path / "class" / "many", {f"{i}.txt": b"" for i in range(1001)})
    link_tensor(build.repository(tmp_path / "class" / "links", {ACTIVATIONS: WORK[ACTIVATIONS]}))
    build.git(tmp_path / "class", "init", "--quiet", "empty")
    for name in ("imports_torch", "output_gigabyte", "files_delete_own", "not_text"):
        build.repository(tmp_path / "class" / name, FIXTURES[name].files(COURSE, tmp_path / "x"))
    arguments = ["class", "class", "--out", "grades", "--jobs", "2", "--module", "02"]
    result = CliRunner().invoke(main, arguments)
    assert_ended(result, 0)
    reports = list(Ledger(tmp_path / "grades" / "ledger"))
    assert len(reports) == 8
    alice = json.loads((tmp_path / "grades" / "alice" / "report.json").read_bytes())
    assert (alice["status"], alice["score"]["points"]) == ("passed", 100)
