"""A repository is read by its objects alone; nothing that it configures is obeyed."""

from __future__ import annotations

import os
import threading

import pytest

from autograder.errors import GraderError, SubmissionError
from autograder.intake import Limits, objects, receive
from tests.processes import descendants
from tests.submissions import build
from tests.submissions.loose import loose

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


def test_what_is_committed_counts_and_not_what_lies_beside_it(alice):
    """The commit in the report and the graded bytes belong together."""
    (alice / "tinytorch" / "tensor.py").write_bytes(b"uncommitted")
    with receive(alice) as submission:
        assert submission.source("tensor") == b"x = 1\n"


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("name", ["main", "v1", "annotated", "feature/ä", "{id}", "{id:.7}"])
def test_a_commit_can_be_named_by_branch_tag_and_id(alice, name, packed):
    """A teacher grades the commit of the deadline."""
    build.git(alice, "tag", "v1")
    build.git(alice, "tag", "--annotate", "--message=x", "annotated")
    build.git(alice, "branch", "feature/ä")
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
    "heads/\nmain",
    "^{/work}",
]


@pytest.mark.parametrize("revision", UNKNOWN)
def test_an_unknown_commit_is_named(alice, revision):
    """Options, paths and expressions are no names of commits."""
    refused(
        f"{alice}@{revision}", "alice: expected the commit '.*', got a repository (without|where)"
    )


def test_a_bare_repository_whose_head_nobody_pushed_is_read_at_main(alice, tmp_path):
    """`git init --bare` may point HEAD at master, and students push main."""
    origin = tmp_path / "origin.git"
    origin.mkdir()
    build.git(origin, "init", "--quiet", "--bare", "--initial-branch=master")
    build.git(alice, "push", "--quiet", str(origin), "main")
    with receive(origin) as submission:
        assert submission.commit == build.git(alice, "rev-parse", "main")


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
    monkeypatch.setenv("HOME", str(build.folder(tmp_path / "home", {".gitconfig": b"[broken"})))
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


def test_a_missing_or_old_git_is_the_grader_s_fault(alice, tmp_path, monkeypatch):
    """The submission is not refused for what the machine lacks."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(GraderError, match="needs git 2.36 or newer"), receive(alice):
        pass
    (tmp_path / "git").write_text(f"#!/bin/sh\nexit {objects.USAGE}\n")
    (tmp_path / "git").chmod(0o755)
    with pytest.raises(GraderError, match="needs git 2.36 or newer"), receive(alice):
        pass


def test_a_git_that_hangs_is_ended(alice, tmp_path, monkeypatch):
    """An object can be made so that git takes for ever over it."""
    (tmp_path / "git").write_text("#!/bin/sh\nexec /bin/sleep 3600\n")
    (tmp_path / "git").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    refused(alice, "expected to be read within 0.5 s, got longer", Limits(wall_s=0.5))


def test_no_process_and_no_thread_stays(alice):
    """A class is graded in one process, hundreds of repositories after each other."""
    before = descendants(), threading.active_count()
    with receive(alice):
        pass
    refused(f"{alice}@{'0' * 40}", "where it is missing")
    assert (descendants(), threading.active_count()) == before
