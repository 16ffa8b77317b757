"""Makes a class of git repositories to grade: `python -m tests.sample_class TEMPLATE OUT`.

Every student clones the exported template and works in commits: complete, half-done, wrong in an
instructive way, hostile. A repository is named after its work. The same template always gives the
same commits, so that a class that is made again has nothing new to grade.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

from assignments.catalog import Assignment, load_course
from assignments.functions import put_back
from autograder.mutants import load_mutants
from autograder.starters import reference, starter
from tests.submissions import fixtures
from tests.submissions.build import IDENTITY

TERM_BEGINS = datetime(2026, 3, 2, 9, 0, tzinfo=timezone.utc)
MUTANTS = {
    "01_tensor": ("expand_copies", "var_is_std"),
    "02_activations": ("gelu_wrong_constant", "relu_in_place", "sigmoid_overflows"),
}
FIXTURES = {
    "partial": ("imports_torch", "not_text", "returns_lists", "syntax_error"),
    "hostile": ("endless_function", "files_read_hidden", "forged_reply", "output_gigabyte"),
}
ALIASES = {  # who wants to be named on the leaderboard, and how
    "complete": "broadcast",
    "first-module-only": "row major",
    "half-done": "half precision",
    "hostile-endless-function": "while True",
    "hostile-forged-reply": "local minimum",
    "partial-returns-lists": "vanishing gradient",
    "partial-syntax-error": "early stopping",
    "wrong-gelu-wrong-constant": "0.044715",
    "wrong-relu-in-place": "saddle point",
    "wrong-expand-copies": "contiguous",
    "wrong-var-is-std": "degree of freedom",
}


@dataclass(frozen=True)
class Commit:
    """One step of a student's work: the message and what each file then holds."""

    message: str
    files: Mapping[str, bytes]


def students() -> dict[str, list[Commit]]:
    """Map the name of each repository to its commits on top of the template."""
    course = load_course()
    tensor, activations = course.assignments[:2]
    class_ = {
        "complete": complete(course.assignments),
        "complete-anonymous": complete(course.assignments),
        "complete-without-tensor": complete([activations]),
        "first-module-only": complete([tensor]),
        "half-done": [*half(tensor), *half(activations)],
        "only-started": [begin(tensor), begin(activations)],
        "untouched": [],
    }
    class_ |= mistaken() | from_fixtures()
    return {name: work + named(name) for name, work in class_.items()}


def complete(assignments: Iterable[Assignment]) -> list[Commit]:
    """Start each assignment and write all of it."""
    work: list[Commit] = []
    for one in assignments:
        work += [begin(one), change(one, reference(one).read_bytes(), "Finish")]
    return work


def half(assignment: Assignment) -> list[Commit]:
    """Start the assignment and write every second task of it."""
    source, whole = starter(assignment).decode(), reference(assignment).read_bytes().decode()
    for task in assignment.tasks[::2]:
        for name in task.functions:
            source = put_back(source, name, whole)
    return [begin(assignment), change(assignment, source.encode(), "Half of")]


def mistaken() -> dict[str, list[Commit]]:
    """Map repositories to complete work with one instructive mistake, a mutant's, in it."""
    course, class_ = load_course(), {}
    for key, names in MUTANTS.items():
        assignment = course.assignment(key)
        wrong = {mutant.name: mutant.source for mutant in load_mutants(assignment)}
        for name in names:
            work = complete(course.assignments)
            last = change(assignment, wrong[f"{assignment.id}/{name}"], "Polish")
            class_[f"wrong-{name.replace('_', '-')}"] = [*work, last]
    return class_


def from_fixtures() -> dict[str, list[Commit]]:
    """Map repositories to what tests/submissions holds, on top of complete lower modules."""
    course, class_ = load_course(), {}
    for kind, names in FIXTURES.items():
        for one in fixtures.load(kind):
            if one.name in names:
                number = course.assignment(one.module).number
                lower = complete(a for a in course.assignments if a.number < number)
                work = [*lower, Commit("My solution", one.files())]
                class_[f"{kind}-{one.name.replace('_', '-')}"] = work
    return class_


def begin(assignment: Assignment) -> Commit:
    """`tito start`: the starter becomes the student's file."""
    return change(assignment, starter(assignment), "Start")


def change(assignment: Assignment, source: bytes, verb: str) -> Commit:
    """Give the student's file of `assignment` another content."""
    return Commit(f"{verb} {assignment.id}", {assignment.source: source})


def named(student: str) -> list[Commit]:
    """Opt into the leaderboard, or not."""
    if student not in ALIASES:
        return []
    file = f'alias = "{ALIASES[student]}"\n'.encode()
    return [Commit("Join the leaderboard", {"leaderboard.toml": file})]


def make(template: Path, out: Path, class_: Mapping[str, list[Commit]]) -> list[Path]:
    """Make the repositories of `class_` below `out`, which is emptied first; return them."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    for number, (name, commits) in enumerate(class_.items()):
        _git(out, "clone", "--quiet", "--no-hardlinks", str(template.resolve()), name)
        for step, commit in enumerate(commits):
            _commit(out / name, commit, TERM_BEGINS + timedelta(hours=number, minutes=7 * step))
    return [out / name for name in class_]


def _commit(repository: Path, commit: Commit, when: datetime) -> None:
    for name, content in commit.files.items():
        (repository / name).parent.mkdir(parents=True, exist_ok=True)
        (repository / name).write_bytes(content)
    _git(repository, "add", "--all")
    dates = {f"GIT_{role}_DATE": when.isoformat() for role in ("AUTHOR", "COMMITTER")}
    _git(repository, "commit", "--quiet", "--no-gpg-sign", f"--message={commit.message}", **dates)


def _git(folder: Path, *arguments: str, **variables: str) -> None:
    environment = os.environ | IDENTITY | variables
    subprocess.run(["git", *arguments], cwd=folder, env=environment, check=True)


if __name__ == "__main__":
    made = make(Path(sys.argv[1]), Path(sys.argv[2]), students())
    print(f"A class of {len(made)} students is in {sys.argv[2]}")
