"""The student's command `tito`: parse, call, print. The work is in the other modules."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click
from rich.progress import track

from assignments import display
from assignments.catalog import Assignment, CatalogError, Task
from assignments.practice import Practice, practise
from assignments.repository import Repository, TitoError, back_up, write_whole
from assignments.submit import submit as hand_in


class Commands(click.Group):
    """A group whose commands end in one clear line, never in a traceback."""

    def invoke(self, ctx: click.Context):
        """Run the command; a mistake is printed as its line and ends with exit code 2."""
        try:
            return super().invoke(ctx)
        except (TitoError, CatalogError) as error:
            line = str(error)
        except BrokenPipeError:
            raise  # whoever reads has seen enough, as `tito status | head` has; click ends quietly
        except OSError as error:
            line = f"{error.filename}: {error.strerror}; check that file and try again"
        click.echo(f"tito: {line}", err=True)
        raise click.exceptions.Exit(2)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Build a machine-learning framework, module by module: start 01, edit, test 01, submit."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # a legacy code page has no é: print ? and go on


module_argument = click.argument("module")


@main.command()
@module_argument
def start(module: str) -> None:
    """Begin MODULE (as in 01): copy its starter.

    It goes to tinytorch/, but never over a file that is there.
    """
    repository = _here()
    assignment = repository.course.assignment(module)
    repository.start(assignment)
    tasks = len(assignment.tasks)
    click.echo(f"{assignment.source} is ready: {tasks} tasks, about {_time(assignment.minutes)}.")
    click.echo(f"1. Read {_shown(repository, assignment.lesson)}.")
    click.echo(f"2. In {assignment.source}, write what raises NotImplementedError.")
    click.echo(f"3. Run `tito test {assignment.id[:2]}`, as often as you like.")


@main.command()
@click.argument("module", required=False)
@click.option("-k", "task", help="Only tasks with this in their name, as in matmul.")
def test(module: str | None, task: str | None) -> None:
    """Run visible tests: of MODULE, or of all that you have started.

    Exit code 0 when all of them pass, 1 when some fail.
    """
    repository = _here()
    assignments = [repository.course.assignment(module)] if module else repository.started()
    for assignment in assignments:
        repository.require_started(assignment)
    if not assignments:
        click.echo("Nothing is started yet: begin with `tito start 01`.")
        return
    practices = _practise(repository, _chosen(assignments, task))
    for practice in practices:
        display.console().print(display.outcome(practice))
    raise click.exceptions.Exit(0 if all(practice.passed for practice in practices) else 1)


@main.command()
def status() -> None:
    """Show how far you are in the course.

    Runs the visible tests of what you have started: there is no other record of progress.
    """
    repository = _here()
    practices = _practise(repository, {one: () for one in repository.started()})
    progress = {practice.assignment.id: practice for practice in practices}
    display.console().print(display.course_map(repository.course, progress))


@main.command()
@module_argument
@click.argument("function", required=False)
def hint(module: str, function: str | None) -> None:
    """Give a hint for FUNCTION of MODULE.

    Without FUNCTION, list the tasks of MODULE.
    """
    assignment = _here().course.assignment(module)
    if function is None:
        for task in assignment.tasks:
            click.echo(f"tito hint {assignment.id[:2]} {task.id}")
    else:
        click.echo(assignment.task(function).hint)


@main.command()
@module_argument
@click.argument("function", required=False)
@click.option("--yes", is_flag=True, help="Do not ask.")
def reset(module: str, function: str | None, yes: bool) -> None:
    """Put a starter back: all of MODULE, or FUNCTION.

    Asks first, and keeps your version under .tito/backups/.
    """
    repository = _here()
    assignment = repository.course.assignment(module)
    path = repository.file(assignment)
    data = repository.reset_text(assignment, function).encode()
    what = f"{function} in {assignment.source}" if function else assignment.source
    if data == path.read_bytes():
        click.echo(f"{what} is as in the starter: nothing to put back.")
        return
    if not yes and not click.confirm(f"Replace {what} by the starter's version?"):
        click.echo("Nothing changed.")
        return
    backup = back_up(repository.root, path)
    write_whole(path, data)
    click.echo(f"{what} is the starter's again; your version is in {_shown(repository, backup)}.")


@main.command()
@click.argument("number", type=int)
@click.option("--seed", type=int, default=0, show_default=True, help="Of examples and training.")
@click.option("--data", type=click.Path(file_okay=False), help="A folder with the larger data.")
def milestone(number: int, seed: int, data: str | None) -> None:
    """Run milestone NUMBER, or that of a year, on your framework.

    It says where its picture and metrics.json are. Exit code 1 when a gate is missed.
    """
    repository = _here()
    chosen = repository.course.milestone(number)
    name = f"milestone {chosen.number} ({chosen.year}: {chosen.title})"
    missing = repository.missing(chosen)
    if missing:
        raise TitoError(f"{name} needs modules you have not started: {_cure(repository, missing)}")
    if not chosen.script.is_file():
        raise TitoError(f"{name} is not released yet; pull the course's news and try again")
    command = [sys.executable, "-m", f"milestones.{chosen.script.stem}", f"--seed={seed}"]
    command += [f"--data={Path(data).resolve()}"] if data else []
    run = subprocess.run(command, cwd=repository.root, env=_training(repository))
    raise click.exceptions.Exit(run.returncode)


@main.command()
@click.argument("tracks", nargs=-1)
def compete(tracks: tuple[str, ...]) -> None:
    """Practise the competition with the entries in entry/.

    All of them, or those of TRACKS, each a letter from A to E or a name. Nothing here counts: the
    grader measures anew. Exit code 1 when a gate is missed.
    """
    from assignments.compete import LONGER_S, PRACTICE, rehearse, results  # NumPy: only here

    repository, console = _here(), display.console()
    with display.console(stderr=True).status("reading entry/") as status:

        def begin(track):
            longer = ": two minutes of processor time" if track.name in LONGER_S else ""
            status.update(f"measuring {track.letter} {track.title}{longer}")

        found = rehearse(repository.root, tracks, begin)
    console.print(results(found))
    for one in found:
        if one.refused:
            console.print(f"{one.track.letter}: {one.refused}", style="red", soft_wrap=True)
        elif one.found["note"]:
            console.print(f"{one.track.letter}: {one.found['note']}", soft_wrap=True)
    console.print(PRACTICE, style="dim")
    raise click.exceptions.Exit(0 if all(one.passed for one in found) else 1)


@main.command()
def submit() -> None:
    """Hand in: commit tinytorch/ and entry/, and push them."""
    for line in hand_in(_here().root):
        click.echo(line)


def _here() -> Repository:
    return Repository(Path.cwd())


def _chosen(
    assignments: Sequence[Assignment], part: str | None
) -> dict[Assignment, tuple[Task, ...]]:
    """Map each module to its tasks with `part` in a function's name; to none, which means all."""
    if part is None:
        return {one: () for one in assignments}
    chosen = {one: one.tasks_like(part) for one in assignments}
    if not any(chosen.values()):
        known = ", ".join(task.id for one in assignments for task in one.tasks)
        raise TitoError(f"no task has {part!r} in its name; choose from: {known}")
    return {one: tasks for one, tasks in chosen.items() if tasks}


def _practise(
    repository: Repository, chosen: Mapping[Assignment, tuple[Task, ...]]
) -> list[Practice]:
    """Run the visible tests of several modules at once, a bar showing how many are through."""

    def run(assignment: Assignment) -> Practice:
        return practise(repository.root, assignment, chosen[assignment])

    console = display.console(stderr=True)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        runs = track(
            pool.map(run, chosen),
            "running visible tests",
            total=len(chosen),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        return list(runs)


def _training(repository: Repository) -> dict[str, str]:
    """Return the environment for training: this repository's tinytorch, and one thread.

    Products as small as these get no faster by a second thread, and many times slower where
    something else wants the second core.
    """
    paths = [str(repository.root), os.environ.get("PYTHONPATH")]
    found = {"PYTHONPATH": os.pathsep.join(filter(None, paths))}
    return {"OPENBLAS_NUM_THREADS": "1"} | dict(os.environ) | found


def _cure(repository: Repository, missing: list[str]) -> str:
    """Return the names of modules that are missing, and what to do next."""
    released = [one.id for one in repository.course.assignments]
    names = [name if name in released else f"{name} (not released yet)" for name in missing]
    first = next((name for name in missing if name in released), None)
    cure = f"go on with `tito start {first[:2]}`" if first else "pull the course's news later"
    return f"{', '.join(names)}; {cure}"


def _time(minutes: int) -> str:
    return f"{minutes} minutes" if minutes < 120 else f"{round(minutes / 30) / 2:g} hours"


def _shown(repository: Repository, path: Path) -> str:
    return path.relative_to(repository.root).as_posix()


if __name__ == "__main__":
    main()
