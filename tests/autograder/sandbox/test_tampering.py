"""A worker that lies on its pipes, or dies on purpose, is caught and costs only its own check."""

from __future__ import annotations

import os
import signal
import struct
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograder.sandbox import (
    Limits,
    Tampering,
    Worker,
    WorkerDied,
    WorkerError,
    WorkerTimeout,
)
from autograder.sandbox.channel import Channel, Ended, Flooded, Late
from autograder.sandbox.wire import MAGIC, ProtocolError

# A student's file that finds the descriptor of the replies: the second that can be written.
FORGE = """
import json, os, struct

def replies():
    for fd in range(3, 16):
        try:
            os.write(fd, b"")
            return fd
        except OSError:
            continue

def frame(header, payload=b""):
    header = json.dumps(header).encode()
    return struct.pack("<4sI", b"TTW1", len(header)) + header + payload

def send(data):
    os.write(replies(), data)
"""
HEADER = "send(frame({}))"
LIES = {
    "text": ("send(b'passed, all of it')", "magic"),
    "no magic": ("send(struct.pack('<4sI', b'TTW2', 2) + b'{}')", "magic"),
    "a pickle": ("send(b'\\x80\\x04cos\\nsystem\\n')", "magic"),
    "an endless header": ("send(struct.pack('<4sI', b'TTW1', 2**32 - 1))", "4294967295 bytes"),
    "no json": ("send(struct.pack('<4sI', b'TTW1', 4) + b'\\xff{}{')", "not JSON"),
    "no dict": (HEADER.format([]), "not a dict"),
    "no id": (HEADER.format({"dict": {"status": "value", "value": 1}}), "lacks its parts"),
    "another id": (
        HEADER.format({"dict": {"id": 1, "status": "value", "value": 1}}),
        "another request",
    ),
    "an id that is text": (
        HEADER.format({"dict": {"id": "x", "status": "value", "value": 1}}),
        "lacks its parts",
    ),
    "a huge array": (
        HEADER.format({"dict": {"v": {"array": ["float64", [2**40]]}}}),
        "more bytes than the bound",
    ),
    "a third truth": (
        "send(frame({'dict': {'v': {'array': ['bool', [1]]}}}, b'\\x02'))",
        "neither 0 nor 1",
    ),
}


@pytest.mark.parametrize(("lie", "why"), LIES.values(), ids=LIES)
def test_a_forged_reply_is_tampering(student, lie, why):
    """What the worker's own code would never send is named for what it is; the worker is over."""
    with pytest.raises(Tampering, match=why) as caught:
        student(FORGE + lie)
    assert caught.value.kind == "tampering"
    assert student("def answer():\n    return 1") == 1


def test_half_a_frame_is_the_end_of_time(student_within):
    """A reply that is begun and not finished runs into the bound."""
    source = FORGE + "import time\nsend(struct.pack('<4sI', b'TTW1', 100))\ntime.sleep(1e6)\n"
    with pytest.raises(WorkerTimeout):
        student_within(wall_s=0.5)(source)


def test_half_a_frame_and_then_death_is_a_death(student):
    """A reply that breaks off is no reply."""
    with pytest.raises(WorkerDied, match="status 0"):
        student(FORGE + "send(struct.pack('<4sI', b'TTW1', 100))\nos._exit(0)\n")


DEATHS = {
    "success": ("import os\nos._exit(0)", "ended itself with status 0"),
    "failure": ("import os\nos._exit(7)", "ended itself with status 7"),
    "a crash": ("import ctypes\nctypes.string_at(0)", "ended by SIGSEGV"),
    "an abort": ("import os\nos.abort()", "ended by SIG(ABRT|SEGV)"),
    "a broken stack": (
        "import sys\nsys.setrecursionlimit(10**9)\n"
        "class A:\n    def __repr__(self): return repr(self)\nrepr(A())",
        "ended by SIGSEGV|RecursionError",
    ),
    "closed pipes": ("import os\nos.closerange(3, 16)\n", "closed its pipes|status 1"),
}


@pytest.mark.parametrize(("source", "how"), DEATHS.values(), ids=DEATHS)
def test_a_death_is_told_from_an_answer(student, source, how):
    """An exit code means nothing: a worker that dies has not answered, and one learns how."""
    with pytest.raises(WorkerError, match=how):
        student(source)
    assert student("def answer():\n    return 1") == 1


ANSWER_ALONE = """
import gc

def answer():
    for one in gc.get_objects():
        if type(one) is dict and type(one.get("id")) is int:
            value = {"dict": {"values": ["forged"], "error": None}}
            send(frame({"dict": {"id": one["id"], "status": "value", "value": value}}))
"""


def test_a_reply_before_a_death_is_only_an_answer(student):
    """A forged reply with the right id is a value like any other, to be compared; no verdict."""
    assert student(FORGE + ANSWER_ALONE + "    os._exit(0)\n") == "forged"


def test_a_second_reply_is_tampering(student):
    """Bytes behind a forged reply are found before anything more is asked."""
    source = FORGE + ANSWER_ALONE.replace("value}}))", 'value}}) + b"and more")')
    with student.worker(source) as worker:
        assert student.ask(worker) == "forged"
        with pytest.raises(Tampering, match="nobody had asked"):
            student.ask(worker)


def test_a_stopped_worker_runs_into_the_bound(student_within):
    """A process that is stopped neither answers nor reads; the grader waits no longer for it."""
    student = student_within(wall_s=0.5)
    with student.worker("def answer(x):\n    return x\n") as worker:
        os.kill(worker.pid, signal.SIGSTOP)
        with pytest.raises(WorkerTimeout):
            student.ask(worker, "x" * 500_000)  # more than the pipe holds: sending must not block


def test_a_killed_worker_is_a_death(student):
    """Whoever kills it, the signal is named."""
    with student.worker("def answer():\n    return 1\n") as worker:
        os.kill(worker.pid, signal.SIGTERM)
        with pytest.raises(WorkerDied, match="ended by SIGTERM"):
            student.ask(worker)


def answer_with(data: bytes) -> Channel:
    """Return a channel at whose far end a peer has written `data` and gone."""
    channel = Channel(Limits(reply_bytes=4096))
    os.write(channel.theirs[1], data)
    channel.close_theirs()
    return channel


@given(st.binary(max_size=400) | st.binary(max_size=60).map(lambda b: head(b) + b))
@settings(max_examples=300)
def test_no_bytes_upset_the_channel(data):
    """Whatever a peer writes before it dies, reading it ends in a value or a known failure."""
    channel = answer_with(data)
    try:
        channel.receive(deadline=time.monotonic() + 60, max_bytes=4096)
    except (ProtocolError, Ended):
        pass
    finally:
        channel.close()


def head(header: bytes) -> bytes:
    """Return the right beginning of a frame for `header`."""
    return struct.pack("<4sI", MAGIC, len(header))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from("id status value type file line message dict array".split()), inner
    ).map(lambda items: {"dict": items}),
    max_leaves=10,
)


@given(VALUES, st.sampled_from(["value", "error", "memory", "reply", "none"]))
@settings(max_examples=300)
def test_no_reply_upsets_the_handle(value, status):
    """Any reply in the grammar becomes a value, a failure of the known kinds, or tampering."""
    worker = Worker(Channel(Limits()), Limits(), lambda: dict(exit=0, cpu_s=0, peak_rss_bytes=0))
    worker._channel.close_theirs()
    try:
        worker._value({"id": 5, "status": status, "value": value}, 5)
    except WorkerError as failure:
        assert "\n" not in str(failure)
    finally:
        worker.close()


def test_the_channel_never_waits_past_its_deadline():
    """A peer that says nothing, or reads nothing, is left at the deadline."""
    channel = Channel(Limits())
    with pytest.raises(Late):
        channel.receive(deadline=0, max_bytes=0)
    with pytest.raises(Late):
        channel.send([memoryview(bytes(1 << 20))], deadline=0)
    channel.close_theirs()
    channel.close()


def test_the_channel_stops_listening_to_a_flood():
    """After the bound nothing more is read, not even to be thrown away."""
    channel = Channel(Limits(output_bytes=10, flood_bytes=1000))
    os.write(channel.theirs[2], b"x" * 5000)
    with pytest.raises(Flooded):
        channel.receive(deadline=time.monotonic() + 60, max_bytes=0)
    assert channel.printed == b"x" * 10
    channel.close_theirs()
    channel.close()
