"""A worker's memory holds what the student may know, and nothing else of the course."""

from __future__ import annotations

import marshal
import os
import subprocess
import sys
from pathlib import Path

import pytest

from autograder.sandbox import Sandbox

ROOT = Path(__file__).resolve().parents[3]
SECRET, LOWER = "secret_of_the_reference_6f1c", "lower_module_of_the_reference_a8d2"


def memory_holds(pid: int, text: str) -> bool:
    """Search every readable mapping of a process for `text`, as UTF-8 and in Python's own forms."""
    forms = [text.encode(), text.encode("utf-16-le"), text.encode("utf-32-le")]
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            span, rights = line.split()[:2]
            start, end = (int(part, 16) for part in span.split("-"))
            if "r" not in rights or line.rstrip().endswith(("[vvar]", "[vsyscall]")):
                continue
            memory.seek(start)
            try:
                data = memory.read(end - start)
            except OSError:
                continue
            if any(form in data for form in forms):
                return True
    return False


@pytest.fixture
def open_memory():
    """Return a sandbox whose processes can be looked into by this test: the layers say who may."""
    without = set() if os.geteuid() == 0 else {"dumpable"}
    with Sandbox(require_full=False, without=without) as box:
        yield box


def test_a_branch_holds_its_modules_and_no_other_server_does(open_memory):
    """The reference of a module is in the branch that was asked for it, and nowhere else."""
    box = open_memory
    lower, higher = f"{LOWER} = 1  # text", f"{SECRET} = 1  # text"
    below = box.branch({"tinytorch.tensor": lower})
    above = box.branch({"tinytorch.tensor": lower, "tinytorch.activations": higher})
    for branch, has_lower, has_higher in (
        (above, True, True),  # it can be found: so the search means something
        (below, True, False),
        (box.branch({}), False, False),
    ):
        with branch.worker() as worker:
            assert memory_holds(worker.pid, LOWER) is has_lower
            assert memory_holds(worker.pid, SECRET) is has_higher


def test_the_text_of_a_lower_module_is_not_kept(open_memory):
    """Students may use the reference's lower modules; comments in their source do not travel on."""
    branch = open_memory.branch({"tinytorch.tensor": f"x = 1  # {SECRET}"})
    with branch.worker() as worker:
        assert not memory_holds(worker.pid, SECRET)


def test_one_worker_does_not_see_what_another_was_told(open_memory):
    """The inputs of one check are in the memory of no later worker."""
    branch = open_memory.branch({})
    with branch.worker() as worker:
        worker.load({"tinytorch.tensor": worker.compile("tinytorch/tensor.py", b"x = 1")})
        worker.run(marshal.dumps((lambda text: text).__code__), {"text": SECRET})
        assert memory_holds(worker.pid, SECRET)
    with branch.worker() as worker:
        assert not memory_holds(worker.pid, SECRET)


def test_student_code_finds_no_reference_through_the_collector(student):
    """No object of the grader's checks, and no tinytorch module but the student's, is in reach."""
    source = """
import gc, sys
def answer():
    names = [name for name in sys.modules if name.split('.')[0] in ('tinytorch', 'autograder')]
    gc.unfreeze()
    files = {o.co_filename for o in everything() if hasattr(o, 'co_filename')}
    return [names, sorted(f for f in files if 'hidden' in f or f.startswith('tinytorch'))]
def everything():
    for o in gc.get_objects():
        if type(o).__name__ == 'function':
            yield o.__code__
"""
    names, files = student(source)
    assert sorted(names) == ["tinytorch", "tinytorch.tensor"]
    assert files == ["tinytorch/__init__.py", "tinytorch/tensor.py"]


def test_the_servers_memory_cannot_be_read_by_its_user():
    """A process of the same user, not locked at all, cannot look into grader or servers."""
    if os.geteuid() == 0:
        pytest.skip("root may read every memory; test_users.py runs this as an ordinary user")
    with Sandbox() as box:
        for pid in (os.getpid(), box._process.pid):
            probe = [sys.executable, "-c", f"open('/proc/{pid}/mem')"]
            result = subprocess.run(probe, capture_output=True, text=True)
            assert "PermissionError" in result.stderr
