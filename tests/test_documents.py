"""SECURITY.md and INSTRUCTOR.md promise what is so: tests that exist, commands that run."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SECURITY, INSTRUCTOR = ROOT / "SECURITY.md", ROOT / "INSTRUCTOR.md"
NAMED = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")


def missing(text: str) -> list[str]:
    """Return the tests that `text` names and that there are not."""
    found = []
    for name, function in NAMED.findall(text):
        path = ROOT / name
        tree = ast.parse(path.read_text(encoding="utf-8")) if path.is_file() else ast.Module([], [])
        tests = {one.name for one in tree.body if isinstance(one, ast.FunctionDef)}
        if not tests or function not in {"", *tests}:
            found.append(f"{name}::{function}")
    return found


def test_every_test_that_security_names_is_there():
    """Mend the name, or write the test that it promises."""
    assert missing(SECURITY.read_text(encoding="utf-8")) == []


def test_a_test_that_there_is_not_would_be_found():
    """The test above can fail: for a file, and for a function."""
    name = "tests/test_documents.py"
    assert missing(f"`{name}::test_no` `tests/no.py` `{name}`") == [
        *(f"{name}::test_no", "tests/no.py::")
    ]


def test_every_promise_has_a_test_and_there_is_a_list_of_what_is_not_promised():
    """A bold sentence begins a promise; what is not promised needs none."""
    promised, not_promised = SECURITY.read_text(encoding="utf-8").split("## Not promised")
    promises = promised.partition("## Promises")[2].split("\n\n**")[1:]
    assert len(promises) >= 8
    assert [one.splitlines()[0] for one in promises if not NAMED.search(one)] == []
    assert not_promised.count("\n- **") >= 8


@pytest.mark.parametrize("page", [SECURITY, INSTRUCTOR], ids=lambda one: one.name)
def test_it_is_said_what_became_of_github_classroom_and_what_carries_the_course(page):
    """Whoever comes from there finds the way."""
    text = " ".join(page.read_text(encoding="utf-8").split())
    assert "GitHub Classroom, the service, was retired on 28 August 2026" in text
    assert all(word in text for word in ("template repository", "Classroom 50", "import"))
