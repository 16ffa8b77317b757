"""Every submission below a folder is found, once, under a name of its own."""

import os

import pytest

from autograder.cohort.roster import find_submissions, output_name
from autograder.errors import SubmissionError
from tests.submissions.build import folder, git, repository, zip_file

WORK = {"tinytorch/tensor.py": b"x = 1\n"}


def names(*arguments, **named):
    """Return the names found."""
    return [name for name, _ in find_submissions(*arguments, **named)]


def test_repositories_folders_and_archives_are_found_at_any_depth(tmp_path):
    """Bare repositories too; sections may be folders."""
    repository(tmp_path / "ada", WORK)
    git(tmp_path, "clone", "--quiet", "--bare", "ada", "bob.git")
    folder(tmp_path / "section-b" / "cy", WORK)
    zip_file(tmp_path / "section-b" / "dee.zip", WORK)
    assert names(tmp_path) == ["ada", "bob", "section-b/cy", "section-b/dee"]


def test_what_is_no_submission_is_passed_over(tmp_path):
    """Hidden folders, links, notes, the output of an earlier run."""
    repository(tmp_path / "ada", WORK | {"inner/tinytorch/tensor.py": b""})
    folder(tmp_path / ".cache" / "x", WORK)
    folder(tmp_path / "out" / "ada", WORK)
    folder(tmp_path, {"notes.txt": b"", "empty/readme.md": b""})
    os.symlink(tmp_path / "ada", tmp_path / "link")
    assert names(tmp_path, without=tmp_path / "out") == ["ada"]


def test_two_that_differ_by_their_ending_keep_it(tmp_path):
    """Both are graded, and neither takes the other's place."""
    folder(tmp_path / "ada", WORK)
    zip_file(tmp_path / "ada.zip", WORK)
    assert names(tmp_path) == ["ada", "ada.zip"]


def test_no_two_have_one_name_whatever_their_endings(tmp_path):
    """A repository, the archive of one, and an archive called like a section of the class."""
    for name in ("ada", "ada.git", "section/report.json"):
        folder(tmp_path / name, WORK)
    for name in ("ada.git.zip", "section.zip"):
        zip_file(tmp_path / name, WORK)
    expected = ["ada", "ada.git", "ada.git.zip", "section/report.json", "section.zip"]
    assert sorted(names(tmp_path)) == sorted(expected)


PLAIN = ["ada", "section-a/ada", "Lovelace, Ada (late)", "Jürgen", "x" * 80, "a/ledger", "o'neil"]


@pytest.mark.parametrize("name", PLAIN)
def test_an_ordinary_name_is_the_name_of_its_folder(name):
    """Teachers find a student's files without a table."""
    assert output_name(name) == name


def test_odd_names_get_folders_that_are_readable_and_their_own():
    """Also a name that is chosen to be what another one becomes."""
    odd = ["ledger", "ledger~", "dan\udcff", "dan\udcfe", "dan_", "a\nb", "a\tb", "a  b", "x" * 250]
    odd += [output_name(name) for name in odd if name != "dan_"]
    places = [output_name(name) for name in odd]
    assert len(set(places)) == len(odd)
    assert all(place.isprintable() and len(place.encode()) <= 200 for place in places)
    assert output_name("ledger/ada") != "ledger/ada"
    assert output_name("section-a/dan\n") == "section-a/dan_~ma6x6a7m3a37ao7q"


def test_a_folder_that_cannot_be_read_is_refused_alone(tmp_path, monkeypatch):
    """It is in the roster, so that its student hears of it and the others are graded."""
    for name in ("ada", "bob/inner"):
        folder(tmp_path / name, WORK)
    scandir = os.scandir

    def deny(path):
        if str(path).endswith("bob"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr("autograder.cohort.roster.os.scandir", deny)  # root may read all
    assert names(tmp_path) == ["ada", "bob"]


def test_names_are_in_order(tmp_path):
    """The same class gives the same order."""
    for name in ("c", "a", "b"):
        folder(tmp_path / name, WORK)
    assert names(tmp_path) == ["a", "b", "c"]


@pytest.mark.parametrize("came, path", [("no such path", "missing"), ("a file", "notes.txt")])
def test_a_folder_that_is_none_is_refused(tmp_path, came, path):
    """Expected, came, do."""
    folder(tmp_path, {"notes.txt": b""})
    with pytest.raises(SubmissionError, match=f"got {came}; name the class folder"):
        find_submissions(tmp_path / path)


def test_a_folder_without_submissions_is_refused(tmp_path):
    """An empty class is a mistake in the path, not a class of none."""
    with pytest.raises(SubmissionError, match="got none; clone the class into it"):
        find_submissions(tmp_path)
