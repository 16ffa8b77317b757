"""When hidden checks answer: limits by example, and properties of every limit."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.policy.feedback import Feedback, Push, answer, answered
from tests.autograder.policies import HOUR, after, term

DAILY, HOURLY = term(feedback_per_day=2), term(feedback_cooldown_minutes=60)
BOTH = term(feedback_per_day=2, feedback_cooldown_minutes=60)


def at(hours: float):
    """Return a moment so many hours before or after Monday, 23:59 in Berlin."""
    return after(hours * HOUR)


def pushed(*hours: float) -> list[Push]:
    """Return pushes of the contents "0" and "1" and so on."""
    return [Push(at(late), str(number)) for number, late in enumerate(hours)]


@pytest.mark.parametrize("limits", [None, term()])
def test_without_a_limit_every_push_is_answered_at_once(limits):
    """So it is where nothing is configured."""
    assert answered(limits, pushed(0, 0.1, 0.2)) == {"0": at(0), "1": at(0.1), "2": at(0.2)}


def test_within_the_cooldown_a_push_is_answered_when_it_ends():
    """Without another push; exactly at its end is no longer within."""
    assert answered(HOURLY, pushed(0, 0.5)) == {"0": at(0), "1": at(1)}
    assert answered(HOURLY, pushed(0, 1)) == {"0": at(0), "1": at(1)}


def test_a_push_takes_the_place_of_one_that_waits():
    """The answer comes when it would have come, to what is there then."""
    assert answered(HOURLY, pushed(0, 0.5, 0.75)) == {"0": at(0), "2": at(1)}


def test_after_an_answer_that_had_waited_the_cooldown_begins_anew():
    """It was an answer like any other."""
    assert answered(HOURLY, pushed(0, 0.5, 1.5, 3)) == {
        "0": at(0),
        "1": at(1),
        "2": at(2),
        "3": at(3),
    }


def test_a_day_s_answers_are_counted_by_the_clocks_of_the_term():
    """The day ends a minute after this due date, and not at midnight in UTC."""
    assert answered(DAILY, pushed(-3, -2, -1)) == {"0": at(-3), "1": at(-2), "2": at(1 / 60)}
    assert answered(DAILY, pushed(-1, -0.5, 1)) == {"0": at(-1), "1": at(-0.5), "2": at(1)}
    assert answered(BOTH, pushed(-2, -0.5, -0.25)) == {"0": at(-2), "1": at(-0.5), "2": at(0.5)}


def test_what_was_answered_is_answered_still_and_costs_nothing_again():
    """The same file in another push; also when it takes the place of one that waits."""
    pushes = [*pushed(0, 0.25), Push(at(0.5), "0"), Push(at(0.75), "3")]
    assert answered(HOURLY, pushes) == {"0": at(0), "3": at(1)}
    assert answered(HOURLY, pushes[:3]) == {"0": at(0)}


def test_a_decision_is_of_its_time():
    """Before its time a content waits, and says how long; what was replaced is past caring."""
    pushes = pushed(0, 0.5, 0.75)
    assert answer(HOURLY, pushes, "2", at(0.9)) == Feedback(False, at(1))
    assert answer(HOURLY, pushes, "2", at(1)) == Feedback()
    assert answer(HOURLY, pushes, "0", at(0.9)) == Feedback()
    assert answer(HOURLY, pushes, "1", at(0.6)) == Feedback()


limits = st.builds(
    lambda day, pause: term(feedback_per_day=day, feedback_cooldown_minutes=pause),
    st.none() | st.integers(1, 3),
    st.none() | st.sampled_from([1, 60, 2000]),
)
pushes = st.lists(
    st.builds(Push, st.integers(0, 6000).map(lambda m: at(m / 60)), st.sampled_from("abcdef")),
    max_size=12,
)


@given(limits, pushes, st.randoms(use_true_random=False))
def test_order_and_repetition_do_not_matter(limits, some, order):
    """Reports may come in any order, and more than once."""
    mixed = [*some, *some]
    order.shuffle(mixed)
    assert answered(limits, mixed) == answered(limits, some)


@given(limits, pushes)
def test_no_limit_is_ever_exceeded_and_the_last_push_is_answered(limits, some):
    """At once or later, but never not."""
    found = answered(limits, some)
    times = sorted(found.values())
    if some:
        assert max(some).content in found
    if limits.feedback_cooldown_minutes:
        pause = timedelta(minutes=limits.feedback_cooldown_minutes)
        assert all(late - early >= pause for early, late in pairwise(times))
    if limits.feedback_per_day:
        days = [one.astimezone(limits.zone).date() for one in times]
        assert all(days.count(day) <= limits.feedback_per_day for day in days)
    assert all(one >= min(push.at for push in some) for one in times)
