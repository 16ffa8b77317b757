"""The functions of a Python source, each with its place in the text, to the character.

One can blank a function, or put another text's version in its place, and every other character
stays as it is: starters are made so, and `tito reset` puts one function back.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_BOM = "\ufeff"  # Windows editors may begin a file with it
_NEWLINE = re.compile(r"\r\n|\r|\n")  # what Python counts as one: a form feed ends no line
_COLON = re.compile(r"(?:[^:#]|#.*)*?:")
_COMMENT_BELOW = re.compile(r"(?:(?:\r\n|\r|\n)[ \t\f]*)*?(?:\r\n|\r|\n)([ \t]*)#[^\r\n]*")


@dataclass(frozen=True)
class Function:
    """One definition: `text[start:stop]` is all of it, `text[body:stop]` what a task blanks."""

    name: str  # "relu" or "Tensor.matmul"
    start: int  # at its first decorator
    body: int  # behind its docstring
    stop: int  # behind the comments that belong to it
    opening: str  # what a new body needs in front: a newline and its indentation, mostly


def functions(text: str) -> list[Function]:
    """List the functions of a module and its classes, in order; inner functions are their part.

    Example: "def f(): pass" -> [Function("f", start=0, body=9, stop=13, opening="")].
    Raises SyntaxError where `text` is no Python.
    """
    try:
        tree = ast.parse(text.removeprefix(_BOM))
    except ValueError as error:  # a null character, before Python 3.12
        raise SyntaxError(str(error)) from None
    lines = _Lines(text)
    return [_locate(name, node, lines) for name, node in _walk(tree, "")]


def blank(text: str, bodies: Mapping[str, str]) -> str:
    """Give every function that is a key of `bodies` that body; its docstring stays.

    Example: blank("def f(): return 1", {"f": "pass"}) -> "def f(): pass"
    """
    for one in reversed(functions(text)):
        if one.name in bodies:
            text = text[: one.body] + one.opening + bodies[one.name] + text[one.stop :]
    return text


def put_back(text: str, name: str, original: str) -> str:
    """Replace the function `name` of `text` by that of `original`, in the newlines of `text`.

    A property may have several definitions of one name: each takes its counterpart's place.
    Raises LookupError where the two texts do not have equally many.
    """
    old = [one for one in functions(text) if one.name == name]
    new = [one for one in functions(original) if one.name == name]
    if not old or len(old) != len(new):
        raise LookupError(name)
    newline = "\r\n" if "\r\n" in text else "\n"
    for mine, theirs in zip(reversed(old), reversed(new)):  # noqa: B905 equally many
        source = _NEWLINE.sub(newline, original[theirs.start : theirs.stop])
        text = text[: mine.start] + source + text[mine.stop :]
    return text


class _Lines:
    """The lines of a text as Python counts them, with their offsets."""

    def __init__(self, text: str):
        self.text = text
        self.starts = [int(text.startswith(_BOM))]
        self.starts += [newline.end() for newline in _NEWLINE.finditer(text)]

    def offset(self, line: int, column: int) -> int:
        """Turn ast's line (from 1) and column (in UTF-8 bytes) into an index of the text."""
        start = self.starts[line - 1]
        return start + len(self.text[start : start + column].encode()[:column].decode())

    def start(self, node: Any) -> int:
        """Where `node` begins."""
        return self.offset(node.lineno, node.col_offset)

    def end(self, node: Any) -> int:
        """Where `node` ends."""
        return self.offset(node.end_lineno, node.end_col_offset)

    def line_end(self, offset: int) -> int:
        """Where the line of `offset` ends, before its newline."""
        newline = _NEWLINE.search(self.text, offset)
        return newline.start() if newline else len(self.text)


def _walk(parent: ast.AST, prefix: str) -> Iterator[tuple[str, Any]]:
    for node in ast.iter_child_nodes(parent):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield prefix + node.name, node
        elif isinstance(node, ast.ClassDef):
            yield from _walk(node, f"{prefix}{node.name}.")


def _locate(name: str, node: Any, lines: _Lines) -> Function:
    start = lines.start(node)
    if node.decorator_list:  # the `@` is no part of the decorator's expression
        start = lines.text.rindex("@", 0, lines.start(node.decorator_list[0]))
    body, opening = _body(node, lines)
    return Function(name, start, body, _stop(node, lines), opening)


def _body(node: Any, lines: _Lines) -> tuple[int, str]:
    """Where the body begins, without the docstring, and what a new one needs in front."""
    head, statements = _colon(node, lines), node.body
    documented = ast.get_docstring(node, clean=False) is not None
    one_line = lines.start(statements[0]) <= lines.line_end(head)
    if documented:
        head, statements = lines.end(statements[0]), statements[1:]
    if statements and lines.start(statements[0]) <= lines.line_end(head):
        return lines.start(statements[0]), ""
    if documented and one_line:
        return head, "; "
    # The docstring, or else the first statement, stands behind the indentation to use.
    line = lines.offset(node.body[0].lineno, 0)
    newline = _NEWLINE.match(lines.text, lines.line_end(lines.start(node)))
    return lines.line_end(head), newline[0] + lines.text[line : lines.start(node.body[0])]


def _colon(node: Any, lines: _Lines) -> int:
    """Behind the colon that ends the header: the first one after its last expression."""
    parts = [*ast.walk(node.args), *getattr(node, "type_params", []), node.returns]
    ends = [lines.end(part) for part in parts if hasattr(part, "end_lineno")]
    return _COLON.match(lines.text, max([lines.start(node), *ends])).end()


def _stop(node: Any, lines: _Lines) -> int:
    """Behind the last statement, the comment beside it and the deeper-indented ones below it."""
    stop = lines.line_end(lines.end(node))
    while comment := _COMMENT_BELOW.match(lines.text, stop):
        if len(comment[1]) <= node.col_offset:
            break
        stop = comment.end()
    return stop
