"""The untrusted side: a fork that locks itself, proves it, then compiles, loads and runs.

From the first `load` on, student code lives in this process and can make it say anything. Nothing
here guards against that: the trusted side believes no byte of what comes out.
"""

from __future__ import annotations

import builtins
import importlib
import marshal
import os
import random
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import CodeType, FunctionType
from typing import Any

import numpy as np

from autograder.sandbox import layers, proof, wire
from autograder.sandbox.package import NAME, MemoryImporter

MAX_DESCRIPTORS = 64  # of the fork server, and so of anything a worker inherits
MESSAGE_LENGTH = 2000
REQUEST_BYTES = 1 << 40  # the trusted side sends what it likes
READY = b"\1"  # before each answer of a stream; the first byte of a frame is another


@dataclass(frozen=True)
class Orders:
    """What a worker is told before it locks itself."""

    lock: layers.Lock
    layers: tuple[str, ...]
    targets: proof.Targets
    reply_bytes: int
    importer: MemoryImporter


def main(orders: Orders, requests: int, replies: int, output: int) -> None:
    """Lock this process, prove it, answer requests until the pipe ends; never returns."""
    try:
        os.setpgrp()  # not a session of its own, which costs the scheduler half a millisecond
        _keep_only(requests, replies, output, orders.lock.landlock_ruleset)
        failed = layers.apply(orders.lock, orders.layers)
        broken = proof.broken(orders.targets)
        random.seed(0)  # forking seeded it anew, and a regrade must see the same numbers
        _send(replies, wire.encode({"failed": failed, "broken": broken, "pid": os.getpid()}))
        _Answers(orders).serve(requests, replies)
        os._exit(0)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(1)


def _keep_only(requests: int, replies: int, output: int, ruleset: int | None) -> None:
    os.dup2(output, 1)
    os.dup2(output, 2)
    start = 3
    for kept in sorted(fd for fd in (requests, replies, ruleset) if fd is not None):
        os.closerange(start, kept)
        start = kept + 1
    os.closerange(start, MAX_DESCRIPTORS)


class _Answers:
    """Answers one request after the other."""

    def __init__(self, orders: Orders):
        self._importer, self._reply_bytes = orders.importer, orders.reply_bytes
        self._files: list[str] = []  # the student's, in the order in which the trusted side told
        self._requests = self._replies = -1

    def serve(self, requests: int, replies: int) -> None:
        self._requests, self._replies = requests, replies
        while (request := _receive(requests)) is not None:
            frame = self._frame(request)
            _quietly(lambda: sys.__stdout__.flush())
            _quietly(lambda: sys.__stderr__.flush())
            _send(replies, frame)

    def _frame(self, request: dict[str, Any]) -> list[memoryview]:
        reply = {"id": request["id"]}
        try:
            operation = getattr(self, "_" + request.pop("op"))
            reply["status"], reply["value"] = "value", operation(**request)
            frame = wire.encode(reply)
            if sum(map(len, frame[1:])) <= self._reply_bytes:
                return frame
            problem: dict[str, Any] = {"status": "reply"}
        except MemoryError:
            problem = {"status": "memory"}
        except wire.TooDeep:
            problem = {"status": "deep"}
        except BaseException as error:
            problem = {"status": "error", "value": self._describe(error)}
        return wire.encode({"id": request["id"], **problem})

    def _compile(self, id: int, path: str, source: np.ndarray) -> np.ndarray:
        self._files.append(path)
        try:
            code = compile(source.tobytes(), path, "exec", dont_inherit=True)
        except MemoryError:  # what the parser says of a source that nests too deep
            raise RecursionError("the source nests too deep for Python's parser") from None
        return _bytes_array(marshal.dumps(code))

    def _load(self, id: int, modules: dict[str, np.ndarray], wanted: list[str]) -> None:
        for name, blob in modules.items():
            code = marshal.loads(blob)
            self._files.append(code.co_filename)
            self._importer.add(name, code)
        for name in wanted:
            importlib.import_module(name)

    def _run(self, id: int, codes: list[np.ndarray], calls: list[Any]) -> dict[str, Any]:
        probes = [_function(code) for code in codes]
        values: list[Any] = []
        for number, inputs in calls:
            try:
                # A copy: the next probe may change what this one returned.
                values.append(wire.snapshot(probes[number](**inputs)))
            except (MemoryError, wire.TooDeep):
                raise
            except BaseException as error:
                return {"values": values, "error": self._describe(error)}
        return {"values": values, "error": None}

    def _stream(
        self, id: int, code: np.ndarray, inputs: dict, question: np.ndarray, answer: np.ndarray
    ) -> None:
        """Answer raw arrays of one kind with raw arrays of another, one by one, to the end.

        The probe returns the function that answers. A next question comes when the last is
        answered, so that no two are ever known at once. An error ends it, as any reply.
        """
        reply = _function(code)(**inputs)
        os.write(self._replies, READY)
        # Whoever answers in microseconds pays for each line of this loop.
        asked, size = [wire.buffer(question)], question.nbytes
        kind, shape = answer.dtype, answer.shape
        read, write, sent = os.readv, os.writev, len(READY) + answer.nbytes
        while (count := read(self._requests, asked)) == size or self._rest(asked[0], count):
            value = reply(question)
            if type(value) is not np.ndarray or value.dtype != kind or value.shape != shape:
                raise TypeError(_difference(value, answer))
            ready = [READY, np.ascontiguousarray(value)]
            if (count := write(self._replies, ready)) != sent:
                _send(self._replies, wire.rest([memoryview(READY), wire.buffer(ready[1])], count))
        os._exit(0)

    def _rest(self, question: memoryview, count: int) -> bool:
        """Read what is missing of a question after its first `count` bytes; False at the end."""
        return count > 0 and _fill(self._requests, question[count:])

    def _describe(self, error: BaseException) -> dict[str, Any]:
        kinds = type.mro(type(error))
        known = next(k.__name__ for k in kinds if k.__module__ in ("builtins", "numpy.exceptions"))
        file, line = self._place(error)
        message = _quietly(lambda: _message(error)[:MESSAGE_LENGTH]) or ""
        return {"type": known, "file": file, "line": line, "message": message}

    def _place(self, error: BaseException) -> tuple[int | None, int | None]:
        """Return the last frame in a file of the student's, as the file's number and the line."""
        places = [(f.co_filename, line) for f, line in _frames(error)]
        if isinstance(error, SyntaxError):
            places.append((error.filename, error.lineno))
        for path, line in reversed(places):
            if path in self._files and isinstance(line, int):
                return self._files.index(path), line
        return None, None


def _function(code: np.ndarray) -> FunctionType:
    space = {"tt": sys.modules[NAME], "np": np, "__builtins__": builtins, "__name__": "probe"}
    return FunctionType(marshal.loads(code), space)


def _frames(error: BaseException) -> Iterable[tuple[CodeType, int]]:
    trace = error.__traceback__
    while trace is not None:
        yield trace.tb_frame.f_code, trace.tb_lineno
        trace = trace.tb_next


def _difference(value: Any, answer: np.ndarray) -> str:
    if type(value) is not np.ndarray:
        return f"expected a NumPy array, got {type(value).__name__}"
    expected, got = (f"{one.dtype} of shape {one.shape}" for one in (answer, value))
    return f"expected {expected}, got {got}"


def _message(error: BaseException) -> str:
    # What a SyntaxError adds in brackets, file and line, is reported apart.
    return str(error.msg if isinstance(error, SyntaxError) else error)


def _quietly(action: Callable[[], Any]) -> Any:
    """Return the result of `action`, None where it raises: it may be the student's code."""
    try:
        return action()
    except BaseException:
        return None


def _bytes_array(data: bytes) -> np.ndarray:
    return np.frombuffer(data, np.uint8)


def _receive(fd: int) -> dict[str, Any] | None:
    head = bytearray(wire.HEAD.size)
    if not _fill(fd, memoryview(head)):
        return None
    header = bytearray(wire.header_length(head))
    _fill(fd, memoryview(header))
    request, arrays = wire.decode(bytes(header), REQUEST_BYTES)
    for array in arrays:
        if array.nbytes:
            _fill(fd, wire.buffer(array))
    return request


def _fill(fd: int, view: memoryview) -> bool:
    while view:
        count = os.readv(fd, [view])
        if count == 0:
            return False
        view = view[count:]
    return True


def _send(fd: int, frame: list[memoryview]) -> None:
    while frame:
        frame = wire.rest(frame, os.writev(fd, frame[: wire.MAX_BUFFERS]))
