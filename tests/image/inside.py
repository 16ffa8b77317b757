"""Runs in the container: says as JSON what the grader and its workers can reach there."""

from __future__ import annotations

import ctypes
import json
import os
import sys
from importlib.metadata import distributions, packages_distributions
from pathlib import Path

from autograder.leaderboard import pages
from autograder.sandbox import Sandbox

CLONE_NEWUSER = 0x10000000
HIDDEN = Path("/course/autograder/hidden")
# Everything that a command of the grader imports, now or later.
COMMANDS = """
    autograder.cli autograder.single autograder.table autograder.doctor autograder.cohort
    autograder.leaderboard autograder.sandbox.launcher autograder.sandbox.syscalls
""".split()


def proved(without: tuple[str, ...] = ()) -> list[str]:
    """Return the guarantees that a worker could not break without these layers."""
    with Sandbox(require_full=False, without=without) as sandbox:
        return sorted(sandbox.proved)


def second_uid() -> str:
    """Return which way to a second user is open: none, or its name."""
    if ctypes.CDLL(None).unshare(CLONE_NEWUSER) == 0:
        return "a user namespace"
    try:
        os.setresuid(65000, 65000, 65000)
    except PermissionError:
        return "none"
    return "setresuid"


def writable() -> list[str]:
    """Return what of the course and its packages this user could change on a writable system.

    By owner and mode: `os.access` would only tell that the file system is read-only.
    """
    found = [Path("/course"), *Path("/course").rglob("*"), *Path("/opt/grader").rglob("*")]
    state = {path: path.stat() for path in found if not path.is_symlink()}
    return [str(p) for p, is_ in state.items() if is_.st_uid == os.geteuid() or is_.st_mode & 0o022]


def readable() -> list[str]:
    """Return what this user may read, list or stat of the hidden tests."""
    able = []
    for attempt in (os.listdir, os.stat, lambda path: open(path / "01_tensor/test_tensor.py")):
        try:
            attempt(HIDDEN)
        except PermissionError:
            continue
        able.append(str(attempt))
    return able


def idle() -> list[str]:
    """Return the installed packages that no command imports."""
    for name in COMMANDS:
        __import__(name)
    pages._environment()  # what only a page needs is imported with the first one
    by_module = packages_distributions()
    used = {one for name in sys.modules for one in by_module.get(name.partition(".")[0], ())}
    inside = [one for one in distributions() if str(one.locate_file("")).startswith("/opt/grader")]
    return sorted({one.name for one in inside} - used)


if __name__ == "__main__":
    print(json.dumps({name: globals()[name]() for name in sys.argv[1].split(",")}))
