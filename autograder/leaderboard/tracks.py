"""Ranking of the competition: reports in, places out. Pure, so that anyone can check a place.

- A result counts when the grader measured it, in full isolation: state `ci`, or `verified` in the
  final, whose results replace the earlier ones. What is disputed or withdrawn stays, unranked;
  what staff decided of a result is added to it (competition/changes.py), never written over it.
- Results of an older version of a track's rules are not compared with those of a newer one.
- A better result replaces a submitter's own only if the two intervals are apart: the
  board does not move by noise. An exact result has no width.
- Rank is 1 + the number of entries that are clearly better; the same rank is shared ("1="), and
  within it the earlier commit stands first. A missing result is last and has no rank: it is not 0.
- A track has a ranking for each division.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from assignments.competition.tracks import by_id, tracks
from autograder.competition.changes import Change
from autograder.competition.states import RANKED, SELF_RUN, VERIFIED

Report = dict[str, Any]
Board = dict[tuple[str, str], tuple["Result", ...]]
ALL_ROUND, LEAST, MOST = 3, 0.1, 100.0  # tracks for the all-round medal; bounds on their points


@dataclass(frozen=True)
class Result:
    """What one submitter's entry reached in one track and division."""

    submitter: str
    track: str
    division: str
    state: str
    since: str  # when it was committed, as the server saw it
    at: str = ""  # when it was measured
    report: str = ""  # the id of the report
    repository: int | None = None
    version: int = 1  # of the track's rules
    alias: str | None = None
    value: float | None = None  # None: not ranked
    ci95: tuple[float, float] | None = None
    baseline: float | None = None  # of the same run
    accuracy: float | None = None  # on hidden digits, where it is a gate
    agreement: float | None = None  # with the network that it must compute, where it is one
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
        return self.costs[1] < other.costs[0]

    @property
    def costs(self) -> tuple[float, float]:
        """The interval, best end first, signed so that less is better."""
        low, high = self.ci95 or (self.value, self.value)
        return (low, high) if tracks()[self.track].direction == "lower" else (-high, -low)


def results(reports: Iterable[Report], changes: Sequence[Change] = ()) -> list[Result]:
    """Return every result in staff `reports`, in the order given, in the state it is in now."""
    found = [_changed(one, changes) for one in _results(reports)]
    newest = {one.track: one.version for one in sorted(found, key=lambda one: one.version)}
    return [one for one in found if one.version == newest[one.track]]


def standings(found: Iterable[Result]) -> Board:
    """Rank `results`, given oldest first: (track, division) -> best first."""
    best: dict[tuple[str, str], dict[str, Result]] = {}
    for result in found:
        theirs = best.setdefault((result.track, result.division), {})
        old = theirs.get(result.submitter)
        theirs[result.submitter] = result if old is None else _newer(old, result)
    order = list(tracks())
    keys = sorted(best, key=lambda key: (order.index(key[0]), key[1]))
    return {key: _ranked(list(best[key].values())) for key in keys}


def records(found: Iterable[Result]) -> Board:
    """Return of each track the `results` that led when they came, by more than the noise."""
    history: dict[tuple[str, str], list[Result]] = {}
    for result in found:
        led = history.setdefault((result.track, result.division), [])
        if result.is_ranked and (not led or result.beats(led[-1])):
            led.append(result)
    return {key: tuple(led) for key, led in history.items()}


def all_round(board: Board) -> dict[str, float]:
    """Return the geometric mean of points of whoever is ranked in at least three tracks.

    Of two divisions of a track the better counts; points are clamped to [0.1, 100].
    """
    points: dict[str, dict[str, float]] = {}
    for row in board.values():
        for one in row:
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


def _ranked(mine: list[Result]) -> tuple[Result, ...]:
    in_race = [one for one in mine if one.is_ranked]
    worst = sorted(one.costs[1] for one in in_race)
    # as many `beats` it as have their worst end before its best one
    ranks = [1 + bisect_left(worst, one.costs[0]) for one in in_race]
    count = Counter(ranks)
    placed = [
        replace(one, rank=rank, shared=count[rank] > 1)
        for one, rank in zip(in_race, ranks, strict=True)
    ]
    placed.sort(key=lambda one: (one.rank, one.since, one.submitter))
    rest = [replace(one, rank=None) for one in mine if not one.is_ranked]
    return (*placed, *sorted(rest, key=lambda one: (one.since, one.submitter)))


def _changed(result: Result, changes: Sequence[Change]) -> Result:
    for one in changes:
        if one.is_about(result):
            result = replace(result, state=one.applied(result.state), reason=one.reason)
    return result


def _results(reports: Iterable[Report]) -> Iterator[Result]:
    for report in reports:
        if report["status"] == "ungradable" or "reason" in report:
            continue  # nothing was measured: by our fault, or as entry/ could not be read
        metrics = {one["name"]: one for one in report["metrics"]}
        for one in report["assignments"]:
            track = by_id(one["id"])
            if one.get("kind") == "competition" and track:
                yield _result(report, one, metrics, track.name)


def _result(report: Report, one: dict[str, Any], metrics: dict[str, Any], track: str) -> Result:
    metric, score = metrics.get(track, {}), one["score"]
    interval = metric.get("ci95")
    return Result(
        submitter=report["submitter"]["id"],
        track=track,
        division=one.get("division", "closed"),
        state=one["state"] if report["grader"]["isolation"] == "full" else SELF_RUN,
        since=report["submission"]["submitted_at"] or report["created_at"],
        at=report["created_at"],
        report=report["report_id"],
        repository=report["submission"].get("repository_id"),
        version=one["version"],
        alias=report["leaderboard"]["alias"],
        value=metric.get("value"),
        ci95=tuple(interval) if interval else None,
        baseline=metric.get("baseline"),
        accuracy=metrics.get(f"{track}.accuracy", {}).get("value"),
        agreement=metrics.get(f"{track}.agreement", {}).get("value"),
        points=score["points"] if score else None,
        medal=one.get("medal"),
        quality=metric.get("quality", "invalid"),
        reason=one.get("note", ""),
    )
