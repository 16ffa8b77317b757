"""INSTRUCTOR.md, run as it stands: every command of the page, from the clone to the graded push.

GitHub is the stand-in and bare repositories, `gh` a desk in this process, grade.yml runs under act.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.autograder.delivery import PINNED, Course, server
from tests.autograder.runner import Runner
from tests.github.desk import Desk
from tests.github.standin import APP, TOKEN
from tests.test_style import ROOT, committed

PAGE = ROOT / "INSTRUCTOR.md"
# The tools are installed already: a link to them, newer than what they are made of.
MAKE = """\
#!/bin/sh
[ -e .venv ] || { mkdir .venv && ln -s {venv}/* .venv && rm -f .venv/installed; }
touch .venv/installed
exec {make} "$@"
"""
OLD_ROSTER = """\
"identifier","github_username","github_id","name"
"ada@example.org","ada","11","Lovelace, Ada"
"bob@example.org","bob","12","Bob"
"late@example.org","","","Not there yet"
"""
CONFIG = """\
[url "file://{server}/"]
	insteadOf = https://github.com/
[user]
	name = Teacher
	email = teacher@example.org
"""


def script() -> str:
    """Return the commands of the page, in their order."""
    return "\n".join(re.findall(r"```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL))


class Teacher:
    """A teacher at a machine of their own, with the page before them."""

    def __init__(self, folder: Path, runner: Runner):
        """Bring what the page asks for beforehand."""
        self.folder, self.runner = folder / "teacher", runner
        self.desk = Desk(runner.course.github, self.start)
        shutil.rmtree(runner.course.scores)  # the teacher makes one
        (self.folder / "bin").mkdir(parents=True)
        self.desk.program(self.folder / "bin/gh")
        which = subprocess.run(["which", "make"], check=True, capture_output=True, text=True)
        text = MAKE.replace("{venv}", sys.prefix).replace("{make}", which.stdout.strip())
        (self.folder / "bin/make").write_text(text, encoding="utf-8")
        (self.folder / "bin/make").chmod(0o755)
        (self.folder / "students.csv").write_text(OLD_ROSTER, encoding="utf-8")
        server_folder = runner.course.github.folder
        (self.folder / "gitconfig").write_text(CONFIG.format(server=server_folder))

    def start(self, workflow: str) -> None:
        """Run grade.yml with what the page has set up; others are run by tests of their own."""
        if workflow == "grade.yml":
            self.runner.repository = self.folder / "grader"
            secrets = {
                key: value for one in self.desk.secrets.values() for key, value in one.items()
            }
            self.runner.settings = {
                "var": self.desk.variables,
                "secret": secrets | {"GITHUB_TOKEN": "ghs_of_the_job"},
            }
            self.runner.run("workflow_dispatch", {"inputs": {}})

    def follow(self, commands: str) -> subprocess.CompletedProcess[str]:
        """Run the commands in one shell that ends at the first that fails."""
        env = {key: value for key, value in os.environ.items() if not key.startswith("GIT")}
        env |= {
            "PATH": f"{self.folder / 'bin'}{os.pathsep}{env['PATH']}",
            "GIT_CONFIG_GLOBAL": str(self.folder / "gitconfig"),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GITHUB_API_URL": self.runner.course.github.url,
            "COURSE": str(self.folder / "course"),
            "APP_ID": str(APP),
            "APP_CLIENT_ID": "Iv1",
            "IMAGE": PINNED,
            "ME": "ada",
        }
        # the App's key comes from the browser, once there is a folder for it
        before, there, after = commands.partition("settings() {")
        commands = f"{before}echo key > ../keys/app.pem\n{there}{after}"
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", commands],
            cwd=self.folder,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=600,
        )


@pytest.fixture
def teacher(tmp_path, monkeypatch):
    """A teacher, an empty organisation, and this repository as it is now."""
    with server(tmp_path / "server", monkeypatch) as github:
        course = Course(tmp_path, github, monkeypatch)
        for name in ("GH_TOKEN", "AUTOGRADER_KEY_FILE"):
            monkeypatch.delenv(name)
        one = Teacher(tmp_path, Runner(course, tmp_path))
        publish(one.folder / "course")
        yield one
        one.desk.close()


def publish(target: Path) -> None:
    """Put a repository with this tree at `target`, to be cloned."""
    for path in committed():
        copy = target / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
        copy.chmod(path.stat().st_mode)
    git = ["git", "-C", str(target), "-c", "user.name=c", "-c", "user.email=c@example.org"]
    for command in ("init --quiet --initial-branch=main", "add --all", "commit --quiet -m Course"):
        subprocess.run([*git, *command.split()], check=True)


def test_the_page_leads_from_a_clone_to_the_first_graded_push(teacher):
    """Each fenced command, in order, by the real commands of the course."""
    done = teacher.follow(script())
    assert done.returncode == 0, done.stdout[-6000:]
    desk, github = teacher.desk, teacher.runner.course.github
    assert desk.started == ["image.yml", "grade.yml", "leaderboard.yml", "compete.yml"]
    assert desk.collaborators == ["tt-ada: ada", "tt-bob: bob"]
    assert set(desk.secrets["grading"]) == {"APP_PRIVATE_KEY"}, "who may read may not sign"
    assert desk.variables["COMPETITION"] == "open"
    ada, bob = desk.named("tt-ada"), desk.named("tt-bob")
    (run,) = github.checks[ada.id]
    assert run["output"]["title"].startswith("100 / ")
    (comment,) = github.comment_lists[ada.id, 1]
    assert "01 Tensor: 100 / 100" in comment["body"]
    roster = (teacher.folder / "grader/roster.csv").read_text(encoding="utf-8")
    assert f"ada,11,course/tt-ada,{ada.id},ada@example.org" in roster
    marks = (teacher.folder / "moodle.csv").read_text(encoding="utf-8").splitlines()
    assert [line.split(",")[:2] for line in marks[1:]] == [
        ["ada@example.org", "100"],
        ["bob@example.org", "0"],
        ["late@example.org", ""],
    ]
    assert "late@example.org: no repository and no GitHub account" in done.stdout
    assert github.checks[bob.id], "the template itself is graded, and earns nothing"
    kept = subprocess.run(
        ["git", "-C", teacher.folder / "grader", "status", "--porcelain"],
        capture_output=True,
        text=True,
    )
    assert kept.stdout == "", "what belongs into the grader repository is committed, nothing else"
    assert TOKEN not in done.stdout


def test_a_command_of_the_page_that_fails_is_seen(teacher):
    """The test above can fail: the walk ends at the first command that does."""
    done = teacher.follow("gh repo delete course/grader\necho went on\n")
    assert done.returncode != 0 and "went on" not in done.stdout
