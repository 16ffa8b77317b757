"""Export the student repository: an allow-list of files as one fresh commit without history.

What is not listed stays here: hidden checks, probes, references, the grader. Two kinds of files
go out: course files as they are, and those below `files/`, which exist in student repositories
only. The same tree always makes the same commit.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from string import Template

from assignments.catalog import Assignment, Course, load_course, tomllib
from autograder import starters
from autograder.errors import AutograderError, GraderError

ROOT = Path(__file__).resolve().parents[2]
FILES = ROOT / "autograder" / "template" / "files"
COURSE_FILES = (
    "LICENSE",
    "assignments/__init__.py",
    "assignments/catalog.py",
    "assignments/cli.py",
    "assignments/compete.py",
    "assignments/competition/README.md",
    "assignments/competition/__init__.py",
    "assignments/competition/answers.py",
    "assignments/competition/baseline/decode.py",
    "assignments/competition/baseline/featherweight.py",
    "assignments/competition/baseline/language.py",
    "assignments/competition/baseline/sprint.py",
    "assignments/competition/baseline/target.py",
    "assignments/competition/draws.py",
    "assignments/competition/given.py",
    "assignments/competition/given/digits.npz",
    "assignments/competition/given/language.npz",
    "assignments/competition/given/text.txt",
    "assignments/competition/language.py",
    "assignments/competition/pace.py",
    "assignments/competition/practice/__init__.py",
    "assignments/competition/practice/__main__.py",
    "assignments/competition/practice/digits.py",
    "assignments/competition/practice/entry.py",
    "assignments/competition/practice/letters.py",
    "assignments/competition/practice/turns.py",
    "assignments/competition/rules.py",
    "assignments/competition/tracks.py",
    "assignments/competition/tracks.toml",
    "assignments/competition/weight.py",
    "assignments/conftest.py",
    "assignments/course.toml",
    "assignments/display.py",
    "assignments/functions.py",
    "assignments/practice.py",
    "assignments/repository.py",
    "assignments/submit.py",
    "assignments/term.py",
    "milestones/README.md",
    "milestones/__init__.py",
    "milestones/data/README.md",
    "milestones/data/digits.npz",
    "milestones/data/iris.npz",
    "milestones/datasets.py",
    "milestones/deployment.py",
    "milestones/download.py",
    "milestones/problem.py",
    "milestones/stage.py",
    "tinytorch/__init__.py",
)
STUDENT_FILES = {  # in `files/`, where a leading dot would make them act on this repository
    "README.md": "README.md",
    "gitattributes": ".gitattributes",
    "gitignore": ".gitignore",
    "tinytorch.md": "tinytorch/README.md",
    "visible-tests.yml": ".github/workflows/visible-tests.yml",
}
PICTURES = (".svg", ".png")
BRANCH = "main"
IDENTITY = {
    f"GIT_{role}_{key}": value
    for role in ("AUTHOR", "COMMITTER")
    for key, value in (
        ("NAME", "course"),
        ("EMAIL", "course@example.org"),
        ("DATE", "2026-01-01T00:00:00+00:00"),
    )
}


class ExportError(AutograderError):
    """The place to export to will not do."""

    exit_code = 2


def export(out: Path) -> None:
    """Write the student repository to `out`, a folder that is empty or does not exist yet."""
    out = Path(out)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ExportError(f"{out} is not empty: name a new folder, or remove it first")
    course = load_course()
    drifted = ", ".join(path.name for path in starters.check(course))
    if drifted:
        raise GraderError(f"the starters {drifted} have drifted: run `make starters` first")
    for name, data in contents(course).items():
        path = out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    _commit(out, course)


def contents(course: Course) -> dict[str, bytes]:
    """Map every path of the student repository to its bytes."""
    sources = {name: ROOT / name for name in COURSE_FILES}
    sources |= {name: FILES / source for source, name in STUDENT_FILES.items()}
    scripts = [milestone.script for milestone in course.milestones]
    sources |= {f"milestones/{path.name}": path for path in scripts if path.is_file()}
    for assignment in course.assignments:
        sources |= {path.relative_to(ROOT).as_posix(): path for path in _files_of(assignment)}
    missing = [name for name, path in sources.items() if not path.is_file()]
    if missing:
        raise GraderError(f"the student repository needs {', '.join(missing)}: write it first")
    files = {name: path.read_bytes() for name, path in sources.items()}
    return files | {"pyproject.toml": _pyproject().encode()}


def _files_of(assignment: Assignment) -> Iterator[Path]:
    yield assignment.folder / "assignment.toml"
    yield from (assignment.lesson, assignment.starter, assignment.visible_tests)
    figures = assignment.folder / "figures"
    yield from sorted(path for path in figures.glob("*") if path.suffix in PICTURES)


def _pyproject() -> str:
    """Fill in the student's pyproject.toml: our version and our pins, so that they cannot drift."""
    ours = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    project = ours["project"]
    extras = project["optional-dependencies"]
    return Template((FILES / "pyproject.toml.in").read_text(encoding="utf-8")).substitute(
        backend=ours["build-system"]["requires"][0],
        version=project["version"],
        python=project["requires-python"],
        dependencies=_listed(project["dependencies"] + extras["student"]),
        milestones=_listed(extras["milestones"]),
    )


def _listed(requirements: list[str]) -> str:
    return "\n".join(f'  "{one}",' for one in requirements)


def _commit(out: Path, course: Course) -> None:
    # An empty template, or this machine's hooks would be copied into the student repository.
    _git(out, "init", "--quiet", "--template=", f"--initial-branch={BRANCH}")
    _git(out, "add", "--all")
    _git(out, "commit", "--quiet", f"--message={course.title}: the course files")


def _git(out: Path, *arguments: str) -> None:
    """Run git in `out` with no configuration but this, so that every machine does the same."""
    bare = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}
    env = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    try:
        subprocess.run(
            ["git", *arguments],
            cwd=out,
            env=env | bare | IDENTITY,
            check=True,
            capture_output=True,
            encoding="utf-8",
        )
    except FileNotFoundError:
        raise GraderError("git is not installed: install it and export again") from None
    except subprocess.CalledProcessError as error:
        raise GraderError(f"git {arguments[0]} failed: {error.stderr.strip()}") from None
