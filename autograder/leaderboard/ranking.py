"""Ranking: reports in, places out. Pure, so that anyone can check a place.

- A report counts when it is a grade: full isolation, gradable, not replaced by a later grade.
- Of each module counts what the policy gives: the best attempt, or the latest where the term says
  so, less what it is late; of the newest version of that module the student was graded on. Nobody
  vanishes while being graded again.
- Rank is 1 + the number of students with more points; equal points share it ("2="), and within it
  who reached them first stands first.
- Whoever has no counting report yet is waiting, not last. Everybody is ranked, and only those are
  named who asked for it in their newest submission.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from autograder.policy import Policy, standing
from autograder.policy.facts import Facts, by_submitter
from autograder.report.build import utc
from autograder.report.history import counting
from autograder.report.kinds import is_competition

Report = dict[str, Any]


@dataclass(frozen=True)
class Column:
    """A module that someone was graded on."""

    id: str  # "01_tensor"
    title: str
    max_points: float

    @property
    def number(self) -> str:
        """The module's number as it is written, "01"."""
        return self.id.partition("_")[0]


@dataclass(frozen=True)
class Row:
    """One student's place."""

    rank: int
    shared: bool
    alias: str | None  # None: ranked, but not to be named
    points: dict[str, float]  # by module; none for a module without a grade
    total: float
    since: str  # when the total was reached

    @property
    def place(self) -> str:
        """The rank as it is shown: "1", or "1=" where it is shared."""
        return f"{self.rank}{'=' * self.shared}"


@dataclass(frozen=True)
class Standing:
    """The whole board."""

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]  # everybody who is ranked, best first
    waiting: tuple[str | None, ...]  # aliases of those without a grade yet

    @property
    def named(self) -> tuple[Row, ...]:
        """The rows that may be shown."""
        return tuple(row for row in self.rows if row.alias is not None)

    @property
    def max_total(self) -> float:
        """All points there are."""
        return sum(column.max_points for column in self.columns)


def rank(reports: Iterable[Report], policy: Policy | None = None) -> Standing:
    """Rank the submitters of staff `reports`, given oldest first, by what `policy` gives."""
    reports = list(reports)
    aliases = chosen_names(reports)
    mine = by_submitter(one for one in reports if not is_competition(one))
    grades = {one: counting(theirs) for one, theirs in mine.items()}
    best = {one: _best(mine[one], policy or Policy()) for one in mine if grades[one]}
    return Standing(
        columns=_columns(module for theirs in grades.values() for _, module in theirs),
        rows=_rows(best, aliases),
        waiting=tuple(aliases[one] for one in mine if one not in best),
    )


def _best(reports: list[Report], policy: Policy) -> dict[str, tuple[float, str]]:
    """Return points and the time they were reached, by module."""
    facts = Facts(reports)
    outcomes = standing(policy, facts.who, facts.attempts())
    return {name: (one.points, utc(one.attempt.at)) for name, one in outcomes.items()}


def _rows(
    best: dict[str, dict[str, tuple[float, str]]], aliases: dict[str, str | None]
) -> tuple[Row, ...]:
    totals = {one: round(sum(p for p, _ in mine.values()), 5) for one, mine in best.items()}
    since = {one: max(when for _, when in mine.values()) for one, mine in best.items()}
    order = sorted(best, key=lambda one: (-totals[one], since[one], one))
    count = Counter(totals.values())
    first = {total: place for place, total in reversed([*enumerate(map(totals.get, order), 1)])}
    return tuple(
        Row(
            rank=first[totals[one]],
            shared=count[totals[one]] > 1,
            alias=aliases[one],
            points={module: points for module, (points, _) in sorted(best[one].items())},
            total=totals[one],
            since=since[one],
        )
        for one in order
    )


def _columns(modules: Iterable[dict[str, Any]]) -> tuple[Column, ...]:
    newest: dict[str, dict[str, Any]] = {}
    for one in modules:
        if one["version"] >= newest.get(one["id"], one)["version"]:
            newest[one["id"]] = one
    return tuple(
        Column(id, one["title"], one["score"]["max_points"]) for id, one in sorted(newest.items())
    )


def chosen_names(reports: Iterable[Report]) -> dict[str, str | None]:
    """Return the alias of each submitter's newest submission, made unique: the first keeps it.

    Being graded and competing count alike: who takes the name back is named on neither board. Of
    what could not be read, or where the grader failed, nobody knows whether it asks for a name.
    """
    taken: set[str] = set()
    aliases: dict[str, str | None] = {}
    for submitter, theirs in by_submitter(reports).items():
        told = sorted(filter(says_name, theirs), key=_pushed)
        alias = told[-1]["leaderboard"]["alias"] if told else None
        aliases[submitter] = alias and _unique(alias, taken)
    return aliases


def says_name(report: Report) -> bool:
    """Tell whether a report says if its student wants to be named."""
    return bool(report["submission"]["digest"]) and report["status"] != "ungradable"


def _pushed(report: Report) -> str:
    """Return when the server saw a push, which may be graded after a later one; "" elsewhere."""
    origin = report["submission"]
    return origin["submitted_at"] if "repository_id" in origin else ""


def _unique(alias: str, taken: set[str]) -> str:
    candidate, number = alias, 1
    while _skeleton(candidate) in taken:
        number += 1
        candidate = f"{alias} ({number})"
    taken.add(_skeleton(candidate))
    return candidate


def _skeleton(alias: str) -> str:
    """Return what of `alias` the eye tells apart: no case, width, accents or invisible joiners."""
    plain = unicodedata.normalize("NFKD", alias).casefold()
    return "".join(c for c in plain if unicodedata.category(c)[0] in "LNPS")
