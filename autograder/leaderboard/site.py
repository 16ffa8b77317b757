"""The leaderboard's files: one page that needs no network, and its data as JSON and CSV.

Where there are reports of the competition, another page stands beside it; see contest.py.
"""

from __future__ import annotations

import json
import logging
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assignments.catalog import Course, load_course
from autograder.competition.changes import CHANGES, load_changes
from autograder.leaderboard import contest
from autograder.leaderboard.board import Board, build
from autograder.leaderboard.pages import render
from autograder.leaderboard.ranking import Standing, rank
from autograder.ledger import Ledger, LedgerError
from autograder.policy import load_policy
from autograder.report.build import utc
from autograder.report.cells import table as csv_table
from autograder.report.files import replace

if TYPE_CHECKING:
    from autograder.scores import Collected

log = logging.getLogger(__name__)
FEW = 6  # modules that fit beside each other with their titles


def publish(
    ledger: str | Path,
    out: str | Path,
    *,
    course: Course | None = None,
    now: datetime | None = None,
    overrides: Path | None = None,
    states: Path | None = None,
) -> Path:
    """Rank what is in the folder `ledger`; write leaderboard.json, .csv and index.html to `out`.

    Returns the path of the page. What `states` says of the competition's results is honoured, see
    competition/changes.py.
    """
    book = Ledger(ledger)
    if not book.file.is_file():
        cure = "name the folder `ledger` that `autograder class` made"
        if (book.folder / "reports").is_dir():
            cure = "for a scores repository say with --signers whose reports count"
        raise LedgerError(f"{ledger}: expected a ledger, got no reports.ndjson in it; {cure}")
    course = course or load_course()
    reports = list(book)
    standing, board = rank(reports, load_policy(course, overrides)), _board(reports, course, states)
    return _write(standing, board, Path(out), course, now)


def publish_scores(
    collected: Collected,
    out: str | Path,
    *,
    public: bool = False,
    course: Course | None = None,
    now: datetime | None = None,
    overrides: Path | None = None,
    states: Path | None = None,
) -> Path:
    """Rank what was `collected` from a scores repository, and write the same files as `publish`.

    What was refused stands in leaderboard.json, for staff; not if that is to be `public`.
    """
    staff = {} if public else {"refused": [one._asdict() for one in collected.refused]}
    course = course or load_course()
    standing = rank(collected.accepted, load_policy(course, overrides))
    board = _board(collected.accepted, course, states)
    return _write(standing, board, Path(out), course, now, staff)


def _board(reports: list[dict[str, Any]], course: Course, states: Path | None) -> Board | None:
    board = build(reports, load_changes(course, states))
    for one in board.unused if board else ():
        log.warning("%s: state %d changes no result; correct it", CHANGES, one.number)
    return board


def _write(
    standing: Standing,
    board: Board | None,
    out: Path,
    course: Course,
    now: datetime | None,
    staff: dict[str, Any] | None = None,
) -> Path:
    now = now or datetime.now(timezone.utc)
    out.mkdir(parents=True, exist_ok=True)
    contest.write(board, out, course, now)
    replace(out / "leaderboard.json", _json(standing, course, now, staff or {}))
    replace(out / "leaderboard.csv", _csv(standing))
    replace(out / "index.html", _page(standing, board, course, now))
    return out / "index.html"


def _json(standing: Standing, course: Course, now: datetime, staff: dict[str, Any]) -> bytes:
    document: dict[str, Any] = {
        "schema": "leaderboard/1",
        "course": course.title,
        "generated_at": utc(now),
        "ranked": len(standing.rows),
        "named": len(standing.named),
        "waiting": len(standing.waiting),
        "modules": [
            {"id": one.id, "title": one.title, "max_points": one.max_points}
            for one in standing.columns
        ],
        "rows": [
            {
                "rank": row.rank,
                "place": row.place,
                "alias": row.alias,
                "points": row.total,
                "max_points": standing.max_total,
                "modules": row.points,
            }
            for row in standing.named
        ],
        **staff,
    }
    return (json.dumps(document, indent=1, allow_nan=False) + "\n").encode("ascii")


def _csv(standing: Standing) -> bytes:
    modules = [column.id for column in standing.columns]
    rows: list[list[object]] = [["rank", "alias", "points", "max_points", *modules]]
    for row in standing.named:
        points = [row.points.get(module) for module in modules]
        rows.append([row.place, row.alias, row.total, standing.max_total, *points])
    return csv_table(rows).encode("utf-8")


def _page(standing: Standing, board: Board | None, course: Course, now: datetime) -> bytes:
    few = len(standing.columns) <= FEW
    return render(
        "page.html.jinja",
        styles=("page.css",),
        script="page.js",
        course=course,
        standing=standing,
        board=board,
        few=few,
        now=now.astimezone(timezone.utc),
        number=lambda value: f"{round(value, 2 if few else 1):g}",
    )
