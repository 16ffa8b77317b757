"""The exit code that a container left in place of a report, in a folder that others could write."""

from __future__ import annotations

import pytest

from autograder.github.verdict import ClaimError, read_claim


@pytest.fixture
def place(tmp_path):
    """The folder of a job that left no report."""
    (tmp_path / "raw-0" / "ada").mkdir(parents=True)
    return tmp_path / "raw-0" / "ada"


@pytest.mark.parametrize(
    ("content", "code"),
    [("137\n", 137), ("0", 0), ("137" * 999, 1), ("²", 1), ("-9", 1), ("", 1)],
)
def test_an_exit_code_is_a_short_number_or_1(place, content, code):
    """Python would turn a superscript into an error, and a long number into an hour of work."""
    (place / "exit").write_text(content, encoding="utf-8")
    assert read_claim(place.parents[1], 0, "ada") == code


def test_ten_gigabytes_are_not_read_as_an_exit_code(place):
    """Its size is looked at first."""
    with open(place / "exit", "wb") as file:
        file.truncate(10 << 30)
    with pytest.raises(ClaimError, match="'exit': expected at most 8 MiB, got 10 GiB"):
        read_claim(place.parents[1], 0, "ada")


def test_a_link_is_not_followed_to_an_exit_code(place, tmp_path):
    """Whatever it points at, a container has not left it."""
    (tmp_path / "elsewhere").write_text("0")
    (place / "exit").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ClaimError, match="cannot be read"):
        read_claim(place.parents[1], 0, "ada")


def test_nothing_came_where_neither_is_there(place):
    """That is no exit code 0."""
    assert read_claim(place.parents[1], 0, "ada") is None
