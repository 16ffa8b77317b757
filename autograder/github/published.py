"""What is published: the scores repository, the only memory that delivery has.

reports/<repository id>/<report id>.json (.json.sig)    for good, only ever added
feedback/<repository id>.json             the last report its student knows of, when more is due
competition/…, told/…                     the same of the competition

A report that none of the allowed signers signed counts as not there: else whoever can write to
that repository could settle a commit that nobody graded, or tell a student of points.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from autograder.github.client import Push
from autograder.report.build import utc
from autograder.report.files import replace
from autograder.report.history import whole
from autograder.scores.document import MODULES
from autograder.scores.signers import THREADS, Signers

TRIES = 3  # to grade one content that the grader failed at; then a human must look


class Content(NamedTuple):
    """What decides a grade but for the seed: with the same, nothing is graded twice."""

    digest: str | None  # of the graded files; None where they could not be read
    suite: str
    image: str


class Published:
    """The reports of each repository, in a clone of the scores repository."""

    def __init__(self, folder: Path, area: str = MODULES, signers: Signers | None = None):
        """Read one of the AREAS of the clone `folder`; without `signers`, all that lies there."""
        self.folder, self.area, self.signers = folder, area, signers
        self._last = cache(self._find_last)
        self.reports = cache(lambda repository: list(self.read(repository)))

    def repositories(self) -> list[int]:
        """Return the ids of all repositories that have reports."""
        found = (self.folder / self.area).glob("*/*.json")
        ids = sorted({int(path.parent.name) for path in found if path.parent.name.isdecimal()})
        with ThreadPoolExecutor(THREADS) as threads:
            return [
                one for one, last in zip(ids, threads.map(self._last, ids), strict=True) if last
            ]

    def settled(self, repository: int, commit: str, content: Content) -> bool:
        """Tell whether this commit, or another with the same content, needs no grading."""
        same = [one for one in self.reports(repository) if _is_of(one, commit, content)]
        graded = [one for one in same if one.get("status") != "ungradable"]
        return bool(graded) or len(same) >= TRIES

    def is_newest(self, repository: int, push: Push, content: Content) -> bool:
        """Tell whether no other content was published of a push before this one, and after it."""
        newest = max(self.reports(repository), key=_turn)
        before = (newest["submission"].get("submitted_at") or "") < utc(push.at)
        return not before or _is_of(newest, push.after, content)

    def newest(self, repository: int) -> dict[str, Any]:
        """Return the report of the last push, whichever was published last; see `whole`."""
        last = max(self.reports(repository), key=_turn)
        commit = last["submission"]["commit"]
        same = [one for one in self.reports(repository) if one["submission"]["commit"] == commit]
        return whole(same) if commit else last

    def earlier(self, repository: int, report: dict[str, Any]) -> dict[str, Any] | None:
        """Return the last graded report of another commit before this one."""
        commit = report["submission"]["commit"]
        before = [one for one in self.graded(repository) if _turn(one) < _turn(report)]
        others = [one for one in before if one["submission"]["commit"] != commit]
        return max(others, key=_turn, default=None)

    def graded(self, repository: int) -> list[dict[str, Any]]:
        """Return the reports that hold a score, oldest first."""
        return [one for one in self.reports(repository) if one.get("status") != "ungradable"]

    def untold(self, now: datetime) -> list[int]:
        """Return the repositories whose students do not know of all that they may know by `now`."""
        return [one for one in self.repositories() if not self._is_told(one, now)]

    def tell(self, repository: int, due: datetime | None = None, last: str = "") -> str:
        """Note that the student knows of all reports that there are now; from `due` on, of more."""
        path = self._feedback(repository)
        path.parent.mkdir(parents=True, exist_ok=True)
        last = last or self._last(repository) or ""
        told = {"report_id": last} | ({"due": utc(due)} if due else {})
        replace(path, json.dumps(told).encode() + b"\n")
        return last

    def _is_told(self, repository: int, now: datetime) -> bool:
        found = _read(self._feedback(repository))
        if not isinstance(found, dict) or found.get("report_id") != self._last(repository):
            return False
        return "due" not in found or utc(now) < found["due"]

    def _find_last(self, repository: int) -> str | None:
        """Return the id of the last report that counts, and read no other that does."""
        newest_first = reversed(self._files(repository))
        return next((path.stem for path in newest_first if self._report(path)), None)

    def _feedback(self, repository: int) -> Path:
        told = "feedback" if self.area == MODULES else "told"
        return self.folder / told / f"{repository}.json"

    def _files(self, repository: int) -> list[Path]:
        return sorted((self.folder / self.area / str(repository)).glob("*.json"))

    def read(self, repository: int) -> Iterator[dict[str, Any]]:
        """Yield the reports about `repository`, in the order of their ids, and keep none."""
        with ThreadPoolExecutor(THREADS) as threads:
            yield from filter(None, threads.map(self._report, self._files(repository)))

    def _report(self, path: Path) -> dict[str, Any] | None:
        one = self.signers.report(path) if self.signers else _read(path)
        return one if isinstance(one, dict) and one.get("report_id") == path.stem else None


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


def _turn(report: dict[str, Any]) -> tuple[str, int, str]:
    """Return a report's place in the order of pushes, which is not that of publishing."""
    origin = report["submission"]
    return origin.get("submitted_at") or "", origin.get("attempt", 1), report["report_id"]
