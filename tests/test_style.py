"""Budgets and order of the tree, kept by a test so that they need no reviewer."""

from __future__ import annotations

import ast
import io
import re
import subprocess
import sys
import tokenize
from pathlib import Path

import pytest

from assignments.catalog import load_course

ROOT = Path(__file__).resolve().parent.parent
FUNCTION_LINES, README_LINES, FILE_LINES = 40, 40, 300
# One file per assignment is the design, so where the curriculum puts much into one, it is long.
LONG = {
    "01_tensor": 460,  # some sixty names, and what arrays ask of the kernel
    "05_dataloader": 420,  # datasets, samplers, a loader, transforms, the readers of two formats
    "06_autograd": 440,  # the rules of fifty operations
    "08_training": 400,  # schedules, clipping, checkpoints in two formats, a trainer
    "09_convolutions": 640,  # pools, norms, their rules and layers, a convolution fast in any shape
    "14_profiling": 440,  # the costs of seventy operations, two seams, memory, four ways to show
    "15_quantization": 350,  # observers, integer layers, calibration, fake-quantized training
    "17_acceleration": 630,  # eight operations with their rules, when each fits, and two seams
}
ALLOWED = {
    path: most
    for folder, most in LONG.items()
    for path in (f"tinytorch/{folder[3:]}.py", f"assignments/{folder}/{folder[3:]}.py")
}
SILENT = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}
MACHINE_PATH = re.compile(r"(?<![\w.~-])/(home/\w|Users/\w|work/|farm/|tmp/lab|opt/pypi)")
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)")


def committed(*patterns: str) -> list[Path]:
    """Return the files that git knows, or would add, and that are there."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", *patterns]
    names = subprocess.run(listing, cwd=ROOT, check=True, capture_output=True).stdout.decode()
    paths = (ROOT / name for name in sorted(set(filter(None, names.split("\0")))))
    return [path for path in paths if path.is_file()]


FOLDERS = sorted({path.relative_to(ROOT).parts[0] for path in committed("[!.]*/*")})


def code_lines(source: str) -> set[int]:
    """Return the lines that hold code: no comment, no blank line, no docstring."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    spans = [(t.start[0], t.end[0]) for t in tokens if t.type not in SILENT]
    lines = {line for first, last in spans for line in range(first, last + 1)}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(getattr(node.value, "value", 0), str):
            lines -= set(range(node.lineno, node.end_lineno + 1))
    return lines


def over_budget(source: str, most: int = FILE_LINES) -> list[str]:
    """Name what is too long in `source`: the file, or a function in it."""
    lines = code_lines(source)
    found = [f"{len(lines)} lines of code, at most {most}"] if len(lines) > most else []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            length = len(lines & set(range(node.lineno, node.end_lineno + 1)))
            if length > FUNCTION_LINES:
                found.append(f"{node.name}: {length} lines of code, at most {FUNCTION_LINES}")
    return found


def test_a_docstring_and_a_comment_are_free_and_code_is_not():
    """The budget counts what is executed, so that explaining costs nothing."""
    source = 'def f():\n    "Say."\n\n    # why\n    return """\n    text"""\n'
    assert code_lines(source) == {1, 5, 6}


def test_a_file_and_a_function_over_the_budget_are_named():
    """The two budgets can be broken, and breaking them is seen."""
    body = "".join(f"    x = {n}\n" for n in range(FUNCTION_LINES))
    assert over_budget(f"def long():\n{body}") == ["long: 41 lines of code, at most 40"]
    assert over_budget("x = 1\n" * 301) == ["301 lines of code, at most 300"]


def test_files_and_functions_keep_their_budgets():
    """Split the file or the function by naming a concept."""
    found = {
        name: over
        for path in committed("*.py")
        if (name := path.relative_to(ROOT).as_posix())
        and (over := over_budget(path.read_text(encoding="utf-8"), ALLOWED.get(name, FILE_LINES)))
    }
    assert found == {}


@pytest.mark.parametrize("folder", FOLDERS)
def test_each_folder_says_what_it_holds_and_why_it_is_like_this(folder):
    """A README of at most 40 lines that ends with a section "Why it is like this"."""
    lines = (ROOT / folder / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= README_LINES
    assert [line for line in lines if line.startswith("#")][-1].startswith("## Why")


def test_the_module_map_names_every_module_and_links_the_released():
    """The README's map is the course's: change it with assignments/course.toml."""
    course, readme = load_course(), (ROOT / "README.md").read_text(encoding="utf-8")
    released = {one.number: f"assignments/{one.id}/README.md" for one in course.assignments}
    cells = []
    for one in course.planned:
        link = f"**[{one.number:02}]({released[one.number]})**" if one.number in released else None
        cells.append(
            f"| {link} | **{one.title}** |" if link else f"| {one.number:02} | {one.title} |"
        )
    assert [cell for cell in cells if cell not in readme] == []


@pytest.mark.parametrize("assignment", load_course().assignments, ids=lambda one: one.id)
def test_an_assignment_folder_holds_its_four_files_and_figures_only(assignment):
    """Whoever opens an assignment finds the same names in each, and nothing else."""
    inside = {path.relative_to(assignment.folder) for path in committed(f"{assignment.folder}/*")}
    names = {path.as_posix() for path in inside if path.parts[0] != "figures"}
    module = assignment.module
    assert names == {"README.md", "assignment.toml", f"{module}.py", f"test_{module}.py"}


def test_no_file_names_a_path_of_the_machine_it_was_written_on():
    """Write a path relative to the repository."""
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in committed()
        if b"\0" not in (content := path.read_bytes())
        for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), 1)
        if MACHINE_PATH.search(line)
    ]
    assert found == []


def test_every_relative_link_leads_to_a_file():
    """Mend the link, or write the page it promises."""
    pages = [page for page in committed("*.md") if "template/files" not in page.as_posix()]
    broken = [
        f"{page.relative_to(ROOT)}: {link}"
        for page in pages
        for link in LINK.findall(page.read_text(encoding="utf-8"))
        if not (page.parent / link).exists()
    ]
    assert broken == []


def test_every_pin_of_pyproject_is_in_the_lock_with_a_hash_and_no_address():
    """Make the lock again as its first lines say."""
    pins = re.findall(r'"([\w-]+)(?:\[\w+\])?==([\w.]+)', (ROOT / "pyproject.toml").read_text())
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    locked = re.findall(r"^([\w-]+)==([\w.]+).*\\\n    --hash=sha256:", lock, re.MULTILINE)
    yardsticks = {("torch", "2.13.0"), ("tokenizers", "0.23.3")}  # installed by hand
    assert set(pins) - set(locked) == yardsticks
    assert "://" not in lock


@pytest.mark.parametrize("tool", [("black", "--check", "--quiet"), ("ruff", "check", "--quiet")])
def test_the_formatter_and_the_linter_have_nothing_to_say(tool):
    """Run .venv/bin/black . and .venv/bin/ruff check --fix . and look at what is left."""
    done = subprocess.run([sys.executable, "-m", *tool, "."], cwd=ROOT, capture_output=True)
    assert done.returncode == 0, (done.stdout + done.stderr).decode()
