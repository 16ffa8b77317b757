"""What an entry of Featherweight weighs: one count, for the grader and for practice.

What counts is what a model can hide in: the file of data, what each literal of the source holds,
and of the rest of the source, packed, what exceeds ALLOWANCE. Docstrings and comments are free,
because the entry runs without them, and so are spaces and lines: what runs is the source as Python
itself writes it, or a function could read weights off the places of its own instructions.
"""

from __future__ import annotations

from dataclasses import dataclass

ALLOWANCE = 1024  # bytes of packed source, without literals: a decoder that anyone may write


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

    def __str__(self) -> str:
        """Say what is counted."""
        return (
            f"{self.data} of data, {self.literals} of literals in the source, {self.extra} of code"
        )


def weigh(source: bytes, data: bytes = b"") -> Weight:
    """Return what a source and its data weigh; SyntaxError or ValueError if it is no Python.

    >>> weigh(b'x = 300, "abc", 0.5, True  # free', b"12345")
    Weight(data=5, literals=13, code=31)
    """
    found = cost(source)
    return Weight(len(data), found["literals"], found["code"])


def bare(source: bytes) -> bytes:
    """Return the source as it runs: without docstrings, comments and its own lines."""
    return cost(source)["source"].tobytes()


def cost(source):
    """Return the source that runs, the bytes that its literals hold, and those of the rest packed.

    The rest has the length of each literal in its place: lengths tell something too. This function
    travels alone into the grader's worker, as a parser is no place for the grader's own process;
    so it imports what it needs.
    """
    import ast
    import zlib

    import numpy as np

    text = bytes(source)
    text.decode("utf-8")
    tree = ast.parse(text)
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(tree):
        first = node.body[0] if isinstance(node, documented) and node.body else None
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
            first.value.value = "" if isinstance(first.value.value, str) else first.value.value
    runs, literals = ast.unparse(tree).encode("utf-8", "surrogatepass"), 0
    for node in ast.walk(tree):
        value, size = getattr(node, "value", None), 0
        if not isinstance(node, ast.Constant) or isinstance(value, bool):
            continue
        if isinstance(value, str):
            size = len(value.encode("utf-8", "surrogatepass"))
            node.value = str(size)
        elif isinstance(value, bytes):
            size = len(value)
            node.value = str(size).encode()
        elif isinstance(value, int):
            node.value = size = max(1, (value.bit_length() + 7) // 8)
        elif isinstance(value, (float, complex)):
            size = 8 * (1 + isinstance(value, complex))
            node.value = type(value)(0)
        literals += size
    rest = ast.unparse(tree).encode("utf-8", "surrogatepass")
    code = len(zlib.compress(rest, 9))
    return {"source": np.frombuffer(runs, np.uint8), "literals": literals, "code": code}
