"""Grade a milestone: the submission trains in the sandbox, and its answers are counted here.

The student's copy of a milestone's script is never run. The code of our `train` travels to a
worker that holds the student's modules and nothing else, with examples to learn from and inputs to
answer. Which answers are right, this process alone knows. Examples are public, so answers can be
learned by heart: which ones are held back, and how a task is disguised, are drawn anew each time.
The models do not care, but what is known by heart fits no more. That blunts the attack and does not
end it: sorted pixels are the same in any order. So a milestone says that a framework trains, and
points come from the hidden checks alone. Where what is trained is to be small and fast as well,
`autograder.deployment` measures that.
"""

from __future__ import annotations

import hashlib
import importlib
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from functools import singledispatch
from typing import TYPE_CHECKING, Any

import numpy as np

from assignments.catalog import CatalogError, Course
from assignments.catalog import Milestone as Listed
from autograder.competition.refusal import Refused
from autograder.sandbox import Limits, Sandbox, StudentError, WorkerError
from autograder.trainee import Trainee, travelling
from autograder.workspace import Workspace
from milestones.deployment import Deployment
from milestones.problem import Gate, Images, Milestone, Sequences, Task, Writing

if TYPE_CHECKING:
    from autograder.intake import Submission

RUNS = 3  # each with its own examples; the seed of its training is its number
TREMOR = 0.02  # of a pixel, which is from 0 to 1: no image is the very one that was published


@dataclass(frozen=True)
class Answer:
    """What became of one task in one run."""

    run: int
    task: str
    gate: str
    measure: str
    value: float | None  # None where no answer counts
    shown: str  # the value as one reads it
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
    """Return milestone `number`, or of a year, as the course lists it and as its script says it.

    Raises CatalogError where there is none, or it is not released.
    """
    listed = course.milestone(number)
    released = {one.id for one in course.assignments}
    waits = [name for name in listed.requires if name not in released]
    if waits or not listed.script.is_file():
        lacking = f"modules {', '.join(waits)}" if waits else f"milestones/{listed.script.name}"
        name = f"milestone {listed.number} ({listed.year})"
        raise CatalogError(f"{name} is not released: no {lacking} yet")
    return listed, importlib.import_module(f"milestones.{listed.script.stem}").MILESTONE


def grade_milestone(
    submission: Submission,
    number: int,
    *,
    course: Course,
    seed: int,
    sandbox: Sandbox,
    runs: int = RUNS,
    only: Collection[str] | None = None,
) -> MilestoneGrade:
    """Train and measure in some runs; a pure function of (submission, script, seed), but for times.

    All tasks of the milestone, unless `only` names some.
    """
    listed, milestone = find(course, number)
    number = listed.number  # of a year, too: the draws are the same
    modules = tuple(one for one in course.assignments if one.id in listed.requires)
    workspace = Workspace(submission, course, sandbox.lane(0), modules)
    trainee, answers = Trainee(workspace, modules), []
    for run in range(runs):
        rng = np.random.default_rng([seed, number, run])
        tasks = {name: disguise(task, rng) for name, task in milestone.draw(rng).items()}
        for name in tasks if only is None else only:
            task = tasks[name]
            gates = [gate for gate in milestone.gates if gate.task == name]
            if missing := trainee.missing:
                why = f"needs {', '.join(missing)}: `tito milestone {number}` says what to do"
                answers += [_unanswered(run, gate, "error", why) for gate in gates]
            else:
                answers += _ask(trainee, milestone.training(name), task, gates, run)
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


@singledispatch
def disguise(task: Task, rng: np.random.Generator) -> Task:
    """Return the same task with features in another order and classes with other numbers."""
    features = rng.permutation(task.inputs.shape[1])
    inputs, tests = (np.ascontiguousarray(x[:, features]) for x in (task.inputs, task.tests))
    return _renumbered(replace(task, inputs=inputs, tests=tests), rng)


def _renumbered(task: Task, rng: np.random.Generator) -> Task:
    """Return the task with other numbers for its classes."""
    classes = rng.permutation(1 + max(task.labels.max(), task.answers.max()))
    return replace(task, labels=classes[task.labels], answers=classes[task.answers])


@disguise.register
def _(task: Images, rng: np.random.Generator) -> Task:
    """Neighbours must stay neighbours: turn and mirror all images, and let each pixel tremble."""
    turns, mirrored = rng.integers(4), rng.integers(2)

    def seen(images: np.ndarray) -> np.ndarray:
        images = np.rot90(images, turns, axes=(2, 3))
        images = images[..., ::-1] if mirrored else images
        return images + rng.normal(0, TREMOR, images.shape).astype(images.dtype)

    return _renumbered(replace(task, inputs=seen(task.inputs), tests=seen(task.tests)), rng)


@disguise.register
def _(task: Sequences, rng: np.random.Generator) -> Task:
    """Give every token another number: sequences are drawn anew as it is."""
    tokens = rng.permutation(1 + task.inputs.max())
    names = ("inputs", "labels", "tests", "answers")
    return replace(task, **{name: tokens[getattr(task, name)] for name in names})


@disguise.register
def _(task: Writing, rng: np.random.Generator) -> Task:
    """Write the text in another alphabet: letters trade places, what follows what stays."""
    alphabet = task.options["alphabet"]
    letters = rng.permutation(len(alphabet))
    traded = "".join(alphabet[one] for one in letters)
    return replace(task, options={**task.options, "alphabet": traded})


@disguise.register
def _(task: Deployment, rng: np.random.Generator) -> Deployment:
    """As its task."""
    return replace(task, task=disguise(task.task, rng))


def digest(listed: Listed) -> str:
    """Digest what decides: the script, what it imports beside it, and the embedded examples."""
    folder = listed.script.parent
    scripts = sorted(path for path in folder.glob("[0-9]*.py") if path <= listed.script)
    paths = [*scripts, *(folder / f"{name}.py" for name in ("problem", "deployment", "datasets"))]
    total = hashlib.sha256()
    for path in [*paths, *sorted((folder / "data").glob("*.npz"))]:
        total.update(f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return f"sha256:{total.hexdigest()}"


def _ask(
    trainee: Trainee, train: Callable[..., Any], task: Task, gates: list[Gate], run: int
) -> list[Answer]:
    """Let fresh workers train and answer; measure here, for every gate on the task."""
    started = time.perf_counter()
    try:
        predicted = task.require(answered(task, trainee, train, run))
    except WorkerError as failure:
        status = "timeout" if failure.kind == "timeout" else "error"
        answers = [_unanswered(run, gate, status, _said(failure)) for gate in gates]
    except (Refused, ValueError) as failure:
        answers = [_unanswered(run, gate, "failed", str(failure)) for gate in gates]
    else:
        answers = [_answer(run, gate, task.measure(gate.measure, predicted)) for gate in gates]
    wall_s = time.perf_counter() - started
    return [replace(answer, wall_s=wall_s / len(gates)) for answer in answers]


@singledispatch
def answered(task: Task, trainee: Trainee, train: Callable[..., Any], seed: int) -> Any:
    """Return what a submission answers to a task, as `task.require` wants it if it is well."""
    value = trainee.run(travelling(train), {**task.arguments(), "seed": seed, "watch": None})
    return value.get("predicted") if isinstance(value, dict) else None


@answered.register
def _(task: Deployment, trainee: Trainee, train: Callable[..., Any], seed: int) -> Any:
    """Nothing is predicted where nobody looks: see what becomes of two models in use."""
    from autograder.deployment import in_use  # a clock and a core, which no other kind needs

    return in_use(trainee, task, train, seed)


def _answer(run: int, gate: Gate, value: float) -> Answer:
    passed = gate.holds(value)
    status, shown = "passed" if passed else "failed", gate.shown(value)
    return Answer(run, gate.task, str(gate), gate.measure, value, shown, passed, status)


def _unanswered(run: int, gate: Gate, status: str, why: str) -> Answer:
    return Answer(run, gate.task, str(gate), gate.measure, None, "none", False, status, why)


def _said(failure: WorkerError) -> str:
    """Return why no answer came, with what the student's code said: no reference is in there."""
    if isinstance(failure, StudentError) and failure.message:
        return f"{failure}: {failure.message}"
    return str(failure)
