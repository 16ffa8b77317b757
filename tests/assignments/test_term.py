"""`[term]` of course.toml: what it may say, what it means, what students see of it."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfoNotFoundError

import pytest

from assignments import term as module
from assignments.catalog import CatalogError, load_course
from assignments.term import MODULE, TERM, Deadline, TermError, read_term
from tests.assignments.course import small_course
from tests.student import StudentRepository

TABLE = """
[term]
time_zone = "Europe/Berlin"
late_percent = 10
late_days = 3

[term.module]
01_one = { due = 2026-09-21T23:59:00 }
02_two = { due = 2026-10-25T12:00:00+01:00, late_percent = 20, late_days = 1 }
"""
MISTAKES = {
    "unknown key": ("late_percent", "late_procent", "has an unknown key 'late_procent'; allowed"),
    "unknown rule": ("late_percent = 20", "late = 20", "02_two has an unknown key 'late'; allowed"),
    "no time zone": ('time_zone = "Europe/Berlin"', "", "no key 'time_zone'; add time_zone = "),
    "unknown zone": ("Europe/Berlin", "Europe/Berlim", "time_zone = 'Europe/Berlim'; write one"),
    "strange zone": ("Europe/Berlin", "../etc/passwd", r"time_zone = '\.\./etc/passwd'; write"),
    "unknown module": ("01_one", "04_four", "has '04_four'; choose from: 01_one, 02_two, 03_three"),
    "number as text": ("late_days = 3", 'late_days = "3"', "late_days = '3'; write it like"),
    "truth as number": ("late_days = 3", "late_days = true", "late_days = True; write it like"),
    "too much": ("late_percent = 10", "late_percent = 101", "101; write it like .* 0 to 100"),
    "too little": ("late_percent = 10", "late_percent = -1", "-1; write it like .*, 0 to 100"),
    "no such attempt": ("late_days = 3", 'attempt = "last"', "'last'; .*best or latest"),
    "a day": ("2026-09-21T23:59:00", "2026-09-21", "01_one has due = .*; write it like due"),
    "no due date": ("due = 2026-09-21T23:59:00", "late_floor = 1", "01_one has no key 'due'; add"),
    "no late rule": ("late_percent = 10\n", "", "01_one is due, and nothing says what late costs"),
    "a line": ("{ due = 2026-09-21T23:59:00 }", "3", "01_one is 3; write a table"),
    "more than there are": ("late_days = 1", "late_days = 4", "has late_days = 4; write at most"),
    "skipped time": ("2026-09-21T23:59", "2026-03-29T02:30", "at 2026-03-29 02:30:00 the clocks"),
    "doubled time": ("2026-09-21T23:59", "2026-10-25T02:30", r"write the offset: .*30:00\+02:00"),
}


def course(tmp_path, table: str):
    """Load the small course with `table` at its end."""
    folder = small_course(tmp_path)
    with open(folder / "course.toml", "a", encoding="utf-8") as file:
        file.write(table)
    return load_course(folder)


def test_a_course_without_a_term_has_nothing_due(tmp_path):
    """So it is released; staff add the table each term."""
    assert course(tmp_path, "").term is None and load_course().term is None


def test_a_module_has_the_rules_of_the_term_and_its_own(tmp_path):
    """Its own come first; late days are one purse for all modules."""
    term = course(tmp_path, TABLE).term
    one, two = term.deadlines
    assert (one.late_percent, one.late_days, one.reject_after_days) == (10, None, None)
    assert (two.late_percent, two.late_days, term.late_days) == (20, 1, 3)
    assert term.deadline("03_three") is None


def test_a_date_is_by_the_clocks_of_the_term_unless_it_says_otherwise(tmp_path):
    """Summer time in September; an offset is taken at its word."""
    term = course(tmp_path, TABLE).term
    one, two = (term.moment(deadline.due) for deadline in term.deadlines)
    assert one.astimezone(timezone.utc) == datetime(2026, 9, 21, 21, 59, tzinfo=timezone.utc)
    assert two == datetime(2026, 10, 25, 11, tzinfo=timezone.utc)
    assert two.utcoffset() == timedelta(hours=1)


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_the_term_is_refused_with_file_and_cure(tmp_path, mistake):
    """One line: where, what, and what to do."""
    old, new, message = MISTAKES[mistake]
    assert TABLE.count(old) == 1 or mistake in ("unknown key", "no late rule")
    with pytest.raises(CatalogError, match=f"^assignments/course.toml: .*{message}") as refusal:
        course(tmp_path, TABLE.replace(old, new, 1))
    assert "\n" not in str(refusal.value) and "; " in str(refusal.value)


def test_the_term_is_a_table(tmp_path):
    """Not a word."""
    with pytest.raises(TermError, match=r"\[term\] is 'fall'"):
        read_term("fall", [])


def test_every_rule_of_a_deadline_is_a_key_that_says_what_it_means():
    """What a module may override, and nothing else."""
    fields = {"module", *MODULE}
    assert set(Deadline.__dataclass_fields__) == fields
    assert all(key.means and key.example for key in [*TERM.values(), *MODULE.values()])


def test_tito_status_shows_when_modules_are_due(tmp_path):
    """As the file says it, with whose clocks; a module without a date has none."""
    student = StudentRepository(tmp_path / "student")
    with open(student.root / "assignments" / "course.toml", "a", encoding="utf-8") as file:
        file.write(TABLE.replace("01_one", "01_tensor").replace("02_two", "02_activations"))
    shown = student.tito("status", COLUMNS="120").stdout
    assert shown.count("2026-09-21 23:59") == 1 and "2026-10-25 12:00+01:00" in shown
    assert "Due by the clocks of Europe/Berlin" in shown


def test_a_machine_without_time_zones_reads_the_course_all_the_same(tmp_path, monkeypatch):
    """A student's Windows has none; only the grader, which has them, reckons with them."""

    def missing(name):
        raise ZoneInfoNotFoundError(name)

    monkeypatch.setattr(module, "ZoneInfo", missing)
    monkeypatch.setattr(module, "available_timezones", set)
    term = course(tmp_path, TABLE).term
    assert term.written("01_one") == "2026-09-21 23:59" and term.written("03_three") == ""
