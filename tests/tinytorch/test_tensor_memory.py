"""What importing the framework asks of the C library and of the kernel, each in a process anew."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

PAGES = Path("/sys/kernel/mm/transparent_hugepage/enabled")
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="glibc's heap and Linux's pages")
MEASURE = """
import resource
import numpy as np
import tinytorch.tensor
def told(path, name):
    return sum(int(line.split()[1]) for line in open(path) if line.startswith(name))
"""


def run(code, limit=None):
    """Run code in a process of its own, with so many bytes of addresses."""
    bound = (lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit))) if limit else None
    command = [sys.executable, "-c", MEASURE + code]
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
    return subprocess.run(
        command, capture_output=True, text=True, env=environment, preexec_fn=bound, check=True
    ).stdout


@LINUX
def test_memory_given_back_is_kept():
    """A thousand arrays of 1 MiB, one after the other, touch no more pages than the first few."""
    faults = "resource.getrusage(resource.RUSAGE_SELF).ru_minflt"
    code = f"[np.ones(2**18, np.float32) for _ in range(9)]; before = {faults}\n"
    code += f"for _ in range(1000): np.ones(2**18, np.float32)\nprint({faults} - before)"
    assert int(run(code)) < 300


@LINUX
@pytest.mark.skipif(
    not PAGES.exists() or "[never]" in PAGES.read_text(), reason="a kernel without large pages"
)
def test_arrays_lie_in_large_pages():
    """32 arrays of 1 MiB, of which few are at an end of the range."""
    code = "kept = [np.ones(2**18, np.float32) for _ in range(32)]\n"
    code += "print(told('/proc/self/smaps', 'AnonHugePages:'))"
    assert int(run(code)) >= 8 * 1024


@LINUX
def test_what_is_asked_for_takes_no_memory():
    """Addresses alone; and where there are few of these, it does without."""
    rss = "before = told('/proc/self/status', 'VmRSS:')\nimport importlib\n"
    rss += "importlib.reload(tinytorch.tensor)\nprint(told('/proc/self/status', 'VmRSS:') - before)"
    assert int(run(rss)) < 8 * 1024
    need = "print(told('/proc/self/status', 'VmSize:'))"
    few = (int(run(need)) - 100 * 1024) * 1024  # what was reserved does not fit
    assert 0 < int(run(need, limit=few)) * 1024 <= few
