"""An archive is read member by member; names, sizes and kinds in it are claims, not facts."""

from __future__ import annotations

import gzip
import os
import stat
import struct
import tarfile
import zipfile

import pytest

from autograder.errors import SubmissionError
from autograder.intake import receive
from tests.submissions import build

WORK = {"tinytorch/tensor.py": b"x = 1\n"}
OUTSIDE = [
    "../tinytorch/tensor.py",
    "tinytorch/../../x.py",
    "/etc/cron.d/x",
    "C:/windows/x.py",
    "c:x.py",
    "tinytorch\\tensor.py",
    "..\\x.py",
]


def refused(path, words):
    """Assert that the archive at `path` is refused in one line with `words`."""
    with pytest.raises(SubmissionError, match=words) as error, receive(path):
        pass
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", OUTSIDE)
def test_names_that_lead_out_are_refused(name, tmp_path):
    """zip-slip: the name decides where a careless program writes."""
    words = "expected relative names inside the archive, got '"
    refused(build.zip_file(tmp_path / "a.zip", WORK | {name: b"evil"}), words)
    refused(build.tar_file(tmp_path / "a.tar.gz", WORK | {name: b"evil"}), words)
    assert sorted(os.listdir(tmp_path)) == ["a.tar.gz", "a.zip"]


def test_a_name_with_a_nul_is_refused(tmp_path):
    """Some programs see tensor.py, others the whole name."""
    path = build.zip_file(tmp_path / "a.zip", {"tinytorch/tensor.pyXhidden": b""})
    path.write_bytes(path.read_bytes().replace(b"pyXhidden", b"py\0hidden"))
    refused(path, r"got 'tinytorch/tensor\.py\\x00hidden'")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_given_twice_is_refused(tmp_path):
    """One program would grade the first, another the last."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("tinytorch/tensor.py", b"first")
        archive.writestr("tinytorch/tensor.py", b"last")
    refused(tmp_path / "a.zip", "expected every name once, got 'tinytorch/tensor.py' twice")
    files = {"tinytorch/tensor.py": b"first", "./tinytorch//tensor.py": b"last"}
    refused(build.tar_file(tmp_path / "a.tar.gz", files), "expected every name once")


KINDS = {
    "link": tarfile.SYMTYPE,
    "hard link": tarfile.LNKTYPE,
    "pipe": tarfile.FIFOTYPE,
    "character device": tarfile.CHRTYPE,
    "block device": tarfile.BLKTYPE,
    "sparse file": tarfile.GNUTYPE_SPARSE,
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_tar_member_that_is_no_regular_file_is_as_missing(kind, tmp_path):
    """A link to the hidden tests must not become a file."""
    member = tarfile.TarInfo("tinytorch/activations.py")
    member.type, member.linkname = KINDS[kind], "/etc/passwd"
    with receive(build.tar_file(tmp_path / "a.tar.gz", WORK, member)) as submission:
        assert submission.source("activations") is None
        assert submission.source("tensor") == WORK["tinytorch/tensor.py"]
        (note,) = submission.notes
        assert note.startswith("'tinytorch/activations.py' is a ") and note.endswith(": not read")


def test_a_link_in_a_zip_is_as_missing(tmp_path):
    """A zip keeps a link as a small file with a mode."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        link = zipfile.ZipInfo("tinytorch/activations.py")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("tinytorch/tensor.py", b"")
    with receive(tmp_path / "a.zip") as submission:
        assert submission.source("activations") is None
        assert submission.notes == ("'tinytorch/activations.py' is a link: not read",)


def test_a_zip_bomb_is_refused_by_what_it_declares(tmp_path):
    """A thousandfold of zeros in a small file."""
    path = build.zip_file(tmp_path / "a.zip", {"tinytorch/tensor.py": bytes(50 << 20)})
    assert path.stat().st_size < 100_000
    refused(path, "'tinytorch/tensor.py': expected at most 1 MiB, got 50 MiB")


def test_a_zip_that_lies_about_a_size_is_refused(tmp_path):
    """A header says 6 bytes, the content says otherwise."""
    path = build.zip_file(tmp_path / "a.zip", {"tinytorch/tensor.py": bytes(5_000_000)})
    real, lie = struct.pack("<L", 5_000_000), struct.pack("<L", 6)
    path.write_bytes(path.read_bytes().replace(real, lie))
    refused(path, "expected a readable .zip or .tar.gz, got a broken one")


@pytest.mark.parametrize(
    "folder, words", [("", "at most 50 MiB in all"), (".venv/", "at most 65.62 MiB unpacked")]
)
def test_a_tar_bomb_is_refused_by_what_it_unpacks_to(folder, words, tmp_path):
    """Gzip has no header to be believed; also what is passed over has to be unpacked."""
    member = tarfile.TarInfo()
    member.size = 9 << 20
    with gzip.open(tmp_path / "a.tar.gz", "wb", compresslevel=1) as stream:
        for number in range(9):
            member.name = f"{folder}{number}.bin"
            stream.write(member.tobuf() + bytes(member.size))
    refused(tmp_path / "a.tar.gz", f"expected {words}, got more")


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME])
def test_a_tar_header_of_excessive_length_is_not_read_into_memory(kind, tmp_path):
    """A header may declare gigabytes, all of which tarfile would ask for at once."""
    member = tarfile.TarInfo("x")
    member.type, member.size = kind, 8 << 30
    with gzip.open(tmp_path / "a.tar.gz", "wb") as stream:
        stream.write(member.tobuf(format=tarfile.GNU_FORMAT) + bytes(4096))
    refused(tmp_path / "a.tar.gz", "expected headers of ordinary size, got 8 GiB")


def test_a_tar_of_nothing_but_headers_ends(tmp_path):
    """A header about the next header, thousands of times, is a recursion without end."""
    member = tarfile.TarInfo("x")
    member.type, member.size = tarfile.GNUTYPE_LONGNAME, 4
    with gzip.open(tmp_path / "a.tar.gz", "wb") as stream:
        for _ in range(20_000):
            stream.write(member.tobuf() + b"name".ljust(512, b"\0"))
    refused(tmp_path / "a.tar.gz", "got a broken one")


def test_a_zip_with_a_table_of_a_million_names_is_not_loaded(tmp_path):
    """The table alone would be a gigabyte in memory."""
    path = build.zip_file(tmp_path / "a.zip", {f"{i:060}": b"" for i in range(12_000)})
    refused(path, "expected headers of ordinary size, got 1.2")


def test_a_thousand_members_are_refused(tmp_path):
    """Somebody has packed more than a course."""
    files = {f"junk/{i}.txt": b"" for i in range(1001)}
    refused(build.zip_file(tmp_path / "a.zip", files), "at most 1000 files and folders, got more")
    refused(build.tar_file(tmp_path / "a.tgz", files), "at most 1000 files and folders, got more")


def test_a_large_archive_is_refused_unread(tmp_path):
    """Before anything is unpacked, there is the size of the file."""
    with open(tmp_path / "a.zip", "wb") as file:
        file.truncate(1 << 30)
    refused(tmp_path / "a.zip", "a: expected at most 20 MiB, got 1 GiB")


BROKEN = {
    "empty": b"",
    "text": b"this is no archive",
    "zip cut short": b"PK\x03\x04" + bytes(40),
    "gzip cut short": gzip.compress(tarfile.TarInfo("a").tobuf() + os.urandom(512))[:300],
    "gzip of text": gzip.compress(b"this is no tar" * 100),
}


@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz"])
@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_archive_is_a_clear_line(broken, name, tmp_path):
    """An upload that failed half-way, or a file that was renamed."""
    (tmp_path / name).write_bytes(BROKEN[broken])
    refused(
        tmp_path / name, "expected a readable .zip or .tar.gz, got a broken one .* pack it anew"
    )


def test_an_encrypted_zip_is_refused(tmp_path):
    """There is nobody to ask for the password."""
    path = build.zip_file(tmp_path / "a.zip", WORK)
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    refused(path, "expected plain deflate, got encryption or a rare method")


def test_a_zip_packed_with_lzma_is_refused(tmp_path):
    """Its dictionary may ask for gigabytes."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("tinytorch/tensor.py", b"x = 1\n")
    refused(tmp_path / "a.zip", "got encryption or a rare method")


def test_hidden_folders_in_an_archive_are_passed_over(tmp_path):
    """A zip of a clone holds its history, one of a Mac holds each name twice."""
    extra = {f".git/objects/{i}": b"" for i in range(1000)} | {"__MACOSX/tinytorch/._x.py": b""}
    with receive(build.zip_file(tmp_path / "a.zip", WORK | extra)) as submission:
        assert submission.source("tensor") == WORK["tinytorch/tensor.py"]


def test_a_pipe_that_is_called_an_archive_does_not_block(tmp_path):
    """Opening it would wait for a writer."""
    os.mkfifo(tmp_path / "a.zip")
    refused(tmp_path / "a.zip", "expected a folder.*got another file")
