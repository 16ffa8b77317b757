"""A class: every submission below a folder graded in parallel, each exactly once.

The ledger is the only memory. A submission counts as graded when its report is in there, and its
files are written before that; so a run that was killed is simply started again.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout
from rich.console import Console

from assignments.catalog import load_course
from autograder import report as reports
from autograder.cohort.display import Line, print_class, progress, terminal
from autograder.cohort.pool import run_all
from autograder.cohort.roster import Entry, find_submissions, output_name
from autograder.cohort.unit import Job, Result, grade_submission, refusal
from autograder.errors import GraderError, IsolationError
from autograder.ledger import Entry as Known
from autograder.ledger import Ledger
from autograder.sandbox import Limits
from autograder.single import chosen
from autograder.suite import load_suite, suite_digest

__all__ = ["Summary", "find_submissions", "grade_class"]
_SHOWN = ("assignments", "score", "status", "grader", "reason")  # a class of reports is large


@dataclass(frozen=True)
class Summary:
    """What a run did: every student with what is shown of their report, and how many are new."""

    lines: tuple[Line, ...]
    graded: int
    known: int

    @property
    def statuses(self) -> Counter[str]:
        """Return how many reports there are of each status."""
        return Counter(line.report["status"] for line in self.lines)


def grade_class(
    folder: str | Path,
    out: str | Path,
    *,
    jobs: int = 1,
    modules: Sequence[str] = (),
    seed: int | None = None,
    unsandboxed: bool = False,
    limits: Limits | None = None,
    executor: Executor | None = None,
    console: Console | None = None,
) -> Summary:
    """Grade every submission below `folder` into `out`; started again, only what is missing.

    Writes `out/<name>/` with the five files of each, and `out/ledger/`; for an odd name the table
    shows which folder it is (see `output_name`). Without a `seed` this run draws one, and a report
    with any seed counts as there. Raises IsolationError when this machine cannot isolate: then
    nothing is a grade.
    """
    out, console = Path(out), console or terminal()
    roster = find_submissions(Path(folder), without=out)
    ledger = Ledger(out / "ledger")
    tasks = _jobs(roster, ledger, tuple(modules), seed, limits or Limits(), unsandboxed)
    lines: list[Line] = []
    new = 0
    with _alone(out), progress(console, len(tasks)) as step:
        try:
            for job, future in run_all(grade_submission, tasks, width=jobs, executor=executor):
                result = _result(job, future)
                new += _record(result, out, ledger)
                report = result.report or ledger.find(result.known)
                lines.append(Line(job.name, {key: report.get(key) for key in _SHOWN}))
                step(lines[-1])
        except KeyboardInterrupt:
            console.print("Interrupted; what is graded is kept: run the same command again.")
            raise
    lines.sort(key=lambda line: line.name)
    print_class(console, lines)
    return Summary(tuple(lines), graded=new, known=len(lines) - new)


def _jobs(
    roster: list[Entry],
    ledger: Ledger,
    modules: tuple[str, ...],
    seed: int | None,
    limits: Limits,
    unsandboxed: bool,
) -> list[Job]:
    assignments = chosen(load_course(), modules)
    for assignment in assignments:
        load_suite(assignment)  # a fault in it is ours: say so once, before anything is graded
    key, suite = reports.load_key(), suite_digest(assignments)
    known: dict[str, list[Known]] = {}
    for report in (one for one in ledger.entries() if not one.is_competition):
        known.setdefault(report.submitter, []).append(report)

    def counts(report: Known) -> bool:
        same = report.suite == suite and seed in (None, int(report.seed))
        full = report.isolation == "full" or unsandboxed
        return same and full and not _failed(report) and bool(report.revision)

    chosen_seed = secrets.randbits(32) if seed is None else seed
    tasks = []
    for name, source in roster:
        mine = known.get(reports.submitter_id(name, key), [])
        tasks.append(
            Job(
                name,
                str(source),
                modules,
                chosen_seed,
                key,
                limits,
                unsandboxed,
                done={report.revision: report.report_id for report in mine if counts(report)},
                earlier={r.revision: r.report_id for r in mine if r.revision or _failed(r)},
            )
        )
    return tasks


def _failed(report: Known) -> bool:
    return report.status == "ungradable"


def _result(job: Job, future: Future[Result]) -> Result:
    try:
        return future.result()
    except IsolationError:
        raise
    except Exception as error:  # a process of the pool was killed, most likely for its memory
        reason = f"the grading process ended: {type(error).__name__}"
        return refusal(job, reason, "ungradable")


def _record(result: Result, out: Path, ledger: Ledger) -> bool:
    """Write the files, then the ledger: what is in the ledger is complete. Tell if it is new."""
    if result.report is None:
        return False
    reports.save(result.files, out / output_name(result.name))
    return ledger.append(result.report)


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Keep a second run away from `out`: with another seed it would grade everything again."""
    out.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(out / ".class.lock", timeout=0):
            yield
    except Timeout:
        raise GraderError(f"{out}: another run grades into it; wait for it to end") from None
