"""How the image is built, as far as no engine is needed: the files, their lint, the choice."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from autograder.errors import GraderError
from autograder.image import lock
from autograder.image.lock import LOCK, PACKAGES
from tests.image.engine import HERE, ROOT

BIN = Path(sys.executable).parent
DOCKERFILE = ROOT / "autograder/Dockerfile"
BUILD = ROOT / "autograder/image/build.sh"
STUB = """\
#!/bin/sh
[ "$1" != info ] || exit {code}
echo "{name} $*"
"""


def hadolint(dockerfile: Path) -> subprocess.CompletedProcess[str]:
    """Lint a Dockerfile with every rule."""
    return subprocess.run([BIN / "hadolint", dockerfile], capture_output=True, encoding="utf-8")


def test_hadolint_has_nothing_to_say():
    """No rule is switched off."""
    done = hadolint(DOCKERFILE)
    assert done.returncode == 0, done.stdout
    assert "hadolint ignore" not in DOCKERFILE.read_text(encoding="utf-8")


def test_hadolint_would_say_something(tmp_path):
    """The lint above can fail."""
    (tmp_path / "Dockerfile").write_text("FROM python\nRUN cd /tmp && pip install numpy\n")
    assert "DL3006" in hadolint(tmp_path / "Dockerfile").stdout


def test_the_base_is_pinned_by_its_digest_and_is_the_only_one():
    """Both stages begin with it, and only a test gives another."""
    text = DOCKERFILE.read_text(encoding="utf-8")
    assert re.findall(r"^ARG BASE=.*$", text, re.MULTILINE) == [
        re.search(r"ARG BASE=docker\.io/library/python:3\.13-slim-\w+@sha256:[0-9a-f]{64}", text)[0]
    ]
    assert re.findall(r"^FROM (\S+)", text, re.MULTILINE) == ["${BASE}", "${BASE}"]


def test_the_image_s_lock_is_the_part_of_the_course_s_that_it_needs():
    """Run python -m autograder.image.lock."""
    assert LOCK.read_text(encoding="utf-8") == lock.lock()
    assert lock.main(["--check"]) == 0
    named = set(re.findall(r"^([\w-]+)==", lock.lock(), re.MULTILINE))
    assert named == set(PACKAGES)


def test_a_lock_that_has_drifted_is_named_with_the_cure(tmp_path, monkeypatch, capsys):
    """As the starters are: generated, committed, checked."""
    monkeypatch.setattr(lock, "LOCK", tmp_path / "requirements.lock")
    assert lock.main(["--check"]) == 1
    assert "run `python -m autograder.image.lock`" in capsys.readouterr().err
    assert lock.main([]) == lock.main(["--check"]) == 0


def test_a_package_that_the_course_s_lock_has_not_is_an_error(monkeypatch):
    """Not an image that lacks it."""
    monkeypatch.setattr(lock, "PACKAGES", ["numpy", "nothing"])
    with pytest.raises(GraderError, match="no entry for nothing"):
        lock.lock()


@pytest.mark.parametrize("package", ["pandas", "nbconvert", "selenium", "ipywidgets", "jupytext"])
def test_what_otter_would_have_pulled_is_left_out(package):
    """The Dockerfile says why."""
    assert package not in PACKAGES


def build(path: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Run build.sh with the engines in `path` alone."""
    env = {"PATH": f"{path}:/usr/bin/nowhere"} | env
    shell = ["/bin/sh", BUILD, "--quiet"]
    tools = path / "dirname"
    tools.symlink_to("/usr/bin/dirname")
    return subprocess.run(shell, env=env, capture_output=True, encoding="utf-8")


def stub(path: Path, name: str, answers: bool = True) -> None:
    """Write an engine that prints how it was called, and whose `info` fails without a server."""
    (path / name).write_text(STUB.format(name=name, code=0 if answers else 1), encoding="utf-8")
    os.chmod(path / name, 0o755)


@pytest.mark.parametrize(
    "engines, chosen",
    [("docker podman buildah", "docker"), ("podman buildah", "podman"), ("buildah", "buildah")],
)
def test_the_image_is_built_by_the_first_engine_that_there_is(tmp_path, engines, chosen):
    """With its options passed on, the context last."""
    for name in engines.split():
        stub(tmp_path, name)
    said = build(tmp_path).stdout
    assert said.startswith(f"{chosen} build ") and "--quiet" in said
    assert said.endswith("--tag tinytorch-grader --file autograder/Dockerfile .\n")


def test_a_client_without_its_server_is_passed_over(tmp_path):
    """As docker is on many machines."""
    stub(tmp_path, "docker", answers=False)
    stub(tmp_path, "podman")
    assert build(tmp_path).stdout.startswith("podman build ")


def test_an_engine_and_a_name_can_be_chosen(tmp_path):
    """ENGINE and IMAGE."""
    stub(tmp_path, "docker")
    stub(tmp_path, "podman")
    said = build(tmp_path, ENGINE="podman", IMAGE="registry.example/grader:1").stdout
    assert said.startswith("podman build ") and "--tag registry.example/grader:1 " in said


def test_without_an_engine_one_line_says_how_to_get_one(tmp_path):
    """No traceback, no partial image."""
    done = build(tmp_path)
    assert done.returncode == 1 and done.stdout == ""
    assert re.fullmatch(r"make image: no container engine answers .* install .*\n", done.stderr)


def test_docker_s_profile_is_docker_s():
    """It refuses by default, and lets Landlock and seccomp through, as Docker does."""
    text = (HERE / "docker-default-seccomp.json").read_text(encoding="utf-8")
    assert '"defaultAction": "SCMP_ACT_ERRNO"' in text
    assert '"landlock_restrict_self"' in text and '"seccomp"' in text
