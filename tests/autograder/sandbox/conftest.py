"""A warm sandbox for all tests, and sandboxes with bounds and layers of their own."""

from __future__ import annotations

import pytest

from autograder.sandbox import Limits, Sandbox
from tests.autograder.sandbox.students import Student


@pytest.fixture(scope="session")
def box():
    """Return an open sandbox with full isolation."""
    with Sandbox(Limits(wall_s=60)) as sandbox:
        yield sandbox


@pytest.fixture
def student(box):
    """Return a runner of student files in the warm sandbox."""
    return Student(box)


@pytest.fixture
def student_within():
    """Return a maker of runners in sandboxes with bounds and layers of their own."""
    opened = []

    def make(*, require_full: bool = True, without=(), **bounds) -> Student:
        limits = Limits(**{"wall_s": 60, **bounds})
        opened.append(Sandbox(limits, require_full=require_full, without=without).__enter__())
        return Student(opened[-1])

    yield make
    for sandbox in opened:
        sandbox.close()
