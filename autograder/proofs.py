"""Prove that the checks check: nothing is earned for nothing, and every task can be lost.

For every module there is:
1. the reference passes every visible test and every hidden check, and the starter imports;
2. with one listed function blanked, a visible test and a hidden check of its task fail;
3. an empty submission, and one of untouched starters, earn exactly 0;
4. every mutant loses the task it names, and a blank file costs no other module a point;
5. every lower module is unchanged by importing it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from multiprocessing import get_context

from rich.console import Console
from rich.progress import track

from assignments.catalog import Assignment, Course, load_course
from assignments.practice import Practice
from autograder.mutants import Mutant, load_mutants
from autograder.outcome import Grade
from autograder.single import chosen
from autograder.starters import starter
from autograder.trial import ROOT, trial

SEEDS = range(5)  # the reference must pass on any inputs, not on one lucky draw
MUTANTS = 10  # at least, of every module


def prove(modules: Sequence[str] = ()) -> list[str]:
    """Prove `modules`, or all there are, on every core; return what could not be proved."""
    course = load_course()
    proofs = [proof for one in chosen(course, modules) for proof in _proofs(course, one)]
    failures: list[str] = []
    # Not by fork: a thread draws the progress bar.
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn")) as pool:
        running = [pool.submit(proof) for proof in proofs]
        for done in track(
            as_completed(running),
            "proving that the checks check",
            total=len(running),
            console=Console(stderr=True),
            transient=True,
        ):
            failures += done.result()
    return sorted(failures)


def _proofs(course: Course, assignment: Assignment) -> Iterator[Callable[[], list[str]]]:
    """Yield the proofs of one module: each may run in any process, in any order."""
    yield partial(_visible_tests_fit, assignment)
    yield from (partial(_reference_earns_all, assignment, seed) for seed in SEEDS)
    yield partial(_nothing_earns_nothing, assignment)
    yield partial(_others_keep_their_points, assignment)
    yield partial(_lower_modules_unchanged, course, assignment)
    for name in assignment.functions:
        yield partial(_blank_is_noticed, assignment, name)
    mutants = load_mutants(assignment)
    yield partial(too_few, assignment, mutants)
    yield from (partial(_mutant_is_caught, assignment, mutant) for mutant in mutants)


def _visible_tests_fit(assignment: Assignment) -> list[str]:
    starting = trial().visible(assignment, starter(assignment))
    found = [f"{assignment.id}: the starter does not import: {starting.problem}"]
    whole = trial().visible(assignment, trial().references()[assignment.module])
    return refused(assignment, whole) + found * (starting.problem is not None)


def refused(assignment: Assignment, practice: Practice) -> list[str]:
    """Name the visible tests that the reference fails, and those of no task."""
    if practice.problem:
        return [f"{assignment.id}: visible tests do not run: {practice.problem}"]
    tasks = [task.id for task in assignment.tasks]
    return [
        f"{assignment.id}: the reference fails the visible test {test.name}: {test.error}"
        for test in practice.tests
        if not test.passed
    ] + [
        f"{assignment.id}: the visible test {test.name} is of task {test.task!r}, expected one "
        f"of {tasks}"
        for test in practice.tests
        if test.task not in tasks
    ]


def _reference_earns_all(assignment: Assignment, seed: int) -> list[str]:
    return lost(assignment, trial().hidden([assignment], trial().references(), seed))


def lost(assignment: Assignment, grade: Grade) -> list[str]:
    """Name the hidden checks of `assignment` that the reference fails."""
    return [
        f"{check.id}: the reference fails this check with seed {grade.seed}: "
        f"{check.error or check.message or check.status}"
        for check in _module(grade, assignment).checks
        if check.status != "passed" or check.points != check.max_points
    ]


def _nothing_earns_nothing(assignment: Assignment) -> list[str]:
    untouched = {one.module: starter(one) for one in trial().course.assignments}
    return earned(assignment, "nothing", trial().hidden([assignment], {})) + earned(
        assignment, "the untouched starter", trial().hidden([assignment], untouched)
    )


def earned(assignment: Assignment, what: str, grade: Grade) -> list[str]:
    """Name the checks of `assignment` that give points for `what`."""
    return [
        f"{check.id}: {what} earns {check.points:g} points here"
        for check in _module(grade, assignment).checks
        if check.points != 0 or check.status == "passed"
    ]


def _lower_modules_unchanged(course: Course, assignment: Assignment) -> list[str]:
    lower = [one.module for one in course.assignments if one.number < assignment.number]
    command = [sys.executable, "-m", "autograder.untouched", *lower, assignment.module]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8")
    if run.returncode:
        return [f"{assignment.id}: does not import: {run.stderr.strip().splitlines()[-1]}"]
    return [f"{assignment.id}: importing it changes {name}" for name in run.stdout.split()]


def _blank_is_noticed(assignment: Assignment, function: str) -> list[str]:
    blanked = starter(assignment, only=function)
    practice = trial().visible(assignment, blanked, [assignment.task(function)])
    task = assignment.task(function).id
    sources = trial().references({assignment.module: blanked})
    grade = trial().hidden([assignment], sources, task=task)
    return unnoticed(assignment, function, practice, grade)


def unnoticed(assignment: Assignment, function: str, practice: Practice, grade: Grade) -> list[str]:
    """Say where a blanked `function` went unnoticed: in visible tests, in hidden checks."""
    task = assignment.task(function)
    found = []
    if not any(not test.passed for test in practice.of(task)):
        found.append(f"{assignment.id}: no visible test of {task.id} fails without {function}")
    checks = [check for check in _module(grade, assignment).checks if check.task == task.id]
    if not any(check.suite == "hidden" and check.status != "passed" for check in checks):
        found.append(f"{assignment.id}: no hidden check of {task.id} fails without {function}")
    return found


def too_few(assignment: Assignment, mutants: list[Mutant]) -> list[str]:
    """Say so where a module has too few mutants to trust its checks."""
    missing = MUTANTS - len(mutants)
    return [f"{assignment.id}: {missing} mutants more are needed"] if missing > 0 else []


def _mutant_is_caught(assignment: Assignment, mutant: Mutant) -> list[str]:
    sources = trial().references({assignment.module: mutant.source})
    return survived(mutant, trial().hidden([assignment], sources, task=mutant.loses))


def survived(mutant: Mutant, grade: Grade) -> list[str]:
    """Say so where `mutant` keeps the task it must lose."""
    if all(check.status == "passed" for module in grade.modules for check in module.checks):
        return [f"mutant {mutant.name}: no check of {mutant.loses} catches it ({mutant.why})"]
    return []


def _others_keep_their_points(assignment: Assignment) -> list[str]:
    others = [one for one in trial().course.assignments if one.id != assignment.id]
    sources = trial().references({assignment.module: starter(assignment)})
    return harmed(assignment, trial().hidden(others, sources))


def harmed(blank: Assignment, grade: Grade) -> list[str]:
    """Name the modules that lose points because another one, `blank`, is not written."""
    return [
        f"{blank.id}: where it is blank, {module.id} loses points too"
        for module in grade.modules
        if module.points != module.max_points
    ]


def _module(grade: Grade, assignment: Assignment):
    return next(module for module in grade.modules if module.id == assignment.id)
