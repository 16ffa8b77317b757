"""The roster: who is in the course, as one CSV file that staff keep beside the grader's keys.

    github_username,github_id,repository,repository_id,identifier,name,section

`identifier` is what the gradebook knows a student by. What old GitHub Classroom and Classroom 50
left is read, too, and becomes such a file; a list that is not in order is refused as a whole.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path

from autograder.errors import AutograderError
from autograder.report.cells import table, told

MOST_BYTES, MOST_ROWS, MOST_CHARACTERS = 5_000_000, 20_000, 300
USERNAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,38})")  # with the `_` of enterprise accounts
NUMBER = re.compile(r"[1-9][0-9]{0,18}")
REPOSITORY = re.compile(r"[\w.-]{1,100}/[\w.-]{1,100}", re.ASCII)


class RosterError(AutograderError):
    """A list of students cannot be used; names the line."""

    exit_code = 2


@dataclass(frozen=True)
class Student:
    """One line of the roster; what is not known is empty."""

    github_username: str  # first, and never in quotes: a shell may cut it out
    github_id: str
    repository: str = ""  # "organisation/name", which may change
    repository_id: str = ""  # which does not
    identifier: str = ""
    name: str = ""
    section: str = ""


COLUMNS = tuple(field.name for field in fields(Student))
Row = dict[str, str]


def _old_classroom(row: Row) -> Student:
    return Student(
        row["github_username"], row["github_id"], identifier=row["identifier"], name=row["name"]
    )


def _old_grades(row: Row) -> Student:
    """Take who has which repository; the points stay what they were: nobody signed them."""
    organisation = row["student_repository_url"].rstrip("/").split("/")[-2:-1]
    repository = "/".join([*organisation, row["student_repository_name"]])
    who = row["roster_identifier"] or row["github_username"]
    return Student(row["github_username"], "", repository, identifier=who)


def _classroom_50(row: Row) -> Student:
    name = f"{row['first_name']} {row['last_name']}".strip()
    known = {"identifier": row["email"], "name": name, "section": row["section"]}
    return Student(row["username"], row["github_id"], **known)


def _own(row: Row) -> Student:
    return Student(**{name: row[name] for name in COLUMNS})


# A format is known by its columns; the first that fits is taken.
FORMATS: dict[tuple[str, ...], Callable[[Row], Student]] = {
    COLUMNS: _own,
    ("identifier", "github_username", "github_id", "name"): _old_classroom,
    (
        *("assignment_name", "github_username", "roster_identifier"),
        *("student_repository_name", "student_repository_url", "points_awarded"),
    ): _old_grades,
    ("username", "first_name", "last_name", "email", "section", "github_id", "role"): _classroom_50,
}


def read(path: Path) -> list[Student]:
    """Return the students in a list of any of the formats; RosterError names what is wrong."""
    students = []
    columns, rows = _rows(path)
    made = next((make for names, make in FORMATS.items() if set(names) <= set(columns)), None)
    if made is None:
        wanted = "; or ".join(",".join(names) for names in FORMATS)
        raise RosterError(f"{path}: expected the columns {wanted}; got {','.join(columns)[:200]}")
    for where, row in rows:
        if row.get("role", "student") in ("", "student"):
            student = made(row)
            _check(student, where)
            students.append(student)
    students = list(dict.fromkeys(students))  # of old grades there is a line for each assignment
    _refuse_twins(students, path)
    return students


def text(students: Iterable[Student]) -> str:
    """Return the roster's CSV."""
    return table([COLUMNS, *([getattr(one, name) for name in COLUMNS] for one in students)])


def _rows(path: Path) -> tuple[list[str], Iterator[tuple[str, Row]]]:
    try:
        content = Path(path).read_bytes()
        if len(content) > MOST_BYTES or b"\0" in content:
            raise RosterError(f"{path}: expected text of at most {MOST_BYTES:,} bytes")
        reader = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        header, *rows = [(reader.line_num, [*map(told, row)]) for row in reader if row] or [(1, [])]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise RosterError(f"{path}: expected a CSV file in UTF-8, got none ({reason})") from None
    columns = header[1]
    if len(set(columns)) < len(columns) or len(rows) > MOST_ROWS:
        raise RosterError(f"{path}: expected each column once and at most {MOST_ROWS:,} lines")
    return columns, (_named(columns, cells, f"{path}, line {line}") for line, cells in rows)


def _named(columns: list[str], cells: list[str], where: str) -> tuple[str, Row]:
    if len(cells) != len(columns):
        raise RosterError(f"{where}: expected {len(columns)} cells, got {len(cells)}")
    return where, dict(zip(columns, cells, strict=True))


def _check(student: Student, where: str) -> None:
    """Refuse what no list has that a course made; each cell may come from a student."""
    for name in COLUMNS:
        cell = getattr(student, name)
        if len(cell) > MOST_CHARACTERS or not cell.isprintable():
            raise RosterError(f"{where}: {name} is {cell[:40]!r}: expected a short, printable text")
    patterns = {"github_username": USERNAME, "github_id": NUMBER, "repository_id": NUMBER}
    for name, pattern in (patterns | {"repository": REPOSITORY}).items():
        cell = getattr(student, name)
        if cell and not pattern.fullmatch(cell):
            raise RosterError(f"{where}: {name} is {cell[:40]!r}: expected none, or GitHub's own")
    if not student.identifier:
        raise RosterError(f"{where}: expected an identifier (of Classroom 50: an email), got none")


def _refuse_twins(students: list[Student], path: Path) -> None:
    """Let no line take another's place: who is whom is decided here."""
    for name in ("identifier", "github_username", "github_id", "repository_id"):
        count = Counter(cell.casefold() for one in students if (cell := getattr(one, name)))
        twice = sorted(cell for cell, times in count.items() if times > 1)
        if twice:
            raise RosterError(f"{path}: {name} {twice[0]!r} stands on two lines; keep one")
