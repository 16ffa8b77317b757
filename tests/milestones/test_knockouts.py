"""A milestone needs each of its modules: with one of them broken, its gate is missed."""

from __future__ import annotations

import re

import pytest

from autograder.sandbox import Limits, Sandbox
from tests.milestones.knockouts import KNOCKOUTS, MILESTONES, README, broken, table

SLIP = re.compile(r"\b(Name|Attribute|Import|Syntax)Error\b")  # a name that is not there any more
QUICK = 3  # up to this milestone each run is some seconds, and all are made here
CASES = [(one, number) for one in KNOCKOUTS for number in one.milestones]


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(Limits(wall_s=60, cpu_s=120)) as opened:
        yield opened


@pytest.mark.parametrize(("knockout", "number"), CASES, ids=lambda x: getattr(x, "module", x))
def test_a_broken_module_misses_the_gate(knockout, number, sandbox, tmp_path):
    """It does in every run, not in one of three; of the longer ones, one is made here."""
    runs = 3 if number <= QUICK else 1
    grade = broken(knockout, number, sandbox, tmp_path, runs)
    for run in range(runs):
        missed = [answer for answer in grade.answers if answer.run == run and not answer.passed]
        assert missed, f"milestone {number} is passed with {knockout.mistake}"
        assert not [one for one in missed if "tests/" in one.reason]
        assert not [one for one in missed if SLIP.search(one.reason)], "nothing was broken but this"


def test_each_module_of_each_milestone_is_knocked_out_once():
    """A milestone that asks for a module uses it."""
    knocked = sorted((number, one.module) for one in KNOCKOUTS for number in one.milestones)
    needed = [(one.number, name[3:]) for one in MILESTONES for name in one.requires]
    assert knocked == sorted(needed)


def test_the_table_in_the_readme_names_every_knockout():
    """Its numbers are measured: `python -m tests.milestones.knockouts` prints it anew."""
    text = README.read_text(encoding="utf-8")
    cells = [line.split(" | ")[:2] for line in table({}).splitlines()[2:]]
    assert [cell for cell in cells if " | ".join(cell) not in text] == []
