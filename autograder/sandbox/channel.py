"""Talk with a process that is not trusted: never wait without a deadline, never keep too much.

While a frame is sent or awaited, what the process prints is drained, so that it cannot block
itself; text beyond the bound is counted and dropped.
"""

from __future__ import annotations

import contextlib
import os
import select
import time
from typing import Any

from autograder.sandbox import wire
from autograder.sandbox.limits import Limits

PIPE_BYTES = 1 << 16
LONGEST_S = 3600  # of one wait, or the kernel's clock overflows


class Late(Exception):
    """The deadline passed."""


class Ended(Exception):
    """The process closed its end: mostly, it is dead."""


class Flooded(Exception):
    """The process printed more than the bound that ends it."""


class Channel:
    """The trusted ends of three pipes: requests out, replies in, printed text in."""

    def __init__(self, limits: Limits):
        """Open the pipes; `theirs` are the ends for the other process."""
        request_end, self._requests = os.pipe()
        self._replies, reply_end = os.pipe()
        self._text, text_end = os.pipe()
        self.theirs = (request_end, reply_end, text_end)
        self._limits = limits
        for descriptor in (self._requests, self._replies, self._text):
            os.set_blocking(descriptor, False)
        self._listening = True
        self.printed, self.printed_bytes = bytearray(), 0

    def close_theirs(self) -> None:
        """Close this process's copies of the other side's ends."""
        for descriptor in self.theirs:
            os.close(descriptor)

    def close(self) -> None:
        """Read what is left of the printed text, then close."""
        with contextlib.suppress(Flooded):
            self._drain()
        for descriptor in (self._requests, self._replies, self._text):
            os.close(descriptor)

    def send(self, frame: list[memoryview], deadline: float) -> None:
        """Send a frame before `deadline`."""
        while frame:
            try:
                frame = wire.rest(frame, os.writev(self._requests, frame[: wire.MAX_BUFFERS]))
            except BlockingIOError:
                self._wait(deadline, self._requests, select.POLLOUT)
            except BrokenPipeError:
                raise Ended from None

    def receive_raw(self, view: memoryview, ready: int, deadline: float, max_bytes: int) -> Any:
        """Fill `view` if a byte `ready` goes before it; else return the value of a frame."""
        first = bytearray(1)
        self._fill(memoryview(first), deadline)
        if first[0] != ready:
            return self.receive(deadline, max_bytes, bytes(first))
        self._fill(view, deadline)
        return None

    def receive(self, deadline: float, max_bytes: int, begun: bytes = b"") -> dict[str, Any]:
        """Return the value of the next frame; raise ProtocolError when it is malformed.

        Its first bytes, if they were read already, are `begun`.
        """
        head = bytearray(begun.ljust(wire.HEAD.size, b"\0"))
        self._fill(memoryview(head)[len(begun) :], deadline)
        header = bytearray(wire.header_length(head))
        self._fill(memoryview(header), deadline)
        value, arrays = wire.decode(bytes(header), max_bytes)
        for array in arrays:
            if array.nbytes:
                self._fill(wire.buffer(array), deadline)
            wire.require_sound(array)
        self._drain()
        return value

    def has_unread(self) -> bool:
        """True where bytes wait that nobody asked for."""
        watched = select.poll()
        watched.register(self._replies, select.POLLIN)
        return any(event & select.POLLIN for _, event in watched.poll(0))

    def _fill(self, view: memoryview, deadline: float) -> None:
        while view:
            try:
                count = os.readv(self._replies, [view])
            except BlockingIOError:
                self._wait(deadline, self._replies, select.POLLIN)
                continue
            if count == 0:
                raise Ended
            view = view[count:]

    def _wait(self, deadline: float, descriptor: int, event: int) -> None:
        """Wait until a pipe is ready; drain what is printed meanwhile."""
        left = deadline - time.monotonic()
        if left <= 0:
            raise Late
        watched = select.poll()
        watched.register(descriptor, event)
        if self._listening:
            watched.register(self._text, select.POLLIN)
        ready = {descriptor for descriptor, _ in watched.poll(min(left, LONGEST_S) * 1000)}
        if self._text in ready:
            self._drain()

    def _drain(self) -> None:
        """Take what has been printed, until the bound that ends the process."""
        while self._listening:
            try:
                data = os.read(self._text, PIPE_BYTES)
            except BlockingIOError:
                return
            self._listening = bool(data)
            self.printed_bytes += len(data)
            self.printed += data[: self._limits.output_bytes - len(self.printed)]
            if self.printed_bytes > self._limits.flood_bytes:
                self._listening = False
                raise Flooded
