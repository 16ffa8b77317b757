"""What is published in others' forms: each as its format demands."""

from __future__ import annotations

import csv
import io
import json
import re
import xml.etree.ElementTree as ElementTree

import pytest
from click.testing import CliRunner

from autograder.cli import main
from autograder.report.cells import cell, table, told
from autograder.report.junit import junit
from autograder.report.redact import redact
from autograder.roster import Student, text
from tests.autograder.signed import Scores, report

STUDENTS = [
    Student("ada", "11", "course/tt-ada", "101", "ada@example.org", "=Ada", "a"),
    Student("bob", "12", "course/tt-bob", "102", "bob@example.org", "Bob", "b"),
]
EXPORT = """\
Student,ID,SIS User ID,SIS Login ID,Section,Essay (1),01 Tensor (4711),Current Score
    Points Possible,,,,,10,100,
"Ada, =A",7,x1,ADA@example.org,"Fall, 2026",3,,
Carl,9,x3,carl@example.org,Fall,3,12,
"""
# github.md: all of them, and no other key at the root
RESULT = """
    schema classroom assignment assignment_type owner submission commit release review datetime
    score max-score tests
""".split()


@pytest.fixture
def run(tmp_path):
    """Export from a scores repository in which Ada has two reports and Bob none."""
    scores = Scores(tmp_path)
    scores.add(report(101), report(101, minutes=5, modules=2))
    (tmp_path / "roster.csv").write_text(text(STUDENTS))

    def export(form: str, *words: object, code: int = 0, out: str = "out.csv") -> str:
        signed = ["--signers", scores.signers, "--roster", tmp_path / "roster.csv"]
        command = ["export", form, scores.folder, *signed, "--out", tmp_path / out, *words]
        done = CliRunner().invoke(main, [*map(str, command)])
        assert done.exit_code == code, done.output
        return (
            done.output if code or not (tmp_path / out).is_file() else (tmp_path / out).read_text()
        )

    return export


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", "\r"])
def test_no_cell_is_a_formula(sign):
    """A spreadsheet would run what a student has put into a name."""
    assert cell(f"{sign}cmd|'/C calc'!A0") == f"'{sign}cmd|'/C calc'!A0"
    assert told(cell(f"{sign}x")) == f"{sign}x".strip()
    rows = [*csv.reader(io.StringIO(table([[f"{sign}1+1", "x\ry,z"]]), newline=""))]
    assert rows == [[f"'{sign}1+1", "x\ry,z"]]


def test_numbers_are_numbers():
    """Also one below zero, after an adjustment."""
    assert [cell(one) for one in (-2.5, "-2.5", 50.0, 33.333333, 0, None)] == [
        *("-2.5", "-2.5", "50", "33.333333", "0", "")
    ]


def test_marks_of_another_term_are_left_out(run):
    """A scores repository may hold several; without the option, all count."""
    _, ada, _ = csv.reader(run("moodle", "--term", "1999-fall").splitlines())
    assert ada[:3] == ["ada@example.org", "", ""]


def test_moodle_gets_a_line_for_each_student_by_id_number(run):
    """Who has no grade has an empty cell, which changes nothing there."""
    head, ada, bob = csv.reader(run("moodle").splitlines())
    assert head[:3] == ["ID number", "01 Tensor", "02 Activations"]
    assert ada[:4] == ["ada@example.org", "50", "50", ""]
    assert bob == ["bob@example.org", *[""] * (len(head) - 1)]


def test_canvas_s_own_export_comes_back_with_the_points_in_it(run, tmp_path):
    """Numbered columns only, its own students only; other assignments are not in it."""
    (tmp_path / "canvas.csv").write_text(EXPORT)
    rows = [*csv.reader(run("canvas", "--gradebook", tmp_path / "canvas.csv").splitlines())]
    assert rows == [
        ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "01 Tensor (4711)"],
        ["    Points Possible", "", "", "", "", "100"],
        ["Ada, =A", "7", "x1", "ADA@example.org", "Fall, 2026", "50"],
        ["Carl", "9", "x3", "carl@example.org", "Fall", ""],
    ]


def test_canvas_without_an_export_gets_the_roster(run):
    """Then each module becomes a new assignment; a name is never a formula."""
    head, possible, ada, bob = csv.reader(run("canvas").splitlines())
    assert head[:7] == [*"Student,ID,SIS User ID,SIS Login ID,Section".split(","), *head[5:7]]
    assert head[5] == "01 Tensor" and possible[5] == "100"
    assert ada[:7] == ["'=Ada", "", "", "ada@example.org", "a", "50", "50"]
    assert bob[5] == ""


@pytest.mark.parametrize("content", ["a,b\n", "", EXPORT.replace("01 Tensor (4711)", "Tensor")])
def test_a_gradebook_that_is_none_is_one_line(run, tmp_path, content):
    """With what was expected."""
    (tmp_path / "canvas.csv").write_text(content)
    said = run("canvas", "--gradebook", tmp_path / "canvas.csv", code=2)
    assert said.startswith("autograder: the gradebook:") and said.count("\n") == 1


def test_classroom_50_gets_a_result_for_each_graded_student(run, tmp_path):
    """Whole numbers, a Z at the end of the time, every key that must be and no other."""
    said = run("classroom50", "--classroom", "fall", out="results")
    (path,) = (tmp_path / "results").iterdir()
    assert path.name == "ada.json" and "1 of 2 students with a grade" in said
    found = json.loads(path.read_text())
    assert [*found] == RESULT
    assert (found["schema"], found["owner"], found["score"]) == (
        "classroom50/result/v1",
        "ada",
        100,
    )
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", found["datetime"])
    assert found["commit"].startswith("https://github.com/course/tt-ada/commit/0000")
    assert all(isinstance(found[key], str) and found[key] for key in RESULT[:10])
    for one in found["tests"]:
        assert [*one] == ["test-name", "passed", "score", "max-score"]
        assert (type(one["score"]), type(one["max-score"]), one["passed"]) == (int, int, False)
    assert sum(one["score"] for one in found["tests"]) == found["score"]


@pytest.mark.parametrize("form", ["moodle", "canvas", "classroom50"])
def test_what_is_missing_is_named(run, form, tmp_path):
    """Students, signers, a classroom."""
    command = ["export", form, str(tmp_path / "scores"), "--out", str(tmp_path / "x")]
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 2 and "--roster" in done.output
    done = CliRunner().invoke(main, [*command, "--roster", str(tmp_path / "roster.csv")])
    assert done.exit_code == 2 and "--signers" in done.output
    assert form != "classroom50" or "--classroom" in run(form, code=2)


def test_a_local_class_has_marks_too(tmp_path, run):
    """By the folder's name, as the repositories were cloned."""
    folder = tmp_path / "grades" / "section" / "TT-ada"
    folder.mkdir(parents=True)
    (folder / "report.json").write_text(json.dumps(report(101)))
    command = ["export", "moodle", tmp_path / "grades", "--roster", tmp_path / "roster.csv"]
    done = CliRunner().invoke(main, [*map(str, command), "--out", str(tmp_path / "m.csv")])
    assert done.exit_code == 0, done.output
    assert "ada@example.org,50," in (tmp_path / "m.csv").read_text()


def test_junit_counts_every_check_and_names_no_hidden_one(tmp_path):
    """As many cases and failures as checks; from staff's report comes the student's."""
    one = report(101, modules=2)
    root = ElementTree.fromstring(junit(one))
    suites = root.findall("testsuite")
    assert [suite.get("name") for suite in suites] == ["01_tensor", "02_activations"]
    for suite in suites:
        cases, failures = suite.findall("testcase"), suite.findall("testcase/failure")
        assert (len(cases), len(failures)) == (int(suite.get("tests")), int(suite.get("failures")))
        assert len(failures) == len(cases) / 2 and all(case.get("name") for case in cases)
    assert junit(one) == junit(redact(one, "student"))
    hidden = {test["behaviour"] for test in one["tests"] if test["suite"] == "hidden"}
    assert not any(name.encode() in junit(one) for name in hidden if len(name) > 8)
    path = tmp_path / "report.json"
    path.write_text(json.dumps(one))
    done = CliRunner().invoke(
        main, ["export", "junit", str(path), "--out", str(tmp_path / "j.xml")]
    )
    assert done.exit_code == 0 and (tmp_path / "j.xml").read_bytes() == junit(one)
    path.write_text("{}")
    done = CliRunner().invoke(
        main, ["export", "junit", str(path), "--out", str(tmp_path / "j.xml")]
    )
    assert done.exit_code == 2 and "expected a report.json" in done.output


def test_an_override_counts_in_a_gradebook_from_the_moment_it_is_written(run, tmp_path):
    """The marks are what the policy gives today, not what was signed on some day."""
    (tmp_path / "overrides.toml").write_text(
        '[[override]]\nrepository = 101\nmodule = "01_tensor"\npoints = 85\n'
        'reason = "by hand"\nby = "Staff"\nat = 2026-11-21T10:00:00Z\n'
    )
    lines = run("moodle", "--overrides", tmp_path / "overrides.toml").splitlines()
    assert lines[1].startswith("ada@example.org,85,50,")
