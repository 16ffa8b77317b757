"""Submissions that want a milestone without a model: none passes, each is refused for its reason.

A submission can make its process answer anything. What it cannot make is right answers to what it
has not learned: those are counted elsewhere.
"""

from __future__ import annotations

import re

import pytest

from autograder import milestones
from autograder.intake import receive
from autograder.milestones import grade_milestone
from autograder.suite import reference_path
from tests.autograder.submit import COURSE, Sandboxes
from tests.submissions import build
from tests.submissions.fixtures import load

HOSTILE = {fixture.name: fixture for fixture in load("milestones")}
BY_HEART = "knows_digits_by_heart"
CASES = [(name, number) for name in HOSTILE for number in (1, 3) if (name, number) != (BY_HEART, 1)]


@pytest.fixture(scope="module")
def sandboxes():
    with Sandboxes() as opened:
        yield opened


def graded(name, number, sandboxes, folder):
    """Grade a hostile submission that is the reference in all other modules."""
    fixture = HOSTILE[name]
    canary = folder / "hidden.txt"
    canary.write_text("an answer")
    files = {one.source: reference_path(one).read_bytes() for one in COURSE.assignments}
    files |= fixture.files(COURSE, canary)
    sandbox = sandboxes.with_limits({"wall_s": 60, "cpu_s": 120} | fixture.limits)
    with receive(build.folder(folder / "handed in", files)) as submission:
        return grade_milestone(submission, number, course=COURSE, seed=1, sandbox=sandbox)


@pytest.mark.parametrize(("name", "number"), CASES)
def test_a_hostile_submission_does_not_pass_and_the_reason_is_known(
    name, number, sandboxes, tmp_path
):
    """No run passes, and what stopped it is what the fixture says."""
    grade = graded(name, number, sandboxes, tmp_path)
    assert not grade.passed
    for run in range(milestones.RUNS):
        missed = [one for one in grade.answers if one.run == run and not one.passed]
        assert missed
        reasons = [one.reason or "outside the gate" for one in missed]
        assert [why for why in reasons if not re.search(HOSTILE[name].refused, why)] == []


def test_answers_known_by_heart_fit_until_they_are_disguised(sandboxes, tmp_path, monkeypatch):
    """The attack works: what stops it is the order of pixels and the numbers of classes."""
    monkeypatch.setattr(milestones, "disguise", lambda task, rng: task)
    grade = graded(BY_HEART, 3, sandboxes, tmp_path)
    assert [answer.value for answer in grade.answers] == [1.0, 1.0, 1.0]
