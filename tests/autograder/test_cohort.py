"""A class is graded by the real grader: each submission once, whatever happens on the way."""

import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from filelock import FileLock
from rich.console import Console

from autograder.cohort import grade_class, unit
from autograder.cohort.roster import output_name
from autograder.errors import GraderError, IsolationError
from autograder.ledger import Ledger
from autograder.sandbox import Limits
from autograder.single import grade_one
from tests.submissions.build import folder, git, repository, zip_file

ROOT = Path(__file__).parent.parent.parent
FILES = ["public.json", "report.json", "results.json", "student.json", "student.md"]
LEDGER = ["index.sqlite", "ledger.lock", "reports.ndjson"]
GOOD = {
    "tinytorch/tensor.py": (ROOT / "tinytorch" / "tensor.py").read_bytes(),
    "tinytorch/activations.py": (ROOT / "tinytorch" / "activations.py").read_bytes(),
}
WRONG = {"tinytorch/tensor.py": b"def broken(:\n"}
MODULE = ("02",)  # the shorter one


@pytest.fixture(autouse=True)
def key(tmp_path, monkeypatch):
    """Keep the staff's key out of the user's configuration."""
    monkeypatch.setenv("AUTOGRADER_KEY_FILE", str(tmp_path / "submitter.key"))


@pytest.fixture
def students(tmp_path):
    """Return a folder of four: complete, half, wrong, and a repository without a commit."""
    class_ = tmp_path / "class"
    repository(class_ / "ada", GOOD | {"leaderboard.toml": b'alias = "Ada"'})
    folder(class_ / "bob", {"tinytorch/activations.py": GOOD["tinytorch/activations.py"]})
    repository(class_ / "cy", WRONG)
    folder(class_ / "dee" / ".git", {"config": b""})
    return class_


@pytest.fixture
def here():
    """Return an executor in this process, where things can be broken on purpose."""
    with ThreadPoolExecutor(1) as executor:
        yield executor


def run(students, out, **more):
    """Grade the class quietly; return the summary and what was printed."""
    text = io.StringIO()
    summary = grade_class(students, out, console=Console(file=text, width=100), **more)
    return summary, text.getvalue()


def test_a_class_gets_a_table_files_and_a_ledger(students, tmp_path):
    """Every student has a line, five files and one report."""
    summary, text = run(students, tmp_path / "out", jobs=2, seed=5, modules=("01", "02"))
    assert summary.graded == 4 and summary.known == 0
    rows = {line.name: line.report for line in summary.lines}
    assert list(rows) == ["ada", "bob", "cy", "dee"]
    assert rows["ada"]["score"]["points"] == rows["ada"]["score"]["max_points"] == 200
    assert rows["bob"]["score"]["points"] == 100 and rows["bob"]["status"] == "partial"
    assert rows["cy"]["score"]["points"] == 0 and rows["cy"]["status"] == "failed"
    assert rows["dee"]["status"] == "error" and "name a branch" in rows["dee"]["reason"]
    assert re.search(r"ada +100 +100 +200 / 200 +passed", text)
    assert "4/4" in text
    for name in rows:
        assert sorted(path.name for path in (tmp_path / "out" / name).iterdir()) == FILES
    assert len(Ledger(tmp_path / "out" / "ledger")) == 4


def test_a_class_gives_the_same_points_as_grading_one_by_one(students, tmp_path):
    """A warm sandbox and another process change nothing."""
    modules = ("01", "02")
    summary, _ = run(students, tmp_path / "out", jobs=1, seed=5, modules=modules)
    alone = grade_one(students / "ada", modules, tmp_path / "alone", seed=5)
    report = json.loads((tmp_path / "out" / "ada" / "report.json").read_text())
    drifting = ("report_id", "created_at", "timing")
    for one in (alone, report):
        for key in drifting:
            del one[key]
        for test in one["tests"]:
            del test["duration_s"]
    assert report == alone
    results = [tmp_path / "out" / "ada" / "results.json", tmp_path / "alone" / "results.json"]
    assert results[0].read_bytes() == results[1].read_bytes()
    assert summary.statuses == {"passed": 1, "partial": 1, "failed": 1, "error": 1}


def test_what_is_graded_is_not_graded_again(students, tmp_path, here):
    """A second run finds everything, shows the same table, and changes no file of the graded."""
    out = tmp_path / "out"
    first, table = run(students, out, modules=MODULE, executor=here)
    stamp = (out / "ada" / "report.json").stat().st_mtime_ns
    second, again = run(students, out, modules=MODULE, executor=here)
    assert first.graded == 4 and second.graded == 0 and second.known == 4
    assert [line.report["score"] for line in second.lines] == [
        line.report["score"] for line in first.lines
    ]
    assert (out / "ada" / "report.json").stat().st_mtime_ns == stamp
    assert len(Ledger(out / "ledger")) == 4
    assert table[table.index("4 submissions") :] == again[again.index("4 submissions") :]


def test_a_new_commit_is_graded_and_the_others_are_not(students, tmp_path, here):
    """One push, one report more; it replaces nothing, the ledger has both."""
    out = tmp_path / "out"
    run(students, out, modules=MODULE, executor=here)
    git(students / "ada", "commit", "--quiet", "--allow-empty", "--message=more")
    second, _ = run(students, out, modules=MODULE, executor=here)
    assert second.graded == 1 and len(Ledger(out / "ledger")) == 5


def test_other_modules_another_seed_or_full_isolation_are_graded_anew(students, tmp_path, here):
    """Each of them makes another grade; the later one says which it supersedes."""
    out = tmp_path / "out"
    one = {"executor": here, "modules": MODULE}
    run(students, out, seed=1, **one)
    assert run(students, out, seed=1, **one)[0].graded == 0
    assert run(students, out, seed=2, **one)[0].graded == 3  # dee has nothing that a seed changes
    first, *_, last = [
        report
        for report in Ledger(out / "ledger")
        if report["submission"]["commit"] and report["status"] == "passed"
    ]
    assert last["supersedes"] == first["report_id"]


def test_a_grader_that_fails_on_one_harms_no_other_and_tries_again(
    students, tmp_path, here, monkeypatch
):
    """Ungradable is recorded with its reason, has no score, and is graded in the next run."""
    out, grade = tmp_path / "out", unit.grade

    def broken(submission, *arguments, **named):
        if submission.name == "ada":
            raise RuntimeError("out of luck")
        return grade(submission, *arguments, **named)

    monkeypatch.setattr(unit, "grade", broken)
    first, text = run(students, out, modules=MODULE, executor=here)
    rows = {line.name: line.report for line in first.lines}
    assert rows["ada"]["status"] == "ungradable" and rows["ada"]["score"] is None
    assert rows["bob"]["status"] == "passed"
    assert "ada: the grader failed: RuntimeError: out of luck" in text
    assert b"luck" not in (out / "ada" / "student.json").read_bytes()
    monkeypatch.setattr(unit, "grade", grade)
    second, _ = run(students, out, modules=MODULE, executor=here)
    assert second.graded == 1 and second.statuses == {"passed": 2, "failed": 1, "error": 1}
    failed, good = [r for r in Ledger(out / "ledger") if r["report_id"] in _chain(out)]
    assert good["supersedes"] == failed["report_id"]


def _chain(out):
    """Return the ids of a report that supersedes another, and of that one."""
    late = next(report for report in Ledger(out / "ledger") if report["supersedes"])
    return late["report_id"], late["supersedes"]


def test_a_machine_that_cannot_isolate_grades_nobody(students, tmp_path, here, monkeypatch):
    """It is refused as a whole: sixty ungradable reports would say the same sixty times."""

    def refuse(*_):
        raise IsolationError("missing: landlock")

    monkeypatch.setattr(unit.Sandbox, "__enter__", refuse)
    limits = Limits(wall_s=9.0)  # no sandbox with these is warm
    with pytest.raises(IsolationError, match="landlock"):
        run(students, tmp_path / "out", modules=MODULE, executor=here, limits=limits)
    assert len(Ledger(tmp_path / "out" / "ledger")) == 0


def test_a_fault_in_the_hidden_tests_grades_nobody(students, tmp_path, here, monkeypatch):
    """It is ours, and one line says so before anything is graded."""

    def refuse(_):
        raise GraderError("test_tensor.py: 'a' is a generator")

    monkeypatch.setattr("autograder.cohort.load_suite", refuse)
    with pytest.raises(GraderError, match="is a generator"):
        run(students, tmp_path / "out", executor=here)
    assert not (tmp_path / "out").exists()


def test_two_runs_do_not_grade_into_one_folder_at_once(students, tmp_path, here):
    """With two seeds they would record everybody twice."""
    out = tmp_path / "out"
    out.mkdir()
    with FileLock(out / ".class.lock"):
        with pytest.raises(GraderError, match="another run grades into it"):
            run(students, out, executor=here)


def test_a_name_can_neither_write_into_the_ledger_nor_into_the_log(tmp_path, here):
    """A student called ledger; one whose name is markup, one whose name is a command."""
    students, out = tmp_path / "class", tmp_path / "out"
    names = ["ledger", "[red]x[/]", "::error::x"]
    for name in names:
        folder(students / name, WRONG)
    summary, text = run(students, out, modules=MODULE, executor=here)
    assert summary.graded == 3 and len(Ledger(out / "ledger")) == 3
    assert (out / output_name("ledger") / "student.md").exists()
    assert sorted(path.name for path in (out / "ledger").iterdir()) == LEDGER
    assert "[red]x[/]" in text
    assert not any(line.strip("│ ").startswith("::") for line in text.splitlines())


ODD = [
    *(b"dan\xff", b"dan\xfe", b"eve\n::error::x", b"eve\t::error::x", b"\x1b[31mred"),
    *(b"f" * 250, b"f" * 249 + b"g", "\u202eb".encode(), "ä".encode() * 120),
    *(b"ledger", b"ledger~", b" ", b"  ", b"section/ledger"),
]


@pytest.mark.parametrize("jobs", [None, 2])
def test_no_name_on_a_disk_keeps_a_class_from_its_grades(tmp_path, here, jobs):
    """Bytes that are no text, lines, colours, long ones, look-alikes: each has its own folder."""
    students, out = tmp_path / "class", tmp_path / "out"
    for name in [b"ada", *ODD]:
        folder(students / os.fsdecode(name), WRONG)
    how = {"jobs": jobs} if jobs else {"executor": here}
    summary, text = run(students, out, modules=MODULE, **how)
    assert summary.graded == len(ODD) + 1 and summary.statuses == {"failed": len(ODD) + 1}
    assert len({report["submitter"]["id"] for report in Ledger(out / "ledger")}) == len(ODD) + 1
    folders = [path.parent for path in out.rglob("student.md")]
    assert len(folders) == len(ODD) + 1 and out / "ada" in folders
    assert all(sorted(path.name for path in one.iterdir()) == FILES for one in folders)
    assert all(path.relative_to(out).as_posix().isprintable() for path in folders)
    assert sorted(path.name for path in (out / "ledger").iterdir()) == LEDGER
    assert "\x1b" not in text and "\u202e" not in text
    assert not any(line.strip("│ ").startswith("::") for line in text.splitlines())
    assert run(students, out, modules=MODULE, **how)[0].known == len(ODD) + 1


@pytest.mark.parametrize("seconds", [10**12, -(10**12)])
def test_a_submission_of_odd_files_is_graded_and_not_ungradable(seconds, tmp_path, here):
    """What a student can choose, names and times, never makes the grader fail."""
    students = tmp_path / "class"
    work = GOOD | {"tinytorch/" + "a" * 200 + ".py": b""}
    folder(students / "bob", work)
    zip_file(folder(students, {}) / "ada.zip", work | {"tinytorch/" + "a" * 300 + ".py": b""})
    for file in students.rglob("*.*"):
        os.utime(file, (seconds, seconds))
    summary, _ = run(students, tmp_path / "out", modules=MODULE, executor=here)
    assert summary.statuses == {"passed": 2}


def start(students, out):
    """Start `autograder class` as a user would, in a session of its own."""
    command = [sys.executable, "-m", "autograder", "class", str(students), "--out", str(out)]
    return subprocess.Popen(
        [*command, "--jobs", "2", "--module", *MODULE],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        text=True,
    )


def test_a_name_that_the_terminal_has_no_letters_for_is_shown_escaped(tmp_path, monkeypatch):
    """A log in another encoding does not end the class at the first such name."""
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    for name in ("a日本", "bob"):
        folder(tmp_path / "class" / name, WRONG)
    process = start(tmp_path / "class", tmp_path / "out")
    text, _ = process.communicate(timeout=60)
    assert process.returncode == 0, text
    assert r"a\u65e5\u672c: 0 / 100 failed" in text and "2 submissions" in text


@pytest.fixture
def many(tmp_path):
    """Return a class of twelve."""
    for number in range(12):
        folder(tmp_path / "class" / f"s{number:02d}", GOOD | {"n.txt": b"%d" % number})
    return tmp_path / "class"


def wait_until_some_are_graded(process, ledger):
    """Wait for the third report."""
    while not ledger.file.exists() or ledger.file.read_bytes().count(b"\n") < 3:
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.01)


def session_of(leader):
    """Return the processes in the session of `leader`."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, session = path.read_text().rpartition(")")[2].split()[:4]
        except OSError:
            continue
        if int(session) == leader and state != "Z":
            found.append(int(path.parent.name))
    return found


def wait_until_gone(leader):
    """Wait until no process of the session is left."""
    ends = time.monotonic() + 60
    while session_of(leader):
        assert time.monotonic() < ends, f"left behind: {session_of(leader)}"
        time.sleep(0.05)


def require_complete(ledger):
    """Every student is there, once, and nothing is damaged."""
    submitters = [report["submitter"]["id"] for report in ledger]
    assert len(submitters) == len(set(submitters)) == 12
    assert ledger.corrupt() == []
    assert ledger.file.read_bytes().count(b"\n") == 12


def test_killed_half_way_and_started_again_nothing_is_lost_or_doubled(many, tmp_path):
    """SIGKILL to the whole group in the middle; the second run grades only what is missing."""
    out = tmp_path / "out"
    ledger = Ledger(out / "ledger")
    first = start(many, out)
    wait_until_some_are_graded(first, ledger)
    first.kill()
    first.communicate()
    wait_until_gone(first.pid)
    there = len(ledger)
    assert 3 <= there < 12
    summary, _ = run(many, out, jobs=2, modules=MODULE)
    assert (summary.known, summary.graded) == (there, 12 - there)
    require_complete(ledger)
    assert all((out / line.name / "results.json").exists() for line in summary.lines)


def test_an_interrupt_says_what_is_left_and_leaves_nothing_behind(many, tmp_path):
    """Ctrl-C: no traceback, no process, no draft; what was graded stays."""
    out = tmp_path / "out"
    ledger = Ledger(out / "ledger")
    process = start(many, out)
    wait_until_some_are_graded(process, ledger)
    os.killpg(process.pid, signal.SIGINT)
    text, _ = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "Interrupted; what is graded is kept: run the same command again." in text
    assert "Traceback" not in text
    wait_until_gone(process.pid)
    assert not [path for path in out.rglob(".*") if path.name != ".class.lock"]
    there = len(ledger)
    summary, _ = run(many, out, jobs=2, modules=MODULE)
    assert (summary.known, summary.graded) == (there, 12 - there)
    require_complete(ledger)
