"""A scores repository as a folder: what is appended is there whole, or not at all."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from autograder.errors import AutograderError
from autograder.report.files import replace
from autograder.scores.document import (
    Facts,
    Report,
    facts,
    parse,
    parse_report,
    place,
    replayed,
)
from autograder.scores.signers import Signers
from autograder.signatures import SIGNATURE_BYTES, SignatureError

LOCK_S = 120.0  # far longer than any append
REPOSITORY = re.compile(r"[1-9][0-9]{0,18}")
REPORT = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}\.json")


class ScoresError(AutograderError):
    """The scores repository cannot be read or written; says where and what to do."""

    exit_code = 2


class ReplayError(ScoresError):
    """The report, or another one about the same attempt, is there already."""


def append(
    folder: str | Path, content: bytes, signature: bytes, signers: Signers | None = None
) -> bool:
    """Add the signed report to the scores in `folder`; False if it is there already.

    The signature is written first, so that a report is never seen without. Raises ReplayError for
    another report under the same id, and for a second one about an attempt that it does not
    supersede. With `signers`, what they did not sign holds up nothing, and is not appended.
    """
    try:
        report = parse_report(content)
    except ValueError as fault:
        raise ScoresError(f"a report that cannot be appended: {fault}") from None
    if not 0 < len(signature) <= SIGNATURE_BYTES:
        raise ScoresError(f"{place(report)}: expected its signature, got {len(signature)} bytes")
    _require_signed(report, content, signature, signers)
    path = Path(folder) / place(report)
    _make_folders(path.parent)
    try:
        with FileLock(_lock(Path(folder)), timeout=LOCK_S):
            return _append(path, report, content, signature, signers)
    except Timeout:
        cure = "see which publisher hangs, end it and try again"
        raise ScoresError(f"{folder}: in use for {LOCK_S:g} s; {cure}") from None


def _lock(folder: Path) -> Path:
    """Return the lock's place, in a clone one that is never committed."""
    git = folder / ".git"
    return git / "scores.lock" if git.is_dir() else folder / ".lock"


def _require_signed(
    report: Report, content: bytes, signature: bytes, signers: Signers | None
) -> None:
    """Demand that whoever reads `report` will believe it: else it would be made again and again."""
    try:
        if signers is not None:
            signers.require(content, signature)
    except (SignatureError, ValueError) as error:
        cure = f"add the public half of the key that signs to {signers.allowed.name}"
        raise ScoresError(f"{place(report)}: it would not count: {error}; {cure}") from None


def _append(
    path: Path, report: Report, content: bytes, signature: bytes, signers: Signers | None
) -> bool:
    proof = path.with_name(f"{path.name}.sig")
    for one in (path, proof):
        if one.is_symlink():
            raise ScoresError(f"{one}: expected a file, got a link; remove it")
    if path.exists() and path.read_bytes() != content:
        raise ReplayError(f"{place(report)}: another report has this id; grade it anew")
    if path.exists() and proof.exists():
        return False
    mine = facts(report)
    earlier = replayed(mine, _rivals(path, mine, signers))
    if earlier:
        cure = f"let it supersede {earlier}, or leave it"
        raise ReplayError(f"{place(report)}: {earlier} is about the same attempt; {cure}")
    replace(proof, signature)
    replace(path, content)
    return True


def _make_folders(folder: Path) -> None:
    """Make reports/<repository id>, through no link."""
    for one in (folder.parent, folder):
        if one.is_symlink() or one.exists() and not one.is_dir():
            raise ScoresError(f"{one}: expected a folder, got something else; remove it")
        os.makedirs(one, exist_ok=True)


def _rivals(path: Path, mine: Facts, signers: Signers | None) -> Iterator[Facts]:
    """Yield the facts of the reports beside `path` about the same attempt, if they count."""
    for one in sorted(path.parent.iterdir()):
        if REPORT.fullmatch(one.name) and one != path and one.is_file() and not one.is_symlink():
            try:
                found = facts(parse(one.read_bytes()))
            except (ValueError, KeyError, TypeError, AttributeError):
                continue  # it is no report, which `read` refuses
            # the attempt first: to ask who signed costs a process
            if found.attempt == mine.attempt and (signers is None or signers.report(one)):
                yield found
