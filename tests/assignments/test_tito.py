"""tito in a real repository: what a student sees when all goes well."""

from __future__ import annotations

import os
import re
import shutil

import click
import pytest

from assignments.catalog import load_course
from assignments.cli import Commands, _time
from tests.student import StudentRepository

MATMUL = "Tensor.matmul"
UNWRITTEN = f'raise NotImplementedError("01_tensor: {MATMUL}")'


@pytest.fixture
def student(tmp_path):
    return StudentRepository(tmp_path / "my course work")  # with spaces, as folders are


def starter(student, module="01_tensor"):
    return (student.root / "assignments" / module / f"{module[3:]}.py").read_bytes()


def test_help_lists_every_command_whole(student):
    """Each command has one line, and no line is cut off; the folder does not matter."""
    run = student.tito("--help", cwd=student.root.parent, COLUMNS="80")
    commands = re.findall(r"^  (\w+)  +[A-Z]", run.stdout.partition("Commands:")[2], re.MULTILINE)
    known = ["compete", "hint", "milestone", "reset", "start", "status", "submit", "test"]
    assert commands == known
    assert "..." not in run.stdout.partition("Commands:")[2]


def test_start_copies_the_starter_and_says_what_next(student):
    """The starter becomes tinytorch/tensor.py, and the next three steps are said."""
    run = student.tito("start", "01")
    assert (run.returncode, run.stderr) == (0, "")
    assert student.file("tensor").read_bytes() == starter(student)
    assert "tinytorch/tensor.py is ready" in run.stdout
    assert "assignments/01_tensor/README.md" in run.stdout
    assert "tito test 01" in run.stdout


def test_a_long_module_says_its_hours_to_the_half():
    """200 minutes are about 3.5 hours."""
    assert [_time(n) for n in (90, 120, 150, 200)] == [
        "90 minutes",
        "2 hours",
        "2.5 hours",
        "3.5 hours",
    ]


def test_whoever_reads_may_go_away():
    """`tito status | head` is no mistake of the student's: click ends without a word."""

    def write():
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        Commands(commands=[click.Command("x", callback=write)]).main(["x"], standalone_mode=False)


def test_an_untouched_starter_is_shown_as_not_written_yet(student):
    """Every task stands at 0, none of them as a failure, and the first one is named as next."""
    student.tito("start", "01")
    run = student.tito("test", "01")
    assert run.returncode == 1
    rows = re.findall(r"^(\S+) +0/\d+  (.*)$", run.stdout, re.MULTILINE)
    assert len(rows) == 15 and rows[0] == ("as_array", "not written yet")
    assert {words.split()[0] for _, words in rows} <= {"not", "needs"}
    assert "Next: as_array (`tito hint 01 as_array` helps)." in run.stdout
    assert "Error" not in run.stdout


def test_a_finished_module_passes(student):
    """All tasks are done, and the way to hand in is said; exit code 0."""
    student.finish("tensor")
    run = student.tito("test", "01")
    assert run.returncode == 0, run.stdout
    assert re.search(r"^Tensor.matmul +(\d+)/\1 +done", run.stdout, re.MULTILINE)
    assert "`tito submit` hands your work in" in run.stdout


def test_without_a_module_all_started_ones_are_tested(student):
    """`tito test` alone runs what there is."""
    student.finish("tensor", "activations")
    run = student.tito("test")
    assert run.returncode == 0, run.stdout
    assert "01_tensor" in run.stdout and "02_activations" in run.stdout


def test_nothing_started_is_no_failure(student):
    """A fresh repository is green, and says how to begin."""
    run = student.tito("test")
    assert (run.returncode, run.stdout) == (
        0,
        "Nothing is started yet: begin with `tito start 01`.\n",
    )


def test_one_task_can_be_tested_alone(student):
    """-k takes a part of a task's name, and leaves the others out."""
    student.finish("tensor")
    run = student.tito("test", "01", "-k", "MATMUL")
    rows = re.findall(r"^(\S+) +\d+/\d+", run.stdout, re.MULTILINE)
    assert (run.returncode, rows) == (0, ["matmul_loops", MATMUL])


def test_a_failing_test_shows_its_docstring_its_line_and_the_student_s_place(student):
    """What is demanded, the assertion, and where the student's code raised: no traceback."""
    student.finish("tensor", "activations")
    student.write("activations", relu="return missing_name")
    run = student.tito("test", "02", "-k", "relu")
    place = [
        number
        for number, line in enumerate(student.file("activations").read_text().splitlines(), 1)
        if "missing_name" in line
    ]
    assert run.returncode == 1
    assert f"tinytorch/activations.py:{place[0]}: NameError: name 'missing_name'" in run.stdout
    assert re.search(r"^relu +0/\d+ +\d+ failing", run.stdout, re.MULTILINE)
    tests = (student.root / "assignments/02_activations/test_activations.py").read_text()
    shown = re.search(r"^relu  (test_\w+)\S*\n  (\S.*)\n", run.stdout, re.MULTILINE)
    assert shown, run.stdout
    assert f"def {shown[1]}(" in tests and shown[2] in tests
    assert re.search(r"^  > \S+", run.stdout, re.MULTILINE)
    assert "Traceback" not in run.stdout + run.stderr


def test_a_difference_is_shown_without_advice_that_tito_cannot_follow(student):
    """`tito test` has no -v, which pytest would name."""
    student.finish("tensor", "activations")
    student.write("activations", relu="return x")
    run = student.tito("test", "02", "-k", "relu")
    assert re.search(r"At index \d+ diff", run.stdout) and "Use -v" not in run.stdout


def test_what_the_student_s_code_prints_is_shown_with_its_failure(student):
    """Printing is how one finds out; markup in it is no markup here."""
    student.finish("tensor", "activations")
    student.write("activations", relu='print("[bold]x is a", type(x).__name__)')
    run = student.tito("test", "02", "-k", "relu")
    assert "your code printed:\n  [bold]x is a Tensor\n" in run.stdout


def test_a_task_that_waits_for_another_says_for_which(student):
    """An unwritten function of a lower module is the next thing to write."""
    student.tito("start", "01")
    student.finish("activations")
    run = student.tito("test", "02", "-k", "tanh")
    assert re.search(r"^tanh +0/\d+ +needs 01_tensor: as_array$", run.stdout, re.MULTILINE)
    assert "Next: as_array (`tito hint 01 as_array` helps)." in run.stdout


def test_status_shows_the_whole_course(student):
    """Twenty modules in four tiers: done, begun, to be started, not released yet."""
    shutil.rmtree(student.root / "assignments" / "20_capstone")
    student.finish("tensor")
    student.change("tensor", "    def matmul(self", "    def matmul(self, needless")
    run = student.tito("status")
    assert run.returncode == 0
    rows = re.findall(r"^(\d\d)  .*", run.stdout, re.MULTILINE)
    assert rows == [f"{number:02d}" for number in range(1, 21)]
    for tier in ("foundations", "vision", "language", "optimization"):
        assert run.stdout.count(tier) == 1
    assert re.search(r"^01  Tensor .* 14/15  tito test 01 *$", run.stdout, re.MULTILINE)
    assert re.search(r"^02  Activations .* 0/8  tito start 02 *$", run.stdout, re.MULTILINE)
    assert re.search(r"^20  Capstone +not released yet *$", run.stdout, re.MULTILINE)
    student.finish("tensor")
    assert re.search(r"^01 .* 15/15  done *$", student.tito("status").stdout, re.MULTILINE)


def test_status_names_a_file_that_cannot_be_imported(student):
    """The map stays whole, and the line to mend is in it."""
    student.file("tensor").write_text("def f(:\n", encoding="utf-8")
    run = student.tito("status", COLUMNS="200")
    assert "tinytorch/tensor.py:1: SyntaxError: invalid syntax" in run.stdout
    assert run.returncode == 0


def test_hint_gives_the_hint_of_a_task(student):
    """The short name is enough, and without a name the tasks are listed."""
    hint = student.tito("hint", "01", MATMUL)
    assert (hint.returncode, hint.stdout) == (0, student.tito("hint", "tensor", "matmul").stdout)
    assert "size" in hint.stdout
    assert f"tito hint 01 {MATMUL}\n" in student.tito("hint", "01").stdout


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_reset_puts_one_function_back_and_nothing_else(student, newline):
    """The function is the starter's again; every other byte is the student's, newlines included."""
    student.finish("tensor")
    written = student.file("tensor").read_bytes().decode().replace("\n", newline) + "# mine"
    student.file("tensor").write_bytes(written.encode())
    run = student.tito("reset", "01", "matmul", "--yes")
    assert run.returncode == 0, run.stderr
    now = student.file("tensor").read_bytes().decode()
    head, _, rest = now.partition(UNWRITTEN)
    assert rest, "the function was not put back"
    assert written.startswith(head) and written.endswith(rest)
    backup = student.root / ".tito" / "backups" / "tensor-1.py"
    assert backup.read_bytes().decode() == written
    assert ".tito/backups/tensor-1.py" in run.stdout


def test_reset_without_a_function_puts_the_whole_starter_back(student):
    """All of it, also from a file that is no Python; each time another backup is kept."""
    for number, text in enumerate((b"def f(:\n", b"\xff\xfe"), 1):
        student.file("tensor").write_bytes(text)
        assert student.tito("reset", "01", "--yes").returncode == 0
        assert student.file("tensor").read_bytes() == starter(student)
        backup = student.root / ".tito" / "backups" / f"tensor-{number}.py"
        assert backup.read_bytes() == text


@pytest.mark.parametrize(("answer", "code"), [("n\n", 0), ("", 1)])
def test_reset_asks_before_it_takes_anything_away(student, answer, code):
    """No is no, and so is no answer: nothing changes, no backup is made."""
    student.finish("tensor")
    before = student.file("tensor").read_bytes()
    run = student.tito("reset", "01", MATMUL, answer=answer)
    assert "Replace Tensor.matmul in tinytorch/tensor.py by the starter's version?" in run.stdout
    assert run.returncode == code
    assert student.file("tensor").read_bytes() == before
    assert not (student.root / ".tito").exists()


def test_reset_with_yes_typed_goes_ahead(student):
    """y is enough."""
    student.finish("tensor")
    assert student.tito("reset", "01", MATMUL, answer="y\n").returncode == 0
    assert UNWRITTEN in student.file("tensor").read_text(encoding="utf-8")


def test_reset_of_what_is_as_in_the_starter_changes_nothing(student):
    """Nothing to put back, nothing asked, no backup."""
    student.tito("start", "01")
    for arguments in (["01"], ["01", MATMUL]):
        run = student.tito("reset", *arguments)
        assert (run.returncode, run.stderr) == (0, "")
        assert "nothing to put back" in run.stdout
    assert not (student.root / ".tito").exists()


def test_a_given_function_can_be_put_back_too(student):
    """What the starter gives may be damaged and needs no task to be restored."""
    student.tito("start", "01")
    student.change("tensor", "def apply(", "def apply(broken, ")
    assert student.tito("reset", "01", "apply", "--yes").returncode == 0
    assert student.file("tensor").read_bytes() == starter(student)


def test_tito_works_in_a_folder_below_the_root(student):
    """The repository is found upwards."""
    run = student.tito("start", "01", cwd=student.root / "assignments" / "01_tensor")
    assert run.returncode == 0, run.stderr
    assert student.file("tensor").is_file()


def test_another_framework_on_the_path_is_not_tested_instead(student, tmp_path):
    """The tests import the tinytorch of this repository, whatever else is installed."""
    student.finish("tensor", "activations")
    other = tmp_path / "other" / "tinytorch"
    other.mkdir(parents=True)
    (other / "__init__.py").write_text("raise SystemExit('the wrong one')\n", encoding="utf-8")
    path = os.pathsep.join([str(other.parent), str(student.root)])
    run = student.tito("test", "02", PYTHONPATH=path, PYTHONSAFEPATH="1")
    assert run.returncode == 0, run.stdout


def test_a_milestone_has_a_number_and_a_year(student):
    """Both name the same one."""
    by_year, by_number = (student.tito("milestone", name) for name in ("2018", "6"))
    assert by_year.stderr.startswith("tito: milestone 6 (2018: MLPerf")
    assert (by_year.stderr, by_year.returncode) == (by_number.stderr, by_number.returncode)


def test_a_milestone_names_the_modules_that_it_needs(student):
    """Started modules are left out, others are named, and the first is what to go on with."""
    student.finish("tensor")
    run = student.tito("milestone", "6")
    assert run.returncode == 2
    assert "2018: MLPerf" in run.stderr
    assert "not started: 02_activations, " in run.stderr
    assert run.stderr.endswith("; go on with `tito start 02`\n")
    released = {one.id for one in load_course().assignments}
    for module in load_course().milestones[5].requires[1:]:
        assert (f"{module} (not released yet)" in run.stderr) == (module not in released)
    assert "01_tensor" not in run.stderr


def test_a_milestone_without_script_is_not_released_yet(student):
    """With every module there, a milestone may still be to come."""
    for module in load_course().planned:
        student.file(module.name).touch()
    (student.root / "milestones" / "06_2018_mlperf.py").unlink()
    run = student.tito("milestone", "6")
    assert run.returncode == 2
    assert "milestone 6 (2018: MLPerf: smaller and faster, measured) is not released" in run.stderr


@pytest.mark.parametrize("code", [0, 1])
def test_a_milestone_runs_its_script_on_the_student_s_framework(student, code, tmp_path):
    """The script runs in the repository's root, and its exit code is tito's."""
    other = tmp_path / "other" / "tinytorch"
    other.mkdir(parents=True)
    (other / "__init__.py").write_text("raise SystemExit('the wrong one')\n", encoding="utf-8")
    for module in ("tensor", "activations", "layers"):
        student.file(module).touch()
    script = student.root / "milestones" / "01_1958_perceptron.py"
    script.write_text(
        f"import os, sys, tinytorch.layers\nprint(os.getcwd())\nsys.exit({code})\n",
        encoding="utf-8",
    )
    path = os.pathsep.join([str(other.parent), str(student.root)])
    run = student.tito("milestone", "1", cwd=student.root / "assignments", PYTHONPATH=path)
    assert (run.returncode, run.stdout.strip()) == (code, str(student.root))


@pytest.mark.parametrize("width", ["20", "40", "200"])
def test_narrow_and_wide_terminals_lose_no_word(student, width):
    """The table folds long names instead of cutting them."""
    student.finish("tensor")
    run = student.tito("test", "01", "-k", "matmul", COLUMNS=width)
    assert run.returncode == 0
    assert "…" not in run.stdout
    assert max(map(len, run.stdout.splitlines())) <= int(width)
    assert len(re.findall(r"(\d+)/\1 +done", run.stdout)) == 2


def test_a_legacy_code_page_gets_question_marks_and_no_traceback(student):
    """What cannot be printed in this terminal's encoding is replaced."""
    student.finish("tensor", "activations")
    student.write("activations", relu='print("π")')
    run = student.tito("test", "02", "-k", "relu", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert run.returncode == 1
    assert "your code printed:\n  ?\n" in run.stdout
    assert "Traceback" not in run.stderr
