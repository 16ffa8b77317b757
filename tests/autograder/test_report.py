"""A report says what grading found, to each audience no more than it may know."""

import hashlib
import json
import os
import stat
import tempfile
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import pytest
from hypothesis import given, settings
from jsonschema import Draft202012Validator

from assignments.catalog import load_course
from autograder import report as reports
from autograder.errors import GraderError
from autograder.outcome import Grade
from autograder.report.build import overall_status
from autograder.report.files import replace as put
from autograder.report.schema import validator
from tests.autograder.grades import KEY, NOW, Course, Handed, check, grade, grades, module

FILES = ["public.json", "report.json", "results.json", "student.json", "student.md"]


def build(outcome, root, **more) -> dict:
    """Build the staff's report of `outcome`."""
    return reports.build(outcome, Handed(root), submitter_key=KEY, course=Course(), now=NOW, **more)


@pytest.fixture
def handed(tmp_path):
    """Return a submission that opted in."""
    (tmp_path / "leaderboard.toml").write_text('alias = "Ada"')
    return Handed(tmp_path)


@pytest.fixture
def report(handed):
    """Return a report with a passed, a shown failed and a hidden failed check."""
    return build(
        grade(
            module(
                check(),
                check(behaviour="shapes", suite="shown", status="failed", message="expected 3"),
                check(
                    "Tensor.sum", "axis", status="error", error="ValueError", line=9, hint="Sum."
                ),
                integrated_passed=1,
            )
        ),
        handed.root,
    )


def refused(status, reason="no such luck"):
    """Return a report of a submission that could not be graded."""
    course = load_course()
    return reports.refused(
        reason,
        status,
        course.assignments,
        submitter="ada",
        submitter_key=KEY,
        course=course,
        suite_digest="sha256:" + "5" * 64,
        seed=1,
        isolation="full",
        now=NOW,
    )


def test_the_schema_is_json_schema_2020_12():
    """A schema with a misspelt keyword would allow everything."""
    Draft202012Validator.check_schema(validator().schema)
    assert validator().schema["$schema"].endswith("2020-12/schema")


def test_the_staff_report_says_all_that_grading_found(report, handed):
    """Every number of the outcome is in it."""
    assert report["status"] == "partial"
    assert report["score"] == {
        "points": 10.0,
        "max_points": 30.0,
        "raw_points": 10.0,
        "adjustments": [],
    }
    assert report["submission"]["commit"] == handed.commit
    assert (
        report["submission"]["submitted_at"] == report["created_at"] == "2026-11-20T12:00:00.000Z"
    )
    assert report["grader"]["seed"] == 7 and report["grader"]["isolation"] == "full"
    assert report["timing"] == {"wall_s": 0.5, "cpu_s": 0.25, "peak_rss_bytes": 50_000_000}
    assert report["assignments"][0]["integrated"] == {"passed": 1, "total": 3}
    assert report["tests"][2]["location"] == {"path": "tinytorch/tensor.py", "line": 9}
    assert report["tests"][2]["hint"] == "Sum." and report["tests"][2]["error"] == "ValueError"
    content = handed.source("tensor")
    digest = hashlib.sha256(content).hexdigest()
    assert report["artifacts"] == [{"name": "tinytorch/tensor.py", "sha256": digest}]


@pytest.mark.parametrize(
    "statuses, earned, expected",
    [
        (["passed", "passed"], True, "passed"),
        (["passed", "error"], True, "partial"),
        (["partial", "failed"], True, "partial"),
        (["failed", "error"], False, "failed"),
        (["timeout", "error"], False, "timeout"),
        (["error", "error"], False, "error"),
    ],
)
def test_the_status_of_a_report_follows_from_its_modules(statuses, earned, expected):
    """Points make it partial; without any, what most concerns the student decides."""
    assert overall_status(statuses, earned) == expected


def test_a_submission_at_fault_earns_0_and_a_grader_at_fault_has_no_score():
    """Ungradable is not an error, and neither of them is the other's 0."""
    theirs, ours = refused("error"), refused("ungradable")
    assert theirs["score"]["points"] == 0 and theirs["score"]["max_points"] > 0
    assert ours["score"] is None
    assert [one["score"] for one in ours["assignments"]] == [None] * len(ours["assignments"])


def test_a_grader_at_fault_tells_students_so_and_keeps_the_reason():
    """The text of our failure may quote a hidden check; the text of their mistake is theirs."""
    ours = reports.render(refused("ungradable", "KeyError: SECRET"), None)
    theirs = reports.render(refused("error", "ada: got a link; name a folder"), None)
    assert b"SECRET" in ours["report.json"]
    for name in set(FILES) - {"report.json"}:
        assert b"SECRET" not in ours[name]
    assert b"our fault, not yours" in ours["student.md"]
    assert "score" not in json.loads(ours["results.json"])
    assert b"got a link; name a folder" in theirs["student.md"]
    assert json.loads(theirs["results.json"])["score"] == 0


@pytest.mark.parametrize(
    "damage",
    [
        {"surprise": 1},
        {"status": "fine"},
        {"created_at": "yesterday"},
        {"report_id": "short"},
        {"score": None},
        {"submitter": {"id": "Ada Lovelace"}},
        {"submitter": {"id": "a" * 32, "name": "Ada"}},
        {"schema": "grade-report/2"},
    ],
)
def test_what_does_not_fit_the_schema_is_refused_with_its_place(report, damage):
    """A report is validated before it is written."""
    with pytest.raises(GraderError, match="does not fit report.schema.json"):
        reports.validate(report | damage)


@pytest.mark.parametrize("key", ["status", "tests", "grader", "submitter", "assignments", "score"])
def test_a_staff_report_without_one_of_its_parts_is_refused(report, key):
    """Only lower audiences may lack something."""
    del report[key]
    with pytest.raises(GraderError):
        reports.validate(report)


@pytest.mark.parametrize(
    "audience, place, value",
    [
        ("student", "timing", {"wall_s": 1, "cpu_s": 1, "peak_rss_bytes": 1}),
        ("student", "grader/seed", 7),
        ("student", "tests/0/behaviour", "adds"),
        ("student", "tests/2/message", "expected 3"),
        ("student", "tests/2/output", "seen"),
        ("student", "tests/2/duration_s", 0.1),
        ("public", "submitter", {"id": "a" * 32}),
        ("public", "tests", []),
        ("public", "status", "failed"),
        ("public", "grader/seed", 7),
        ("public", "reason", "why"),
    ],
)
def test_the_schema_itself_refuses_what_an_audience_may_not_have(report, audience, place, value):
    """So that no later change of the code can put it back unseen."""
    lower = json.loads(json.dumps(reports.redact(report, audience)))
    at = lower
    *path, last = place.split("/")
    for step in path:
        at = at[int(step) if step.isdigit() else step]
    assert last not in at
    at[last] = value
    with pytest.raises(GraderError):
        reports.validate(lower)


def test_a_metric_has_a_unit_and_a_direction(report):
    """The place where the capstone's measurements will stand."""
    metric = {"name": "size", "unit": "By", "direction": "lower", "value": 3, "ci95": [2, 4]}
    reports.validate(report | {"metrics": [metric]})
    del metric["unit"]
    with pytest.raises(GraderError, match="'unit' is a required property"):
        reports.validate(report | {"metrics": [metric]})


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
        staff = build(outcome, Path(folder))
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
    public = reports.redact(build(grade(module(check())), tmp_path), "public")
    assert public.keys() == {"schema", "report_id", "created_at", "audience", "leaderboard"}
    assert public["leaderboard"] == {"opt_in": False, "alias": None}


def test_practice_is_never_public(handed):
    """Points without full isolation are no grade, alias or not."""
    practice = build(grade(module(check()), isolation="reduced(tcp)"), handed.root)
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
    reports.render(build(outcome, handed.root), outcome)


def test_what_a_student_wrote_is_cleaned_everywhere(handed):
    """No escape sequence, no workflow command, in no file."""
    evil = "\x1b[31mred\x07\n::error::x\n  ::add-mask::y\n##[error]z\u202egnp.exe\r::set-output::"
    shown = check(suite="shown", status="failed", message=evil, output=evil, error=evil)
    outcome = grade(module(shown, note=evil))
    for name, content in reports.render(build(outcome, handed.root), outcome).items():
        text = content.decode()
        values = [value for _, value in leaves(json.loads(text))] if "json" in name else []
        for part in [text, *map(str, values)]:
            assert not set(part) & set("\x1b\x07\r\u202e"), name
            assert "##[" not in part, name
            assert not any(line.lstrip().startswith("::") for line in part.splitlines()), name


def test_long_output_is_cut_and_says_so(handed):
    """One print in a loop must not make reports of megabytes."""
    shown = check(suite="shown", status="failed", output="x" * 100_000)
    test = build(grade(module(shown)), handed.root)["tests"][0]
    assert len(test["output"]) < 16_100 and test["output"].endswith("… (the rest is cut)")


def test_the_five_files_are_written(report, tmp_path):
    """Each is complete, and no draft is left behind."""
    folder = tmp_path / "out" / "ada"
    reports.write(report, grade(module(check())), folder)
    assert sorted(path.name for path in folder.iterdir()) == FILES
    assert json.loads((folder / "report.json").read_text()) == report
    assert json.loads((folder / "student.json").read_text())["audience"] == "student"


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path, monkeypatch):
    """A crash in the middle leaves the old file and no draft."""
    path = tmp_path / "report.json"
    put(path, b"old")

    def crash(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", crash)
    with pytest.raises(OSError):
        put(path, b"new")
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


def test_the_submitter_is_a_keyed_hash(handed):
    """The same for the same name, another one under another key, and no name in it."""
    one = reports.submitter_id("ada", KEY)
    assert one == reports.submitter_id("ada", KEY) and len(one) == 32
    assert len({one, reports.submitter_id("bob", KEY), reports.submitter_id("ada", KEY[::-1])}) == 3
    with pytest.raises(GraderError, match="5 bytes, expected 32"):
        reports.submitter_id("ada", b"short")


def test_the_key_is_made_once_for_its_owner_alone(tmp_path, monkeypatch):
    """The second use finds the first one's; nobody else can read it."""
    monkeypatch.delenv("AUTOGRADER_KEY_FILE", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    key = reports.load_key()
    assert len(key) == 32 and reports.load_key() == key
    path = tmp_path / "tinytorch" / "submitter.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in path.parent.iterdir()] == ["submitter.key"]


def test_a_broken_key_file_is_named_with_its_cure(tmp_path, monkeypatch):
    """A new key in its place would make every student a new one, unasked."""
    path = tmp_path / "key"
    path.write_text("not hex")
    monkeypatch.setenv("AUTOGRADER_KEY_FILE", str(path))
    with pytest.raises(GraderError, match="no submitter key; restore it"):
        reports.load_key()
    monkeypatch.setenv("AUTOGRADER_KEY_FILE", str(path / "below" / "a" / "file"))
    with pytest.raises(GraderError, match="set AUTOGRADER_KEY_FILE"):
        reports.load_key()


def test_times_are_utc(tmp_path):
    """A commit made elsewhere says the same moment."""
    moment = datetime.fromisoformat("2026-11-20T14:00:00+02:00")
    submission = Handed(tmp_path, submitted_at=moment)
    report = reports.build(
        grade(module(check())),
        submission,
        submitter_key=KEY,
        course=Course(),
        now=datetime(2026, 1, 2, tzinfo=timezone.utc),
    )
    assert report["submission"]["submitted_at"] == "2026-11-20T12:00:00.000Z"
    assert report["created_at"] == "2026-01-02T00:00:00.000Z"
