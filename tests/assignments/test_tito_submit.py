"""tito submit against a real remote: work arrives, obstacles are named, nothing is forced."""

from __future__ import annotations

import subprocess

import pytest

from tests.assignments.test_tito_mistakes import mistake
from tests.student import StudentRepository


@pytest.fixture
def student(tmp_path):
    """A student with one started module and a remote that has the template."""
    repository = StudentRepository(tmp_path / "my course work")
    subprocess.run(
        ["git", "init", "--bare", "--quiet", "-b", "main", tmp_path / "r.git"], check=True
    )
    repository.git("remote", "add", "origin", str(tmp_path / "r.git"))
    repository.git("push", "--quiet", "--set-upstream", "origin", "main")
    repository.tito("start", "01")
    return repository


def pushed(student, path="tinytorch/tensor.py"):
    return student.git("show", f"main:{path}", cwd=student.root.parent / "r.git")


def test_submit_commits_the_package_and_pushes_it(student):
    """What the remote has is what the student has, under a message that names the modules."""
    run = student.tito("submit")
    assert (run.returncode, run.stderr) == (0, "")
    assert "committed tensor\n" in run.stdout
    assert "pushed main to origin" in run.stdout and "your work is handed in" in run.stdout
    assert pushed(student) == student.file("tensor").read_text(encoding="utf-8").strip()
    assert student.git("log", "-1", "--format=%s") == "Submit tensor"


def test_submit_leaves_all_other_files_alone(student):
    """Only tinytorch/ is handed in; what else is changed or staged stays so."""
    (student.root / "notes.txt").write_text("mine", encoding="utf-8")
    student.git("add", "notes.txt")
    student.tito("submit")
    assert student.git("status", "--porcelain") == "A  notes.txt"


def test_the_name_for_the_leaderboard_is_handed_in_too(student):
    """leaderboard.toml is the student's as well: its coming and its going."""
    alias = student.root / "leaderboard.toml"
    alias.write_text('alias = "Ada"', encoding="utf-8")
    assert "committed leaderboard, tensor\n" in student.tito("submit").stdout
    assert pushed(student, "leaderboard.toml") == 'alias = "Ada"'
    alias.unlink()
    assert "committed leaderboard\n" in student.tito("submit").stdout


def test_entries_are_handed_in_and_what_breaks_a_rule_is_told_at_once(student):
    """The grader would tell it in the next night."""
    entry = student.root / "entry"
    entry.mkdir()
    for name in ("featherweight.py", "featherweight.bin"):
        (entry / name).write_text("x = 1", encoding="utf-8")
    run = student.tito("submit")
    assert "committed featherweight, tensor\n" in run.stdout and "refuse" not in run.stdout
    (entry / "sprint.bin").write_bytes(b"1")
    (entry / "notes.txt").write_bytes(b"")
    told = student.tito("submit").stdout
    assert pushed(student, "entry/sprint.bin") == "1"
    assert told.count("refuse this: entry/ holds 'notes.txt'") == 1
    (entry / "notes.txt").unlink()
    told = student.tito("submit").stdout
    assert told.endswith("entry/sprint.bin comes without entry/sprint.py: add it\n")


def test_a_deleted_file_is_handed_in_as_deleted(student):
    """The remote follows the folder."""
    student.tito("submit")
    student.file("tensor").unlink()
    assert student.tito("submit").returncode == 0
    assert "tensor.py" not in student.git(
        "ls-tree", "-r", "--name-only", "origin/main", "tinytorch"
    )


def test_submitting_twice_says_that_there_is_nothing_to_do(student):
    """The second time is no failure."""
    student.tito("submit")
    run = student.tito("submit")
    assert (run.returncode, run.stdout) == (
        0,
        "nothing to submit: what is graded is committed and pushed as it is\n",
    )


def test_a_commit_that_was_never_pushed_is_pushed(student):
    """Committed by hand, then submitted."""
    student.git("add", "tinytorch")
    student.git("commit", "-q", "-m", "by hand")
    run = student.tito("submit")
    assert "committed" not in run.stdout and "pushed main to origin" in run.stdout


def test_without_a_remote_nothing_is_committed(student):
    """What is missing is named before anything happens."""
    student.git("remote", "remove", "origin")
    assert "run `git remote add origin ADDRESS`" in mistake(student.tito("submit"))
    assert student.git("status", "--porcelain") == "?? tinytorch/tensor.py"


def test_a_remote_that_is_ahead_is_never_forced(student):
    """Commits on the remote stay; the way to get them is said."""
    theirs = student.root.parent / "theirs"
    student.git("clone", "--quiet", str(student.root.parent / "r.git"), str(theirs))
    (theirs / "README.md").write_text("changed there", encoding="utf-8")
    student.git("commit", "-qam", "there", cwd=theirs)
    student.git("push", "-q", cwd=theirs)
    assert "run `git pull --rebase`, submit again" in mistake(student.tito("submit"))
    assert pushed(student, "README.md") == "changed there"


def test_a_remote_that_is_gone_is_said_in_git_s_words(student):
    """The line names what git could not do."""
    student.git("remote", "set-url", "origin", str(student.root / "nowhere.git"))
    line = mistake(student.tito("submit"))
    assert line.startswith("git push failed: fatal: ") and "nowhere.git" in line


def test_a_branch_is_needed(student):
    """A checked-out commit is no branch; the way back is said."""
    student.git("checkout", "--quiet", "--detach")
    assert mistake(student.tito("submit")) == (
        "no branch is checked out; run `git switch main` and submit again"
    )


def test_a_folder_without_git_is_no_repository(student, tmp_path):
    """Downloaded as an archive, for one."""
    (student.root / ".git").rename(tmp_path / "git")
    assert "is not a git repository; clone the one" in mistake(student.tito("submit"))


def test_a_student_whom_git_does_not_know_is_told_how_to_say_it(student):
    """git's page of advice becomes two commands."""
    for key in list(student.env):
        if key.startswith("GIT_AUTHOR") or key.startswith("GIT_COMMITTER"):
            del student.env[key]
    student.git("config", "user.useConfigOnly", "true")
    assert 'run `git config user.name "Your Name"`' in mistake(student.tito("submit"))


def test_without_git_the_place_to_get_it_is_named(student, tmp_path):
    """No git on the PATH."""
    assert "git is not installed" in mistake(student.tito("submit", PATH=str(tmp_path)))
