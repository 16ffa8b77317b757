"""The roster: every submission below a folder, found by what it looks like, not by a list."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from autograder.errors import SubmissionError

DEPTH = 4  # folders within folders, as in section-a/assignment/alice
_ENDING = re.compile(r"(?i)(\.git|\.zip|\.tar\.gz|\.tgz)$")


class Entry(NamedTuple):
    """One submission: what it is called in this class, and where it is."""

    name: str  # the path below the class folder, as in "section-a/alice"
    source: Path


def find_submissions(folder: Path, without: Path | None = None) -> list[Entry]:
    """Return every submission below `folder`, by name; `without` is a folder not to look into.

    A submission is a git repository (bare or not), a folder that holds `tinytorch/`, or an archive
    (.zip, .tar.gz, .tgz). It is not searched for others. Links and hidden folders are passed over.
    """
    if not folder.is_dir():
        came = "a file" if folder.exists() else "no such path"
        raise SubmissionError(
            f"{folder}: expected a folder with submissions in it, got {came}; name the class folder"
        )
    skip = without.resolve() if without else None
    found = sorted(_below(folder, skip, DEPTH))
    if not found:
        raise SubmissionError(
            f"{folder}: expected git repositories, folders with tinytorch/ or archives below it, "
            "got none; clone the class into it"
        )
    short = [_ENDING.sub("", path.relative_to(folder).as_posix()) for path in found]
    count = Counter(short)
    return [
        Entry(name if count[name] == 1 else path.relative_to(folder).as_posix(), path)
        for name, path in zip(short, found, strict=True)
    ]


def _below(folder: Path, skip: Path | None, depth: int) -> Iterator[Path]:
    with os.scandir(folder) as entries:
        paths = [Path(e.path) for e in entries if not e.is_symlink() and e.name[0] != "."]
    for path in paths:
        if path.is_file():
            if re.search(r"(?i)(\.zip|\.tar\.gz|\.tgz)$", path.name):
                yield path
        elif path.is_dir() and path.resolve() != skip:
            if _is_submission(path):
                yield path
            elif depth > 1:
                yield from _below(path, skip, depth - 1)


def _is_submission(folder: Path) -> bool:
    bare = all((folder / name).exists() for name in ("HEAD", "objects", "refs"))
    return bare or (folder / ".git").exists() or (folder / "tinytorch").is_dir()
