"""Each audience learns what it may and not a byte more, in every file it gets."""

import json
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings

from autograder import report as reports
from autograder.errors import GraderError
from autograder.outcome import Grade
from tests.autograder.grades import (
    KEY,
    NOW,
    Course,
    Handed,
    check,
    grade,
    grades,
    mixed_report,
    module,
    refused_report,
    staff_report,
)


@pytest.fixture
def handed(tmp_path):
    """Return a submission that opted in."""
    (tmp_path / "leaderboard.toml").write_text('alias = "Ada"')
    return Handed(tmp_path)


@pytest.fixture
def report(handed):
    """Return a report with a passed, a shown failed and a hidden failed check."""
    return mixed_report(handed)


def test_a_grader_at_fault_tells_students_so_and_keeps_the_reason():
    """The text of our failure may quote a hidden check; the text of their mistake is theirs."""
    ours = reports.render(refused_report("ungradable", "KeyError: SECRET"), None)
    theirs = reports.render(refused_report("error", "ada: got a link; name a folder"), None)
    assert b"SECRET" in ours["report.json"]
    for name in ours.keys() - {"report.json"}:
        assert b"SECRET" not in ours[name]
    assert b"our fault, not yours" in ours["student.md"]
    assert "score" not in json.loads(ours["results.json"])
    assert b"got a link; name a folder" in theirs["student.md"]
    assert json.loads(theirs["results.json"])["score"] == 0


def leaves(value, path=()):
    """Yield every leaf of a document with its path."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from leaves(item, (*path, index))
    else:
        yield path, value


def changed_on_purpose(path):
    """Tell whether redaction may write this leaf: the audience, the id of a hidden check."""
    return path == ("audience",) or (path[0] == "tests" and path[-1] == "id")


@settings(max_examples=40, deadline=None)
@given(grades)
def test_redaction_only_takes_away_and_what_is_left_is_valid(outcome: Grade):
    """Whatever was graded: student ⊆ staff, public ⊆ student, and both are reports."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "leaderboard.toml").write_text('alias = "Ada"')
        staff = staff_report(outcome, Path(folder))
        reports.render(staff, outcome)
    student, public = (reports.redact(staff, audience) for audience in ("student", "public"))
    opted_out = public["leaderboard"] != staff["leaderboard"]
    for lower, upper in ((student, staff), (public, student)):
        reports.validate(lower)
        upper_leaves = dict(leaves(upper))
        for path, value in leaves(lower):
            if changed_on_purpose(path) or (opted_out and path[0] == "leaderboard"):
                continue
            assert upper_leaves[path] == value
    assert reports.redact(student, "public") == public
    assert opted_out == (outcome.isolation != "full")


def test_redaction_never_gives_back(report):
    """A student's report cannot be made into the staff's."""
    with pytest.raises(ValueError, match="cannot become one for staff"):
        reports.redact(reports.redact(report, "student"), "staff")
    with pytest.raises(ValueError, match="expected one of"):
        reports.redact(report, "everyone")


def test_without_opt_in_the_public_gets_nothing(tmp_path):
    """Neither points nor hash nor module: one cannot tell whose it is or how it went."""
    public = reports.redact(staff_report(grade(module(check())), tmp_path), "public")
    assert public.keys() == {"schema", "report_id", "created_at", "audience", "leaderboard"}
    assert public["leaderboard"] == {"opt_in": False, "alias": None}


def test_practice_is_never_public(handed):
    """Points without full isolation are no grade, alias or not."""
    practice = staff_report(grade(module(check()), isolation="reduced(tcp)"), handed.root)
    assert "score" not in reports.redact(practice, "public")


def canaries(root):
    """Return a grade with a canary in every field, named after where it must not arrive."""
    secret = check(
        "Tensor.add",
        "STAFF-behaviour",
        status="failed",
        message="STAFF-message",
        output="STAFF-output",
        hint="STUDENT-hint",
        error="ValueError",
        line=4242,
        duration_s=0.123457,
    )
    shown = check(
        "Tensor.sum",
        "STUDENT-behaviour",
        suite="shown",
        status="failed",
        message="STUDENT-message",
        output="STUDENT-output",
        hint="STUDENT-hint-2",
    )
    passed = check("Tensor.sum", "STAFF-passed", hint="STAFF-unused-hint")
    blocked = module(check(status="error", module="02_activations"), note="STUDENT-note")
    blocked = replace(blocked, id="02_activations")
    outcome = grade(module(secret, shown, passed), blocked, seed=987654321)
    outcome = replace(
        outcome,
        wall_s=111.25,
        cpu_s=222.5,
        peak_rss_bytes=333444555,
        limits={"STAFF-limit": 1.0},
    )
    submission = Handed(root, name="STAFF-name", notes=("STUDENT-file",))
    return outcome, reports.build(outcome, submission, submitter_key=KEY, course=Course(), now=NOW)


STAFF_ONLY = [b"STAFF", b"987654321", b"111.25", b"222.5", b"333444555", b"0.123457"]


def test_no_byte_of_a_staff_only_field_reaches_a_lower_file(handed):
    """Search what students and the public get for everything that was planted for staff."""
    outcome, staff = canaries(handed.root)
    files = reports.render(staff, outcome)
    for canary in STAFF_ONLY:
        assert canary in files["report.json"], "a canary must be there to be looked for"
    for name in ("student.json", "student.md", "public.json"):
        for canary in STAFF_ONLY:
            assert canary not in files[name], f"{canary} in {name}"
    assert b"STUDENT" not in files["public.json"]
    assert b"STUDENT-hint" in files["student.json"] and b"STUDENT-message" in files["student.md"]
    assert b"STAFF-name" not in files["report.json"], "a name is never in a report"


def test_gradescope_shows_students_no_hidden_check(handed):
    """Entries that are not hidden speak of shown checks alone."""
    outcome, staff = canaries(handed.root)
    results = json.loads(reports.render(staff, outcome)["results.json"])
    visible = [entry for entry in results["tests"] if entry.get("visibility") != "hidden"]
    assert [entry["name"] for entry in visible] == ["Public Tests"]
    assert "STUDENT-message" in json.dumps(visible)
    assert "STAFF" not in json.dumps(visible) and results.get("stdout_visibility") != "visible"


@pytest.mark.parametrize("visibility", ["visible", "after_published", None])
def test_results_that_would_show_a_hidden_check_are_refused(handed, visibility):
    """If otter or its configuration ever changes its mind."""
    outcome, staff = canaries(handed.root)
    for entry in outcome.gradescope["tests"]:
        entry["visibility"] = visibility
    with pytest.raises(GraderError, match="would show students the hidden check"):
        reports.render(staff, outcome)


def test_a_student_cannot_make_results_be_refused_by_printing_a_hidden_name(handed):
    """Guessing a name must not make the grader fail."""
    guess = "Tensor.add: adds result:\n    Tensor.add: adds result:\nTensor.add: adds message:"
    shown = check(behaviour="shows", suite="shown", status="failed", message=guess)
    outcome = grade(module(check(), shown))
    reports.render(staff_report(outcome, handed.root), outcome)


def test_what_a_student_wrote_is_cleaned_everywhere(handed):
    """No escape sequence, no workflow command, in no file."""
    evil = "\x1b[31mred\x07\n::error::x\n  ::add-mask::y\n##[error]z\u202egnp.exe\r::set-output::"
    shown = check(suite="shown", status="failed", message=evil, output=evil, error=evil)
    outcome = grade(module(shown, note=evil))
    for name, content in reports.render(staff_report(outcome, handed.root), outcome).items():
        text = content.decode()
        values = [value for _, value in leaves(json.loads(text))] if "json" in name else []
        for part in [text, *map(str, values)]:
            assert not set(part) & set("\x1b\x07\r\u202e"), name
            assert "##[" not in part, name
            assert not any(line.lstrip().startswith("::") for line in part.splitlines()), name
