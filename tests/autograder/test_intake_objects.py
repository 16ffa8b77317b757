"""The objects of a repository are claims: names, sizes and trees are checked as they are read."""

from __future__ import annotations

import time

import pytest

from autograder.errors import SubmissionError
from autograder.intake import Limits, receive
from tests.submissions import build
from tests.submissions.loose import commit_tree, loose, write_commit, write_object


@pytest.fixture
def alice(tmp_path):
    """A repository with one commit on main."""
    return build.repository(tmp_path / "alice", {"tinytorch/tensor.py": b"x = 1\n"})


def refused(source, words, limits=None):
    """Assert that `source` is refused in one line with `words`."""
    with pytest.raises(SubmissionError, match=words) as error, receive(source, limits):
        pass
    assert "\n" not in str(error.value)


def test_an_object_under_a_false_name_is_refused(alice):
    """Git believes the name of a loose object; a report must not."""
    blob = build.git(alice, "rev-parse", "HEAD:tinytorch/tensor.py")
    other = write_object(alice, "blob", b"x = 9\n")
    loose(alice, blob).unlink()
    loose(alice, other).rename(loose(alice, blob))
    refused(alice, "expected a complete, sound repository, got one with objects missing or damaged")


@pytest.mark.parametrize("missing", ["HEAD", "HEAD^{tree}", "HEAD:tinytorch/tensor.py"])
def test_a_missing_object_is_a_clear_line(missing, alice):
    """An upload that lost a part."""
    loose(alice, build.git(alice, "rev-parse", missing)).unlink()
    refused(alice, "objects missing or damaged|where it is missing")


ID = bytes(20)
TREES = {
    "leads out": b"100644 ..\0" + ID,
    "is a path": b"100644 tinytorch/tensor.py\0" + ID,
    "is itself": b"40000 .\0" + ID,
    "nameless": b"100644 \0" + ID,
    "cut short": b"100644 a\0" + ID[:5],
    "no entry": b"no entry at all",
}


@pytest.mark.parametrize("kind", TREES)
def test_a_malformed_tree_is_refused(kind, alice):
    """Git never writes one; a program can."""
    refused(commit_tree(alice, TREES[kind]), "expected a tree that git wrote, got a malformed one")


def test_a_tree_with_one_name_twice_is_refused(alice):
    """Which of the two would be graded?"""
    blob = bytes.fromhex(write_object(alice, "blob", b"x = 9\n"))
    inner = write_object(alice, "tree", b"100644 tensor.py\0" + blob + b"100644 tensor.py\0" + blob)
    source = commit_tree(alice, b"40000 tinytorch\0" + bytes.fromhex(inner))
    refused(source, "expected every name once, got 'tinytorch/tensor.py' twice")


def test_a_tree_bomb_is_refused(alice):
    """Ten trees of ten entries each are ten thousand million files."""
    inner = bytes.fromhex(write_object(alice, "blob", b""))
    mode = b"100644"
    for _ in range(10):
        content = b"".join(b"%s %d\0%s" % (mode, i, inner) for i in range(10))
        inner, mode = bytes.fromhex(write_object(alice, "tree", content)), b"40000"
    refused(commit_tree(alice, content), "expected at most 1000 files and folders, got more")


def test_a_blob_bomb_is_refused_by_its_size(alice):
    """A hundred megabytes of zeros are a hundred kilobytes in a repository."""
    blob = bytes.fromhex(write_object(alice, "blob", bytes(100 << 20)))
    refused(commit_tree(alice, b"100644 a\0" + blob), "'a': expected at most 10 MiB, got 100 MiB")


def test_a_commit_or_tree_of_excessive_size_is_refused(alice):
    """Not only files can be bombs."""
    one = write_commit(alice, "0" * 40, bytes(2 << 20))
    refused(f"{alice}@{one}", f"'commit {one}': expected at most 1 MiB, got 2 MiB")
    refused(commit_tree(alice, bytes(11 << 20)), "'tree .*': expected at most 10 MiB, got 11 MiB")


def test_a_commit_without_a_readable_time_is_refused(alice):
    """A number of seconds without end is no time."""
    one = write_object(
        alice, "commit", b"tree " + b"0" * 40 + b"\ncommitter a <a> 9999999999999 +0\n"
    )
    refused(f"{alice}@{one}", "expected a commit that git wrote, got a malformed one")


def test_names_that_are_not_text_are_quoted(alice):
    """A name in a tree is any bytes but a slash and a NUL."""
    blob = bytes.fromhex(write_object(alice, "blob", bytes(11 << 20)))
    source = commit_tree(alice, b"100644 \n::error::\xff\x1b[2J\0" + blob)
    refused(source, r"alice: '\\n::error::\\udcff\\x1b\[2J': expected at most 10 MiB")


def test_git_is_bounded_in_memory(alice):
    """An object can unpack to more than the machine has before its size is known to be a lie."""
    one = write_commit(alice, "0" * 40, bytes(100 << 20))
    refused(f"{alice}@{one}", "expected at most 1 MiB, got 100 MiB")
    refused(f"{alice}@{one}", "missing or damaged", Limits(git_memory_bytes=64 << 20))


@pytest.mark.parametrize("seconds", [10**15, 4 * 10**9, 2**64 - 1])
def test_a_commit_from_the_future_is_graded_as_of_now(seconds, alice):
    """Git keeps any number; a clock that is wrong costs nobody their points."""
    tree = build.git(alice, "rev-parse", "HEAD^{tree}")
    content = f"tree {tree}\nauthor a <a> 1 +0000\ncommitter a <a> {seconds} +0000\n\nodd"
    one = write_object(alice, "commit", content.encode())
    with receive(f"{alice}@{one}") as submission:
        assert submission.submitted_at.timestamp() <= time.time()


def test_a_commit_from_before_the_epoch_is_refused(alice):
    """Git never writes one; a program can."""
    tree = build.git(alice, "rev-parse", "HEAD^{tree}")
    content = f"tree {tree}\nauthor a <a> 1 +0000\ncommitter a <a> -5 +0000\n\nodd"
    one = write_object(alice, "commit", content.encode())
    refused(f"{alice}@{one}", "expected a commit that git wrote, got a malformed one")
