"""Moodle's grade import (Grades, Import, CSV file): map `ID number` and each module."""

from __future__ import annotations

from collections.abc import Sequence

from assignments.catalog import Course
from autograder.report.cells import table
from autograder.report.marks import Mark, heading


def moodle(marks: Sequence[Mark], course: Course) -> str:
    """Return the CSV; who has no grade in a module yet has an empty cell, which changes nothing."""
    modules = course.assignments
    rows = [[one.student.identifier, *(one.points.get(m.id) for m in modules)] for one in marks]
    return table([["ID number", *map(heading, modules)], *rows])
