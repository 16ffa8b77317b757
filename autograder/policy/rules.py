"""The policy: the term and the overrides together, as they hold for one student and module."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone, tzinfo
from pathlib import Path

from assignments.catalog import Course
from assignments.term import LATEST, Deadline, Term
from autograder.policy.overrides import OVERRIDES, Overrides, Who, read_overrides

ROOT = Path(__file__).resolve().parents[2]
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Schedule:
    """A deadline as it holds for one student: `due` with their extension."""

    due: datetime  # by the clocks of the term
    rules: Deadline

    def step(self, days: int) -> datetime:
        """Return, in UTC, the last moment at which a push is no more than `days` days late.

        Days are those of the calendar: with a due date at 23:59 each ends at 23:59, also where
        the clocks are changed in between.
        """
        grace = timedelta(minutes=self.rules.grace_minutes)
        return (self.due + days * DAY).astimezone(timezone.utc) + grace

    def days_late(self, at: datetime) -> int:
        """Return how many days after the due date were started at `at`."""
        days = max(0, (at - self.step(0)) // DAY - 1)  # an hour more or less, twice a year
        while at > self.step(days):
            days += 1
        return days

    def seconds_late(self, at: datetime) -> float:
        """Return how long after the due date `at` is; grace does not shorten it."""
        return max(0.0, (at - self.due.astimezone(timezone.utc)).total_seconds())

    def refuses(self, at: datetime) -> bool:
        """Tell whether a push at `at` counts nothing, however good it is."""
        most = self.rules.reject_after_days
        return most is not None and self.days_late(at) > most

    def worth(self, raw: float, at: datetime, purse: int) -> tuple[float, int]:
        """Return what `raw` points count if pushed at `at`, and the late days spent on that.

        No more days are spent than raise the points.
        """
        if self.refuses(at):
            return 0.0, 0
        late = self.days_late(at)
        best = self._kept(raw, late - min(late, purse))
        spent = next(n for n in range(min(late, purse) + 1) if self._kept(raw, late - n) == best)
        return best, spent

    def _kept(self, raw: float, days: int) -> float:
        if not days:
            return raw
        percent = max(100 - days * self.rules.late_percent, self.rules.late_floor)
        return round(raw * percent / 100, 5)

    def boundaries(self, purse: int) -> list[datetime]:
        """Return the moments after which a push is worth less than just before."""
        rules, steps = self.rules, range(0)
        if rules.late_percent and rules.late_floor < 100:
            steps = range(purse - (rules.late_floor - 100) // rules.late_percent)
        last = rules.reject_after_days
        falling = set(steps) if last is None else {*(day for day in steps if day < last), last}
        return [self.step(day) for day in sorted(falling)]


@dataclass(frozen=True)
class Policy:
    """All that staff decided."""

    term: Term | None = None
    overrides: Overrides = field(default_factory=Overrides)

    @property
    def is_empty(self) -> bool:
        """True where every push counts what it earned."""
        return self.term is None and self.overrides == Overrides()

    @property
    def counts_latest(self) -> bool:
        """True where the latest attempt counts, not the best."""
        return self.term is not None and self.term.attempt == LATEST

    @property
    def zone(self) -> tzinfo:
        """The time zone that students are told times in."""
        return self.term.zone if self.term else timezone.utc

    def schedules(self, who: Who, module: str) -> list[Schedule]:
        """Return when `module` is due for `who`, the course's date first, the latest last.

        With every extension there is one more; without a deadline there is none.
        """
        deadline = self.term.deadline(module) if self.term else None
        if deadline is None:
            return []
        due = self.term.moment(deadline.due)
        dates = {due.astimezone(timezone.utc): due}
        for one in self.overrides.extensions:
            if one.who.is_same(who) and one.module in (None, module):
                later = one.until or due + one.days * DAY
                dates[later.astimezone(timezone.utc)] = later
        return [Schedule(dates[date], deadline) for date in sorted(dates) if date >= due]

    def purse(self, who: Who, module: str, left: int) -> int:
        """Return how many of the late days `left` may be spent on `module`."""
        deadline = self.term.deadline(module) if self.term else None
        caps = [deadline.late_days] if deadline and deadline.late_days is not None else []
        mine = [
            one for one in self.overrides.late_days if one.who.is_same(who) and one.module == module
        ]
        if mine:
            caps.append(max(mine, key=lambda one: (one.at, one.most)).most)
        return min([left, *caps])

    def boundaries(self, who: Who) -> list[datetime]:
        """Return, oldest first, when any module of `who` starts to be worth less."""
        if self.term is None:
            return []
        found = set()
        for deadline in self.term.deadlines:
            purse = self.purse(who, deadline.module, self.term.late_days)
            for schedule in self.schedules(who, deadline.module):
                found.update(schedule.boundaries(purse))
        return sorted(found)


def load_policy(course: Course, overrides: Path | None = None) -> Policy:
    """Return the policy of `course`; the overrides lie beside the grader if not in `overrides`."""
    path = overrides or ROOT / OVERRIDES
    if overrides is None and not path.is_file():
        return Policy(course.term)
    return Policy(course.term, read_overrides(path, course))
