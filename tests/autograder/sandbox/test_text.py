"""Text of a student's program does no harm where it is shown."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.sandbox.text import clean, one_line

HARMLESS = {
    "plain text, tabs and lines": ("a\tb\nc", "a\tb\nc"),
    "letters of any script": ("größe ≤ 5 ✓ 数", "größe ≤ 5 ✓ 数"),
    "double colons within a line": ("std::vector", "std::vector"),
    "a slice": ("x[::2]", "x[::2]"),
}
HARMFUL = {
    "colour": ("\x1b[31mred\x1b[0m", "red"),
    "a window title": ("\x1b]0;title\x07text", "text"),
    "an unfinished escape": ("\x1b[", "["),
    "an escape that would swallow the rest": ("\x1b]0;\nnext line", "\nnext line"),
    "a bell and a backspace": ("a\x07b\x08c", "abc"),
    "a carriage return": ("safe\r::error::x", "safe\n: :error::x"),
    "the 8-bit escape": ("\x9b31mred", "31mred"),
    "a workflow command": ("::set-output name=a::b", ": :set-output name=a::b"),
    "a command after spaces": ("ok\n \t::add-mask::x", "ok\n \t: :add-mask::x"),
    "a command after controls": ("\x00\x1b[0m::error::x", ": :error::x"),
    "a command behind a zero-width space": ("\u200b::error::x", ": :error::x"),
    "an old command within a line": ("see ##[group]x", "see ## [group]x"),
    "text that reverses": ("a\u202eb\u2066c", "abc"),
    "half a surrogate pair": ("a\ud800b", "ab"),
}


@pytest.mark.parametrize(("text", "cleaned"), (HARMLESS | HARMFUL).values(), ids=HARMLESS | HARMFUL)
def test_text_is_cleaned(text, cleaned):
    """What is plain stays as it is; what would act on a terminal or a log is gone or broken."""
    assert clean(text, 100) == cleaned


@given(st.text(st.sampled_from(":#[]\x1b\n\r \tax\x9b\u2028\u200b0m;\x07\\") | st.characters()))
def test_no_text_becomes_a_command(text):
    """Whatever it is made of, no line begins with `::` and no `##[` is left."""
    cleaned = clean(text, 10_000)
    assert "##[" not in cleaned
    assert not any(line.strip().startswith("::") for line in cleaned.splitlines())
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", cleaned)
    cleaned.encode()  # no half of a surrogate pair is left


def test_text_has_a_bound():
    """A megabyte becomes as many characters as asked for."""
    assert len(clean("x" * 1_000_000, 500)) == 500


def test_one_line_has_no_line_breaks():
    """All white space is run together."""
    assert one_line(" a\n\n b\tc ", 100) == "a b c"
