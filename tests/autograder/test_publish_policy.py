"""The policy from a push to what is recorded, told and ranked, on the stand-in for GitHub."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from click.testing import CliRunner

from assignments.term import Deadline, Term
from autograder.cli import main
from autograder.errors import GraderError
from autograder.github import runs, tell
from autograder.github.feedback import MARKER
from autograder.github.regrade import Sources, apply, regrade
from autograder.leaderboard import publish_scores, rank
from autograder.leaderboard.collect import collect
from autograder.policy import load_policy, rules
from autograder.report.schema import validate
from autograder.scores import claims
from autograder.suite import load_suite
from autograder.table import print_changes
from tests.autograder.delivery import COURSE, Course, server
from tests.autograder.signed import line
from tests.github.course import MONDAY, git

CASES = load_suite(COURSE.assignments[0]).cases
HIDDEN = [case for case in CASES if case.suite == "hidden"]
LOST = HIDDEN[0]  # a check that fails in some of these tests
DUE, HOUR = MONDAY + timedelta(days=1), timedelta(hours=1)


@pytest.fixture
def course(tmp_path, monkeypatch):
    monkeypatch.setattr(rules, "ROOT", tmp_path)
    with server(tmp_path / "server", monkeypatch) as github:
        yield Course(tmp_path, github, monkeypatch)


@pytest.fixture
def due(monkeypatch):
    """Return what gives the course a term; the module is due on Tuesday, 10 % a day."""

    def set_term(late_percent=10, attempt="best", late_days=0, **more) -> None:
        deadline = Deadline("01_tensor", DUE, late_percent)
        term = Term("Europe/Berlin", attempt, late_days, deadlines=(deadline,), **more)
        monkeypatch.setattr(runs, "load_course", lambda: replace(COURSE, term=term))

    set_term()
    return set_term


@pytest.fixture
def clock(monkeypatch):
    """Return what sets the time at which students are told."""

    class Clock(datetime):
        at = DUE

        @classmethod
        def now(cls, tz=None):
            return cls.at

    monkeypatch.setattr(tell, "datetime", Clock)
    monkeypatch.setattr(runs, "datetime", Clock)
    return Clock


def push(student, content, late, **more) -> str:
    """Push a content `late` after the due date."""
    files = {"tinytorch/tensor.py": f"x = {content}\n"}
    return student.push(files, at=DUE + late, **more)


def told(course, student) -> str:
    """Return the sticky comment of a student."""
    lists = course.github.comment_lists.items()
    found = [one for (number, _), some in lists if number == student.id for one in some]
    assert len(found) == 1 and found[0]["body"].startswith(MARKER)
    return found[0]["body"]


def override(course, student, **fields) -> None:
    """Write overrides.toml with one override."""
    entry = {"repository": student.id, "module": "01_tensor", "reason": "by hand", "by": "J. Doe"}
    pairs = [f"{key} = {json.dumps(value)}" for key, value in (entry | fields).items()]
    text = "\n".join(["[[override]]", *pairs, "at = 2026-03-04T10:00:00Z"])
    (course.folder / "overrides.toml").write_text(text, encoding="utf-8")


def board(course, policy_course=None) -> dict:
    """Return leaderboard.json for the published reports."""
    clone, signers, out = (course.folder / one for one in ("clone", "signers", "board"))
    if clone.exists():
        git(clone, "pull", "--quiet")
    else:
        git(course.folder, "clone", "--quiet", str(course.scores), str(clone))
    signers.write_text(line(course.key), encoding="utf-8")
    found = collect(clone, signers)
    assert found.refused == []
    publish_scores(found, out, course=policy_course or runs.load_course())
    return json.loads((out / "leaderboard.json").read_text())


def standing(course) -> list[float]:
    """Return the points of every student, best first."""
    rows = rank(course.reports(), load_policy(runs.load_course())).rows
    return [row.total for row in rows]


def test_a_back_dated_commit_is_still_late(course, due):
    """The server's time of the push counts; what the commit says of its date is nobody's word."""
    alice = course.github.add("alice")
    push(alice, 1, HOUR, dated=MONDAY - timedelta(days=30))
    course.deliver()
    (report,) = course.reports()
    assert validate(report)["submission"]["late_s"] == 3600
    (module,) = report["assignments"]
    assert module["due_at"] == "2026-03-03T09:00:00.000Z" and module["late_s"] == 3600
    assert module["score"] == report["score"]
    assert (report["score"]["points"], report["score"]["raw_points"]) == (90, 100)
    assert report["score"]["adjustments"] == [
        {"kind": "late", "delta": -10, "reason": "1 day late: 10 % off"}
        | {"at": "2026-03-03T10:00:00.000Z"}
    ]
    assert standing(course) == [90]


def test_a_push_in_time_is_not_lost_to_a_late_one_of_the_same_sweep(course, due):
    """It counts; and the student, who reads of the late one, is told so."""
    alice = course.github.add("alice")
    push(alice, 1, -HOUR)
    head = push(alice, 2, HOUR)
    assert course.deliver() == ["2 reports published"]
    assert sorted(one["score"]["points"] for one in course.reports()) == [90, 100]
    assert standing(course) == [100]
    body = told(course, alice)
    assert f"Commit `{head[:10]}`" in body and "90 / 100 points" in body
    assert "-10 points, 1 day late: 10 % off. It was due 2026-03-03 10:00 CET" in body
    assert "What counts is your push of 2026-03-03 09:00 CET: 100 / 100 points" in body
    assert "The checks earned 100 points." in body


def test_late_days_are_spent_and_said(course, due):
    """Nothing is taken off."""
    due(late_days=3)
    alice = course.github.add("alice")
    push(alice, 1, 25 * HOUR)
    course.deliver()
    body = told(course, alice)
    assert "2 days late, which costs no points. It was due 2026-03-03 10:00 CET" in body
    assert "You have 1 day left of your 3 late days" in body
    assert standing(course) == [100]


def test_an_override_is_told_ranked_and_kept_when_everything_is_graded_again(course, due):
    """With its reason, without its author; the record has both."""
    alice = course.github.add("alice")
    push(alice, 1, HOUR)
    course.deliver(failing=[LOST.behaviour])
    override(course, alice, points=77)
    plan = course.plan(force=True)
    course.publish(course.grade(plan))
    report = course.reports()[-1]
    assert report["score"]["points"] == 77 and report["supersedes"]
    assert report["score"]["adjustments"][-1]["by"] == "J. Doe"
    body = told(course, alice)
    assert "by staff: by hand" in body and "77 / 100" in body
    assert "J. Doe" not in body + json.dumps(course.github.checks[alice.id])
    push(alice, 2, 2 * HOUR)
    course.deliver()
    assert [one["score"]["points"] for one in course.reports()][1:] == [77, 77]
    assert standing(course) == [77]


def test_a_broken_file_of_overrides_publishes_nothing(course, due):
    """Rather than points that staff had decided otherwise."""
    alice = course.github.add("alice")
    push(alice, 1, HOUR)
    raw = course.grade(course.plan())
    override(course, alice, points=177)
    with pytest.raises(GraderError, match="overrides.toml: override 1 has points = 177"):
        course.publish(raw)
    assert course.reports() == []


def test_hidden_feedback_that_is_not_due_is_held_back_recorded_and_told_later(course, due, clock):
    """Without another push, when its time has come; staff have it all at once."""
    due(feedback_cooldown_minutes=60)
    alice = course.github.add("alice")
    push(alice, 1, -2 * HOUR)
    clock.at = DUE - 2 * HOUR
    course.deliver()
    push(alice, 2, -HOUR - HOUR / 2)
    clock.at = DUE - HOUR - HOUR / 3
    course.deliver(failing=[LOST.behaviour])
    held = told(course, alice)
    worth = sum(case.points for case in CASES if case.suite == "shown")
    assert f"{worth:g} / {worth:g} points" in held and "shown checks only" in held
    assert "Hidden checks answer next at 2026-03-03 09:00 CET" in held
    sent = json.dumps(course.github.checks[alice.id][-1]) + held
    assert LOST.hint[:30] not in sent and "framework as a whole" not in sent
    assert "the other checks have not answered yet" in held and "Well done" not in held
    assert course.github.checks[alice.id][-1]["conclusion"] == "neutral"
    assert "100 / 100" not in held and f"{100 - LOST.points:g} / 100" not in held
    assert course.reports()[-1]["score"]["points"] == 100 - LOST.points
    assert course.plan().jobs == ()
    assert (course.folder / "output").read_text().endswith("work=false\n")
    clock.at = DUE - HOUR + HOUR / 10
    plan = course.plan()
    assert plan.jobs == () and (course.folder / "output").read_text().endswith("work=true\n")
    course.publish(course.grade(plan))
    assert f"{100 - LOST.points:g} / 100 points" in told(course, alice)
    assert LOST.hint[:30] in told(course, alice)
    course.plan()
    assert (course.folder / "output").read_text().endswith("work=false\n")


def test_what_is_held_back_does_not_show_in_what_late_costs(course, due, clock):
    """A tenth of the points would tell the points."""
    due(feedback_per_day=1)
    alice = course.github.add("alice")
    push(alice, 1, HOUR)
    push(alice, 1, HOUR)
    course.deliver()
    push(alice, 2, 2 * HOUR)
    clock.at = DUE + 3 * HOUR
    course.deliver(failing=[LOST.behaviour])
    body = told(course, alice)
    assert "1 day late: 10 % off" in body.replace("\\", "") and "points, 1 day late" not in body
    assert "The checks earned" not in body and "What counts" not in body
    assert "answer next at 2026-03-04 00:00 CET" in body


def test_the_signed_record_with_its_adjustments_counts_for_the_leaderboard(
    course, due, monkeypatch
):
    """Points, adjustments and bounds add up as the reader of the scores demands them."""
    monkeypatch.setattr("autograder.leaderboard.collect.load_course", lambda: COURSE)
    monkeypatch.setattr(claims, "CLOCKS", timedelta(days=9999))
    for number, name in enumerate(("alice", "bob")):
        push(course.github.add(name), name, number * HOUR)
    course.deliver(failing=[LOST.behaviour])
    assert board(course)["ranked"] == 2
    assert standing(course) == [100 - LOST.points, round(0.9 * (100 - LOST.points), 5)]


def test_reports_that_arrive_in_another_order_give_the_same(course, due):
    """Nor does it matter how often one is there."""
    alice = course.github.add("alice")
    for number, late in enumerate((-5 * HOUR, -HOUR, HOUR, 30 * HOUR)):
        push(alice, number, late)
        course.deliver(failing=[LOST.behaviour] if number < 2 else [])
    policy, reports = load_policy(runs.load_course()), course.reports()
    assert len(reports) == 4
    mixed = [reports[n] for n in (2, 0, 3, 1, 1)]
    assert rank(mixed, policy).rows == rank(reports, policy).rows


def signers(course):
    """Return the file that says whose reports count."""
    (path := course.folder / "signers").write_text(line(course.key), encoding="utf-8")
    return path


@pytest.fixture
def sources(course, due, monkeypatch):
    """Return where a regrade reads."""
    for name in ("autograder.leaderboard.collect", "autograder.github.regrade"):
        monkeypatch.setattr(f"{name}.load_course", lambda: runs.load_course())
    return Sources(str(course.scores), signers(course))


def test_a_dry_run_says_who_goes_up_and_down_and_changes_nothing(course, due, sources, capsys):
    """By an override, by a due date that nobody was told of yet; the others are not in it."""
    students = [course.github.add(name) for name in ("alice", "bob", "cyd")]
    for number, student in enumerate(students):
        push(student, number, (number - 1) * HOUR + HOUR / 2)
    course.deliver()
    override(course, students[0], points=50)
    due(late_percent=40)
    print_changes(changes := regrade(sources).changes())
    assert [(one.repository, one.before, one.after) for one in changes] == [
        (students[0].id, 100, 50),
        (students[1].id, 90, 60),
        (students[2].id, 90, 60),
    ]
    due(late_percent=0)
    assert [one.gain for one in regrade(sources).changes()] == [-50, 10, 10]
    shown = capsys.readouterr().out
    assert "by hand" in shown and "0 go up, 3 go down" in shown
    assert len(course.reports()) == 3


def test_applied_a_regrade_supersedes_what_changes_and_only_that(course, due, sources):
    """Idempotent; the same commit, checks and seed; nobody is off the board at any moment."""
    alice, bob = (course.github.add(name) for name in ("alice", "bob"))
    push(alice, 1, HOUR)
    push(bob, 2, -HOUR)
    course.deliver()
    override(course, alice, delta=-20)
    before = {one["report_id"]: one for one in course.reports()}
    assert apply(regrade(sources), sources, course.key).appended == 1
    new = next(one for one in course.reports() if one["report_id"] not in before)
    old = before[new["supersedes"]]
    assert (old["score"]["points"], new["score"]["points"]) == (90, 70)
    for part in ("grader", "tests", "submitter"):
        assert new[part] == old[part]
    assert standing(course) == [100, 70] and regrade(sources).changes() == []
    assert apply(regrade(sources), sources, course.key).appended == 0
    course.publish(course.grade(course.plan()))
    assert "70 / 100 points" in told(course, alice)
    (course.folder / "overrides.toml").unlink()
    assert apply(regrade(sources), sources, course.key).appended == 1
    assert standing(course) == [100, 90]


def test_a_dry_run_of_a_new_grading_compares_it_with_what_is_published(course, due, sources):
    """Before `publish`; which then gives just that."""
    alice = course.github.add("alice")
    push(alice, 1, -HOUR)
    course.deliver()
    raw = course.grade(course.plan(force=True), failing=[LOST.behaviour])
    plan = course.folder / "plan" / "plan.json"
    found = regrade(sources, raw, plan)
    assert [(one.before, one.after) for one in found.changes()] == [(100, 100 - LOST.points)]
    with pytest.raises(GraderError, match="raw reports are published by `autograder publish`"):
        apply(found, sources, course.key)
    course.publish(raw)
    assert standing(course) == [100 - LOST.points] and regrade(sources).changes() == []


def cloned(course):
    """Return a clone of the scores repository, the one report in it, and what that says."""
    clone = course.folder / "theirs"
    git(course.folder, "clone", "--quiet", str(course.scores), str(clone))
    (path,) = clone.glob("reports/*/*.json")
    return clone, path, json.loads(path.read_bytes())


def forge(clone):
    """Push what was changed there, as whoever can write to it may."""
    git(clone, "add", "--all")
    git(clone, "-c", "user.name=x", "-c", "user.email=x@y.org", "commit", "--quiet", "-m", "Forge")
    git(clone, "push", "--quiet", "origin", "HEAD:main")


def test_a_report_that_nobody_signed_is_not_signed_by_a_regrade(course, due, sources):
    """Whoever can write to the scores repository could else have any points signed; it is told."""
    alice = course.github.add("alice")
    push(alice, 1, HOUR)
    course.deliver()
    clone, path, report = cloned(course)
    report["assignments"][0]["score"] |= {"raw_points": 50, "points": 45}
    path.write_text(json.dumps(report), encoding="utf-8")
    forge(clone)
    override(course, alice, delta=-1)
    assert list(regrade(sources).republished()) == []
    assert f"autograder: refused {path.relative_to(clone)} (altered): " in asked(course).stderr


def asked(course, *more):
    """Return the run of the command."""
    command = ["regrade", "--scores", str(course.scores), "--signers", str(signers(course))]
    return CliRunner().invoke(main, [*command, *more])


def test_the_command_prints_the_table_and_applies_it(course, due, sources):
    """Two options more, and it is done."""
    alice = course.github.add("alice")
    push(alice, 1, HOUR)
    course.deliver()
    override(course, alice, delta=-20)
    run = asked(course)
    assert run.exit_code == 0 and "0 go up, 1 go down" in run.output and "-20" in run.output
    published = asked(course, "--apply", str(course.key)).output
    assert "1 reports published; students are told with the next sweep" in published


def test_a_report_that_borrows_the_id_of_a_signed_one_is_not_signed(course, due, sources):
    """Who writes to the scores repository may add a file; it counts as little as before."""
    alice = course.github.add("alice")
    push(alice, 1, HOUR)
    course.deliver(failing=[LOST.behaviour])
    clone, path, report = cloned(course)
    true = report["assignments"][0]["score"]["raw_points"]
    report["assignments"][0]["score"] |= {"raw_points": 100, "points": 100}
    path.with_name("0" * 26 + ".json").write_text(json.dumps(report), encoding="utf-8")
    forge(clone)
    override(course, alice, delta=-1)
    signed = regrade(sources).republished()
    assert [one["assignments"][0]["score"]["raw_points"] for one in signed] == [true] != [100]
