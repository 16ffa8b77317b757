"""The proofs hold for this course, and each of them can fail."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys

import pytest

from assignments.catalog import load_course
from assignments.functions import blank
from autograder.errors import GraderError
from autograder.mutants import load_mutants
from autograder.proofs import harmed, prove
from autograder.starters import reference
from autograder.trial import trial
from tests.assignments.course import small_course
from tests.student import ROOT


@pytest.mark.parametrize("assignment", load_course().assignments, ids=lambda one: one.id)
def test_every_module_is_proved(assignment):
    """`make check` stands on this: the five proofs of every module there is."""
    assert prove([assignment.id]) == []


@pytest.fixture(scope="module")
def failures(tmp_path_factory):
    """What `autograder prove --module 02` says of a course that is broken in many places."""
    root = tmp_path_factory.mktemp("broken course")
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("assignments", "autograder", "tinytorch", "tests/submissions/mutants"):
        shutil.copytree(ROOT / name, root / name, ignore=ignored)
    for break_it in (_reference, _visible_tests, _hidden_checks, _mutants):
        break_it(root)
    run = subprocess.run(
        [sys.executable, "-m", "autograder", "prove", "--module", "02"],
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root)},
        capture_output=True,
        encoding="utf-8",
    )
    assert run.returncode == 3, run.stdout + run.stderr
    return run.stderr


def _reference(root):
    """Change a lower module on import, and need a task's function there."""
    with (root / "tinytorch" / "activations.py").open("a", encoding="utf-8") as file:
        file.write("\nTensor.borrowed = None\nrelu_array(np.zeros(1))\n")


def _visible_tests(root):
    """Give gelu's tests to silu, and add one that fails and belongs to no task."""
    path = root / "assignments" / "02_activations" / "test_activations.py"
    text = path.read_text(encoding="utf-8").replace('task("gelu")', 'task("silu")')
    text += (
        '\n\n@pytest.mark.task("nobody")\ndef test_wrong():\n    """Doc."""\n    assert 1 == 2\n'
    )
    path.write_text(text, encoding="utf-8")


def _hidden_checks(root):
    """Let every check of tanh pass whatever comes, and one of sigmoid never pass."""
    path = root / "autograder" / "hidden" / "02_activations" / "test_activations.py"
    text = path.read_text(encoding="utf-8")
    checks = re.findall(r'name="(\w+): [^"]*".*?\ndef (\w+)\(', text, re.DOTALL)
    bodies = {function: "pass" for task, function in checks if task == "tanh"}
    wrong = next(function for task, function in checks if task == "sigmoid")
    text = blank(text, bodies | {wrong: "raise AssertionError('never')"})
    path.write_text(text, encoding="utf-8")


def _mutants(root):
    """Add a mutant that does no harm, and leave too few of the others."""
    folder = root / "tests" / "submissions" / "mutants" / "02_activations"
    for path in sorted(folder.iterdir())[9:]:
        path.unlink()
    source = (root / "tinytorch" / "activations.py").read_text(encoding="utf-8")
    first = source.splitlines()[0]
    (folder / "harmless.toml").write_text(
        f"loses = 'relu'\nwhy = 'Nothing is wrong.'\nreplace = [['''{first}''', '''{first} ''']]\n",
        encoding="utf-8",
    )


@pytest.mark.parametrize(
    "words",
    [
        r"02_activations: the starter does not import: tinytorch/activations.py:\d+: NotImpl",
        "02_activations: the reference fails the visible test test_wrong: assert 1 == 2",
        "02_activations: the visible test test_wrong is of task 'nobody', expected one of",
        r"02_activations/sigmoid/[^:]+: the reference fails this check with seed 0",
        "02_activations: no visible test of gelu fails without gelu",
        "02_activations: no hidden check of tanh fails without tanh",
        r"02_activations/tanh/[^:]+: nothing earns \d+ points here",
        r"02_activations/tanh/[^:]+: the untouched starter earns \d+ points here",
        r"mutant 02_activations/harmless: no check of relu catches it \(Nothing is wrong.\)",
        "02_activations: importing it changes tensor.Tensor.borrowed",
    ],
)
def test_each_proof_can_fail(failures, words):
    """A course with this fault is not proved, and the fault is named."""
    assert re.search(f"^{words}", failures, re.MULTILINE), failures


def test_only_what_is_broken_fails(failures):
    """What holds in the broken course is not accused: other tasks, other checks, other mutants."""
    accused = re.findall(r"(?:test of|check of) (\w+) fails without (\w+)", failures)
    assert {task for task, _ in accused} == {"gelu", "tanh", "relu"}  # relu_array: at import
    assert failures.count("mutant ") == 1
    assert "more are needed" not in failures


def test_a_blank_module_that_costs_another_its_points_is_named():
    """The grader keeps modules apart; a change to it that no longer does is seen."""
    course = load_course()
    whole, blank = course.assignment("01"), course.assignment("02")
    with_both = trial().hidden(course.assignments[:2], trial().references({"tensor": b""}))
    assert harmed(blank, with_both) == [
        "02_activations: where it is blank, 01_tensor loses points too"
    ]
    assert harmed(blank, trial().hidden([whole], trial().references())) == []


GOOD = 'loses = "add"\nwhy = "Minus."\nreplace = [["a + b", "a - b"]]\n'
BAD = {
    "not TOML": ("loses =", "not TOML: "),
    "no why": (GOOD.replace('why = "Minus."\n', ""), "expected loses, why, replace; got loses, "),
    "one key too many": (GOOD + "points = 1\n", "expected loses, why, replace; got "),
    "no such task": (GOOD.replace("add", "sub"), "loses 'sub', expected one of"),
    "no text to replace": (GOOD.replace("a + b", "a+b"), "'a+b' occurs 0 times"),
    "two texts to replace": (GOOD.replace("a + b", "self.first"), "'self.first' occurs 3 times"),
    "nothing changed": (GOOD.replace("a - b", "a + b"), "replaced by something else"),
    "no pair": (GOOD.replace(', "a - b"', ""), "replace holds ['a + b']"),
}


@pytest.fixture
def one(tmp_path):
    """A small assignment, with a folder for its mutants."""
    (tmp_path / "mutants" / "01_one").mkdir(parents=True)
    return load_course(small_course(tmp_path)).assignment("one")


def _write_mutant(one, text):
    folder = one.folder.parent.parent / "mutants"
    (folder / one.id / "minus.toml").write_text(text, encoding="utf-8")
    return load_mutants(one, folder)


def test_a_mutant_is_the_reference_with_one_mistake(one):
    """Everything but the replaced text is the reference's."""
    (mutant,) = _write_mutant(one, GOOD)
    assert (mutant.name, mutant.loses, mutant.why) == ("01_one/minus", "add", "Minus.")
    assert mutant.source == reference(one).read_bytes().replace(b"a + b", b"a - b")


@pytest.mark.parametrize("fault", BAD)
def test_a_mutant_that_says_something_else_is_refused(one, fault):
    """A mutant that no longer fits the reference is named, not skipped."""
    text, words = BAD[fault]
    with pytest.raises(GraderError, match=f"^mutant 01_one/minus: .*{re.escape(words)}"):
        _write_mutant(one, text)
