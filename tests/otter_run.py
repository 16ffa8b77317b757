"""`otter run` on our hidden tests: the oracle for results.json, the yardstick of `make bench`.

The script that is handed to otter brings the names that the checks ask for; here the "student" is
whatever `tinytorch` that script imports, in the same process, as otter does it.
"""

from __future__ import annotations

import builtins
import json
import marshal
import os
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from types import FunctionType

import numpy as np

import tinytorch
from assignments.catalog import Assignment, load_course
from autograder.student import Draw, Student, environment
from autograder.suite import HIDDEN, load_suite

SCRIPT = """\
from tests.otter_run import names
globals().update(names({ids!r}, {seed!r}))
"""


def names(ids: list[str], seed: int) -> dict:
    """Return the names that the checks of the modules `ids` ask for, all in this process."""
    suites = [load_suite(load_course().assignment(one)) for one in ids]
    probes = {name: probe for suite in suites for name, probe in suite.probes.items()}
    if len(probes) != sum(len(suite.probes) for suite in suites):
        raise ValueError(f"two modules of {ids} have a probe of the same name")
    merged = replace(suites[0], probes=probes)
    student = Student(merged, in_this_process, at_once=1)  # nobody settles at the end of a check
    return environment(merged, student, "", Draw(seed))


def in_this_process(calls):
    """Answer probes as a worker does."""
    values = []
    for code, inputs in calls:
        space = {"np": np, "tt": tinytorch, "__builtins__": builtins}
        try:
            values.append(FunctionType(marshal.loads(code), space)(**inputs))
        except Exception as error:
            return values, error
    return values, None


def prepare(folder: Path, assignments: list[Assignment], seed: int) -> list[str]:
    """Write autograder.zip and the script into `folder`; return the command that grades it."""
    with zipfile.ZipFile(folder / "autograder.zip", "w") as archive:
        archive.writestr("otter_config.json", json.dumps({"lang": "python"}))
        for one in assignments:
            archive.write(HIDDEN / one.id / f"test_{one.module}.py", f"tests/{one.id}.py")
    script = SCRIPT.format(ids=[one.id for one in assignments], seed=seed)
    (folder / "script.py").write_text(script, encoding="utf-8")
    otter = [sys.executable, "-m", "otter", "run", "--no-logo"]
    return [*otter, "-a", "autograder.zip", "-o", ".", "script.py"]


def results(folder: Path, assignments: list[Assignment], seed: int) -> dict:
    """Run otter on the reference in `folder` and return its results.json."""
    command = prepare(folder, assignments, seed)
    root = str(Path(__file__).resolve().parent.parent)
    variables = {**os.environ, "PYTHONPATH": root}
    subprocess.run(command, cwd=folder, check=True, capture_output=True, env=variables, timeout=300)
    return json.loads((folder / "results.json").read_text(encoding="utf-8"))
