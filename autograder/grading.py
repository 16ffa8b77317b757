"""The pipeline: a submission, its hidden checks and a sandbox become a grade.

Nothing here runs student code: otter runs the checks in this process, each check talks to a fresh
worker of its own, and what a worker answers is data to be compared.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from assignments.catalog import Assignment, Course
from autograder.compare import Disagreement
from autograder.otter_light import AutograderConfig, ExceptionTestFile, GradingResults
from autograder.outcome import Check, Grade, ModuleOutcome
from autograder.sandbox import Sandbox, StudentError, WorkerError, WorkerTimeout
from autograder.session import Attempt, Session
from autograder.student import Student, environment
from autograder.suite import Case, Suite, load_suite, suite_digest
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
) -> Grade:
    """Grade `assignments` of one submission; a pure function of (submission, suite, seed).

    Raises IsolationError or GraderError where the grader itself cannot do its work.
    """
    started, cpu_started = time.perf_counter(), time.process_time()
    workspace = Workspace(submission, course, sandbox)
    graded = [_grade_module(workspace, load_suite(a), seed) for a in assignments]
    results = GradingResults([file for _, file in graded])
    return Grade(
        modules=tuple(outcome for outcome, _ in graded),
        seed=seed,
        isolation=sandbox.isolation,
        suite_digest=suite_digest(tuple(assignments)),
        gradescope=results.to_gradescope_dict(AutograderConfig({})),
        wall_s=time.perf_counter() - started,
        cpu_s=time.process_time() - cpu_started + workspace.cpu_s,
        peak_rss_bytes=workspace.peak_rss_bytes,
        limits=asdict(sandbox.limits),
    )


def _grade_module(
    workspace: Workspace, suite: Suite, seed: int
) -> tuple[ModuleOutcome, ExceptionTestFile]:
    assignment = suite.assignment
    file = suite.fresh_file()
    note, blocked = _obstacle(workspace, assignment)
    runner = _Runner(workspace, suite, file, seed, blocked)
    checks = runner.run_all()
    passed = _integrated_passed(workspace, suite, seed) if blocked is None else 0
    outcome = ModuleOutcome(
        id=assignment.id,
        title=assignment.title,
        version=assignment.version,
        source=assignment.source,
        status="",
        checks=checks,
        note=note,
        integrated_passed=sum(c.status == "passed" for c in checks) if passed is None else passed,
        integrated_total=len(suite.cases),
    )
    return replace(outcome, status=_module_status(outcome, blocked)), file


def _obstacle(workspace: Workspace, assignment: Assignment) -> tuple[str | None, Exception | None]:
    """Say why no check of `assignment` can run: the file is missing, or cannot be imported."""
    if workspace.source(assignment) is None:
        note = f"{assignment.source} is missing: run `tito start {assignment.id[:2]}` and commit it"
        return note, Disagreement(note)
    try:
        Session(workspace, assignment, integrated=False).preflight()
    except WorkerError as failure:
        return f"{assignment.source} cannot be imported: {_reason(failure)}", failure
    return None, None


def _reason(failure: WorkerError) -> str:
    """Say why an import failed, message included: no probe has been in that worker."""
    if isinstance(failure, StudentError) and failure.message:
        return f"{failure}: {failure.message}"
    return str(failure)


class _Runner:
    """Runs the checks of one module through otter, shown ones first."""

    def __init__(self, workspace, suite, file, seed, blocked):
        self._workspace, self._suite, self._file = workspace, suite, file
        self._seed, self._blocked = seed, blocked
        self._ends = time.monotonic() + MODULE_BUDGET_S

    def run_all(self) -> tuple[Check, ...]:
        """Return the checks in file order; otter's results are left on the file likewise."""
        cases, file = self._suite.cases, self._file
        results, checks = {}, {}
        for case in sorted(cases, key=lambda case: case.suite != "shown"):
            session = Session(self._workspace, self._suite.assignment, integrated=False)
            results[case.name] = self._run(case, session)
            checks[case.name] = _check(self._suite, case, results[case.name], session.attempt)
        file.test_cases = [case.otter for case in cases]
        file.test_case_results = [results[case.name] for case in cases]
        return tuple(checks[case.name] for case in cases)

    def _run(self, case: Case, session: Session):
        started = time.perf_counter()
        student = Student(self._suite, self._blocking_send(session))
        self._file.test_cases = [case.otter]
        try:
            self._file.run(environment(self._suite, student, case.name, self._seed))
        finally:
            session.close()
        if session.attempt.broken is not None:
            raise session.attempt.broken
        session.attempt.duration_s = time.perf_counter() - started
        return self._file.test_case_results[0]

    def _blocking_send(self, session: Session):
        def send(probe, inputs):
            blocked = self._blocked
            if blocked is None and time.monotonic() > self._ends:
                blocked = WorkerTimeout(
                    f"the checks of this module took longer than {MODULE_BUDGET_S:g} s together"
                )
            if blocked is not None:
                session.attempt.failure = blocked
                raise blocked
            return session.send(probe, inputs)

        return send


def _integrated_passed(workspace: Workspace, suite: Suite, seed: int) -> int | None:
    """Count the checks that pass on the student's own lower modules; None where there are none.

    No points depend on it, so one worker serves all checks until it dies.
    """
    assignment = suite.assignment
    if not workspace.lower(assignment):
        return None
    if any(workspace.source(lower) is None for lower in workspace.lower(assignment)):
        return 0
    session = Session(workspace, assignment, integrated=True)
    try:
        session.preflight()
        return sum(_passes(suite, case, session, seed) for case in suite.cases)
    except WorkerError:
        return 0
    finally:
        session.close()


def _passes(suite: Suite, case: Case, session: Session, seed: int) -> bool:
    file = suite.fresh_file()
    file.test_cases = [case.otter]
    file.run(environment(suite, Student(suite, session.send), case.name, seed))
    if session.attempt.broken is not None:
        raise session.attempt.broken
    return file.test_case_results[0].passed


def _check(suite: Suite, case: Case, result, attempt: Attempt) -> Check:
    shown = case.suite == "shown"
    failure = None if result.passed else attempt.failure
    return Check(
        id=f"{suite.assignment.id}/{case.task}/{case.behaviour}",
        module=suite.assignment.id,
        task=case.task,
        behaviour=case.behaviour,
        suite=case.suite,
        status="passed" if result.passed else _failed_status(failure),
        points=case.points if result.passed else 0.0,
        max_points=case.points,
        duration_s=attempt.duration_s,
        hint=None if result.passed else case.hint,
        error=_error(failure),
        line=getattr(failure, "line", None),
        message="" if result.passed or not shown else _message(result.message),
        output=attempt.output if shown else "",
    )


def _failed_status(failure: Exception | None) -> str:
    if not isinstance(failure, WorkerError):
        return "failed"
    return "timeout" if failure.kind == "timeout" else "error"


def _error(failure: Exception | None) -> str | None:
    if not isinstance(failure, WorkerError):
        return None
    return failure.type_name if failure.kind == "error" else str(failure)


def _message(text: str) -> str:
    """Return the exception's own line of otter's message, which also quotes the test file."""
    return re.split(r"\n(?=\w+: )", text)[-1]


def _module_status(outcome: ModuleOutcome, blocked: Exception | None) -> str:
    if isinstance(blocked, WorkerError):
        return _failed_status(blocked)
    if outcome.points == outcome.max_points:
        return "passed"
    return "partial" if outcome.points else "failed"
