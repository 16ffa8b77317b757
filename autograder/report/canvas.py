"""Canvas's gradebook: the CSV that it exports, with the modules' points in it, to import again.

A column named with Canvas's own number in brackets goes into that assignment; one without makes a
new assignment. So name the gradebook's export, once the assignments are there.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence

from assignments.catalog import Assignment, Course
from autograder.errors import SubmissionError
from autograder.report.cells import table, told
from autograder.report.marks import Mark, heading

FIXED = ("Student", "ID", "SIS User ID", "SIS Login ID", "Section")
_NUMBERED = re.compile(r"(.+?) \([0-9]+\)")


def canvas(marks: Sequence[Mark], course: Course, gradebook: str | None = None) -> str:
    """Return the CSV: for those in `gradebook`, Canvas's export, or all on the roster."""
    if gradebook is None:
        people = [(m.student.name, "", "", m.student.identifier, m.student.section) for m in marks]
        columns = {heading(one): one for one in course.assignments}
    else:
        people, columns = _exported(gradebook, course)
    points = {one.student.identifier.casefold(): one.points for one in marks}
    rows = []
    for person in people:
        # a gradebook knows a student by either
        known = next(
            (key for one in (person[3], person[2]) if (key := one.casefold()) in points), ""
        )
        mine = points.get(known, {})
        rows.append([*person, *(mine.get(one.id) for one in columns.values())])
    most = [sum(task.points for task in one.tasks) for one in columns.values()]
    possible = ["    Points Possible", "", "", "", "", *most]
    return table([[*FIXED, *columns], possible, *rows])


def _exported(gradebook: str, course: Course) -> tuple[list[tuple[str, ...]], dict]:
    """Return the students in Canvas's export, and its columns that are modules of the course."""
    try:
        header, *rows = [row for row in csv.reader(io.StringIO(gradebook, newline="")) if row]
        places = [header.index(name) for name in FIXED]
        people = [tuple(told(row[place]) for place in places) for row in rows]
    except (ValueError, IndexError, csv.Error):
        raise SubmissionError(
            f"the gradebook: expected Canvas's export with the columns {', '.join(FIXED)}"
        ) from None
    names = {alias.casefold(): one for one in course.assignments for alias in _aliases(one)}
    matches = {name: _NUMBERED.fullmatch(name.strip()) for name in header}
    columns = {
        name: names[match[1].casefold()]
        for name, match in matches.items()
        if match and match[1].casefold() in names
    }
    if not columns:
        example = f"{heading(course.assignments[0])} (4711)"
        raise SubmissionError(f"the gradebook: no column is a module, as {example!r} would be")
    return [one for one in people if one[0] not in ("Points Possible", "Student, Test")], columns


def _aliases(one: Assignment) -> tuple[str, ...]:
    return heading(one), one.title, one.id
