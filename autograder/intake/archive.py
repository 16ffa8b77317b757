"""Reads a .zip or .tar.gz member by member; nothing is ever extracted to disk."""

from __future__ import annotations

import gzip
import os
import re
import stat
import tarfile
import zipfile
from datetime import datetime
from typing import BinaryIO

from autograder.errors import SubmissionError
from autograder.intake.folder import READ
from autograder.intake.tree import Tree, is_passed_over, moment, shown, shown_size

CHUNK = 16 << 10
DIRECTORY_BYTES = 1 << 20  # a zip's table of a thousand names is a tenth of this


def read_archive(path: str, tree: Tree) -> datetime:
    """Fill `tree` from the archive at `path`; return when the archive last changed."""
    file = os.open(path, READ | os.O_NONBLOCK)
    with os.fdopen(file, "rb") as stream:
        facts = os.fstat(file)
        if facts.st_size > tree.limits.archive_bytes:
            raise tree.excess(
                f"at most {shown_size(tree.limits.archive_bytes)}",
                shown_size(facts.st_size),
                "leave out data and history",
            )
        _read(stream, tree, _read_zip if path.lower().endswith(".zip") else _read_tar)
    return moment(facts.st_mtime)


def _read(stream: BinaryIO, tree: Tree, read) -> None:
    try:
        read(stream, tree)
    except SubmissionError:
        raise
    except Exception as error:  # the parsers meet broken input with whatever comes to hand
        raise tree.excess(
            "a readable .zip or .tar.gz", f"a broken one ({type(error).__name__})", "pack it anew"
        ) from error


def _read_zip(stream: BinaryIO, tree: Tree) -> None:
    bounded = Bounded(stream, tree, step=DIRECTORY_BYTES, total=tree.limits.archive_bytes)
    with zipfile.ZipFile(bounded) as archive:
        for member in archive.infolist():
            _read_zip_member(archive, member, tree)


def _read_zip_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, tree: Tree) -> None:
    path = _inside(member.orig_filename, tree)  # `filename` is cut at a NUL
    if path is None:
        return
    tree.enter(path)
    kind = stat.S_IFMT(member.external_attr >> 16)
    if member.is_dir():
        return
    if kind not in (0, stat.S_IFREG):
        tree.skip(path, "link" if kind == stat.S_IFLNK else "device, socket or pipe")
    elif most := tree.admit(path, member.file_size):
        if member.flag_bits & 1 or member.compress_type not in (0, zipfile.ZIP_DEFLATED):
            raise tree.excess("plain deflate", "encryption or a rare method", "pack it with zip")
        with archive.open(member) as content:
            tree.keep(path, content.read(most + 1))


def _read_tar(stream: BinaryIO, tree: Tree) -> None:
    with gzip.GzipFile(fileobj=stream) as unzipped:
        most = tree.limits.total_bytes + tree.limits.entries * CHUNK
        bounded = Bounded(unzipped, tree, step=CHUNK, total=most)
        with tarfile.open(fileobj=bounded, mode="r:") as archive:
            for member in archive:
                _read_tar_member(archive, member, tree)


def _read_tar_member(archive: tarfile.TarFile, member: tarfile.TarInfo, tree: Tree) -> None:
    path = _inside(member.name, tree)
    if path is None:
        return
    tree.enter(path)
    if member.isdir():
        return
    if not member.isreg() or member.issparse():
        link = member.issym() or member.islnk()
        tree.skip(path, "link" if link else "sparse file, device or pipe")
    elif tree.admit(path, member.size):
        content = archive.extractfile(member)
        chunks = iter(lambda: content.read(CHUNK), b"")
        tree.keep(path, b"".join(chunks))


def _inside(name: str, tree: Tree) -> str | None:
    """Return `name` without `.` and doubled slashes, None where it is passed over.

    A name that could lead out is refused.
    """
    parts = name.split("/")
    foreign = "\\" in name or "\0" in name or re.match("[A-Za-z]:", name)
    if name.startswith("/") or ".." in parts or foreign:
        raise tree.excess("relative names inside the archive", shown(name), "pack it anew")
    parts = [part for part in parts if part not in ("", ".")]
    return None if any(map(is_passed_over, parts[:-1])) or not parts else "/".join(parts)


class Bounded:
    """A file that a parser cannot be led to read at length, for long, or backwards and forwards.

    zipfile and tarfile trust the sizes in headers; a lie becomes memory, a negative one a loop.
    """

    def __init__(self, stream: BinaryIO, tree: Tree, *, step: int, total: int):
        """Allow reads of at most `step` bytes each, and positions up to `total`."""
        self._stream, self._tree = stream, tree
        self._step, self._total = step, total

    def read(self, size: int = -1) -> bytes:
        """Read at most `size` bytes; refuse more than one step."""
        self._tree.in_time()
        if size > self._step:
            raise self._tree.excess("headers of ordinary size", shown_size(size), "pack it anew")
        content = self._stream.read(size if size >= 0 else self._step)
        self._within(self._stream.tell())
        return content

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move; refuse a place beyond the bound before anything is unpacked on the way."""
        self._tree.in_time()
        if whence == 0:
            self._within(offset)
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        """Return the position."""
        return self._stream.tell()

    def seekable(self) -> bool:
        """Seeking is what zipfile needs."""
        return True

    def _within(self, position: int) -> None:
        if position > self._total:
            raise self._tree.excess(
                f"at most {shown_size(self._total)} unpacked", "more", "remove data files"
            )
