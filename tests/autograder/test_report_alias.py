"""An alias is asked for, read as data, and can neither hide, pile up nor pretend."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograder.intake import receive
from autograder.report.alias import LENGTH, clean_alias, read_alias
from tests.submissions.build import repository, zip_file

WORK, NAMED = {"tinytorch/tensor.py": b"x = 1\n"}, {"leaderboard.toml": b'alias = "Ada"'}


def test_nobody_is_named_who_did_not_ask(tmp_path):
    """No file, no alias, and nothing to complain about."""
    assert read_alias(tmp_path) == (None, None)


def test_the_file_is_the_opt_in(tmp_path):
    """One line is enough; other keys may be there one day."""
    (tmp_path / "leaderboard.toml").write_text('alias = "Ada"\ntrack = "closed"\n')
    assert read_alias(tmp_path) == ("Ada", None)


def test_the_alias_comes_in_with_the_submission(tmp_path):
    """From the commit of a repository, and from an archive that wraps it in a folder."""
    wrapped = {f"ada-main/{name}": content for name, content in (WORK | NAMED).items()}
    for source in (
        repository(tmp_path / "ada", WORK | NAMED),
        zip_file(tmp_path / "ada.zip", wrapped),
    ):
        with receive(source) as submission:
            assert read_alias(submission.root) == ("Ada", None)


def test_only_the_file_beside_the_work_is_read(tmp_path):
    """One in another folder is somebody else's, or an example."""
    elsewhere = {"docs/leaderboard.toml": b'alias = "Docs"'}
    with receive(repository(tmp_path / "ada", WORK | elsewhere)) as submission:
        assert read_alias(submission.root) == (None, None)
    wrapped = {"ada-main/tinytorch/tensor.py": b"x = 1\n"} | NAMED
    with receive(zip_file(tmp_path / "ada.zip", wrapped)) as submission:
        assert read_alias(submission.root) == (None, None)


@pytest.mark.parametrize(
    "content, note",
    [
        (b"", "names nobody"),
        (b'alias = ""', "names nobody"),
        (b'alias = "\\u200d \\u0301"', "names nobody"),
        (b"alias = 3", "names nobody"),
        (b"Ada", "is not TOML"),
        (b'alias = "\xff"', "is not TOML"),
        (b"x = " + b"[" * 4000, "is not TOML"),
        (b'alias = "a"\n' + b"#" * 5000, "got 5012 bytes"),
    ],
)
def test_a_file_that_names_nobody_says_what_to_write(tmp_path, content, note):
    """The student reads this line in their report."""
    (tmp_path / "leaderboard.toml").write_bytes(content)
    alias, line = read_alias(tmp_path)
    assert alias is None and note in line and 'alias = "your name"' in line


@pytest.mark.parametrize(
    "alias, cleaned",
    [
        ("  Ada \n\t Lovelace ", "Ada Lovelace"),
        ("Ada\u202eevil\u2066", "Adaevil"),
        ("A\u200bda\ufeff", "Ada"),
        ("\x1b[31mAda\x07", "[31mAda"),
        ("Zoe\u0308", "Zo\u00eb"),
        ("a" + "\u0301" * 50, "\u00e1" + "\u0301" * 2),
        ("w" * 100, "w" * LENGTH),
        ("فاطمة", "فاطمة"),
        ("\u3164\u2800", ""),
        ("👩\u200d💻 night", "👩\u200d💻 night"),
        ("<b>@all</b>", "<b>@all</b>"),
        ("🎉", "🎉"),
    ],
)
def test_an_alias_is_cleaned(alias, cleaned):
    """Scripts, accents and emoji stay; what hides or reorders goes. Escaping is the page's work."""
    assert clean_alias(alias) == cleaned


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=200))
def test_cleaning_bounds_any_alias_and_repeats_itself(alias):
    """At most 32 code points, one line, no control or format character but joiners."""
    cleaned = clean_alias(alias)
    assert len(cleaned) <= 32 and cleaned == cleaned.strip() and "\n" not in cleaned
    assert clean_alias(cleaned) == cleaned
