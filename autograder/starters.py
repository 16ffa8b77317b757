"""Starters are generated: the reference with the body of every task's function blanked.

All else stays to the byte: signatures, docstrings, imports and what is given. Starters are
committed, so that a change of the reference shows what it changes for students.
"""

from __future__ import annotations

from pathlib import Path

from assignments.catalog import Assignment, Course, load_course
from assignments.functions import blank
from autograder.errors import GraderError


def starter(assignment: Assignment, *, only: str | None = None) -> bytes:
    """Return what a student starts from, or the reference with `only` one function blanked."""
    names = assignment.functions if only is None else (only,)
    bodies = {name: f'raise NotImplementedError("{assignment.id}: {name}")' for name in names}
    path = reference(assignment)
    try:
        # Not read_text: it would turn the reference's newlines into this machine's.
        return blank(path.read_bytes().decode(), bodies).encode()
    except FileNotFoundError:
        raise GraderError(f"{assignment.source} is missing: write the reference first") from None
    except (SyntaxError, UnicodeDecodeError) as error:
        raise GraderError(f"{assignment.source} is no Python ({error}): mend it first") from None


def reference(assignment: Assignment) -> Path:
    """Where the reference of `assignment` lies, beside the folder of assignments."""
    return assignment.folder.parent.parent / assignment.source


def write(course: Course | None = None) -> list[Path]:
    """Write every starter that has drifted and return their paths."""
    drifted = check(course)
    for assignment in (course or load_course()).assignments:
        if assignment.starter in drifted:
            assignment.starter.write_bytes(starter(assignment))
    return drifted


def check(course: Course | None = None) -> list[Path]:
    """Return the starters that are not what the reference makes them, missing ones included."""
    return [
        assignment.starter
        for assignment in (course or load_course()).assignments
        if not assignment.starter.is_file()
        or assignment.starter.read_bytes() != starter(assignment)
    ]
