"""What tito prints: the tasks of a module, its failing tests, the map of the course."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console, Group
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from assignments.catalog import Assignment, Course, Task
from assignments.practice import Practice, TestResult

SHOWN_LINES = 8  # of an error or of printed output: enough to see, short enough to read
BAR_WIDTH = 20


def outcome(practice: Practice) -> Group:
    """Show what became of a module's tests: tasks in a table, what is wrong, what is next."""
    if practice.problem:
        head = Text(practice.assignment.id, "bold")
        return Group(head, Text(practice.problem, "red"))
    wrong = [test for test in practice.tests if not test.passed and test.unwritten is None]
    return Group(_task_table(practice), *map(_failure, wrong), Text(), _next(practice))


def _next(practice: Practice) -> str:
    for task in practice.assignment.tasks:
        for test in practice.of(task):
            if not test.passed:
                here = f"{practice.assignment.id}: {task.id}"
                module, _, function = (test.unwritten or here).partition(": ")
                return f"Next: {function} (`tito hint {module[:2]} {function}` helps)."
    return "All of these visible tests pass: `tito submit` hands your work in."


def _task_table(practice: Practice) -> Table:
    table = Table(title=practice.assignment.id, title_justify="left", box=None, pad_edge=False)
    table.add_column("task", overflow="fold")
    table.add_column("tests", justify="right", no_wrap=True)
    table.add_column("", overflow="fold")
    for task in practice.assignment.tasks:
        tests = practice.of(task)
        if tests:
            passed = sum(test.passed for test in tests)
            state = _state(practice.assignment, task, tests)
            table.add_row(task.id, f"{passed}/{len(tests)}", state)
    return table


def _state(assignment: Assignment, task: Task, tests: list[TestResult]) -> Text:
    failing = [test for test in tests if not test.passed]
    if not failing:
        return Text("done", "green")
    unwritten = {test.unwritten for test in failing}
    if unwritten & {f"{assignment.id}: {function}" for function in task.functions}:
        return Text("not written yet", "dim")
    if None not in unwritten:
        needed = ", ".join(sorted(unwritten)).replace(f"{assignment.id}: ", "")
        return Text(f"needs {needed}", "dim")
    return Text(f"{len(failing)} failing", "red")


def _failure(test: TestResult) -> Group:
    """One failing test: what it demands, the line that failed, what came instead."""
    parts = [Text(), Text.assemble((test.task or "", "bold red"), f"  {test.name}")]
    parts += [Padding(Text(test.message), (0, 0, 0, 2))] if test.message else []
    lines = [f"> {test.source}"] if test.source else []
    lines += [f"{test.where}: {line}" if not i else line for i, line in _clipped(test.error)]
    parts += [Padding(Text("\n".join(lines), "red"), (0, 0, 0, 2))]
    if test.output.strip():
        printed = "\n".join(line for _, line in _clipped(test.output))
        parts += [Padding(Text(f"your code printed:\n{printed}", "dim"), (0, 0, 0, 2))]
    return Group(*parts)


def _clipped(text: str) -> list[tuple[int, str]]:
    lines = text.rstrip().splitlines()
    more = len(lines) - SHOWN_LINES
    return list(enumerate(lines[:SHOWN_LINES] + ([f"({more} more lines)"] if more > 0 else [])))


def course_map(course: Course, progress: Mapping[str, Practice]) -> Table:
    """All modules by tier, each with a bar; `progress` holds those that are started."""
    table = Table(title=course.title, title_justify="left", box=None, pad_edge=False)
    table.add_column("", no_wrap=True)
    table.add_column("module", no_wrap=True)
    table.add_column("progress", width=BAR_WIDTH)
    table.add_column("tasks", justify="right", no_wrap=True)
    table.add_column("", overflow="fold")
    _add_due(table, course)
    released = {assignment.id: assignment for assignment in course.assignments}
    tier = None
    for module in course.planned:
        if module.tier != tier:
            tier = module.tier
            table.add_row("", Text(tier, "bold"))
        name = f"{module.number:02d}", module.title
        if module.id in released:
            assignment = released[module.id]
            cells = _progress(assignment, progress.get(module.id))
        else:
            cells = "", "", Text("not released yet", "dim")
        due = (course.term.written(module.id),) if course.term else ()
        table.add_row(*name, *cells, *due)
    return table


def _add_due(table: Table, course: Course) -> None:
    if course.term:
        table.add_column("due", no_wrap=True)
        zone = f"Due by the clocks of {course.term.time_zone}; what staff agreed with you counts."
        table.caption, table.caption_justify = zone, "left"


def _progress(
    assignment: Assignment, practice: Practice | None
) -> tuple[ProgressBar, str, Text | str]:
    total = len(assignment.tasks)
    if practice is None:
        return _bar(0, total), f"0/{total}", f"tito start {assignment.id[:2]}"
    done = practice.tasks_done
    if practice.problem:
        state = Text(practice.problem, "red")
    elif done == total and practice.passed:
        state = Text("done", "green")
    else:
        state = f"tito test {assignment.id[:2]}"
    return _bar(done, total), f"{done}/{total}", state


def _bar(done: int, total: int) -> ProgressBar:
    return ProgressBar(total, done, width=BAR_WIDTH)


def console(stderr: bool = False) -> Console:
    """Return a console that marks nothing up by itself: what students print is no markup."""
    return Console(stderr=stderr, highlight=False, markup=False, emoji=False, soft_wrap=False)
