"""Places follow from reports by rules that anyone can check."""

import random
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assignments.term import Deadline, Term
from autograder.leaderboard import rank
from autograder.policy import Policy, Who
from autograder.policy.overrides import Override, Overrides
from tests.autograder.standings import START, report


def places(reports):
    """Return (alias, place, total) of everybody who is ranked."""
    return [(row.alias, row.place, row.total) for row in rank(reports).rows]


def test_more_points_come_first_and_equal_points_share_a_rank():
    """1, 2=, 2=, 4: the rank is one more than the number of those who have more."""
    reports = [
        report("a", 50, alias="a", minutes=1),
        report("b", 80, alias="b", minutes=4),
        report("c", 80, alias="c", minutes=3),
        report("d", 99, alias="d", minutes=9),
    ]
    assert places(reports) == [("d", "1", 99), ("c", "2=", 80), ("b", "2=", 80), ("a", "4", 50)]


def test_within_a_rank_who_reached_the_points_first_stands_first():
    """The commit that reached them, not the newest one."""
    reports = [
        report("a", 80, number=1, alias="a", minutes=5),
        report("b", 80, number=2, alias="b", minutes=6),
        report("a", 80, number=3, alias="a", minutes=7),
    ]
    assert [alias for alias, _, _ in places(reports)] == ["a", "b"]


def test_the_best_report_of_each_module_counts():
    """An experiment that fails costs nothing; modules may be graded one at a time."""
    reports = [
        report("a", 90, 10, number=1, alias="a"),
        report("a", 20, 70, number=2, alias="a"),
        report("a", 5, number=3, alias="a", first=2),
    ]
    standing = rank(reports)
    assert standing.rows[0].points == {"01_tensor": 90, "02_activations": 70, "03_layers": 5}
    assert standing.rows[0].total == 165 and standing.max_total == 300


@pytest.mark.parametrize("isolation", ["none", "reduced(tcp, udp)"])
def test_practice_does_not_count(isolation):
    """Points without full isolation are no grade: waiting, not last, and not gone."""
    standing = rank([report("a", 100, alias="a", isolation=isolation)])
    assert standing.rows == () and standing.waiting == ("a",) and standing.columns == ()


def test_what_could_not_be_graded_is_no_zero_and_nobody_vanishes_meanwhile():
    """The grade from before stays until there is a new one."""
    reports = [
        report("a", 70, number=1, alias="a"),
        report("a", 0, number=2, status="ungradable", supersedes=1),
        report("b", 0, number=3, status="ungradable"),
    ]
    standing = rank(reports)
    assert [row.alias for row in standing.rows] == ["a"] and standing.rows[0].total == 70
    assert standing.waiting == (None,)


def test_a_report_that_was_superseded_by_a_grade_no_longer_counts():
    """A regrade may lower points: the old ones were wrong."""
    reports = [
        report("a", 90, number=1, alias="a"),
        report("a", 60, number=2, alias="a", supersedes=1),
    ]
    assert places(reports) == [("a", "1", 60)]


def test_a_regrade_of_one_module_replaces_that_module_alone():
    """Also below a report that replaces the regrade; the other modules count as they were."""
    reports = [
        report("a", 90, 60, number=1),
        report("a", 20, number=2, supersedes=1),
        report("a", 30, number=3, supersedes=2),
    ]
    assert rank(reports).rows[0].points == {"01_tensor": 30, "02_activations": 60}
    whole = report("a", 10, 10, number=4, supersedes=3)
    assert rank([*reports, whole]).rows[0].points == {"01_tensor": 10, "02_activations": 10}


def test_the_board_ranks_what_the_policy_gives():
    """Late by the server's time, the latest if the term says so, and what staff decided."""
    due = START + timedelta(minutes=5)
    deadline = Deadline("01_tensor", due, late_percent=50)
    rules = Policy(Term("Europe/Berlin", deadlines=(deadline,)))
    pushed = [report("a", 60, number=1), report("a", 90, number=2, minutes=9)]
    for one in pushed:
        one["submission"]["repository_id"] = 101
    assert rank(pushed).rows[0].total == 90
    assert rank(pushed, rules).rows[0].total == 60
    latest = replace(rules, term=replace(rules.term, attempt="latest"))
    assert rank(pushed, latest).rows[0].total == 45
    given = Override(Who(101), "01_tensor", "by hand", "J. Doe", START, points=99.0)
    assert (
        rank(pushed, replace(latest, overrides=Overrides(overrides=(given,)))).rows[0].total == 99
    )


def test_a_time_that_no_server_saw_is_not_late():
    """On the ledger of one machine a push is as old as its author's clock says."""
    deadline = Deadline("01_tensor", START, late_percent=50)
    rules = Policy(Term("Europe/Berlin", deadlines=(deadline,)))
    assert rank([report("a", 60, minutes=9)], rules).rows[0].total == 60


def test_a_push_that_could_not_be_read_is_not_the_latest_attempt():
    """Unless there is no other: a broken archive would else cost the modules of a whole term."""
    rules = Policy(Term("Europe/Berlin", attempt="latest"))
    broken = report("a", 0, number=2, minutes=9, status="error")
    broken["submission"]["digest"] = None
    assert rank([report("a", 60, number=1), broken], rules).rows[0].total == 60
    assert rank([broken], rules).rows[0].total == 0


def test_a_file_handed_in_again_is_as_old_as_the_first_time():
    """Who goes on with the next module after the due date hands nothing in late."""
    deadline = Deadline("01_tensor", START + timedelta(minutes=5), late_percent=50)
    rules = Policy(Term("Europe/Berlin", attempt="latest", deadlines=(deadline,)))
    pushed = [report("a", 60, number=1), report("a", 60, 80, number=2, minutes=9)]
    for one in pushed:
        one["submission"]["repository_id"] = 101
        one["assignments"][0]["source"] = "tinytorch/tensor.py"
        one["artifacts"] = [{"name": "tinytorch/tensor.py", "sha256": "5" * 64}]
    assert rank(pushed, rules).rows[0].points == {"01_tensor": 60, "02_activations": 80}
    assert rank(pushed[1:], rules).rows[0].points == {"01_tensor": 30, "02_activations": 80}


def test_only_the_newest_version_of_a_module_counts_for_whoever_has_it():
    """Others keep theirs until they are graded on the new one."""
    reports = [
        report("a", 90, number=1, alias="a"),
        report("b", 80, number=2, alias="b"),
        report("a", 70, number=3, alias="a", version=2),
    ]
    assert places(reports) == [("b", "1", 80), ("a", "2", 70)]


def test_a_submission_at_fault_is_ranked_with_what_it_earned_before():
    """Their error is a grade of 0, and the best counts."""
    broken = report("a", 0, 0, number=2, status="error")
    broken["submission"] = {"commit": None, "digest": None, "submitted_at": None}
    assert places([report("a", 90, number=1, alias="a"), broken]) == [("a", "1", 90)]
    assert places([broken]) == [(None, "1", 0)]


def test_everybody_is_ranked_and_only_those_are_named_who_asked():
    """A rank is missing where somebody stands unnamed."""
    standing = rank([report("a", 90), report("b", 80, alias="b"), report("c", 70, alias="c")])
    assert [row.place for row in standing.rows] == ["1", "2", "3"]
    assert [(row.place, row.alias) for row in standing.named] == [("2", "b"), ("3", "c")]


def test_the_newest_submission_decides_about_the_name():
    """Opting out is as easy as opting in; a report without files decides nothing."""
    reports = [report("a", 50, number=1, alias="old"), report("a", 50, number=2, alias="new")]
    assert rank(reports).rows[0].alias == "new"
    assert rank([*reports, report("a", 50, number=3)]).rows[0].alias is None
    failed = report("a", 0, number=4, status="ungradable")
    failed["submission"]["digest"] = None
    assert rank([*reports, failed]).rows[0].alias == "new"


def test_an_earlier_push_that_is_graded_later_brings_no_name_back():
    """The order of pushes counts, as the server saw them."""
    last = report("a", 50, number=1, minutes=9)
    late = report("a", 50, number=2, minutes=3, alias="a")
    for one in (last, late):
        one["submission"]["repository_id"] = 7
    assert rank([last, late]).rows[0].alias is None


@pytest.mark.parametrize("twin", ["Ada", "ADA", "ａｄａ", "A\u200dda", "Àda", "A da"])
def test_two_names_that_look_alike_are_told_apart(twin):
    """Who had it first keeps it."""
    standing = rank([report("a", 10, alias="Ada"), report("b", 90, alias=twin)])
    assert [row.alias for row in standing.rows] == [f"{twin} (2)", "Ada"]


def test_a_number_that_is_taken_is_not_given_again():
    """Whoever calls themselves "Ada (2)" keeps that as well."""
    names = ["Ada (2)", "Ada", "Ada"]
    standing = rank([report(str(n), 10, alias=name) for n, name in enumerate(names)])
    assert sorted(row.alias for row in standing.rows) == ["Ada", "Ada (2)", "Ada (3)"]


def test_rounding_does_not_break_a_tie():
    """0.1 + 0.2 is 0.3 here."""
    reports = [report("a", 0.1, 0.2, alias="a"), report("b", 0.3, 0.0, alias="b")]
    assert [place for _, place, _ in places(reports)] == ["1=", "1="]


def test_no_reports_make_an_empty_board():
    """The first day."""
    standing = rank([])
    assert (standing.rows, standing.waiting, standing.columns) == ((), (), ())


some_reports = st.lists(
    st.tuples(
        st.sampled_from("abcdef"),
        st.sampled_from([0, 30, 30, 60, 100]),
        st.sampled_from(["full", "full", "none"]),
        st.sampled_from(["partial", "ungradable"]),
    ),
    max_size=25,
).map(
    lambda rows: [
        report(who, points, number=number, minutes=number, isolation=isolation, status=status)
        for number, (who, points, isolation, status) in enumerate(rows)
    ]
)


@given(some_reports, st.integers(0, 9))
def test_nobody_vanishes_and_the_order_of_the_ledger_does_not_matter(reports, seed):
    """Everybody is ranked or waiting, ranks follow from totals, whatever came first."""
    standing = rank(reports)
    assert len(standing.rows) + len(standing.waiting) == len(
        {r["submitter"]["id"] for r in reports}
    )
    totals = [row.total for row in standing.rows]
    assert totals == sorted(totals, reverse=True)
    for row in standing.rows:
        assert row.rank == 1 + sum(total > row.total for total in totals)
        assert row.shared == (totals.count(row.total) > 1)
    shuffled = random.Random(seed).sample(reports, len(reports))
    assert rank(shuffled).rows == standing.rows
