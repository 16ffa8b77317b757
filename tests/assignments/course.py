"""A small course in a folder, for tests that break it in one place."""

from __future__ import annotations

from pathlib import Path

COURSE = """\
title = "Small"
module = [
  { number = 1, name = "one", title = "One", tier = "first" },
  { number = 2, name = "two", title = "Two", tier = "first" },
  { number = 3, name = "three", title = "Three", tier = "last" },
]
[[milestone]]
year = 1958
name = "sum"
title = "A sum"
requires = ["one", "three"]
"""
ASSIGNMENT = """\
title = "{title}"
module = "{module}"
tier = "first"
requires = {requires}
minutes = 60
version = 1

[[task]]
functions = ["add"]
points = 60
hint = "Use the plus sign."

[[task]]
functions = ["Pair.swap", "Pair.same"]
points = 40
hint = "Return a new pair."
"""
REFERENCE = '''\
"""Small functions."""


def add(a, b):
    """Return the sum."""
    return a + b


class Pair:
    """Two values."""

    def __init__(self, first, second):
        self.first, self.second = first, second

    def swap(self):
        """Return the pair the other way round."""
        return Pair(self.second, self.first)

    def same(self):
        """Say whether both values are equal."""
        return self.first == self.second
'''


def small_course(root: Path) -> Path:
    """Write a course of two released modules and a planned one; return its folder."""
    folder = root / "assignments"
    for name, title, requires in (("01_one", "One", "[]"), ("02_two", "Two", '["01_one"]')):
        home = folder / name
        home.mkdir(parents=True)
        module = name[3:]
        (home / "README.md").write_text(f"# {title}\n", encoding="utf-8")
        (home / f"test_{module}.py").write_text("", encoding="utf-8")
        text = ASSIGNMENT.format(title=title, module=module, requires=requires)
        (home / "assignment.toml").write_text(text, encoding="utf-8")
        (root / "tinytorch").mkdir(exist_ok=True)
        (root / "tinytorch" / f"{module}.py").write_text(REFERENCE, encoding="utf-8")
    (folder / "course.toml").write_text(COURSE, encoding="utf-8")
    return folder


def change(file: Path, old: str, new: str) -> None:
    """Replace the one occurrence of `old` in `file`."""
    text = file.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{old!r} is {text.count(old)} times in {file.name}"
    file.write_text(text.replace(old, new), encoding="utf-8")
