"""What the teacher sees of a class: progress while it runs, and one table at the end."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from autograder.cohort.roster import DEPTH, PLAIN, output_name
from autograder.sandbox.text import one_line

LOG_WIDTH = 180  # of a file or a log, where nothing wraps
BESIDE, MODULE = 45, 6  # columns of a terminal: for student, total and status; for each module
_COLORS = {"passed": "green", "partial": "yellow", "ungradable": "magenta"}


class Line(NamedTuple):
    """One student of the class and their report."""

    name: str
    report: dict[str, Any]


class Step(Protocol):
    """Called when a submission is done."""

    def __call__(self, line: Line) -> None:
        """Show `line`."""


def terminal() -> Console:
    """Return the console of this process; a letter that it cannot show must not end a class."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")
    console = Console(highlight=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = LOG_WIDTH
    return console


@contextmanager
def progress(console: Console, total: int) -> Iterator[Step]:
    """Show how far the class is: a bar on a terminal, one quiet line each in a log."""
    if not console.is_terminal:
        done = iter(range(1, total + 1))
        yield lambda line: console.print(f"{next(done)}/{total} {_summary(line)}", soft_wrap=True)
        return
    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[now]}"),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=total, now="")
        yield lambda line: bar.update(task, advance=1, now=_summary(line))


def print_class(console: Console, lines: Sequence[Line]) -> None:
    """Print the class: points per module, total and status of every student."""
    modules = sorted({one["id"] for line in lines for one in line.report["assignments"]})
    if BESIDE + MODULE * len(modules) > console.width:
        modules = []  # or each cell would be an ellipsis; the reports have them all
    table = Table(title=f"{len(lines)} submissions", title_justify="left", box=SIMPLE_HEAD)
    table.add_column("student", overflow="fold", min_width=12)
    for module in modules:
        table.add_column(module.partition("_")[0], justify="right", no_wrap=True)
    table.add_column("total", justify="right", no_wrap=True)
    table.add_column("status", no_wrap=True)
    for line in lines:
        scores = {one["id"]: one["score"] for one in line.report["assignments"]}
        cells = [_earned(scores.get(module)) for module in modules]
        color = _COLORS.get(line.report["status"], "red")
        status = f"[{color}]{_status(line.report)}[/]"
        table.add_row(_safe(line.name), *cells, _points(line.report["score"]), status)
    console.print(table)
    for line in lines:
        if line.report.get("reason"):
            console.print(f"{_safe(line.name)}: {escape(line.report['reason'])}", soft_wrap=True)


def _summary(line: Line) -> str:
    return f"{_safe(line.name)}: {_points(line.report['score'])} {_status(line.report)}"


def _status(report: dict[str, Any]) -> str:
    practice = report["grader"]["isolation"] != "full"
    return report["status"] + (", practice" if practice else "")


def _earned(score: dict[str, Any] | None) -> str:
    """Return the points alone, of the 100 that every module has."""
    return "–" if score is None else f"{score['points']:.3g}"


def _points(score: dict[str, Any] | None) -> str:
    return "–" if score is None else f"{score['points']:g} / {score['max_points']:g}"


def _safe(name: str) -> str:
    """Show a student by the name of their folder, which is nobody else's."""
    return escape(one_line(output_name(name), DEPTH * (PLAIN + 1)))
