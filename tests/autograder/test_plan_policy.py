"""Planning by the policy: which pushes are graded beside the newest head."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from assignments.term import Deadline, Term
from autograder.github.client import NOBODY, Push
from autograder.github.wanted import before_boundaries
from autograder.policy import Policy, Who
from autograder.policy.overrides import Extension, Overrides
from tests.autograder.delivery import planned, server
from tests.autograder.test_plan import publish
from tests.github.course import MONDAY

DUE, HOUR = MONDAY + timedelta(days=1), timedelta(hours=1)


@pytest.fixture
def github(tmp_path, monkeypatch):
    with server(tmp_path / "server", monkeypatch) as running:
        yield running


@pytest.fixture
def scores(tmp_path):
    (tmp_path / "scores").mkdir()
    return tmp_path / "scores"


def policy(*extensions, attempt="best", late_percent=100, **rules) -> Policy:
    """Return a policy by which the first module is due on Tuesday."""
    deadline = Deadline("01_tensor", DUE, late_percent, **rules)
    term = Term("Europe/Berlin", attempt=attempt, deadlines=(deadline,))
    return Policy(term, Overrides(extensions=extensions))


def push(student, content, late) -> str:
    """Push a content `late` after the due date, in a commit that claims to be a week old."""
    dated = DUE - timedelta(days=7)
    return student.push({"tinytorch/tensor.py": f"x = {content}\n"}, at=DUE + late, dated=dated)


def commits(scores, hints=None, **changes) -> list[str]:
    """Return which commits are planned."""
    return [job.commit for job in planned(scores, hints, **changes).jobs]


def test_the_last_push_in_time_is_graded_beside_a_late_head(github, scores):
    """What came before and in between is not; attempts are counted on."""
    alice = github.add("alice")
    push(alice, 1, -5 * HOUR)
    kept = push(alice, 2, -HOUR)
    push(alice, 3, HOUR)
    head = push(alice, 4, 2 * HOUR)
    jobs = planned(scores, policy=policy()).jobs
    assert [(job.commit, job.attempt) for job in jobs] == [(kept, 1), (head, 2)]
    assert jobs[0].pushed_at == "2026-03-03T08:00:00.000Z"


def test_without_due_dates_it_is_the_head_alone(github, scores):
    """As ever; also where nothing is lost by being late."""
    alice = github.add("alice")
    push(alice, 1, -HOUR)
    head = push(alice, 2, HOUR)
    assert commits(scores) == commits(scores, policy=policy(late_percent=0)) == [head]


def test_each_day_that_costs_and_the_last_one_are_such_moments(github, scores):
    """A push on each of four days after the due date, in one sweep."""
    alice = github.add("alice")
    pushed = [push(alice, day, timedelta(days=day) - HOUR) for day in range(5)]
    assert commits(scores, policy=policy(late_percent=10)) == pushed
    rejecting = policy(late_percent=50, reject_after_days=3)
    assert commits(scores, policy=rejecting) == [pushed[0], pushed[1], pushed[3], pushed[4]]


def test_an_extension_moves_the_moment_for_one_student(github, scores):
    """The course's date stays one: an extension may be taken back."""
    alice, bob = github.add("alice"), github.add("bob")
    pushed = {
        student: [push(student, f"{student.id}{n}", n * 5 * HOUR - HOUR) for n in range(3)]
        for student in (alice, bob)
    }
    when = datetime(2026, 3, 1, tzinfo=timezone.utc)
    extension = Extension(
        Who(alice.id), "01_tensor", "ill", "J. Doe", when, until=DUE.astimezone() + 5 * HOUR
    )
    found = commits(scores, policy=policy(extension))
    assert sorted(found) == sorted([*pushed[alice], pushed[bob][0], pushed[bob][2]])


def test_the_same_content_pushed_late_again_is_graded_once_as_it_came_in_time(github, scores):
    """Nothing of the module changed."""
    alice = github.add("alice")
    first = push(alice, 1, -HOUR)
    push(alice, 1, HOUR)
    assert commits(scores, policy=policy()) == [first]


def test_a_push_in_time_whose_report_was_lost_is_taken_up_by_the_next_sweep(
    github, scores, tmp_path
):
    """Though the head is published; hints do not hide it."""
    alice = github.add("alice")
    kept = push(alice, 1, -HOUR)
    push(alice, 2, HOUR)
    jobs = planned(scores, tmp_path / "hints", policy=policy()).jobs
    publish(scores, jobs[1])
    assert commits(scores, tmp_path / "hints", policy=policy()) == [kept]
    publish(scores, jobs[0])
    for _ in range(2):
        assert commits(scores, tmp_path / "hints", policy=policy()) == []


def test_a_due_date_that_is_moved_is_looked_at_again(github, scores, tmp_path):
    """What was settled by another policy need not be by this one."""
    alice = github.add("alice")
    kept = push(alice, 1, -HOUR)
    push(alice, 2, HOUR)
    publish(scores, planned(scores, tmp_path / "hints").jobs[0])
    assert commits(scores, tmp_path / "hints") == []
    assert commits(scores, tmp_path / "hints", policy=policy()) == [kept]


def test_where_the_latest_counts_a_head_that_goes_back_is_graded_again(github, scores):
    """Or the one before it would count; where the best does, nothing is to be done."""
    alice = github.add("alice")
    for content in (1, 2):
        push(alice, content, -5 * HOUR + content * HOUR)
        publish(scores, planned(scores).jobs[0])
    head = push(alice, 1, -HOUR)
    assert commits(scores, policy=policy()) == []
    (job,) = planned(scores, policy=policy(attempt="latest")).jobs
    assert job.commit == head
    publish(scores, job)
    assert commits(scores, policy=policy(attempt="latest")) == []


def test_with_new_hidden_checks_the_push_that_counts_is_graded_again_too(github, scores):
    """Or our change would cost a student what they had; a content that is there again, once."""
    alice = github.add("alice")
    old = "sha256:" + "0" * 64
    best = push(alice, 1, -5 * HOUR)
    publish(scores, planned(scores).jobs[0], suite=old, points=90)
    head = push(alice, 2, -HOUR)
    publish(scores, next(job for job in planned(scores).jobs if job.commit == head), suite=old)
    assert commits(scores) == [best, head]
    push(alice, 1, 0 * HOUR)
    assert commits(scores) == [best]


def test_one_module_alone_looks_for_no_new_work(github, scores):
    """The sweep does."""
    alice = github.add("alice")
    push(alice, 1, -HOUR)
    head = push(alice, 2, HOUR)
    assert commits(scores, policy=policy(), module="01") == [head]


def test_a_branch_that_was_emptied_before_the_due_date_leaves_what_was_there():
    """Deleting is no submission."""
    pushes = [
        Push(NOBODY, after * 40, MONDAY + hour * HOUR, "push")
        for hour, after in ((9, "c"), (5, "0"), (3, "b"), (1, "a"))
    ]
    assert before_boundaries(pushes, [MONDAY + 6 * HOUR], pushes[0]) == [pushes[2]]
    assert before_boundaries(pushes, [MONDAY], pushes[0]) == []
    assert before_boundaries(pushes, [], pushes[0]) == []
