"""The sandbox as the grader sees it: starts fork servers, checks the proof of every worker."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import socket
import subprocess
import sys
import weakref
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from autograder.errors import GraderError, IsolationError
from autograder.sandbox.handle import START_S, Worker
from autograder.sandbox.limits import Limits

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PACKAGE = ROOT / "tinytorch" / "__init__.py"
# Where nothing stands between student code and these three, the layers protect nothing.
BARE = {"read_hidden", "fork", "tcp"}


class Sandbox:
    """Gives out locked workers; use it in a `with` block, from one thread."""

    def __init__(
        self,
        limits: Limits | None = None,
        *,
        require_full: bool = True,
        without: Collection[str] = (),
    ):
        """Bound workers by `limits`; refuse to start unless isolation is full, if required.

        `without` names layers to leave out, so that tests can show what each is for.
        """
        self.limits = limits or Limits()
        self.missing: dict[str, str] = {}  # a missing layer or broken guarantee -> the reason
        self.proved: tuple[str, ...] = ()
        self._require_full, self._without = require_full, frozenset(without)
        self._branches: dict[str, Branch] = {}
        self._process: subprocess.Popen | None = None
        self._reasons: dict[str, str] = {}

    @property
    def isolation(self) -> str:
        """Return "full", "reduced(…)" with what is missing, or "none"."""
        if not self.missing:
            return "full"
        return "none" if BARE <= self.missing.keys() else f"reduced({', '.join(self.missing)})"

    def __enter__(self) -> Sandbox:
        """Start the first fork server, and prove a first worker."""
        if not sys.platform.startswith("linux"):
            raise IsolationError(
                f"isolation: none; grading runs on Linux, this is {sys.platform}: "
                "use Linux, a virtual machine or a container"
            )
        try:
            self._start()
            self._prove()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """End everything that was started."""
        self.close()

    def close(self) -> None:
        """End all processes of this sandbox. Harmless when repeated."""
        for branch in self._branches.values():
            branch.close()
        self._branches = {}
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(START_S)
            self._process.kill()
            self._process.wait()
            self._process = None

    def branch(self, modules: dict[str, str]) -> Branch:
        """Return the branch that has imported these reference modules, {name: source}, in order."""
        key = json.dumps(list(modules.items()))
        if key not in self._branches:
            self._branches[key] = self._root.fork(modules)
        return self._branches[key]

    @property
    def _root(self) -> Branch:
        root = self._branches.get("[]")
        if root is None:
            raise GraderError("the sandbox is not open: use it in a `with` block")
        return root

    def _start(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-s",
                    "-B",
                    HERE / "forkserver.py",
                    str(theirs.fileno()),
                    *_path(),
                ],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,  # an interrupt from the keyboard is for the grader alone
                cwd="/",
                env=ENVIRONMENT,
            )
        self._branches["[]"] = Branch(self, ours)
        _hide(self._without)
        config = json.dumps(self._config()).encode()
        self._root.say(config)

    def _config(self) -> dict[str, Any]:
        from autograder.sandbox import layers  # not at the top: it can be imported on Linux only

        chosen = [n for n in layers.names(os.geteuid() == 0) if n not in self._without]
        self._reasons = {name: "left out" for name in self._without}
        return {
            "grader_pid": os.getpid(),
            "layers": chosen,
            "memory_bytes": self.limits.memory_bytes,
            "cpu_s": self.limits.cpu_s,
            "reply_bytes": self.limits.reply_bytes,
            "seccomp_program": self._seccomp_program() if "seccomp" in chosen else None,
            "package": PACKAGE.read_text(encoding="utf-8"),
        }

    def _seccomp_program(self) -> str | None:
        from autograder.sandbox import filter

        try:
            return base64.b64encode(filter.program()).decode()
        except (ImportError, RuntimeError, OSError) as error:
            self._reasons["seccomp"] = f"{error}"
            return None

    def _prove(self) -> None:
        with self.branch({}).worker() as worker:
            del worker
        if self.missing and self._require_full:
            listed = "; ".join(f"{name} ({reason})" for name, reason in self.missing.items())
            raise IsolationError(f"full isolation is required, missing: {listed}")

    def judge(self, report: dict[str, Any]) -> None:
        """Compare what a worker says of its layers with what is required."""
        from autograder.sandbox import proof

        failed = {name: self._reasons.get(name, why) for name, why in report["failed"].items()}
        failed |= {n: self._reasons[n] for n in self._without}
        broken = {name: "an attempt to break it succeeded" for name in report["broken"]}
        missing = failed | {name: why for name, why in broken.items() if name in proof.REQUIRED}
        self.proved = tuple(name for name in proof.GUARANTEES if name not in broken)
        grew = missing.keys() - self.missing.keys()
        if grew and self._first_is_proved:
            raise IsolationError(f"a worker lacks what the first one had: {', '.join(grew)}")
        self.missing, self._first_is_proved = missing, True

    _first_is_proved = False


class Branch:
    """A fork server: gives out one worker at a time."""

    def __init__(self, sandbox: Sandbox, connection: socket.socket):
        """Speak with a server over `connection`."""
        self._sandbox, self._connection = sandbox, connection
        self._connection.settimeout(START_S)
        self._worker = None

    def worker(self) -> Worker:
        """Return a fresh process, locked and proved; only one per branch may be open."""
        from autograder.sandbox.channel import Channel

        if self._worker is not None and self._worker() is not None:
            self._worker().close()
        channel = Channel(self._sandbox.limits)
        self.say(b'{"op": "spawn"}', channel.theirs)
        channel.close_theirs()
        worker = Worker(channel, self._sandbox.limits, self._end_worker)
        self._worker = weakref.ref(worker)
        try:
            self._sandbox.judge(worker.begin())
        except BaseException:
            worker.close()
            raise
        return worker

    def fork(self, modules: dict[str, str]) -> Branch:
        """Return a new server, forked from this one, that has imported `modules`."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        sources = os.memfd_create("reference")
        try:
            os.write(sources, json.dumps(modules).encode())
            os.lseek(sources, 0, os.SEEK_SET)
            self.say(b'{"op": "branch"}', (theirs.fileno(), sources))
        finally:
            theirs.close()
            os.close(sources)
        branch = Branch(self._sandbox, ours)
        branch.hear()
        return branch

    def close(self) -> None:
        """End the server and its worker."""
        self._connection.close()

    def _end_worker(self) -> dict[str, Any]:
        self.say(b'{"op": "end"}')
        return self.hear()

    def say(self, message: bytes, descriptors: Collection[int] = ()) -> None:
        """Send a message and descriptors to the server."""
        try:
            socket.send_fds(self._connection, [message], list(descriptors))
        except OSError as error:
            raise GraderError(f"the fork server has ended: {error}") from None

    def hear(self) -> dict[str, Any]:
        """Return the server's answer."""
        try:
            data = self._connection.recv(1 << 16)
        except OSError as error:
            raise GraderError(f"the fork server does not answer: {error}") from None
        if not data:
            raise GraderError("the fork server has ended without an answer")
        answer = json.loads(data)
        if "error" in answer:
            raise GraderError(f"the fork server: {answer['error']}")
        return answer


# Nothing of the grader's environment reaches a worker; a fixed hash seed makes a regrade repeat.
ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "HOME": "/nonexistent",
    "TMPDIR": "/nonexistent",
    "PYTHONHASHSEED": "0",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
}


def _path() -> list[str]:
    """Return where the server finds NumPy and this package, after the standard library."""
    return [str(Path(np.__file__).parents[1]), str(ROOT)]


def _hide(without: Collection[str]) -> None:
    """Make the memory of this process unreadable to other processes of the same user."""
    from autograder.sandbox import kernel

    if "dumpable" not in without:
        kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
