"""The sandbox as the grader sees it: starts fork servers, hands out workers that are proved."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import numpy as np

from autograder.errors import GraderError, IsolationError
from autograder.sandbox.channel import Channel
from autograder.sandbox.handle import START_S, Worker
from autograder.sandbox.isolation import Isolation, judge
from autograder.sandbox.limits import Limits

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "tinytorch" / "__init__.py"
# Its arguments: the descriptor of its connection, then where it finds NumPy and this package.
BOOT = """
import sys
sys.path[:1] = []  # the folder it was started in
sys.path += sys.argv[2:]
from autograder.sandbox.forkserver import main
main()
"""
MESSAGE_BYTES = 1 << 16
# Nothing of the grader's own environment; a fixed hash seed, so that a regrade repeats itself.
ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "HOME": "/nonexistent",
    "TMPDIR": "/nonexistent",
    "PYTHONHASHSEED": "0",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
}


class Sandbox:
    """Hands out locked workers; use it in a `with` block."""

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
        self._require_full = require_full
        self._absent = {layer: "left out on purpose" for layer in without}
        self._found: Isolation | None = None
        self._process: subprocess.Popen | None = None
        self._lanes: list[Lane] = []

    def start(self) -> Sandbox:
        """Start the first fork server without waiting for it; close() or `with` must follow."""
        if not sys.platform.startswith("linux"):
            raise IsolationError(
                f"isolation: none; grading runs on Linux, this is {sys.platform}: "
                "use a Linux machine, a virtual machine or a container"
            )
        if self._process is not None:
            raise GraderError("this sandbox is open already")
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __enter__(self) -> Sandbox:
        """Start the first fork server, if start() has not, and prove a first worker."""
        if self._process is None:
            self.start()
        elif self._found is not None:
            raise GraderError("this sandbox is open already")
        try:
            self.branch({}).worker().close()
            if self._require_full and self.missing:
                explained = self._found.explain()
                raise IsolationError(f"full isolation is required, missing: {explained}")
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """End every process of this sandbox."""
        self.close()

    @property
    def isolation(self) -> str:
        """Return "full", "reduced(…)" with what is missing, or "none"; proved when opened."""
        return str(self._found or Isolation())

    @property
    def missing(self) -> dict[str, str]:
        """Return the missing layers and broken guarantees, each with the reason."""
        return (self._found or Isolation()).missing

    @property
    def proved(self) -> tuple[str, ...]:
        """Return the guarantees that a worker tried in vain to break."""
        return (self._found or Isolation()).proved

    def branch(self, modules: dict[str, str]) -> Branch:
        """Return the fork server that has imported the reference's `modules`, {name: source}."""
        return self.lane(0).branch(modules)

    def lane(self, number: int) -> Lane:
        """Return fork servers for one thread, which needs not wait for the workers of another."""
        if self._process is None:
            raise GraderError("the sandbox is not open: use it in a `with` block")
        while len(self._lanes) <= number:
            self._lanes.append(Lane(self._lanes[0].branch({}).fork({})))
        return self._lanes[number]

    def close(self) -> None:
        """End every process of this sandbox; harmless when repeated."""
        for lane in self._lanes:
            lane.close()
        self._lanes = []
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(START_S)
            self._process.kill()
            self._process.wait()
            self._process = None
            _expose()

    def _start(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            python = [sys.executable, "-S", "-B"]  # without `site`, no .pth file is executed
            found_at = [str(Path(np.__file__).parents[1]), str(ROOT)]
            self._process = subprocess.Popen(
                [*python, "-c", BOOT, str(theirs.fileno()), *found_at],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,  # an interrupt from the keyboard is for the grader alone
                cwd="/",
                env=ENVIRONMENT,
            )
        _conceal()
        root = Branch(ours, self.limits, self._accept)
        self._lanes = [Lane(root)]
        root.say(json.dumps(self._config()))

    def _config(self) -> dict[str, Any]:
        from autograder.sandbox import layers  # which only Linux can import

        wanted = layers.required(as_root=os.geteuid() == 0)
        return {
            "grader_pid": os.getpid(),
            "layers": [name for name in wanted if name not in self._absent],
            "memory_bytes": self.limits.memory_bytes,
            "cpu_s": self.limits.cpu_s,
            "reply_bytes": self.limits.reply_bytes,
            "seccomp_program": self._seccomp_program(),
            "package": PACKAGE.read_text(encoding="utf-8"),
        }

    def _seccomp_program(self) -> str | None:
        from autograder.sandbox import syscalls

        try:
            return base64.b64encode(syscalls.program()).decode()
        except (ImportError, RuntimeError, OSError):  # the layer itself reports that it is missing
            return None

    def _accept(self, report: dict[str, Any]) -> None:
        """Take the first worker's report as the sandbox's; refuse a later one that is worse."""
        found = judge(report, self._absent)
        first = self._found = self._found or found
        if not found.missing.keys() <= first.missing.keys():
            raise IsolationError(f"a worker is isolated less than the first: {found.explain()}")


class Lane:
    """The fork servers of one thread: a first one, and branches of it that are kept."""

    def __init__(self, root: Branch):
        """Fork branches from `root`, which holds nothing of the reference."""
        self._root = root
        self._branches = {"[]": root}

    def branch(self, modules: dict[str, str]) -> Branch:
        """Return the fork server that has imported the reference's `modules`, {name: source}."""
        key = json.dumps(list(modules.items()))
        if key not in self._branches:
            self._branches[key] = self._root.fork(modules)
        return self._branches[key]

    def close(self) -> None:
        """Hang up on all of them."""
        for branch in self._branches.values():
            branch.close()


class Branch:
    """A fork server that hands out one worker at a time."""

    def __init__(
        self,
        connection: socket.socket,
        limits: Limits,
        accept: Callable[[dict[str, Any]], None],
    ):
        """Speak with a server over `connection`; `accept` refuses a worker by its report."""
        self._connection, self._limits, self._accept = connection, limits, accept
        self._connection.settimeout(START_S)
        self._busy = False

    def worker(self) -> Worker:
        """Return a fresh process, locked and proved; only one may be open at a time."""
        if self._busy:
            raise GraderError("close the worker of this branch before asking for another")
        channel = Channel(self._limits)
        try:
            self.say('{"op": "spawn"}', channel.theirs)
        except GraderError:
            channel.close()
            raise
        finally:
            channel.close_theirs()
        self._busy = True
        worker = Worker(channel, self._limits, self._end_worker)
        try:
            self._accept(worker.report())
        except BaseException:
            worker.close()
            raise
        return worker

    def fork(self, modules: dict[str, str]) -> Branch:
        """Return a new server, forked from this one, that has imported `modules`."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs, open(os.memfd_create("modules"), "w+b") as file:
            file.write(json.dumps(modules).encode())
            file.seek(0)
            self.say('{"op": "branch"}', (theirs.fileno(), file.fileno()))
        branch = Branch(ours, self._limits, self._accept)
        try:
            branch.hear()
        except GraderError:
            branch.close()
            raise
        return branch

    def close(self) -> None:
        """Hang up, which ends the server and its worker."""
        self._connection.close()

    def say(self, message: str, descriptors: Collection[int] = ()) -> None:
        """Send a message, with descriptors, to the server."""
        try:
            socket.send_fds(self._connection, [message.encode()], list(descriptors))
        except OSError as error:
            raise GraderError(f"a fork server of the sandbox has ended ({error})") from None

    def hear(self) -> dict[str, Any]:
        """Return the server's answer."""
        try:
            data = self._connection.recv(MESSAGE_BYTES)
        except OSError as error:
            raise GraderError(f"a fork server of the sandbox does not answer ({error})") from None
        if not data:
            raise GraderError("a fork server of the sandbox has ended without an answer")
        answer = json.loads(data)
        if "error" in answer:
            raise GraderError(f"a fork server of the sandbox: {answer['error']}")
        return answer

    def _end_worker(self) -> dict[str, Any]:
        self._busy = False
        self.say('{"op": "end"}')
        return self.hear()


_concealed = 0  # open sandboxes in this process


def _conceal() -> None:
    """Let no process of the same user read this one's memory, where the hidden tests are."""
    from autograder.sandbox import kernel

    global _concealed
    _concealed += 1
    kernel.prctl(kernel.PR_SET_DUMPABLE, 0)


def _expose() -> None:
    """Undo `_conceal` once the last sandbox is closed: debuggers and /proc work again."""
    from autograder.sandbox import kernel

    global _concealed
    _concealed -= 1
    if not _concealed:
        kernel.prctl(kernel.PR_SET_DUMPABLE, 1)
