"""What a push counts: rules by example, and properties of every policy that there can be."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from autograder.policy import Who, standing
from autograder.policy.overrides import Extension, LateDays, Override
from autograder.policy.standing import late_days_left, valued
from tests.autograder import policies
from tests.autograder.policies import (
    ADA,
    BOB,
    DAY,
    DUE,
    HOUR,
    MODULES,
    after,
    attempt,
    deadline,
    entry,
    policy,
)

ONE, TWO, THREE = MODULES
MINUTE = timedelta(minutes=1)


def counted(rules, *attempts, who=ADA):
    """Return the outcome of the first module."""
    return standing(rules, who, {ONE: attempts})[ONE]


def points(rules, *attempts, who=ADA):
    """Return the points of the first module."""
    return counted(rules, *attempts, who=who).points


@pytest.mark.parametrize(
    ("late", "worth"),
    [(-HOUR, 100), (0 * HOUR, 100), (15 * MINUTE, 100), (16 * MINUTE, 90), (DAY, 90)]
    + [(DAY + 15 * MINUTE, 90), (DAY + 16 * MINUTE, 80), (9 * DAY, 40), (99 * DAY, 40)],
)
def test_each_started_day_costs_its_percent_down_to_the_floor(late, worth):
    """After the grace; the due second itself is in time."""
    assert points(policy(deadline(grace_minutes=15, late_floor=40)), attempt(late=late)) == worth


def test_a_percentage_is_of_what_was_earned():
    """50 points two days late are 40."""
    outcome = counted(policy(), attempt(50, 2 * DAY))
    (change,) = outcome.adjustments
    assert (outcome.points, change.delta, change.kind) == (40, -10, "late")
    assert change.reason == "2 days late: 20 % off"
    assert outcome.late_s == 2 * 86_400 and change.at == after(2 * DAY)


def test_after_the_last_day_a_push_counts_nothing():
    """Up to its last second it does."""
    rules = policy(deadline(late_percent=0, reject_after_days=2))
    assert points(rules, attempt(late=2 * DAY)) == 100
    outcome = counted(rules, attempt(late=2 * DAY + timedelta(seconds=1)))
    assert outcome.points == 0 and outcome.refused
    assert outcome.adjustments[0].reason == "3 days late; after 2 days nothing counts"


def test_a_day_ends_when_the_clock_says_so_also_where_the_clocks_change():
    """Due on Saturday 23:59; the Sunday after, on which summer time ends, has 25 hours."""
    due = datetime(2026, 10, 24, 23, 59)
    schedule = policy(deadline(due=due)).schedules(ADA, ONE)[-1]
    assert schedule.step(1) - schedule.step(0) == 25 * HOUR
    assert schedule.days_late(after(25 * HOUR, due)) == 1
    assert schedule.days_late(after(25 * HOUR + MINUTE, due)) == 2
    spring = policy(deadline(due=datetime(2027, 3, 27, 12))).schedules(ADA, ONE)[-1]
    assert spring.step(1) - spring.step(0) == 23 * HOUR


def test_the_best_attempt_counts_after_what_it_is_late():
    """A late one that is better by less than it costs does not."""
    assert points(policy(), attempt(85), attempt(90, HOUR, "late")) == 85
    assert points(policy(), attempt(80), attempt(90, HOUR, "late")) == 81


def test_the_latest_attempt_counts_where_the_term_says_so_unless_it_is_refused():
    """Also if it is worse; one that is too late counts as if it had not come."""
    rules = policy(deadline(reject_after_days=2), attempt="latest")
    assert points(rules, attempt(90), attempt(50, HOUR, "b")) == 45
    assert points(rules, attempt(90), attempt(50, 3 * DAY, "b")) == 90


def test_late_days_are_spent_in_the_order_of_the_due_dates():
    """Not in that of the pushes; what they do not cover costs its percent."""
    rules = policy(
        deadline(ONE, DUE + 7 * DAY), deadline(TWO, DUE), deadline(THREE, DUE), late_days=3
    )
    late = attempt(late=2 * DAY)
    found = standing(rules, ADA, {ONE: [attempt(late=9 * DAY)], THREE: [late], TWO: [late]})
    assert [found[one].spent for one in (TWO, THREE, ONE)] == [2, 1, 0]
    assert [found[one].points for one in (TWO, THREE, ONE)] == [100, 90, 80]
    assert late_days_left(rules, found) == 0
    assert found[THREE].adjustments[0].reason == "2 days late, 1 of them by late days: 10 % off"


def test_no_late_day_is_spent_where_it_changes_nothing():
    """On nothing earned, on an attempt that does not count, on one that is refused anyway."""
    rules = policy(deadline(late_percent=100), late_days=1)
    assert counted(rules, attempt(0, HOUR)).spent == 0
    assert counted(rules, attempt(100), attempt(100, HOUR, "b")).spent == 0
    assert counted(rules, attempt(100, 2 * DAY)).spent == 0
    assert counted(rules, attempt(100, HOUR)).spent == 1
    assert counted(rules, attempt(80), attempt(90, HOUR, "b")).spent == 1
    assert counted(rules, attempt(90), attempt(80, HOUR, "b")).spent == 0


def test_a_module_or_a_student_may_spend_fewer_late_days():
    """The capstone none; a student who would keep theirs, as entered last."""
    assert points(policy(deadline(late_days=0), late_days=3), attempt(late=HOUR)) == 90
    kept = [entry(LateDays, most=2, at=1), entry(LateDays, most=0, at=2)]
    assert points(policy(late_days=3, entries=kept), attempt(late=HOUR)) == 90
    assert points(policy(late_days=3, entries=kept), attempt(late=HOUR), who=BOB) == 100


def test_an_extension_moves_the_due_date_of_one_student():
    """By days or to a date; the later of two holds, an earlier date than the course's does not."""
    for more in ({"days": 2}, {"until": after(2 * DAY)}):
        rules = policy(entries=[entry(Extension, **more), entry(Extension, days=1)])
        assert points(rules, attempt(late=2 * DAY)) == 100
        assert points(rules, attempt(late=3 * DAY)) == 90
        assert points(rules, attempt(late=2 * DAY), who=BOB) == 80
        assert rules.schedules(ADA, ONE)[-1].due == after(2 * DAY)
    early = policy(entries=[entry(Extension, until=after(-5 * DAY))])
    assert len(early.schedules(ADA, ONE)) == 1
    assert points(early, attempt(late=-HOUR)) == 100


def test_an_extension_brings_no_worse_attempt_to_count():
    """The latest counts, and with the extension that is one which was refused without."""
    rules = policy(
        deadline(reject_after_days=0), attempt="latest", entries=[entry(Extension, days=2)]
    )
    assert points(rules, attempt(90), attempt(20, DAY, "b")) == 90
    assert points(rules, attempt(90), attempt(95, DAY, "b")) == 95


def test_an_extension_without_a_module_is_for_all_of_them():
    """A week of illness."""
    rules = policy(entries=[entry(Extension, module=None, days=7)])
    assert points(rules, attempt(late=7 * DAY)) == 100


def test_an_override_sets_or_adds_and_is_told_with_its_reason():
    """In the order in which staff decided; never beyond what a module has."""
    entries = [entry(Override, delta=-30.0, at=2), entry(Override, points=95.0, at=1)]
    outcome = counted(policy(entries=entries), attempt(50, HOUR))
    assert outcome.points == 65
    assert [(c.kind, c.delta) for c in outcome.adjustments] == [
        *[("late", -5), ("override", 50), ("override", -30)]
    ]
    assert outcome.adjustments[1].reason == "a reason" and outcome.adjustments[1].by == "J. Doe"
    assert points(policy(entries=[entry(Override, delta=20.0)]), attempt(95)) == 100
    assert points(policy(entries=[entry(Override, delta=-99.0)]), attempt(5)) == 0


def test_either_name_of_a_student_is_enough():
    """The repository's number, or the keyed hash where there is no repository."""
    for who in (Who(repository=ADA.repository), Who(submitter=ADA.submitter)):
        assert points(policy(entries=[entry(Override, who=who, points=7.0)]), attempt()) == 7
    nobody = policy(entries=[entry(Override, who=Who(), points=7.0)])
    assert points(nobody, attempt(), who=Who()) == 100


def test_what_no_server_saw_is_not_late():
    """The date of a commit is whatever its author typed."""
    assert points(policy(), attempt(late=9 * DAY, timed=False)) == 100


@given(policies.policies, policies.attempts, st.integers(0, 10**7), st.integers(0, 5))
def test_with_the_same_points_later_never_counts_more(rules, one, seconds, left):
    """Whatever the rules are."""
    later = one._replace(at=one.at + timedelta(seconds=seconds))
    first, second = (valued(rules, ADA, ONE, each, left) for each in (one, later))
    assert second.points <= first.points and second.days_late >= first.days_late


@given(policies.policies, policies.attempts, policies.points, st.integers(0, 5))
def test_at_the_same_moment_more_points_never_count_less(rules, one, raw, left):
    """Nor may a better solution cost anything."""
    better = one._replace(raw=max(one.raw, raw))
    first, second = (valued(rules, ADA, ONE, each, left) for each in (one, better))
    assert second.points >= first.points


@given(policies.policies, policies.extensions, policies.work)
def test_an_extension_never_lowers_the_points_of_its_module(rules, extensions, work):
    """With the latest attempt, too; late days aside, which other modules may then need."""
    rules = replace(rules, term=replace(rules.term, late_days=0))
    more = replace(
        rules,
        overrides=replace(rules.overrides, extensions=rules.overrides.extensions + extensions),
    )
    bare, extended = standing(rules, ADA, work), standing(more, ADA, work)
    assert all(extended[one].points >= bare[one].points for one in bare)


@given(policies.policies, policies.work, st.randoms(use_true_random=False))
def test_the_order_in_which_attempts_arrive_does_not_matter(rules, work, order: random.Random):
    """Nor that of the modules, nor how often an attempt is reported."""
    mixed = [(one, [*mine, *mine]) for one, mine in work.items()]
    order.shuffle(mixed)
    for _, mine in mixed:
        order.shuffle(mine)
    assert standing(rules, ADA, dict(mixed)) == standing(rules, ADA, work)


@given(policies.policies, policies.overrides, policies.work)
def test_nothing_of_one_student_depends_on_another(rules, others, work):
    """Whatever staff decide for Bob."""
    entries = {
        name: getattr(rules.overrides, name)
        + tuple(replace(one, who=BOB) for one in getattr(others, name))
        for name in ("extensions", "overrides", "late_days")
    }
    more = replace(rules, overrides=replace(rules.overrides, **entries))
    assert standing(more, ADA, work) == standing(rules, ADA, work)


@given(policies.policies, policies.work)
def test_points_stay_within_bounds_and_are_explained(rules, work):
    """0 to the most there are, and what was earned plus every adjustment."""
    for outcome in standing(rules, ADA, work).values():
        assert 0 <= outcome.points <= outcome.attempt.most
        explained = outcome.attempt.raw + sum(one.delta for one in outcome.adjustments)
        assert outcome.points == pytest.approx(explained, abs=1e-3)


@given(policies.policies, policies.work)
def test_no_more_late_days_are_spent_than_there_are(rules, work):
    """Nor for a module more than its own limit."""
    found = standing(rules, ADA, work)
    assert late_days_left(rules, found) >= 0
    for name, outcome in found.items():
        most = rules.term.deadline(name).late_days
        assert 0 <= outcome.spent <= (rules.term.late_days if most is None else most)


@given(policies.policies, policies.work, policies.points)
def test_the_last_override_of_points_wins_over_everything(rules, work, given_points):
    """Late, refused, regraded: it is kept."""
    when = after(400 * DAY)
    last = replace(entry(Override, points=given_points), at=when)
    kept = (*rules.overrides.overrides, last)
    more = replace(rules, overrides=replace(rules.overrides, overrides=kept))
    assume(ONE in work)
    assert standing(more, ADA, work)[ONE].points == given_points
    regraded = work | {ONE: [one._replace(raw=100 - one.raw) for one in work[ONE]]}
    assert standing(more, ADA, regraded)[ONE].points == given_points


@given(policies.policies, policies.work)
def test_the_best_of_several_is_worth_as_much_as_any_of_them(rules, work):
    """Without late days, which are spent on one alone."""
    rules = replace(policies.without_overrides(rules), term=replace(rules.term, attempt="best"))
    for name, outcome in standing(rules, ADA, work).items():
        alone = [valued(rules, ADA, name, one, outcome.left).points for one in work[name]]
        assert outcome.points == max(alone)


@given(policies.policies, st.integers(0, 3), st.integers(-48 * 60, 60 * 24 * 60))
def test_between_two_boundaries_a_push_is_worth_the_same(rules, module, minute):
    """So grading the last push before each of them loses nobody a point."""
    rules = policies.without_overrides(rules)
    name = MODULES[module % len(MODULES)]
    at = after(timedelta(minutes=minute), rules.term.deadline(name).due)
    before = [one for one in rules.boundaries(ADA) if one >= at]
    until = min(before, default=at + 100 * DAY)
    for left in range(rules.term.late_days + 1):
        early, last = (
            valued(rules, ADA, name, attempt()._replace(at=each), left) for each in (at, until)
        )
        assert early.points == last.points


def test_where_nothing_is_ever_worth_less_there_is_no_boundary():
    """Late costs nothing, or a floor keeps it all."""
    assert policy(deadline(late_percent=0)).boundaries(ADA) == []
    assert policy(deadline(late_floor=100)).boundaries(ADA) == []
    rejecting = policy(deadline(late_percent=0, reject_after_days=2))
    assert rejecting.boundaries(ADA) == [after(2 * DAY)]
    assert policy(deadline(late_percent=50)).boundaries(ADA) == [after(0 * DAY), after(DAY)]
    spent = policy(deadline(late_percent=100), late_days=2).boundaries(ADA)
    assert spent == [after(0 * DAY), after(DAY), after(2 * DAY)]
