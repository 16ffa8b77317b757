"""The competition's files: a page, and the same facts as JSON and CSV."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from itertools import groupby
from pathlib import Path
from typing import Any

from assignments.catalog import Course
from autograder.competition.states import VERIFIED
from autograder.leaderboard.board import Board, Mark, Pair, Table, floored, shown
from autograder.leaderboard.pages import render
from autograder.leaderboard.picture import Picture, draw
from autograder.leaderboard.tracks import Result
from autograder.report.build import utc
from autograder.report.cells import table as csv_table
from autograder.report.files import replace

FILES = ("competition.html", "competition.json", "competition.csv")
STATES = {  # as they are shown; the word of a report is for staff
    "self-run": "practice",
    "ci": "measured",
    "verified": "verified",
    "disputed": "disputed",
    "withdrawn": "withdrawn",
}


def state_of(row: Result) -> str:
    """Return the state as it is shown: what failed the final was not verified by it."""
    return "in the final" if row.rank is None and row.state == VERIFIED else STATES[row.state]


def write(board: Board | None, out: Path, course: Course, now: datetime) -> None:
    """Write the files of `board` into `out`; where there is none, none stay from before."""
    if board is None:
        for name in FILES:
            (out / name).unlink(missing_ok=True)
        return
    replace(out / "competition.json", _json(board, course, now))
    replace(out / "competition.csv", csv_table(_rows(board)).encode("utf-8"))
    replace(out / "competition.html", _page(board, course, now))


def _page(board: Board, course: Course, now: datetime) -> bytes:
    grouped = groupby(board.tables, key=lambda table: table.track)
    tracks = [(track, list(tables)) for track, tables in grouped]
    return render(
        "competition.html.jinja",
        styles=("competition.css",),
        course=course,
        now=now.astimezone(timezone.utc),
        board=board,
        tracks=tracks,
        competing=len({row.submitter for table in board.tables for row in table.rows}),
        pictures=[(pair, marks, drawn(board, pair, marks)) for pair, marks in board.pictures],
        state_of=state_of,
        shown=shown,
        floored=floored,
        percent=lambda share: f"{100 * share:g} %",
    )


def drawn(board: Board, pair: Pair, marks: Sequence[Mark]) -> Picture:
    """Return the picture of `marks`, with the lines of the divisions that they are of alone."""
    keys = {(pair.track, one.division) for one in marks}
    return draw(marks, [one for one in board.tables if (one.track.name, one.division) in keys])


def _json(board: Board, course: Course, now: datetime) -> bytes:
    document = {
        "schema": "competition/1",
        "course": course.title,
        "generated_at": utc(now),
        "tables": [_table(one) for one in board.tables],
        "all_round": [
            {
                **{"rank": one.rank, "place": one.place, "alias": one.alias},
                **{"points": one.points, "medal": one.medal, "tracks": one.tracks},
            }
            for one in board.all_round
            if one.alias is not None
        ],
        "pareto": [
            {
                "track": pair.track,
                "divisions": pair.divisions,
                "axes": [pair.word, pair.against],
                "entries": [
                    {
                        **{"alias": one.alias, "division": one.division, "value": one.value},
                        **{pair.against: one.right, "front": one.is_front},
                    }
                    for one in marks
                ],
            }
            for pair, marks in board.pictures
        ],
    }
    return (json.dumps(document, indent=1, allow_nan=False) + "\n").encode("ascii")


def _table(one: Table) -> dict[str, Any]:
    track = one.track
    return {
        "track": track.name,
        "letter": track.letter,
        "title": track.title,
        "division": one.division,
        "unit": track.unit,
        "direction": track.direction,
        "gates": track.divisions[one.division],
        "baseline": one.baseline,
        "lines": {name.removesuffix(" line"): value for name, _, value in one.lines()[:-1]},
        "entries": len(one.rows),
        "ranked": len(one.ranked),
        "named": len(one.named),
        "rows": [_row(row) for row in one.named],
        "records": [
            {"alias": row.alias, "value": row.value, "since": row.since}
            for row in reversed(one.named_records)
        ],
    }


def _row(row: Result) -> dict[str, Any]:
    counts = row.rank is not None
    return {
        "rank": row.rank,
        "place": row.place,
        "alias": row.alias,
        "value": row.value if counts else None,
        "ci95": list(row.ci95) if counts and row.ci95 else None,
        "points": row.points if counts else None,
        "medal": row.medal if counts else None,
        "accuracy": row.accuracy if counts else None,
        "agreement": row.agreement if counts else None,
        "state": row.state,
        "quality": row.quality if counts else None,
        "since": row.since,
    }


def _rows(board: Board) -> Iterator[list[object]]:
    """Yield a line for each named entry, of all tracks."""
    head = ["track", "division", "place", "alias", "value", "unit", "ci95_low", "ci95_high"]
    head += ["points", "medal", "accuracy", "agreement", "state", "quality", "since"]
    head += ["baseline", "gold"]
    yield head
    for table in board.tables:
        for row in table.named:
            facts = _row(row)
            place = "" if row.rank is None else row.place
            low, high = facts["ci95"] or (None, None)
            yield [
                *(table.track.name, table.division, place, row.alias),
                *(facts["value"], table.track.unit, low, high),
                *(facts[key] for key in ("points", "medal", "accuracy", "agreement")),
                *(facts[key] for key in ("state", "quality")),
                *(row.since, table.baseline, table.line("gold")),
            ]
