"""Honest work earns what it is worth, wrong work next to nothing, and half-done work its half."""

from __future__ import annotations

import re

import pytest

from tests.autograder.submit import Sandboxes, submit
from tests.submissions.fixtures import load


@pytest.fixture(scope="module")
def sandbox():
    """A sandbox for all of them, with the limits that students get."""
    with Sandboxes() as opened:
        yield opened.with_limits({})


def graded(fixture, sandbox, tmp_path):
    """Submit `fixture`, which has no interest in a canary."""
    return submit(fixture, sandbox, tmp_path, canary=tmp_path / "canary")


@pytest.mark.parametrize("fixture", load("honest"), ids=lambda fixture: fixture.name)
def test_honest_work_earns_full_marks(fixture, sandbox, tmp_path):
    """Whoever writes other words for the same mathematics is right, too."""
    outcome = graded(fixture, sandbox, tmp_path)
    assert outcome.reasons == []
    assert (outcome.module.points, outcome.module.status) == (100, "passed")
    assert outcome.module.integrated_passed == outcome.module.integrated_total


@pytest.mark.parametrize("fixture", load("wrong"), ids=lambda fixture: fixture.name)
def test_wrong_work_earns_nothing(fixture, sandbox, tmp_path):
    """A plausible answer of the right shape is not a right one."""
    outcome = graded(fixture, sandbox, tmp_path)
    assert outcome.unexplained == []
    assert (outcome.module.points, outcome.module.status) == (0, "failed")


@pytest.mark.parametrize("fixture", load("partial"), ids=lambda fixture: fixture.name)
def test_partial_work_earns_what_it_is_worth(fixture, sandbox, tmp_path):
    """What is missing costs its own task, and says what is missing."""
    outcome = graded(fixture, sandbox, tmp_path)
    assert outcome.lost == outcome.must_lose
    assert outcome.module.points == outcome.honest_points
    assert outcome.unexplained == []
    assert re.search(fixture.shows, outcome.shown)


def test_a_lost_check_of_partial_work_carries_a_hint(sandbox, tmp_path):
    """Nobody is told "wrong" without a word on how to go on."""
    half_done = next(fixture for fixture in load("partial") if fixture.name == "half_done")
    outcome = graded(half_done, sandbox, tmp_path)
    failed = [check for check in outcome.module.checks if check.status != "passed"]
    assert failed and all(check.hint for check in failed)
