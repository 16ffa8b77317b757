"""No signed report has more points than exist, and its points add up from the checks."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.scores.claims import fault, faults
from tests.autograder.signed import RULES, report

GOOD = report(modules=2)  # half of 100 points in each of two modules
LATE = {"kind": "late", "delta": -5.0, "reason": "1 day", "at": "2026-11-20T12:00:00.000Z"}


def change(*path_and_value, of=GOOD):
    """Return a report with one value changed; the path is keys and indices."""
    one, (*path, key, value) = copy.deepcopy(of), path_and_value
    place = one
    for step in path:
        place = place[step]
    place[key] = value
    return one


def test_the_report_that_these_tests_change_is_good():
    """Half of the points of two modules."""
    assert GOOD["score"]["points"] == 100 and GOOD["score"]["max_points"] == 200
    assert fault(GOOD, RULES) is None


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        (("tests", 0, "points", 1000.0), "passed and has 1000 of"),
        (("tests", 1, "points", 0.5), "failed and has 0.5 of"),
        (("tests", 0, "max_points", 1000.0), "do not add up to its 100 points"),
        (("tests", 0, "task", "Tensor.free"), "are worth"),
        (("tests", 0, "status", "failed"), "failed and has"),
        (("assignments", 0, "score", "points", 90.0), "has 90 points, what was passed adds up"),
        (("assignments", 0, "score", "max_points", 1000), "is out of 1000 points, there are 100"),
        (("assignments", 1, "id", "01_tensor"), "counts twice"),
        (("assignments", 0, "score", None), "has no points"),
        (("score", "points", 150), "the report has 150 points"),
        (("score", "raw_points", 150), "the report has 150 points, what was passed adds up to 100"),
        (("score", "max_points", 500), "the report is out of 500 points, there are 200"),
        (("tests", 1, "id", GOOD["tests"][0]["id"]), "counts twice"),
        (("tests", 0, "module", "03_layers"), "not graded"),
    ],
)
def test_points_that_do_not_exist_are_refused(path, reason):
    """Each number is held against the course and against the checks."""
    found = list(faults(change(*path), RULES))
    assert [one.reason for one in found if one.kind == "too good" and reason in one.reason]


def test_what_adjusts_points_must_add_up():
    """A late day takes five; the report says so in the module and in the whole."""
    one = copy.deepcopy(GOOD)
    for score, raw in ((one["assignments"][0]["score"], 50), (one["score"], 100)):
        score |= {"points": raw - 5, "raw_points": raw, "adjustments": [LATE]}
    assert fault(one, RULES) is None
    assert fault(change("score", "points", 100, of=one), RULES).kind == "too good"
    free = change("assignments", 0, "score", "adjustments", [LATE | {"delta": 5}], of=one)
    assert fault(free, RULES).kind == "too good"


def test_an_override_cannot_give_more_than_there_is():
    """Staff may give all the points of a module, not more."""
    one = copy.deepcopy(GOOD)
    gift = LATE | {"kind": "override", "delta": 50}
    one["assignments"][0]["score"] |= {"points": 100, "raw_points": 50, "adjustments": [gift]}
    one["score"] |= {"points": 150, "raw_points": 100, "adjustments": [gift]}
    assert fault(one, RULES) is None
    more = change("assignments", 0, "score", "points", 100.0005, of=one)
    assert fault(more, RULES).kind == "too good"


def test_what_lateness_costs_more_than_there_was_leaves_nothing():
    """Points end at 0."""
    one = copy.deepcopy(report())
    for score in (one["assignments"][0]["score"], one["score"]):
        late = LATE | {"delta": -80}
        score |= {"points": 0, "raw_points": 50, "adjustments": [late]}
    assert fault(one, RULES) is None


@given(st.integers(0, 1), st.floats(0.01, 1e6), st.sampled_from(["points", "raw_points"]))
def test_no_module_can_gain_points_alone(module, gain, key):
    """However little, whichever number."""
    one = copy.deepcopy(GOOD)
    score = one["assignments"][module]["score"]
    score[key] = score["points"] + gain
    assert fault(one, RULES).kind == "too good"


@given(st.integers(0, len(GOOD["tests"]) - 1), st.floats(0.01, 1e6))
def test_no_check_can_gain_points_alone(number, gain):
    """Not even where the sums follow it."""
    one = copy.deepcopy(GOOD)
    test = one["tests"][number]
    test["points"] += gain
    for score in (
        one["score"],
        *(m["score"] for m in one["assignments"] if m["id"] == test["module"]),
    ):
        score["points"] += gain
        score["raw_points"] = score["points"]
    assert fault(one, RULES).kind == "too good"
