"""Ranking of the competition: reports in, places out. Pure, so that anyone can check a place.

- A result counts when the grader measured it, in full isolation: state `ci`, or `verified` in the
  final, whose results replace the earlier ones. What is disputed or withdrawn stays, unranked.
- A better result replaces a submitter's own only if the two intervals are apart: the
  board does not move by noise. An exact result has no width.
- Rank is 1 + the number of entries that are clearly better; the same rank is shared ("1="), and
  within it the earlier commit stands first. A missing result is last and has no rank: it is not 0.
- A track has a ranking for each division.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from assignments.competition.tracks import tracks
from autograder.competition.states import RANKED, VERIFIED

Report = dict[str, Any]
PREFIX = "competition-"
ALL_ROUND, LEAST, MOST = 3, 0.1, 100.0  # tracks for the all-round medal; bounds on their points


@dataclass(frozen=True)
class Result:
    """What one submitter's entry reached in one track and division."""

    submitter: str
    track: str
    division: str
    state: str
    since: str  # when it was committed, as the server saw it
    alias: str | None = None
    value: float | None = None  # None: not ranked
    ci95: tuple[float, float] | None = None
    points: float | None = None
    medal: str | None = None
    quality: str = "ok"
    reason: str = ""  # why it is not ranked
    rank: int | None = None
    shared: bool = False

    @property
    def place(self) -> str:
        """The rank as it is shown: "1", "1=" where it is shared, "–" where there is none."""
        return "–" if self.rank is None else f"{self.rank}{'=' * self.shared}"

    @property
    def is_ranked(self) -> bool:
        """Tell whether it has a value that counts."""
        return self.value is not None and self.points is not None and self.state in RANKED

    def beats(self, other: Result) -> bool:
        """Tell whether this is better than `other` by more than the noise of both."""
        (low, high), (least, most) = self._interval(), other._interval()
        return high < least if tracks()[self.track].direction == "lower" else low > most

    def _interval(self) -> tuple[float, float]:
        return self.ci95 or (self.value, self.value)


def is_competition(report: Report) -> bool:
    """Tell whether `report` is one of the competition."""
    return any(one.get("kind") == "competition" for one in report["assignments"])


def standings(reports: Iterable[Report]) -> dict[tuple[str, str], tuple[Result, ...]]:
    """Rank the entries in staff `reports`, given oldest first: (track, division) -> best first."""
    best: dict[tuple[str, str], dict[str, Result]] = {}
    for result in _results(reports):
        theirs = best.setdefault((result.track, result.division), {})
        old = theirs.get(result.submitter)
        theirs[result.submitter] = result if old is None else _newer(old, result)
    order = list(tracks())
    keys = sorted(best, key=lambda key: (order.index(key[0]), key[1]))
    return {key: _ranked(list(best[key].values())) for key in keys}


def records(reports: Iterable[Report], track: str, division: str) -> tuple[Result, ...]:
    """Return the results that led a track when they came, by more than the noise, oldest first."""
    history: list[Result] = []
    for result in _results(reports):
        if (result.track, result.division) == (track, division) and result.is_ranked:
            if not history or result.beats(history[-1]):
                history.append(result)
    return tuple(history)


def all_round(board: dict[tuple[str, str], tuple[Result, ...]]) -> dict[str, float]:
    """Return the geometric mean of points of whoever is ranked in at least three tracks.

    Of two divisions of a track the better counts; points are clamped to [0.1, 100].
    """
    points: dict[str, dict[str, float]] = {}
    for results in board.values():
        for one in results:
            if one.rank is not None:
                mine = points.setdefault(one.submitter, {})
                mine[one.track] = max(min(max(one.points, LEAST), MOST), mine.get(one.track, 0))
    return {
        who: math.exp(sum(map(math.log, mine.values())) / len(mine))
        for who, mine in points.items()
        if len(mine) >= ALL_ROUND
    }


def _newer(old: Result, new: Result) -> Result:
    """Return which of a submitter's results counts; the alias is always the newest."""
    if not new.is_ranked or not old.is_ranked:
        # A dispute or a withdrawal takes a result off the board; a failed attempt does not.
        off = new.state not in RANKED
        kept = new if new.is_ranked or off or not old.is_ranked else old
    elif (new.state == VERIFIED) != (old.state == VERIFIED):
        kept = new if new.state == VERIFIED else old
    else:
        kept = new if new.state == VERIFIED or new.beats(old) else old
    return replace(kept, alias=new.alias)


def _ranked(results: list[Result]) -> tuple[Result, ...]:
    in_race = [one for one in results if one.is_ranked]
    ranks = {one.submitter: 1 + sum(other.beats(one) for other in in_race) for one in in_race}
    count = list(ranks.values()).count
    placed = [
        replace(one, rank=ranks[one.submitter], shared=count(ranks[one.submitter]) > 1)
        for one in in_race
    ]
    placed.sort(key=lambda one: (one.rank, one.since, one.submitter))
    rest = [replace(one, rank=None) for one in results if not one.is_ranked]
    return (*placed, *sorted(rest, key=lambda one: (one.since, one.submitter)))


def _results(reports: Iterable[Report]) -> Iterator[Result]:
    for report in reports:
        metrics = {one["name"]: one for one in report["metrics"]}
        for one in report["assignments"]:
            if one["kind"] == "competition":
                track = one["id"].removeprefix(PREFIX)
                yield _result(report, one, metrics.get(track, {}), track)


def _result(report: Report, one: dict[str, Any], metric: dict[str, Any], track: str) -> Result:
    interval, score = metric.get("ci95"), one["score"]
    return Result(
        submitter=report["submitter"]["id"],
        track=track,
        division=one.get("division", "closed"),
        state=one["state"] if report["grader"]["isolation"] == "full" else "self-run",
        since=report["submission"]["submitted_at"] or report["created_at"],
        alias=report["leaderboard"]["alias"],
        value=metric.get("value"),
        ci95=tuple(interval) if interval else None,
        points=score["points"] if score else None,
        medal=one.get("medal"),
        quality=metric.get("quality", "invalid"),
        reason=one.get("note", ""),
    )
