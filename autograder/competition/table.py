"""What `autograder compete` prints: a table of each submission, when it is done."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from assignments.competition.tracks import Track
from autograder.competition.judging import Result
from autograder.competition.report import Failure, Judged
from autograder.errors import GraderError, SubmissionError

Found = Iterator[tuple[str, Judged | Failure]]


def print_results(judge: Callable[..., Found], sources: Sequence[str], out: Path) -> None:
    """Print what `judge(begin=...)` finds; raises at the end if something failed, ours first.

    What is being measured is told on the way.
    """
    console, failed = Console(highlight=False), []
    with Console(stderr=True).status("reading") as status:

        def begin(source: str, track: Track) -> None:
            status.update(escape(f"{source}: {track.title}"))

        for source, found in judge(begin=begin):
            if not isinstance(found, Judged):
                failed.append(found)
            if len(sources) > 1 or not failed:
                print_result(console, source, found)
    if len(sources) == 1 and failed:
        raise failed[0]
    console.print(f"Reports: {escape(str(out))}", soft_wrap=True)
    ours = sum(isinstance(error, GraderError) for error in failed)
    if ours:
        count = f"{ours} of {len(sources)} submissions"
        raise GraderError(f"{count} could not be judged, by our fault: see above, run them again")
    if failed:
        raise SubmissionError(
            f"{len(failed)} of {len(sources)} submissions were refused, as said above"
        )


def print_result(console: Console, source: str, found: Judged | Failure) -> None:
    """Print a table of a submission, and why an entry is not ranked; or why there is none."""
    title = f"competition: {source}"
    if not isinstance(found, Judged):
        console.print(escape(title), style="italic", soft_wrap=True)
        console.print(f"[red]{escape(str(found))}", soft_wrap=True)
        return
    done = found.done
    table = Table(title=escape(title), title_justify="left", box=None, pad_edge=False)
    for name in ("track", "division", "result", "baseline", "factor", "points", "medal"):
        right = name not in ("track", "division", "medal")
        table.add_column(name, justify="right" if right else "left", overflow="fold")
    for result in done.results:
        table.add_row(*_cells(result))
    console.print(table)
    for result in done.results:
        if result.reason:
            line = f"{result.track.letter} {result.track.title}: {result.reason}"
            console.print(f"[yellow]{escape(line)}", soft_wrap=True)
    if done.practice:
        console.print("[red]practice: isolation was not full, so this is ranked nowhere")


def _cells(result: Result) -> tuple[str, ...]:
    track, outcome = result.track, result.outcome
    head = (f"{track.letter} {track.title}", result.division or "–")
    if outcome is None:
        return (*head, result.status, "–", "–", "–", "–")
    value = _quantity(outcome.value, track)
    if outcome.ci95:
        value += f"\n{outcome.ci95[0]:.3g} to {outcome.ci95[1]:.3g}"
    value += "\nnoisy" if outcome.noisy else ""
    points = "none" if result.points is None else f"{result.points:.1f}"
    base = _quantity(outcome.baseline, track)
    rest = (base, f"{result.improvement:.3f}", points, result.medal or "–")
    return tuple(escape(cell) for cell in (*head, value, *rest))


def _quantity(value: float, track: Track) -> str:
    return f"{value:g} {track.unit}" if value == int(value) else f"{value:.4g} {track.unit}"
