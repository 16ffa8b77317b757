"""The hidden test file of one assignment: loaded by otter, refused when otter would misread it.

otter collects the decorated functions of a file and runs them. It does not notice a generator or
coroutine (which always passes), a function defined twice (the first is lost), an unknown parameter
(it becomes None) or points that do not add up. Each of these is an error here, before grading.
"""

from __future__ import annotations

import ast
import dis
import hashlib
import inspect
import marshal
import threading
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import numpy as np

import tinytorch
from assignments.catalog import Assignment
from autograder.errors import AutograderError, GraderError
from autograder.otter_light import ExceptionTestFile

HIDDEN = Path(__file__).parent / "hidden"
GIVEN = frozenset({"np", "tt", "__builtins__", "__name__"})  # to code that travels to a worker
PARAMETERS = frozenset({"agree", "refuses", "student", "reference", "rng", "seed", "fixture"})


@dataclass(frozen=True)
class Case:
    """One check: otter's test case, and the task and points it stands for."""

    task: str
    behaviour: str
    suite: str  # "shown" or "hidden"
    points: float
    hint: str | None
    otter: Any  # otter.test_files.TestCase

    @property
    def name(self) -> str:
        """The name in the test file, as in "Tensor.matmul: random matrices"."""
        return self.otter.name


class HiddenTestFile(ExceptionTestFile):
    """otter's test file, except that the grader's own fault is raised: it is no wrong answer."""

    def _generate_error_message(self, excp: Exception, context: int = 0) -> str:
        if isinstance(excp, AutograderError):
            raise excp
        return f"{type(excp).__name__}: {excp}"  # answers come in batches: no line can be named


@dataclass(frozen=True)
class Settled:
    """The body of a check, which ends only when every answer that it asked for has come."""

    check: Any  # otter's decorator `test_case`, with the function inside

    def call_func(self, names: dict[str, Any]) -> None:
        """Run the check on the names that it asks for."""
        self.check.call_func(names)
        names["student"].settle()


@dataclass(frozen=True)
class Suite:
    """All checks of an assignment in file order, with the probes that they send."""

    assignment: Assignment
    folder: Path
    file: HiddenTestFile
    cases: tuple[Case, ...]
    probes: dict[str, Callable[..., Any]]

    def probe(self, name: str) -> Callable[..., Any]:
        """Return the probe `name`, a function of this assignment's probes.py."""
        if name not in self.probes:
            raise GraderError(f"{self.folder.name}/probes.py has no probe `{name}`")
        return self.probes[name]

    def probe_code(self, name: str) -> bytes:
        """Return the code of one probe alone: a worker must not learn of the others."""
        return marshal.dumps(self.probe(name).__code__)

    def fixture(self, name: str) -> dict[str, np.ndarray]:
        """Load the arrays of `<name>.npz` beside the test file."""
        with np.load(self.folder / f"{name}.npz", allow_pickle=False) as arrays:
            return dict(arrays)

    def only(self, tasks: Collection[str] | None) -> Suite:
        """Return the suite with the checks of `tasks` alone, itself where that is None."""
        if tasks is None:
            return self
        return replace(self, cases=tuple(case for case in self.cases if case.task in tasks))

    def fresh_file(self) -> HiddenTestFile:
        """Return otter's test file without results, for one more submission."""
        file = HiddenTestFile(self.file.name, self.file.path, self.file.test_cases, False)
        file.source = self.file.source
        return file


# Modules are graded at once, and where two threads build syntax trees, CPython 3.11 may raise
# SystemError, "AST constructor recursion depth mismatch".
_loading = threading.Lock()


def load_suite(assignment: Assignment) -> Suite:
    """Load and validate the hidden tests of `assignment`; GraderError names file and fault."""
    with _loading:
        return _load_suite(assignment)


@cache
def _load_suite(assignment: Assignment) -> Suite:
    folder = HIDDEN / assignment.id
    path = folder / f"test_{assignment.module}.py"
    if not path.is_file():
        raise GraderError(f"{path.name} is missing in {folder.name}: {assignment.id} has no checks")
    file = _read(path)
    cases = tuple(_case(case, path) for case in file.test_cases)
    suite = Suite(assignment, folder, file, cases, _load_probes(folder / "probes.py"))
    _validate(suite, path)
    return suite


def suite_digest(assignments: tuple[Assignment, ...]) -> str:
    """Digest what decides a grade: hidden files, metadata and the reference of `assignments`."""
    digest = hashlib.sha256()
    for assignment in assignments:
        paths = [p for p in (HIDDEN / assignment.id).iterdir() if p.suffix in {".py", ".npz"}]
        paths += [assignment.folder / "assignment.toml", reference_path(assignment)]
        for path in sorted(paths):
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            digest.update(f"{assignment.id}/{path.name} {content}\n".encode())
    return f"sha256:{digest.hexdigest()}"


def reference_path(assignment: Assignment) -> Path:
    """Return the file of the reference framework for `assignment`."""
    return Path(tinytorch.__file__).parent / f"{assignment.module}.py"


def _read(path: Path) -> HiddenTestFile:
    try:
        return HiddenTestFile.from_file(str(path))
    except Exception as error:
        kind = type(error).__name__
        raise GraderError(
            f"{path.parent.name}/{path.name} does not load: {kind}: {error}"
        ) from error


def _case(case, path: Path) -> Case:
    task, separator, behaviour = case.name.partition(": ")
    if not separator:
        raise GraderError(f"{path.name}: name {case.name!r} must read '<task>: <behaviour>'")
    suite = "hidden" if case.hidden else "shown"
    settled = replace(case, body=Settled(case.body))
    return Case(task, behaviour, suite, case.points, case.failure_message, settled)


def _load_probes(path: Path) -> dict[str, Callable[..., Any]]:
    space: dict[str, Any] = {"np": np, "tt": tinytorch, "__name__": "probes"}
    exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), space)
    probes = {name: f for name, f in space.items() if isinstance(f, FunctionType)}
    for name, probe in probes.items():
        if probe.__closure__ or probe.__defaults__ or probe.__kwdefaults__:
            raise GraderError(f"{path.name}: probe `{name}` must have no closure and no defaults")
        foreign = global_names(probe.__code__) & set(space) - GIVEN
        if foreign:
            raise GraderError(f"{path.name}: probe `{name}` travels alone, it cannot use {foreign}")
    return probes


def global_names(code: CodeType) -> set[str]:
    """Return the global names that `code`, or a function or class inside of it, reads."""
    loads = ("LOAD_GLOBAL", "LOAD_NAME")
    read = {one.argval for one in dis.get_instructions(code) if one.opname in loads}
    inner = (constant for constant in code.co_consts if isinstance(constant, CodeType))
    return read.union(*map(global_names, inner))


def _validate(suite: Suite, path: Path) -> None:
    assignment, file = suite.assignment, suite.file
    tree = ast.parse(path.read_text(encoding="utf-8"))
    faults = [
        *_name_faults(suite, tree),
        *(fault for case in suite.cases for fault in _function_faults(case)),
        *_point_faults(suite, tree),
    ]
    if file.name != assignment.id:
        faults.append(f"name is {file.name!r}, expected {assignment.id!r}")
    if file.all_or_nothing:
        faults.append("all_or_nothing takes points away, expected False")
    if faults:
        raise GraderError(f"{assignment.id}/{path.name}: " + "; ".join(faults))


def _name_faults(suite: Suite, tree: ast.Module):
    functions = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    for kind, names in (("function", functions), ("check", [case.name for case in suite.cases])):
        for name, count in Counter(names).items():
            if count > 1:
                yield f"{kind} {name!r} is defined {count} times, otter would keep one"


def _function_faults(case: Case):
    function = case.otter.body.check.test_func
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        yield f"{case.name!r} is asynchronous and would always pass"
    if inspect.isgeneratorfunction(function):
        yield f"{case.name!r} is a generator and would always pass"
    unknown = set(inspect.signature(function).parameters) - PARAMETERS
    if unknown:
        yield f"{case.name!r} asks for {sorted(unknown)}, there are {sorted(PARAMETERS)}"


def _point_faults(suite: Suite, tree: ast.Module):
    total = sum(task.points for task in suite.assignment.tasks)
    if f"points = {total}" not in map(ast.unparse, tree.body):
        yield f"expected the line `points = {total}`: otter loses what the checks do not add up to"
    tasks = {task.id: task.points for task in suite.assignment.tasks}
    hidden = Counter(case.task for case in suite.cases if case.suite == "hidden")
    points: Counter[str] = Counter()
    for case in suite.cases:
        if not case.points > 0:
            yield f"{case.name!r} is worth {case.points} points, expected more than 0"
        points[case.task] += case.points
    for task in sorted(points.keys() - tasks.keys()):
        yield f"task {task!r} is not in assignment.toml"
    for task, expected in tasks.items():
        if abs(points[task] - expected) > 1e-9:
            yield f"checks of {task!r} add up to {points[task]:g} points, expected {expected:g}"
        if hidden[task] < 2:
            yield f"{task!r} has {hidden[task]} hidden checks, expected at least 2"
