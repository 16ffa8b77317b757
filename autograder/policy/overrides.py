"""What staff decided for one student, with reason and author, in a file that can be reviewed.

overrides.toml lies beside the grader, never in a student's repository or among the scores, so it
outlives every collection and regrade. `overrides.example.toml` shows each kind of entry.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from assignments.catalog import Course, tomllib
from assignments.term import Key, TermError, check_moment, checked
from autograder.errors import GraderError

OVERRIDES = "overrides.toml"
POINTS = 100.0  # of a module


@dataclass(frozen=True)
class Who:
    """A student, as reports know them."""

    repository: int | None = None  # GitHub's number
    submitter: str | None = None  # the keyed hash

    def is_same(self, other: Who) -> bool:
        """Tell whether one of the two names both have is the same."""
        here, there = (self.repository, self.submitter), (other.repository, other.submitter)
        return any(one is not None and one == two for one, two in zip(here, there, strict=True))


@dataclass(frozen=True)
class Entry:
    """What every entry says."""

    who: Who
    module: str | None  # None: every module
    reason: str
    by: str
    at: datetime  # in UTC


@dataclass(frozen=True)
class Extension(Entry):
    """A later due date."""

    days: int | None = None  # of the student's, on top of the due date
    until: datetime | None = None


@dataclass(frozen=True)
class Override(Entry):
    """Points instead of those that a module earned, or on top of them."""

    points: float | None = None
    delta: float | None = None


@dataclass(frozen=True)
class LateDays(Entry):
    """The most of their late days that a student wants to spend on a module."""

    most: int = 0


@dataclass(frozen=True)
class Overrides:
    """The whole file."""

    extensions: tuple[Extension, ...] = ()
    overrides: tuple[Override, ...] = ()
    late_days: tuple[LateDays, ...] = ()


_ENTRY = {
    "repository": Key(int, "its numeric id", "812345678", 1, 10**18),
    "submitter": Key(str, "submitter.id of their reports", '"abcd…"'),
    "module": Key(str, "its id", '"01_tensor"'),
    "reason": Key(str, "which the student reads", '"ill, note seen"'),
    "by": Key(str, "who decided", '"J. Doe"'),
    "at": Key(datetime, "when it was decided", "2026-10-01T09:30:00+02:00"),
}
_KINDS = {
    "extension": (
        Extension,
        {
            "days": Key(int, "later than the due date", "3", 1, 366),
            "until": Key(datetime, "the new due date", "2026-10-05T23:59:00"),
        },
    ),
    "override": (
        Override,
        {
            "points": Key(float, "that the module counts", "85.0"),
            "delta": Key(float, "added to what it earned", "-10.0"),
        },
    ),
    "late_days": (LateDays, {"most": Key(int, "late days to spend", "0", 0, 366)}),
}
_FIELD = {"extension": "extensions", "override": "overrides", "late_days": "late_days"}


def read_overrides(path: Path, course: Course) -> Overrides:
    """Return what the file `path` says; GraderError names what is wrong in it, and the cure."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise GraderError(f"{path.name}: cannot be read: {why}; mend it") from None
    try:
        return _overrides(tables, course)
    except TermError as error:
        problem, cure = error.args
        raise GraderError(f"{path.name}: {problem}; {cure}") from None


def _overrides(tables: dict[str, Any], course: Course) -> Overrides:
    kinds = {kind: Key(list, "its entries", f"[[{kind}]]") for kind in _KINDS}
    checked(tables, kinds, "the file", ())
    found = {
        _FIELD[kind]: tuple(
            _entry(table, kind, f"{kind} {number}", course)
            for number, table in enumerate(tables.get(kind, ()), start=1)
        )
        for kind in _KINDS
    }
    _refuse_ties(found["overrides"])
    return Overrides(**found)


def _entry(table: Any, kind: str, what: str, course: Course) -> Entry:
    make, more = _KINDS[kind]
    if isinstance(table, dict):
        whole = {key: float(value) for key, value in table.items() if type(value) is int}
        table = table | {key: value for key, value in whole.items() if key in ("points", "delta")}
    needed = ("reason", "by", "at", *(("module",) if kind != "extension" else ()))
    fields = checked(table, _ENTRY | more, what, needed)
    _one_of(fields, ("repository", "submitter"), what)
    _one_of(fields, tuple(more), what)
    who = Who(fields.pop("repository", None), fields.pop("submitter", None))
    module = fields.pop("module", None)
    _check(fields, module, kind, what, course)
    fields["at"] = moment(fields["at"], what, course).astimezone(timezone.utc)
    if "until" in fields:
        fields["until"] = moment(fields["until"], what, course)
    return make(who=who, module=module, **fields)


def _check(fields: dict, module: str | None, kind: str, what: str, course: Course) -> None:
    known = [one.id for one in course.planned]
    if module is not None and module not in known:
        raise TermError(f"{what} has module = {module!r}", f"choose from: {', '.join(known)}")
    due = [one.module for one in course.term.deadlines] if course.term else []
    if kind != "override" and (module not in due if module else not due):
        cure = "give it a date in [term.module] of course.toml, or remove the entry"
        raise TermError(f"{what} is about {module or 'modules'}, which has no due date", cure)
    if not 0 <= fields.get("points", 0.0) <= POINTS:
        raise TermError(f"{what} has points = {fields['points']:g}", "write 0 to 100")
    if not -POINTS <= fields.get("delta", 0.0) <= POINTS:
        raise TermError(f"{what} has delta = {fields['delta']:g}", "write -100 to 100")


def _one_of(fields: dict[str, Any], names: tuple[str, ...], what: str) -> None:
    given = [name for name in names if name in fields]
    if len(given) != 1:
        has = " and ".join(given) or "none of them"
        raise TermError(f"{what} has {has}", f"write one of {' or '.join(names)}")


def moment(written: datetime, what: str, course: Course) -> datetime:
    """Return a date of a file as a moment: in the term's time zone, else in UTC."""
    if course.term is not None:
        check_moment(written, course.term, what)
        return course.term.moment(written)
    return written if written.tzinfo else written.replace(tzinfo=timezone.utc)


def _refuse_ties(overrides: Sequence[Override]) -> None:
    """Refuse two overrides of one moment: which one is the later, and wins, must be seen."""
    for number, one in enumerate(overrides, start=1):
        for other in overrides[: number - 1]:
            same = (one.module, one.at) == (other.module, other.at)
            if same and one.who.is_same(other.who):
                cure = "give the later one a later `at`: it wins"
                raise TermError(f"override {number} has the moment of an earlier one", cure)
