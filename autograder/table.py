"""Tables for a terminal: one report, task by task. Nothing a student wrote is printed unescaped."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from autograder.sandbox.text import one_line

if TYPE_CHECKING:
    from autograder.github.regrade import Change


def print_report(report: dict[str, Any], folder: Path) -> None:
    """Print the score of each task of `report` and where the files are."""
    console = Console(highlight=False)
    for assignment in report["assignments"]:
        console.print(_task_table(report, assignment))
        if assignment.get("note"):
            console.print(f"[yellow]{escape(assignment['note'])}")
    score = report["score"]
    stamp = "" if report["grader"]["isolation"] == "full" else "  [red]practice, no grade[/]"
    console.print(f"[bold]{score['points']:g} / {score['max_points']:g} points[/]{stamp}")
    console.print(f"Reports: {escape(str(folder))}", soft_wrap=True)


def _task_table(report: dict[str, Any], assignment: dict[str, Any]) -> Table:
    table = Table(title=f"{assignment['id']} {assignment['title']}", title_justify="left")
    table.add_column("task")
    table.add_column("checks", justify="right")
    table.add_column("points", justify="right")
    table.add_column("first failure")
    tasks = defaultdict(list)
    for test in report["tests"]:
        if test["module"] == assignment["id"]:
            tasks[test["task"]].append(test)
    for task, tests in tasks.items():
        passed = sum(test["status"] == "passed" for test in tests)
        points, most = (sum(test[key] for test in tests) for key in ("points", "max_points"))
        first = next((test for test in tests if test["status"] != "passed"), None)
        color = "green" if passed == len(tests) else "red" if not passed else "yellow"
        cells = f"{passed}/{len(tests)}", f"{points:g}/{most:g}", _failure(first)
        table.add_row(escape(task), *cells, style=color)
    return table


def print_changes(changes: Sequence[Change]) -> None:
    """Print who would go up and who down, the greatest loss first."""
    console = Console(highlight=False)
    table = Table("repository", "module", "before", "after", "change", "why")
    for column in table.columns[2:5]:
        column.justify = "right"
    for one in changes:
        before = "" if one.before is None else f"{one.before:g}"
        color = "green" if one.gain > 0 else "red" if one.gain < 0 else "white"
        cells = (
            one.module,
            before,
            f"{one.after:g}",
            f"{one.gain:+g}",
            escape(one_line(one.why, 200)),
        )
        table.add_row(str(one.repository), *cells, style=color)
    if changes:
        console.print(table)
    up, down = (sum(sign * one.gain > 0 for one in changes) for sign in (1, -1))
    console.print(f"{up} go up, {down} go down; all other modules stay as they are")


def _failure(test: dict[str, Any] | None) -> str:
    if test is None:
        return ""
    where = f" (line {test['location']['line']})" if test.get("location") else ""
    what = test.get("error") or "wrong answer"
    return escape(f"{test['id'].rpartition('/')[2]}: {what}{where}")
