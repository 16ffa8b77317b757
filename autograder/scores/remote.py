"""Changes a scores repository that others push to at the same time; nothing of anybody is lost.

Each try clones what the remote has now, changes that and pushes. Git takes a push only if nobody
was faster, so a change is there whole, on top of everybody else's, or not at all; a publisher that
is killed at any moment leaves nothing behind.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from autograder.github.repositories import Rejected, clone, commit_and_push
from autograder.scores.folder import ReplayError, ScoresError, append
from autograder.scores.signers import Signers

TRIES = 20
PAUSE_S, LONGEST_S = 0.05, 3.0

T = TypeVar("T")


@dataclass
class Shared:
    """What became of reports."""

    appended: int = 0
    known: int = 0  # they were there already
    replays: list[str] = field(default_factory=list)  # why the others were not appended


def share(
    remote: str,
    signed: Sequence[tuple[bytes, bytes]],
    *,
    token: str = "",
    tries: int = TRIES,
    signers: Signers | None = None,
) -> Shared:
    """Append the `signed` reports, pairs of content and signature, to the repository at `remote`.

    Safe to repeat. A report that cannot be appended holds up no other; but where one is not signed
    by the `signers`, the key is wrong, and nothing is appended.
    """
    if not signed:
        return Shared()
    message = f"Append {len(signed)} report{'s' * (len(signed) != 1)}"
    return update(
        remote, lambda folder: _append(folder, signed, signers), message, token=token, tries=tries
    )


def update(
    remote: str, change: Callable[[Path], T], message: str, *, token: str = "", tries: int = TRIES
) -> T:
    """Push what `change` does to a clone of `remote`; return what it returns the last time.

    `change` gets the newest state, and is called again on a newer one if somebody pushed first.
    """
    pause = PAUSE_S
    for _ in range(tries):
        with tempfile.TemporaryDirectory(prefix="scores-") as scratch:
            folder = Path(scratch) / "scores"
            clone(remote, folder, token)
            result = change(folder)
            try:
                commit_and_push(folder, message, token)
                return result
            except Rejected as rejected:
                reason = rejected
        time.sleep(random.uniform(0, pause))
        pause = min(2 * pause, LONGEST_S)
    cure = "see why and run it again: nothing was changed"
    raise ScoresError(f"the scores repository took none of {tries} pushes ({reason}); {cure}")


def _append(folder: Path, signed: Sequence[tuple[bytes, bytes]], signers: Signers | None) -> Shared:
    shared = Shared()
    for content, signature in signed:
        try:
            new = append(folder, content, signature, signers)
        except ReplayError as replay:
            shared.replays.append(str(replay))
            continue
        shared.appended, shared.known = shared.appended + new, shared.known + (not new)
    return shared
