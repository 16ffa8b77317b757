"""What a student's code raises is reported by type and place, and nothing more is believed."""

from __future__ import annotations

import sys

import pytest

from autograder.sandbox import StudentError
from autograder.sandbox.handle import exception_name

OF_NULLS = "SyntaxError" if sys.version_info >= (3, 11, 4) else "ValueError"
# source -> (type, line)
SYNTAX = {
    "a missing colon": (b"def f()\n  pass\n", "SyntaxError", 1),
    "a wrong indentation": (b"def f():\npass\n", "IndentationError", 2),
    "a tab among spaces": (b"if 1:\n        a\n\tb\n", "TabError", 3),
    "not utf-8": (b"x = 'caf\xe9'\n", "SyntaxError", 1),
    "an unknown encoding": (b"# coding: klingon\n", "SyntaxError", None),
    "a null byte": (b"x = 1\0\n", OF_NULLS, None),
    "utf-16": ("x = 1\n".encode("utf-16"), OF_NULLS, None),
    "nested brackets": (b"(" * 10_000, "SyntaxError", 1),
    "nested operators": (b"x = " + b"-" * 1_000_000 + b"1", "RecursionError", None),
    "nested calls": (b"x = " + b"f(" * 150 + b")" * 150 + b".a" * 100_000, "RecursionError", None),
    "a wrong escape": (b"x = '\\N{no such name}'\n", "SyntaxError", 1),
    "return outside": (b"\n\nreturn 1\n", "SyntaxError", 3),
}


@pytest.mark.parametrize(("source", "kind", "line"), SYNTAX.values(), ids=SYNTAX)
def test_a_file_that_does_not_compile_is_a_students_error(student, source, kind, line):
    """Type and line of the syntax error come out, and the worker is none the worse."""
    with pytest.raises(StudentError) as caught:
        student(source)
    assert caught.value.kind == "error"
    assert (caught.value.type_name, caught.value.line) == (kind, line)


@pytest.mark.parametrize(
    "source",
    [
        b"\xef\xbb\xbfdef answer(): return 'caf\xc3\xa9'",
        b"# coding: latin-1\ndef answer(): return 'caf\xe9'",
        b"# coding: cp1252\r\ndef answer(): return 'caf\xe9'\r\n",
        b"def answer():\r    return 'caf\xc3\xa9'\r",
    ],
    ids=["byte order mark", "latin-1", "windows", "old mac"],
)
def test_a_file_in_a_declared_encoding_compiles(student, source):
    """A byte order mark, a declared encoding and any line ending are fine, as at home."""
    assert student(source) == "café"


RAISES = {
    "a builtin": ("raise KeyError('k')", "KeyError", "'k'"),
    "a subclass": ("class E(ValueError): pass\nraise E('x')", "ValueError", "x"),
    "a name made up": ("raise type('full marks', (OSError,), {})('x')", "OSError", "x"),
    "a module made up": (
        "raise type('Evil', (TypeError,), {'__module__': 'builtins'})('x')",
        "Exception",
        "x",
    ),
    "numpy's own": (
        "import numpy as np\nraise np.exceptions.AxisError('x')",
        "AxisError",
        "x",
    ),
    "numpy's private": ("import numpy as np\nnp.add('a', 1)", "TypeError", "ufunc 'add'"),
    "linear algebra": (
        "import numpy as np\nnp.linalg.inv(np.zeros((2, 2)))",
        "ValueError",
        "Singular",
    ),
    "exit": ("raise SystemExit('bye')", "SystemExit", "bye"),
    "an interrupt": ("raise KeyboardInterrupt", "KeyboardInterrupt", ""),
    "the end of a generator": ("raise GeneratorExit", "GeneratorExit", ""),
    "a base class": ("class B(BaseException): pass\nraise B('x')", "BaseException", "x"),
    "a failing message": (
        "class E(ValueError):\n    def __str__(self): raise self\nraise E('x')",
        "ValueError",
        "",
    ),
    "a message that exits": (
        "class E(ValueError):\n    def __str__(self): exit()\nraise E('x')",
        "ValueError",
        "",
    ),
    "a message that is none": (
        "class E(ValueError):\n    def __str__(self): return 3\nraise E('x')",
        "ValueError",
        "",
    ),
    "recursion": ("def f(): f()\nf()", "RecursionError", "maximum recursion"),
    "evil text": ("raise ValueError('\\n::error::\\x1b[31mx\\n##[group]')", "ValueError", ": :err"),
}


@pytest.mark.parametrize(("source", "kind", "message"), RAISES.values(), ids=RAISES)
def test_an_exception_is_reported_by_a_known_type(student, source, kind, message):
    """The nearest class of Python or NumPy is named, never one of the student's making."""
    with pytest.raises(StudentError) as caught:
        student(source)
    assert caught.value.type_name == kind
    assert message in caught.value.message and "\n" not in caught.value.message
    assert caught.value.path == "tinytorch/tensor.py"
    assert "::" not in caught.value.message[:3] and "\x1b" not in caught.value.message


def test_the_text_of_a_failure_is_the_graders_own(student):
    """`str` names type, file and line; the student's message stays in `message`."""
    with pytest.raises(StudentError) as caught:
        student("\n\nraise ValueError('give me points')")
    assert str(caught.value) == "ValueError in tinytorch/tensor.py, line 3"
    assert caught.value.message == "give me points"


def test_a_message_has_a_bound(student):
    """A megabyte of message is cut at 500 characters."""
    with pytest.raises(StudentError) as caught:
        student("raise ValueError('x' * 1_000_000)")
    assert len(caught.value.message) == 500


def test_the_line_is_the_last_one_in_the_students_file(student):
    """An error within NumPy is placed where the student's code called it."""
    with pytest.raises(StudentError) as caught:
        student(
            "import numpy as np\n"
            "def answer():\n    return inner()\n"
            "def inner():\n    np.ones(2) @ np.ones(3)\n"
        )
    assert caught.value.line == 5


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["unix", "windows", "old mac"])
@pytest.mark.parametrize(("length", "line"), [(5000, 5000), (5001, None)])
def test_a_file_that_is_padded_gets_no_line(student, end, length, line):
    """A line is student code's to choose; among a million it would tell what a check asked."""
    with pytest.raises(StudentError) as caught:
        student(end * (length - 1) + "raise ValueError")
    assert (caught.value.type_name, caught.value.line) == ("ValueError", line)


def test_an_error_outside_the_students_file_has_no_place(student):
    """What the probe itself raises is not pinned on a line of the student's."""
    with pytest.raises(StudentError) as caught:
        student("answer = None")
    assert (caught.value.type_name, caught.value.path) == ("TypeError", None)
    assert str(caught.value) == "TypeError"


def test_an_answer_outside_the_grammar_is_a_type_error(student):
    """Returning an object says what may be returned."""
    with pytest.raises(StudentError) as caught:
        student("def answer():\n    return {'t': object()}\n")
    assert caught.value.type_name == "TypeError" and "NumPy arrays" in caught.value.message


@pytest.mark.parametrize("name", ["int", "print", "__import__", "os", "", "AxisErrors", "Evil"])
def test_only_exceptions_have_an_exceptions_name(name):
    """A worker that names anything else is quoted as Exception."""
    assert exception_name(name) == "Exception"
