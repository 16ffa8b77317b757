"""The trusted side's hold on one worker: requests, answers, and what became of it."""

from __future__ import annotations

import builtins
import secrets
import signal
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from autograder.errors import GraderError
from autograder.sandbox.channel import Channel, Ended, Flooded, Late
from autograder.sandbox.failures import (
    MESSAGE_LENGTH,
    StudentError,
    Tampering,
    WorkerDied,
    WorkerError,
    WorkerMemory,
    WorkerOutput,
    WorkerTimeout,
)
from autograder.sandbox.limits import Limits, size
from autograder.sandbox.text import clean, one_line
from autograder.sandbox.wire import ProtocolError, buffer, encode

# A line number is student code's to choose, among all lines of its file, and so can tell what a
# hidden check asked. Honest files have a few hundred lines; one that is padded to a million would
# tell 20 bits a check, and gets no line at all.
MAX_LINES = 5000
READY = 1  # the byte before each answer of a stream
START_S = 60.0  # until a worker is locked; only a broken machine takes that long


@dataclass(frozen=True)
class Code:
    """A student's compiled file: opaque here, to be loaded into other workers."""

    path: str
    lines: int
    blob: bytes


@dataclass(frozen=True)
class Usage:
    """What a worker used: the kernel's figures, and what it printed."""

    cpu_s: float = 0.0
    peak_rss_bytes: int = 0
    output: str = ""  # cleaned; cut at Limits.output_bytes
    output_truncated: bool = False


class Worker:
    """One locked process; use it in a `with` block, read `usage` afterwards."""

    def __init__(self, channel: Channel, limits: Limits, end: Callable[[], dict[str, Any]]):
        """Hold a worker at the far end of `channel`, that `end` kills and accounts for."""
        self._channel, self._limits, self._end = channel, limits, end
        self._files: list[tuple[str, int]] = []
        self._failure: WorkerError | None = None
        self._closed, self._streams = False, 0
        self.pid: int | None = None
        self.usage = Usage()

    def __enter__(self) -> Worker:
        """Return the worker."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the worker."""
        self.close()

    def compile(self, path: str, source: bytes) -> Code:
        """Compile a student's file, whatever its bytes are; raises WorkerError."""
        ends = source.count(b"\n") + source.count(b"\r") - source.count(b"\r\n")
        lines = ends + 1  # the last one may have no end
        self._files.append((path, lines))
        blob = self._ask("compile", path=path, source=np.frombuffer(source, np.uint8))
        if not isinstance(blob, np.ndarray) or blob.dtype != np.uint8:
            raise self._fail(Tampering("the compiler's answer is not an array of bytes"))
        return Code(path, lines, blob.tobytes())

    def load(self, modules: dict[str, Code], only: Collection[str] | None = None) -> None:
        """Import a student's compiled modules, in this order; raises WorkerError.

        Those that are not among `only` can be imported by the others, if that is given.
        """
        self._files += [(code.path, code.lines) for code in modules.values()]
        blobs = {name: np.frombuffer(code.blob, np.uint8) for name, code in modules.items()}
        self._ask("load", modules=blobs, wanted=list(modules if only is None else only))

    def run(self, probe: bytes, inputs: dict[str, Any]) -> Any:
        """Return what a probe answers: `probe` is the marshalled code of a function of `inputs`."""
        values, failure = self.run_all([(probe, inputs)])
        if failure is not None:
            raise failure
        return values[0]

    def run_all(
        self, calls: Sequence[tuple[bytes, dict[str, Any]]]
    ) -> tuple[list[Any], StudentError | None]:
        """Run several probes in turn; return the answers, and the error that ended them early."""
        codes = list(dict.fromkeys(probe for probe, _ in calls))
        answer = self._ask(
            "run",
            codes=[np.frombuffer(code, np.uint8) for code in codes],
            calls=[[codes.index(probe), inputs] for probe, inputs in calls],
        )
        match answer:
            case {"values": list(values), "error": None} if len(values) == len(calls):
                return values, None
            case {"values": list(values), "error": dict(problem)} if len(values) < len(calls):
                failure = self._student_error(problem)
                if not isinstance(failure, StudentError):
                    raise failure
                return values, failure
        raise self._fail(Tampering("the answer lacks its parts"))

    def stream(
        self, probe: bytes, inputs: dict[str, Any], question: np.ndarray, answer: np.ndarray
    ) -> None:
        """Let what `probe` returns answer questions by `exchange`, and nothing else from now on.

        Questions and answers are arrays like `question` and `answer`.
        """
        code = np.frombuffer(probe, np.uint8)
        self._streams = secrets.randbits(53)
        request = {"id": self._streams, "op": "stream", "code": code, "inputs": inputs}
        self._trade(_encode({**request, "question": question, "answer": answer}), memoryview(b""))

    def exchange(self, question: np.ndarray, answer: np.ndarray) -> None:
        """Send one contiguous array, and fill another with what comes back; raises WorkerError."""
        self._trade([buffer(question)], buffer(answer))

    def _trade(self, request: list[memoryview], answer: memoryview) -> None:
        self._require_open()
        deadline, bound = time.monotonic() + self._limits.wall_s, self._limits.reply_bytes
        with self._judged():
            if self._channel.has_unread():
                raise ProtocolError("bytes came that nobody had asked for")
            self._channel.send(request, deadline)
            reply = self._channel.receive_raw(answer, READY, deadline, bound)
        if reply is not None:
            self._value(reply, self._streams)
            raise self._fail(Tampering("a stream ended without an error"))

    def report(self) -> dict[str, Any]:
        """Return what the worker says of its layers, before any student code is in it."""
        try:
            report = self._channel.receive(time.monotonic() + START_S, max_bytes=0)
        except (Late, Ended, Flooded, ProtocolError) as error:
            end = self._finish()
            said = f"{type(error).__name__}, exit {end['exit']}, {self.usage.output[-300:]!r}"
            raise GraderError(f"a worker of the sandbox did not start ({said})") from None
        self.pid = report["pid"]
        return report

    def close(self) -> None:
        """End the worker and all its descendants; fill in `usage`. Harmless when repeated."""
        if not self._closed:
            self._finish()

    def _finish(self) -> dict[str, Any]:
        self._closed = True
        try:
            end = self._end()
        finally:
            self._channel.close()
        self.usage = Usage(end["cpu_s"], end["peak_rss_bytes"], *self._output())
        return end

    def _output(self) -> tuple[str, bool]:
        """Return the printed text, cleaned, and whether some of it was dropped."""
        kept, bound = self._channel.printed, self._limits.output_bytes
        text = clean(kept.decode("utf-8", "replace"), bound)
        dropped = self._channel.printed_bytes - len(kept)
        if dropped:
            text += f"\n[{size(dropped)} more were printed; output is cut at {size(bound)}]"
        return text, dropped > 0

    def _ask(self, operation: str, **arguments: Any) -> Any:
        self._require_open()
        identity = secrets.randbits(53)
        request = _encode({"id": identity, "op": operation, **arguments})
        deadline = time.monotonic() + self._limits.wall_s
        with self._judged():
            if self._channel.has_unread():
                raise ProtocolError("bytes came that nobody had asked for")
            self._channel.send(request, deadline)
            reply = self._channel.receive(deadline, self._limits.reply_bytes)
        return self._value(reply, identity)

    def _require_open(self) -> None:
        if self._closed:
            raise WorkerDied(f"this worker has ended: {self._failure or 'it was closed'}")

    @contextmanager
    def _judged(self) -> Iterator[None]:
        """End the worker where talking with it fails, and say why in one of the WorkerErrors."""
        try:
            yield
        except Late:
            raise self._fail(WorkerTimeout(f"took longer than {self._limits.wall_s:g} s")) from None
        except Flooded:
            bound = size(self._limits.flood_bytes)
            raise self._fail(WorkerOutput(f"printed more than {bound}")) from None
        except ProtocolError as error:
            raise self._fail(Tampering(f"not an answer: {error}")) from None
        except Ended:
            raise self._fail(None) from None

    def _value(self, reply: dict[str, Any], identity: int) -> Any:
        match reply:
            case {"id": int(answered)} if answered != identity:
                raise self._fail(Tampering("the answer is to another request"))
            case {"id": int(), "status": "value", "value": value}:
                return value
            case {"id": int(), "status": "error", "value": dict(problem)}:
                raise self._student_error(problem)
            case {"id": int(), "status": "memory"}:
                raise WorkerMemory(self._memory_text())
            case {"id": int(), "status": "reply"}:
                bound = size(self._limits.reply_bytes)
                raise WorkerOutput(f"returned more than {bound}")
            case {"id": int(), "status": "deep"}:
                raise WorkerOutput("returned an answer that nests too deep; return one array")
        raise self._fail(Tampering("the answer lacks its parts"))

    def _student_error(self, problem: dict[str, Any]) -> WorkerError:
        match problem:
            case {"type": str(name), "file": file, "line": line, "message": str(message)}:
                message = one_line(message, MESSAGE_LENGTH)
                return StudentError(exception_name(name), *self._place(file, line), message)
        return self._fail(Tampering("an error lacks its parts"))

    def _place(self, file: Any, line: Any) -> tuple[int | None, str | None]:
        """Return line and path if that line exists, in a file of a length that people write."""
        if type(file) is int and type(line) is int and 0 <= file < len(self._files):
            path, lines = self._files[file]
            if 0 < line <= lines <= MAX_LINES:
                return line, path
        return None, None

    def _fail(self, failure: WorkerError | None) -> WorkerError:
        """End the worker and remember why; None means: find out from how the process ended."""
        end = self._finish()
        self._failure = failure or self._cause_of_death(end)
        return self._failure

    def _cause_of_death(self, end: dict[str, Any]) -> WorkerError:
        code = end["exit"]
        if code == -signal.SIGXCPU or end["cpu_s"] >= self._limits.cpu_s:
            return WorkerTimeout(f"used more than {self._limits.cpu_s:g} s of processor time")
        # Not all C code survives an allocation that is refused: some aborts or crashes.
        if end["peak_rss_bytes"] > 0.7 * self._limits.memory_bytes:
            return WorkerMemory(self._memory_text())
        if code == -signal.SIGKILL:  # which also is how the grader ends one that fell silent
            return WorkerDied("the process was killed, or closed its pipes")
        if code < 0:
            return WorkerDied(f"the process was ended by {signal.Signals(-code).name}")
        return WorkerDied(f"the process ended itself with status {code}")

    def _memory_text(self) -> str:
        return f"needed more than {size(self._limits.memory_bytes)} of memory"


def _encode(request: dict[str, Any]) -> list[memoryview]:
    try:
        return encode(request)
    except (TypeError, ValueError) as error:
        raise GraderError(f"an input of a probe cannot travel: {error}") from None


def exception_name(name: str) -> str:
    """Return `name` if it is an exception of Python or NumPy, else "Exception".

    The worker says which name; only one from a closed list can come out.
    """
    for space in (builtins, np.exceptions):
        found = getattr(space, name, None)
        if isinstance(found, type) and issubclass(found, BaseException):
            return name
    return "Exception"
