"""A hidden test file that otter would misread is refused before anything is graded."""

import dataclasses
import time
import types
from concurrent.futures import ThreadPoolExecutor

import pytest

from assignments.catalog import Assignment, Task, load_course
from autograder import suite as suites
from autograder.errors import GraderError

HEADER = """
from otter.test_files import test_case
OK_FORMAT = False
name = "01_tensor"
points = 100
"""
GOOD = """
@test_case(name="f: one", points=40, hidden=True)
def one(agree): pass
@test_case(name="f: two", points=40, hidden=True)
def two(agree): pass
@test_case(name="f: three", points=20)
def three(agree): pass
"""


@pytest.fixture
def load(tmp_path, monkeypatch):
    """Return a function that loads a suite of one task `f` from the given texts."""
    monkeypatch.setattr(suites, "HIDDEN", tmp_path)
    task = Task(("f",), 100, "hint")
    folder = tmp_path / "assignment"
    assignment = Assignment(
        "01_tensor", 1, "tensor", "Tensor", "foundations", (), 60, 1, (task,), folder
    )

    def load(test=HEADER + GOOD, probes="def f(x):\n    return np.abs(x)\n"):
        folder = tmp_path / assignment.id
        folder.mkdir(exist_ok=True)
        (folder / f"test_{assignment.module}.py").write_text(test)
        (folder / "probes.py").write_text(probes)
        suites._load_suite.cache_clear()
        return suites.load_suite(assignment)

    yield load
    suites._load_suite.cache_clear()


def test_a_good_file_is_loaded_with_its_tasks_and_points(load):
    """The order is the file's; hidden and shown are told apart."""
    loaded = load()
    assert [c.behaviour for c in loaded.cases] == ["one", "two", "three"]
    assert [c.suite for c in loaded.cases] == ["hidden", "hidden", "shown"]
    assert sum(c.points for c in loaded.cases) == 100


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("def one(agree)", "async def one(agree)", "asynchronous"),
        ("def one(agree): pass", "def one(agree): yield", "generator"),
        ("def two(agree)", "def one(agree)", "defined 2 times"),
        ('"f: two"', '"f: one"', "defined 2 times"),
        ("points=20", "points=10", "add up to 90"),
        ("points=20", "points=30", "More points"),
        ("points=20", "points=0", "worth 0 points"),
        ("points = 100", "points = 120", "expected the line `points = 100`"),
        ("points=20)", ")", ""),
        ('"f: three"', '"g: three"', "'g' is not in assignment.toml"),
        ('"f: three"', '"three"', "must read"),
        ("def three(agree)", "def three(agre)", r"asks for \['agre'\]"),
        ("points=40, hidden=True", "points=40", "hidden checks, expected at least 2"),
        ('name = "01_tensor"', 'name = "02"', "expected '01_tensor'"),
        ("points = 100", "points = 100\nall_or_nothing = True", "all_or_nothing"),
    ],
)
def test_a_file_that_otter_would_misread_is_refused(load, old, new, says):
    """Each trap of the format, planted in an otherwise good file."""
    changed = (HEADER + GOOD).replace(old, new, 1)
    assert changed != HEADER + GOOD
    if not says:  # otter shares out what is left, which is what the author meant
        assert load(changed).cases[2].points == 20
        return
    with pytest.raises(GraderError, match=says):
        load(changed)


@pytest.mark.parametrize(
    ("probes", "says"),
    [
        ("def f(x, y=1):\n    return x\n", "no defaults"),
        ("def g(x):\n    return x\ndef f(x):\n    return g(x)\n", "travels alone"),
        ("K = 3\ndef f(x):\n    return x + K\n", "travels alone"),
    ],
)
def test_a_probe_that_cannot_travel_alone_is_refused(load, probes, says):
    """Only a function's own code goes to the worker, with `np` and `tt`."""
    with pytest.raises(GraderError, match=says):
        load(probes=probes)


def test_a_probe_may_be_called_like_a_method_that_it_calls(load):
    """Only the global names that it reads count, in inner functions too."""
    loaded = load(probes="def max(x):\n    return x.max()\n")
    assert set(loaded.probes) == {"max"}
    with pytest.raises(GraderError, match="travels alone"):
        load(probes="def f(x):\n    return lambda: f(x)\n")


def test_only_one_probe_travels(load):
    """A worker must not learn what else will be asked."""
    loaded = load(probes="def f(x):\n    return 1\ndef secret(x):\n    return 2\n")
    assert b"secret" not in loaded.probe_code("f")
    assert isinstance(loaded.probe("secret"), types.FunctionType)
    with pytest.raises(GraderError, match="no probe `nothing`"):
        loaded.probe("nothing")


def test_a_missing_file_is_the_graders_fault(load):
    """It is ungradable, not zero."""
    other = dataclasses.replace(load().assignment, module="nothing")
    with pytest.raises(GraderError, match="test_nothing.py is missing"):
        suites.load_suite(other)


def test_syntax_trees_are_built_one_at_a_time(monkeypatch):
    """Two threads that do may end the grader with a SystemError of Python's own."""
    inside, most = [], []

    def parse(source):
        inside.append(1)
        most.append(len(inside))
        time.sleep(0.01)
        inside.pop()
        return parsed(source)

    parsed = suites.ast.parse
    monkeypatch.setattr(suites.ast, "parse", parse)
    suites._load_suite.cache_clear()
    assignments = load_course().assignments[:4]
    with ThreadPoolExecutor(4) as threads:
        loaded = list(threads.map(suites.load_suite, assignments))
    suites._load_suite.cache_clear()
    assert [suite.assignment for suite in loaded] == list(assignments)
    assert len(most) >= 4 and set(most) == {1}
