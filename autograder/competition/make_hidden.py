"""Gathers hidden.txt, the text of track D: `python -m autograder.competition.make_hidden`.

Prose that students never get: the pages and docstrings of the grader and of the tests. Frozen in a
file, or results of different weeks could not be compared.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from assignments.competition.language import LETTERS

ROOT = Path(__file__).parents[2]
HIDDEN = Path(__file__).parent / "hidden.txt"
FOLDERS, MOST = ("autograder", "tests"), 120_000


def gathered() -> str:
    """Return pages first, then docstrings, in the order of their paths."""
    pages = [ROOT / "CONTRIBUTING.md"]
    pages += [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.md"))]
    parts = [path.read_text(encoding="utf-8") for path in pages]
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts += _docstrings(path)
    text = "\n\n".join(parts)
    return "".join(letter for letter in text if letter in LETTERS)[:MOST]


def _docstrings(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
            text = ast.get_docstring(node)
            if text:
                yield text


if __name__ == "__main__":
    HIDDEN.write_text(gathered(), encoding="utf-8")
