"""What a student's modules count: of each one attempt, less what it is late, and overridden.

Late days are spent by themselves, in the order of the due dates, and only where they raise the
points. A student who would rather keep them says so, and staff enter it as `[[late_days]]`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from autograder.policy.overrides import Override, Who
from autograder.policy.rules import Policy, Schedule


class Attempt(NamedTuple):
    """One content of a module that was graded."""

    at: datetime  # in UTC: when the server first saw this content
    raw: float
    most: float
    name: str  # the commit, which tells attempts of one moment apart
    timed: bool = True  # False: no server saw it, so it is not late


class Adjustment(NamedTuple):
    """Why points are not those that were earned; `delta` is what it really changed."""

    kind: str  # "late" or "override"
    delta: float
    reason: str
    at: datetime
    by: str | None = None


@dataclass(frozen=True)
class Outcome:
    """What one attempt at a module counts."""

    module: str
    attempt: Attempt
    points: float
    adjustments: tuple[Adjustment, ...] = ()
    schedule: Schedule | None = None
    days_late: int = 0
    spent: int = 0  # late days
    left: int = 0  # late days that modules due before have left
    refused: bool = False  # too late to count

    @property
    def late_s(self) -> float:
        """How long after the due date it came."""
        timed = self.schedule is not None and self.attempt.timed
        return self.schedule.seconds_late(self.attempt.at) if timed else 0.0


def standing(
    policy: Policy, who: Who, attempts: Mapping[str, Sequence[Attempt]]
) -> dict[str, Outcome]:
    """Return what counts of each module that `who` has attempts at."""
    left = policy.term.late_days if policy.term else 0
    found: dict[str, Outcome] = {}
    for module in sorted(attempts, key=lambda one: _turn(policy, one)):
        if attempts[module]:
            outcome = _counting(policy, who, module, attempts[module], left)
            left -= outcome.spent
            found[module] = outcome
    return found


def late_days_left(policy: Policy, outcomes: Mapping[str, Outcome]) -> int:
    """Return how many late days are not spent."""
    bank = policy.term.late_days if policy.term else 0
    return bank - sum(one.spent for one in outcomes.values())


def _turn(policy: Policy, module: str) -> tuple:
    """Return a module's place among the due dates that hold for all; without one it is last."""
    deadline = policy.term.deadline(module) if policy.term else None
    return (0, policy.term.moment(deadline.due).timestamp(), module) if deadline else (1, 0, module)


def _counting(
    policy: Policy, who: Who, module: str, attempts: Sequence[Attempt], left: int
) -> Outcome:
    """Return the attempt that counts; an extension is left out where it would cost points."""
    schedules = policy.schedules(who, module) or [None]
    chosen = [_chosen(policy, who, module, attempts, left, one) for one in reversed(schedules)]
    return max(chosen, key=_before_overrides)


def _chosen(
    policy: Policy,
    who: Who,
    module: str,
    attempts: Sequence[Attempt],
    left: int,
    schedule: Schedule | None,
) -> Outcome:
    outcomes = [_valued(policy, who, module, one, left, schedule) for one in attempts]
    if policy.counts_latest:
        return max(outcomes, key=lambda one: (not one.refused, one.attempt.at, one.attempt.name))
    return min(outcomes, key=_best_first)


def _best_first(one: Outcome) -> tuple:
    return -_before_overrides(one), one.spent, one.refused, one.attempt.at, one.attempt.name


def _before_overrides(one: Outcome) -> float:
    late = sum(change.delta for change in one.adjustments if change.kind == "late")
    return round(one.attempt.raw + late, 5)


def valued(policy: Policy, who: Who, module: str, attempt: Attempt, left: int) -> Outcome:
    """Return what `attempt` would count, with `left` late days that other modules do not need."""
    schedules = policy.schedules(who, module)
    return _valued(policy, who, module, attempt, left, schedules[-1] if schedules else None)


def _valued(
    policy: Policy,
    who: Who,
    module: str,
    attempt: Attempt,
    left: int,
    schedule: Schedule | None,
) -> Outcome:
    raw = min(max(attempt.raw, 0.0), attempt.most)
    outcome = Outcome(module, attempt._replace(raw=raw), raw, schedule=schedule, left=left)
    if schedule is not None and attempt.timed:
        outcome = _late(outcome, schedule, policy.purse(who, module, left))
    return _overridden(outcome, _overrides(policy, who, module))


def _late(outcome: Outcome, schedule: Schedule, purse: int) -> Outcome:
    attempt = outcome.attempt
    points, spent = schedule.worth(attempt.raw, attempt.at, purse)
    outcome = replace(
        outcome,
        points=points,
        days_late=schedule.days_late(attempt.at),
        spent=spent,
        refused=schedule.refuses(attempt.at),
    )
    delta = round(points - attempt.raw, 5)
    if not delta:
        return outcome
    change = Adjustment("late", delta, late_reason(outcome), attempt.at)
    return replace(outcome, adjustments=(change,))


def late_reason(outcome: Outcome) -> str:
    """Say why points were taken off: "2 days late, 1 of them by late days: 10 % off"."""
    late, rules = days(outcome.days_late), outcome.schedule.rules
    if outcome.refused:
        return f"{late} late; after {days(rules.reject_after_days)} nothing counts"
    charged = outcome.days_late - outcome.spent
    percent = 100 - max(100 - charged * rules.late_percent, rules.late_floor)
    free = f", {outcome.spent} of them by late days" if outcome.spent else ""
    return f"{late} late{free}: {percent} % off"


def days(number: int) -> str:
    """Example: 1 -> "1 day"; 2 -> "2 days"."""
    return f"{number} day{'s' * (number != 1)}"


def _overrides(policy: Policy, who: Who, module: str) -> list[Override]:
    mine = [
        one for one in policy.overrides.overrides if one.module == module and one.who.is_same(who)
    ]
    return sorted(mine, key=lambda one: one.at)


def _overridden(outcome: Outcome, overrides: Sequence[Override]) -> Outcome:
    for one in overrides:
        wanted = one.points if one.points is not None else outcome.points + one.delta
        points = round(min(max(wanted, 0.0), outcome.attempt.most), 5)
        delta = round(points - outcome.points, 5)
        change = Adjustment("override", delta, one.reason, one.at, one.by)
        outcome = replace(outcome, points=points, adjustments=(*outcome.adjustments, change))
    return outcome
