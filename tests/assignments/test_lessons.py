"""Every lesson runs, mentions every task, shows every figure and ends in three questions.

The blocks of a lesson share one namespace, in order. ```pycon must print exactly what it says.
What ```python prints is shown in the ```text that follows, measured somewhere else: the same words,
other numbers, but for those that EXACT names.
"""

import contextlib
import doctest
import io
import re

import pytest

import tinytorch
from assignments.catalog import load_course
from assignments.cli import main as tito

ASSIGNMENTS = load_course().assignments
every_lesson = pytest.mark.parametrize("assignment", ASSIGNMENTS, ids=lambda one: one.id)
# What is counted and not measured comes out the same anywhere: of a lesson's ```text all that this
# finds is compared as it stands.
EXACT = {
    "14_profiling": r"^Sequential.*(?= [\d,]+ µs$)|^[a-z ]+ [\d.]+ FLOP/B",
    "17_acceleration": r"^ *\d+ tokens: .*",
}
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FIGURE = re.compile(r"!\[([^\]]*)\]\(([^)]+)\)")


def run(page, exact="(?!)"):
    """Run all blocks of a page; AssertionError names the line of the first that is not true."""
    space, printed = {"__name__": "lesson"}, ""
    for match in FENCE.finditer(page):
        language, code = match.groups()
        line = page[: match.start(2)].count("\n") + 1
        if language == "pycon":
            check_examples(code, space, line)
        elif language == "python":
            assert not printed, f"line {line}: the result of the block before is not shown"
            printed = output_of(code, space, line)
        elif language == "text":
            assert words(code) == words(printed), f"line {line}: it prints\n{printed}"
            shown, true = (found(exact, text) for text in (code, printed))
            assert shown == true, f"line {line}: it counts\n{printed}"
            printed = ""
        else:
            assert language == "shell", f"line {line}: unknown language {language!r}"
            check_commands(code, line)
    assert not printed, "the result of the last block is not shown"


def check_examples(code, space, line):
    """Hold a ```pycon block against what it prints."""
    report = io.StringIO()
    test = doctest.DocTestParser().get_doctest(code, space, "lesson", "README.md", line - 1)
    doctest.DocTestRunner().run(test, out=report.write, clear_globs=False)
    space.update(test.globs)
    assert not report.getvalue(), report.getvalue()
    assert test.examples, f"line {line}: no example in a pycon block"


def output_of(code, space, line):
    """Run a ```python block and return what it prints."""
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        exec(compile("\n" * (line - 1) + code, "README.md", "exec"), space)
    return output.getvalue()


def words(text):
    """Return the words of each line, any number being N, as two runs never take equally long."""
    return [re.sub(r"\d[\d.,]*", "N", line).split() for line in text.splitlines()]


def found(pattern, text):
    """Return what a pattern finds in the lines of a text, each as words."""
    return [match[0].split() for match in re.finditer(pattern, text, re.MULTILINE)]


def check_commands(code, line):
    """Every command of a ```shell block is one that tito has."""
    for command in filter(None, code.splitlines()):
        program, verb = command.split()[:2]
        assert program == "tito" and verb in tito.commands, f"line {line}: {command}"


def imported(page):
    """Return the modules of the framework that the blocks of a page import from."""
    code = "\n".join(code.replace(">>> ", "") for language, code in FENCE.findall(page))
    lines = re.findall(r"^from tinytorch(?:\.(\w+))? import (\([^)]*\)|.+)$", code, re.M)
    pairs = [(module, name) for module, names in lines for name in re.findall(r"\w+", names)]
    homes = {one: one for one in tinytorch.MODULES}
    for one in tinytorch.MODULES[::-1]:
        homes |= dict.fromkeys(getattr(tinytorch, one).__all__, one)
    return {module or homes[name] for module, name in pairs}


def section(page, title):
    """Return the text below the heading `title`, up to the next of the same or a higher level."""
    heading = re.search(rf"^(#+) {re.escape(title)}.*$", page, re.MULTILINE)
    assert heading, f"no section {title!r}"
    below = page[heading.end() :]
    end = re.search(rf"^#{{1,{len(heading[1])}}} ", FENCE.sub("", below), re.MULTILINE)
    return FENCE.sub("", below)[: end.start() if end else None]


@every_lesson
def test_every_block_runs_and_prints_what_the_lesson_shows(assignment):
    """Run the block, and paste what it prints."""
    run(assignment.lesson.read_text(encoding="utf-8"), EXACT.get(assignment.id, "(?!)"))


@every_lesson
def test_a_lesson_needs_no_module_that_it_does_not_require(assignment):
    """`tito start` asks for those alone: list in assignment.toml what the blocks import."""
    numbered = {name: f"{n:02}_{name}" for n, name in enumerate(tinytorch.MODULES, start=1)}
    used = {numbered[name] for name in imported(assignment.lesson.read_text(encoding="utf-8"))}
    assert used - {assignment.id, *assignment.requires} == set()


@every_lesson
def test_build_use_and_reflect_come_in_this_order(assignment):
    """The parts of a lesson are the same everywhere, and so is their order."""
    page = assignment.lesson.read_text(encoding="utf-8")
    titles = re.findall(r"^## (.*)$", FENCE.sub("", page), re.MULTILINE)
    assert titles == ["Build", "Use", "What PyTorch does differently", "Reflect"]
    assert page.startswith(f"# {assignment.number:02d} · {assignment.title}\n")
    assert section(page, "Systems")


@every_lesson
def test_the_tasks_are_listed_as_in_the_metadata(assignment):
    """One numbered line per task, in order, with the name of each function."""
    tasks = section(assignment.lesson.read_text(encoding="utf-8"), "The tasks, in order")
    items = re.split(r"^\d+\. ", tasks, flags=re.MULTILINE)[1:]
    assert len(items) == len(assignment.tasks)
    for item, task in zip(items, assignment.tasks, strict=True):
        assert [name for name in task.functions if f"`{name}`" not in item] == []


@every_lesson
def test_three_questions_are_left_to_the_reader(assignment):
    """Each ends in a question or in the task to say something."""
    questions = section(assignment.lesson.read_text(encoding="utf-8"), "Reflect")
    items = re.split(r"^\d+\. ", questions, flags=re.MULTILINE)[1:]
    assert len(items) == 3
    assert all("?" in item for item in items)


@every_lesson
def test_every_figure_is_shown_once_and_described(assignment):
    """Whoever cannot see a figure reads its alternative text."""
    shown = FIGURE.findall(assignment.lesson.read_text(encoding="utf-8"))
    files = sorted(f"figures/{path.name}" for path in (assignment.folder / "figures").iterdir())
    assert sorted(path for _, path in shown) == files
    assert [path for text, path in shown if len(text) < 30] == []


@pytest.mark.parametrize(
    ("page", "complaint"),
    [
        ("```pycon\n>>> 1 + 1\n3\n```\n", "line 2, in lesson"),
        ("```pycon\n1 + 1\n```\n", "line 2: no example"),
        ("```python\nprint('a', 1)\n```\n\n```text\nb 2\n```\n", "line 6: it prints"),
        ("```python\nprint(1)\n```\n", "the last block is not shown"),
        ("```python\nprint(1)\n```\n\n```python\nprint(2)\n```\n", "line 6: the result"),
        ("```shell\ntito fly 01\n```\n", "line 2: tito fly 01"),
        ("```\nplain\n```\n", "line 2: unknown language ''"),
    ],
)
def test_a_page_that_is_not_true_is_refused(page, complaint):
    """The checks of this file can fail."""
    with pytest.raises(AssertionError) as failure:
        run(page)
    assert complaint in str(failure.value)


def test_numbers_may_differ_and_names_go_on_from_block_to_block():
    """A measured number is another one elsewhere; words are not."""
    run("```python\nx = 2\nprint(f'{x / 7:.3} times')\n```\n\n```text\n12.5 times\n```\n")
    run("```python\nx = 2\n```\n\n```pycon\n>>> x\n2\n```\n")


@pytest.mark.parametrize("name", EXACT)
def test_what_is_compared_as_it_stands_is_there(name):
    """Each alternative of the pattern finds something on its page: mend the one that does not."""
    (page,) = (one.lesson.read_text(encoding="utf-8") for one in ASSIGNMENTS if one.id == name)
    assert [part for part in EXACT[name].split("|") if not found(part, page)] == []


def test_a_count_that_went_stale_is_found_and_a_time_beside_it_may_differ():
    """Columns may have other widths, as those of the times have."""
    page = "```python\nprint('Sum 3 kB  14 µs')\n```\n\n```text\nSum  3 kB  9 µs\n```\n"
    exact = r"^Sum.*(?= \d+ µs$)"
    run(page, exact)
    with pytest.raises(AssertionError, match="line 6: it counts"):
        run(page.replace("Sum  3", "Sum  4"), exact)
