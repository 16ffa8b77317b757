"""Every mistake a student can make with tito ends in one line that says what to do."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys

import pytest

from tests.student import StudentRepository


@pytest.fixture
def student(tmp_path):
    return StudentRepository(tmp_path / "my course work")


def mistake(run):
    """Return the one line on stderr of a command that ended with exit code 2."""
    assert run.returncode == 2, run.stdout + run.stderr
    assert run.stdout == ""
    line = run.stderr.removesuffix("\n")
    assert line.startswith("tito: ") and "\n" not in line
    return line.removeprefix("tito: ")


def problem(run):
    """Return what `tito test` says instead of a table; exit code 1."""
    assert (run.returncode, run.stderr) == (1, "")
    assert "Traceback" not in run.stdout
    head, _, rest = run.stdout.partition("\n")
    return " ".join(rest.split())


COMMANDS = [
    ("start", "01"),
    ("test",),
    ("status",),
    ("hint", "01"),
    ("reset", "01"),
    ("milestone", "1"),
    ("submit",),
]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_outside_of_the_course_every_command_says_where_it_belongs(student, tmp_path, command):
    """In the wrong folder, the folder is named and what to do."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    line = mistake(student.tito(*command, cwd=elsewhere))
    assert line == (
        f"this is no folder of the course: there is no assignments/course.toml in {elsewhere} or "
        "above it; change into your repository (`cd`) and try again"
    )


@pytest.mark.parametrize("command", ["start", "test", "hint", "reset"])
@pytest.mark.parametrize(
    ("module", "words"),
    [("99", "there is no module '99'; choose"), ("capstone", "20_capstone is not released yet")],
)
def test_a_module_that_is_not_there_is_answered_with_those_that_are(
    student, command, module, words
):
    """A wrong number, or a module of next month."""
    shutil.rmtree(student.root / "assignments" / "20_capstone", ignore_errors=True)
    line = mistake(student.tito(command, module))
    assert line.startswith(words) and "01_tensor, 02_activations" in line


def test_starting_twice_leaves_the_work_alone(student):
    """The second start names both ways on, and changes nothing."""
    student.tito("start", "01")
    student.change("tensor", "raise NotImplementedError", "return 1 #")
    work = student.file("tensor").read_bytes()
    line = mistake(student.tito("start", "01"))
    assert line == (
        "tinytorch/tensor.py exists and stays as it is; go on with `tito test 01`, "
        "or begin again with `tito reset 01`"
    )
    assert student.file("tensor").read_bytes() == work


def test_starting_before_what_it_builds_on_names_that(student):
    """Module 02 needs a Tensor."""
    line = mistake(student.tito("start", "02"))
    assert line == (
        "02_activations builds on 01_tensor, which is not started; run `tito start 01` first"
    )
    assert not student.file("activations").exists()


@pytest.mark.parametrize("command", ["test", "reset"])
def test_a_module_that_is_not_started_says_how_to_begin(student, command):
    """There is nothing to test and nothing to reset."""
    line = mistake(student.tito(command, "01"))
    assert line == "tinytorch/tensor.py does not exist; begin with `tito start 01`"


def test_a_part_of_no_task_is_answered_with_the_tasks(student):
    """-k with a typing error lists what there is."""
    student.tito("start", "01")
    line = mistake(student.tito("test", "01", "-k", "matmull"))
    assert line.startswith("no task has 'matmull' in its name; choose from: as_array, ")


@pytest.mark.parametrize("command", ["hint", "reset"])
def test_an_unknown_function_is_answered_with_the_tasks(student, command):
    """A typing error in a function's name lists what there is."""
    student.tito("start", "01")
    line = mistake(student.tito(command, "01", "Tensor.matmull"))
    assert "'Tensor.matmull'" in line and "Tensor.matmul" in line.partition("one of: ")[2]


BROKEN = {
    "no syntax": ("def f(:\n", "tinytorch/tensor.py:1: SyntaxError: invalid syntax"),
    "indentation": ("x = 1\n  y = 2\n", "tinytorch/tensor.py:2: IndentationError: unexpected "),
    "an error": ('"""Doc."""\n1 / 0\n', "tinytorch/tensor.py:2: ZeroDivisionError: division by"),
    "lines": ('raise ValueError("a\\nb")\n', "tinytorch/tensor.py:1: ValueError: a b"),
    "an exit": ("import sys\nsys.exit()\n", "tinytorch/tensor.py:2: SystemExit"),
    "an import": ("import torrch\n", "tinytorch/tensor.py:1: ModuleNotFoundError: No module named"),
    "no name": ("x = 1\n", "ImportError: cannot import name "),
    "not UTF-8": (b"x = '\xff'\n", "tinytorch/tensor.py:1: SyntaxError: "),
    "a null": ("x = '\0'\n", "tinytorch/tensor.py: "),  # which error, the version decides
}


@pytest.mark.parametrize("broken", BROKEN)
def test_a_file_that_cannot_be_imported_is_named_with_its_line(student, broken):
    """File, line and error of the student's own file: no traceback, no word about pytest."""
    text, words = BROKEN[broken]
    student.file("tensor").write_bytes(text.encode() if isinstance(text, str) else text)
    assert problem(student.tito("test", "01", COLUMNS="200")).startswith(words)


def test_a_broken_lower_module_is_the_one_that_is_named(student):
    """Module 02 fails to import because of module 01, and that is what is said."""
    student.finish("tensor", "activations")
    student.change("tensor", "import numpy as np", "import numpyy as np")
    words = problem(student.tito("test", "02", COLUMNS="200"))
    assert re.match(r"tinytorch/tensor\.py:\d+: ModuleNotFoundError: No module named 'num", words)


def test_a_missing_lower_module_says_how_to_get_it(student):
    """Module 02 without module 01, which was deleted after the start."""
    student.finish("activations")
    words = problem(student.tito("test", "02", COLUMNS="200"))
    assert words == "tinytorch/tensor.py does not exist; `tito start` puts it there"


def test_pytest_alone_says_the_same(student):
    """A student who knows pytest gets the same line, and no traceback."""
    student.file("tensor").write_text("def f(:\n", encoding="utf-8")
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "assignments/01_tensor"],
        cwd=student.root,
        env=student.env,
        capture_output=True,
        encoding="utf-8",
    )
    assert "\ntinytorch/tensor.py:1: SyntaxError: invalid syntax\n" in run.stdout
    assert "Traceback" not in run.stdout


def test_an_endless_loop_is_stopped_at_its_line(student):
    """The test, the limit and the line of the loop are named."""
    student.finish("tensor", "activations")
    student.write("activations", relu="while True: x")
    number = student.file("activations").read_text().split("while True")[0].count("\n") + 1
    words = problem(student.tito("test", "02", "-k", "relu", COLUMNS="200"))
    assert words.startswith(f"tinytorch/activations.py:{number}: test_")
    assert words.endswith(" took longer than 10 s and was stopped here; is a loop endless?")


def test_a_crash_of_the_tests_is_no_crash_of_tito(student):
    """Whatever ends the process of the tests, tito says that it ended, and where."""
    student.finish("tensor", "activations")
    student.write("activations", relu="import os; os._exit(7)")
    words = problem(student.tito("test", "02", "-k", "relu", COLUMNS="200"))
    assert words.startswith("tinytorch/activations.py: its tests ended early (exit code 7)")


def test_resetting_a_function_in_a_broken_file_says_where_it_is_broken(student):
    """A function cannot be found in what is no Python; the line to mend is named."""
    student.finish("tensor")
    student.file("tensor").write_text("def f(:\n", encoding="utf-8")
    line = mistake(student.tito("reset", "01", "Tensor.matmul", "--yes"))
    assert line == (
        "tinytorch/tensor.py:1: SyntaxError: invalid syntax; mend that line, "
        "or `tito reset 01` puts the whole file back"
    )


def test_resetting_a_function_in_a_file_of_another_encoding_says_so(student):
    """Latin-1 is named with its line, and the file stays as it is."""
    student.file("tensor").write_bytes(b"x = 1\n# \xe9\n")
    line = mistake(student.tito("reset", "01", "Tensor.matmul", "--yes"))
    assert line == "tinytorch/tensor.py:2: not UTF-8; save the file as UTF-8"


def test_resetting_a_function_that_was_deleted_says_where_to_copy_it_from(student):
    """There is no place to put it."""
    student.file("tensor").write_text("x = 1\n", encoding="utf-8")
    line = mistake(student.tito("reset", "01", "Tensor.matmul", "--yes"))
    assert line == (
        "Tensor.matmul is not in tinytorch/tensor.py as often as in the starter; copy it from "
        "assignments/01_tensor/tensor.py, or `tito reset 01` puts the whole file back"
    )


def test_resetting_a_function_of_another_indentation_says_so(student):
    """A method with spaces, put back among others with tabs, would break the file."""
    student.file("tensor").write_text(
        "class Tensor:\n\tdef matmul(self, other):\n\t\treturn 1\n\tdef sum(self): pass\n",
        encoding="utf-8",
    )
    before = student.file("tensor").read_bytes()
    line = mistake(student.tito("reset", "01", "Tensor.matmul", "--yes"))
    assert line.endswith("your file indents otherwise; `tito reset 01` puts the whole file back")
    assert student.file("tensor").read_bytes() == before


@pytest.mark.parametrize(("number", "code"), [("0", 2), ("7", 2), ("-1", 2), ("first", 2)])
def test_a_milestone_that_is_not_there_says_which_are(student, number, code):
    """Milestones are 1 to 6."""
    run = student.tito("milestone", "--", number)
    assert run.returncode == code
    assert "Traceback" not in run.stderr
    assert number in run.stderr


def test_an_unknown_milestone_is_answered_with_numbers_and_years(student):
    """Either of them names one."""
    line = mistake(student.tito("milestone", "1957"))
    assert line.startswith("there is no milestone 1957; choose from 1 (1958), 2 (1969), ")
    assert line.endswith(", 6 (2018)")


def test_a_broken_course_file_is_named_with_its_cure(student):
    """A student who edits the course's own files learns how to get them back."""
    (student.root / "assignments" / "course.toml").write_text("title =", encoding="utf-8")
    assert "assignments/course.toml: is not TOML" in mistake(student.tito("status"))
    (student.root / "assignments/course.toml").write_text("", encoding="utf-8")
    assert "assignments/course.toml: the file has no key" in mistake(student.tito("status"))


def test_a_missing_starter_says_how_to_get_it_back(student):
    """A deleted course file is restored from git."""
    (student.root / "assignments/01_tensor/tensor.py").unlink()
    assert "assignments/01_tensor/tensor.py" in mistake(student.tito("start", "01"))
    assert not student.file("tensor").exists()


def test_a_place_that_cannot_be_written_is_named(student):
    """A file where the package should be, for one."""
    (student.root / "tinytorch" / "__init__.py").unlink()
    (student.root / "tinytorch" / "README.md").unlink()
    (student.root / "tinytorch").rmdir()
    (student.root / "tinytorch").write_text("no folder", encoding="utf-8")
    line = mistake(student.tito("start", "01"))
    assert "tinytorch" in line and "try again" in line


def test_without_pytest_the_cure_is_named(student, tmp_path):
    """A student who did not install the course learns how."""
    student.finish("tensor")
    (tmp_path / "pytest").mkdir()
    (tmp_path / "pytest" / "__init__.py").touch()
    (tmp_path / "pytest" / "__main__.py").write_text(
        "raise SystemExit('/usr/bin/python: No module named pytest')", encoding="utf-8"
    )
    path = os.pathsep.join([str(student.root), str(tmp_path)])
    words = problem(student.tito("test", "01", PYTHONPATH=path))
    assert words == "pytest is not installed: run `pip install -e .` in your repository"
