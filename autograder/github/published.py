"""What is published: the scores repository, the only memory that delivery has.

reports/<repository id>/<report id>.json (.json.sig)    for good, only ever added
feedback/<repository id>.json                           which report its student was told of
"""

from __future__ import annotations

import json
from datetime import datetime, timezone
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from autograder.report.files import replace

TRIES = 3  # to grade one content that the grader failed at; then a human must look


class Content(NamedTuple):
    """What decides a grade but for the seed: with the same, nothing is graded twice."""

    digest: str | None  # of the graded files; None where they could not be read
    suite: str
    image: str


class Published:
    """The reports of each repository, in a clone of the scores repository."""

    def __init__(self, folder: Path):
        """Read the clone `folder`."""
        self.folder = folder
        self.reports = cache(self._reports)

    def repositories(self) -> list[int]:
        """Return the ids of all repositories that have reports."""
        found = (self.folder / "reports").glob("*/*.json")
        return sorted({int(path.parent.name) for path in found if path.parent.name.isdecimal()})

    def settled(self, repository: int, commit: str, content: Content) -> bool:
        """Tell whether this commit, or another with the same content, needs no grading."""
        same = [one for one in self.reports(repository) if _is_of(one, commit, content)]
        graded = [one for one in same if one.get("status") != "ungradable"]
        return bool(graded) or len(same) >= TRIES

    def earlier(self, repository: int, report_id: str) -> dict[str, Any] | None:
        """Return the last graded report before this one."""
        before = [one for one in self.graded(repository) if one["report_id"] < report_id]
        return before[-1] if before else None

    def graded(self, repository: int) -> list[dict[str, Any]]:
        """Return the reports that hold a score, oldest first."""
        return [one for one in self.reports(repository) if one.get("status") != "ungradable"]

    def untold(self, now: datetime) -> list[int]:
        """Return the repositories whose student does not know the newest report, or all of it."""
        return [one for one in self.repositories() if not self._is_told(one, now)]

    def told(self, repository: int) -> dict[str, Any]:
        """Return what was told last; nothing before the first time."""
        found = _read(self._told(repository))
        return found if isinstance(found, dict) else {}

    def tell(self, repository: int, report_id: str, at: str, due: str | None, full: bool) -> None:
        """Note that the student was told of a report; `due` is when the hidden checks follow."""
        known = self.told(repository)
        shown = at if full else known.get("hidden_at")
        note = {"report_id": report_id, "at": at, "hidden_at": shown, "due": due}
        path = self._told(repository)
        path.parent.mkdir(parents=True, exist_ok=True)
        replace(path, json.dumps(note).encode() + b"\n")

    def _is_told(self, repository: int, now: datetime) -> bool:
        told = self.told(repository)
        newest = max(path.stem for path in self._files(repository))
        due = told.get("due")
        return told.get("report_id") == newest and not (due and _moment(due) <= now)

    def _told(self, repository: int) -> Path:
        return self.folder / "feedback" / f"{repository}.json"

    def _files(self, repository: int) -> list[Path]:
        return sorted((self.folder / "reports" / str(repository)).glob("*.json"))

    def _reports(self, repository: int) -> list[dict[str, Any]]:
        found = (_read(path) for path in self._files(repository))
        return [one for one in found if isinstance(one, dict) and "report_id" in one]


def _is_of(report: dict[str, Any], commit: str, content: Content) -> bool:
    grader, origin = report["grader"], report["submission"]
    if (grader["suite_digest"], grader.get("image_digest")) != (content.suite, content.image):
        return False
    same = content.digest is not None and origin["digest"] == content.digest
    return same or origin["commit"] == commit


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(timezone.utc)
