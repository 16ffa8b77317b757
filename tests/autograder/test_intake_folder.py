"""A folder is read without following anything out of it and without waiting for anything."""

from __future__ import annotations

import errno
import os
import socket

import pytest

from autograder.errors import SubmissionError
from autograder.intake import folder as reader
from autograder.intake import receive
from tests.submissions import build

SECRET = b"what only staff may read"


@pytest.fixture
def alice(tmp_path):
    """A plain folder with one graded file."""
    return build.folder(tmp_path / "alice", {"tinytorch/activations.py": b"y = 2\n"})


@pytest.fixture
def secret(tmp_path):
    """A file outside the submission."""
    return build.folder(tmp_path / "staff", {"tensor.py": SECRET}) / "tensor.py"


@pytest.mark.parametrize("target", ["{secret}", "../../staff/tensor.py", "activations.py"])
def test_a_link_in_place_of_a_graded_file_is_as_missing(alice, secret, target):
    """Not even a link that stays inside is followed."""
    (alice / "tinytorch" / "tensor.py").symlink_to(target.format(secret=secret))
    with receive(alice) as submission:
        assert submission.source("tensor") is None
        assert submission.notes == ("'tinytorch/tensor.py' is a link: not read",)


def test_a_linked_folder_is_not_entered(tmp_path, secret):
    """The whole of tinytorch as a link is no tinytorch."""
    alice = build.folder(tmp_path / "alice", {"README.md": b""})
    (alice / "tinytorch").symlink_to(secret.parent)
    with pytest.raises(SubmissionError, match="got 2 other files and folders"), receive(alice):
        pass


@pytest.mark.parametrize("make", [build.folder, build.repository])
def test_a_link_as_the_submission_is_refused(make, tmp_path):
    """Among a class's folders, a link would grade one student's work for another."""
    (tmp_path / "bob").symlink_to(make(tmp_path / "ada", {"tinytorch/tensor.py": b""}))
    with pytest.raises(SubmissionError, match="got a link; name"), receive(tmp_path / "bob"):
        pass


@pytest.mark.parametrize("kind", ["pipe", "socket"])
def test_a_special_file_is_noted_and_never_opened(alice, kind):
    """Opening a pipe waits for its writer, for ever."""
    path = alice / "tinytorch" / "tensor.py"
    if kind == "pipe":
        os.mkfifo(path)
    else:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(os.path.relpath(path))  # the name of a socket must be short
    with receive(alice) as submission:
        assert submission.source("tensor") is None
        expected = "'tinytorch/tensor.py' is a device, socket or pipe: not read"
        assert submission.notes == (expected,)


def test_a_pipe_swapped_in_after_the_listing_does_not_block(alice, monkeypatch):
    """The descriptor that was opened is asked what it is."""
    real = reader.read_file

    def swap(name, *rest):
        (alice / "tinytorch" / name).unlink()
        os.mkfifo(alice / "tinytorch" / name)
        return real(name, *rest)

    monkeypatch.setattr(reader, "read_file", swap)
    with pytest.raises(SubmissionError, match="expected a regular file"), receive(alice):
        pass


def test_a_sparse_file_of_ten_gigabytes_is_refused_unread(alice):
    """Its size is read, not its zeros."""
    with open(alice / "weights.bin", "wb") as file:
        file.truncate(10 << 30)
    words = "'weights.bin': expected at most 10 MiB, got 10 GiB; remove"
    with pytest.raises(SubmissionError, match=words), receive(alice):
        pass


def test_a_thousand_files_are_refused(alice):
    """Somebody has handed in more than a course."""
    build.folder(alice, {f"junk/{i}.txt": b"" for i in range(1000)})
    with pytest.raises(SubmissionError, match="at most 1000 files and folders"), receive(alice):
        pass


def test_hidden_folders_and_caches_are_neither_counted_nor_read(alice):
    """A virtual environment beside the work is nobody's mistake."""
    build.folder(alice, {f".venv/lib/{i}.py": b"" for i in range(1000)})
    build.folder(alice, {"tinytorch/__pycache__/tensor.pyc": b""})
    with receive(alice) as submission:
        assert submission.notes == ()


def test_names_that_are_not_text_are_harmless(alice):
    """A name is bytes to the disk and may be anything."""
    for name in (b"\xff\xfe.py", b"a\nb.py", b"\x1b[2J.py"):
        with open(os.path.join(os.fsencode(alice / "tinytorch"), name), "wb"):
            pass
    os.symlink("nowhere", os.path.join(os.fsencode(alice), b"\n::error::\xff"))
    with receive(alice) as submission:
        assert r"'\n::error::\udcff' is a link: not read" in submission.notes
        assert all(note.isascii() and note.isprintable() for note in submission.notes)


def test_an_unreadable_file_is_named(alice, monkeypatch):
    """The student can mend the permissions, or the teacher."""
    real = os.open

    def deny(name, *rest, **options):
        if name == "activations.py":
            raise PermissionError(errno.EACCES, "Permission denied")
        return real(name, *rest, **options)

    monkeypatch.setattr(reader.os, "open", deny)  # root, too, must see this error
    with (
        pytest.raises(SubmissionError, match="'activations.py'.*Permission denied"),
        receive(alice),
    ):
        pass


def test_a_file_that_changes_while_it_is_read_is_refused(alice, monkeypatch):
    """Half of one version and half of another is nobody's work."""
    growing = alice / "tinytorch" / "activations.py"
    real = os.fstat

    def append_after_stat(file):
        facts = real(file)
        growing.write_bytes(growing.read_bytes() + b"more\n")
        return facts

    monkeypatch.setattr(reader.os, "fstat", append_after_stat)
    with pytest.raises(SubmissionError, match="got one that changes while read"), receive(alice):
        pass


def test_a_file_swapped_for_a_link_after_the_listing_is_refused(alice, secret, monkeypatch):
    """What was listed and what is opened must be one thing."""
    real = reader.read_file

    def swap(name, *rest):
        (alice / "tinytorch" / name).unlink()
        (alice / "tinytorch" / name).symlink_to(secret)
        return real(name, *rest)

    monkeypatch.setattr(reader, "read_file", swap)
    with pytest.raises(SubmissionError, match="expected a readable file, got a link"):
        with receive(alice):
            pass


def test_a_folder_that_vanishes_is_a_clear_line(alice, monkeypatch):
    """A disk may fail at any moment; the error is ours to word."""

    def vanish(*_):
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(reader, "_walk", vanish)
    with pytest.raises(SubmissionError, match="alice: expected a submission that can be read"):
        with receive(alice):
            pass
