"""The ledger: every report ever made, one per line of an append-only file, found by an index.

`reports.ndjson` is the truth. `index.sqlite` only remembers where in it what is; it may be deleted,
stale or damaged, and is then made anew. Any number of graders may share a ledger: a file lock
orders them, and one that is killed while it writes leaves at most an unfinished last line, which
the next one closes. A line that is no report is named with its number and skipped, never removed.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from filelock import FileLock, Timeout

from autograder.errors import AutograderError

log = logging.getLogger(__name__)
LOCK_S = 120.0  # far longer than any append or rebuild
COMPETITION = "competition "  # what the index has before the suite of such a report


class LedgerError(AutograderError):
    """The ledger cannot be read or written; says where and what to do."""

    exit_code = 2


class Corrupt(NamedTuple):
    """A line of reports.ndjson that is no report."""

    line: int
    reason: str


class Entry(NamedTuple):
    """What the index knows of a report; `key` is what makes two reports the same."""

    key: str
    submitter: str
    revision: str  # commit, or digest of the files where there is no git
    suite: str
    seed: str  # a number of any size
    isolation: str
    status: str
    report_id: str

    @property
    def is_competition(self) -> bool:
        """Tell a result of the competition, which is no grading of the modules of its commit."""
        return self.suite.startswith(COMPETITION)


def entry(report: dict[str, Any]) -> Entry:
    """Return what identifies `report`: who, which commit, which hidden tests, which seed.

    What could not be graded has no seed that matters: it is known by the reason. In the competition
    one commit is measured track by track, and again in the final: that is not the same either.
    """
    submitter, grader, status = report["submitter"]["id"], report["grader"], report["status"]
    origin = report["submission"]
    revision = origin["commit"] or origin["digest"] or ""
    seed, isolation, suite = str(grader["seed"]), grader["isolation"], grader["suite_digest"]
    if not revision or status == "ungradable":
        parts = [submitter, status, report.get("reason", ""), suite]
    else:
        parts = [submitter, revision, suite, seed, isolation]
    races = [[one["id"], one["state"]] for one in report["assignments"] if "state" in one]
    if races:
        parts, suite = [*parts, races], f"{COMPETITION}{suite}"
    key = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
    return Entry(key, submitter, revision, suite, seed, isolation, status, report["report_id"])


class Ledger:
    """The reports in a folder; reading a folder that does not exist yet finds none."""

    def __init__(self, folder: str | Path):
        """Use the ledger in `folder`, which the first append makes."""
        self.folder = Path(folder)
        self.file = self.folder / "reports.ndjson"
        self._told: set[Corrupt] = set()

    def append(self, report: dict[str, Any]) -> bool:
        """Add a staff report for good; False if the same one is there already."""
        line = json.dumps(report, separators=(",", ":"), allow_nan=False).encode() + b"\n"
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._index() as index:
            if index.has(entry(report).key):
                return False
            _append(self.file, line)
            index.sync(self.file)
        return True

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Yield every report once, oldest first."""
        return self._read("SELECT start, length FROM reports ORDER BY start")

    def latest(self) -> Iterator[dict[str, Any]]:
        """Yield the last report of each submitter."""
        newest = "SELECT max(start) FROM reports GROUP BY submitter"
        return self._read(f"SELECT start, length FROM reports WHERE start IN ({newest})")

    def find(self, report_id: str) -> dict[str, Any] | None:
        """Return the report with this id."""
        query = "SELECT start, length FROM reports WHERE report_id = ?"
        return next(self._read(query, report_id), None)

    def __len__(self) -> int:
        """Return the number of reports."""
        return len(self.entries())

    def entries(self) -> list[Entry]:
        """Return what the index knows of every report, oldest first."""
        columns = ", ".join(Entry._fields)
        rows = self._select(f"SELECT {columns} FROM reports ORDER BY start")
        return [Entry(*row) for row in rows]

    def graded(self, key: str) -> bool:
        """Tell whether a report with this key (see `entry`) is there."""
        return bool(self._select("SELECT 1 FROM reports WHERE key = ?", key))

    def corrupt(self) -> list[Corrupt]:
        """Return the lines that are no report."""
        return [Corrupt(*row) for row in self._select("SELECT line, reason FROM corrupt")]

    def _read(self, query: str, *values: Any) -> Iterator[dict[str, Any]]:
        places = self._select(query, *values)
        self._tell()
        if not places:
            return
        with open(self.file, "rb") as file:
            for start, length in places:
                file.seek(start)
                yield self._parsed(file.read(length))

    def _parsed(self, line: bytes) -> dict[str, Any]:
        try:
            return json.loads(line)
        except ValueError:
            cure = "remove index.sqlite beside it and try again"
            raise LedgerError(f"{self.file} was changed by hand; {cure}") from None

    def _tell(self) -> None:
        for line in self.corrupt():
            if line not in self._told:
                log.warning("%s line %d is skipped: %s", self.file, *line)
                self._told.add(line)

    def _select(self, query: str, *values: Any) -> list[tuple]:
        if not self.file.exists():
            return []
        with self._index() as index:
            return index.database.execute(query, values).fetchall()

    @contextmanager
    def _index(self) -> Iterator[_Index]:
        """Hold the lock and an index that knows the whole file."""
        try:
            with FileLock(self.folder / "ledger.lock", timeout=LOCK_S):
                index = _open(self.folder / "index.sqlite", self.file)
                with closing(index.database), index.database:
                    yield index
        except Timeout:
            cure = "see which grader hangs, end it and try again"
            raise LedgerError(f"{self.folder}: in use for {LOCK_S:g} s; {cure}") from None


class _Index:
    """Where each report is, as far as the file has been read; used under the lock only."""

    def __init__(self, database: sqlite3.Connection):
        self.database = database
        # it can be made again from the file, so waiting for the disk would buy nothing
        self.database.execute("PRAGMA synchronous = OFF")
        self.database.execute("BEGIN")
        self.database.execute(
            "CREATE TABLE IF NOT EXISTS reports (start INTEGER PRIMARY KEY, length INTEGER,"
            " key TEXT UNIQUE, submitter TEXT, revision TEXT, suite TEXT, seed TEXT,"
            " isolation TEXT, status TEXT, report_id TEXT)"
        )
        self.database.execute("CREATE TABLE IF NOT EXISTS corrupt (line INTEGER, reason TEXT)")
        self.database.execute(
            "CREATE TABLE IF NOT EXISTS seen (size INTEGER, lines INTEGER, mark TEXT, stamp TEXT)"
        )

    def has(self, key: str) -> bool:
        """Tell whether the report with `key` is there."""
        query = "SELECT 1 FROM reports WHERE key = ?"
        return self.database.execute(query, (key,)).fetchone() is not None

    def sync(self, file: Path) -> None:
        """Read what was appended since the last time, or everything if the file is another one."""
        if not file.exists():
            return
        seen = self.database.execute("SELECT size, lines, mark, stamp FROM seen").fetchone()
        with open(file, "rb") as lines:
            stamp = _stamp(lines.fileno())
            if seen is not None and seen[3] == stamp:
                return
            size, count, mark = seen[:3] if seen else (0, 0, "")
            grown = os.fstat(lines.fileno()).st_size > size
            if not grown or mark != _mark(lines, size):
                size, count = 0, 0
                self.database.execute("DELETE FROM reports")
                self.database.execute("DELETE FROM corrupt")
            lines.seek(size)
            for line in lines:
                if not line.endswith(b"\n"):
                    break  # its writer was killed; `_append` closes it
                count += 1
                self._add(line, size, count)
                size += len(line)
            self.database.execute("DELETE FROM seen")
            values = (size, count, _mark(lines, size), stamp)
            self.database.execute("INSERT INTO seen VALUES (?, ?, ?, ?)", values)

    def _add(self, line: bytes, start: int, number: int) -> None:
        try:
            values = (start, len(line), *_entry_of(line))
            marks = ", ".join("?" * len(values))
            self.database.execute(f"INSERT OR IGNORE INTO reports VALUES ({marks})", values)
        except ValueError as fault:
            self.database.execute("INSERT INTO corrupt VALUES (?, ?)", (number, str(fault)))


def _open(path: Path, file: Path) -> _Index:
    """Return an index in step with `file`; one that is damaged is made anew."""
    try:
        return _synced(path, file)
    except sqlite3.DatabaseError:
        for leftover in (path, path.with_name(f"{path.name}-journal")):
            leftover.unlink(missing_ok=True)
        return _synced(path, file)


def _synced(path: Path, file: Path) -> _Index:
    database = sqlite3.connect(path, isolation_level=None)
    try:
        index = _Index(database)  # the first to read the file, and to meet what is damaged
        index.sync(file)
    except BaseException:
        database.close()
        raise
    return index


def _entry_of(line: bytes) -> Entry:
    try:
        report = json.loads(line)
        if report["schema"] != "grade-report/1" or report["audience"] != "staff":
            raise ValueError("it is no staff report of grade-report/1")
        found = entry(report)
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8") from None
    except json.JSONDecodeError as fault:
        raise ValueError(f"it is not JSON ({fault.msg}, column {fault.colno})") from None
    except (KeyError, TypeError, AttributeError, RecursionError):
        raise ValueError("it is no staff report of grade-report/1") from None
    if not all(isinstance(value, str) for value in found):
        raise ValueError("it is no staff report of grade-report/1")
    return found


def _append(path: Path, line: bytes) -> None:
    """Write `line` behind what is there, on a line of its own, and wait until it is on the disk."""
    file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o640)
    try:
        size = os.fstat(file).st_size
        if size and os.pread(file, 1, size - 1) != b"\n":
            line = b"\n" + line
        while line:
            line = line[os.write(file, line) :]
        os.fsync(file)
    finally:
        os.close(file)


def _stamp(file: int) -> str:
    status = os.fstat(file)
    return f"{status.st_ino} {status.st_size} {status.st_mtime_ns}"


def _mark(lines, size: int) -> str:
    """Return what the file holds just before `size`, to know it again."""
    start = max(0, size - 4096)
    lines.seek(start)
    return hashlib.sha256(lines.read(size - start)).hexdigest()
