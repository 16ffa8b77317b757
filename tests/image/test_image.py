"""The image, built and run for real: what it holds, what it proves, and every attack inside it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

import pytest

from assignments.catalog import load_course
from assignments.competition import tracks
from autograder.competition import entries
from autograder.image.lock import LOCK
from autograder.sandbox.proof import GUARANTEES
from tests.autograder.delivery import Course, server
from tests.autograder.runner import Runner
from tests.image import base, docker
from tests.image.engine import BASE, GRADER, IMAGE, ROOT_WITH_UIDS, Engine, NoEngine
from tests.image.registry import Registry
from tests.processes import descendants
from tests.submissions import build

ROOT = Path(__file__).resolve().parents[2]
MB = 1000**2
MOST_BYTES = 350 * MB
BASE_BYTES = 150 * MB  # at least what the pinned base takes, whose stand-in is smaller
# What runs the attacks: pytest and what it imports, by any of its versions.
RUNNER = ("pytest", "pluggy", "iniconfig", "packaging", "exceptiongroup", "tomli")
ATTACKS = "tests/autograder/test_hostile.py"
SOURCES = (ATTACKS, "tests/autograder/submit.py", "tests/processes.py", "tests/submissions")
PUSHED = "course/grader/grader"  # the organisation is "Course": a registry has small letters
ANOTHER = ("--user", "1000:1000")


@pytest.fixture(scope="module")
def engine():
    """An engine with the image built in it; nothing of it stays when the tests are over."""
    folder = Path(tempfile.mkdtemp(prefix="image-"))
    folder.chmod(0o755)
    before = descendants()
    try:
        one = Engine(folder)
    except NoEngine as error:
        shutil.rmtree(folder)
        pytest.skip(f"the image is not tested: {error}")
    try:
        base.make(folder / "base.tar")
        one.begin(folder / "base.tar")
        fetch(folder / "wheels")
        one.built = one.build()
        yield one
    except NoEngine as error:
        pytest.skip(f"the image is not tested: {error}")
    finally:
        one.end()
        assert one.mounts() == [], "a mount was left behind"
        assert descendants() <= before, "a process was left behind"
        shutil.rmtree(folder)


def fetch(wheels: Path) -> None:
    """Fetch what the image installs, by hash, from where this machine gets its packages."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
    pip += ["--only-binary=:all:", "--requirement", str(LOCK), "--dest", str(wheels)]
    done = subprocess.run(pip, capture_output=True, encoding="utf-8")
    if done.returncode:
        raise NoEngine(f"no packages for it: {done.stderr.strip().splitlines()[-1:]}")


@pytest.fixture(scope="module")
def attack(engine):
    """What comes of the attacks: they mostly wait, so the other tests run meanwhile."""
    with ThreadPoolExecutor(1) as thread:
        yield thread.submit(run_attacks, engine)


@pytest.fixture(scope="module")
def found(engine):
    """What the grader and its workers can reach in the container of grade.yml."""
    return look(engine, "proved,second_uid,writable,readable,idle")


def look(engine: Engine, names: str, **options) -> dict:
    """Run inside.py in the container; return what it found."""
    script = (Path(__file__).parent / "inside.py").read_text(encoding="utf-8")
    return json.loads(engine.python("-c", script, names, **options).stdout)


def test_the_image_is_small(engine, attack):
    """At most 350 MB, the base included: no browser, no LaTeX, no pandas."""
    size, stand_in = engine.inspect()["Size"], engine.inspect(BASE)["Size"]
    assert size <= MOST_BYTES
    assert size - stand_in <= MOST_BYTES - BASE_BYTES


def test_two_builds_give_the_same_image(engine):
    """Bit for bit: the image's id is the digest of its configuration and its layers."""
    assert engine.inspect()["Id"] == engine.built
    assert engine.build() == engine.built


def test_the_image_runs_as_nobody_s_user_and_keeps_nothing_back(engine):
    """A run without flags is no root either, and the build leaves no variable for pip."""
    config = engine.inspect()["Config"]
    assert config["User"] == GRADER[1]
    assert not [one for one in config["Env"] if one.startswith("PIP_")]


def test_every_module_of_the_grader_is_loaded_from_bytecode(engine):
    """Nothing can be compiled and kept in a read-only image: each start would do it again."""
    said = engine.python("-v", "-c", "import autograder.single, autograder.sandbox").stderr
    assert "autograder" in said
    assert "code object from '" in said, "Python says it otherwise: in quotes what is bytecode"
    assert re.findall(r"code object from ([^'\n]*\.py)$", said, re.MULTILINE) == []


def test_each_package_in_the_image_is_used(found):
    """Add to PACKAGES in autograder/image/lock.py what is imported, and nothing else."""
    assert set(found["idle"]) <= {"tinytorch-course"}


def test_a_worker_proves_every_guarantee(found):
    """Landlock and seccomp hold within Docker's own filter, without any capability."""
    assert found["proved"] == sorted(GUARANTEES)


def test_there_is_no_second_user_without_capabilities(found):
    """So the worker's user is the grader's, and the two locks must do."""
    assert found["second_uid"] == "none"


def test_the_grader_cannot_change_its_course(found):
    """Its files are root's: nothing can be granted, replaced or added, on no file system."""
    assert found["writable"] == []


def test_the_grader_alone_reads_the_hidden_tests(engine, found):
    """Another user of the container can neither list, stat nor read them."""
    assert len(found["readable"]) == 3
    other = engine.python("-c", OTHER, user=ANOTHER).stdout.split()
    assert other == ["PermissionError"] * 3


OTHER = """
import os
hidden = "/course/autograder/hidden"
for attempt in (os.listdir, os.stat, lambda path: open(path + "/01_tensor/test_tensor.py")):
    try:
        print(attempt(hidden))
    except OSError as error:
        print(type(error).__name__)
"""


def test_a_user_of_its_own_hides_the_tests_without_the_two_locks(engine):
    """Where the container allows a second uid, files are out of reach by their owner alone."""
    locks = "landlock", "seccomp"
    own = json.loads(engine.python("-c", WITHOUT, *locks, user=ROOT_WITH_UIDS).stdout)
    same = json.loads(engine.python("-c", WITHOUT, *locks).stdout)
    assert {"stat_hidden", "signal_parent", "read_parent"} <= set(own)
    assert not {"stat_hidden", "read_hidden"} & set(same), "then the locks would not be needed"


WITHOUT = """
import json, sys
from autograder.sandbox import Sandbox
with Sandbox(require_full=False, without=sys.argv[1:]) as sandbox:
    print(json.dumps(sandbox.proved))
"""


@pytest.mark.parametrize("user", [GRADER, ROOT_WITH_UIDS], ids=["user", "root"])
def test_the_doctor_in_the_image_says_that_isolation_is_full(engine, user):
    """And names each guarantee that it has tried."""
    said = engine.run(IMAGE, "doctor", user=user).stdout
    assert "isolation: full" in said
    assert [name for name in GUARANTEES if not re.search(rf"{name}\W+yes", said)] == []


@pytest.mark.parametrize("user", [GRADER, ROOT_WITH_UIDS], ids=["user", "root"])
def test_the_reference_earns_every_point_with_full_isolation(engine, user, tmp_path):
    """From an archive that is mounted read-only to a report, as the workflow calls it."""
    course = load_course()
    given = {one.source: (ROOT / one.source).read_bytes() for one in course.assignments}
    build.tar_file(tmp_path / "submission.tar.gz", given)
    out = tmp_path / "out"
    out.mkdir()
    for path in (*tmp_path.parents[:2], tmp_path, out):
        path.chmod(0o777 if path == out else 0o755)
    mounts = [f"--volume={tmp_path}:/in:ro", f"--volume={out}:/out"]
    engine.run(*mounts, IMAGE, "grade", "/in/submission.tar.gz", "--out", "/out", user=user)
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    assert report["grader"]["isolation"] == "full"
    assert report["score"]["points"] == 100 * len(course.assignments)


def test_a_milestone_and_the_competition_find_their_examples_in_the_image(engine, tmp_path):
    """Digits and scripts are there: a model trains, and the baseline is as heavy as itself."""
    course, track = load_course(), tracks.find("A")
    given = {one.source: (ROOT / one.source).read_bytes() for one in course.assignments}
    entry = entries.baseline(track)
    given |= {entry.path: entry.source, f"entry/{track.weights}": entry.data}
    build.tar_file(tmp_path / "submission.tar.gz", given)
    for path in (*tmp_path.parents[:2], tmp_path):
        path.chmod(0o755)
    handed_in = f"--volume={tmp_path}:/in:ro", IMAGE
    said = engine.run(*handed_in, "milestone", "/in/submission.tar.gz", "1", user=GRADER).stdout
    assert "not passed" not in said and "practice" not in said and "passed" in said
    raced = "compete", "/in/submission.tar.gz", "--track", "A"
    assert re.search(r"\b1\.000\b", engine.run(*handed_in, *raced, user=GRADER).stdout)


def test_every_attack_is_refused_in_the_container(attack):
    """The tests of the hostile submissions, run by pytest in the container of grade.yml."""
    done = attack.result()
    assert done.returncode == 0, done.stdout[-20000:] + done.stderr[-2000:]
    passed = int(re.search(r"(\d+) passed", done.stdout)[1])
    assert passed > len(list((ROOT / "tests/submissions/hostile").glob("*.py")))
    assert "skipped" not in done.stdout


def run_attacks(engine: Engine) -> subprocess.CompletedProcess[str]:
    """Run the tests of the hostile submissions in a container, which has pytest beside it."""
    checks = engine.folder / "checks"
    copy_attacks(checks)
    options = "-p no:cacheprovider --noconftest --import-mode=importlib --rootdir=/checks -q"
    return engine.run(
        f"--volume={checks}:/checks:ro",
        "--env=PYTHONPATH=/checks/runner:/checks",
        "--entrypoint=python3",
        IMAGE,
        *("-m", "pytest", *options.split(), f"/checks/{ATTACKS}"),
        check=False,
    )


@pytest.fixture(scope="module")
def pushed(engine):
    """A runner's programs, and the image as image.yml under act has pushed it to a registry."""
    registry, tools = Registry(), engine.folder / "tools"
    tools.mkdir()
    log = engine.folder / "docker.log"
    docker.write(tools / "docker", engine, registry.address, log)
    done = docker.build_and_push(tools, engine.folder / "image.yml", log)
    yield done, registry, tools, log
    registry.close()


def test_the_image_workflow_builds_examines_and_pushes_the_image(pushed, engine):
    """All but two of its steps for real: under act, podman as docker, a registry on loopback."""
    done, registry, _, log = pushed
    assert done.returncode == 0, done.stdout
    calls = log.read_text(encoding="utf-8").splitlines()
    assert calls[:2] == [
        "apt-get install --yes --no-install-recommends buildah podman runc catatonit",
        "make image-test",
    ]
    verbs = [call.split()[1] for call in calls[2:] if call.startswith("docker ")]
    assert verbs == ["info", "build", "run", "login", "push", "inspect", "logout"]
    assert "isolation: full" in done.stdout, "the doctor's word on the image, before it is pushed"
    assert registry.digest(PUSHED).startswith("sha256:"), "the next test pulls it and grades in it"
    assert engine.call("podman", "login", "--get-login", registry.address, check=False).returncode


def test_a_push_is_graded_in_a_real_container_from_event_to_comment(pushed, tmp_path, monkeypatch):
    """grade.yml under act with the image that image.yml has pushed: nothing of it is a shim."""
    _, registry, tools, log = pushed
    with server(tmp_path / "server", monkeypatch) as github:
        runner = Runner(Course(tmp_path, github, monkeypatch), tmp_path, pinned(registry))
        for name in ("GH_TOKEN", "AUTOGRADER_KEY_FILE"):
            monkeypatch.delenv(name)
        shutil.copy(tools / "docker", runner.tools / "docker")
        students = {name: github.add(name) for name in ("alice", "bob", "mallory")}
        for name, text in submissions().items():
            students[name].push({"tinytorch/tensor.py": text})
        log.write_text("")
        said = runner.run("schedule")
        points = {
            one["submission"]["repository_id"]: (one["score"]["points"], one["grader"]["isolation"])
            for one in runner.course.reports()
        }
        wanted = {"alice": (100, "full"), "bob": (0, "full"), "mallory": (0, "full")}
        assert points == {students[name].id: one for name, one in wanted.items()}, said
        for one in students.values():
            (comment,) = github.comment_lists[one.id, 1]
            assert "01 Tensor" in comment["body"] and len(github.checks[one.id]) == 1
        calls = log.read_text(encoding="utf-8")
        assert [calls.count(f"docker {verb} ") for verb in ("login", "pull", "run")] == [1, 1, 3]


def submissions() -> dict[str, str]:
    """Return three files: the reference, one that ends the process, one that looks around."""
    spy = "import socket\nsocket.create_connection(('127.0.0.1', 22))\n"
    whole = (ROOT / "tinytorch/tensor.py").read_text(encoding="utf-8")
    return {"alice": whole, "bob": "import os\nos.abort()\n", "mallory": spy + whole}


def pinned(registry: Registry) -> str:
    """Return the image's name with its digest, as GRADER_IMAGE has it."""
    return f"ghcr.io/{PUSHED}@{registry.digest(PUSHED)}"


def copy_attacks(target: Path) -> None:
    """Copy the attacks, their test and pytest to where any user may read them."""
    for name in SOURCES:
        source = ROOT / name
        copy = shutil.copytree if source.is_dir() else shutil.copyfile
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        copy(source, target / name)
    for package in RUNNER:
        for path in installed(package):
            (target / "runner" / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path.locate(), target / "runner" / path)
    for path in target.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)


def installed(package: str) -> list:
    """Return the Python files of a package, none where it is not installed."""
    try:
        return [path for path in files(package) or () if path.suffix == ".py"]
    except PackageNotFoundError:
        return []
