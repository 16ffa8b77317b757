"""What staff decide of results: added to them, never written over them, and only what can be."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from assignments.catalog import load_course
from autograder.competition.changes import ROOT, load_changes, read_changes
from autograder.errors import GraderError
from autograder.leaderboard.board import build
from autograder.leaderboard.place import student_page
from autograder.leaderboard.tracks import results
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
ONE = f'report = "{REPORTS[0]["report_id"]}"\n'


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
    """Only the final verifies what nobody looked at; and only it stands before what is better."""
    worse, better = (report("a", result(v), day=10, repository=7) for v in (1.9, 2.2))
    decided = decide(("a", "disputed", 9), ("a", "verified", 12))
    assert states([*REPORTS, worse], decided)["a"] == ("1", "verified")
    assert states([*REPORTS, better], decided)["a"] == ("1", "ci")


def test_what_is_measured_again_is_no_new_result(decide):
    """With new rules, and in the final, the push that was doubted is measured once more."""
    again = report("a", result(2.1, state="verified"), day=1, repository=7)
    again |= {"created_at": "2026-10-20T00:00:00.000Z", "report_id": f"7{again['report_id'][1:]}"}
    assert states([*REPORTS, again], decide(("a", "disputed", 9)))["a"] == ("–", "disputed")
    gone = decide((ONE, "disputed", 9), ("a", "withdrawn", 11))
    assert states([*REPORTS, again], gone)["a"] == ("–", "withdrawn")
    fine = report("a", result(1.8), day=3, repository=7)
    one = decide((ONE, "disputed", 9))
    assert states([*REPORTS, fine], one)["a"] == ("1", "ci")
    assert states([*REPORTS, fine, again], one)["a"] == ("–", "disputed"), "it was in the final"
    last = decide((f'report = "{again["report_id"]}"\n', "disputed", 9))
    assert [one.state for one in results([*REPORTS, again], last)] == ["ci", "ci", "disputed"]
    later = report("a", result(1.8), day=3, repository=7)  # by a commit of "next year"
    later["submission"]["submitted_at"] = "2027-10-01T00:00:00.000Z"
    assert states([*REPORTS, later], decide(("a", "disputed", 9)))["a"] == ("–", "disputed")


def test_a_decision_about_one_report_leaves_the_others(decide):
    """Those that count, and what is said of them; its student reads why all the same."""
    worse = report("a", result(1.8), day=3, repository=7)
    for one, value in ((worse, 2.0), (REPORTS[0], 1.8)):
        gone = decide((f'report = "{one["report_id"]}"\n', "withdrawn", 9))
        board = build([*REPORTS, worse], gone)
        (table,) = board.tables
        row = table.rows[0]
        assert (row.place, row.value, row.state, row.reason) == ("1", value, "ci", "")
        assert max(one.value for one in table.records) == value
        page = student_page(board, "a", datetime.now(timezone.utc))
        day = one["submission"]["submitted_at"][:10]
        assert f"B Sprint, of {day}, is withdrawn: `shown to us`" in page
        assert "withdrawn" not in student_page(board, "b", datetime.now(timezone.utc))


def test_a_decision_is_about_a_repository_a_submitter_or_one_report(decide):
    """Whichever name staff know."""
    for who in ("repository = 7\n", WHO.format(who="a"), ONE):
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
        states(REPORTS, decide((ONE, "withdrawn", 9), (ONE, "verified", 10)))


def test_a_decision_about_a_student_passes_over_what_is_withdrawn(decide):
    """Which is final: it keeps its reason, and nobody else's place hangs on it."""
    worse = report("a", result(1.8), day=3, repository=7)
    decided = decide((ONE, "withdrawn", 9), ("a", "disputed", 10), ("a", "verified", 11))
    assert states([*REPORTS, worse], decided) == {"a": ("1", "verified"), "b": ("2", "ci")}
    assert build([*REPORTS, worse], decided).unused == ()


@pytest.mark.parametrize(
    "entries",
    [
        [("c", "disputed", 9)],
        [("a", "verified", 9)],
        [(ONE, "withdrawn", 5), ("a", "disputed", 9)],
    ],
)
def test_a_decision_that_changes_nothing_is_told(decide, entries):
    """A mistyped name does nothing in silence, nor does what comes too late."""
    unused = build(REPORTS, decide(*entries)).unused
    assert [one.number for one in unused] == [len(entries)]
    assert build(REPORTS, decide(("b", "disputed", 9), ("b", "withdrawn", 10))).unused == ()


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
