"""Starters are the reference without the tasks' bodies, and drift is seen."""

from __future__ import annotations

import pytest

from assignments.catalog import load_course
from autograder import starters
from autograder.errors import GraderError
from tests.assignments.course import REFERENCE, small_course

STARTER = (
    REFERENCE.replace("return a + b", 'raise NotImplementedError("01_one: add")')
    .replace(
        "return Pair(self.second, self.first)", 'raise NotImplementedError("01_one: Pair.swap")'
    )
    .replace("return self.first == self.second", 'raise NotImplementedError("01_one: Pair.same")')
)


@pytest.fixture
def course(tmp_path):
    """A small course without starters."""
    return load_course(small_course(tmp_path))


def test_a_starter_blanks_every_task_and_nothing_else(course):
    """Docstrings, signatures and given functions are the student's to read."""
    assert starters.starter(course.assignment("one")).decode() == STARTER


def test_one_function_alone_can_be_blanked(course):
    """The proofs blank one at a time and expect one task to be lost."""
    blanked = starters.starter(course.assignment("one"), only="add").decode()
    assert blanked == REFERENCE.replace("return a + b", 'raise NotImplementedError("01_one: add")')


def test_starters_keep_windows_newlines(course):
    """Every other byte stays, newlines included."""
    one = course.assignment("one")
    starters.reference(one).write_bytes(REFERENCE.replace("\n", "\r\n").encode())
    assert starters.starter(one) == STARTER.replace("\n", "\r\n").encode()


def test_what_is_written_has_not_drifted(course):
    """`make starters` writes what is missing once, and then nothing."""
    paths = [assignment.starter for assignment in course.assignments]
    assert starters.check(course) == paths
    assert starters.write(course) == paths
    assert starters.check(course) == starters.write(course) == []
    assert paths[0].read_text(encoding="utf-8") == STARTER


@pytest.mark.parametrize("drift", ["reference", "starter"])
def test_drift_names_the_starter(course, drift):
    """A change on either side alone is a drift of that one starter."""
    starters.write(course)
    one = course.assignment("one")
    path = {"reference": starters.reference(one), "starter": one.starter}[drift]
    path.write_text(path.read_text(encoding="utf-8") + "# more\n", encoding="utf-8")
    assert starters.check(course) == [one.starter]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "tinytorch/one.py is missing: write the reference first"),
        (b"def add(:", r"tinytorch/one.py is no Python \(.*\): mend it first"),
        (b"\xff", r"tinytorch/one.py is no Python \(.*\): mend it first"),
    ],
)
def test_a_reference_that_cannot_be_read_is_named(course, text, message):
    """Missing or broken, the reference is named with what to do."""
    path = starters.reference(course.assignment("one"))
    path.unlink()
    if text is not None:
        path.write_bytes(text)
    with pytest.raises(GraderError, match=message):
        starters.write(course)


def test_the_committed_starters_have_not_drifted():
    """Run `make starters` and commit what it writes."""
    assert starters.check() == []
