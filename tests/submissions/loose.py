"""Writes git objects byte by byte, as git itself would refuse to."""

from __future__ import annotations

import hashlib
import zlib
from pathlib import Path


def loose(path: Path, one: str) -> Path:
    """Return the file of the loose object `one`."""
    return path / ".git" / "objects" / one[:2] / one[2:]


def write_object(path: Path, kind: str, content: bytes) -> str:
    """Write any bytes as an object; return its id."""
    whole = b"%s %d\0%s" % (kind.encode(), len(content), content)
    one = hashlib.sha1(whole).hexdigest()
    loose(path, one).parent.mkdir(exist_ok=True)
    loose(path, one).write_bytes(zlib.compress(whole))
    return one


def write_commit(path: Path, tree: str, message: bytes = b"odd") -> str:
    """Write a commit of the object `tree`; return its id."""
    head = f"tree {tree}\nauthor a <a> 1 +0000\ncommitter a <a> 1 +0000\n\n"
    return write_object(path, "commit", head.encode() + message)


def commit_tree(path: Path, content: bytes) -> str:
    """Commit a tree of the given bytes on the branch `odd`; return how to name it."""
    one = write_commit(path, write_object(path, "tree", content))
    (path / ".git" / "refs" / "heads" / "odd").write_text(one)
    return f"{path}@odd"
