"""The command `autograder`: what it prints, what it writes, how it ends."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

import tinytorch
from autograder.cli import main
from autograder.errors import GraderError
from autograder.sandbox import Sandbox


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Return a function that runs the command in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AUTOGRADER_KEY_FILE", str(tmp_path / "submitter.key"))
    return lambda *arguments: CliRunner().invoke(main, list(map(str, arguments)))


@pytest.fixture
def finished(tmp_path):
    """Return a submission that holds the reference."""
    source = Path(tinytorch.__file__).parent
    shutil.copytree(source, tmp_path / "ada" / "tinytorch")
    return tmp_path / "ada"


def test_grade_prints_a_table_and_writes_five_files(run, finished, tmp_path):
    """Staff read the table; the files are for everyone else."""
    done = run("grade", finished, "--module", "02", "--seed", 3)
    assert done.exit_code == 0, done.output
    assert "log_softmax" in done.output and "100 / 100 points" in done.output
    names = {"report.json", "student.json", "public.json", "student.md", "results.json"}
    assert {path.name for path in (tmp_path / "report").iterdir()} == names


def test_grade_prints_the_report_as_json(run, finished):
    """What is printed is the staff's report, seed and limits in it."""
    done = run("grade", finished, "--module", "2", "--seed", 3, "--format", "json")
    grader = json.loads(done.stdout)["grader"]
    assert (grader["seed"], grader["isolation"]) == (3, "full")
    assert grader["limits"]["wall_s"] == 10
    assert grader["limits"]["memory_bytes"] == 2 << 30
    assert grader["limits"]["output_bytes"] == 64 << 10


def test_a_bound_is_set_on_the_command_line_and_named_when_hit(run, finished):
    """`--limit wall_s=1` is what an endless import meets."""
    (finished / "tinytorch" / "activations.py").write_text("while True:\n    pass\n")
    done = run("grade", finished, "--module", "02", "--limit", "wall_s=1")
    assert done.exit_code == 0
    assert "took longer than 1 s" in " ".join(done.output.split())


@pytest.mark.parametrize("limit", ["wall=1", "wall_s", "wall_s=x", "wall_s=0", "cpu_s=-1"])
def test_a_bound_that_is_none_is_refused(run, finished, limit):
    """The line names the bounds there are."""
    done = run("grade", finished, "--limit", limit)
    assert done.exit_code == 2
    assert "--limit" in done.output and "Traceback" not in done.output


def test_a_fault_of_the_grader_ends_with_3_and_one_line(run, finished, monkeypatch):
    """Neither zero points nor a traceback."""

    def broken(assignment):
        raise GraderError("the checks of 02 are broken")

    monkeypatch.setattr("autograder.grading.load_suite", broken)
    done = run("grade", finished)
    assert done.exit_code == 3
    assert done.stderr == "autograder: the checks of 02 are broken\n"


def test_an_unforeseen_fault_ends_with_3_and_says_how_to_see_it(run, finished, monkeypatch):
    """A defect of ours is said in one line; the traceback is there for who asks."""
    monkeypatch.setattr("autograder.grading.load_suite", lambda assignment: 1 / 0)
    done = run("grade", finished)
    assert done.exit_code == 3
    assert done.stderr.startswith("autograder: the grader failed: ZeroDivisionError")
    monkeypatch.setenv("AUTOGRADER_TRACEBACK", "1")
    assert isinstance(run("grade", finished).exception, ZeroDivisionError)


def test_missing_isolation_refuses_to_grade(run, finished, monkeypatch):
    """Exit 3 names what is missing; --unsandboxed grades, stamped as practice."""

    def without(limits, require_full):
        return Sandbox(limits, require_full=require_full, without={"seccomp"})

    monkeypatch.setattr("autograder.sandbox.Sandbox", without)
    refused = run("grade", finished, "--module", "02")
    assert refused.exit_code == 3 and "seccomp" in refused.stderr
    practice = run("grade", finished, "--module", "02", "--unsandboxed")
    assert practice.exit_code == 0 and "practice, no grade" in practice.output


def test_doctor_says_what_this_machine_can_prove(run):
    """Every guarantee is listed, tried out now."""
    done = run("doctor")
    assert done.exit_code == 0, done.output
    for word in ("read_hidden", "memory_limit", "otter-grader", "isolation: full"):
        assert word in done.output


def test_every_command_explains_itself(run):
    """The help is the docstring."""
    for name in main.commands:
        assert main.commands[name].help and run(name, "--help").exit_code == 0
    listed = run("--help").output.partition("Commands:")[2]
    assert "..." not in listed and set(main.commands) <= set(listed.split())
