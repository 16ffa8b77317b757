"""What goes wrong between two sweeps loses no push, no comment and no report."""

from __future__ import annotations

import json
from datetime import datetime, timezone

import pytest
from ulid import ULID

from autograder.github import runs
from autograder.github.published import Published
from autograder.scores import share
from autograder.signatures import sign
from tests.autograder.delivery import WORK, Course, planned, server
from tests.github.course import git
from tests.github.standin import Refusal


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A course, on a GitHub of its own."""
    with server(tmp_path / "server", monkeypatch) as github:
        yield Course(tmp_path, github, monkeypatch)


def test_students_who_push_the_same_commit_are_all_planned(course, tmp_path):
    """Their answers are kept under one name, by several threads at once."""
    for number in range(24):
        course.github.add(f"s{number}").push(WORK)
    assert len(planned(tmp_path / "scores", tmp_path / "hints").jobs) == 24


def test_a_rate_limit_is_no_issue_tracker_that_is_switched_off(course):
    """GitHub answers 403 to both; who was not told is told with the next sweep."""
    for number in range(6):
        course.github.add(f"s{number}").push(WORK)
    limit = Refusal(403, "You have exceeded a secondary rate limit", **{"Retry-After": "3600"})
    course.github.fail(10**6, limit, verb="POST", path="/issues")
    assert not any("switched off" in line for line in course.deliver())
    assert not any(course.github.comment_lists.values())
    course.github.faults.clear()
    course.deliver()
    assert sum(map(len, course.github.comment_lists.values())) == 6


def test_what_is_appended_while_students_are_told_is_told_later(course, monkeypatch, tmp_path):
    """What is noted is what was told, and not what is newest by then."""
    ada = course.github.add("ada")
    ada.push(WORK)
    course.deliver()
    ada.push(WORK | {"tinytorch/tensor.py": "y = 1\n"})
    right = runs.Herald.tell

    def tell(herald):
        told = right(herald)
        newer = list(course.reports())[-1]
        later = newer | {"report_id": str(ULID()), "supersedes": newer["report_id"]}
        content = (json.dumps(later) + "\n").encode()
        share(str(course.scores), [(content, sign(content, course.key))])
        monkeypatch.setattr(runs.Herald, "tell", right)
        return told

    monkeypatch.setattr(runs.Herald, "tell", tell)
    course.deliver()
    git(tmp_path, "clone", "-q", str(course.scores), "clone")
    assert Published(tmp_path / "clone").untold(datetime.now(timezone.utc)) == [ada.id]


def test_another_default_branch_is_graded(course, tmp_path):
    """To choose one moves no push."""
    ada, hints = course.github.add("ada"), tmp_path / "hints"
    ada.push(WORK)

    def swept() -> int:
        plan = course.plan(hints=hints)
        course.publish(course.grade(plan))
        return len(plan.jobs)

    assert (swept(), swept()) == (1, 0)
    ada.branch = "dev"
    ada.push(WORK | {"tinytorch/tensor.py": "z = 3\n"})
    ada.branch = "main"
    assert swept() == 0
    ada.branch = "dev"
    assert swept() == 1
