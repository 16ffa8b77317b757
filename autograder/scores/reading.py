"""Reads a scores repository: what counts, and why the rest does not. Nothing unsigned is believed.

One bad report costs itself only. Links are not followed, sizes are bounded, and a report is read
once: the bytes that are verified are those that count.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from autograder.errors import SubmissionError
from autograder.intake.folder import open_folder, read_file
from autograder.intake.tree import shown
from autograder.sandbox.text import one_line
from autograder.scores.claims import Rules, fault
from autograder.scores.document import (
    AREAS,
    REPORT_BYTES,
    Facts,
    Report,
    facts,
    parse_report,
    place,
    replayed,
)
from autograder.scores.folder import REPORT, REPOSITORY, ScoresError
from autograder.scores.signers import THREADS, vouched
from autograder.signatures import SIGNATURE_BYTES, AlteredError, SignatureError, principals

MOST_FILES = 1_000_000


class Refused(NamedTuple):
    """A file of the repository that does not count, and why."""

    path: str
    kind: str  # "forged", "altered", "replayed", "foreign", "outdated", "too good", "unreadable"
    reason: str


@dataclass
class Collected:
    """What a scores repository holds."""

    accepted: list[Report] = field(default_factory=list)  # oldest first; without their tests
    refused: list[Refused] = field(default_factory=list)


class _RefusalError(Exception):
    """Carries a kind and a reason from where it is found to where it is written down."""


def read(folder: str | Path, allowed: str | Path, rules: Rules) -> Collected:
    """Return every report in `folder` that someone in `allowed` signed and that keeps the `rules`.

    Of the accepted ones the tests are left out: a class's would not fit into memory.
    """
    folder, allowed, collected = Path(folder).resolve(), Path(allowed).absolute(), Collected()
    if not any((folder / area).is_dir() for area in AREAS):
        cure = "name a clone of the scores repository"
        raise ScoresError(f"{folder}: expected a folder `reports`, got none; {cure}")
    principals(allowed)
    left = MOST_FILES
    for area in AREAS:
        if os.path.lexists(folder / area):
            left = _read_area(folder, area, left, allowed, rules, collected)
    return _without_twins(collected)


def _read_area(
    folder: Path, area: str, left: int, allowed: Path, rules: Rules, collected: Collected
) -> int:
    """Read the reports about all repositories; return how many files more there may be."""
    with _opened(folder / area) as top, ThreadPoolExecutor(THREADS) as threads:
        names = _names(top, left)
        left -= len(names)
        for name in names:
            try:
                with _repository(top, name) as inner:
                    files = _names(inner, left)
                    left -= len(files)
                    reader = _Reader(inner, area, int(name), frozenset(files), allowed, rules)
                    found = threads.map(reader.read, reader.reports())
                    _gather(found, collected)
                    collected.refused += reader.strays()
            except _RefusalError as refusal:
                collected.refused.append(_refused(f"{area}/{_shown(name)}", refusal))
    return left


@dataclass(frozen=True)
class _Reader:
    """Reads the reports about one repository."""

    folder: int  # open
    area: str
    repository: int
    files: frozenset[str]
    allowed: Path
    rules: Rules

    def reports(self) -> list[str]:
        """Return the names of what must be reports, oldest first."""
        return sorted(name for name in self.files if not name.endswith(".sig"))

    def strays(self) -> Iterator[Refused]:
        """Yield the signatures of nothing."""
        for name in sorted(self.files):
            if name.endswith(".sig") and name.removesuffix(".sig") not in self.files:
                yield _refused(
                    self.path(name), _RefusalError("unreadable", "its report is missing")
                )

    def path(self, name: str) -> str:
        return f"{self.area}/{self.repository}/{_shown(name)}"

    def read(self, name: str) -> Report | Refused:
        """Return the report `name`, or why it does not count."""
        try:
            return self._verified(name)
        except _RefusalError as refusal:
            return _refused(self.path(name), refusal)
        except AlteredError as error:
            return _refused(self.path(name), _RefusalError("altered", str(error)))
        except SignatureError as error:
            return _refused(self.path(name), _RefusalError("forged", str(error)))
        except (SubmissionError, ValueError) as error:
            return _refused(self.path(name), _RefusalError("unreadable", str(error)))

    def _verified(self, name: str) -> Report:
        if not REPORT.fullmatch(name):
            raise _RefusalError("unreadable", "expected <report id>.json and its .sig")
        if f"{name}.sig" not in self.files:
            raise _RefusalError("forged", "it has no signature")
        content = read_file(name, self.folder, REPORT_BYTES)
        signature = read_file(f"{name}.sig", self.folder, SIGNATURE_BYTES)
        vouched(content, signature, self.allowed)
        report = parse_report(content)
        if place(report) != f"{self.area}/{self.repository}/{name}":
            raise _RefusalError("replayed", f"it is a copy of {place(report)}")
        found = fault(report, self.rules)
        if found:
            raise _RefusalError(*found)
        return report | {"tests": []}


def _gather(found: Iterator[Report | Refused], collected: Collected) -> None:
    """Sort what was `found` about one repository, oldest first; each attempt counts once."""
    earlier: list[Facts] = []
    for one in found:
        if isinstance(one, Refused):
            collected.refused.append(one)
            continue
        twin = replayed(facts(one), earlier)
        if twin:
            refusal = _RefusalError("replayed", f"it is about the same attempt as {twin}")
            collected.refused.append(_refused(place(one), refusal))
        else:
            earlier.append(facts(one))
            collected.accepted.append(one)


def _without_twins(collected: Collected) -> Collected:
    """Refuse an id that was given to reports about two repositories, all but the first."""
    reports = sorted(collected.accepted, key=lambda one: (one["report_id"], place(one)))
    kept: dict[str, Report] = {}
    for one in reports:
        if kept.setdefault(one["report_id"], one) is not one:
            refusal = _RefusalError("replayed", f"{place(kept[one['report_id']])} has its id")
            collected.refused.append(_refused(place(one), refusal))
    return Collected([*kept.values()], sorted(collected.refused))


@contextmanager
def _repository(top: int, name: str) -> Iterator[int]:
    if not REPOSITORY.fullmatch(name):
        raise _RefusalError("unreadable", "expected a folder with a numeric repository id for name")
    try:
        with open_folder(name, top) as inner:
            yield inner
    except SubmissionError as error:
        raise _RefusalError("unreadable", str(error)) from None


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    try:
        with open_folder(str(folder)) as opened:
            yield opened
    except SubmissionError as error:
        raise ScoresError(str(error)) from None


def _names(folder: int, most: int) -> list[str]:
    """Return the names in `folder`, without the drafts of an unfinished append."""
    names = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if len(names) == most:
                raise ScoresError(f"reports: expected at most {MOST_FILES:,} files, got more")
            if not entry.name.startswith("."):
                names.append(entry.name)
    return sorted(names)


def _shown(name: str) -> str:
    return name if name.isascii() and name.isprintable() and len(name) < 64 else shown(name)


def _refused(path: str, refusal: _RefusalError) -> Refused:
    kind, reason = refusal.args
    return Refused(path, kind, one_line(reason, 400))
