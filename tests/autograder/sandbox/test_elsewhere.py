"""Off Linux the package still imports, so that the rest of the grader's commands work."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
LINUX_ONLY = ["resource", "fcntl", "pyseccomp", "termios", "pwd", "grp"]


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_the_package_imports_without_linux(platform):
    """Neither a module nor a function that only Linux has is touched by importing."""
    code = f"""
import os, signal, socket, select, sys
import numpy, subprocess
for name in {LINUX_ONLY}:
    sys.modules[name] = None
for module, names in ((os, "pidfd_open memfd_create fork waitid"), (signal, "SIGKILL SIGXCPU"),
                      (socket, "AF_UNIX send_fds"), (select, "poll")):
    for name in names.split():
        delattr(module, name)
sys.platform = {platform!r}
from autograder.errors import IsolationError
from autograder.sandbox import Sandbox
try:
    Sandbox().__enter__()
except IsolationError as error:
    print(error)
"""
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert f"isolation: none; grading runs on Linux, this is {platform}" in result.stdout, result
