"""Run visible tests in a process of their own and read what became of each.

The student's code runs under the same Python, but never in this process: an endless loop, a crash
or a `sys.exit` there ends in a line of text here.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assignments.catalog import Assignment, Task

TEST_LIMIT_S = 10  # of one test, as long as the grader gives one check
RUN_LIMIT_S = 60  # of all tests of one module
_NO_OPTION = re.compile(r"(\n\s*)*\n\s*Use -v to get more diff")  # `tito test` has none such
_PLUGINS = ("pytest_metadata.plugin", "pytest_jsonreport.plugin")


@dataclass(frozen=True)
class TestResult:
    """What became of one visible test."""

    __test__ = False  # pytest need not look for tests in here

    name: str
    task: str | None
    passed: bool
    message: str  # the test's docstring
    where: str  # "tinytorch/tensor.py:57"
    error: str  # "AssertionError: assert 3 == 4"
    source: str  # the line that failed
    output: str  # what the student's code printed

    @property
    def unwritten(self) -> str | None:
        """The function that the test found blank as in the starter: "01_tensor: Tensor.matmul"."""
        match = re.match(r"NotImplementedError: (\d\d_\w+: \S+)$", self.error)
        return match[1] if match else None


@dataclass(frozen=True)
class Practice:
    """The visible tests of one module, run on the student's file."""

    assignment: Assignment
    tests: tuple[TestResult, ...] = ()
    problem: str | None = None  # why there are no results: one line

    def of(self, task: Task) -> list[TestResult]:
        """Return the tests of `task`."""
        return [test for test in self.tests if test.task == task.id]

    @property
    def tasks_done(self) -> int:
        """The number of tasks that have tests, all of which pass."""
        results = [self.of(task) for task in self.assignment.tasks]
        return sum(all(test.passed for test in tests) for tests in results if tests)

    @property
    def passed(self) -> bool:
        """True when there are results and all of them are good."""
        return self.problem is None and all(test.passed for test in self.tests)


def practise(
    root: Path, assignment: Assignment, tasks: Sequence[Task] = (), limit_s: float = RUN_LIMIT_S
) -> Practice:
    """Run the visible tests of `assignment`, or of some `tasks`, in the repository at `root`."""
    with tempfile.TemporaryDirectory(prefix="tito-", ignore_cleanup_errors=True) as scratch:
        report = Path(scratch, "report.json")
        command = _command(root, assignment, tasks, report)
        with Path(scratch, "output.txt").open("w+b") as output:
            try:
                code = subprocess.run(
                    command,
                    cwd=root,
                    env=_environment(root),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    timeout=limit_s,
                ).returncode
            except subprocess.TimeoutExpired:
                return Practice(assignment, problem=_too_long(assignment, limit_s))
            output.seek(0)
            printed = output.read().decode(errors="replace")
        if not report.is_file():
            return Practice(assignment, problem=_no_report(root, assignment, code, printed))
        return _read(assignment, json.loads(report.read_text(encoding="utf-8")))


def _command(root: Path, assignment: Assignment, tasks: Sequence[Task], report: Path) -> list[str]:
    options = ["-q", "--import-mode=importlib", "-p", "no:cacheprovider", f"--rootdir={root}"]
    options += ["-o", "addopts=", "-o", f"faulthandler_timeout={TEST_LIMIT_S}"]
    options += ["-o", "faulthandler_exit_on_timeout=true"]
    options += [part for plugin in _PLUGINS for part in ("-p", plugin)]
    options += ["--json-report", f"--json-report-file={report}", "--json-report-omit=log"]
    options += [f"--task={task.id}" for task in tasks]
    return [sys.executable, "-m", "pytest", *options, str(assignment.visible_tests)]


def _environment(root: Path) -> dict[str, str]:
    """Return an environment in which only what is said here decides how pytest runs."""
    env = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    env["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    # This repository's tinytorch, and not one that is installed from another copy.
    env["PYTHONPATH"] = os.pathsep.join(filter(None, [str(root), env.get("PYTHONPATH")]))
    return env


def _too_long(assignment: Assignment, limit_s: float) -> str:
    return (
        f"{assignment.source}: its tests took longer than {limit_s:g} s together and were stopped; "
        "look for an endless loop outside any function, or run one task: "
        f"`tito test {assignment.id[:2]} -k {assignment.tasks[0].id}`"
    )


def _no_report(root: Path, assignment: Assignment, code: int, printed: str) -> str:
    """Say why pytest ended without a report: a test took too long, or something crashed."""
    if "Timeout (" in printed:
        test = re.search(r" in (test_\w+)$", printed, re.MULTILINE)
        return (
            f"{_deepest(root, printed) or assignment.source}: {test[1] if test else 'a test'} took "
            f"longer than {TEST_LIMIT_S} s and was stopped here; is a loop endless?"
        )
    if "No module named pytest" in printed:
        return "pytest is not installed: run `pip install -e .` in your repository"
    last = ([line for line in printed.splitlines() if line.strip()] or ["no output"])[-1]
    return f"{assignment.source}: its tests ended early (exit code {code}): {last.strip()}"


def _deepest(root: Path, printed: str) -> str | None:
    """Return the student's line that a dump of the stack ends in, as "tinytorch/tensor.py:57"."""
    for path, line in re.findall(r'File "(.+)", line (\d+) in ', printed):
        if root / "tinytorch" in Path(path).parents:
            return f"{Path(path).relative_to(root).as_posix()}:{line}"
    return None


def _read(assignment: Assignment, report: dict[str, Any]) -> Practice:
    for collector in report.get("collectors", []):
        if collector["outcome"] == "failed":
            words = [line for line in collector["longrepr"].splitlines() if line.strip()]
            return Practice(assignment, problem=re.sub(r"^E\s+", "", words[-1]))
    tests = tuple(_result(test) for test in report["tests"])
    return Practice(assignment, tests, None if tests else f"{assignment.id} has no such tests")


def _result(test: dict[str, Any]) -> TestResult:
    stages = [test.get(name, {}) for name in ("setup", "call", "teardown")]
    stage = next((stage for stage in stages if stage.get("outcome") == "failed"), {})
    # The first marked line is the test's own, whatever it called.
    source = re.search(r"^>\s+(.*)$", stage.get("longrepr", ""), re.MULTILINE)
    metadata = test.get("metadata", {})
    return TestResult(
        name=test["nodeid"].rpartition("::")[2],
        task=metadata.get("task"),
        passed=test["outcome"] == "passed",
        message=metadata.get("message") or "",
        where=_where(stage.get("traceback", [])),
        error=_NO_OPTION.sub("", stage.get("crash", {}).get("message", "")),
        source=source[1] if source else "",
        output=stage.get("stdout", ""),
    )


def _where(frames: list[dict[str, Any]]) -> str:
    """Return the deepest line of the student's own in a traceback, or else the test's."""
    lines = [f"{Path(frame['path']).as_posix()}:{frame['lineno']}" for frame in frames]
    own = [line for line in lines if line.startswith("tinytorch/")]
    return (own[-1:] or lines[:1] or [""])[0]
