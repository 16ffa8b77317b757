"""What an entry of Featherweight weighs: the grader's count, for practice too.

What counts is what a model can hide in: the file of data, each literal of the source, and of the
rest of the source, packed, what exceeds ALLOWANCE. Docstrings and comments are free, because the
entry runs without them.
"""

from __future__ import annotations

import ast
import zlib
from dataclasses import dataclass

ALLOWANCE = 1024  # bytes of packed source, without literals: a decoder that anyone may write
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True)
class Weight:
    """What an entry weighs, by part, in bytes."""

    data: int
    literals: int
    code: int  # packed; counts above the allowance

    @property
    def extra(self) -> int:
        """The bytes of code that count."""
        return max(0, self.code - ALLOWANCE)

    @property
    def total(self) -> int:
        """All that counts."""
        return self.data + self.literals + self.extra


def weigh(source: bytes, data: bytes = b"") -> Weight:
    """Return what a source and its data weigh; SyntaxError or ValueError if it is no Python.

    >>> weigh(b'x = 300, "abc", 0.5, True  # free', b"12345")
    Weight(data=5, literals=13, code=26)
    """
    source.decode("utf-8")
    tree = ast.parse(source)
    for text in _docstrings(tree):
        text.value = ""
    literals = sum(_emptied(node) for node in ast.walk(tree) if isinstance(node, ast.Constant))
    text = ast.unparse(tree).encode("utf-8", "surrogatepass")
    return Weight(len(data), literals, len(zlib.compress(text, 9)))


def _docstrings(tree: ast.Module) -> list[ast.Constant]:
    firsts = (n.body[0] for n in ast.walk(tree) if isinstance(n, DOCUMENTED) and n.body)
    values = (first.value for first in firsts if isinstance(first, ast.Expr))
    return [v for v in values if isinstance(v, ast.Constant) and isinstance(v.value, str)]


def _emptied(literal: ast.Constant) -> int:
    """Put nothing in a literal's place; return the bytes that were there."""
    value = literal.value
    if isinstance(value, str):
        literal.value = ""
        return len(value.encode("utf-8", "surrogatepass"))
    if isinstance(value, bytes):
        literal.value = b""
        return len(value)
    if isinstance(value, bool) or not isinstance(value, int | float | complex):
        return 0
    literal.value = 0
    if isinstance(value, int):
        return max(1, (value.bit_length() + 7) // 8)
    return 8 * (1 + isinstance(value, complex))
