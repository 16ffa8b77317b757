"""The student's repository: where it is, which modules are started, how a file in it is changed.

Nothing a student wrote is ever lost: no starter goes over a file, what is put back is backed up
first, and a file is written whole or not at all.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from assignments.catalog import Assignment, Milestone, Planned, load_course
from assignments.functions import functions, put_back

MARK = Path("assignments", "course.toml")


class TitoError(Exception):
    """A student's mistake or a missing thing: one clear line that ends with what to do."""


class Repository:
    """The course and one student's work on it."""

    def __init__(self, start: Path):
        """Find the repository that holds `start`, upwards."""
        for folder in (start, *start.parents):
            if (folder / MARK).is_file():
                self.root = folder
                break
        else:
            raise TitoError(
                f"this is no folder of the course: there is no {MARK.as_posix()} in {start} or "
                "above it; change into your repository (`cd`) and try again"
            )
        self.course = load_course(self.root / "assignments")

    def file(self, assignment: Assignment | Planned) -> Path:
        """Where the student's own module lies."""
        return self.root / "tinytorch" / f"{assignment.id[3:]}.py"

    def started(self) -> list[Assignment]:
        """List the modules whose file exists."""
        return [one for one in self.course.assignments if self.file(one).is_file()]

    def require_started(self, assignment: Assignment) -> None:
        """Refuse a module without a file of the student's."""
        if not self.file(assignment).is_file():
            raise TitoError(
                f"{assignment.source} does not exist; begin with `tito start {assignment.id[:2]}`"
            )

    def missing(self, milestone: Milestone) -> list[str]:
        """Name the modules that `milestone` needs and the student has not started."""
        return [
            one.id
            for one in self.course.planned
            if one.id in milestone.requires and not self.file(one).is_file()
        ]

    def start(self, assignment: Assignment) -> None:
        """Copy the starter to the student's package, never over a file."""
        number = assignment.id[:2]
        if self.file(assignment).exists():
            raise TitoError(
                f"{assignment.source} exists and stays as it is; go on with `tito test {number}`, "
                f"or begin again with `tito reset {number}`"
            )
        for required in assignment.requires:
            lower = self.course.assignment(required)
            if not self.file(lower).is_file():
                raise TitoError(
                    f"{assignment.id} builds on {lower.id}, which is not started; "
                    f"run `tito start {lower.id[:2]}` first"
                )
        write_whole(self.file(assignment), assignment.starter.read_bytes())

    def reset_text(self, assignment: Assignment, function: str | None) -> str:
        """Return the student's file with the starter, or one function of it, put back."""
        self.require_started(assignment)
        starter = _read_text(assignment.starter, _shown(self.root, assignment.starter))
        if function is None:
            return starter
        name = _full_name(function, starter, assignment)
        text = _read_text(self.file(assignment), assignment.source)
        whole = f"`tito reset {assignment.id[:2]}` puts the whole file back"
        cure = f"mend that line, or {whole}"
        _require_python(text, assignment.source, cure)
        try:
            changed = put_back(text, name, starter)
        except LookupError:
            raise TitoError(
                f"{name} is not in {assignment.source} as often as in the starter; copy it from "
                f"{_shown(self.root, assignment.starter)}, or {whole}"
            ) from None
        _require_python(changed, assignment.source, f"your file indents otherwise; {whole}")
        return changed


def write_whole(path: Path, data: bytes) -> None:
    """Write `path` completely or not at all, whatever happens on the way."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    draft = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        draft.chmod(path.stat().st_mode if path.exists() else 0o644)
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def back_up(root: Path, path: Path) -> Path:
    """Copy `path` to the next free name under .tito/backups/ and return that."""
    folder = root / ".tito" / "backups"
    folder.mkdir(parents=True, exist_ok=True)
    number = 1
    while True:
        copy = folder / f"{path.stem}-{number}{path.suffix}"
        try:
            with copy.open("xb") as file:  # never over an older backup
                file.write(path.read_bytes())
            return copy
        except FileExistsError:
            number += 1


def _full_name(function: str, starter: str, assignment: Assignment) -> str:
    """Return the function of the starter that is meant: `matmul` for Tensor.matmul will do."""
    names = list(dict.fromkeys(one.name for one in functions(starter)))
    meant = [name for name in names if name == function]
    meant = meant or [name for name in names if name.endswith(f".{function}")]
    if len(meant) == 1:
        return meant[0]
    choice = ", ".join(meant or assignment.functions)
    if meant:
        raise TitoError(f"{function!r} may be several of {assignment.id}; choose one of: {choice}")
    raise TitoError(f"{assignment.id} has no function {function!r}; choose one of: {choice}")


def _read_text(path: Path, shown: str) -> str:
    """Read UTF-8 with its newlines as they are; `shown` is the file's name in an error."""
    try:
        return path.read_bytes().decode()
    except FileNotFoundError:
        raise TitoError(f"{shown} is missing: restore it with `git checkout -- {shown}`") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise TitoError(f"{shown}:{line}: not UTF-8; save the file as UTF-8") from None


def _require_python(text: str, shown: str, cure: str) -> None:
    try:
        functions(text)
    except SyntaxError as error:
        raise TitoError(f"{shown}:{error.lineno}: SyntaxError: {error.msg}; {cure}") from None


def _shown(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix()
