"""Ranking of the competition: reports in, places out. Pure, so that anyone can check a place.

- A result counts when the grader measured it, in full isolation: state `ci`, or `verified` in the
  final. Of who was in the final of a track only that counts there, in both divisions: nothing that
  came before, nothing that is pushed afterwards. So who was refused, missed a gate, or had no entry
  any more has no rank and no record. Where the grader failed, what came before stays.
- What is disputed or withdrawn has no rank. Before the final, the best of what a submitter has left
  counts; only who has nothing left stays with it, unranked. What staff decided of a result is added
  to it (competition/changes.py), never written over it.
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

from assignments.competition.tracks import DIVISIONS, by_id, tracks
from autograder.competition.changes import Change
from autograder.competition.states import DISPUTED, RANKED, SELF_RUN, VERIFIED, WITHDRAWN

Report = dict[str, Any]
Board = dict[tuple[str, str], tuple["Result", ...]]
OFF = frozenset({DISPUTED, WITHDRAWN})
ALL_ROUND, LEAST, MOST = 3, 0.1, 100.0  # tracks for the all-round medal; bounds on their points


@dataclass(frozen=True)
class Result:
    """What one submitter's entry reached in one track and division."""

    submitter: str
    track: str
    division: str | None  # None: the files of the entry do not say, or there are none
    state: str
    since: str  # when it was committed, as the server saw it
    at: str = ""  # when it was measured
    report: str = ""  # the id of the report
    files: str = ""  # what was measured, as a digest
    measured: tuple[str, ...] = ()  # the reports on these files up to this one
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
    quality: str = "ok"  # "" where there was no entry to measure
    is_final: bool = False  # measured in the final, whatever staff decided of it since
    reason: str = ""  # why it is not ranked
    decided: tuple[int, ...] = ()  # the numbers of the changes that were about it
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
    found = [_changed(one, changes) for one in _again(_results(reports))]
    newest = {one.track: one.version for one in sorted(found, key=lambda one: one.version)}
    return [one for one in found if one.version == newest[one.track]]


def standings(found: Iterable[Result]) -> Board:
    """Rank `results`, given oldest first: (track, division) -> best first."""
    mine: dict[tuple[str, str], list[Result]] = {}
    for one in found:
        mine.setdefault((one.submitter, one.track), []).append(one)
    board: dict[tuple[str, str], list[Result]] = {}
    for theirs in mine.values():
        for one in _counting(theirs):
            board.setdefault((one.track, one.division), []).append(one)
    order = list(tracks())
    keys = sorted(board, key=lambda key: (order.index(key[0]), key[1]))
    return {key: _ranked(board[key]) for key in keys}


def records(found: Sequence[Result]) -> Board:
    """Return of each track the `results` that led when they came, by more than the noise.

    Of whoever is not ranked in the final none did.
    """
    finals = {(one.submitter, one.track): n for n, one in enumerate(found) if one.is_final}
    history: dict[tuple[str, str], list[Result]] = {}
    for number, one in enumerate(found):
        last = finals.get((one.submitter, one.track))
        stands = last is None or number <= last and _in_final(found[last], one.division).is_ranked
        if one.is_ranked and stands:
            led = history.setdefault((one.track, one.division), [])
            if not led or one.beats(led[-1]):
                led.append(one)
    return {key: tuple(led) for key, led in history.items()}


def asides(found: Sequence[Result], board: Board) -> list[Result]:
    """Return which of the `results` have a reason that no row of `board` tells.

    They are the disputed and withdrawn ones, and what a submitter tried last.
    """
    told = {(row.report, row.track) for rows in board.values() for row in rows}
    last = {(one.submitter, one.track): one for one in found}
    return [
        one
        for one in found
        if one.reason and not one.is_ranked and (one.report, one.track) not in told
        if one.state in OFF or one is last[one.submitter, one.track] and one.quality
    ]


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


def _counting(theirs: Sequence[Result]) -> Iterator[Result]:
    """Yield what counts of a submitter's results in a track, oldest first: one for a division."""
    final = next((one for one in reversed(theirs) if one.is_final), None)
    divisions = dict.fromkeys(one.division for one in theirs if one.division)
    if not divisions and any(one.quality for one in theirs):
        divisions = {DIVISIONS[0]: None}  # the one to read in why it is not ranked
    for division in divisions:
        yield _in_final(final, division) if final else _best(theirs, division)


def _in_final(final: Result, division: str | None) -> Result:
    """Return the result in `division` of whoever has this one of the final."""
    if final.division in (division, None):
        return replace(final, division=division)
    why = f"the final measured an entry of the {final.division} division"
    none = {"value": None, "ci95": None, "points": None, "medal": None}
    return replace(final, division=division, reason=why, quality="invalid", **none)


def _best(theirs: Sequence[Result], division: str) -> Result:
    """Return the best of what is ranked, as far as noise tells; else what is off, or was tried."""
    mine = [replace(one, division=division) for one in theirs if one.division in (division, None)]
    best: Result | None = None
    for one in mine:
        if one.is_ranked and (best is None or one.beats(best)):
            best = one
    off = [one for one in mine if one.state in OFF]
    return best or (off or mine)[-1]


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


def _again(found: Iterable[Result]) -> Iterator[Result]:
    """Yield the results with the reports in which their files were measured before."""
    ids: dict[tuple[str, str, str], tuple[str, ...]] = {}
    for one in found:
        key = one.submitter, one.track, one.files
        ids[key] = (*ids.get(key, ()), one.report)
        yield replace(one, measured=ids[key])


def _changed(result: Result, changes: Sequence[Change]) -> Result:
    for one in changes:
        if one.is_about(result):
            state, decided = one.applied(result.state), (*result.decided, one.number)
            result = replace(result, state=state, reason=one.reason, decided=decided)
    return result


def _results(reports: Iterable[Report]) -> Iterator[Result]:
    for report in reports:
        if report["status"] == "ungradable":
            continue  # nothing was measured, by our fault
        metrics = {one["name"]: one for one in report.get("metrics", ())}
        for one in report["assignments"]:
            track = by_id(one["id"])
            if one.get("kind") != "competition" or track is None:
                continue
            result = _result(report, one, metrics, track.name)
            known = result.division is None or result.division in track.divisions
            # before the final, who hands in what cannot be read keeps what they have
            if known and (result.is_final or "reason" not in report):
                yield result


def _result(report: Report, one: dict[str, Any], metrics: dict[str, Any], track: str) -> Result:
    metric, score = metrics.get(track, {}), one["score"]
    interval = metric.get("ci95")
    state = one["state"] if report["grader"]["isolation"] == "full" else SELF_RUN
    return Result(
        submitter=report["submitter"]["id"],
        track=track,
        division=one.get("division"),
        state=state,
        is_final=state == VERIFIED,
        since=report["submission"]["submitted_at"] or report["created_at"],
        at=report["created_at"],
        report=report["report_id"],
        files=report["submission"]["digest"] or report["report_id"],
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
        quality=metric.get("quality", ""),
        reason=one.get("note", ""),
    )
