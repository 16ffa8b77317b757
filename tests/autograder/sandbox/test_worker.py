"""A worker compiles, loads and runs a student's file as Python at home would."""

from __future__ import annotations

import marshal

import numpy as np
import pytest

from autograder.errors import GraderError
from autograder.sandbox import Limits, Sandbox, StudentError, WorkerDied

REFERENCE = "class Tensor:\n    def double(self, x):\n        return 2 * x\n"
ECHO = "def answer(*inputs):\n    return inputs\n"


def test_values_go_in_and_come_back(student):
    """Inputs arrive as they were sent and answers return as they were given."""
    inputs = [None, True, -7, 2.5, "text ✓", [1, [2]], {"k": {"l": 1}}]
    assert student(ECHO, *inputs) == inputs


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint64", "float16", "float32", "float64"])
def test_arrays_keep_dtype_shape_and_values(student, dtype):
    """An array is the same array on the other side."""
    array = np.arange(24).reshape(2, 3, 4).astype(dtype)
    (back,) = student(ECHO, array)
    assert back.dtype == array.dtype and np.array_equal(back, array)


def test_empty_and_scalar_arrays_travel(student):
    """No elements and no dimensions are ordinary shapes."""
    empty, scalar = student(ECHO, np.zeros((0, 3)), np.array(1.5))
    assert empty.shape == (0, 3) and scalar.shape == () and scalar == 1.5


def test_an_array_larger_than_a_pipe_travels_both_ways(student):
    """8 MB pass through 64 KiB pipes in both directions without a deadlock."""
    array = np.arange(1_000_000.0)
    assert np.array_equal(student(ECHO, array)[0], array)


def test_an_array_subclass_comes_back_as_a_plain_array(student):
    """What a student's class redefines stays in the worker."""
    source = (
        "import numpy as np\nclass A(np.ndarray): pass\ndef answer(): return np.zeros(2).view(A)"
    )
    assert type(student(source)) is np.ndarray


def test_a_probe_sees_the_package_and_numpy(student):
    """`tt` is the tinytorch package with the student's module in it, `np` is NumPy."""

    def probe(inputs):
        return tt.tensor.answer(np.float32(inputs[0]))  # noqa: F821

    assert student("def answer(x):\n    return x + 1\n", 2, probe=probe) == 3


def test_a_worker_answers_many_requests(student):
    """What one request leaves in the module, the next one finds."""
    counting = "n = 0\ndef answer():\n    global n\n    n += 1\n    return n\n"
    with student.worker(counting) as worker:
        assert [student.ask(worker) for _ in range(3)] == [1, 2, 3]


def test_a_worker_goes_on_after_an_exception(student):
    """An exception is an answer like another; the process stays."""
    with student.worker("def answer(x):\n    return 1 / x\n") as worker:
        with pytest.raises(StudentError):
            student.ask(worker, 0)
        assert student.ask(worker, 2) == 0.5


def test_each_worker_is_fresh(student):
    """What one check leaves behind in the process, another does not find."""
    source = "import math\ndef answer():\n    math.left = getattr(math, 'left', 0) + 1\n"
    source += "    return math.left\n"
    assert [student(source), student(source)] == [1, 1]


def test_student_modules_import_each_other(box):
    """Several files are loaded in the order given, and see each other in the package."""
    low, high = b"X = 1\n", b"from tinytorch.tensor import X\nY = X + 1\n"
    with box.branch({}).worker() as worker:
        codes = {
            f"tinytorch.{name}": worker.compile(f"tinytorch/{name}.py", source)
            for name, source in (("tensor", low), ("activations", high))
        }
    with box.branch({}).worker() as worker:
        worker.load(codes)
        probe = marshal.dumps((lambda: tt.activations.Y).__code__)  # noqa: F821
        assert worker.run(probe, {}) == 2


def test_a_branch_holds_the_reference(box):
    """In the branch of a higher module, the reference's lower module is there to import."""
    source = b"from tinytorch.tensor import Tensor\ndef answer(x):\n    return Tensor().double(x)\n"
    with box.branch({"tinytorch.tensor": REFERENCE}).worker() as worker:
        worker.load({"tinytorch.activations": worker.compile("tinytorch/activations.py", source)})
        probe = marshal.dumps((lambda x: tt.activations.answer(x)).__code__)  # noqa: F821
        assert worker.run(probe, {"x": 4}) == 8


def test_a_branch_is_made_once(box):
    """The same modules are the same fork server; other content is another one."""
    once = box.branch({"tinytorch.tensor": REFERENCE})
    assert box.branch({"tinytorch.tensor": REFERENCE}) is once
    assert box.branch({"tinytorch.tensor": REFERENCE + "#"}) is not once


def test_a_reference_that_does_not_import_is_the_graders_fault(box):
    """A broken reference is named as such, and the sandbox goes on."""
    with pytest.raises(GraderError, match="ZeroDivisionError"):
        box.branch({"tinytorch.tensor": "1 / 0"})
    box.branch({}).worker().close()


def test_the_package_finds_public_names_of_loaded_modules(student):
    """`tinytorch.Tensor` works in a worker as it does at home."""
    source = "__all__ = ['Tensor']\nclass Tensor: pass\ndef answer():\n    import tinytorch\n"
    source += "    from tinytorch import Tensor as T\n    return tinytorch.Tensor is T is Tensor\n"
    assert student(source, probe=lambda inputs: tt.tensor.answer())  # noqa: F821


@pytest.mark.parametrize("name", ["torch", "pandas", "autograder", "tests", "tinytorch.layers"])
def test_what_is_not_there_cannot_be_imported(student, name):
    """Another package, the grader or a module not handed in: ModuleNotFoundError, as at home."""
    with pytest.raises(StudentError, match="ModuleNotFoundError") as caught:
        student(f"\n\nimport {name}\n")
    assert caught.value.line == 3 and name in caught.value.message


def test_files_are_no_source_of_modules_even_when_they_can_be_read(student_within):
    """Imports do not depend on what the layers let through: only what is loaded is there."""
    student = student_within(require_full=False, without={"landlock", "seccomp"})
    with pytest.raises(StudentError, match="ModuleNotFoundError"):
        student("import assignments")


def test_the_usual_modules_can_be_imported(student):
    """The standard library's common modules and NumPy's own are there."""
    source = """
        import abc, argparse, bdb, cmd, code, codeop, collections, colorsys, configparser
        import contextlib, copy, csv, dataclasses, datetime, doctest, enum, filecmp, fileinput
        import fnmatch, functools, getopt, getpass, hmac, html, ipaddress, optparse, pdb, pkgutil
        import profile, runpy, sched, secrets, selectors, shelve, shlex, stat
        import sysconfig, trace, zoneinfo
        import gzip, hashlib, heapq, io, itertools, json, logging, math, operator, os, pathlib
        import pickle, queue, random, re, statistics, string, struct, sys, tempfile, textwrap
        import threading, time, timeit, tracemalloc, types, typing, unittest, uuid, warnings
        import weakref, zipfile, zlib
        import concurrent.futures, collections.abc, importlib, urllib.parse
        from concurrent.futures import ThreadPoolExecutor
        import numpy.linalg, numpy.random, numpy.fft, numpy.testing, numpy.lib.stride_tricks
        import numpy.typing, numpy.ma, numpy.polynomial
    """
    student("".join(f"{line.strip()}\n" for line in source.splitlines()) + ECHO)


USUAL = {
    "a random generator": "np.random.default_rng(0).normal(size=3)",
    "linear algebra": "np.linalg.inv(np.eye(3)) @ np.linalg.svd(np.eye(3))[1]",
    "einsum": "np.einsum('ij,jk->ik', np.eye(2), np.eye(2), optimize=True)",
    "a file in memory": "np.load(save())['x']",
    "printing an array": "str(np.arange(3000.0).reshape(30, 100)) and np.ones(1)",
    "sliding windows": "np.lib.stride_tricks.sliding_window_view(np.arange(5), 2)",
    "threads": "np.array(list(pool(4).map(np.sin, range(8))))",
    "a clock": "np.array(time.perf_counter() - time.process_time() > -1)",
    "a temporary name": "np.ones(1) if uuid.uuid4() else None",
    "a date to parse": "np.ones(datetime.datetime.strptime('2026', '%Y').month)",
    "text in bytes": "np.frombuffer('é'.encode('utf-16-le'), np.uint16)",
    "local time": "np.ones(3 * (time.localtime().tm_year > 2000))",
}


@pytest.mark.parametrize("expression", USUAL.values(), ids=USUAL)
def test_usual_code_runs_behind_the_filter(student, expression):
    """No system call that ordinary NumPy code needs is missing from the allow-list."""
    source = f"""
import datetime, io, time, uuid
from concurrent.futures import ThreadPoolExecutor as pool
import numpy as np
def save():
    file = io.BytesIO()
    np.savez_compressed(file, x=np.arange(3))
    file.seek(0)
    return file
def answer():
    return {expression}
"""
    assert isinstance(student(source), np.ndarray)


def test_exit_is_the_builtin_that_students_know(student):
    """`exit()` raises SystemExit, though Python was started without `site`."""
    with pytest.raises(StudentError, match="SystemExit"):
        student("exit(3)")


def test_a_warning_is_printed_not_raised(student):
    """NumPy warns of a division by zero on the error stream; the answer stands."""
    assert student("import numpy as np\ndef answer():\n    return np.ones(1) / 0") == np.inf
    assert "RuntimeWarning: divide by zero" in student.usage.output


def test_what_is_printed_is_kept_in_order(student):
    """Both streams end up in `usage.output`, cleaned."""
    student(
        "import sys\nprint('one')\nprint('::two', file=sys.stderr)\nprint('\\x1b[1mthree')\n" + ECHO
    )
    assert student.usage.output == "one\n: :two\nthree\n"
    assert not student.usage.output_truncated


def test_a_line_without_an_end_is_kept(student):
    """What waits in Python's own buffer is there before the answer is."""
    student("print('no newline', end='')\n" + ECHO)
    assert student.usage.output == "no newline"


def test_text_that_is_not_utf_8_can_be_printed(student):
    """Half a surrogate pair does not raise in print, and does not reach the output."""
    student("print('a\\ud800b')\n" + ECHO)
    assert student.usage.output == "a\\ud800b\n"


def test_there_is_nothing_to_read_from_the_keyboard(student):
    """`input()` raises EOFError at once instead of waiting."""
    with pytest.raises(StudentError, match="EOFError"):
        student("input()")


def test_usage_is_the_kernels(student):
    """Processor time and memory are what the kernel measured for that process."""
    student("import numpy as np\nx = np.ones(20_000_000)\n" + ECHO)
    assert 160e6 < student.usage.peak_rss_bytes < 400e6
    assert 0 < student.usage.cpu_s < 60


def test_a_regrade_sees_the_same_numbers(student_within):
    """Unseeded random numbers and the order of sets repeat in another sandbox."""
    source = "import random, numpy as np\ndef answer():\n"
    source += "    return [random.random(), np.random.rand(), list({'a', 'b', 'c', 'd'})]\n"
    assert student_within()(source) == student_within()(source)


def test_a_worker_is_told_nothing_of_the_graders_environment(student, monkeypatch):
    """A token in the grader's environment is not in the worker's."""
    source = "import os\ndef answer():\n    return sorted(os.environ)\n"
    names = {"LANG", "HOME", "PATH", "TMPDIR", "PYTHONHASHSEED"}
    assert set(student(source)) == names | {"OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"}


def test_a_closed_worker_answers_no_more(box):
    """Asking a worker that has been closed is a WorkerDied that says so."""
    worker = box.branch({}).worker()
    worker.close()
    worker.close()
    with pytest.raises(WorkerDied, match="it was closed"):
        worker.run(b"", {})


def test_a_branch_has_one_worker_at_a_time(box):
    """A second worker beside an open one is refused, or the server would lose the first."""
    with box.branch({}).worker(), pytest.raises(GraderError, match="close the worker"):
        box.branch({}).worker()


def test_an_input_that_cannot_travel_is_the_graders_fault(student):
    """An author's probe input outside the grammar is a GraderError, not the student's."""
    with pytest.raises(GraderError, match="set"):
        student(ECHO, {1, 2})


def test_a_sandbox_must_be_open():
    """A sandbox that was not entered, or is closed, says what to do."""
    box = Sandbox(Limits())
    box.close()
    with pytest.raises(GraderError, match="`with` block"):
        box.branch({})


@pytest.mark.parametrize("bound", ["wall_s", "memory_bytes", "output_bytes", "reply_bytes"])
def test_a_bound_of_nothing_is_refused(bound):
    """A limit of zero would let nothing run."""
    with pytest.raises(ValueError, match=bound):
        Limits(**{bound: 0})


def test_a_bound_in_bytes_is_a_whole_number():
    """Half a byte is refused before it reaches the kernel."""
    with pytest.raises(ValueError, match="a whole number"):
        Limits(memory_bytes=2e9)


def test_probes_that_travel_together_answer_each_for_itself(student):
    """What one returned is not changed by the next, which works in the same memory."""
    source = (
        "import numpy as np\nheld = np.zeros(2)\ndef answer(x):\n    held[:] = x\n    return held\n"
    )
    with student.worker(source) as worker:
        values, failure = student.ask_all(worker, range(3))
    assert [value.tolist() for value in values] == [[0, 0], [1, 1], [2, 2]] and failure is None


def test_an_error_ends_the_probes_that_travel_together(student):
    """The answers before it stand, those behind it are not asked for."""
    with student.worker("def answer(x):\n    return 1 // x\n") as worker:
        values, failure = student.ask_all(worker, (1, 0, 1))
        assert (values, failure.type_name) == ([1], "ZeroDivisionError")
        assert student.ask(worker, 1) == 1
