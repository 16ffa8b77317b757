"""Every form of submission gives the same files, and one clear line where it gives none."""

from __future__ import annotations

import os
import re
import time
from datetime import datetime, timezone

import pytest

from autograder.errors import SubmissionError
from autograder.intake import Limits, receive
from autograder.intake.tree import moment
from tests.submissions import build

FILES = {
    "tinytorch/tensor.py": b"x = 1\n",
    "tinytorch/activations.py": b"y = '\xff'\n",
    "README.md": b"mine\n",
}


def folder(at):
    """The files as a plain folder."""
    return build.folder(at / "alice", FILES)


def repository(at):
    """The files as a git repository."""
    return build.repository(at / "alice", FILES)


def bare(at):
    """The repository as a server holds it."""
    build.git(at, "clone", "--quiet", "--bare", str(repository(at)), "bare/alice.git")
    return at / "bare" / "alice.git"


def zipped(at):
    """The files as a zip."""
    return build.zip_file(at / "alice.zip", FILES)


def tarred(at):
    """The files as a .tar.gz."""
    return build.tar_file(at / "alice.tar.gz", FILES)


def wrapped_zip(at):
    """The files in a zip as GitHub packs one: in a folder of its own."""
    files = {f"alice-main/{name}": content for name, content in FILES.items()}
    return build.zip_file(at / "alice.zip", files)


def wrapped_tar(at):
    """The files in a .tar.gz as `tar czf alice.tgz ./alice` packs one."""
    files = {f"./alice/{name}": content for name, content in FILES.items()}
    return build.tar_file(at / "alice.tgz", files)


FORMS = [folder, repository, bare, zipped, tarred, wrapped_zip, wrapped_tar]


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_submission_gives_the_same_files(form, tmp_path):
    """The graded bytes are the student's, whatever they were packed in."""
    with receive(form(tmp_path)) as submission:
        assert submission.source("tensor") == FILES["tinytorch/tensor.py"]
        assert submission.source("activations") == FILES["tinytorch/activations.py"]
        assert submission.source("layers") is None
        assert submission.name == "alice"
        assert submission.notes == ()


def test_the_digest_depends_on_the_graded_files_alone(tmp_path):
    """Two forms of one work can be told to be one work."""
    digests = set()
    for form in FORMS:
        (tmp_path / form.__name__).mkdir()
        with receive(form(tmp_path / form.__name__)) as submission:
            digests.add(submission.digest)
    assert len(digests) == 1
    with receive(build.folder(tmp_path / "bob", {"tinytorch/tensor.py": b"x = 2\n"})) as other:
        assert other.digest not in digests


def test_only_the_graded_files_are_copied_and_the_copy_goes_away(tmp_path):
    """Nothing else of a submission touches the grader's disk, and nothing stays."""
    with receive(folder(tmp_path)) as submission:
        copied = {path.name for path in submission.root.rglob("*") if path.is_file()}
        assert copied == {"tensor.py", "activations.py"}
        assert submission.root.stat().st_mode & 0o077 == 0
    assert not submission.root.exists()


def test_a_copy_is_not_touched_by_what_happens_to_the_original(tmp_path):
    """A submission that deletes its files while it is graded deletes its own only."""
    with receive(folder(tmp_path)) as submission:
        (tmp_path / "alice" / "tinytorch" / "tensor.py").unlink()
        assert submission.source("tensor") == FILES["tinytorch/tensor.py"]


def test_a_commit_brings_its_id_its_tree_and_its_time(tmp_path):
    """A report names exactly what was graded."""
    path = repository(tmp_path)
    with receive(path) as submission:
        assert submission.commit == build.git(path, "rev-parse", "HEAD")
        assert submission.tree == build.git(path, "rev-parse", "HEAD^{tree}")
        assert submission.submitted_at == datetime(2026, 3, 1, 12, tzinfo=timezone.utc)


def test_a_folder_has_no_commit_but_the_time_of_its_newest_file(tmp_path):
    """Without git the clock of the disk is all there is."""
    with receive(folder(tmp_path)) as submission:
        newest = max(p.stat().st_mtime for p in (tmp_path / "alice" / "tinytorch").iterdir())
        assert submission.commit is submission.tree is None
        assert submission.submitted_at == datetime.fromtimestamp(newest, timezone.utc)


@pytest.mark.parametrize("seconds", [10**12, 4 * 10**9, -5, -(10**12)])
@pytest.mark.parametrize("form", [folder, zipped, tarred])
def test_a_file_time_that_no_clock_showed_is_brought_into_range(form, seconds, tmp_path):
    """A disk keeps any number as a time; grading needs one that has been."""
    path = form(tmp_path)
    for file in [path, *path.rglob("*.py")]:
        os.utime(file, (seconds, seconds))
    with receive(path) as submission:
        assert 0 <= submission.submitted_at.timestamp() <= time.time()


@pytest.mark.parametrize("seconds", [float(10**12), float(-(10**12)), 1e300])
def test_a_time_of_any_size_is_a_moment_between_the_epoch_and_now(seconds):
    """Not every disk keeps such a time, so it is given here."""
    expected = 0 if seconds < 0 else time.time()
    assert moment(seconds).timestamp() == pytest.approx(expected, abs=60)


@pytest.mark.parametrize(
    "path, kind",
    [("nowhere", "no such path"), ("nowhere@main", "no such path"), ("a.txt", "another file")],
)
def test_what_is_no_submission_is_named(path, kind, tmp_path):
    """A wrong path is the commonest mistake."""
    (tmp_path / "a.txt").write_text("not an archive")
    with (
        pytest.raises(SubmissionError, match=f"expected a folder.*got {kind}"),
        receive(tmp_path / path),
    ):
        pass


@pytest.mark.parametrize("files", [{}, {"README.md": b""}], ids=["empty", "other files"])
@pytest.mark.parametrize("pack", [build.folder, build.repository, build.zip_file, build.tar_file])
def test_a_submission_without_a_course_file_is_refused(pack, files, tmp_path):
    """An empty archive, or the wrong folder of the right disk, is not worth 0 points but a word."""
    name = {build.zip_file: "a.zip", build.tar_file: "a.tar.gz"}.get(pack, "a")
    (tmp_path / "a").mkdir()
    came = "1 other files and folders" if files else "nothing at all"
    with (
        pytest.raises(SubmissionError, match=rf"expected files tinytorch/\*\.py, got {came}"),
        receive(pack(tmp_path / name, files)),
    ):
        pass


def test_two_repositories_in_one_archive_are_refused(tmp_path):
    """Nobody guesses whose work is graded."""
    files = {f"{name}/tinytorch/tensor.py": b"" for name in ("alice", "bob")}
    with (
        pytest.raises(SubmissionError, match="expected one folder tinytorch, got 2 of them"),
        receive(build.zip_file(tmp_path / "a.zip", files)),
    ):
        pass


def test_a_file_that_differs_by_case_is_missing_and_noted(tmp_path):
    """Work that is there under a wrong name is not silently worth nothing."""
    files = {"tinytorch/activations.py": b"", "tinytorch/Tensor.PY": b""}
    with receive(build.folder(tmp_path / "a", files)) as submission:
        assert submission.source("tensor") is None
        expected = "'tinytorch/Tensor.PY' is not graded: expected the name 'tinytorch/tensor.py'"
        assert submission.notes == (expected,)


@pytest.mark.parametrize("pack", [build.folder, build.repository, build.zip_file, build.tar_file])
def test_names_that_collide_by_case_are_refused(pack, tmp_path):
    """On another disk one of the two would have replaced the other."""
    name = {build.zip_file: "a.zip", build.tar_file: "a.tar.gz"}.get(pack, "a")
    files = {"tinytorch/tensor.py": b"", "tinytorch/Tensor.py": b""}
    with (
        pytest.raises(SubmissionError, match="differ by more than case.*keep one"),
        receive(pack(tmp_path / name, files)),
    ):
        pass


ODD = ["a" * 65, "a" * 300, "a-b", "ä", "1a", "a\nb", ""]


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("pack", [build.zip_file, build.tar_file])
def test_a_file_whose_name_no_module_has_is_noted_and_not_read(pack, name, tmp_path):
    """A name longer than any disk takes is the student's to mend, and costs that file alone."""
    files = FILES | {f"tinytorch/{name}.py": b"", f"tinytorch/{'b' * 64}.py": b"z = 1\n"}
    path = tmp_path / ("a.zip" if pack is build.zip_file else "a.tar.gz")
    with receive(pack(path, files)) as submission:
        assert submission.source("tensor") == FILES["tinytorch/tensor.py"]
        assert submission.source("b" * 64) == b"z = 1\n"
        (note,) = submission.notes
        assert note.isprintable()
        assert note.endswith("is not read: expected a name of letters, digits and _, at most 64")


LIMITS = Limits(entries=8, depth=3, file_bytes=1000, total_bytes=2000, source_bytes=500)
EXCESSES = {
    "files": ({f"{i}.txt": b"" for i in range(9)}, "at most 8 files and folders, got more"),
    "depth": ({"a/b/c/d/e.txt": b""}, "folders at most 3 deep"),
    "one file": ({"data.bin": bytes(1001)}, "'data.bin': expected at most 1000 bytes, got 1001"),
    "all files": ({f"{i}": bytes(900) for i in range(3)}, "at most 1.953 KiB in all, got more"),
    "a graded file": ({"tinytorch/tensor.py": bytes(501)}, "at most 500 bytes, got 501 bytes"),
}


@pytest.mark.parametrize("excess", EXCESSES)
@pytest.mark.parametrize("pack", [build.folder, build.repository, build.zip_file, build.tar_file])
def test_every_bound_is_named_when_it_is_hit(pack, excess, tmp_path):
    """Each form is held to the same bounds, by what it declares."""
    name = {build.zip_file: "a.zip", build.tar_file: "a.tar.gz"}.get(pack, "a")
    files, words = EXCESSES[excess]
    with (
        pytest.raises(SubmissionError, match=words) as refused,
        receive(pack(tmp_path / name, files), LIMITS),
    ):
        pass
    assert "\n" not in str(refused.value)


def test_reading_for_too_long_is_refused(tmp_path):
    """The time for one submission is bounded, so that none can hold a class up."""
    for form in FORMS[:5]:
        at = tmp_path / form.__name__
        at.mkdir()
        with (
            pytest.raises(SubmissionError, match="to be read within 0 s, got longer"),
            receive(form(at), Limits(wall_s=0)),
        ):
            pass


@pytest.mark.parametrize(
    "name, clean",
    [
        ("::set-output name=x", "__set-output name_x"),
        ("a\nb\x1b[31m", "a_b__31m"),
        ("Jürgen 2", "Jürgen 2"),
        ("alice@work", "alice@work"),
        ("x" * 99, "x" * 80),
    ],
)
def test_the_name_of_a_submission_cannot_pass_for_anything_else(name, clean, tmp_path):
    """A name is printed in logs, tables and pages."""
    with receive(build.folder(tmp_path / name, FILES)) as submission:
        assert submission.name == clean


def test_names_inside_a_submission_are_quoted_in_errors(tmp_path):
    """A file name cannot begin a line of a workflow's log."""
    files = {"\n::error::\x1b[31m\u202e.txt": bytes(1001)}
    with (
        pytest.raises(SubmissionError) as refused,
        receive(build.folder(tmp_path / "a", files), LIMITS),
    ):
        pass
    assert re.fullmatch(r"[ -~]+", str(refused.value))
    assert r"'\n::error::\x1b[31m\u202e.txt'" in str(refused.value)


@pytest.mark.parametrize("fault", [ValueError("year"), OverflowError(), RecursionError()])
def test_data_that_no_reader_foresaw_is_the_submissions_fault(fault, tmp_path, monkeypatch):
    """One line and exit 2; never a class that waits for us to mend a grader that is well."""

    def odd(*_):
        raise fault

    monkeypatch.setattr("autograder.intake.submission.read_folder", odd)
    kind = type(fault).__name__
    with (
        pytest.raises(SubmissionError, match=f"a submission that can be read, got {kind}; hand in"),
        receive(folder(tmp_path)),
    ):
        pass
