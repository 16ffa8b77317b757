"""Reads a folder without following anything: directory descriptors, O_NOFOLLOW, regular files."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from autograder.intake.tree import Tree, is_passed_over, moment, refusal, shown, shown_size

READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NOCTTY


def read_folder(path: str, tree: Tree) -> datetime:
    """Fill `tree` from the folder at `path`; return when a graded file last changed."""
    with open_folder(path) as folder:
        return moment(_walk(folder, "", tree))


def _walk(folder: int, prefix: str, tree: Tree) -> float:
    changed = 0.0
    with os.scandir(folder) as entries:
        for entry in entries:
            path = prefix + entry.name
            tree.enter(path)
            if entry.is_dir(follow_symlinks=False):
                if not is_passed_over(entry.name):
                    with open_folder(entry.name, folder) as inner:
                        changed = max(changed, _walk(inner, f"{path}/", tree))
            elif entry.is_file(follow_symlinks=False):
                facts = entry.stat(follow_symlinks=False)
                if most := tree.admit(path, facts.st_size):
                    tree.keep(path, read_file(entry.name, folder, most))
                    changed = max(changed, facts.st_mtime)
            else:
                tree.skip(path, "link" if entry.is_symlink() else "device, socket or pipe")
    return changed


@contextmanager
def open_folder(name: str, parent: int | None = None) -> Iterator[int]:
    """Open the folder `name`, itself no link, as a descriptor."""
    try:
        folder = os.open(name, READ | os.O_DIRECTORY, dir_fd=parent)
    except OSError as error:
        raise refusal(shown(name), "a readable folder", _came(error), "replace it") from error
    try:
        yield folder
    finally:
        os.close(folder)


def read_file(name: str, parent: int | None, limit: int) -> bytes:
    """Return the content of a regular file of at most `limit` bytes that stands still."""
    try:
        file = os.open(name, READ | os.O_NONBLOCK, dir_fd=parent)  # a pipe must not block
    except OSError as error:
        raise refusal(shown(name), "a readable file", _came(error), "replace it") from error
    with os.fdopen(file, "rb") as stream:
        before = os.fstat(file)
        if not stat.S_ISREG(before.st_mode):
            raise refusal(shown(name), "a regular file", "something else", "replace it")
        if before.st_size > limit:
            raise refusal(
                shown(name), f"at most {shown_size(limit)}", shown_size(before.st_size), "remove it"
            )
        content = stream.read(limit + 1)
        after = os.fstat(file)
    if len(content) != before.st_size or after.st_mtime_ns != before.st_mtime_ns:
        raise refusal(shown(name), "a file at rest", "one that changes while read", "try again")
    return content


def _came(error: OSError) -> str:
    foreign = error.errno in (errno.ELOOP, errno.ENOTDIR)
    return "a link, or something else" if foreign else str(error.strerror)
