"""Grade a milestone: the submission trains in the sandbox, and its answers are counted here.

The student's copy of a milestone's script is never run. The code of our `train` travels to a
worker that holds the student's modules and nothing else, with examples to learn from and inputs to
answer. Which answers are right, this process alone knows. Examples are public, so answers can be
learned by heart: which ones are held back, the order of the features and the numbers of the classes
are drawn anew each time. The models do not care, but what is known by heart fits no more. That
blunts the attack and does not end it: sorted pixels are the same in any order. So a milestone says
that a framework trains, and points come from the hidden checks alone.
"""

from __future__ import annotations

import hashlib
import importlib
import marshal
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from assignments.catalog import Assignment, CatalogError, Course
from assignments.catalog import Milestone as Listed
from autograder.compare import Disagreement
from autograder.errors import GraderError
from autograder.sandbox import Limits, Sandbox, StudentError, WorkerError
from autograder.suite import GIVEN, global_names
from autograder.workspace import Workspace
from milestones.problem import Gate, Milestone, Task

if TYPE_CHECKING:
    from autograder.intake import Submission

RUNS = 3  # each with its own examples; the seed of its training is its number


@dataclass(frozen=True)
class Answer:
    """What became of one task in one run."""

    run: int
    task: str
    gate: str
    accuracy: float | None  # None where no answer counts
    passed: bool
    status: str  # "passed", "failed", "error" or "timeout"
    reason: str = ""  # why no answer counts; cleaned
    wall_s: float = 0.0


@dataclass(frozen=True)
class MilestoneGrade:
    """What grading a milestone found."""

    listed: Listed
    answers: tuple[Answer, ...]
    seed: int
    isolation: str
    digest: str  # "sha256:…" over the script, the examples and what a milestone is
    limits: Limits
    cpu_s: float
    peak_rss_bytes: int

    @property
    def passed(self) -> bool:
        """True where every gate holds in every run."""
        return all(answer.passed for answer in self.answers)

    @property
    def practice(self) -> bool:
        """True where isolation was not full: the verdict is no grade."""
        return self.isolation != "full"


def find(course: Course, number: int) -> tuple[Listed, Milestone]:
    """Return milestone `number` as the course lists it and as its script says it.

    Raises CatalogError where there is none, or it is not released.
    """
    known = course.milestones
    if not 1 <= number <= len(known):
        raise CatalogError(f"there is no milestone {number}; choose 1 to {len(known)}")
    listed = known[number - 1]
    released = {one.id for one in course.assignments}
    waits = [name for name in listed.requires if name not in released]
    if waits or not listed.script.is_file():
        lacking = f"modules {', '.join(waits)}" if waits else f"milestones/{listed.script.name}"
        raise CatalogError(f"milestone {number} ({listed.year}) is not released: no {lacking} yet")
    return listed, importlib.import_module(f"milestones.{listed.script.stem}").MILESTONE


def grade_milestone(
    submission: Submission, number: int, *, course: Course, seed: int, sandbox: Sandbox
) -> MilestoneGrade:
    """Train and count in RUNS runs; a pure function of (submission, script, seed)."""
    listed, milestone = find(course, number)
    code = travelling(milestone.train)
    modules = [one for one in course.assignments if one.id in listed.requires]
    workspace = Workspace(submission, course, sandbox.lane(0), modules)
    missing = [one.source for one in modules if workspace.source(one) is None]
    answers = []
    for run in range(RUNS):
        rng = np.random.default_rng([seed, number, run])
        tasks = {name: disguise(task, rng) for name, task in milestone.draw(rng).items()}
        for gate in milestone.gates:
            if missing:
                why = f"needs {', '.join(missing)}: `tito milestone {number}` says what to do"
                answers.append(_unanswered(run, gate, "error", why))
            else:
                answers.append(_ask(workspace, modules, code, tasks[gate.task], gate, run))
    return MilestoneGrade(
        listed,
        tuple(answers),
        seed,
        sandbox.isolation,
        digest(listed),
        sandbox.limits,
        workspace.cpu_s,
        workspace.peak_rss_bytes,
    )


def disguise(task: Task, rng: np.random.Generator) -> Task:
    """Return the same task with features in another order and classes with other numbers."""
    features = rng.permutation(task.inputs.shape[1])
    classes = rng.permutation(1 + max(task.labels.max(), task.answers.max()))
    return replace(
        task,
        inputs=np.ascontiguousarray(task.inputs[:, features]),
        labels=classes[task.labels],
        tests=np.ascontiguousarray(task.tests[:, features]),
        answers=classes[task.answers],
    )


def travelling(train: Callable[..., Any]) -> bytes:
    """Return the code of a training function; GraderError if it needs what cannot travel along."""
    if train.__closure__ or train.__defaults__ or train.__kwdefaults__:
        raise GraderError("`train` must have no closure and no defaults: its code travels alone")
    foreign = global_names(train.__code__) & set(train.__globals__) - GIVEN
    if foreign:
        names = ", ".join(sorted(foreign))
        raise GraderError(f"`train` uses {names}: its code travels alone, with `np` and `tt`")
    return marshal.dumps(train.__code__)


def digest(listed: Listed) -> str:
    """Digest what decides: the script, what it imports beside it, and the embedded examples."""
    folder = listed.script.parent
    paths = [listed.script, folder / "problem.py", folder / "datasets.py"]
    total = hashlib.sha256()
    for path in [*paths, *sorted((folder / "data").glob("*.npz"))]:
        total.update(f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return f"sha256:{total.hexdigest()}"


def _ask(
    workspace: Workspace,
    modules: list[Assignment],
    code: bytes,
    task: Task,
    gate: Gate,
    run: int,
) -> Answer:
    """Let a fresh worker train and answer; count here."""
    started = time.perf_counter()
    inputs = {"inputs": task.inputs, "labels": task.labels, "tests": task.tests, **task.options}
    try:
        value = _train(workspace, modules, code, {**inputs, "seed": run, "watch": None})
        accuracy = task.accuracy(predictions(value, len(task.tests)))
    except WorkerError as failure:
        status = "timeout" if failure.kind == "timeout" else "error"
        answer = _unanswered(run, gate, status, _said(failure))
    except Disagreement as failure:
        answer = _unanswered(run, gate, "failed", str(failure))
    else:
        passed = gate.holds(accuracy)
        status = "passed" if passed else "failed"
        answer = Answer(run, gate.task, str(gate), accuracy, passed, status)
    return replace(answer, wall_s=time.perf_counter() - started)


def _train(
    workspace: Workspace, modules: list[Assignment], code: bytes, inputs: dict[str, Any]
) -> Any:
    """Return what `train` returns in a worker that holds the student's modules and no others."""
    files = {f"tinytorch.{one.module}": workspace.code(one) for one in modules}
    worker = workspace.worker(modules[-1], integrated=True)
    try:
        worker.load(files)
        return worker.run(code, inputs)
    finally:
        workspace.account(worker)


def predictions(value: Any, count: int) -> np.ndarray:
    """Return the predicted classes in what `train` returned, `count` whole numbers in one axis."""
    predicted = value.get("predicted") if isinstance(value, dict) else None
    if not isinstance(predicted, np.ndarray):
        raise Disagreement(f"expected an array `predicted`, got {type(predicted).__name__}")
    if predicted.dtype != np.int64 or predicted.shape != (count,):
        came = f"{predicted.dtype}, shape {predicted.shape}"
        raise Disagreement(f"expected predictions of int64, shape ({count},), got {came}")
    return predicted


def _unanswered(run: int, gate: Gate, status: str, why: str) -> Answer:
    return Answer(run, gate.task, str(gate), None, False, status, why)


def _said(failure: WorkerError) -> str:
    """Return why no answer came, with what the student's code said: no reference is in there."""
    if isinstance(failure, StudentError) and failure.message:
        return f"{failure}: {failure.message}"
    return str(failure)
