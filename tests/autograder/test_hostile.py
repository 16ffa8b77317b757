"""Every hostile submission runs against the real grader: it gains nothing, and it is told why."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import tempfile
from pathlib import Path

import pytest

from autograder.sandbox import Limits, Sandbox, kernel
from autograder.workspace import Workspace
from tests.autograder.submit import COURSE, Sandboxes, submit
from tests.processes import descendants
from tests.submissions.fixtures import load

HOSTILE = {fixture.name: fixture for fixture in load("hostile")}
SECRET = f"canary-{secrets.token_hex(16)}"
WALL_S = 60.0  # none takes a tenth of it; more would mean that a submission can stall the grader
PUBLIC_FOLDERS = ("/tmp", "/dev/shm", "/var/tmp", "/", ".")
# What a log of GitHub Actions obeys, and what a terminal obeys.
COMMAND = re.compile(r"^\s*::|##\[|[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e]", re.M)


@pytest.fixture(scope="module")
def canary():
    """A file that any user of the machine may read, with a secret in it."""
    folder = Path(tempfile.mkdtemp(prefix="canary-"))
    folder.chmod(0o755)
    (folder / "hidden.txt").write_text(SECRET)
    (folder / "hidden.txt").chmod(0o644)
    yield folder / "hidden.txt"
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def sandboxes():
    """Sandboxes below a process that adopts what escapes from them, to be found."""
    os.environ["AUTOGRADER_SECRET"] = SECRET
    kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 1)
    before = descendants()  # another file's tests may keep a sandbox open in this process
    with Sandboxes() as opened:
        yield opened
    kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 0)
    del os.environ["AUTOGRADER_SECRET"]
    assert descendants() <= before, "a process outlived its sandbox"


@pytest.fixture
def scratch(tmp_path, monkeypatch):
    """A folder for reports; what the grader puts into its temporary folder is kept apart."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    return tmp_path


def left_files() -> list[str]:
    """Return what submissions have left in places where everybody may write."""
    return [str(path) for folder in PUBLIC_FOLDERS for path in Path(folder).glob("hostile-*")]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_submission_gains_nothing_and_harms_nothing(name, sandboxes, scratch, canary):
    """Its honest part earns what it is worth; the rest is refused for the reason it names."""
    fixture = HOSTILE[name]
    sandbox = sandboxes.with_limits(fixture.limits)
    warm_up(sandbox, fixture)
    before = descendants()

    outcome = submit(fixture, sandbox, scratch, canary)

    assert outcome.lost == outcome.must_lose
    assert outcome.module.points == outcome.honest_points
    assert outcome.unexplained == []
    assert re.search(fixture.shows, outcome.shown)
    assert outcome.odd_lines == [], "a line number was chosen, not met"
    assert outcome.wall_s < WALL_S
    assert descendants() == before, "a process was left behind"
    assert left_files() == os.listdir(tempfile.tempdir) == [], "a file was left behind"
    assert canary.read_text() == SECRET
    for place, text in {"stdout": outcome.printed, **outcome.written}.items():
        assert SECRET not in text, f"a hidden file is told in {place}"
        assert "leaked" not in text, f"what a hidden check may not tell is in {place}"
    for place in ("stdout", "student.md"):
        text = outcome.printed if place == "stdout" else outcome.written[place]
        assert not COMMAND.search(text), f"{place} obeys the submission"


def warm_up(sandbox, fixture):
    """Start the fork servers that grading this module needs; they stay."""
    workspace, assignment = Workspace(None, COURSE, sandbox), COURSE.assignment(fixture.module)
    for integrated in (False, True):
        workspace.worker(assignment, integrated=integrated).close()


def test_there_are_enough_attacks_and_each_says_what_becomes_of_it():
    """A fixture without a reason would pass whatever happened."""
    assert len(HOSTILE) >= 30
    for fixture in HOSTILE.values():
        assert fixture.refused or (fixture.loses == "nothing"), fixture.name


UNLOCKED = {
    "files_read_hidden": "RuntimeError",
    "files_read_proc": "RuntimeError",
    "processes_signal": "RuntimeError",
    "processes_limit_parent": "RuntimeError",
    "network_tcp": "ConnectionRefusedError",
    "network_udp": "RuntimeError",
}


@pytest.fixture(scope="module")
def unlocked():
    """A sandbox that is none: workers without the layers that lock them."""
    layers = ("uid", "capabilities", "no_new_privs", "dumpable", "landlock", "seccomp")
    with Sandbox(Limits(), require_full=False, without=layers) as sandbox:
        yield sandbox


@pytest.mark.parametrize("name", UNLOCKED)
def test_the_attacks_are_real(name, unlocked, scratch, canary):
    """Without the locks they succeed, so it is the locks that refuse them."""
    outcome = submit(HOSTILE[name], unlocked, scratch, canary)
    errors = {check.error for check in outcome.module.checks if check.task in outcome.must_lose}
    assert errors == {UNLOCKED[name]}
    assert outcome.unexplained
