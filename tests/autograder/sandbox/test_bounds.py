"""Each bound holds, is named when it is hit, and leaves the sandbox as it was."""

from __future__ import annotations

import os

import pytest

from autograder.sandbox import (
    Limits,
    Sandbox,
    StudentError,
    WorkerDied,
    WorkerMemory,
    WorkerOutput,
    WorkerTimeout,
)
from autograder.sandbox.layers import MAX_TASKS
from autograder.sandbox.limits import size
from tests.autograder.sandbox.students import Student

KIB, MIB = 1 << 10, 1 << 20
ENDLESS = {
    "a loop": "while True: pass",
    "a sleep": "import time\ntime.sleep(1e6)",
    "a lock": "import threading\nthreading.Lock().acquire() and threading.Event().wait()",
    "deaf to exceptions": "while True:\n    try:\n        while True: pass\n    except: pass",
    "native code": "import numpy as np\nx = np.ones((9000, 9000), np.int64)\nx @ x",
    "a message": "class E(Exception):\n    def __str__(self):\n        while True: pass\nraise E",
    "a thread that will not end": "import threading\n"
    "def forever():\n    while True: pass\n"
    "thread = threading.Thread(target=forever)\nthread.start()\nthread.join()",
}


@pytest.fixture(scope="module")
def hasty():
    """Return a runner whose workers have half a second for each request."""
    with Sandbox(Limits(wall_s=0.5)) as box:
        yield Student(box)


@pytest.mark.parametrize("source", ENDLESS.values(), ids=ENDLESS)
def test_an_endless_file_hits_the_bound_on_time(hasty, source):
    """Whatever it is that does not end, the bound is named and the next worker starts."""
    with pytest.raises(WorkerTimeout, match=r"^took longer than 0.5 s$"):
        hasty(source)
    assert hasty("def answer():\n    return 1") == 1


def test_time_counts_anew_for_each_request(student_within):
    """Each run has the whole bound to itself: three take longer than the bound together."""
    source = "import time\ndef answer():\n    time.sleep(1.1)"
    student = student_within(wall_s=3)
    with student.worker(source) as worker:
        for _ in range(3):
            student.ask(worker)


def test_compiling_has_a_bound_too(student_within):
    """A source that compiles for ever does so for as long as the bound."""
    lines = "\n".join(f"def f{i}(x): return [x, (x, {i}), {{x: x}}]" for i in range(60_000))
    with pytest.raises(WorkerTimeout, match="took longer than 0.05 s"):
        student_within(wall_s=0.05)(lines)


@pytest.mark.parametrize(
    "source",
    [
        "while True: pass",
        "import signal\nsignal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True: pass",
    ],
    ids=["heeds the signal", "ignores the signal"],
)
def test_processor_time_has_a_bound(student_within, source):
    """All the worker's processor time counts, even where each request is short."""
    with pytest.raises(WorkerTimeout, match="^used more than 1 s of processor time$"):
        student_within(cpu_s=1)(source)


MEMORY = {
    "one array": "import numpy as np\nnp.zeros(10**9)",
    "many arrays": "import numpy as np\nx = []\nwhile True: x.append(np.ones(10**6))",
    "a bytearray": "bytearray(10**10)",
    "a list": "x = [0] * 10**10",
    "a number": "x = 1 << 10**11",
    "a text": "x = 'x' * 10**10",
    "a shift in a loop": "x = 'x'\nwhile True: x += x",
    "a mapping": "import mmap\ntry:\n    mmap.mmap(-1, 10**10)\n"
    "except OSError as error:\n    raise MemoryError from error",
}


@pytest.mark.parametrize("source", MEMORY.values(), ids=MEMORY)
def test_memory_has_a_bound(student_within, source):
    """What needs more memory than there is says how much there was."""
    with pytest.raises(WorkerMemory, match="^needed more than 512 MiB of memory$"):
        student_within(memory_bytes=512 * MIB)(source)


def test_an_answer_that_does_not_fit_is_a_matter_of_memory(student_within):
    """Memory that runs out while the answer is packed is reported as memory."""
    student = student_within(memory_bytes=512 * MIB)
    source = "import numpy as np\ndef answer():\n    return np.ones((6000, 8000)).T[::-1]\n"
    with pytest.raises(WorkerMemory, match="512 MiB"):
        student(source)


def test_a_worker_goes_on_after_running_out_of_memory(student_within):
    """The frames that held the memory are let go, so there is room for an answer."""
    student = student_within(memory_bytes=512 * MIB)
    source = (
        "def answer(hungry):\n    x = []\n    while hungry: x.append(bytes(10**6))\n    return 1"
    )
    with student.worker(source) as worker:
        with pytest.raises(WorkerMemory):
            student.ask(worker, True)
        assert student.ask(worker, False) == 1


def test_threads_do_not_escape_the_bounds(student_within):
    """Threads share the memory of the process, so that their number is bounded."""
    source = "import threading, time\n"
    source += "while True: threading.Thread(target=time.sleep, args=(100,), daemon=True).start()"
    with pytest.raises(StudentError) as caught:
        student_within()(source)
    assert caught.value.type_name == "RuntimeError" and "thread" in caught.value.message


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user's tasks are not bounded by number")
def test_a_hog_of_threads_starves_no_other_sandbox(student_within):
    """One worker takes all tasks that it may have; a neighbour starts its threads all the same."""
    source = """
import _thread, time
def answer(wanted):
    for started in range(wanted):
        try:
            _thread.start_new_thread(time.sleep, (1000,))
        except RuntimeError:
            return started
    return wanted
"""
    hog, neighbour = student_within(), student_within()
    with hog.worker(source) as worker:
        assert hog.ask(worker, 1000) == MAX_TASKS - 1
        assert neighbour(source, 4) == 4


def test_printed_text_is_cut_at_its_bound(student_within):
    """A long output does not fail the check; what was kept says where it was cut."""
    student = student_within(output_bytes=1000)
    assert student("print('x' * 3000)\ndef answer():\n    return 1\n") == 1
    kept, note = student.usage.output.split("\n", 1)
    assert kept == "x" * 1000
    assert note == "[1.954 KiB more were printed; output is cut at 1000 bytes]"
    assert student.usage.output_truncated


FLOODS = {
    "a loop of lines": "while True: print('x' * 1000)",
    "one large text": "print('x' * 10**8)",
    "the error stream": "import sys\nwhile True: sys.stderr.write('x' * 1000)",
    "the descriptor": "import os\nwhile True: os.write(1, b'x' * 65536)",
    "small writes": "import os\nwhile True: os.write(2, b'x')",
    "a thread": "import threading\ndef shout():\n    while True: print('x' * 1000)\n"
    "threading.Thread(target=shout).start()",
}


@pytest.mark.parametrize("source", FLOODS.values(), ids=FLOODS)
def test_a_flood_of_text_ends_the_worker(student, source):
    """A gigabyte is not drained: the worker is ended at the second bound, which is named."""
    with pytest.raises(WorkerOutput, match="^printed more than 1 MiB$"):
        student(source + "\nimport time\ntime.sleep(1e6)")
    assert len(student.usage.output) < 65 * KIB


def test_text_at_the_bound_is_no_flood(student_within):
    """As many bytes as the bound says may be printed, and not one more."""
    student = student_within(flood_bytes=100_000)
    assert student("print('x' * 99_999)\ndef answer():\n    return 1\n") == 1
    with pytest.raises(WorkerOutput, match="printed more than 97.66 KiB"):
        student("print('x' * 100_000)\ndef answer():\n    return 1\n")


def test_an_answer_has_a_bound(student_within):
    """Arrays beyond the bound are not sent; the bound is named and the worker goes on."""
    student = student_within(reply_bytes=800)
    source = "import numpy as np\ndef answer(n):\n    return [np.ones(n), np.ones(1)]\n"
    with student.worker(source) as worker:
        with pytest.raises(WorkerOutput, match="^returned more than 800 bytes$"):
            student.ask(worker, 100)
        assert len(student.ask(worker, 99)[0]) == 99


@pytest.mark.parametrize("depth", [30, 500_000])
def test_an_answer_that_nests_too_deep_is_named_and_the_worker_goes_on(student, depth):
    """It is no matter of memory, nor of the stack that the student's code may make endless."""
    source = "import sys\nsys.setrecursionlimit(10**8)\ndef answer(n):\n    x = []\n"
    source += "    for _ in range(n): x = [x]\n    return x\n"
    with student.worker(source) as worker:
        with pytest.raises(WorkerOutput, match="^returned an answer that nests too deep; return"):
            student.ask(worker, depth)
        assert student.ask(worker, 1) == [[]]


def test_values_beside_arrays_have_a_bound(student):
    """A list of a million numbers is refused with the advice to return an array."""
    with pytest.raises(StudentError) as caught:
        student("def answer():\n    return list(range(1_000_000))\n")
    assert "NumPy array" in caught.value.message


def test_a_worker_that_hit_a_bound_is_over(hasty):
    """What was ended answers no more, and says why."""
    with hasty.worker("def answer():\n    while True: pass\n") as worker:
        with pytest.raises(WorkerTimeout):
            hasty.ask(worker)
        with pytest.raises(WorkerDied, match="has ended: took longer than 0.5 s"):
            hasty.ask(worker)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (1, "1 bytes"),
        (1023, "1023 bytes"),
        (65536, "64 KiB"),
        (2 << 30, "2 GiB"),
        (1536, "1.5 KiB"),
    ],
)
def test_sizes_read_as_one_says_them(count, text):
    """A bound is quoted in the largest unit that it reaches."""
    assert size(count) == text
