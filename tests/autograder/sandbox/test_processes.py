"""No process, descriptor or file outlives its sandbox, whoever dies first."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from autograder.errors import GraderError
from autograder.sandbox import Limits, Sandbox, WorkerError, WorkerTimeout

ROOT = Path(__file__).resolve().parents[3]
PATIENCE_S = 60


def running(pid: int) -> bool:
    """True where the process lives; a zombie does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def descendants(pid: int) -> list[int]:
    """Return the processes below `pid`, as /proc shows them."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        parents.setdefault(int(fields[1]), []).append(int(folder.name))
    below, found = [pid], []
    while below:
        children = parents.get(below.pop(), [])
        found += children
        below += children
    return found


def all_end(pids: list[int]) -> bool:
    """Wait until none of `pids` runs."""
    patience = time.monotonic() + PATIENCE_S
    while any(map(running, pids)) and time.monotonic() < patience:
        time.sleep(0.01)
    return not any(map(running, pids))


def test_closing_ends_every_process():
    """Two servers and an open worker are gone when the block ends, at once."""
    with Sandbox() as box:
        box.branch({"tinytorch.tensor": "X = 1"}).worker()
        pids = [box._process.pid, *descendants(box._process.pid)]
        assert len(pids) == 3 and all(map(running, pids))
    assert not any(map(running, pids))


def test_closing_twice_is_harmless():
    """A second close finds nothing to do."""
    box = Sandbox().__enter__()
    box.close()
    box.close()


def test_a_sandbox_can_be_opened_again():
    """After closing, the same sandbox starts anew."""
    box = Sandbox()
    for _ in range(2):
        with box:
            box.branch({}).worker().close()


def test_descriptors_do_not_pile_up(box):
    """After a hundred workers the lowest free descriptor is the one that it was."""
    lowest = free_descriptor()
    for _ in range(100):
        box.branch({}).worker().close()
    assert free_descriptor() == lowest


def free_descriptor() -> int:
    """Return the number that the next file to be opened would get."""
    number = os.dup(0)
    os.close(number)
    return number


@pytest.mark.parametrize("holder", ["endless", "idle"])
def test_the_death_of_the_grader_ends_everything(holder):
    """A grader that is killed takes its servers and a worker in an endless loop with it."""
    grader = subprocess.Popen(
        [sys.executable, "-c", GRADER, holder], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    worker = int(grader.stdout.readline())
    pids = descendants(grader.pid)
    assert worker in pids and len(pids) == 3
    grader.kill()
    grader.wait()
    grader.stdout.close()
    assert all_end(pids)


GRADER = """
import marshal, sys, time
from autograder.sandbox import Limits, Sandbox
with Sandbox(Limits(wall_s=1000)) as box:
    with box.branch({"tinytorch.tensor": "X = 1"}).worker() as worker:
        code = worker.compile("tinytorch/layers.py", b"while True: pass")
        print(worker.pid, flush=True)
        if sys.argv[1] == "endless":
            worker.load({"tinytorch.layers": code})
        time.sleep(1000)
"""


def test_the_death_of_a_server_is_noticed():
    """A fork server that dies ends its workers, and asking it again is the grader's error."""
    with Sandbox() as box:
        worker = box.branch({}).worker()
        os.kill(box._process.pid, signal.SIGKILL)
        assert all_end([box._process.pid, worker.pid])
        with pytest.raises(GraderError, match="fork server"):
            worker.close()
        with pytest.raises(GraderError, match="fork server"):
            box.branch({}).worker()


def test_the_death_of_the_first_server_ends_its_branches():
    """A branch does not outlive the server that it was forked from."""
    with Sandbox() as box:
        worker = box.branch({"tinytorch.tensor": "X = 1"}).worker()
        pids = descendants(box._process.pid)
        assert worker.pid in pids
        os.kill(box._process.pid, signal.SIGKILL)
        assert all_end(pids)


def test_an_interrupt_from_the_keyboard_is_for_the_grader(box):
    """Servers have a session of their own and a worker its group: Control-C reaches neither."""
    with box.branch({}).worker() as worker:
        server = box._process.pid
        assert os.getsid(server) == os.getsid(worker.pid) != os.getsid(0)
        assert os.getpgid(worker.pid) != os.getpgid(server) != os.getpgid(0)


ESCAPES = {
    "a child": "if os.fork() == 0: time.sleep(1000)",
    "a child with its own session": "if os.fork() == 0:\n    os.setsid()\n    time.sleep(1000)",
    "a grandchild": "if os.fork() == 0:\n    os.setsid()\n"
    "    if os.fork(): os._exit(0)\n    time.sleep(1000)",
    "a brood": "for _ in range(20):\n    if os.fork() == 0: break\nelse:\n    os._exit(0)\n"
    "os.fork()\ntime.sleep(1000)",
    "one that runs away": "while True:\n    if os.fork(): os._exit(0)\n    time.sleep(0.001)",
}
NAMED = "import ctypes, os, time\nctypes.CDLL(None).prctl(15, b'{name}', 0, 0, 0)\n{escape}\n"


@pytest.mark.parametrize("escape", ESCAPES.values(), ids=ESCAPES)
def test_descendants_end_with_their_worker(escape):
    """Even where the filter is missing and forking works, nothing outlives the worker."""
    name = f"esc-{secrets.token_hex(4)}"  # inherited by forks, whoever their parent becomes
    with Sandbox(Limits(wall_s=1), require_full=False, without={"seccomp"}) as box:
        worker = box.branch({}).worker()
        source = NAMED.format(name=name, escape=escape)
        code = worker.compile("tinytorch/tensor.py", source.encode())
        with contextlib.suppress(WorkerError):
            worker.load({"tinytorch.tensor": code})
        worker.close()
        assert called(name) == []


def called(name: str) -> list[int]:
    """Return the running processes of this name."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if (folder / "comm").read_text().strip() == name and running(int(folder.name)):
                found.append(int(folder.name))
    return found


def test_a_worker_that_is_stopped_is_ended(student_within):
    """A stopped process is no harder to end than a running one."""
    student = student_within(wall_s=0.5)
    with student.worker("def answer():\n    return 1\n") as worker:
        os.kill(worker.pid, signal.SIGSTOP)
        with pytest.raises(WorkerTimeout):
            student.ask(worker)
    assert all_end([worker.pid])


def test_sandboxes_stand_side_by_side():
    """Two in one process do not disturb each other; its memory is concealed until both close."""
    code = """
import ctypes
from autograder.sandbox import Sandbox
def say():
    print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))  # PR_GET_DUMPABLE
say()
with Sandbox() as one:
    with Sandbox() as other:
        one.branch({}).worker().close()
        say()
    say()
    one.branch({}).worker().close()
say()
"""
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert result.stdout.split() == ["1", "0", "0", "1"], result.stderr


def test_a_sandbox_that_is_refused_leaves_no_process():
    """When isolation is not full, the servers that found it out are ended."""
    before = [pid for pid in descendants(os.getpid()) if running(pid)]
    with pytest.raises(Exception, match="landlock"):
        Sandbox(without={"landlock"}).__enter__()
    assert [pid for pid in descendants(os.getpid()) if running(pid)] == before


def test_a_grader_that_leaves_a_reply_unread_is_no_error(capfd):
    """As one does that is interrupted between a question and its answer: nothing is printed."""
    with Sandbox(Limits()) as box:
        root = box.branch({})
        root.say(json.dumps({"op": "end"}))
        assert select.select([root._connection], [], [], PATIENCE_S)[0]
    assert capfd.readouterr().err == ""
