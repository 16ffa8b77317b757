"""Loads the submissions in this folder: each a file that stands for one module of a student's.

A fixture begins with lines `# key: value`, a sentence on what it tries, and then code:

    module   the file that it hands in: activations, if nothing is said
    base     what the code is put after: the reference or the starter of the module, or none;
             `generated` runs the code here and takes the bytes SOURCE that it leaves
    loses    the tasks that it must lose, and no other: names, "everything" or "nothing"
    refused  a pattern in the reason, for every check that is lost
    shows    a pattern in what a shown check that fails prints
    limits   bounds for its worker, as in wall_s=1
    alone    `yes` leaves out the modules below, so that nothing runs a second time with them
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from assignments.catalog import Assignment, Course, load_course
from autograder.suite import reference_path

HERE = Path(__file__).parent
KEYS = {"module", "base", "loses", "refused", "shows", "limits", "alone"}


@dataclass(frozen=True)
class Fixture:
    """One submission, and what must become of it."""

    name: str
    module: str
    base: str
    loses: str
    refused: str
    shows: str
    limits: dict[str, float]
    alone: bool
    code: str

    def lost_tasks(self, assignment: Assignment) -> set[str]:
        """Return the ids of the tasks that must be lost."""
        tasks = {task.id for task in assignment.tasks}
        named = {"everything": tasks, "nothing": set()}
        lost = named[self.loses] if self.loses in named else set(self.loses.split(", "))
        assert lost <= tasks, f"{self.name} loses {lost - tasks}, which {assignment.id} has not"
        return lost

    def files(self, course: Course | None = None, canary: Path | None = None) -> dict[str, bytes]:
        """Return the files of the submission: this module's, on the reference's lower ones."""
        course = course or load_course()
        assignment = course.assignment(self.module)
        lower = [a for a in course.assignments if a.number < assignment.number and not self.alone]
        files = {a.source: reference_path(a).read_bytes() for a in lower}
        return files | {assignment.source: self._source(assignment, canary)}

    def _source(self, assignment: Assignment, canary: Path | None) -> bytes:
        code = self.code.replace("@CANARY@", str(canary))
        if self.base == "generated":
            space: dict[str, bytes] = {}
            exec(compile(code, self.name, "exec"), space)
            return space["SOURCE"]
        bases = {"reference": reference_path(assignment), "starter": assignment.starter}
        text = bases[self.base].read_text(encoding="utf-8") if self.base != "none" else ""
        return f"{text}\n\n{code}".lstrip("\n").encode()


def load(kind: str) -> list[Fixture]:
    """Return the fixtures of a kind: hostile, honest, wrong, partial or milestones."""
    return [_read(path) for path in sorted((HERE / kind).glob("*.py"))]


def _read(path: Path) -> Fixture:
    code = path.read_text(encoding="utf-8")
    header = code[: code.index('"""')]
    values = dict(re.findall(r"^# ([a-z]+): (.*)$", header, re.MULTILINE))
    assert values.keys() <= KEYS, f"{path.name}: unknown {values.keys() - KEYS}"
    bounds = dict(re.findall(r"(\w+)=(\d+)", values.get("limits", "")))
    return Fixture(
        name=path.stem,
        module=values.get("module", "activations"),
        base=values["base"],
        loses=values["loses"],
        refused=values.get("refused", ""),
        shows=values.get("shows", ""),
        limits={key: int(value) for key, value in bounds.items()},
        alone=values.get("alone") == "yes",
        code=code,
    )
