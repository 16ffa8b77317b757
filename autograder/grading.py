"""The pipeline: a submission, its hidden checks and a sandbox become a grade.

Nothing here runs student code: otter runs the checks in this process, each check talks to a fresh
worker of its own, and what a worker answers is data to be compared.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from queue import SimpleQueue
from typing import TYPE_CHECKING

from assignments.catalog import Assignment, Course
from autograder.compare import Disagreement
from autograder.otter_light import AutograderConfig, GradingResults, TestCaseResult
from autograder.outcome import Check, Grade, ModuleOutcome
from autograder.sandbox import Sandbox, StudentError, WorkerError, WorkerTimeout
from autograder.session import Session
from autograder.student import Draw, Student, environment
from autograder.suite import Case, HiddenTestFile, Suite, load_suite, suite_digest
from autograder.workspace import Workspace

if TYPE_CHECKING:
    from autograder.intake import Submission

MODULE_BUDGET_S = 60.0  # wall time of all checks of one module, so that no loop can hold a class up


def grade(
    submission: Submission,
    assignments: Sequence[Assignment],
    *,
    course: Course,
    seed: int,
    sandbox: Sandbox,
    lanes: int = 1,
    draw: Draw | None = None,
    tasks: Collection[str] | None = None,
    integrated: bool = True,
) -> Grade:
    """Grade `assignments` of one submission; a pure function of (submission, suite, seed).

    So many modules are graded at a time as there are `lanes`, and `draw` may be that of an earlier
    submission, which both say nothing of the outcome.
    `tasks` leaves the checks of all other tasks out, and `integrated=False` the pass on the
    student's own lower modules: that is for proofs, and no grade for a student. Raises
    IsolationError or GraderError where the grader itself cannot do its work.
    """
    started, cpu_started = time.perf_counter(), time.process_time()
    workspaces = [Workspace(submission, course, sandbox.lane(n), assignments) for n in range(lanes)]
    draw = draw if draw and draw.seed == seed else Draw(seed)

    def work(workspace, assignment):
        suite = load_suite(assignment).only(tasks)
        return _grade_module(workspace, suite, draw, integrated)

    graded = _map(work, workspaces, assignments, sandbox.close)
    results = GradingResults([file for _, file in graded])
    return Grade(
        modules=tuple(outcome for outcome, _ in graded),
        seed=seed,
        isolation=sandbox.isolation,
        suite_digest=suite_digest(tuple(assignments)),
        gradescope=results.to_gradescope_dict(AutograderConfig({})),
        wall_s=time.perf_counter() - started,
        cpu_s=time.process_time() - cpu_started + sum(one.cpu_s for one in workspaces),
        peak_rss_bytes=max(one.peak_rss_bytes for one in workspaces),
        limits=asdict(sandbox.limits),
    )


def _map(
    work: Callable, tools: Sequence[Workspace], items: Sequence[Assignment], stop: Callable
) -> list:
    """Return `work(tool, item)` of every item, in order; each tool is a thread's own.

    Where one fails, or an interrupt comes, `stop` ends what the other threads wait for.
    """
    if len(tools) == 1:
        return [work(tools[0], item) for item in items]
    free = SimpleQueue()
    for tool in tools:
        free.put(tool)

    def with_a_tool(item):
        tool = free.get()
        try:
            return work(tool, item)
        finally:
            free.put(tool)

    with ThreadPoolExecutor(len(tools)) as threads:
        try:
            return list(threads.map(with_a_tool, items))
        except BaseException:
            stop()
            raise


def _grade_module(
    workspace: Workspace, suite: Suite, draw: Draw, integrated: bool
) -> tuple[ModuleOutcome, HiddenTestFile]:
    assignment = suite.assignment
    file = suite.fresh_file()
    ends = time.monotonic() + MODULE_BUDGET_S
    first = Session(workspace, assignment, integrated=False)
    note, obstacle = _obstacle(workspace, assignment, first)
    checks = _run_checks(workspace, suite, file, draw, lambda: obstacle or _overdue(ends), first)
    count = _count_integrated(workspace, suite, draw, checks, ends) if integrated else 0
    outcome = ModuleOutcome(
        id=assignment.id,
        title=assignment.title,
        version=assignment.version,
        source=assignment.source,
        status="",
        checks=checks,
        note=note,
        integrated_passed=count,
        integrated_total=len(suite.cases) * integrated,
    )
    return replace(outcome, status=_module_status(outcome, obstacle)), file


def _obstacle(
    workspace: Workspace, assignment: Assignment, first: Session
) -> tuple[str | None, Exception | None]:
    """Say why no check of `assignment` can run: the file is missing, or cannot be imported.

    It is imported in the worker of the `first` check.
    """
    if workspace.source(assignment) is None:
        note = f"{assignment.source} is missing: run `tito start {assignment.id[:2]}` and commit it"
        return note, Disagreement(note)
    failure = _import_failure(workspace, assignment, first)
    if failure is None:
        return None, None
    return f"{assignment.source} cannot be imported: {failure}{_advice(failure)}", failure


def _advice(failure: WorkerError) -> str:
    """Return what an import says besides its type and line, and what is there to be imported."""
    if not isinstance(failure, StudentError):
        return ""
    said = f": {failure.message}" if failure.message else ""
    if failure.type_name != "ModuleNotFoundError":
        return said
    return f"{said} (NumPy and the common standard modules are there, nothing else)"


def _import_failure(
    workspace: Workspace, assignment: Assignment, first: Session
) -> WorkerError | None:
    """Return why the student's file cannot be imported, None where it can.

    What it says is told only as a worker says it that holds nothing of the reference.
    """
    failure = first.preflight()
    if not isinstance(failure, StudentError) or not workspace.lower(assignment):
        return failure
    alone = Session(workspace, assignment, integrated=True)
    own = alone.preflight()
    alone.close()
    if isinstance(own, StudentError) and own.args[:3] == failure.args[:3]:
        return own
    return StudentError(failure.type_name, failure.line, failure.path, "")


def _overdue(ends: float) -> Exception | None:
    """Return the failure of whatever begins after `ends`, by the monotonic clock."""
    if time.monotonic() < ends:
        return None
    return WorkerTimeout(
        f"the checks of this module took longer than {MODULE_BUDGET_S:g} s together"
    )


def _run_checks(
    workspace: Workspace,
    suite: Suite,
    file: HiddenTestFile,
    draw: Draw,
    obstacle: Callable[[], Exception | None],
    first: Session,
) -> tuple[Check, ...]:
    """Run every check with a worker of its own, shown ones first; results are in file order.

    While there is an obstacle, it is what every probe meets; else the first check has the session
    `first`, in which the file has been imported.
    """
    results, checks = {}, {}
    for case in sorted(suite.cases, key=lambda case: case.suite != "shown"):
        session = Session(workspace, suite.assignment, integrated=False, obstacle=obstacle)
        if not checks and obstacle() is None:
            session = first
        started = time.perf_counter()
        result, failure = _run(file, suite, case, session, draw)
        session.close()
        seconds = time.perf_counter() - started
        told = Told()
        if case.suite == "shown" and not result.passed:
            told = Told(_message(result, failure), session.output)
            if workspace.lower(suite.assignment):
                told = _told_alone(workspace, suite, case, draw, obstacle)
            result = replace(result, message=told.message)  # Gradescope shows it too
        results[case.name] = result
        checks[case.name] = _check(suite, case, result, failure, told, seconds)
    first.close()
    file.test_cases = [case.otter for case in suite.cases]
    file.test_case_results = [results[case.name] for case in suite.cases]
    return tuple(checks[case.name] for case in suite.cases)


def _run(
    file: HiddenTestFile, suite: Suite, case: Case, session: Session, draw: Draw
) -> tuple[TestCaseResult, WorkerError | None]:
    """Let otter run one check; return its result, and why the last answer did not come.

    What broke the grader itself is raised, not counted as wrong.
    """
    file.test_cases = [case.otter]
    student = Student(suite, session.send, draw.answers(suite, case.name))
    try:
        file.run(environment(suite, student, case.name, draw))
    except BaseException:
        session.close()
        raise
    return file.test_case_results[0], student.failure


@dataclass(frozen=True)
class Told:
    """What a student may read of a failed shown check."""

    message: str = ""
    output: str = ""


def _told_alone(
    workspace: Workspace,
    suite: Suite,
    case: Case,
    draw: Draw,
    obstacle: Callable[[], Exception | None],
) -> Told:
    """Return what the failed check says in words, from a worker that holds no reference.

    The worker that decides on the points holds the reference's lower modules. Student code in it
    could print them: the solution of module 01 would come out of a check of module 02.
    """
    if not workspace.is_whole(suite.assignment):
        return Told()
    session = Session(workspace, suite.assignment, integrated=True, obstacle=obstacle)
    result, failure = _run(suite.fresh_file(), suite, case, session, draw)
    session.close()
    return Told() if result.passed else Told(_message(result, failure), session.output)


def _message(result: TestCaseResult, failure: Exception | None) -> str:
    """Return what the student's code said, or the last line of what otter says of the answer."""
    if isinstance(failure, StudentError):
        return f"{failure.type_name}: {failure.message}"
    return re.split(r"\n(?=\w+: )", result.message)[-1]


def _count_integrated(
    workspace: Workspace, suite: Suite, draw: Draw, checks: tuple[Check, ...], ends: float
) -> int:
    """Count the checks that pass alone and also with the student's own lower modules.

    No points depend on it, so one worker serves all checks until it dies.
    """
    passed = {check.id for check in checks if check.status == "passed"}
    if not workspace.lower(suite.assignment):
        return len(passed)
    if not workspace.is_whole(suite.assignment) or not passed:
        return 0
    session = Session(workspace, suite.assignment, integrated=True, obstacle=lambda: _overdue(ends))
    if _overdue(ends) or session.preflight():
        return 0
    cases = [case for case in suite.cases if _id(suite, case) in passed]
    file = suite.fresh_file()
    count = sum(_run(file, suite, case, session, draw)[0].passed for case in cases)
    session.close()
    return count


def _id(suite: Suite, case: Case) -> str:
    return f"{suite.assignment.id}/{case.task}/{case.behaviour}"


def _check(
    suite: Suite,
    case: Case,
    result: TestCaseResult,
    failure: Exception | None,
    told: Told,
    seconds: float,
) -> Check:
    if result.passed:
        failure = None  # an error that the check expected
    return Check(
        id=_id(suite, case),
        module=suite.assignment.id,
        task=case.task,
        behaviour=case.behaviour,
        suite=case.suite,
        status="passed" if result.passed else _failed_status(failure),
        points=case.points if result.passed else 0.0,
        max_points=case.points,
        duration_s=seconds,
        hint=None if result.passed else case.hint,
        error=_error(failure),
        line=getattr(failure, "line", None),
        message=told.message,
        output=told.output,
    )


def _failed_status(failure: Exception | None) -> str:
    if not isinstance(failure, WorkerError):
        return "failed"
    return "timeout" if failure.kind == "timeout" else "error"


def _error(failure: Exception | None) -> str | None:
    if not isinstance(failure, WorkerError):
        return None
    return failure.type_name if failure.kind == "error" else str(failure)


def _module_status(outcome: ModuleOutcome, obstacle: Exception | None) -> str:
    if isinstance(obstacle, WorkerError):
        return _failed_status(obstacle)
    if outcome.points == outcome.max_points:
        return "passed"
    return "partial" if outcome.points else "failed"
