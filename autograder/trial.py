"""Try one version of a module: as a student would with tito, and as the grader does."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import cache
from multiprocessing.util import Finalize
from pathlib import Path

from assignments.catalog import Assignment, Task, load_course
from assignments.practice import Practice, practise
from autograder.grading import grade
from autograder.outcome import Grade
from autograder.sandbox import Sandbox
from autograder.starters import reference

ROOT = Path(__file__).resolve().parents[1]


class Files(dict):
    """A submission that is nothing but its modules' sources, {"tensor": b"…"}."""

    def source(self, module: str) -> bytes | None:
        """Return the file of `module`, None where there is none."""
        return self.get(module)


class Trial:
    """A student repository in a scratch folder, and a sandbox, both used again and again."""

    def __init__(self, scratch: Path, sandbox: Sandbox):
        """Copy the course into `scratch`; grade in `sandbox`."""
        self.course = load_course()
        self._root, self._sandbox = scratch, sandbox
        ignored = shutil.ignore_patterns("__pycache__", "figures")
        shutil.copytree(ROOT / "assignments", scratch / "assignments", ignore=ignored)
        self._copied = load_course(scratch / "assignments")

    def visible(
        self, assignment: Assignment, source: bytes, tasks: Sequence[Task] = ()
    ) -> Practice:
        """Run the visible tests, or those of `tasks`, with the reference's lower modules."""
        package = self._root / "tinytorch"
        shutil.rmtree(package, ignore_errors=True)
        package.mkdir()
        shutil.copy(ROOT / "tinytorch" / "__init__.py", package)
        for lower in self.course.assignments:
            if lower.number < assignment.number:
                shutil.copy(reference(lower), package)
        (package / f"{assignment.module}.py").write_bytes(source)
        return practise(self._root, self._copied.assignment(assignment.id), tasks)

    def hidden(
        self,
        assignments: Sequence[Assignment],
        sources: Mapping[str, bytes],
        seed: int = 0,
        task: str | None = None,
    ) -> Grade:
        """Grade `assignments`, or one task, on `sources`: what is not there is not handed in."""
        return grade(
            Files(sources),
            assignments,
            course=self.course,
            seed=seed,
            sandbox=self._sandbox,
            tasks=None if task is None else [task],
            integrated=False,
        )

    def references(self, changed: Mapping[str, bytes] | None = None) -> dict[str, bytes]:
        """Return the sources of the whole reference, some of them `changed`."""
        whole = {one.module: reference(one).read_bytes() for one in self.course.assignments}
        return whole | dict(changed or {})


@cache
def trial() -> Trial:
    """Return this process's own trial; it ends with the process."""
    stack = ExitStack()
    scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="trial-"))
    # Honest code only is tried here, so a machine without full isolation can prove as well.
    sandbox = stack.enter_context(Sandbox(require_full=False))
    Finalize(None, stack.close, exitpriority=1)
    return Trial(Path(scratch), sandbox)
