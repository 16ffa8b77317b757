"""A submission as grading sees it: a private copy of its graded files, and where it came from."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from autograder.intake.archive import read_archive
from autograder.intake.folder import read_folder
from autograder.intake.git import is_repository, read_commit
from autograder.intake.limits import Limits
from autograder.intake.tree import Tree, refusal, shown

ARCHIVES = (".zip", ".tar.gz", ".tgz")


@dataclass(frozen=True)
class Submission:
    """What was handed in, frozen: nothing that happens to the original changes it any more."""

    name: str  # of the folder, repository or archive; safe in a log, a path and a page
    root: Path  # the private copy, gone when grading ends
    digest: str  # sha256 over paths and contents of the graded files
    submitted_at: datetime
    commit: str | None = None  # None where there is no git
    tree: str | None = None
    notes: tuple[str, ...] = ()  # what was not read, and why

    def source(self, module: str) -> bytes | None:
        """Return the bytes of `tinytorch/<module>.py`, None where it is missing."""
        path = self.root / "tinytorch" / f"{module}.py"
        return path.read_bytes() if path.is_file() else None

    def entry(self) -> dict[str, bytes]:
        """Return the files in `entry/` by name, which are read if `Limits.entry_bytes` says so."""
        folder = self.root / "entry"
        paths = (path for path in folder.rglob("*") if path.is_file())
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(paths)}


@contextmanager
def receive(source: str | Path, limits: Limits | None = None) -> Iterator[Submission]:
    """Receive a folder, a git repository (PATH or PATH@COMMIT), a .zip or a .tar.gz.

    Raises SubmissionError: one line that says what was expected, what came, what to do.
    """
    path, revision = _located(str(source))
    tree = Tree(_clean_name(path), limits or Limits())
    origin = _read(path, revision, tree)
    files = tree.course_files()
    with TemporaryDirectory(prefix="submission-") as root:
        yield Submission(
            name=tree.name,
            root=_copy(files, Path(root)),
            digest=_digest(files),
            notes=tuple(sorted(tree.notes)),
            **origin,
        )


def _located(source: str) -> tuple[Path, str | None]:
    """Return the path and the commit asked for; the path exists and is of a kind we read."""
    path, revision = Path(source), None
    if not os.path.lexists(path):
        before, at, after = source.rpartition("@")
        path, revision = (Path(before), after) if at and before else (path, None)
    if os.path.islink(path) or not (os.path.isdir(path) or _is_archive(path)):
        came = "another file" if os.path.lexists(path) else "no such path"
        raise refusal(
            shown(source),
            "a folder, a git repository (PATH or PATH@COMMIT), a .zip or a .tar.gz",
            "a link" if os.path.islink(path) else came,
            "name one of these",
        )
    return path, revision


def _is_archive(path: Path) -> bool:
    return path.name.lower().endswith(ARCHIVES) and os.path.isfile(path)


def _read(path: Path, revision: str | None, tree: Tree) -> dict[str, Any]:
    """Fill `tree` from `path`; return what its kind tells about commit and time."""
    repository = is_repository(path)
    if revision is not None and not repository:
        raise tree.excess(
            f"a git repository, to find {shown(revision)} in it", "none", "leave out the commit"
        )
    try:
        if repository:
            commit = read_commit(path, "HEAD" if revision is None else revision, tree)
            return {"submitted_at": commit.at, "commit": commit.id, "tree": commit.tree}
        read = read_archive if _is_archive(path) else read_folder
        return {"submitted_at": read(str(path), tree)}
    except OSError as error:
        raise tree.excess(
            "a submission that can be read", str(error.strerror), "check its permissions, try again"
        ) from error
    except (ValueError, ArithmeticError, LookupError, RecursionError) as error:
        # what odd data meets in code that did not foresee it is the data's fault, not the grader's
        raise tree.excess(
            "a submission that can be read", type(error).__name__, "hand in ordinary files"
        ) from error


def _clean_name(path: Path) -> str:
    """Return the last part of `path` with nothing that a log, a path or a page could mistake."""
    name = re.sub(r"(?i)(\.git|\.zip|\.tar\.gz|\.tgz)$", "", path.absolute().name)
    return re.sub(r"[^\w.@+ -]", "_", name)[:80] or "submission"


def _copy(files: dict[str, bytes], root: Path) -> Path:
    (root / "tinytorch").mkdir()
    for path, content in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
    return root


def _digest(files: dict[str, bytes]) -> str:
    digest = hashlib.sha256()
    for path, content in sorted(files.items()):
        digest.update(f"{path}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()
