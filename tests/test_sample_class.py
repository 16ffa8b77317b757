"""From the template to the leaderboard, as `make grade` goes: every kind of student at once."""

from __future__ import annotations

import io
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from assignments.catalog import load_course
from autograder.cohort import grade_class
from autograder.leaderboard import publish
from autograder.mutants import load_mutants
from autograder.sandbox import Limits
from autograder.template import export
from tests.sample_class import ALIASES, FIXTURES, MUTANTS, make, students
from tests.submissions import fixtures

BOUNDS = Limits(wall_s=2)  # an endless loop need not be awaited for ten seconds
COURSE = load_course()
TENSOR, ACTIVATIONS = COURSE.assignments[:2]
ALL = {one.id: 100 for one in COURSE.assignments}
NOTHING = dict.fromkeys(ALL, 0)
HALF = {one.id: sum(task.points for task in one.tasks[::2]) for one in (TENSOR, ACTIVATIONS)}
EARNS = {
    "complete": ALL,
    "complete-anonymous": ALL,
    "complete-without-tensor": NOTHING | {ACTIVATIONS.id: 100},
    "first-module-only": NOTHING | {TENSOR.id: 100},
    "half-done": NOTHING | HALF,
    "only-started": NOTHING,
    "untouched": NOTHING,
}
MISTAKEN = {
    f"wrong-{name.replace('_', '-')}": (COURSE.assignment(key), f"{key}/{name}")
    for key, names in MUTANTS.items()
    for name in names
}
FROM_FIXTURES = {
    f"{kind}-{one.name.replace('_', '-')}": one
    for kind, names in FIXTURES.items()
    for one in fixtures.load(kind)
    if one.name in names
}


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Iterator[Path]:
    """A folder with the template, the class and its grades."""
    place = tmp_path_factory.mktemp("course")
    export(place / "template")
    make(place / "template", place / "class", students())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUTOGRADER_KEY_FILE", str(place / "submitter.key"))
        grade(place)
        yield place


def grade(place: Path):
    """Grade what is not graded yet; return the summary."""
    quiet = Console(file=io.StringIO())
    return grade_class(place / "class", place / "grades", jobs=2, limits=BOUNDS, console=quiet)


def points(place: Path, student: str) -> dict[str, float]:
    """Return a student's points by module."""
    report = json.loads((place / "grades" / student / "report.json").read_text(encoding="utf-8"))
    return {one["id"]: one["score"]["points"] for one in report["assignments"]}


def head(repository: Path) -> str:
    """Return the commit that is handed in."""
    return subprocess.check_output(["git", "-C", repository, "rev-parse", "HEAD"], text=True)


def test_every_kind_of_student_is_there(place):
    """At least a dozen repositories; each is one of those tested below."""
    there = {path.name for path in (place / "class").iterdir()}
    assert there == EARNS.keys() | MISTAKEN.keys() | FROM_FIXTURES.keys()
    assert len(there) >= 12 and ALIASES.keys() < there


@pytest.mark.parametrize("student", EARNS)
def test_honest_work_earns_what_is_done(place, student):
    """All, half or nothing; a missing file costs its own module only."""
    assert points(place, student) == EARNS[student]


@pytest.mark.parametrize("student", MISTAKEN)
def test_a_mistake_costs_in_its_task_and_nowhere_else(place, student):
    """At most the task's points are lost, and some are."""
    assignment, name = MISTAKEN[student]
    (lost,) = (mutant.loses for mutant in load_mutants(assignment) if mutant.name == name)
    (worth,) = (task.points for task in assignment.tasks if task.id == lost)
    earned = points(place, student)
    assert 100 - worth <= earned.pop(assignment.id) < 100
    assert set(earned.values()) == {100}


@pytest.mark.parametrize("student", FROM_FIXTURES)
def test_an_attack_earns_what_its_honest_part_is_worth(place, student):
    """The lost tasks are those that the fixture names."""
    fixture = FROM_FIXTURES[student]
    assignment = COURSE.assignment(fixture.module)
    lost = fixture.lost_tasks(assignment)
    kept = sum(task.points for task in assignment.tasks if task.id not in lost)
    lower = {one.id: 100 for one in COURSE.assignments if one.number < assignment.number}
    assert points(place, student) == NOTHING | lower | {assignment.id: kept}


def test_a_class_that_is_made_again_has_nothing_new_to_grade(place):
    """The same template makes the same commits, and a graded commit is not graded twice."""
    before = {path.name: head(path) for path in (place / "class").iterdir()}
    again = make(place / "template", place / "class", students())
    assert {path.name: head(path) for path in again} == before
    assert grade(place).graded == 0


def test_the_leaderboard_names_who_asked_for_it(place):
    """Everybody is ranked, and nobody else is named."""
    page = publish(place / "grades" / "ledger", place / "leaderboard")
    board = json.loads((page.parent / "leaderboard.json").read_text(encoding="utf-8"))
    assert sorted(row["alias"] for row in board["rows"]) == sorted(ALIASES.values())
    assert board["ranked"] == len(students())
