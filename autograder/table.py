"""Tables for a terminal: one report, task by task. Nothing a student wrote is printed unescaped."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table


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


def _failure(test: dict[str, Any] | None) -> str:
    if test is None:
        return ""
    where = f" (line {test['location']['line']})" if test.get("location") else ""
    what = test.get("error") or "wrong answer"
    return escape(f"{test['id'].rpartition('/')[2]}: {what}{where}")
