"""The course is read as written, and every mistake in it is refused with file and cure."""

from __future__ import annotations

import dataclasses
import re

import pytest

from assignments.catalog import CatalogError, load_course
from tests.assignments.course import change, small_course


@pytest.fixture
def folder(tmp_path):
    """A small course that each test may break."""
    return small_course(tmp_path)


def test_a_course_lists_released_and_planned_modules(folder):
    """Modules with a folder are assignments; all of course.toml are planned."""
    course = load_course(folder)
    assert course.title == "Small"
    assert [one.id for one in course.assignments] == ["01_one", "02_two"]
    assert [one.id for one in course.planned] == ["01_one", "02_two", "03_three"]


def test_an_assignment_knows_its_files_and_tasks(folder):
    """Everything another part of the course needs hangs on the assignment."""
    two = load_course(folder).assignment("two")
    assert (two.id, two.number, two.module, two.title) == ("02_two", 2, "two", "Two")
    assert (two.tier, two.requires, two.minutes, two.version) == ("first", ("01_one",), 60, 1)
    assert two.source == "tinytorch/two.py"
    names = [path.name for path in (two.lesson, two.starter, two.visible_tests)]
    assert names == ["README.md", "two.py", "test_two.py"]
    assert {path.parent for path in (two.lesson, two.starter, two.visible_tests)} == {two.folder}
    assert [(task.id, task.points) for task in two.tasks] == [("add", 60), ("Pair.swap", 40)]
    assert two.functions == ("add", "Pair.swap", "Pair.same")
    assert two.task("Pair.same").id == "Pair.swap"
    assert two.task("add").hint == "Use the plus sign."


def test_a_milestone_names_its_modules_and_its_script(folder):
    """A milestone may require modules that are not released, and its script may be missing."""
    (milestone,) = load_course(folder).milestones
    assert (milestone.number, milestone.year, milestone.title) == (1, 1958, "A sum")
    assert milestone.requires == ("01_one", "03_three")
    assert milestone.script == folder.parent / "milestones" / "01_1958_sum.py"


@pytest.mark.parametrize("key", ["02", "2", "02_two", "two"])
def test_a_module_is_found_by_number_or_name(folder, key):
    """Type as little as you like: 2 is 02 is 02_two is two."""
    assert load_course(folder).assignment(key).id == "02_two"


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("9", "there is no module '9'; choose one of: 01_one, 02_two"),
        ("²", "there is no module '²'; choose one of: 01_one, 02_two"),
        ("", "there is no module ''; choose one of: 01_one, 02_two"),
        ("three", "03_three is not released yet; released: 01_one, 02_two"),
        ("03", "03_three is not released yet; released: 01_one, 02_two"),
    ],
)
def test_an_unknown_module_names_the_known_ones(folder, key, words):
    """A typing error is answered with what could have been meant."""
    with pytest.raises(CatalogError, match=f"^{re.escape(words)}$"):
        load_course(folder).assignment(key)


def test_an_unknown_task_names_the_known_ones(folder):
    """A typing error in a task's name is answered with the module's tasks."""
    with pytest.raises(CatalogError, match="^01_one has no task 'sub'; .*: add, Pair.swap$"):
        load_course(folder).assignment("1").task("sub")


def test_a_name_that_may_be_several_tasks_is_asked_back(folder):
    """`matmul` is enough for Tensor.matmul, unless another class has one too."""
    (one, two), both = load_course(folder).assignment("1").tasks, ("Same.swap",)
    other = dataclasses.replace(one, functions=both)
    assignment = dataclasses.replace(load_course(folder).assignment("1"), tasks=(other, two))
    with pytest.raises(CatalogError, match="^'swap' may be several tasks of 01_one; choose one of"):
        assignment.task("swap")


COURSE, ONE, TWO = "course.toml", "01_one/assignment.toml", "02_two/assignment.toml"
MISTAKES = {
    "no TOML": (ONE, 'title = "One"', "title = One", "is not TOML: .*line 1.*; mend that line"),
    "unknown key": (ONE, "minutes = 60", "minuets = 60", "the file has an unknown key 'minuets'"),
    "unknown task key": (ONE, "points = 60", "point = 60", "task 1 has an unknown key 'point'"),
    "unknown module key": (COURSE, 'title = "One"', 'name2 = "One"', "a module has an unknown key"),
    "missing key": (ONE, "version = 1\n", "", "the file has no key 'version'; add version = 10"),
    "missing hint": (ONE, 'hint = "Return a new pair."', "", "task 2 has no key 'hint'"),
    "number as text": (ONE, "minutes = 60", 'minutes = "60"', "minutes = '60'; write it like 10"),
    "truth as number": (ONE, "version = 1", "version = true", "version = True; write it like 10"),
    "no minutes": (ONE, "minutes = 60", "minutes = 0", "minutes = 0; write it like 10"),
    "empty hint": (ONE, '"Return a new pair."', '" "', "hint = ' '; write it like"),
    "text as list": (ONE, "requires = []", 'requires = "x"', "requires = 'x'; write it like"),
    "list of numbers": (ONE, '["add"]', "[1]", r"functions = \[1\]; write it like"),
    "no functions": (ONE, '["add"]', "[]", "task 1 names no function; list at least one"),
    "other module": (ONE, 'module = "one"', 'module = "two"', "module is 'two'; write .* 'one'"),
    "other title": (ONE, 'title = "One"', 'title = "Won"', "title is 'Won'; write title = 'One'"),
    "other tier": (ONE, 'tier = "first"', 'tier = "last"', "tier is 'last'; write tier = 'first'"),
    "points": (ONE, "points = 60", "points = 59", "points add up to 99; make it 100"),
    "twice": (ONE, '"Pair.same"', '"add"', "function 'add' is listed twice; keep one of them"),
    "no such function": (ONE, '["add"]', '["sub"]', "no function sub in tinytorch/one.py; write"),
    "unknown module": (TWO, '["01_one"]', '["04_x"]', "requires '04_x'; a module builds on lower"),
    "itself": (TWO, '["01_one"]', '["02_two"]', "requires '02_two'; .* no cycle: 01_one"),
    "cycle": (ONE, "requires = []", 'requires = ["02_two"]', "requires '02_two'; .*: nothing"),
    "not released": (TWO, '["01_one"]', '["03_three"]', "requires '03_three'; .*: 01_one"),
    "two numbers": (COURSE, "number = 2", "number = 1", "module 'two' has number 1; write 2"),
    "two names": (COURSE, '"three", title', '"one", title', "module 'one' is listed twice"),
    "no table": (
        COURSE,
        '{ number = 1, name = "one", title = "One", tier = "first" }',
        "1",
        "is 1",
    ),
    "milestone": (COURSE, '"one", "three"', '"four"', "milestone 1 requires 'four'; choose from"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_the_course_is_refused_with_file_and_cure(folder, mistake):
    """Nothing wrong gets further than the catalog; its line says where, what, and what to do."""
    name, old, new, message = MISTAKES[mistake]
    change(folder / name, old, new)
    with pytest.raises(CatalogError, match=f"^assignments/{name}: .*{message}") as refusal:
        load_course(folder)
    assert "\n" not in str(refusal.value) and "; " in str(refusal.value)


def test_the_small_course_is_right_before_it_is_broken(folder):
    """Each mistake above is the only one in its course."""
    load_course(folder)


@pytest.mark.parametrize("name", [COURSE, ONE, "02_two/README.md", "02_two/test_two.py"])
def test_a_missing_file_is_named(folder, name):
    """A module without its metadata, lesson or visible tests is refused."""
    (folder / name).unlink()
    with pytest.raises(CatalogError, match=f"^assignments/{name}: is missing; restore it"):
        load_course(folder)


def test_a_folder_that_is_no_module_is_refused(folder):
    """A misspelt folder would otherwise silently be no part of the course."""
    (folder / "03_thre").mkdir()
    with pytest.raises(CatalogError, match="^assignments/03_thre: is no module of course.toml; "):
        load_course(folder)


def test_a_file_that_is_not_utf8_is_refused(folder):
    """A Latin-1 umlaut is a clear line, not a traceback."""
    (folder / ONE).write_bytes(b'title = "\xfcber"\n')
    with pytest.raises(CatalogError, match=f"^assignments/{ONE}: is not TOML: .*utf-8"):
        load_course(folder)


def test_a_new_task_may_be_newer_than_the_starter(folder):
    """The reference decides where the starter has not been generated anew yet."""
    (folder / "01_one" / "one.py").write_text("def add(a, b): ...\n", encoding="utf-8")
    load_course(folder)


def test_a_student_s_broken_file_does_not_break_the_course(folder):
    """In the student repository the starter has every function, whatever became of their file."""
    source = folder.parent / "tinytorch" / "one.py"
    (folder / "01_one" / "one.py").write_bytes(source.read_bytes())
    source.write_text("def add(\n", encoding="utf-8")
    load_course(folder)


def test_this_course_has_twenty_modules_in_four_tiers_and_six_milestones():
    """The real course.toml is what the curriculum says."""
    course = load_course()
    assert len(course.planned) == 20
    tiers = list(dict.fromkeys(module.tier for module in course.planned))
    assert tiers == ["foundations", "vision", "language", "optimization"]
    years = [milestone.year for milestone in course.milestones]
    assert years == [1958, 1969, 1986, 1998, 2017, 2018]
