"""The course as data: `load_course()` reads course.toml and every assignment.toml, checked once.

Course > Assignment > Task. Whoever holds a `Course` may rely on all of it: the files say what is
allowed and nothing else, points add up to 100, and every task names functions that exist.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from assignments.functions import functions
from assignments.term import Term, TermError, read_term

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10
    import tomli as tomllib

POINTS = 100  # of every module


class CatalogError(Exception):
    """One clear line: the file, what is wrong with it, what to do."""


@dataclass(frozen=True)
class Task:
    """What a student writes for one line of the report: usually one function."""

    functions: tuple[str, ...]  # "Tensor.matmul": blanked in the starter
    points: int
    hint: str

    @property
    def id(self) -> str:
        """The name of the task is that of its first function."""
        return self.functions[0]


@dataclass(frozen=True)
class Planned:
    """A module of the course, whether it is released or not."""

    number: int
    name: str
    title: str
    tier: str

    @property
    def id(self) -> str:
        """The module's folder and full name, "01_tensor"."""
        return f"{self.number:02d}_{self.name}"


@dataclass(frozen=True)
class Milestone:
    """A script that runs on the student's own framework."""

    number: int
    year: int
    name: str
    title: str
    requires: tuple[str, ...]  # ids of modules
    script: Path  # may not be released yet


@dataclass(frozen=True)
class Assignment:
    """One released module: its folder, and the tasks in it."""

    id: str  # "01_tensor"
    number: int
    module: str  # "tensor"
    title: str
    tier: str
    requires: tuple[str, ...]  # ids of lower modules
    minutes: int  # a typical student's time
    version: int  # raised when tasks, points or checks change
    tasks: tuple[Task, ...]
    folder: Path

    @property
    def source(self) -> str:
        """Where the student's work lives, from the root of their repository."""
        return f"tinytorch/{self.module}.py"

    @property
    def lesson(self) -> Path:
        """The text to read first."""
        return self.folder / "README.md"

    @property
    def starter(self) -> Path:
        """The reference with the bodies of all tasks blanked; generated."""
        return self.folder / f"{self.module}.py"

    @property
    def visible_tests(self) -> Path:
        """The tests that students have and run."""
        return self.folder / f"test_{self.module}.py"

    @property
    def functions(self) -> tuple[str, ...]:
        """All functions that the student writes."""
        return tuple(name for task in self.tasks for name in task.functions)

    def task(self, name: str) -> Task:
        """Return the task that holds the function `name`; "matmul" is enough for Tensor.matmul."""
        exact = [task for task in self.tasks if name in task.functions]
        short = [t for t in self.tasks if any(f.endswith(f".{name}") for f in t.functions)]
        found = exact or short
        if len(found) == 1:
            return found[0]
        known = ", ".join(task.id for task in found or self.tasks)
        if found:
            raise CatalogError(
                f"{name!r} may be several tasks of {self.id}; choose one of: {known}"
            )
        raise CatalogError(f"{self.id} has no task {name!r}; choose one of: {known}")

    def tasks_like(self, part: str) -> tuple[Task, ...]:
        """Return the tasks that have `part` in the name of one of their functions."""
        return tuple(
            task
            for task in self.tasks
            if any(part.lower() in function.lower() for function in task.functions)
        )


@dataclass(frozen=True)
class Course:
    """The whole course; `assignments` are those that are released."""

    title: str
    planned: tuple[Planned, ...]
    assignments: tuple[Assignment, ...]
    milestones: tuple[Milestone, ...]
    term: Term | None = None  # None: nothing is due

    def assignment(self, key: str) -> Assignment:
        """Find a module by "01", "1", "01_tensor" or "tensor"."""
        for one in self.assignments:
            if key in (one.id, one.module) or key.isdecimal() and int(key) == one.number:
                return one
        known = ", ".join(one.id for one in self.assignments) or "none yet"
        for one in self.planned:
            if key in (one.id, one.name) or key.isdecimal() and int(key) == one.number:
                raise CatalogError(f"{one.id} is not released yet; released: {known}")
        raise CatalogError(f"there is no module {key!r}; choose one of: {known}")

    def milestone(self, number: int) -> Milestone:
        """Find a milestone by its number or its year: 6 or 2018."""
        for one in self.milestones:
            if number in (one.number, one.year):
                return one
        known = ", ".join(f"{one.number} ({one.year})" for one in self.milestones)
        raise CatalogError(f"there is no milestone {number}; choose from {known}")


def load_course(folder: Path | None = None) -> Course:
    """Read the course in `folder` (by default the one this file is in) and check all of it."""
    folder = Path(folder) if folder else Path(__file__).resolve().parent
    file = folder / "course.toml"
    kinds = {"title": str, "module": list, "milestone": list}
    top = _read(file, kinds, optional=("term",))
    planned = tuple(_planned(table, file) for table in top["module"])
    for number, module in enumerate(planned, start=1):
        if module.number != number:
            _refuse(file, f"module {module.name!r} has number {module.number}", f"write {number}")
    _refuse_twice(file, "module", [module.name for module in planned])
    milestones = tuple(
        _milestone(table, number, file, planned)
        for number, table in enumerate(top["milestone"], start=1)
    )
    term = _term(top["term"], file, planned) if "term" in top else None
    return Course(top["title"], planned, _assignments(folder, planned), milestones, term)


def _term(table: Any, file: Path, planned: tuple[Planned, ...]) -> Term:
    try:
        return read_term(table, [module.id for module in planned])
    except TermError as error:
        _refuse(file, *error.args)


def _planned(table: Any, file: Path) -> Planned:
    kinds = {"number": int, "name": str, "title": str, "tier": str}
    return Planned(**_checked(table, kinds, file, "a module"))


def _milestone(table: Any, number: int, file: Path, planned: tuple[Planned, ...]) -> Milestone:
    kinds = {"year": int, "name": str, "title": str, "requires": list}
    fields = _checked(table, kinds, file, f"milestone {number}")
    ids = {module.name: module.id for module in planned}
    for name in fields["requires"]:
        if name not in ids:
            known = ", ".join(ids)
            _refuse(file, f"milestone {number} requires {name!r}", f"choose from: {known}")
    fields["requires"] = tuple(ids[name] for name in fields["requires"])
    script = f"{number:02d}_{fields['year']}_{fields['name']}.py"
    return Milestone(number, script=file.parent.parent / "milestones" / script, **fields)


def _assignments(folder: Path, planned: tuple[Planned, ...]) -> tuple[Assignment, ...]:
    found: dict[str, Assignment] = {}
    for home in sorted(path for path in folder.glob("[0-9][0-9]_*") if path.is_dir()):
        plan = next((module for module in planned if module.id == home.name), None)
        if plan is None:
            _refuse(home, "is no module of course.toml", "rename it, or list it there")
        found[home.name] = _assignment(home, plan, found)
    return tuple(found.values())


def _assignment(home: Path, plan: Planned, lower: dict[str, Assignment]) -> Assignment:
    file = home / "assignment.toml"
    kinds = {"title": str, "module": str, "tier": str, "requires": list, "minutes": int}
    fields = _read(file, {**kinds, "version": int, "task": list})
    for key, want in (("module", plan.name), ("title", plan.title), ("tier", plan.tier)):
        if fields[key] != want:
            cure = f"write {key} = {want!r}, as in course.toml"
            _refuse(file, f"{key} is {fields[key]!r}", cure)
    for required in fields["requires"]:
        if required not in lower:
            known = ", ".join(lower) or "nothing"
            cure = f"a module builds on lower ones only, so that there is no cycle: {known}"
            _refuse(file, f"requires {required!r}", cure)
    fields["requires"] = tuple(fields["requires"])
    tables = fields.pop("task")
    tasks = tuple(_task(table, number, file) for number, table in enumerate(tables, start=1))
    assignment = Assignment(home.name, plan.number, tasks=tasks, folder=home, **fields)
    for path in (assignment.lesson, assignment.visible_tests):
        if not path.is_file():
            _refuse(path, "is missing", _RESTORE)
    _check_tasks(assignment, file)
    return assignment


def _task(table: Any, number: int, file: Path) -> Task:
    what = f"task {number}"
    fields = _checked(table, {"functions": list, "points": int, "hint": str}, file, what)
    if not fields["functions"]:
        _refuse(file, f"{what} names no function", "list at least one in `functions`")
    return Task(tuple(fields["functions"]), fields["points"], fields["hint"])


def _check_tasks(assignment: Assignment, file: Path) -> None:
    total = sum(task.points for task in assignment.tasks)
    if total != POINTS:
        _refuse(file, f"the tasks' points add up to {total}", f"make it {POINTS}")
    _refuse_twice(file, "function", assignment.functions)
    # The starter has every function there is, but a task may be newer than the last
    # `make starters`: then the reference beside it decides.
    sources = (assignment.starter, assignment.folder.parent.parent / assignment.source)
    present = [path for path in sources if path.is_file()]
    missing = set(assignment.functions)
    for path in present:
        missing -= set(_functions_in(path)) if missing else set()
    if present and missing:
        names = ", ".join(sorted(missing))
        _refuse(file, f"no function {names} in {assignment.source}", "write it as Class.method")


def _functions_in(path: Path) -> set[str]:
    try:
        return {one.name for one in functions(path.read_text(encoding="utf-8"))}
    except (SyntaxError, UnicodeDecodeError):  # a student's unfinished file proves nothing
        return set()


def _read(file: Path, kinds: dict[str, type], optional: tuple[str, ...] = ()) -> dict[str, Any]:
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        _refuse(file, "is missing", _RESTORE)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        _refuse(file, f"is not TOML: {error}", "mend that line")
    return _checked(table, kinds, file, "the file", optional)


def _checked(
    table: Any,
    kinds: dict[str, type],
    file: Path,
    what: str,
    optional: tuple[str, ...] = (),  # keys that are checked elsewhere
) -> dict[str, Any]:
    """Return `table` when it has exactly the keys of `kinds`, each of its type and not empty."""
    if not isinstance(table, dict):
        _refuse(file, f"{what} is {table!r}", "write a table: key = value")
    for key in table:
        if key not in kinds and key not in optional:
            allowed = f"allowed: {', '.join((*kinds, *optional))}"
            _refuse(file, f"{what} has an unknown key {key!r}", allowed)
    for key, kind in kinds.items():
        if key not in table:
            _refuse(file, f"{what} has no key {key!r}", f"add {key} = {_EXAMPLE[kind]}")
        _check_value(table[key], key, kind, file, what)
    return table


def _check_value(value: Any, key: str, kind: type, file: Path, what: str) -> None:
    right = type(value) is kind  # not isinstance: true is an int
    if right and kind is int:
        right = value > 0
    elif right and kind is str:
        right = bool(value.strip())
    elif right and key in ("requires", "functions"):
        right = all(isinstance(item, str) and item for item in value)
    if not right:
        _refuse(file, f"{what} has {key} = {value!r}", f"write it like {_EXAMPLE[kind]}")


_RESTORE = "restore it with `git checkout -- assignments`, or write it"
_EXAMPLE = {int: "10", str: '"some text"', list: '["one", "two"]'}


def _refuse_twice(file: Path, what: str, names: tuple[str, ...] | list[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            _refuse(file, f"{what} {name!r} is listed twice", "keep one of them")


def _refuse(file: Path, problem: str, cure: str) -> NoReturn:
    where = re.sub(r"^.*(?=assignments/)", "", file.as_posix())
    raise CatalogError(f"{where}: {problem}; {cure}")
