"""A student's own place in the competition, and the few just ahead: a page of Markdown for them.

Of others it has what the public board has: whoever is not named has a place there and no figure.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone

from assignments.competition.tracks import tracks
from autograder.leaderboard.board import AHEAD, Board, Table, floored, shown
from autograder.leaderboard.contest import STATES, state_of
from autograder.leaderboard.tracks import OFF, Result
from autograder.report.markdown import cell, code

FAILED = (
    "**What you pushed last could not be measured, and that is not your fault.** It is tried "
    "three times by itself; if all fail, the staff of your course, who see why, must look at it."
)


def student_page(
    board: Board | None,
    submitter: str,
    now: datetime,
    *,
    is_failed: bool = False,
    refused: str = "",
) -> str:
    """Return the page for one student; where they have no entry, it says how to make one.

    `is_failed`: the grader failed at their last one.
    """
    return "\n\n".join(_blocks(board, submitter, now, is_failed, refused)) + "\n"


def _blocks(
    board: Board | None, submitter: str, now: datetime, is_failed: bool, refused: str
) -> Iterator[str]:
    yield "# Your place in the competition"
    if is_failed:
        yield FAILED
    if refused:
        yield f"What you pushed last is not ranked: {code(refused)}"
    mine = [
        (table, row)
        for table in (board.tables if board else ())
        for row in table.rows
        if row.submitter == submitter
    ]
    if not mine:
        if not (is_failed or refused):
            yield "You have no entry yet: put one into the folder `entry/` and push."
        return
    yield "\n".join([*_HEAD, *(_line(table, row) for table, row in mine)])
    for table, row in mine:
        yield from _why(table, row)
        yield from _ahead(table, row)
    yield from _asides(board, submitter)
    over_all = next((one for one in board.all_round if one.submitter == submitter), None)
    if over_all:
        medal = f", {over_all.medal}" if over_all.medal else ""
        points = f"{floored(over_all.points)} points in {over_all.tracks} tracks{medal}"
        yield f"All-round: place {over_all.place} of {len(board.all_round)}, {points}."
    yield f"---\n\nAs of {now.astimezone(timezone.utc):%Y-%m-%d %H:%M} UTC."


_HEAD = (
    "| Track | Place | Result | Interval | Points | Medal | State |",
    "|---|---:|---:|---|---:|---|---|",
)


def _name(table: Table) -> str:
    return f"{table.track.letter} {table.track.title}, {table.division}"


def _line(table: Table, row: Result) -> str:
    place = f"{row.place} of {len(table.ranked)}" if row.rank else "–"
    cells = [_name(table), place]
    if row.rank is None:
        cells += ["not ranked", "", "", ""]
    else:
        cells += [f"{shown(row.value, table.track.unit)} {table.track.unit}", _interval(row, table)]
        cells += [floored(row.points), row.medal or ""]
    return f"| {' | '.join([*cells, state_of(row)])} |"


def _interval(row: Result, table: Table) -> str:
    if row.ci95 is None:
        return "exact"
    low, high = (shown(end, table.track.unit) for end in row.ci95)
    return f"{low} – {high}" + (", noisy" if row.quality == "noisy" else "")


def _why(table: Table, row: Result) -> Iterator[str]:
    if row.reason:
        yield f"{_name(table)}: {code(row.reason)}"


def _asides(board: Board, submitter: str) -> Iterator[str]:
    """Tell of what counts for nothing beside a place: each reason once, the newest result's."""
    told: dict[tuple[str, str, str], str] = {}
    for one in board.asides:
        if one.submitter == submitter:
            what = STATES[one.state] if one.state in OFF else "not ranked"
            told[one.track, what, one.reason] = one.since[:10]
    for (name, what, reason), day in told.items():
        track = tracks()[name]
        yield f"{track.letter} {track.title}, of {day}, is {what}: {code(reason)}"


def _ahead(table: Table, row: Result) -> Iterator[str]:
    """Show the few whose rank is better, the nearest last."""
    ahead = [one for one in table.ranked if row.rank is not None and one.rank < row.rank]
    if ahead:
        rows = [_rival(one, table) for one in ahead[-AHEAD:]]
        head = (f"| Just ahead in {_name(table)} | Name | Result |", "|---:|---|---:|")
        yield "\n".join([*head, *rows])


def _rival(one: Result, table: Table) -> str:
    if one.alias is None:
        return f"| {one.place} | *not named* | |"
    value = f"{shown(one.value, table.track.unit)} {table.track.unit}"
    return f"| {one.place} | {cell(code(one.alias))} | {value} |"
