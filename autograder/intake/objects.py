"""An object store behind one `git cat-file`, which sees nothing else of the repository."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import resource
import subprocess
import threading
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from autograder.errors import AutograderError, GraderError
from autograder.intake.tree import Tree, moment, shown

EMPTY = Path(__file__).with_name("empty.git")  # git's own view: no references, our configuration
USAGE = 129  # git's exit code for an option it does not know
INSTALL = "reading a repository needs git 2.36 or newer: install it (apt-get install git)"


@dataclass(frozen=True)
class Commit:
    """What a commit says of itself; the time is the committer's word, not proof of lateness."""

    id: str
    tree: str
    at: datetime


class Objects:
    """An object store, read through one `git cat-file` that knows no other repository."""

    def __init__(self, store: Path, tree: Tree):
        """Serve the objects in `store`, within the limits of `tree`."""
        self._tree = tree
        self._git = _start(_environment(store))
        memory = tree.limits.git_memory_bytes
        resource.prlimit(self._git.pid, resource.RLIMIT_AS, (memory, memory))
        self._overtime = threading.Event()
        self._timer = threading.Timer(tree.limits.wall_s, self._stop)
        self._timer.start()

    def close(self) -> None:
        """End git."""
        self._timer.cancel()
        self._timer.join()
        self._git.kill()
        for pipe in (self._git.stdin, self._git.stdout):
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
        self._git.wait()

    def commit(self, found: str, revision: str) -> Commit:
        """Return the commit that `found` names, directly or through a tag."""
        (line,) = self._ask([f"info {found}^{{commit}}"])
        if line.endswith((" missing", " ambiguous")):
            raise self._tree.excess(
                f"the commit {shown(revision)}",
                f"a repository where it is {line.rsplit(' ', 1)[1]}",
                "push it, or name it in full",
            )
        commit = line.split(" ")[0]
        content = self.read(commit, "commit", self._tree.limits.source_bytes)
        return Commit(commit, *self._facts(content))

    def _facts(self, content: bytes) -> tuple[str, datetime]:
        tree = re.match(rb"tree ([0-9a-f]{40})\n", content)
        at = re.search(rb"^committer [^\n]*> (\d{1,20}) [+-]\d{4}$", content, re.MULTILINE)
        if not tree or not at:
            raise self._tree.excess("a commit that git wrote", "a malformed one", "commit again")
        return tree[1].decode(), moment(int(at[1]))

    def sizes(self, ids: list[str]) -> list[int]:
        """Return the sizes of blobs without reading them."""
        lines = self._ask([f"info {one}" for one in ids])
        if not all(re.fullmatch(r"[0-9a-f]{40} blob \d+", line) for line in lines):
            raise self._damaged()
        return [int(line.rsplit(" ", 1)[1]) for line in lines]

    def read(self, one: str, kind: str, limit: int) -> bytes:
        """Return the content of the object `one`, whose name must be its digest."""
        (header,) = self._ask([f"contents {one}"])
        if not header.startswith(f"{one} {kind} "):
            raise self._damaged()
        size = int(header.rsplit(" ", 1)[1])
        if size > limit:
            raise self._tree.too_large(f"{kind} {one}", size, limit)
        content = self._git.stdout.read(size + 1)[:-1]
        if hashlib.sha1(b"%s %d\0%s" % (kind.encode(), size, content)).hexdigest() != one:
            raise self._damaged()
        return content

    def _ask(self, requests: list[str]) -> list[str]:
        """Send requests, a hundred at a time so that neither pipe fills; return answers' lines."""
        lines = []
        for start in range(0, len(requests), 100):
            some = requests[start : start + 100]
            try:
                self._git.stdin.write("".join(f"{line}\n" for line in some).encode())
                self._git.stdin.flush()
            except BrokenPipeError as error:
                raise self._damaged() from error
            lines += [self._git.stdout.readline() for _ in some]
        if not all(line.endswith(b"\n") for line in lines):
            raise self._damaged()
        return [line.decode("ascii", "replace").rstrip("\n") for line in lines]

    def _stop(self) -> None:
        self._overtime.set()
        self._git.kill()

    def _damaged(self) -> AutograderError:
        if self._overtime.is_set():
            return self._tree.overtime()
        if self._exit_code() == USAGE:
            return GraderError(INSTALL)
        return self._tree.excess(
            "a complete, sound repository", "one with objects missing or damaged", "clone it anew"
        )

    def _exit_code(self) -> int | None:
        """Return how git ended; without requests it ends by itself."""
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            self._git.stdin.close()
            return self._git.wait(1)
        return self._git.poll()


def _start(environment: dict[str, str]) -> subprocess.Popen[bytes]:
    command = ["git", "cat-file", "--batch-command"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    try:
        return subprocess.Popen(command, cwd=EMPTY, env=environment, **pipes)
    except FileNotFoundError as error:
        raise GraderError(INSTALL) from error


def _environment(store: Path) -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "GIT_DIR": str(EMPTY),
        "GIT_OBJECT_DIRECTORY": str(store.absolute()),
        "GIT_CONFIG_NOSYSTEM": "1",
        "LC_ALL": "C",
    }
