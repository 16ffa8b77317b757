"""Publishing against a stand-in for GitHub and real git repositories: what is recorded and told."""

from __future__ import annotations

import json
import re
from datetime import datetime, timezone

import pytest

from autograder.errors import GraderError
from autograder.github import repositories
from autograder.github.feedback import MARKER
from autograder.scores import Rules, read
from autograder.suite import load_suite
from tests.autograder.delivery import COURSE, IMAGE, WORK, Course, claim, server
from tests.autograder.signed import line
from tests.github.course import git
from tests.github.standin import APP, STRANGER, Refusal

CASES = load_suite(COURSE.assignments[0]).cases
HIDDEN = [case for case in CASES if case.suite == "hidden"]
MATMUL = [case for case in HIDDEN if case.task == "Tensor.matmul"]


@pytest.fixture
def course(tmp_path, monkeypatch):
    with server(tmp_path / "server", monkeypatch) as github:
        yield Course(tmp_path, github, monkeypatch)


def comments(course, student) -> list[dict]:
    """Return all comments in a student's repository."""
    lists = course.github.comment_lists.items()
    return [one for (number, _), found in lists if number == student.id for one in found]


def test_a_push_becomes_a_signed_report_a_check_run_and_a_comment(course):
    """From the push to what the student reads."""
    alice = course.github.add("alice")
    commit = alice.push(WORK)
    assert course.deliver() == ["1 reports published"]
    (report,) = course.reports()
    assert report["submission"]["repository_id"] == alice.id
    assert (report["submission"]["commit"], report["score"]["points"]) == (commit, 100)
    assert report["grader"]["image_digest"] == IMAGE
    (run,) = course.github.checks[alice.id]
    assert (run["head_sha"], run["conclusion"]) == (commit, "success")
    assert run["output"]["title"] == "100 / 100 points"
    (comment,) = comments(course, alice)
    assert comment["body"].startswith(MARKER) and "100 / 100 points" in comment["body"]
    assert f"| {alice.id} | `{commit[:10]}` | 100 / 100 points |" in (
        course.folder / "summary.md"
    ).read_text(encoding="utf-8")


def test_a_second_run_finds_nothing_to_do(course):
    """Neither to grade nor to tell: the outputs say so, and no job is started."""
    course.github.add("alice").push(WORK)
    course.deliver()
    (course.folder / "output").unlink()
    assert course.plan().jobs == ()
    assert (course.folder / "output").read_text() == "shards=[]\nwork=false\n"


def test_the_comment_is_edited_and_says_what_changed(course):
    """One comment for good; each commit has its own check run."""
    alice = course.github.add("alice")
    first = alice.push(WORK)
    course.deliver(failing=[MATMUL[0].behaviour])
    alice.push({"tinytorch/tensor.py": "x = 2\n"})
    course.deliver()
    (comment,) = comments(course, alice)
    before, worth = 0, sum(case.points for case in CASES if case.task == "Tensor.matmul")
    before = worth - MATMUL[0].points
    assert f"Since your last graded push, `{first[:10]}`:" in comment["body"]
    assert f"- `01 Tensor.matmul` {before:g} → {worth:g} points" in comment["body"]
    assert len(course.github.checks[alice.id]) == 2
    assert len(course.github.issue_lists[alice.id]) == 1


def test_a_comment_with_the_marker_by_another_is_not_ours(course):
    """A student can copy the marker, but not write as the app; nor can their Actions."""
    alice = course.github.add("alice")
    alice.push(WORK)
    body = {"title": "Grades and feedback", "body": MARKER}
    course.github.create_issue(alice.id, query={}, body=body, app=STRANGER)
    for issue in (1, 2):
        course.github.create_comment(alice.id, issue, query={}, body={"body": MARKER}, app=STRANGER)
    course.deliver()
    ours = [c for c in comments(course, alice) if c["performed_via_github_app"]["id"] == APP]
    theirs = [c for c in comments(course, alice) if c not in ours]
    assert len(ours) == 1 and [one["body"] for one in theirs] == [MARKER] * 2


def test_annotations_are_on_the_student_s_lines_and_at_most_fifty(course):
    """Of hidden checks the prewritten hint and the line, and nothing else."""
    alice = course.github.add("alice")
    alice.push(WORK)
    course.deliver(failing=[case.behaviour for case in CASES])
    (run,) = course.github.checks[alice.id]
    found = run["output"]["annotations"]
    assert len(found) == min(50, len(CASES))
    assert {(one["path"], one["start_line"]) for one in found} == {("tinytorch/tensor.py", 3)}
    assert run["conclusion"] == "failure"


def test_nothing_of_a_hidden_check_but_its_hint_reaches_a_student(course):
    """Not its name, its message, its time, the seed: in no byte that is sent."""
    alice = course.github.add("alice")
    alice.push(WORK)
    plan = course.plan()
    course.publish(course.grade(plan, failing=[case.behaviour for case in HIDDEN]))
    sent = json.dumps([course.github.checks[alice.id], comments(course, alice)])
    assert HIDDEN[0].hint[:30] in sent
    assert "a secret value" not in sent and str(plan.jobs[0].seed) not in sent
    told = {case.behaviour for case in CASES if case.suite == "shown"}
    assert [c.behaviour for c in HIDDEN if c.behaviour not in told and c.name in sent] == []


def test_a_claim_of_too_many_points_is_cut_to_those_there_are(course):
    """Check by check; a check that failed has none."""
    alice = course.github.add("alice")
    alice.push(WORK)
    plan = course.plan()
    raw = course.grade(plan)
    forged = claim(plan.jobs[0], failing=[MATMUL[0].behaviour])
    for test in forged["tests"]:
        test["points"] = test["max_points"] = 1000
    forged["assignments"][0]["score"] = {"points": 9999, "max_points": 9999}
    forged["score"] |= {"points": 9999, "max_points": 9999, "raw_points": 9999}
    course.put(plan, plan.jobs[0].key, forged)
    course.publish(raw)
    (report,) = course.reports()
    assert report["score"]["points"] == 100 - MATMUL[0].points
    assert report["score"]["max_points"] == 100


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda one: one["submission"].update(digest="sha256:" + "a" * 64), "files graded"),
        (lambda one: one["grader"].update(suite_digest="sha256:" + "a" * 64), "suite"),
        (lambda one: one["grader"].update(seed=1), "seed"),
        (lambda one: one["grader"].update(isolation="none"), "isolation"),
        (lambda one: one["tests"].pop(), "other checks than the suite"),
        (lambda one: one["tests"].append(one["tests"][0] | {"id": "x"}), "other checks"),
        (lambda one: one.update(audience="student"), "does not fit"),
        (lambda one: one.update(surprise=1), "does not fit"),
        (lambda one: one.clear(), "does not fit"),
    ],
)
def test_a_claim_about_something_else_earns_nothing_and_is_our_fault(course, change, reason):
    """The student is told that it will be graded again, and it is."""
    course.github.add("alice").push(WORK)
    plan = course.plan()
    raw = course.grade(plan)
    forged = claim(plan.jobs[0])
    change(forged)
    course.put(plan, plan.jobs[0].key, forged)
    lines = course.publish(raw)
    assert reason in lines[0]
    (report,) = course.reports()
    assert (report["status"], report["score"]) == ("ungradable", None)
    assert len(course.plan().jobs) == 1


def test_a_shard_cannot_speak_for_another(course):
    """What it writes under another's key is not looked at."""
    course.github.add("alice").push(WORK)
    plan = course.plan()
    course.grade(plan, only=99)
    course.put(plan, plan.jobs[0].key, claim(plan.jobs[0]), shard=1)
    assert "no report came back" in course.publish(course.folder / "raw")[0]
    assert course.reports() == []


def test_a_link_in_the_raw_reports_is_not_followed(course, tmp_path):
    """Whatever it points at is not published."""
    course.github.add("alice").push(WORK)
    plan = course.plan()
    raw = course.grade(plan)
    path = raw / "raw-0" / plan.jobs[0].key / "out" / "report.json"
    path.rename(tmp_path / "elsewhere.json")
    path.symlink_to(tmp_path / "elsewhere.json")
    course.publish(raw)
    assert [one["status"] for one in course.reports()] == ["ungradable"]


def test_a_container_that_was_ended_is_told_as_our_fault_and_tried_thrice(course):
    """Its exit code came back, no report did."""
    course.github.add("alice").push(WORK)
    for _ in range(3):
        plan = course.plan()
        raw = course.grade(plan, only=99)
        place = raw / "raw-0" / plan.jobs[0].key
        place.mkdir(parents=True)
        (place / "exit").write_text("137\n")
        assert "ended for its time or memory" in course.publish(raw)[0]
    assert {one["status"] for one in course.reports()} == {"ungradable"}
    assert course.plan().jobs == ()


def test_a_killed_shard_costs_its_own_submissions_only_until_the_next_sweep(course):
    """The others are published at once; nothing is lost, nothing graded twice."""
    students = [course.github.add(f"student-{number}") for number in range(25)]
    for number, student in enumerate(students):
        student.push({"tinytorch/tensor.py": f"x = {number}\n"})
    plan = course.plan()
    assert len(plan.shards) == 2
    course.publish(course.grade(plan, only=0))
    assert len(course.reports()) == len(plan.shards[0])
    rest = course.plan()
    assert {job.key for job in rest.jobs} == set(plan.shards[1])
    course.publish(course.grade(rest))
    assert sorted(one["submission"]["repository_id"] for one in course.reports()) == [
        student.id for student in students
    ]


def test_a_publishing_job_that_runs_twice_publishes_once(course):
    """Whoever presses "re-run" changes nothing."""
    alice = course.github.add("alice")
    alice.push(WORK)
    raw = course.grade(course.plan())
    course.publish(raw)
    again = course.publish(raw)
    assert "is about the same attempt" in again[0] and again[-1] == "0 reports published"
    assert len(course.reports()) == len(comments(course, alice)) == 1
    assert len(course.github.checks[alice.id]) == 1


def test_a_push_published_out_of_order_is_not_what_the_student_reads(course):
    """An older plan that comes back late is recorded, and told of nothing."""
    alice = course.github.add("alice")
    alice.push(WORK)
    old = course.plan()
    course.folder.joinpath("plan", "plan.json").rename(course.folder / "old.json")
    newest = alice.push({"tinytorch/tensor.py": "x = 2\n"})
    course.deliver()
    (course.folder / "old.json").rename(course.folder / "plan" / "plan.json")
    course.publish(course.grade(old, failing=[MATMUL[0].behaviour]))
    assert len(course.reports()) == 2
    (comment,) = comments(course, alice)
    assert f"Commit `{newest[:10]}`" in comment["body"]


def test_an_api_that_is_down_while_telling_leaves_the_report_and_tells_later(course):
    """Recorded first, told after; the next sweep finds who does not know yet."""
    alice = course.github.add("alice")
    alice.push(WORK)
    course.github.fail(99, Refusal(503, "Unavailable"), path="/check-runs")
    course.deliver()
    assert len(course.reports()) == 1 and comments(course, alice) == []
    course.github.faults.clear()
    plan = course.plan()
    assert plan.jobs == ()
    assert (course.folder / "output").read_text().endswith("shards=[]\nwork=true\n")
    course.publish(course.grade(plan))
    assert len(comments(course, alice)) == len(course.github.checks[alice.id]) == 1
    assert len(course.reports()) == 1


def test_a_comment_that_was_written_though_the_answer_was_lost_is_not_written_again(course):
    """A creation is never repeated blindly: the next sweep looks first."""
    alice = course.github.add("alice")
    alice.push(WORK)
    create = course.github.create_comment
    lost = []

    def written_and_lost(verb, path):
        if verb == "POST" and path.endswith("/comments") and not lost:
            lost.append(path)
            create(alice.id, 1, query={}, body={"body": f"{MARKER} half an answer"})
            return Refusal(502, "Bad Gateway")
        return None

    course.github.faults.append(written_and_lost)
    course.deliver()
    course.publish(course.grade(course.plan()))
    (comment,) = comments(course, alice)
    assert "100 / 100 points" in comment["body"]


def test_a_limit_on_writing_is_waited_out(course):
    """A refused creation was not done, so it is done again."""
    alice = course.github.add("alice")
    alice.push(WORK)
    limit = Refusal(403, "You have exceeded a secondary rate limit", **{"Retry-After": "0"})
    course.github.fail(2, limit, verb="POST")
    course.deliver()
    assert len(comments(course, alice)) == 1


def test_a_repository_that_vanishes_before_it_is_told_is_a_line(course):
    """The report stays; nobody is asked again and again."""
    alice = course.github.add("alice")
    alice.push(WORK)
    raw = course.grade(course.plan())
    del course.github.repositories[alice.id]
    assert any("GitHub answered 404" in line for line in course.publish(raw))
    assert len(course.reports()) == 1
    course.plan()
    assert (course.folder / "output").read_text().endswith("work=false\n")


def test_issues_that_are_switched_off_leave_the_check_run(course):
    """One line for staff; the student has the check run."""
    alice = course.github.add("alice")
    alice.push(WORK)
    course.github.fail(9, Refusal(410, "Issues are disabled for this repo"), path="/issues")
    lines = course.deliver()
    assert lines[-1] == f"repository {alice.id}: no comment, the check run says it all"
    assert len(course.github.checks[alice.id]) == 1


def test_what_intake_refused_is_told_with_its_reason_and_earns_nothing(course):
    """Their fault, so it is a grade: 0 points."""
    alice = course.github.add("alice")
    alice.push({"README.md": "nothing\n"})
    course.deliver()
    (report,) = course.reports()
    assert (report["status"], report["score"]["points"]) == ("error", 0)
    assert "expected files tinytorch/" in comments(course, alice)[0]["body"]
    assert course.plan().jobs == ()


def test_the_old_classroom_notices_are_printed_on_request(course):
    """Two lines that GitHub obeys, of numbers alone; every other line it must not."""
    from autograder.github.runs import quoted

    course.github.add("alice").push(WORK)
    raw = course.grade(course.plan())
    lines = list(quoted(course.publish(raw, notices=True)))
    assert lines[-2:] == [
        "::notice title=Autograding complete::Points 100/100",
        '::notice title=Autograding report::{"totalPoints":100,"maxPoints":100}',
    ]
    token = re.fullmatch("::stop-commands::([0-9a-f]{32})", lines[0])[1]
    assert lines[:3] == [lines[0], "1 reports published", f"::{token}::"]


def test_every_clone_and_push_of_the_scores_carries_their_token(course, monkeypatch):
    """On GitHub the repository is private, and the students' token may not write to it."""
    git, tokens = repositories._git, []
    course.github.add("alice").push(WORK)
    raw = course.grade(course.plan())
    monkeypatch.setenv("SCORES_TOKEN", "of-the-scores")
    monkeypatch.setattr(repositories, "_git", lambda *given: tokens.append(given[1]) or git(*given))
    assert course.publish(raw) == ["1 reports published"]
    assert len(tokens) > 4 and set(tokens) == {"of-the-scores"}


def test_without_the_submitter_key_nothing_is_published(course, monkeypatch):
    """A new one would make every student another."""
    monkeypatch.setenv("AUTOGRADER_KEY_FILE", str(course.folder / "nowhere"))
    course.github.add("alice").push(WORK)
    raw = course.grade(course.plan())
    with pytest.raises(GraderError, match="expected the submitter key"):
        course.publish(raw)


def test_a_report_names_the_term_if_there_is_one(course):
    """So that the leaderboard of another term refuses it."""
    course.github.add("alice").push(WORK)
    course.publish(course.grade(course.plan()), term="2026-fall")
    assert course.reports()[0]["course"]["term"] == "2026-fall"


def test_what_is_published_counts_for_the_leaderboard(course):
    """Signature, course, suite and points are as the reader of the scores demands them."""
    for name in ("alice", "bob"):
        course.github.add(name).push(WORK)
    course.deliver(failing=[MATMUL[0].behaviour])
    clone, signers = course.folder / "clone", course.folder / "allowed_signers"
    git(course.folder, "clone", "--quiet", str(course.scores), str(clone))
    signers.write_text(line(course.key), encoding="utf-8")
    rules = Rules(COURSE, now=datetime.now(timezone.utc))
    found = read(clone, signers, rules)
    assert found.refused == []
    assert {one["score"]["points"] for one in found.accepted} == {100 - MATMUL[0].points}
