"""Places: ties by interval, no movement by noise, no rank for what is missing."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from assignments.competition.tracks import tracks
from autograder.competition.identity import absent
from autograder.leaderboard.tracks import all_round, records, results, standings
from autograder.report.kinds import is_competition
from tests.autograder.competition.made import report, result


def entry(who, value, ci95=None, *, day=1, points=50.0, isolation="full", **more):
    """Return a report of one result, with these points whatever the value."""
    one = result(value, ci95, points=points, **more)
    return report(who, one, day=day, alias=who, isolation=isolation)


def places(*reports, track="sprint", division="closed"):
    return [(one.submitter, one.place) for one in standings(results(reports))[track, division]]


def test_clearly_better_is_ahead_and_overlapping_intervals_share():
    """1, then two that nobody can tell apart, the earlier commit first, then 4."""
    reports = [
        entry("late", 2.1, [2.0, 2.2], day=3),
        entry("early", 2.0, [1.9, 2.1], day=2),
        entry("first", 3.0, [2.9, 3.1], day=4),
        entry("last", 1.5, [1.4, 1.6], day=1),
    ]
    expected = [("first", "1"), ("early", "2="), ("late", "2="), ("last", "4")]
    assert places(*reports) == expected


def test_fewer_bytes_are_better_and_exact_results_tie_only_when_equal():
    """A direction of its own for each track."""
    reports = [entry(who, n, track="featherweight") for who, n in (("a", 9), ("b", 7), ("c", 9))]
    assert places(*reports, track="featherweight") == [("b", "1"), ("a", "2="), ("c", "2=")]


def test_the_board_does_not_move_by_noise():
    """A better figure within the interval leaves value and day as they were."""
    first, noise = entry("a", 2.0, [1.9, 2.1]), entry("a", 2.05, [1.95, 2.15], day=9)
    better = entry("a", 2.5, [2.4, 2.6], day=9)
    ((one,),) = standings(results([first, noise])).values()
    assert (one.value, one.since[:10]) == (2.0, "2026-10-01")
    ((one,),) = standings(results([first, noise, better])).values()
    assert one.value == 2.5


def test_what_is_not_ranked_is_last_and_not_zero():
    """A gate that was missed, practice, and what was withdrawn have no rank."""
    reports = [
        entry("gated", 9.0, points=None),
        entry("practice", 9.0, isolation="none"),
        entry("gone", 9.0, day=2, state="withdrawn"),
        entry("ranked", 1.1, points=1.0),
    ]
    found = places(*reports)
    assert found[0] == ("ranked", "1")
    assert {place for _, place in found[1:]} == {"–"} and len(found) == 4


def test_a_failed_attempt_costs_nothing():
    """Pushing an experiment is free, also where its files do not say its division."""
    unread = entry("a", None, points=None, day=2)
    del unread["assignments"][0]["division"]
    for failed in (entry("a", None, points=None, day=2), unread):
        assert places(entry("a", 2.0, division="open"), failed, division="open") == [("a", "1")]
    ((one,),) = standings(results([unread])).values()
    assert (one.division, one.place) == ("closed", "–"), "they read why, if there is nothing else"


@pytest.mark.parametrize("state", ["disputed", "withdrawn"])
@pytest.mark.parametrize(("other", "value"), [(3.0, 3.0), (1.5, 1.5), (None, None)])
def test_a_dispute_takes_one_result_off_the_board_and_no_other(state, other, value):
    """The best of what is left counts, whichever came first; with nothing left the state stands."""
    rest = entry("a", other, points=None if other is None else 50.0, day=1)
    off = entry("a", 2.0, day=2, state=state)
    for reports in ([rest, off], [off, rest]):
        ((one,),) = standings(results(reports)).values()
        expected = (value, "ci") if value else (2.0, state)
        assert (one.value, one.state) == expected and one.place == ("1" if value else "–")


def test_the_final_replaces_what_was_measured_before():
    """Also by a lower figure; nothing of before comes back, and nothing after it counts."""
    before, final = entry("a", 3.0), entry("a", 2.5, state="verified", day=2)
    for reports in ([before, final], [before, final, entry("a", 4.0, day=3)]):
        ((one,),) = standings(results(reports)).values()
        assert (one.value, one.state) == (2.5, "verified")
        assert [led.value for led in records(results(reports))["sprint", "closed"]] == [3.0]
    again = entry("a", 2.2, state="verified", day=4)
    ((one,),) = standings(results([before, final, again])).values()
    assert one.value == 2.2, "a second final replaces the first"


def unread(one):
    """Return a report of what could not be read at all."""
    assignment = {k: v for k, v in one["assignments"][0].items() if k != "division"}
    return one | {"reason": "entry/ is too large", "metrics": [], "assignments": [assignment]}


FINAL = {"state": "verified", "points": None, "day": 2}
FAILED = {
    "refused": entry("a", None, **FINAL),
    "gated": entry("a", 3.0, **FINAL),
    "unread": unread(entry("a", None, **FINAL)),
    "moved to another division": entry("a", 2.0, division="open", **FINAL | {"points": 50.0}),
    "disputed": entry("a", 3.0, **FINAL | {"points": 50.0}),
}


@pytest.mark.parametrize("final", FAILED)
def test_who_fails_the_final_keeps_no_earlier_place_and_no_record(final):
    """What only the final's new seed finds out does not win; nor does the same, pushed again."""
    reports = [entry("a", 3.0), entry("b", 2.0, state="verified", day=3), FAILED[final]]
    for more in ([], [entry("a", 3.0, day=9)]):
        found = results([*reports, *more])
        if final == "disputed":
            found[2] = replace(found[2], state="disputed")
        rows = standings(found)["sprint", "closed"]
        assert [(one.submitter, one.place) for one in rows] == [("b", "1"), ("a", "–")]
        assert [one.submitter for one in records(found)["sprint", "closed"]] == ["b"]


def test_where_the_grader_failed_in_the_final_the_earlier_place_stays():
    """That is our fault; and one track's final is no other's."""
    ours = unread(entry("a", None, **FINAL)) | {"status": "ungradable"}
    assert places(entry("a", 3.0), ours) == [("a", "1")]
    both = [entry("a", 3.0), entry("a", 3.0, track="decode")]
    assert places(*both, entry("a", None, track="decode", **FINAL)) == [("a", "1")]
    assert places(*both, entry("a", None, track="decode", **FINAL), track="decode") == [("a", "–")]


def test_who_had_no_entry_in_a_track_gets_none_by_the_final():
    """It only replaces: nobody is listed who never entered."""
    gone = entry("a", None, **FINAL)
    gone["assignments"] = [absent(tracks()["sprint"], "verified"), *gone["assignments"][1:]]
    gone["metrics"] = []
    assert places(entry("a", 3.0), gone) == [("a", "–")]
    assert standings(results([gone])) == {}
    practice = entry("a", 3.0, state="verified", isolation="none", day=2)
    assert places(entry("a", 2.0), practice) == [("a", "1")], "practice is no final"


def test_a_division_that_its_track_has_not_is_on_no_board():
    """Nor a track that there is no more: the others are."""
    old = entry("a", 2.0, track="decode")
    old["assignments"][0]["division"] = "open"
    lost = entry("b", 2.0)
    lost["assignments"][0]["id"] = "competition-lost"
    assert list(standings(results([old, lost, entry("c", 2.0)]))) == [("sprint", "closed")]


def test_divisions_are_ranked_apart():
    """Open entries do not stand before closed ones."""
    reports = [entry("a", 2.0), entry("b", 9.0, division="open")]
    assert places(*reports) == [("a", "1")]
    assert places(*reports, division="open") == [("b", "1")]


def test_records_are_who_led_when():
    """A record that is beaten by noise stays."""
    reports = [
        entry("a", 2.0, [1.9, 2.1]),
        entry("b", 2.05, [1.95, 2.15], day=2),
        entry("c", 3.0, [2.9, 3.1], day=3),
    ]
    assert [one.submitter for one in records(results(reports))["sprint", "closed"]] == ["a", "c"]


def test_all_round_is_the_geometric_mean_over_three_tracks():
    """Clamped, so that one track of nothing is not all."""
    names = ("sprint", "decode", "target")
    reports = [entry("a", 2.0, track=n, points=p) for n, p in zip(names, (10, 100, 0), strict=True)]
    reports += [entry("b", 2.0, track=name) for name in names[:2]]
    assert all_round(standings(results(reports))) == {
        "a": pytest.approx((10 * 100 * 0.1) ** (1 / 3))
    }


def test_a_report_of_modules_is_none_of_the_competition():
    """The two boards read the same scores repository."""
    assert is_competition(entry("a", 1.0))
    assert not is_competition({"assignments": [{"kind": "module"}]})


@pytest.mark.parametrize("track", ["sprint", "target"])
def test_the_rank_is_one_more_than_the_number_of_those_who_are_clearly_better(track):
    """By sorting, for three hundred; the same as by asking every pair."""
    dice = random.Random(7)
    reports = []
    for number in range(300):
        value, width = dice.uniform(1, 9), dice.uniform(0, 2)
        reports.append(entry(f"s{number}", value, [value - width, value + width], track=track))
    (rows,) = standings(results(reports)).values()
    assert len(rows) == 300
    for one in rows:
        better = [other for other in rows if other.beats(one)]
        assert one.rank == 1 + len(better)
        assert one.shared == ([other.rank for other in rows].count(one.rank) > 1)
