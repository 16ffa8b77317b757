"""The competition on GitHub: entries are planned, claims held against the plan, places told."""

from __future__ import annotations

import json
import shutil
from datetime import datetime, timezone

import pytest
from ulid import ULID

from assignments.competition.tracks import tracks
from autograder.competition.changes import Change
from autograder.competition.identity import absent, digest
from autograder.errors import GraderError
from autograder.github import races
from autograder.github.feedback import MARKER as GRADE
from autograder.github.published import TRIES
from autograder.github.races import MARKER
from autograder.policy import Who
from autograder.report.redact import redact
from autograder.scores import Rules, read
from tests.autograder.competition.made import report, result
from tests.autograder.delivery import COURSE, IMAGE, WORK, Course, Forger, server
from tests.autograder.signed import encoded, line
from tests.github.course import git

ENTRY = {"entry/sprint.py": "def load(weights):\n    return None\n"}


@pytest.fixture
def course(tmp_path, monkeypatch):
    with server(tmp_path / "server", monkeypatch) as github:
        yield Race(tmp_path, github, monkeypatch)


class Race(Course):
    """A course whose students compete."""

    def plan(self, **changes):
        """Plan as `autograder plan --competition` does."""
        return super().plan(race=True, **changes)

    def measure(self, plan, *results, **more):
        """Grade with a stub: everybody has these results; return the folder."""
        raw = self.folder / "raw"
        shutil.rmtree(raw, ignore_errors=True)
        raw.mkdir()
        for keys in plan.shards:
            for key in keys:
                self.put(plan, key, claim(plan.job(key), *results, **more))
        return raw

    def race(self, *results, **more):
        """Plan, measure and publish; return what was said."""
        return self.publish(self.measure(self.plan(), *results, **more))

    def raced(self):
        """Return what is published of the competition, oldest first."""
        if not git(self.scores, "for-each-ref"):
            return []
        names = git(self.scores, "ls-tree", "-r", "--name-only", "main").splitlines()
        shown = [name for name in names if name.startswith("competition/") and name[-1] == "n"]
        found = [json.loads(git(self.scores, "show", f"main:{name}")) for name in shown]
        return sorted(found, key=lambda one: one["report_id"])

    def comments(self, student):
        return [one["body"] for one in self.github.comment_lists.get((student.id, 1), [])]


def claim(job, *results, **more):
    """Return a raw report of a job, as the grader in the container would write it."""
    one = report("a" * 32, *results, **more)
    one["submission"] |= {"commit": None, "tree": None, "digest": job.digest}
    one["grader"]["seed"] = job.seed
    return one


SPRINT = (2.0, (1.95, 2.05))


def test_a_pushed_entry_becomes_a_signed_report_and_a_place_that_is_told(course):
    """Who has no entry is not measured, and nobody is measured twice."""
    ada, bob = (course.github.add(name) for name in ("ada", "bob"))
    commit = ada.push(WORK | ENTRY)
    bob.push(WORK)
    assert course.race(result(*SPRINT), alias="Ada") == ["1 reports published"]
    (one,) = course.raced()
    assert (one["submission"]["repository_id"], one["submission"]["commit"]) == (ada.id, commit)
    assert one["grader"]["image_digest"] == IMAGE and one["grader"]["seed"] > 2**64
    assert [file["name"] for file in one["artifacts"]] == ["entry/sprint.py"]
    (comment,) = course.comments(ada)
    assert comment.startswith(MARKER) and "| B Sprint, closed | 1 of 1 | 2.00 ×" in comment
    assert course.comments(bob) == []
    plan = course.plan()
    assert plan.jobs == () and plan.is_competition


def test_the_plan_says_what_the_container_is_asked_for(course):
    """Tracks, and in the final that it is one; a seed that nobody can try out."""
    course.github.add("ada").push(WORK | ENTRY)
    plan = course.plan()
    (folder,) = (course.folder / "plan/shards/0").iterdir()
    words = (folder / "modules").read_text().split()
    assert words == [word for name in tracks() for word in ("--track", name)]
    assert plan.suite_digest == digest() and plan.modules == tuple(tracks())


def test_the_final_measures_those_who_are_ranked_again_on_one_machine(course):
    """And only those: all in one shard, verified, with new seeds."""
    students = [course.github.add(f"s{number}") for number in range(6)]
    for number, one in enumerate(students[:5]):
        one.push(WORK | {"entry/sprint.py": f"x = {number}\n"})
    students[5].push(WORK)
    course.race(result(*SPRINT))
    late = course.github.add("late")
    late.push(WORK | ENTRY)
    plan = course.plan(final=True)
    assert len(plan.jobs) == 5 and [len(keys) for keys in plan.shards] == [5]
    folder, *_ = (course.folder / "plan/shards/0").iterdir()
    assert (folder / "modules").read_text().split()[-1] == "--final"
    said = course.publish(course.measure(plan, result(1.9, (1.85, 1.95), state="verified")))
    assert said == ["5 reports published"]
    last = course.raced()[-5:]
    assert {one["assignments"][0]["state"] for one in last} == {"verified"}
    assert len({one["grader"]["seed"] for one in course.raced()}) == 10
    assert "1.90 ×" in course.comments(students[0])[0]


def test_who_has_no_entry_left_in_the_final_keeps_no_place(course):
    """In one track, in all of them, and where a claim leaves a track out."""
    ada, bob = (course.github.add(name) for name in ("ada", "bob"))
    for student in (ada, bob):
        student.push(WORK | ENTRY | {"entry/decode.py": f"x = {student.id}\n"})
    eight = result(8.0, (7.9, 8.1), track="decode")
    course.race(result(*SPRINT), eight)
    assert "| E Decode, closed | 1= of 2 |" in course.comments(ada)[0]
    bob.push(WORK)
    hints = course.folder / "hints"
    assert course.plan(hints=hints).jobs == ()
    plan = course.plan(hints=hints, final=True)
    assert len(plan.jobs) == 2
    raw = course.measure(plan, result(1.9, (1.85, 1.95), state="verified"))
    (key,) = (job.key for job in plan.jobs if job.repository_id == bob.id)
    nothing = [absent(track, "verified") for track in tracks().values()]
    course.put(
        plan, key, claim(plan.job(key), *({"assignment": a, "metrics": []} for a in nothing))
    )
    assert course.publish(raw) == ["2 reports published"]
    first, second = (course.comments(one)[0] for one in (ada, bob))
    assert "| B Sprint, closed | 1 of 1 | 1.90 ×" in first
    assert "no entry for Decode in the final" in first and "Featherweight" not in first
    for name in ("B Sprint", "E Decode"):
        assert f"| {name}, closed | – | not ranked |" in second
    assert course.plan().jobs == (), "who has no entry is not measured again"


def test_what_staff_decided_is_held_against_the_results_before_a_sweep(course, monkeypatch):
    """As it is without GitHub: a fault is said before anything is measured."""
    course.github.add("ada").push(WORK | ENTRY)
    course.race(result(*SPRINT))
    (one,) = course.raced()
    who, at = Who(), datetime(2026, 12, 1, tzinfo=timezone.utc)
    changes = [
        Change(n, who, one["report_id"], "sprint", None, to, "reason", "J. Doe", at)
        for n, to in enumerate(("withdrawn", "verified"), 1)
    ]
    monkeypatch.setattr(races, "load_changes", lambda course: changes)
    with pytest.raises(GraderError, match="state 2: a result that is withdrawn cannot"):
        course.plan()


def test_what_is_published_is_what_the_leaderboard_reads(course, tmp_path):
    """Signed and in its place; nothing is refused."""
    course.github.add("ada").push(WORK | ENTRY)
    course.race(result(*SPRINT), result(3000, track="featherweight"), alias="Ada")
    git(tmp_path, "clone", "--quiet", str(course.scores), "clone")
    signers = tmp_path / "allowed_signers"
    signers.write_text(line(course.key))
    found = read(tmp_path / "clone", signers, Rules(COURSE, now=datetime.now(timezone.utc)))
    assert found.refused == [] and len(found.accepted) == 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda one: one["assignments"][0]["score"].update(points=100), "its result earns"),
        (lambda one: one["assignments"][0].update(state="verified"), "is verified"),
        (lambda one: one["assignments"][0].update(id="competition-z"), "no track of this course"),
        (lambda one: one["grader"].update(seed=3), "seed: expected"),
        (lambda one: one["grader"].update(isolation="none"), "isolation: expected full"),
        (lambda one: one["submission"].update(digest="sha256:" + "2" * 64), "files graded"),
        (lambda one: one["metrics"][1].update(value=0.5), "agreement is 0.5"),
        (lambda one: one["metrics"][0].update(value="2"), "does not fit"),
        (lambda one: one["metrics"][1].update(value=float("nan")), "it has the number NaN"),
        (lambda one: one["leaderboard"].update(opt_in=True, alias="\ud800"), "no grader makes"),
    ],
)
def test_a_claim_that_does_not_follow_is_our_fault_until_it_does(course, change, reason):
    """The container ran student code beside it: nothing of it counts, and it is tried again."""
    ada = course.github.add("ada")
    ada.push(WORK | ENTRY)
    plan = course.plan()
    raw = course.measure(plan, result(*SPRINT))
    (key,) = plan.shards[0]
    forged = claim(plan.job(key), result(*SPRINT))
    change(forged)
    course.put(plan, key, forged)
    said = course.publish(raw)
    assert any(reason in one for one in said), said
    (one,) = course.raced()
    assert one["status"] == "ungradable" and one["score"] is None
    assert reason in one["reason"] and reason not in str(redact(one, "student"))
    (comment,) = course.comments(ada)
    assert TRIES == 3 and "It is tried three times by itself; if all fail, the staff" in comment
    assert "not your fault" in comment and "no entry yet" not in comment and reason not in comment
    assert len(course.plan().jobs) == 1, "the next sweep tries again"


def test_a_claim_brings_nothing_along(course):
    """Titles, artifacts and who it is come from the course and the plan."""
    ada = course.github.add("ada")
    ada.push(WORK | ENTRY)
    plan = course.plan()
    raw = course.measure(plan, result(*SPRINT))
    (key,) = plan.shards[0]
    forged = claim(plan.job(key), result(*SPRINT, title="Winner", note="\ud800\u202eno"))
    forged["artifacts"] = [{"name": "entry/other.py", "sha256": "0" * 64}]
    forged["submission"] |= {"commit": "1" * 40, "submitted_at": "2020-01-01T00:00:00Z"}
    course.put(plan, key, forged)
    course.publish(raw)
    (one,) = course.raced()
    assert one["assignments"][0]["note"] == "no"
    assert one["assignments"][0]["title"] == "Sprint" and one["submitter"]["id"] != "a" * 32
    assert one["artifacts"][0]["name"] == "entry/sprint.py"
    assert one["submission"]["submitted_at"] == plan.jobs[0].pushed_at


def test_an_entry_that_cannot_be_read_is_refused_with_its_reason(course):
    """Its student reads it; it is not 0, and is not tried again."""
    ada = course.github.add("ada")
    ada.push(WORK | {"entry/sprint.py": "#" * (5 << 20)})
    course.publish(course.measure(course.plan()))
    (one,) = course.raced()
    assert one["status"] == "error" and one["score"]["points"] == 0
    assert {part["score"] for part in one["assignments"]} == {None}
    (comment,) = course.comments(ada)
    assert "not ranked" in comment and "expected at most 4 MiB, got 5 MiB" in comment
    assert course.plan().jobs == ()


def test_a_folder_without_an_entry_is_told_so(course):
    """The grader measured nothing: no report of modules comes of it."""
    ada = course.github.add("ada")
    ada.push(WORK | {"entry/entry.toml": "[sprint]\n"})
    course.race()
    (one,) = course.raced()
    assert one["status"] == "error" and course.reports() == []
    assert "entry/ holds no entry" in course.comments(ada)[0]


def test_marks_and_their_comment_stay_as_they_are(course):
    """The two are told apart in one issue; and neither makes the other be planned again."""
    ada = course.github.add("ada")
    ada.push(WORK | ENTRY)
    modules = super(Race, course)
    course.publish(course.grade(modules.plan()))
    course.race(result(*SPRINT))
    first, second = course.comments(ada)
    assert first.startswith(GRADE) and second.startswith(MARKER)
    assert modules.plan().jobs == () and course.plan().jobs == ()
    assert len(course.reports()) == len(course.raced()) == 1
    assert len(course.github.issue_lists[ada.id]) == 1
    kept = git(course.scores, "ls-tree", "-r", "--name-only", "main").splitlines()
    assert {f"feedback/{ada.id}.json", f"told/{ada.id}.json"} <= set(kept)
    assert (course.folder / "output").read_text().splitlines()[-1] == "work=false"


def test_a_name_that_is_taken_back_is_told_to_nobody(course):
    """By a push that only was graded, too."""
    ada, bob = (course.github.add(name) for name in ("ada", "bob"))
    ada.push(WORK | ENTRY)
    course.race(result(*SPRINT), alias="Ada")
    ada.push(WORK)
    course.publish(course.grade(super(Race, course).plan()))
    bob.push(WORK | {"entry/sprint.py": "y = 2\n"})
    course.race(result(1.5, (1.45, 1.55)))
    (comment,) = course.comments(bob)
    assert "| 1 | *not named* | |" in comment and "Ada" not in comment


def test_what_nobody_signed_is_neither_ranked_nor_takes_a_name_back(course):
    """Whoever can write to the scores repository moves no place in a student's comment."""
    ada, bob, carol = (course.github.add(name) for name in ("ada", "bob", "carol"))
    ada.push(WORK | ENTRY)
    course.race(result(*SPRINT), alias="Ada")
    (one,) = course.raced()
    nameless = {"report_id": str(ULID()), "leaderboard": {"opt_in": False, "alias": None}}
    forger, best = Forger(course), one | {"submitter": {"id": "c" * 32}}
    forger.put(f"competition/{carol.id}/{one['report_id']}.json", encoded(best))
    forger.put(f"reports/{ada.id}/{nameless['report_id']}.json", encoded(one | nameless))
    forger.push()
    bob.push(WORK | {"entry/sprint.py": "y = 2\n"})
    plan = course.plan()
    assert [job.repository_id for job in plan.jobs] == [bob.id]
    said = course.publish(course.measure(plan, result(1.5, (1.45, 1.55))))
    assert [line.partition(":")[0] for line in said[1:]] == [
        f"competition/{carol.id}",
        f"reports/{ada.id}",
    ]
    (comment,) = course.comments(bob)
    assert "| B Sprint, closed | 2 of 2 |" in comment and "Ada" in comment


def test_new_rules_measure_every_entry_again(course, monkeypatch):
    """A change of the grader makes the published results of another suite; force does the same."""
    course.github.add("ada").push(WORK | ENTRY)
    course.race(result(*SPRINT))
    assert course.plan().jobs == () and len(course.plan(force=True).jobs) == 1
    monkeypatch.setattr(races, "digest", lambda: "sha256:" + "3" * 64)
    (job,) = course.plan().jobs
    assert job.attempt == 2 and job.supersedes == course.raced()[0]["report_id"]


@pytest.mark.parametrize("taken_back", [False, True])
def test_a_grading_that_failed_takes_no_name_and_gives_none_back(course, taken_back):
    """What was said before it counts: on the comments as on the board."""
    ada, bob = (course.github.add(name) for name in ("ada", "bob"))
    ada.push(WORK | ENTRY)
    course.race(result(*SPRINT), alias="Ada")
    modules = super(Race, course)
    if taken_back:
        ada.push(WORK)
        course.publish(course.grade(modules.plan()))
    ada.push(WORK | {"tinytorch/tensor.py": "x = 2\n"})
    plan = modules.plan()
    raw = course.grade(plan)
    course.put(plan, plan.shards[0][0], [])
    course.publish(raw)
    assert course.reports()[-1]["status"] == "ungradable"
    bob.push(WORK | {"entry/sprint.py": "y = 2\n"})
    course.race(result(1.5, (1.45, 1.55)))
    (comment,) = course.comments(bob)
    assert ("| 1 | *not named* | |" in comment) == taken_back != ("Ada" in comment)
