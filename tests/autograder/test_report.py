"""A report says what grading found, to each audience no more than it may know."""

import hashlib
import json
import os
import stat
from datetime import datetime, timezone

import pytest
from jsonschema import Draft202012Validator

from autograder import report as reports
from autograder.errors import GraderError
from autograder.report.build import overall_status
from autograder.report.files import replace as put
from autograder.report.schema import validator
from tests.autograder.grades import (
    KEY,
    Course,
    Handed,
    check,
    grade,
    mixed_report,
    module,
    refused_report,
    staff_report,
)

FILES = ["public.json", "report.json", "results.json", "student.json", "student.md"]


@pytest.fixture
def handed(tmp_path):
    """Return a submission that opted in."""
    (tmp_path / "leaderboard.toml").write_text('alias = "Ada"')
    return Handed(tmp_path)


@pytest.fixture
def report(handed):
    """Return a report with a passed, a shown failed and a hidden failed check."""
    return mixed_report(handed)


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
    theirs, ours = refused_report("error"), refused_report("ungradable")
    assert theirs["score"]["points"] == 0 and theirs["score"]["max_points"] > 0
    assert ours["score"] is None
    assert [one["score"] for one in ours["assignments"]] == [None] * len(ours["assignments"])


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


def test_long_output_is_cut_and_says_so(handed):
    """One print in a loop must not make reports of megabytes."""
    shown = check(suite="shown", status="failed", output="x" * 100_000)
    test = staff_report(grade(module(shown)), handed.root)["tests"][0]
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
