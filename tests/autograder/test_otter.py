"""otter-grader as a library gives what `otter run` gives, without its weight and its log server."""

import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path

import pytest

import tinytorch
from assignments.catalog import load_course
from autograder.grading import grade
from autograder.intake import Submission
from autograder.sandbox import Sandbox
from tests.otter_run import results

SEED = 5
COURSE = load_course()


@pytest.mark.parametrize("assignment", COURSE.assignments, ids=lambda one: one.id)
def test_on_the_reference_our_results_are_those_of_otter_run(assignment, tmp_path):
    """The whole Gradescope document of a module is equal."""
    reference = Path(tinytorch.__file__).parent.parent
    submission = Submission("reference", reference, "0" * 64, datetime.now(timezone.utc))
    with Sandbox() as sandbox:
        ours = grade(submission, [assignment], course=COURSE, seed=SEED, sandbox=sandbox)
    theirs = results(tmp_path, [assignment], SEED)
    assert ours.gradescope == theirs
    assert sum(test.get("score", 0) for test in theirs["tests"]) == pytest.approx(100)


def test_otter_comes_without_pandas_and_without_notebook_exporters():
    """What it would import otherwise takes longer than grading a module."""
    program = (
        "import sys, autograder.otter_light as light\n"
        "heavy = {'pandas', 'nbconvert', 'otter.api', 'dill'} & set(sys.modules)\n"
        "print(light.__version__, sorted(heavy))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("7.0.0 []\n", "")
