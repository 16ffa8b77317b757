"""The leaderboard's files: one page that needs no network, and its data as JSON and CSV."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from assignments.catalog import Course, load_course
from autograder.leaderboard.ranking import Standing, rank
from autograder.ledger import Ledger, LedgerError
from autograder.policy import load_policy
from autograder.report.build import utc
from autograder.report.files import replace

if TYPE_CHECKING:
    from autograder.scores import Collected

HERE = Path(__file__).parent
FEW = 6  # modules that fit beside each other with their titles


def publish(
    ledger: str | Path,
    out: str | Path,
    *,
    course: Course | None = None,
    now: datetime | None = None,
    overrides: Path | None = None,
) -> Path:
    """Rank what is in the folder `ledger`; write leaderboard.json, .csv and index.html to `out`.

    Returns the path of the page.
    """
    book = Ledger(ledger)
    if not book.file.is_file():
        cure = "name the folder `ledger` that `autograder class` made"
        if (book.folder / "reports").is_dir():
            cure = "for a scores repository say with --signers whose reports count"
        raise LedgerError(f"{ledger}: expected a ledger, got no reports.ndjson in it; {cure}")
    course = course or load_course()
    return _write(rank(book, load_policy(course, overrides)), Path(out), course, now)


def publish_scores(
    collected: Collected,
    out: str | Path,
    *,
    public: bool = False,
    course: Course | None = None,
    now: datetime | None = None,
    overrides: Path | None = None,
) -> Path:
    """Rank what was `collected` from a scores repository, and write the same files as `publish`.

    What was refused stands in leaderboard.json, for staff; not if that is to be `public`.
    """
    staff = {} if public else {"refused": [one._asdict() for one in collected.refused]}
    course = course or load_course()
    standing = rank(collected.accepted, load_policy(course, overrides))
    return _write(standing, Path(out), course, now, staff)


def _write(
    standing: Standing,
    out: Path,
    course: Course,
    now: datetime | None,
    staff: dict[str, Any] | None = None,
) -> Path:
    now = now or datetime.now(timezone.utc)
    out.mkdir(parents=True, exist_ok=True)
    replace(out / "leaderboard.json", _json(standing, course, now, staff or {}))
    replace(out / "leaderboard.csv", _csv(standing))
    replace(out / "index.html", _page(standing, course, now))
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
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\r\n")
    modules = [column.id for column in standing.columns]
    table.writerow(["rank", "alias", "points", "max_points", *modules])
    for row in standing.named:
        points = [row.points.get(module, "") for module in modules]
        table.writerow([row.place, _inert(row.alias), row.total, standing.max_total, *points])
    return text.getvalue().encode("utf-8")


def _inert(cell: str) -> str:
    """Return `cell` so that no spreadsheet takes it for a formula."""
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell


def _page(standing: Standing, course: Course, now: datetime) -> bytes:
    pages = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style, script = ((HERE / name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    few = len(standing.columns) <= FEW
    html = pages.get_template("page.html.jinja").render(
        course=course,
        standing=standing,
        few=few,
        now=now.astimezone(timezone.utc),
        style=Markup(style),
        script=Markup(script),
        style_hash=_hash(style),
        script_hash=_hash(script),
        number=lambda value: f"{round(value, 2 if few else 1):g}",
    )
    return html.encode("utf-8")


def _hash(text: str) -> str:
    """Return the source expression by which a content security policy allows exactly `text`."""
    digest = base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode()
    return f"'sha256-{digest}'"
