"""The roster: what other carriers left becomes one list, and a list out of order is refused."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from autograder.cli import main
from autograder.github.students import located
from autograder.roster import COLUMNS, RosterError, Student, read, text
from tests.autograder.delivery import client, server

OLD = '"identifier","github_username","github_id","name"\n'
FIFTY = "username,first_name,last_name,email,section,github_id,role\n"
GRADES = (
    "assignment_name,assignment_url,starter_code_url,github_username,roster_identifier,"
    "student_repository_name,student_repository_url,submission_timestamp,points_awarded,"
    "points_available\n"
)


@pytest.fixture
def listed(tmp_path):
    """Read a list with this content."""

    def read_text(content: str | bytes) -> list[Student]:
        path = tmp_path / "list.csv"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return read(path)

    return read_text


def test_the_roster_of_old_classroom_is_read(listed):
    """Who never linked an account has none."""
    found = listed(OLD + '"ada@example.org","ada","11","Ada L."\n"bob@example.org","","",""\n')
    assert found == [
        Student("ada", "11", identifier="ada@example.org", name="Ada L."),
        Student("", "", identifier="bob@example.org"),
    ]


def test_the_grades_of_old_classroom_say_who_has_which_repository(listed):
    """A student once, whatever number of assignments; no points are taken over."""
    row = "hw1,u,u,ada,ada@example.org,{0},https://github.com/course/{0},2026-05-01 10:00:00,8,10\n"
    assert listed(GRADES + 2 * row.format("hw1-ada")) == [
        Student("ada", "", "course/hw1-ada", identifier="ada@example.org")
    ]


def test_the_roster_of_classroom_50_is_read_without_its_staff(listed):
    """The email is what a gradebook knows."""
    found = listed(
        FIFTY + "ada,Ada,L.,ada@example.org,a1,11,student\ntina,Tina,T.,t@example.org,,12,teacher\n"
    )
    assert found == [Student("ada", "11", "", "", "ada@example.org", "Ada L.", "a1")]


def test_what_is_written_is_read_again(listed):
    """Also from a spreadsheet's hand: byte-order mark, CRLF, a name that would be a formula."""
    student = Student("ada", "11", "course/ada", "1000", "=1+1", "-Ada", "@a")
    assert "ada,11,course/ada,1000,'=1+1,'-Ada,'@a" in text([student])
    assert listed("\ufeff" + text([student])) == [student]
    assert listed(text([student]).replace("\r\n", "\n")) == [student]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "expected the columns"),
        ("a,b\n1,2\n", "expected the columns"),
        (b"\xff\xfe", "in UTF-8"),
        ("identifier,name\0\n", "expected text"),
        (OLD + '"a","ada","1"\n', "line 2: expected 4 cells, got 3"),
        (OLD + '"a","ada","1","x","y"\n', "line 2: expected 4 cells, got 5"),
        (OLD + '"a","ada","one","x"\n', "line 2: github_id is 'one'"),
        (OLD + '"a","../ada","1","x"\n', "line 2: github_username is '../ada'"),
        (OLD + '"a","ada","1","\x1b[31mx"\n', "line 2: name is"),
        (OLD + '"a","ada","1","x\ny"\n', "line 3: name is"),
        (OLD + f'"{"a" * 301}","ada","1","x"\n', "line 2: identifier is"),
        (OLD + '"","ada","1","x"\n', "line 2: expected an identifier"),
        (OLD + '"a","ada","1","x"\n"A","bob","2","y"\n', "identifier 'a' stands on two lines"),
        (OLD + '"a","ada","1","x"\n"b","Ada","2","y"\n', "github_username 'ada' stands on two"),
        (OLD + '"a","ada","1","x"\n"b","bob","1","y"\n', "github_id '1' stands on two lines"),
        (OLD + '"a","ada","1","x', "got none"),
        ("identifier,identifier\na,b\n", "each column once"),
    ],
)
def test_a_list_that_is_not_in_order_is_refused_as_a_whole(listed, content, reason):
    """With its line: a roster that is half right gives somebody another's points."""
    with pytest.raises(RosterError, match=reason.replace("[", r"\[").replace("(", r"\(")):
        listed(content)


def test_students_are_found_by_name_once_and_then_by_number(tmp_path, monkeypatch):
    """Whoever renames a repository keeps it; whoever takes the name gets nothing."""
    with server(tmp_path / "server", monkeypatch) as github:
        ada = github.add("tt-Ada")
        students = [Student(name, "", identifier=f"{name}@example.org") for name in ("ada", "bob")]
        found, missing = located(students, client(), "course", "tt-")
        assert (found[0].repository, found[0].repository_id) == ("course/tt-Ada", str(ada.id))
        assert found[1] == students[1]
        assert missing == ["bob@example.org: no repository course/tt-bob"]
        ada.name = "other"
        github.add("tt-ada")
        assert located(found, client(), "course", "tt-")[0][0].repository_id == str(ada.id)


def test_the_command_asks_github_and_says_who_is_missing(tmp_path, monkeypatch):
    """From old Classroom's list to the file that the leaderboard and the exports read."""
    with server(tmp_path / "server", monkeypatch) as github:
        monkeypatch.setattr("autograder.github.runs.make_client", client)
        github.add("tt-ada")
        (tmp_path / "old.csv").write_text(OLD + '"a@x","ada","11","Ada"\n"b@x","","","Bob"\n')
        words = [str(tmp_path / "old.csv"), "--out", str(tmp_path / "roster.csv")]
        words += ["--organisation", "course", "--prefix", "tt-"]
        done = CliRunner().invoke(main, ["roster", *words])
        assert done.exit_code == 0, done.output
        assert "1 of 2 students with a repository" in done.output
        assert "b@x: no repository and no GitHub account" in done.output
        head, *lines = (tmp_path / "roster.csv").read_text().splitlines()
        assert tuple(head.split(",")) == COLUMNS
        assert lines == ["ada,11,course/tt-ada,1000,a@x,Ada,", ",,,,b@x,Bob,"]
