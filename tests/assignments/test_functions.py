"""Functions are found to the character, blanked and put back; every other byte stays."""

from __future__ import annotations

import ast

import pytest

from assignments.functions import blank, functions, put_back

SOURCE = '''\
"""Every shape a function can take."""
import functools


def one_line(x): return x + 1  # answer


def docstring_beside(): "A word."; return 1


def docstring_alone(): "A word."


class Shapes:
    """A class, é before its functions."""

    size = 3

    @property
    # why it is one
    def é(self) -> int:
        """Document in UTF-8: é."""
        return self.size

    @é.setter
    def é(self, value):
        self.size = value

    @staticmethod
    @functools.lru_cache(maxsize=None)
    async def header(
        first,  # a note: with a colon
        second=lambda x: x,
    ) -> "Shapes":  # kept: it is the signature's
        """Two lines.

        Example: header(1)
        """
        # answer

        if first:
            return second  # answer

        # answer
    # the class's own remark

    def only_docstring(self):
        """Nothing below."""

    class Inner:
        def without_docstring(self, *, key: dict[str, int]):
            # answer
            def helper(): return "answer"
            return helper
'''
NAMES = [
    "one_line",
    "docstring_beside",
    "docstring_alone",
    "Shapes.é",
    "Shapes.é",
    "Shapes.header",
    "Shapes.only_docstring",
    "Shapes.Inner.without_docstring",
]
BLANKED = '''\
"""Every shape a function can take."""
import functools


def one_line(x): raise Todo


def docstring_beside(): "A word."; raise Todo


def docstring_alone(): "A word."; raise Todo


class Shapes:
    """A class, é before its functions."""

    size = 3

    @property
    # why it is one
    def é(self) -> int:
        """Document in UTF-8: é."""
        raise Todo

    @é.setter
    def é(self, value):
        raise Todo

    @staticmethod
    @functools.lru_cache(maxsize=None)
    async def header(
        first,  # a note: with a colon
        second=lambda x: x,
    ) -> "Shapes":  # kept: it is the signature's
        """Two lines.

        Example: header(1)
        """
        raise Todo
    # the class's own remark

    def only_docstring(self):
        """Nothing below."""
        raise Todo

    class Inner:
        def without_docstring(self, *, key: dict[str, int]):
            raise Todo
'''
VARIANTS = {
    "unix": lambda text: text,
    "windows": lambda text: text.replace("\n", "\r\n"),
    "byte order mark": lambda text: "\ufeff" + text,
    "tabs": lambda text: text.replace("    ", "\t"),
    "form feed": lambda text: text.replace("\n\n\nclass", "\n\f\nclass"),
    "no last newline": lambda text: text.rstrip("\n"),
}


@pytest.fixture(params=VARIANTS)
def variant(request):
    """A way to write the same source."""
    return VARIANTS[request.param]


def test_functions_are_listed_with_their_class():
    """A method is called Class.method; a function within a function is part of it."""
    assert [one.name for one in functions(SOURCE)] == NAMES


def test_blanking_keeps_all_but_the_bodies(variant):
    """Signatures, decorators, docstrings and the comments between functions stay as they are."""
    blanked = blank(variant(SOURCE), dict.fromkeys(NAMES, "raise Todo"))
    assert blanked == variant(BLANKED)
    ast.parse(blanked.removeprefix("\ufeff"))


def test_blanking_one_function_leaves_the_others(variant):
    """Only the named function loses its body."""
    text = variant(SOURCE)
    blanked = blank(text, {"one_line": "raise Todo"})
    assert blanked == text.replace("return x + 1  # answer", "raise Todo")


def test_putting_every_function_back_restores_the_source(variant):
    """Blank all, put all back: the text is what it was, to the byte."""
    text = variant(BLANKED)
    for name in dict.fromkeys(NAMES):
        text = put_back(text, name, variant(SOURCE))
    assert text == variant(SOURCE)


def test_a_function_takes_the_newlines_of_the_text_it_is_put_into():
    """A Unix starter put into a Windows file leaves no bare newline there."""
    text = VARIANTS["windows"](BLANKED)
    for name in dict.fromkeys(NAMES):
        text = put_back(text, name, SOURCE)
    assert text == VARIANTS["windows"](SOURCE)


@pytest.mark.parametrize("text", ["x = 1\n", "def other(): pass\n", "@f\ndef g(): 1\ndef g(): 2\n"])
def test_a_function_without_counterpart_is_not_put_back(text):
    """No such function, or more definitions of it than the original has: LookupError."""
    with pytest.raises(LookupError, match="g"):
        put_back(text, "g", "def g(): pass\n")


@pytest.mark.parametrize("text", ["def f(:\n", "x = '\0'", "if 1:\nx\n"])
def test_what_is_no_python_is_a_syntax_error(text):
    """Whoever edits a file by its functions learns that it has none that can be found."""
    with pytest.raises(SyntaxError):
        functions(text)
