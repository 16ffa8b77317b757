"""The roster: every submission below a folder, found by what it looks like, not by a list."""

from __future__ import annotations

import base64
import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from autograder.errors import SubmissionError

DEPTH = 4  # folders within folders, as in section-a/assignment/alice
PLAIN, READABLE = 80, 40  # characters of a name that is left alone, and of one that is not
_ENDING = re.compile(r"(?i)(\.git|\.zip|\.tar\.gz|\.tgz)$")


class Entry(NamedTuple):
    """One submission: what it is called in this class, and where it is."""

    name: str  # the path below the class folder, as in "section-a/alice"; any bytes, as os.fsdecode
    source: Path


def output_name(name: str) -> str:
    r"""Return where below the output the files of `name` go: printable, of no one else.

        Most names stay as they are. One that a log, a disk or the ledger could stumble over is made
        readable, and a digest behind a `~`, which no other name keeps, tells it from all that look
        the same.

        Example: "section-a/dan
    " -> "section-a/dan_~ma6x6a7m3a37ao7q"
    """
    first, *rest = name.split("/")
    return "/".join([_output_part(first, "ledger"), *map(_output_part, rest)])


def _output_part(part: str, taken: str | None = None) -> str:
    plain = part.isprintable() and part == " ".join(part.split()) and len(part) <= PLAIN
    if plain and "~" not in part and part != taken:
        return part
    digest = hashlib.blake2b(part.encode("utf-8", "surrogateescape"), digest_size=10).digest()
    readable = "".join(c if c.isprintable() and c != "~" else "_" for c in part[:READABLE])
    return f"{readable}~{base64.b32encode(digest).decode().lower()}"


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
    return [Entry(name, path) for name, path in zip(_names(folder, found), found, strict=True)]


def _names(folder: Path, found: list[Path]) -> list[str]:
    """Name each submission without its ending, but for a name that is another's, or a section's."""
    full = [path.relative_to(folder) for path in found]
    taken = {one.as_posix() for path in full for one in (path, *path.parents)}
    short = [_ENDING.sub("", path.as_posix()) for path in full]
    count = Counter(short)
    return [
        name if count[name] == 1 and name not in taken else path.as_posix()
        for name, path in zip(short, full, strict=True)
    ]


def _below(folder: Path, skip: Path | None, depth: int) -> Iterator[Path]:
    with os.scandir(folder) as entries:
        paths = [Path(e.path) for e in entries if not e.is_symlink() and e.name[0] != "."]
    for path in paths:
        if os.path.isfile(path):
            if re.search(r"(?i)(\.zip|\.tar\.gz|\.tgz)$", path.name):
                yield path
        elif os.path.isdir(path) and path.resolve() != skip:
            if _is_submission(path):
                yield path
            elif depth > 1:
                yield from _inside(path, skip, depth - 1)


def _inside(folder: Path, skip: Path | None, depth: int) -> list[Path]:
    """Return what is below `folder`; one that cannot be read is somebody's, and will be refused."""
    try:
        return list(_below(folder, skip, depth))
    except OSError:
        return [folder]


def _is_submission(folder: Path) -> bool:
    bare = all(os.path.exists(folder / name) for name in ("HEAD", "objects", "refs"))
    return bare or os.path.exists(folder / ".git") or os.path.isdir(folder / "tinytorch")
