"""overrides.toml: what it may say, and how a mistake in it is told."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import pytest

from assignments.catalog import load_course, tomllib
from assignments.term import TERM, read_term
from autograder import policy as package
from autograder.errors import GraderError
from autograder.policy import Policy, Who, load_policy, read_overrides, rules
from tests.autograder.policies import COURSE, after, term

EXAMPLES = Path(package.__file__).parent
EXTENSION = """
[[extension]]
repository = 101
module = "01_tensor"
days = 3
reason = "ill"
by = "J. Doe"
at = 2026-09-20T10:00:00
"""
OVERRIDE = """
[[override]]
submitter = "abc"
module = "20_capstone"
points = 85
reason = "by hand"
by = "J. Doe"
at = 2026-09-20T10:00:00Z
"""
WITH_TERM = replace(COURSE, term=term())
MISTAKES = {
    "no TOML": (EXTENSION, "days = 3", "days =", "cannot be read: .*; mend it"),
    "unknown kind": (
        EXTENSION,
        "[[extension]]",
        "[[extend]]",
        "unknown key 'extend'; allowed: ext",
    ),
    "a table": (EXTENSION, "[[extension]]", "[extension]", r"extension = \{.*; write it like"),
    "unknown key": (EXTENSION, "days", "day", "extension 1 has an unknown key 'day'; allowed: rep"),
    "nobody": (EXTENSION, "repository = 101", "", "none of them; write one of repository or sub"),
    "two": (
        EXTENSION,
        "repository",
        'submitter = "a"\nrepository',
        "repository and submitter; wri",
    ),
    "a name": (EXTENSION, "101", '"alice"', "repository = 'alice'; write it like repository ="),
    "no days": (EXTENSION, "days = 3", "", "none of them; write one of days or until"),
    "both": (EXTENSION, "days", "until = 2026-10-01T10:00:00\ndays", "days and until; write one"),
    "none": (EXTENSION, "days = 3", "days = 0", "days = 0; write it like days = 3 .*1 to 366"),
    "no reason": (EXTENSION, 'reason = "ill"', "", "no key 'reason'; add reason ="),
    "empty": (EXTENSION, '"ill"', '" "', "reason = ' '; write it like"),
    "no author": (EXTENSION, 'by = "J. Doe"', "", "no key 'by'; add by ="),
    "no date": (EXTENSION, "at = 2026-09-20T10:00:00", "", "no key 'at'; add at = 2026"),
    "a day": (EXTENSION, "2026-09-20T10:00:00", "2026-09-20", "at = .*; write it like at ="),
    "no module": (EXTENSION, "01_tensor", "1", "module = '1'; choose from: 01_tensor, 02_"),
    "not due": (
        EXTENSION,
        "01_tensor",
        "03_layers",
        "about 03_layers, which has no due date; give",
    ),
    "too good": (OVERRIDE, "85", "101", "override 1 has points = 101; write 0 to 100"),
    "too bad": (OVERRIDE, "points = 85", "delta = -100.5", "delta = -100.5; write -100 to 100"),
    "no number": (OVERRIDE, "85", "nan", "points = nan; write 0 to 100"),
    "no points": (OVERRIDE, "85", '"85"', "points = '85'; write it like points = 85.0"),
    "all": (OVERRIDE, 'module = "20_capstone"', "", "override 1 has no key 'module'; add module"),
}


def read(tmp_path, text: str):
    """Read overrides.toml with this text."""
    path = tmp_path / "overrides.toml"
    path.write_text(text, encoding="utf-8")
    return read_overrides(path, WITH_TERM)


def test_the_files_are_read_as_they_are_meant(tmp_path):
    """Whole numbers are numbers; a date without an offset is by the clocks of the term."""
    found = read(tmp_path, EXTENSION + OVERRIDE)
    (extension,), (override,) = found.extensions, found.overrides
    assert (extension.who, extension.days, extension.until) == (Who(101), 3, None)
    assert extension.at == datetime(2026, 9, 20, 8, tzinfo=timezone.utc)
    assert (override.who, override.points, override.by) == (Who(None, "abc"), 85.0, "J. Doe")
    assert override.at == datetime(2026, 9, 20, 10, tzinfo=timezone.utc)


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_refused_with_file_entry_and_cure(tmp_path, mistake):
    """One line; and nothing of the file counts."""
    text, old, new, message = MISTAKES[mistake]
    read(tmp_path, text)
    with pytest.raises(GraderError, match=f"^overrides.toml: .*{message}") as refusal:
        read(tmp_path, text.replace(old, new, 1))
    assert "\n" not in str(refusal.value)


def test_two_overrides_of_one_moment_are_refused(tmp_path):
    """Nobody could see which of them wins."""
    with pytest.raises(GraderError, match="override 2 has the moment of an earlier one; give"):
        read(tmp_path, OVERRIDE + OVERRIDE.replace("85", "80"))


def test_a_policy_is_the_term_and_the_file_beside_the_grader(tmp_path, monkeypatch):
    """Which need not be named, and need not be there."""
    monkeypatch.setattr(rules, "ROOT", tmp_path)
    assert load_policy(WITH_TERM) == Policy(WITH_TERM.term) and load_policy(COURSE).is_empty
    (tmp_path / "overrides.toml").write_text(EXTENSION, encoding="utf-8")
    assert load_policy(WITH_TERM).schedules(Who(101), "01_tensor")[-1].due == after(3 * rules.DAY)
    with pytest.raises(GraderError, match="overrides.toml: cannot be read: No such file"):
        load_policy(WITH_TERM, tmp_path / "elsewhere" / "overrides.toml")


def test_the_examples_for_staff_are_valid_and_show_every_key():
    """What is copied from them works."""
    text = (EXAMPLES / "term.example.toml").read_text(encoding="utf-8")
    course = load_course()
    table = tomllib.loads(text)["term"]
    example = read_term(table, [one.id for one in course.planned])
    assert example.deadlines and set(table) == set(TERM)
    path = EXAMPLES / "overrides.example.toml"
    found = read_overrides(path, replace(course, term=example))
    assert all(map(len, (found.extensions, found.overrides, found.late_days)))
