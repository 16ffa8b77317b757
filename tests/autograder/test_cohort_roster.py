"""Every submission below a folder is found, once, under a name of its own."""

import os

import pytest

from autograder.cohort.roster import find_submissions
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
