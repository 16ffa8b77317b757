"""What staff decide of results: added to them, never written over them, and only what can be."""

from __future__ import annotations

import pytest

from assignments.catalog import load_course
from autograder.competition.changes import ROOT, load_changes, read_changes
from autograder.errors import GraderError
from autograder.leaderboard.board import build
from tests.autograder.competition.made import report, result

EXAMPLE = ROOT / "autograder" / "competition" / "competition.example.toml"
WHO = 'submitter = "{who}"\n'
ENTRY = '[[state]]\n{who}track = "sprint"\nto = "{to}"\nreason = "shown to us"\nby = "J. Doe"\n'


@pytest.fixture
def decide(tmp_path):
    """Return a function that writes entries of (who, new state, day in October), and reads it."""

    def decide(*entries, more=""):
        file = tmp_path / "competition.toml"
        text = ""
        for who, to, day in entries:
            who = who if "=" in who else WHO.format(who=who)
            text += ENTRY.format(who=who, to=to) + f"at = 2026-10-{day:02}T00:00:00Z\n{more}"
        file.write_text(text, encoding="utf-8")
        return read_changes(file, load_course())

    return decide


def states(reports, changes):
    """Return who is in which state at which place."""
    (table,) = build(reports, changes).tables
    return {row.submitter: (row.place, row.state) for row in table.rows}


REPORTS = [report("a", result(2.0), day=1, repository=7), report("b", result(1.5), day=2)]


def test_a_disputed_result_stays_without_a_place_and_the_others_move_up(decide):
    """Nothing is deleted; verified again it has its place back, withdrawn it has none for good."""
    assert states(REPORTS, decide(("a", "disputed", 9))) == {
        "a": ("–", "disputed"),
        "b": ("1", "ci"),
    }
    again = decide(("a", "disputed", 9), ("a", "verified", 10))
    assert states(REPORTS, again) == {"a": ("1", "verified"), "b": ("2", "ci")}
    gone = decide(("a", "withdrawn", 11), ("a", "disputed", 9))  # whichever stands first
    assert states(REPORTS, gone)["a"] == ("–", "withdrawn")


def test_what_is_measured_after_the_decision_is_a_new_result(decide):
    """A student whose entry was disputed mends it and competes on."""
    mended = report("a", result(1.8), day=20, repository=7)
    assert states([*REPORTS, mended], decide(("a", "disputed", 9)))["a"] == ("1", "ci")


def test_what_is_pushed_during_a_dispute_is_not_verified_along_with_it(decide):
    """Only the final verifies what nobody looked at."""
    between = report("a", result(2.2), day=10, repository=7)
    decided = decide(("a", "disputed", 9), ("a", "verified", 12))
    assert states([*REPORTS, between], decided)["a"] == ("1", "verified")
    better = build([between], decided).tables[0].rows[0]
    assert (better.value, better.state) == (2.2, "ci")


def test_a_decision_is_about_a_repository_a_submitter_or_one_report(decide):
    """Whichever name staff know."""
    for who in ("repository = 7\n", WHO.format(who="a"), f'report = "{REPORTS[0]["report_id"]}"\n'):
        found = states(REPORTS, decide((who, "disputed", 9)))
        assert (found["a"][1], found["b"][1]) == ("disputed", "ci")


def test_a_decision_about_a_division_leaves_the_other(decide):
    """Without one it is about both."""
    open_too = [*REPORTS, report("a", result(2.0, division="open"), day=3, repository=7)]
    board = build(open_too, decide(("a", "disputed", 9), more='division = "open"\n'))
    found = {table.division: table.rows[0].state for table in board.tables}
    assert found == {"closed": "ci", "open": "disputed"}


def test_a_record_that_is_disputed_is_none(decide):
    """Who led after it, led."""
    records = build(REPORTS, decide(("a", "disputed", 9))).tables[0].records
    assert [row.submitter for row in records] == ["b"]


def test_practice_is_not_made_to_count(decide):
    """What ran without isolation is not verified by a word."""
    practice = [report("a", result(2.0), isolation="none"), REPORTS[1]]
    assert states(practice, decide(("a", "verified", 9)))["a"] == ("–", "self-run")


def test_a_state_that_cannot_follow_is_one_line(decide):
    """It names the entry and the cure."""
    with pytest.raises(GraderError, match="state 2: a result that is withdrawn cannot become ver"):
        states(REPORTS, decide(("a", "withdrawn", 9), ("a", "verified", 10)))


def test_a_decision_about_no_result_is_told(decide):
    """A mistyped name does nothing in silence."""
    assert [one.number for one in build(REPORTS, decide(("c", "disputed", 9))).unused] == [1]
    assert build(REPORTS, decide(("b", "disputed", 9))).unused == ()


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ('to = "disputed"', r'state 1 has no key .*; add to = "disputed"'),
        ('"disputed"', "state 1 has to = 'ci'; write it like"),
        ("repository = 812345678", "state 1 has none of them; write one of repository, submitter"),
        ('"sprint"', "state 1 has track = 'ci'; write it like"),
        ("[[state]]", r"the file has an unknown key 'ruling'; allowed: state"),
    ],
)
def test_a_fault_in_the_file_names_itself(tmp_path, change, line):
    """Expected, came, do."""
    new = {"[[state]]": "[[ruling]]", '"disputed"': '"ci"', '"sprint"': '"ci"'}.get(change, "")
    text = EXAMPLE.read_text(encoding="utf-8").replace(change, new, 1)
    file = tmp_path / "competition.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(GraderError, match=f"competition.toml: {line}"):
        read_changes(file, load_course())


def test_the_example_is_right_and_without_a_file_nothing_is_decided(tmp_path):
    """Copied as it is, it is read; a file that was named must be there."""
    found = read_changes(EXAMPLE, load_course())
    assert [(one.to, one.division) for one in found] == [
        ("disputed", "closed"),
        ("withdrawn", None),
    ]
    assert load_changes(load_course()) == ()
    with pytest.raises(GraderError, match="none.toml: cannot be read"):
        load_changes(load_course(), tmp_path / "none.toml")
