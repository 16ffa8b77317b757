"""Reads a commit from a repository's objects; git sees nothing else of the repository.

A repository can carry a configuration that runs commands, alternates that open other repositories,
replacements, filters, hooks. Here git runs on an empty repository of our own and borrows the
object store alone; references are read as the small text files they are.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from autograder.intake.folder import open_folder, read_file
from autograder.intake.objects import Commit, Objects
from autograder.intake.tree import Tree, refusal, shown

FOLDER, LINK, SUBMODULE = "40000", "120000", "160000"
OBJECT_ID = re.compile("[0-9a-f]{40}")
REFERENCE = re.compile(r"refs(/[^/.\0\n][^/\0\n]*)+")  # no part can lead up or hide
REFERENCE_BYTES = 1 << 20


def is_repository(path: Path) -> bool:
    """Tell a repository, bare or with a `.git` beside its files, from a plain folder."""
    return os.path.lexists(path / ".git") or _is_bare(path)


def read_commit(path: Path, revision: str, tree: Tree) -> Commit:
    """Fill `tree` from `revision` (a branch, a tag, a commit id) of the repository at `path`."""
    store = path if _is_bare(path) else path / ".git"
    with open_folder(str(store)) as folder:
        found = revision if _is_id(revision) else _resolve(folder, revision, tree.name)
    _require_own_files(store / "objects", tree)
    with closing(Objects(store / "objects", tree)) as objects:
        commit = objects.commit(found, revision)
        blobs = list(_walk(objects, commit.tree, "", tree))
        sizes = objects.sizes([blob for _, blob in blobs])
        for (name, blob), size in zip(blobs, sizes, strict=True):
            if most := tree.admit(name, size):
                tree.keep(name, objects.read(blob, "blob", most))
    return commit


def _is_bare(path: Path) -> bool:
    return all(os.path.lexists(path / name) for name in ("HEAD", "objects", "refs"))


def _is_id(revision: str) -> bool:
    return re.fullmatch("[0-9a-f]{4,40}", revision) is not None


def _resolve(store: int, revision: str, name: str) -> str:
    """Return the object id that `revision` names.

    HEAD may lead to a branch. In a bare repository that was made before its first push it leads to
    one that nobody pushed; then it is main, where students work.
    """
    if revision == "HEAD":
        head = _small_text(store, "HEAD") or ""
        if OBJECT_ID.fullmatch(head):
            return head
        candidates = [head.removeprefix("ref: "), "refs/heads/main"]
    else:
        kinds = ("refs/heads/", "refs/tags/", "refs/remotes/origin/")
        candidates = [kind + revision for kind in kinds]
    packed = _packed_references(store)
    for reference in filter(REFERENCE.fullmatch, candidates):
        found = _small_text(store, reference) or packed.get(reference, "")
        if OBJECT_ID.fullmatch(found):
            return found
    raise refusal(
        name,
        f"the commit {shown(revision)}",
        "a repository without it",
        "name a branch, a tag or a commit id that was pushed",
    )


def _packed_references(store: int) -> dict[str, str]:
    lines = (_small_text(store, "packed-refs") or "").splitlines()
    pairs = (line.split(" ", 1) for line in lines if re.match("[0-9a-f]{40} refs/", line))
    return {reference: found for found, reference in pairs}


def _small_text(parent: int, path: str) -> str | None:
    """Read the text file at `path` below the folder, through folders that are no links."""
    first, _, rest = path.partition("/")
    try:
        os.stat(first, dir_fd=parent, follow_symlinks=False)
    except OSError:
        return None
    if not rest:
        return read_file(first, parent, REFERENCE_BYTES).decode("utf-8", "replace").strip()
    with open_folder(first, parent) as folder:
        return _small_text(folder, rest)


def _require_own_files(objects: Path, tree: Tree) -> None:
    """Refuse an object store that reaches into another one: by links, pipes or alternates."""
    with open_folder(str(objects)) as folder, os.scandir(folder) as entries:
        inner = [entry.name for entry in entries if _is_own(entry, tree)]
        for name in inner:
            with open_folder(name, folder) as opened, os.scandir(opened) as files:
                for file in files:
                    _is_own(file, tree)


def _is_own(entry: os.DirEntry, tree: Tree) -> bool:
    tree.in_time()
    is_folder = entry.is_dir(follow_symlinks=False)
    foreign = not is_folder and not entry.is_file(follow_symlinks=False)
    if foreign or entry.name in ("alternates", "http-alternates"):
        raise tree.excess(
            "a repository that holds its own objects",
            f"{shown(entry.name)} in .git/objects",
            "clone it without --shared or --reference",
        )
    return is_folder


def _walk(objects: Objects, folder: str, prefix: str, tree: Tree) -> Iterator[tuple[str, str]]:
    """Yield (path, id) of each regular file below the tree object `folder`."""
    content = objects.read(folder, "tree", tree.limits.file_bytes)
    for mode, name, entry in _entries(content, tree):
        path = prefix + name
        tree.enter(path)
        if mode == FOLDER:
            yield from _walk(objects, entry, f"{path}/", tree)
        elif mode in (LINK, SUBMODULE):
            tree.skip(path, "link" if mode == LINK else "submodule")
        else:
            yield path, entry


def _entries(content: bytes, tree: Tree) -> Iterator[tuple[str, str, str]]:
    """Yield (mode, name, id) of each entry of a tree object: mode, space, name, NUL, 20 bytes."""
    position = 0
    while position < len(content):
        end = content.find(b"\0", position)
        mode, separator, name = content[position : max(end, 0)].partition(b" ")
        position = end + 21
        if not separator or b"/" in name or name in (b"", b".", b"..") or position > len(content):
            raise tree.excess("a tree that git wrote", "a malformed one", "push it anew")
        yield mode.decode("ascii", "replace"), os.fsdecode(name), content[end + 1 : position].hex()
