"""The term as data: when each module is due, and what a later push is worth.

It is the table `[term]` of course.toml, which staff edit each term; without it nothing is due.

    [term]
    time_zone = "Europe/Berlin"
    late_percent = 10

    [term.module]
    01_tensor = { due = 2026-09-21T23:59:00 }
    20_capstone = { due = 2027-01-25T23:59:00, late_days = 0, reject_after_days = 2 }

`TERM` and `MODULE` say what each key means. A key of a module overrides that of the term.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone, tzinfo
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

BEST, LATEST = "best", "latest"


class TermError(Exception):
    """Carries what is wrong and the cure to whoever knows the file."""


class Key(NamedTuple):
    """What a value must be, and what it means."""

    kind: type
    means: str
    example: str
    least: int = 0
    most: int = 10**6
    choices: tuple[str, ...] = ()


_RULES = {
    "grace_minutes": Key(int, "after the due date that cost nothing", "15", 0, 10_080),
    "late_percent": Key(int, "of the points lost with each started day", "10", 0, 100),
    "late_floor": Key(int, "percent of the points that a late push keeps at least", "50", 0, 100),
    "late_days": Key(int, "started days that each student may be late for nothing", "5", 0, 366),
    "reject_after_days": Key(int, "days, after which a push counts nothing", "7", 0, 366),
}
TERM = {
    "time_zone": Key(str, "of every date without an offset", '"Europe/Berlin"'),
    "attempt": Key(str, "which push counts", f'"{BEST}"', choices=(BEST, LATEST)),
    **_RULES,
    "feedback_per_day": Key(int, "pushes a day that hidden checks answer", "3", 1, 1000),
    "feedback_cooldown_minutes": Key(int, "between two such answers", "60", 1, 10_080),
    "module": Key(dict, "a line for each module that is due", "{ due = 2026-09-21T23:59:00 }"),
}
MODULE = {"due": Key(datetime, "the last second in time", "2026-09-21T23:59:00"), **_RULES}


@dataclass(frozen=True)
class Deadline:
    """When one module is due for everybody, and what a later push is worth."""

    module: str  # "01_tensor"
    due: datetime  # as written: in the term's time zone, or with an offset of its own
    late_percent: int
    grace_minutes: int = 0
    late_floor: int = 0
    late_days: int | None = None  # of the student's, at most so many here; None: all
    reject_after_days: int | None = None  # None: never


@dataclass(frozen=True)
class Term:
    """The rules of a term; `deadlines` are in the order of the course's modules."""

    time_zone: str
    attempt: str = BEST
    late_days: int = 0  # of each student, over all modules
    feedback_per_day: int | None = None
    feedback_cooldown_minutes: int | None = None
    deadlines: tuple[Deadline, ...] = ()

    def deadline(self, module: str) -> Deadline | None:
        """Return the deadline of a module by its id."""
        return next((one for one in self.deadlines if one.module == module), None)

    def written(self, module: str) -> str:
        """Return when a module is due as its line says it: "2026-09-21 23:59", or nothing."""
        found = self.deadline(module)
        return found.due.isoformat(" ", "minutes") if found else ""

    @property
    def zone(self) -> tzinfo:
        """The time zone as one to reckon with."""
        return ZoneInfo(self.time_zone)

    def moment(self, written: datetime) -> datetime:
        """Return a date of the file as a moment in the term's time zone."""
        return (
            written.astimezone(self.zone) if written.tzinfo else written.replace(tzinfo=self.zone)
        )


def read_term(table: Any, modules: Sequence[str]) -> Term:
    """Return the term that `table` describes; TermError says what is wrong with it."""
    table = checked(table, TERM, "[term]", required=("time_zone",))
    check_zone(table["time_zone"])
    lines = table.pop("module", {})
    for name in lines:
        if name not in modules:
            raise TermError(f"[term.module] has {name!r}", f"choose from: {', '.join(modules)}")
    rules = {key: table.pop(key) for key in _RULES if key in table and key != "late_days"}
    bank = {"late_days": table["late_days"]} if "late_days" in table else {}
    term = Term(**(table | bank))
    deadlines = [_deadline(one, lines[one], rules, term) for one in modules if one in lines]
    return Term(**(table | bank), deadlines=tuple(deadlines))


def _deadline(module: str, line: Any, rules: Mapping[str, int], term: Term) -> Deadline:
    what = f"[term.module] {module}"
    line = checked(line, MODULE, what, required=("due",))
    if "late_percent" not in rules | line:
        cure = "add late_percent to [term]: 0 if late costs nothing, 100 if late counts nothing"
        raise TermError(f"{what} is due, and nothing says what late costs", cure)
    if line.get("late_days", 0) > term.late_days:
        cure = f"write at most the late_days of [term], {term.late_days}"
        raise TermError(f"{what} has late_days = {line['late_days']}", cure)
    check_moment(line["due"], term, what)
    return Deadline(module, **(rules | line))


def checked(
    table: Any, keys: Mapping[str, Key], what: str, required: Sequence[str]
) -> dict[str, Any]:
    """Return a copy of `table` that has no keys but `keys`, all `required` ones, right values."""
    if not isinstance(table, dict):
        raise TermError(f"{what} is {table!r}", "write a table: key = value")
    for name in required:
        if name not in table:
            key = keys[name]
            raise TermError(f"{what} has no key {name!r}", f"add {name} = {key.example}")
    for name, value in table.items():
        if name not in keys:
            raise TermError(f"{what} has an unknown key {name!r}", f"allowed: {', '.join(keys)}")
        key = keys[name]
        if not _fits(value, key):
            wanted = f"{name} = {key.example} ({key.means}{_bounds(key)})"
            raise TermError(f"{what} has {name} = {_shown(value)}", f"write it like {wanted}")
    return dict(table)


def _fits(value: Any, key: Key) -> bool:
    if type(value) is not key.kind:  # not isinstance: true is an int
        return False
    if key.kind is int:
        return key.least <= value <= key.most
    if key.kind is str:
        return bool(value.strip()) and value.isprintable() and value in (key.choices or (value,))
    return True


def _bounds(key: Key) -> str:
    if key.kind is int:
        return f", {key.least} to {key.most}"
    return f", {' or '.join(key.choices)}" if key.choices else ""


def _shown(value: Any) -> str:
    return str(value) if isinstance(value, datetime) else repr(value)[:80]


def check_zone(name: str) -> None:
    """Refuse a time zone that there is not; a machine that knows none takes any."""
    if not _is_known(name) and available_timezones():
        cure = 'write one as in "Europe/Berlin" or "America/New_York"'
        raise TermError(f"[term] has time_zone = {name!r}", cure)


def _is_known(zone: str) -> bool:
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def check_moment(written: datetime, term: Term, what: str) -> None:
    """Refuse a local time that the clocks skip or show twice."""
    if written.tzinfo or not _is_known(term.time_zone):
        return
    early, late = (written.replace(tzinfo=term.zone, fold=fold) for fold in (0, 1))
    if early.utcoffset() != late.utcoffset():
        offset = early.replace(tzinfo=timezone(early.utcoffset() or timedelta()))
        cure = f"choose another minute, or write the offset: {offset.isoformat()}"
        raise TermError(f"{what}: at {written} the clocks of {term.time_zone} change", cure)
