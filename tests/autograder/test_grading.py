"""The pipeline: what earns points, what does not, and whose fault it is."""

import dataclasses
import re
import threading
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import pytest

from assignments.catalog import load_course
from autograder import grading
from autograder.errors import GraderError
from autograder.intake import Submission
from autograder.sandbox import Limits, Sandbox, Worker
from autograder.student import Draw, Reference, Student
from autograder.suite import load_suite, reference_path
from autograder.workspace import Workspace

COURSE = load_course()


def source(key: str) -> str:
    """Return the reference's file of a module."""
    return reference_path(COURSE.assignment(key)).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def sandbox():
    """Return a warm sandbox whose checks may take two seconds."""
    with Sandbox(Limits(wall_s=2.0)) as box:
        yield box


@pytest.fixture
def grade(tmp_path, sandbox):
    """Return a function that grades {module: text} and returns the outcome of one module."""

    def grade(files: dict[str, str], key: str, seed: int = 1):
        (tmp_path / "tinytorch").mkdir(exist_ok=True)
        for name, text in files.items():
            (tmp_path / "tinytorch" / f"{name}.py").write_text(text, encoding="utf-8")
        now = datetime.now(timezone.utc)
        submission = Submission("student", Path(tmp_path), "0" * 64, now)
        chosen = [COURSE.assignment(key)]
        return grading.grade(submission, chosen, course=COURSE, seed=seed, sandbox=sandbox)

    return grade


def one(outcome):
    """Return the only module of a grade."""
    (module,) = outcome.modules
    return module


@pytest.mark.parametrize("assignment", COURSE.assignments, ids=lambda a: a.id)
def test_the_reference_earns_everything_alone_and_integrated(grade, assignment):
    """Full marks, full isolation, and every check also passes on files that are all its own."""
    files = {a.module: source(a.id) for a in COURSE.assignments if a.number <= assignment.number}
    outcome = grade(files, assignment.id)
    module = one(outcome)
    assert (module.points, module.status, module.note) == (100, "passed", None)
    assert module.integrated_passed == module.integrated_total == len(module.checks)
    assert outcome.isolation == "full" and not outcome.practice


def test_a_grade_is_repeated_by_its_seed(grade):
    """Points, statuses, errors and lines are a function of submission, suite and seed."""
    wrong = source("02").replace("np.tanh", "np.sin")
    assert wrong != source("02")
    first, second = (one(grade({"activations": wrong}, "02", seed=7)) for _ in range(2))
    same = [dataclasses.replace(c, duration_s=0) for c in first.checks]
    assert same == [dataclasses.replace(c, duration_s=0) for c in second.checks]
    assert 0 < first.points < 100 and first.status == "partial"


def test_a_mistake_in_a_lower_module_costs_only_there(grade):
    """02 is graded on the reference's tensor; the student's own shows in the integrated pass."""
    broken = source("01") + "\n\ndef apply(op, *inputs, **kwargs):\n    return None\n"
    module = one(grade({"tensor": broken, "activations": source("02")}, "02"))
    assert module.points == 100
    assert module.integrated_passed == 0


def test_an_integrated_pass_needs_the_students_lower_modules(grade):
    """Without their tensor.py there is nothing to integrate with; the points stay."""
    module = one(grade({"activations": source("02")}, "02"))
    assert (module.points, module.integrated_passed) == (100, 0)


@pytest.mark.parametrize(
    ("text", "status", "says"),
    [
        ("def relu(:\n", "error", "SyntaxError in tinytorch/activations.py, line 1"),
        (
            "import torch\n",
            "error",
            r"ModuleNotFoundError .* line 1: No module named 'torch' .NumPy and",
        ),
        ("x = 1\n1 / 0\n", "error", "ZeroDivisionError in tinytorch/activations.py, line 2"),
        ("while True:\n    pass\n", "timeout", "took longer than 2 s"),
        ("import os\nos._exit(0)\n", "error", "ended itself with status 0"),
        ("raise SystemExit(0)\n", "error", "SystemExit"),
        ("x = bytearray(10**11)\n", "error", "memory"),
    ],
)
def test_a_file_that_cannot_be_imported_earns_nothing_and_says_why(grade, text, status, says):
    """One note for the module; no check waits for the same failure again."""
    module = one(grade({"activations": text}, "02"))
    assert (module.points, module.status) == (0, status)
    assert module.note is not None
    assert re.search(says, module.note), module.note
    assert sum(check.duration_s for check in module.checks) < 2


def test_a_missing_file_says_how_to_start(grade):
    """It is not an error: the student has not begun."""
    module = one(grade({}, "02"))
    assert (module.points, module.status) == (0, "failed")
    assert module.note == "tinytorch/activations.py is missing: run `tito start 02` and commit it"


def test_a_hidden_check_tells_its_hint_the_exception_and_the_line_and_no_more(grade):
    """Values, messages and output of hidden checks stay with staff's test files."""
    leaking = source("02") + (
        "\n\ndef relu(x):\n    print('SECRET', x)\n    raise ValueError(f'SECRET {x}')\n"
    )
    module = one(grade({"tensor": source("01"), "activations": leaking}, "02"))
    checks = [check for check in module.checks if check.task == "relu"]
    assert {check.suite for check in checks} == {"shown", "hidden"}
    for check in checks:
        assert (check.status, check.error) == ("error", "ValueError")
        assert check.line == leaking.count("\n")
        assert check.output.startswith("SECRET") == (check.suite == "shown")
        assert check.message.startswith("ValueError: SECRET") == (check.suite == "shown")


SPY = """
import tinytorch.tensor as tensor
SEEN = "their own" if hasattr(tensor, "OWN") else "THE REFERENCE"
"""


@pytest.mark.parametrize("own", [True, False], ids=["with their own tensor", "without"])
@pytest.mark.parametrize(
    "attack",
    [
        "def relu(x):\n    print(SEEN)\n    raise ValueError(SEEN)\n",
        "def relu(x):\n    print(SEEN)\n    return tensor.from_numpy(np.array(len(SEEN)))\n",
        "raise ValueError(SEEN)\n",
    ],
    ids=["message", "answer", "import"],
)
def test_nothing_of_the_reference_below_a_module_can_be_told(grade, attack, own):
    """Words reach a student only from a worker in which all files are their own."""
    files = {"activations": source("02") + SPY + attack}
    if own:
        files["tensor"] = source("01") + "\nOWN = True\n"
    outcome = grade(files, "02")
    module = one(outcome)
    told = [module.note or "", *(c.message + c.output for c in module.checks)]
    public = [t for t in outcome.gradescope["tests"] if t["visibility"] == "visible"]
    everything = "\n".join([*told, *(test["output"] for test in public)])
    assert module.points < 100
    assert "THE REFERENCE" not in everything
    assert f"array({len('THE REFERENCE')})" not in everything
    assert f"got {len('THE REFERENCE')}" not in everything
    if own and "raise" in attack:
        assert "their own" in everything


def test_a_loop_in_one_function_costs_its_checks_only(grade):
    """Each of its checks names the bound; all others are as before."""
    looping = source("02") + "\n\ndef silu(x):\n    while True:\n        pass\n"
    module = one(grade({"activations": looping}, "02"))
    lost = [check for check in module.checks if check.status != "passed"]
    assert {check.task for check in lost} == {"silu"}
    assert {(check.status, check.error) for check in lost} == {("timeout", "took longer than 2 s")}


def test_a_module_has_a_budget_that_no_number_of_loops_exceeds(grade, monkeypatch):
    """What has not run when it is spent fails with the reason."""
    monkeypatch.setattr(grading, "MODULE_BUDGET_S", 0.0)
    module = one(grade({"activations": source("02")}, "02"))
    assert (module.points, module.status) == (0, "failed")
    assert {c.error for c in module.checks} == {
        "the checks of this module took longer than 0 s together"
    }


def test_the_graders_own_fault_is_not_a_wrong_answer(grade, monkeypatch):
    """A dead fork server must not become zero points: the submission is ungradable."""

    def broken(self, calls):
        raise GraderError("the fork server has ended")

    monkeypatch.setattr("autograder.sandbox.handle.Worker.run_all", broken)
    with pytest.raises(GraderError, match="fork server has ended"):
        grade({"activations": source("02")}, "02")


def test_a_probe_that_is_not_there_is_the_graders_fault(grade, monkeypatch):
    """Also where the reference is asked first: no check fails for it."""
    without = dataclasses.replace(load_suite(COURSE.assignment("02")), probes={})
    monkeypatch.setattr(grading, "load_suite", lambda assignment: without)
    with pytest.raises(GraderError, match="has no probe"):
        grade({"activations": source("02")}, "02")


def test_shown_checks_run_before_hidden_ones(grade, monkeypatch):
    """Nothing that is learned in a hidden check can come out in a shown one."""
    order = []
    run = grading._run

    def spy(file, suite, case, session, seed):
        order.append(case.suite)
        return run(file, suite, case, session, seed)

    monkeypatch.setattr(grading, "_run", spy)
    grade({"activations": source("02")}, "02")
    assert order == sorted(order, reverse=True) and {"shown", "hidden"} == set(order)


def test_every_check_has_a_worker_of_its_own(grade, monkeypatch):
    """A hidden input that is seen in one check cannot be told in another."""
    opened, worker = [], Workspace.worker

    def spy(self, assignment, *, integrated):
        opened.append(worker(self, assignment, integrated=integrated))
        return opened[-1]

    monkeypatch.setattr(Workspace, "worker", spy)
    module = one(grade({"activations": source("02")}, "02"))
    assert len(set(map(id, opened))) == len(
        module.checks
    )  # the first also learns whether it imports


def handed_in(tmp_path, **files):
    """Return a submission of the reference's first two modules, some of them replaced."""
    (tmp_path / "tinytorch").mkdir()
    for name, text in {"tensor": source("01"), "activations": source("02"), **files}.items():
        (tmp_path / "tinytorch" / f"{name}.py").write_text(text, encoding="utf-8")
    return Submission("student", tmp_path, "0" * 64, datetime.now(timezone.utc))


def test_lanes_change_nothing_but_the_time(tmp_path, sandbox):
    """Two modules at once give what they give in turn: the same checks, in the same order."""
    submission = handed_in(tmp_path, activations=source("02").replace("np.tanh", "np.sin"))
    grades = [
        grading.grade(
            submission, COURSE.assignments[:2], course=COURSE, seed=7, sandbox=sandbox, lanes=lanes
        )
        for lanes in (1, 2)
    ]
    alone, beside = (
        [dataclasses.replace(check, duration_s=0) for one in grade.modules for check in one.checks]
        for grade in grades
    )
    assert alone == beside and grades[0].gradescope == grades[1].gradescope


def test_a_fault_in_one_lane_ends_the_others(tmp_path, monkeypatch):
    """Whoever waits for a lane in vain would hold the whole grading up."""
    run_all = Worker.run_all

    def broken_in_01(self, calls):
        if threading.current_thread() is not threading.main_thread() and "matmul" in str(calls):
            raise GraderError("the fork server has ended")
        return run_all(self, calls)

    monkeypatch.setattr(Worker, "run_all", broken_in_01)
    endless = source("02") + "\n\nwhile True:\n    pass\n"
    with Sandbox(Limits(wall_s=30)) as box, pytest.raises(GraderError, match="server"):
        grading.grade(
            handed_in(tmp_path, activations=endless),
            COURSE.assignments[:2],
            course=COURSE,
            seed=7,
            sandbox=box,
            lanes=2,
        )


def test_what_the_reference_answered_is_remembered_for_the_same_inputs_only(tmp_path, sandbox):
    """Grading again with one draw asks the reference nothing; another seed asks anew."""
    submission, draw = handed_in(tmp_path), Draw(7)
    asked, run = [], Reference.run

    def graded(seed):
        asked.clear()
        return grading.grade(
            submission,
            COURSE.assignments[1:2],
            course=COURSE,
            seed=seed,
            sandbox=sandbox,
            draw=draw,
            integrated=False,
        )

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            Reference, "run", lambda *args, **kw: asked.append(args[1]) or run(*args, **kw)
        )
        assert graded(7).modules[0].points == 100 and asked
        assert graded(7).modules[0].points == 100 and not asked
        assert graded(8).modules[0].points == 100 and asked


def test_other_inputs_are_not_answered_from_memory():
    """A check whose inputs depend on the student's answers gets the answer to those."""
    suite = load_suite(COURSE.assignment("02"))
    known = []
    for x in (np.ones(2), np.ones(2), np.zeros(2), np.float32([0, 0])):
        student = Student(suite, lambda calls: ([], None), known)
        assert student.agree("call_plain", name="tanh", x=x, tensor=True).dtype == x.dtype
        assert np.array_equal(
            student.agree("call_plain", name="tanh", x=x + 1, tensor=True), np.tanh(x + 1)
        )
