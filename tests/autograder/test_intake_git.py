"""A repository is read by its objects alone; nothing that it configures is obeyed."""

from __future__ import annotations

import hashlib
import os
import zlib

import pytest

from autograder.errors import GraderError, SubmissionError
from autograder.intake import Limits, objects, receive
from tests.submissions import build

WORK = {"tinytorch/tensor.py": b"x = 1\n"}


@pytest.fixture
def alice(tmp_path):
    """A repository with one commit on main."""
    return build.repository(tmp_path / "alice", WORK)


def refused(source, words, limits=None):
    """Assert that `source` is refused in one line with `words`."""
    with pytest.raises(SubmissionError, match=words) as error, receive(source, limits):
        pass
    assert "\n" not in str(error.value)


def later_commit(path):
    """Commit another tensor.py; return the id of the commit before."""
    before = build.git(path, "rev-parse", "HEAD")
    build.folder(path, {"tinytorch/tensor.py": b"x = 2\n"})
    build.git(path, "commit", "--quiet", "--all", "--message=later")
    return before


def loose(path, one):
    """Return the file of the loose object `one`."""
    return path / ".git" / "objects" / one[:2] / one[2:]


def write_object(path, kind, content):
    """Write any bytes as an object, as git itself would refuse to; return its id."""
    whole = b"%s %d\0%s" % (kind.encode(), len(content), content)
    one = hashlib.sha1(whole).hexdigest()
    loose(path, one).parent.mkdir(exist_ok=True)
    loose(path, one).write_bytes(zlib.compress(whole))
    return one


def write_commit(path, tree, message=b"odd"):
    """Write a commit of the object `tree`; return its id."""
    head = f"tree {tree}\nauthor a <a> 1 +0000\ncommitter a <a> 1 +0000\n\n"
    return write_object(path, "commit", head.encode() + message)


def commit_tree(path, content):
    """Commit a tree of the given bytes on the branch `odd`; return how to name it."""
    one = write_commit(path, write_object(path, "tree", content))
    (path / ".git" / "refs" / "heads" / "odd").write_text(one)
    return f"{path}@odd"


def test_what_is_committed_counts_and_not_what_lies_beside_it(alice):
    """The commit in the report and the graded bytes belong together."""
    (alice / "tinytorch" / "tensor.py").write_bytes(b"uncommitted")
    with receive(alice) as submission:
        assert submission.source("tensor") == b"x = 1\n"


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("name", ["main", "v1", "annotated", "feature/a", "{id}", "{id:.7}"])
def test_a_commit_can_be_named_by_branch_tag_and_id(alice, name, packed):
    """A teacher grades the commit of the deadline."""
    build.git(alice, "tag", "v1")
    build.git(alice, "tag", "--annotate", "--message=x", "annotated")
    build.git(alice, "branch", "feature/a")
    build.git(alice, "checkout", "--quiet", "-b", "later")
    first = later_commit(alice)
    if packed:
        build.git(alice, "gc", "--quiet")
    with receive(f"{alice}@{name.format(id=first)}") as submission:
        assert submission.commit == first
        assert submission.source("tensor") == b"x = 1\n"
    with receive(alice) as submission:
        assert submission.source("tensor") == b"x = 2\n"


def test_a_detached_head_is_read(alice):
    """A grader that fetched one commit has no branch."""
    build.git(alice, "checkout", "--quiet", "--detach")
    with receive(alice) as submission:
        assert submission.commit == build.git(alice, "rev-parse", "HEAD")


def test_a_shallow_clone_is_read(alice, tmp_path):
    """A class is cloned without its history."""
    build.git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{alice}", "shallow")
    with receive(tmp_path / "shallow") as submission:
        assert submission.source("tensor") == b"x = 1\n"


UNKNOWN = [
    "nowhere",
    "0" * 40,
    "deadbeef",
    "--help",
    "-p",
    "HEAD~1",
    "main:README.md",
    "../../alice/.git/HEAD",
    "heads/../../HEAD",
    "",
    "main\nHEAD",
    "^{/work}",
]


@pytest.mark.parametrize("revision", UNKNOWN)
def test_an_unknown_commit_is_named(alice, revision):
    """Options, paths and expressions are no names of commits."""
    refused(
        f"{alice}@{revision}", "alice: expected the commit '.*', got a repository (without|where)"
    )


def test_an_empty_repository_is_a_clear_line(tmp_path):
    """The student has not pushed yet."""
    build.git(tmp_path, "init", "--quiet", "alice")
    refused(tmp_path / "alice", "expected the commit 'HEAD', got a repository without it")


def test_a_folder_has_no_commits(tmp_path):
    """A commit can be asked for only where there is git."""
    path = build.folder(tmp_path / "alice", WORK)
    refused(f"{path}@main", "expected a git repository, to find 'main' in it, got none")


def test_links_and_submodules_of_a_commit_are_noted(alice):
    """Git keeps a link as a file with a mode; a submodule is another repository."""
    os.symlink("/etc/passwd", alice / "tinytorch" / "activations.py")
    build.git(alice, "add", "--all")
    head = build.git(alice, "rev-parse", "HEAD")
    build.git(alice, "update-index", "--add", "--cacheinfo", f"160000,{head},data")
    build.git(alice, "commit", "--quiet", "--message=links")
    with receive(alice) as submission:
        assert submission.source("activations") is None
        assert submission.notes == (
            "'data' is a submodule: not read",
            "'tinytorch/activations.py' is a link: not read",
        )


CONFIGURATIONS = {
    "fsmonitor": "[core]\n\tfsmonitor = touch {mark}\n",
    "pager": "[core]\n\tpager = touch {mark}\n[pager]\n\tcat-file = touch {mark}\n",
    "hooks": "[core]\n\thooksPath = {hooks}\n",
    "filter": '[filter "evil"]\n\tsmudge = touch {mark}\n\tclean = touch {mark}\n',
    "textconv": '[diff "evil"]\n\ttextconv = touch {mark}\n',
    "alias": "[alias]\n\tcat-file = !touch {mark}\n",
    "include": "[include]\n\tpath = {outside}\n",
    "promisor": '[extensions]\n\tpartialClone = o\n[remote "o"]\n\tpromisor = true\n'
    "\turl = ext::touch {mark}\n\tuploadpack = touch {mark}\n[protocol]\n\tallow = always\n",
    "broken": "[this is no configuration",
}


@pytest.mark.parametrize("kind", CONFIGURATIONS)
def test_the_configuration_of_a_repository_is_not_obeyed(kind, alice, tmp_path):
    """It can name commands, and git would run them for whoever reads the repository."""
    mark, outside = tmp_path / "mark", tmp_path / "outside"
    outside.write_text(f"[core]\n\tfsmonitor = touch {mark}\n\tpager = touch {mark}\n")
    hook = alice / ".git" / "hooks" / "post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {mark}\n")
    hook.chmod(0o755)
    build.folder(alice, {".gitattributes": b"* filter=evil diff=evil\n"})
    build.git(alice, "add", "--all")
    build.git(alice, "commit", "--quiet", "--message=attributes")
    with open(alice / ".git" / "config", "a") as config:
        config.write(CONFIGURATIONS[kind].format(mark=mark, outside=outside, hooks=hook.parent))
    with receive(alice) as submission:
        assert submission.source("tensor") == b"x = 1\n"
    loose(alice, "7d4290a117a4ddcc11daae7ea675841033830c8f").unlink()  # tensor.py
    refused(alice, "expected a complete, sound repository")  # a missing object fetches nothing
    assert not mark.exists()


def test_the_grader_s_own_environment_does_not_lead_git_elsewhere(alice, tmp_path, monkeypatch):
    """A grader that runs inside a hook or another checkout has GIT_DIR and more set."""
    other = build.repository(tmp_path / "other", {"tinytorch/tensor.py": b"other"})
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_OBJECT_DIRECTORY", str(other / ".git" / "objects"))
    monkeypatch.setenv("GIT_TRACE", str(tmp_path / "trace"))
    with receive(alice) as submission:
        assert submission.source("tensor") == b"x = 1\n"
    assert not (tmp_path / "trace").exists()


def test_replacements_and_grafts_do_not_change_what_a_commit_is(alice):
    """`git replace` shows another content under the same id."""
    first = later_commit(alice)
    build.git(alice, "replace", first, "HEAD")
    with receive(f"{alice}@{first}") as submission:
        assert submission.commit == first
        assert submission.source("tensor") == b"x = 1\n"


@pytest.mark.parametrize("name", ["alternates", "http-alternates"])
def test_a_repository_that_borrows_objects_is_refused(name, alice, tmp_path):
    """Alternates would open the staff's own repository by the ids of its files."""
    staff = build.repository(tmp_path / "staff", {"hidden.py": b"secret"})
    path = alice / ".git" / "objects" / "info" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"{staff}/.git/objects\n")
    refused(alice, f"expected a repository that holds its own objects, got '{name}'.*--shared")


@pytest.mark.parametrize("part", ["", "objects", "objects/pack", "objects/ab", "refs", "HEAD"])
def test_a_repository_that_is_a_link_somewhere_is_refused(part, alice, tmp_path):
    """Through a link every other repository of the class could be read."""
    staff = build.repository(tmp_path / "staff", {"tinytorch/tensor.py": b"secret"})
    (staff / ".git" / "objects" / "ab").mkdir(exist_ok=True)
    moved = alice / ".git" / part
    if moved.exists():
        moved.rename(tmp_path / "moved")
    (alice / ".git" / part).symlink_to(staff / ".git" / part)
    refused(alice, "link, or something else|holds its own objects")


def test_a_git_file_that_leads_elsewhere_is_refused(tmp_path):
    """A worktree's .git is a file with a path in it."""
    staff = build.repository(tmp_path / "staff", {"tinytorch/tensor.py": b"secret"})
    alice = build.folder(tmp_path / "alice", WORK)
    (alice / ".git").write_text(f"gitdir: {staff}/.git\n")
    refused(alice, r"alice/\.git': expected a readable folder, got a link, or something else")


@pytest.mark.parametrize("place", ["HEAD", "refs/heads/main", "packed-refs", "objects/aa/bb"])
def test_a_pipe_inside_a_repository_does_not_block(place, alice):
    """Reading it would wait for a writer."""
    path = alice / ".git" / place
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    refused(alice, "expected a (regular file|repository that holds its own objects)")


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


def test_a_missing_or_old_git_is_the_grader_s_fault(alice, tmp_path, monkeypatch):
    """The submission is not refused for what the machine lacks."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(GraderError, match="needs git 2.36 or newer"), receive(alice):
        pass
    (tmp_path / "git").write_text(f"#!/bin/sh\nexit {objects.USAGE}\n")
    (tmp_path / "git").chmod(0o755)
    with pytest.raises(GraderError, match="needs git 2.36 or newer"), receive(alice):
        pass


def test_no_process_and_no_thread_stays(alice):
    """A class is graded in one process, hundreds of repositories after each other."""
    with receive(alice):
        pass
    refused(f"{alice}@{'0' * 40}", "where it is missing")
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)
