"""Grading a milestone: who knows which answers, what is counted, how the command ends."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import tinytorch
from assignments.catalog import CatalogError
from autograder import milestones
from autograder.cli import main
from autograder.errors import GraderError
from autograder.intake import receive
from autograder.milestones import disguise, find, grade_milestone, travelling
from autograder.sandbox import Limits, Sandbox, Worker
from milestones.problem import Images, Sequences, Task, Writing
from tests.autograder.submit import COURSE

NUMBERS = [one.number for one in COURSE.milestones if one.script.is_file()]


@pytest.fixture
def finished(tmp_path):
    """Return a submission that holds the reference, and a script that must not run."""
    shutil.copytree(Path(tinytorch.__file__).parent, tmp_path / "grace" / "tinytorch")
    (tmp_path / "grace" / "milestones").mkdir()
    for one in COURSE.milestones:
        (tmp_path / "grace" / "milestones" / one.script.name).write_text("raise SystemExit(7)\n")
    return tmp_path / "grace"


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Return a function that runs the command in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AUTOGRADER_KEY_FILE", str(tmp_path / "submitter.key"))
    return lambda *arguments: CliRunner().invoke(main, ["milestone", *map(str, arguments)])


def grade(source, number, seed=3, **limits):
    with Sandbox(Limits(**{"wall_s": 60, "cpu_s": 120} | limits)) as sandbox:
        with receive(source) as submission:
            return grade_milestone(submission, number, course=COURSE, seed=seed, sandbox=sandbox)


@pytest.mark.parametrize("number", NUMBERS)
def test_the_reference_passes_and_milestone_json_says_so(run, finished, tmp_path, number):
    """Three runs, every gate; the table is for staff, the file for everything else."""
    done = run(finished, number, "--seed", 3, "--out", "out")
    assert done.exit_code == 0, done.output
    assert "passed" in done.output and "not passed" not in done.output
    (path,) = (tmp_path / "out").iterdir()
    report = json.loads(path.read_text(encoding="ascii"))
    assert path.name == "milestone.json" and report["schema"] == "milestone-report/1"
    assert report["passed"] is True and report["practice"] is False
    assert report["milestone"]["number"] == number
    assert report["grader"]["limits"]["wall_s"] == 60
    assert {answer["run"] for answer in report["answers"]} == {0, 1, 2}
    for answer in report["answers"]:
        assert answer["passed"] and answer["status"] == "passed" and answer["wall_s"] > 0
    assert report["timing"]["cpu_s"] > 0 and report["timing"]["peak_rss_bytes"] > 1 << 20
    assert "grace" not in path.read_text(), "a report holds no name"


def test_the_same_seed_grades_the_same_and_another_draws_anew(finished):
    """A regrade is a pure function of submission, script and seed."""
    first, again, other = (
        [answer.value for answer in grade(finished, 3, seed).answers] for seed in (5, 5, 6)
    )
    assert first == again != other


def test_the_worker_never_gets_an_answer(finished, monkeypatch):
    """What is held back is in nothing that is sent, and is asked without its label."""
    sent, drawn = [], []
    run, real = Worker.run, milestones.disguise

    def note(worker, probe, inputs):
        sent.append(inputs)
        return run(worker, probe, inputs)

    def keep(task, rng):
        drawn.append(real(task, rng))
        return drawn[-1]

    monkeypatch.setattr(Worker, "run", note)
    monkeypatch.setattr(milestones, "disguise", keep)
    assert grade(finished, 3).passed
    for inputs, task in zip(sent, drawn, strict=True):
        assert inputs.keys() == {"inputs", "labels", "tests", "seed", "watch"}
        assert len(inputs["labels"]) == len(inputs["inputs"]) == 1797 - len(task.answers)
        learned = {row.tobytes() for row in inputs["inputs"]}
        assert not [row for row in inputs["tests"] if row.tobytes() in learned]
    assert [inputs["seed"] for inputs in sent] == [0, 1, 2], "nothing of the grader's own seed"


def test_a_disguised_task_is_the_same_task():
    """Features and classes change their places together, in examples and tests alike."""
    rng = np.random.default_rng(0)
    inputs, tests = rng.random((50, 6), np.float32), rng.random((20, 6), np.float32)
    task = Task(inputs, rng.integers(0, 4, 50), tests, rng.integers(0, 4, 20))
    other = disguise(task, rng)
    places = [np.flatnonzero(inputs[0] == value)[0] for value in other.inputs[0]]
    assert sorted(places) == list(range(6)) and places != list(range(6))
    assert (other.inputs == inputs[:, places]).all() and (other.tests == tests[:, places]).all()
    names = {(old, new) for old, new in zip(task.labels, other.labels, strict=True)}
    assert len(names) == 4 and {new for _, new in names} == set(range(4))
    assert set(zip(task.answers, other.answers, strict=True)) <= names


def test_a_missing_module_is_named_and_the_grade_is_made(run, finished):
    """The student's to mend: exit code 0, not passed, the file in the reason."""
    (finished / "tinytorch" / "layers.py").unlink()
    done = run(finished, 1)
    assert done.exit_code == 0
    assert "not passed" in done.output
    assert "needs tinytorch/layers.py: `tito milestone 1` says what to do" in done.output


def test_a_file_that_cannot_be_compiled_is_the_reason(finished):
    """With its line, and what Python says of it."""
    (finished / "tinytorch" / "activations.py").write_text("def sigmoid(x:\n")
    for answer in grade(finished, 1).answers:
        assert answer.status == "error"
        assert answer.reason.startswith("SyntaxError in tinytorch/activations.py, line 1: ")


def test_a_module_that_the_milestone_does_not_need_may_be_broken(finished):
    """1969 asks for no data loader, so a wrong one costs nothing there."""
    (finished / "tinytorch" / "dataloader.py").write_text("raise RuntimeError\n")
    assert grade(finished, 2).passed


def test_a_bound_on_time_is_set_on_the_command_line(run, finished):
    """`--limit wall_s=1` is that of one training."""
    source = finished / "tinytorch" / "layers.py"
    source.write_text(source.read_text() + "\n\nwhile True:\n    pass\n")
    done = run(finished, 1, "--limit", "wall_s=1")
    assert done.exit_code == 0
    assert "took longer than 1 s" in done.output


def test_words_of_a_submission_cannot_write_on_the_terminal(run, finished):
    """What an exception says is cleaned, and is no markup."""
    source = finished / "tinytorch" / "layers.py"
    source.write_text(source.read_text() + "\n\nraise ValueError('\\x1b[2J[red]::error::x[/]')\n")
    done = run(finished, 1)
    assert done.exit_code == 0, done.output
    assert "\x1b[2J" not in done.output and "[red]" in done.output


@pytest.mark.parametrize("number", [0, 7])
def test_what_cannot_be_graded_ends_with_2(run, finished, number):
    """One line says why, and nothing is written."""
    done = run(finished, number)
    assert done.exit_code == 2
    assert "choose from 1 (1958), 2 (1969), " in done.stderr and done.stderr.count("\n") == 1
    assert not Path("report").exists()


def test_a_year_names_a_milestone_as_for_students(run, finished):
    """`tito milestone 1969` and `autograder milestone ada 1969` are about the same."""
    assert find(COURSE, 1969) == find(COURSE, 2)
    done = run(finished, 1969, "--seed", 3, "--limit", "wall_s=30")
    assert done.exit_code == 0 and "milestone 2, 1969" in done.output
    by_year = json.loads(Path("report/milestone.json").read_bytes())
    done = run(finished, 2, "--seed", 3, "--limit", "wall_s=30")
    values = [
        [one["value"] for one in report["answers"]]
        for report in (by_year, json.loads(Path("report/milestone.json").read_bytes()))
    ]
    assert values[0] == values[1]


def test_a_milestone_to_come_is_not_released():
    """Its script is lacking, or a module that it needs."""
    first = replace(COURSE.milestones[0], script=Path("01_1957_before.py"))
    with pytest.raises(CatalogError, match="not released: no milestones/01_1957_before.py yet"):
        find(replace(COURSE, milestones=(first,)), 1)
    with pytest.raises(CatalogError, match="not released: no modules 02_activations, 03_layers"):
        find(replace(COURSE, assignments=COURSE.assignments[:1]), 1)


def test_a_submission_that_is_not_there_ends_with_2(run, tmp_path):
    """As with `grade`."""
    assert run(tmp_path / "nobody", 1).exit_code == 2


def test_a_fault_of_the_grader_ends_with_3(run, finished, monkeypatch):
    """Neither a failed milestone nor a traceback."""
    monkeypatch.setattr(milestones, "travelling", lambda train: 1 / 0)
    done = run(finished, 1)
    assert done.exit_code == 3
    assert done.stderr.startswith("autograder: the grader failed: ZeroDivisionError")
    assert not Path("report").exists()


def test_missing_isolation_refuses_or_is_stamped_as_practice(run, finished, monkeypatch):
    """As with `grade`: exit 3, unless --unsandboxed asks for practice."""

    def without(limits, require_full):
        return Sandbox(limits, require_full=require_full, without={"seccomp"})

    monkeypatch.setattr("autograder.sandbox.Sandbox", without)
    refused = run(finished, 1)
    assert refused.exit_code == 3 and "seccomp" in refused.stderr
    practice = run(finished, 1, "--unsandboxed")
    assert practice.exit_code == 0 and "practice, no grade" in practice.output
    assert json.loads(Path("report/milestone.json").read_text())["practice"] is True


def test_every_script_s_training_can_travel():
    """It uses `np`, `tt`, its arguments and what it defines itself."""
    for number in NUMBERS:
        milestone = find(COURSE, number)[1]
        for train in (milestone.train, *milestone.trainings.values()):
            assert travelling(train)


def outside(inputs):
    return [Path(one) for one in inputs]


def test_a_training_that_needs_more_than_itself_is_refused():
    """The grader's fault, said before anything runs."""
    closed = 3
    with pytest.raises(GraderError, match="uses Path: its code travels alone"):
        travelling(outside)
    with pytest.raises(GraderError, match="no closure and no defaults"):
        travelling(lambda inputs: closed)
    with pytest.raises(GraderError, match="no closure and no defaults"):
        travelling(lambda inputs, more=1: more)


def test_disguised_images_keep_their_neighbours():
    """All are turned alike, and no pixel is the very one that was published."""
    rng = np.random.default_rng(1)
    inputs = rng.random((30, 1, 4, 4), np.float32)
    task = Images(inputs, rng.integers(0, 3, 30), inputs[:9], rng.integers(0, 3, 9))
    other = disguise(task, rng)
    assert other.inputs.dtype == np.float32 and other.inputs.shape == inputs.shape
    assert not (other.inputs == np.rot90(inputs, 1, axes=(2, 3))).any()
    turned = [np.rot90(x, k, (2, 3)) for k in range(4) for x in (inputs, inputs[..., ::-1])]
    (near,) = (x for x in turned if np.abs(other.inputs - x).max() < 0.15)
    assert np.abs(other.tests - near[:9]).max() < 0.15
    assert len(set(zip(task.labels, other.labels, strict=True))) == 3


def test_disguised_sequences_and_texts_are_written_with_other_tokens():
    """What follows what is the same; which token means which letter is not."""
    rng = np.random.default_rng(0)
    tokens = rng.integers(0, 6, (40, 5))
    task = Sequences(tokens, tokens[:, ::-1], tokens[:7], tokens[:7, ::-1])
    other = disguise(task, rng)
    assert (other.labels == other.inputs[:, ::-1]).all() and (other.inputs != tokens).any()
    assert len(set(zip(tokens.flat, other.inputs.flat, strict=True))) == 6
    text = Writing(tokens[0], tokens[0, :0], tokens[:7], tokens[:7, 0], {"alphabet": "abcdef"})
    traded = disguise(text, rng)
    assert sorted(traded.options["alphabet"]) == list("abcdef") != list(traded.options["alphabet"])
    assert (traded.inputs == text.inputs).all() and (traded.answers == text.answers).all()


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "expected an array `predicted`, got NoneType"),
        ([1, 2], "expected an array `predicted`, got list"),
        (np.array([1, 2, 3]), r"shape \(2,\), got int64, shape \(3,\)"),
        (np.array([[1, 2]]), r"got int64, shape \(1, 2\)"),
        (np.array([1.0, 2.0]), "got float64"),
        (np.array([True, False]), "got bool"),
    ],
)
def test_only_one_class_for_each_test_counts(value, words):
    """Anything else is refused, and nothing is guessed."""
    task = Task(*(np.zeros((1, 1)), np.zeros(1), np.zeros((2, 1))), np.array([1, 2]))
    with pytest.raises(ValueError, match=words):
        task.require(value)
    assert task.require(np.array([1, 2])).tolist() == [1, 2]
