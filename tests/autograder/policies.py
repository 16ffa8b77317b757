"""Terms, overrides and attempts: made by hand, and strategies for any there can be."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

from hypothesis import strategies as st

from assignments.catalog import load_course
from assignments.term import Deadline, Term
from autograder.policy import Attempt, Policy, Who
from autograder.policy.overrides import Extension, LateDays, Override, Overrides

COURSE = load_course()
ADA, BOB = Who(101, "a" * 32), Who(202, "b" * 32)
MODULES = ["01_tensor", "02_activations", "03_layers"]
DUE = datetime(2026, 9, 21, 23, 59)  # a Monday, in summer time
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def deadline(module=MODULES[0], due=DUE, late_percent=10, **rules) -> Deadline:
    """Return a deadline of a module."""
    return Deadline(module, due, late_percent, **rules)


def term(*deadlines: Deadline, **rules) -> Term:
    """Return a term in Berlin."""
    return Term("Europe/Berlin", deadlines=deadlines or (deadline(),), **rules)


def policy(*deadlines: Deadline, entries=(), **rules) -> Policy:
    """Return a policy of these deadlines, and of entries as in overrides.toml."""
    kinds = {"extensions": Extension, "overrides": Override, "late_days": LateDays}
    lists = {name: tuple(e for e in entries if type(e) is kind) for name, kind in kinds.items()}
    return Policy(term(*deadlines, **rules), Overrides(**lists))


def entry(kind, who=ADA, module=MODULES[0], at=0, **more):
    """Return an entry of a kind; `at` is in minutes."""
    when = datetime(2026, 9, 1, tzinfo=timezone.utc) + timedelta(minutes=at)
    return kind(who=who, module=module, reason="a reason", by="J. Doe", at=when, **more)


def after(late: timedelta, due: datetime = DUE) -> datetime:
    """Return the moment `late` after a due date by the clocks of Berlin."""
    return term().moment(due).astimezone(timezone.utc) + late


def attempt(raw=100.0, late=-HOUR, name="c" * 40, **more) -> Attempt:
    """Return an attempt at the first module, so late."""
    return Attempt(after(late), raw, 100.0, name, **more)


points = st.floats(0, 100).map(lambda value: round(value, 2))
moments = st.integers(-20 * 24 * 60, 40 * 24 * 60).map(lambda m: after(timedelta(minutes=m)))
attempts = st.builds(
    Attempt,
    at=moments,
    raw=points,
    most=st.just(100.0),
    name=st.text("abcdef0123456789", min_size=4),
)
work = st.dictionaries(st.sampled_from(MODULES), st.lists(attempts, min_size=1, max_size=5))
_dues = st.integers(-5 * 24, 50 * 24).map(lambda hours: DUE + timedelta(hours=hours, minutes=7))
_rules = st.fixed_dictionaries(
    {
        "late_percent": st.sampled_from([0, 5, 10, 33, 100]),
        "grace_minutes": st.sampled_from([0, 15, 600]),
        "late_floor": st.sampled_from([0, 40, 100]),
        "late_days": st.sampled_from([None, 0, 1]),
        "reject_after_days": st.sampled_from([None, 0, 2, 7]),
    }
)


def _deadline(module):
    return st.builds(lambda due, rules: Deadline(module, due, **rules), _dues, _rules)


terms = st.builds(
    Term,
    time_zone=st.just("Europe/Berlin"),
    attempt=st.sampled_from(["best", "latest"]),
    late_days=st.integers(0, 5),
    deadlines=st.tuples(*map(_deadline, MODULES)),
)
_common = {
    "who": st.sampled_from([ADA, BOB]),
    "module": st.sampled_from(MODULES),
    "reason": st.just("a reason"),
    "by": st.just("J. Doe"),
}


def _entries(kind, **more):
    made = st.builds(kind, at=moments, **_common, **more)
    return st.lists(made, max_size=3, unique_by=lambda one: one.at).map(tuple)


extensions = _entries(Extension, days=st.integers(1, 20))
overrides = st.builds(
    Overrides,
    extensions=extensions,
    overrides=_entries(Override, points=points) | _entries(Override, delta=st.floats(-100, 100)),
    late_days=_entries(LateDays, most=st.integers(0, 3)),
)
policies = st.builds(Policy, terms, overrides)


def without_overrides(policy: Policy) -> Policy:
    """Return the policy with the extensions alone."""
    return replace(policy, overrides=replace(policy.overrides, overrides=()))
