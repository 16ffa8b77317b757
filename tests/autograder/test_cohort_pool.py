"""A pool gives every job exactly one end, whatever its processes do."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import BrokenExecutor, Executor, ThreadPoolExecutor
from pathlib import Path

import pytest

from autograder.cohort.pool import run_all
from autograder.errors import GraderError
from tests.autograder import units

ROOT = Path(__file__).parent.parent.parent
WAIT_S = 60
PARENT = """
import sys
from autograder.cohort.pool import run_all
from tests.autograder import units
try:
    list(run_all(units.until_interrupted, [sys.argv[1]], width=1))
except KeyboardInterrupt:
    print("interrupted")
"""


def wait_for(condition):
    """Wait until `condition` holds."""
    ends = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < ends, "it never happened"
        time.sleep(0.02)


def alive(pid):
    """Tell whether a process runs."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_every_job_ends_once():
    """As many futures as jobs, each with its own result."""
    ends = [(job, future.result()) for job, future in run_all(units.double, range(9), width=2)]
    assert sorted(ends) == [(number, 2 * number) for number in range(9)]


def test_a_job_that_kills_its_process_harms_no_other():
    """Only the culprit ends without a result; what flew beside it is run again."""
    ends = dict(run_all(units.fragile, range(9), width=2))
    assert sorted(ends) == list(range(9))
    assert isinstance(ends.pop(3).exception(), BrokenExecutor)
    assert str(ends.pop(5).exception()) == "five"
    assert {job: future.result() for job, future in ends.items()} == {n: 2 * n for n in ends}


def test_jobs_that_all_kill_their_process_come_to_an_end():
    """No endless restarting."""
    ends = list(run_all(units.dies, range(3), width=2))
    assert len(ends) == 3
    assert all(isinstance(future.exception(), BrokenExecutor) for _, future in ends)


def test_any_executor_will_do():
    """A cluster's, for one; it is not shut down."""
    with ThreadPoolExecutor(2) as executor:
        ends = dict(run_all(units.double, range(20), width=2, executor=executor))
        assert executor.submit(units.double, 4).result() == 8
    assert {job: future.result() for job, future in ends.items()} == {n: 2 * n for n in range(20)}


def test_no_more_is_in_flight_than_can_be_lost():
    """A class of thousands is not handed over at once."""

    class Counting(Executor):
        flying = most = 0

        def submit(self, unit, job):
            Counting.flying += 1
            Counting.most = max(Counting.most, Counting.flying)
            return threads.submit(unit, job)

    with ThreadPoolExecutor(2) as threads:
        for _ in run_all(units.double, range(100), width=2, executor=Counting()):
            Counting.flying -= 1
    assert Counting.most <= 8


@pytest.mark.parametrize("end", [BrokenExecutor(), OSError("handle is closed")])
def test_an_executor_that_is_broken_is_said_to_be(end):
    """Jobs that nobody runs must not look like a finished class, however it broke."""

    class Broken(Executor):
        def submit(self, unit, job):
            raise end

    with pytest.raises(GraderError, match="what is graded is in the ledger"):
        list(run_all(units.double, range(3), width=2, executor=Broken()))


def start(tmp_path):
    """Start a process that runs a job without end in a pool; return it and the job's process id."""
    command = [sys.executable, "-c", PARENT, str(tmp_path)]
    parent = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    wait_for(lambda: (tmp_path / "running").exists() and (tmp_path / "running").read_text())
    return parent, int((tmp_path / "running").read_text())


def test_an_interrupt_ends_the_job_tidily_and_without_noise(tmp_path):
    """Ctrl-C reaches the whole group: the job cleans up, nobody prints a traceback."""
    parent, job = start(tmp_path)
    os.killpg(parent.pid, signal.SIGINT)
    out, noise = parent.communicate(timeout=WAIT_S)
    assert (out, noise) == (b"interrupted\n", b"")
    assert (tmp_path / "tidy").exists() and not alive(job)


def test_when_the_parent_is_killed_its_processes_end_tidily(tmp_path):
    """SIGKILL tells nobody; each process watches its parent itself."""
    parent, job = start(tmp_path)
    parent.kill()
    parent.communicate(timeout=WAIT_S)
    wait_for(lambda: not alive(job))
    assert (tmp_path / "tidy").exists()
