"""The competition's board: what is shown of the ranking, still without a page. Pure.

Everybody is ranked, and only those are named who asked for it; of the others nothing is shown, not
even a record or a mark in a picture, so that no figure leads to a person.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from assignments.competition.tracks import LINES, Track, medal, tracks
from autograder.competition.changes import Change
from autograder.leaderboard.ranking import chosen_names
from autograder.leaderboard.tracks import (
    Report,
    Result,
    all_round,
    asides,
    records,
    results,
    standings,
)
from autograder.report.kinds import is_competition

AHEAD = 3  # entries that a student sees before their own
DECIMALS = {"bytes": 0, "×": 2, "s": 2, "bits/byte": 3}


@dataclass(frozen=True)
class Pair:
    """What a picture draws: a track's result against how right an entry is."""

    track: str
    word: str  # for the result
    against: str  # "accuracy" or "agreement"
    divisions: tuple[str, ...]

    @property
    def id(self) -> str:
        """Its name in addresses."""
        return f"{self.track}-{self.against}"


# Sprint's closed division runs a network that was altered in secret: what that reads is no merit
# of an entry, and another in each run. How well an entry keeps to it is.
PAIRS = (
    Pair("featherweight", "size", "accuracy", ("closed", "open")),
    Pair("sprint", "speed", "agreement", ("closed",)),
    Pair("sprint", "speed", "accuracy", ("open",)),
)


@dataclass(frozen=True)
class Table:
    """One track and division, best first."""

    track: Track
    division: str
    rows: tuple[Result, ...]  # everybody; without an alias they are not to be named
    records: tuple[Result, ...]  # who led when, oldest first

    @property
    def id(self) -> str:
        """Its name in addresses: "sprint-closed"."""
        return f"{self.track.name}-{self.division}"

    @property
    def ranked(self) -> tuple[Result, ...]:
        """Everybody who has a place."""
        return tuple(row for row in self.rows if row.rank is not None)

    @property
    def named(self) -> tuple[Result, ...]:
        """The rows that may be shown."""
        return tuple(row for row in self.rows if row.alias is not None)

    @property
    def named_records(self) -> tuple[Result, ...]:
        """The records that may be shown, the newest first."""
        return tuple(row for row in reversed(self.records) if row.alias is not None)

    @property
    def baseline(self) -> float | None:
        """What the course's own entry reached: in the middle run of those that are ranked."""
        found = [row.baseline for row in self.ranked if row.baseline is not None]
        return statistics.median_low(found) if found else None

    def line(self, name: str) -> float | None:
        """Return the value from which on there is this medal, held against the same baseline.

        That of "baseline" is the baseline's own.
        """
        if self.baseline is None:
            return None
        times = self.track.gold[self.division] ** (LINES.get(name, 0) / 100)
        lower = self.track.direction == "lower"
        return self.baseline / times if lower else self.baseline * times

    def lines(self) -> list[tuple[str, float, float]]:
        """Return gold, silver, bronze and the baseline: name, points, value."""
        if self.baseline is None:
            return []
        medals = [(f"{name} line", points, self.line(name)) for name, points in LINES.items()]
        return [*medals, ("baseline", 0.0, self.baseline)]

    def mixed(self) -> Iterator[Result | tuple[str, float, float]]:
        """Yield the rows to show with gold and baseline where they belong between them."""
        left = [one for one in self.lines() if one[0] in ("gold line", "baseline")]
        for row in self.named:
            while left and (row.rank is None or self._is_behind(row, left[0])):
                yield left.pop(0)
            yield row
        yield from left

    def _is_behind(self, row: Result, line: tuple[str, float, float]) -> bool:
        lower = self.track.direction == "lower"
        return row.value > line[2] if lower else row.value < line[2]


@dataclass(frozen=True)
class AllRound:
    """A place over all tracks."""

    submitter: str
    alias: str | None
    rank: int
    shared: bool
    points: float
    tracks: int

    @property
    def place(self) -> str:
        """The rank as it is shown."""
        return f"{self.rank}{'=' * self.shared}"

    @property
    def medal(self) -> str | None:
        """The all-round medal, by the lines of a track."""
        return medal(self.points)


@dataclass(frozen=True)
class Mark:
    """An entry in a picture of two quantities."""

    alias: str | None
    division: str
    value: float
    right: float  # accuracy, or agreement
    is_front: bool  # nobody is better in one and as good in the other


@dataclass(frozen=True)
class Board:
    """All there is to show."""

    tables: tuple[Table, ...]
    all_round: tuple[AllRound, ...]
    unused: tuple[Change, ...] = ()  # decisions that changed no result
    asides: tuple[Result, ...] = ()  # what no row tells, and its student is to read

    def marks(self, pair: Pair) -> tuple[Mark, ...]:
        """Return the marks of the picture of `pair`, the one that is right most often first."""
        tables = [one for one in self.tables if one.track.name == pair.track]
        tables = [one for one in tables if one.division in pair.divisions]
        rows = [(getattr(row, pair.against), row) for one in tables for row in one.ranked]
        return _marks([(right, row) for right, row in rows if right is not None])

    @property
    def pictures(self) -> tuple[tuple[Pair, tuple[Mark, ...]], ...]:
        """The pictures, with the marks that may be shown."""
        found = []
        for pair in PAIRS:
            marks = tuple(one for one in self.marks(pair) if one.alias is not None)
            if marks:
                found.append((pair, marks))
        return tuple(found)


def build(reports: Iterable[Report], changes: Sequence[Change] = ()) -> Board | None:
    """Return the board of staff `reports`, given oldest first; None if none is of the competition.

    Reports of modules may be among them: the newest of all says whether a student is named.
    """
    reports = list(reports)
    names = chosen_names(reports)
    found = results((one for one in reports if is_competition(one)), changes)
    found = [replace(one, alias=names[one.submitter]) for one in found]
    board, history = standings(found), records(found)
    if not board:
        return None
    tables = [
        Table(tracks()[name], division, rows, history.get((name, division), ()))
        for (name, division), rows in board.items()
    ]
    used = {number for one in found for number in one.decided}
    unused = tuple(one for one in changes if one.number not in used)
    over_all = _all_round(all_round(board), tables, names)
    return Board(tuple(tables), over_all, unused, tuple(asides(found, board)))


def shown(value: float, unit: str) -> str:
    """Return `value` as it is written, with as many decimals as its unit has: "2.31"."""
    return f"{value:,.{DECIMALS.get(unit, 3)}f}"


def floored(points: float) -> str:
    """Return `points` rounded down: what misses a medal must not read as if it earned it.

    >>> floored(59.97), floored(60.0)
    ('59.9', '60.0')
    """
    return f"{math.floor(10 * points + 1e-6) / 10:.1f}"


def _all_round(
    points: dict[str, float], tables: Sequence[Table], names: dict[str, str | None]
) -> tuple[AllRound, ...]:
    points = {who: round(mean, 2) for who, mean in points.items()}  # equal to the eye is equal
    entered = Counter(who for who, _ in {(r.submitter, r.track) for t in tables for r in t.ranked})
    order = sorted(points, key=lambda who: (-points[who], who))
    count = Counter(points.values())
    first = {mean: rank for rank, mean in reversed([*enumerate(map(points.get, order), 1)])}
    return tuple(
        AllRound(
            submitter=who,
            alias=names[who],
            rank=first[points[who]],
            shared=count[points[who]] > 1,
            points=points[who],
            tracks=entered[who],
        )
        for who in order
    )


def _marks(rows: Sequence[tuple[float, Result]]) -> tuple[Mark, ...]:
    """Return the marks; one sweep from the most often right down finds those on the front."""
    best, found = float("inf"), []
    for right, row in sorted(rows, key=lambda pair: (-pair[0], _cost(pair[1]))):
        is_front = _cost(row) < best or bool(found) and _equals_last_front(row, right, found)
        best = min(best, _cost(row))
        found.append(Mark(row.alias, row.division, row.value, right, is_front))
    return tuple(found)


def _equals_last_front(row: Result, right: float, found: Sequence[Mark]) -> bool:
    last = found[-1]
    return last.is_front and (last.value, last.right) == (row.value, right)


def _cost(row: Result) -> float:
    return row.value if tracks()[row.track].direction == "lower" else -row.value
