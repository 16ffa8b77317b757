"""The grading workflow from event to comment: act, bare repositories, a stand-in for GitHub's API.

The real grade.yml runs, with the real planner, grader and publisher. Only the edges are stubs:
GitHub, artifacts as folders, and a `docker` that runs the grader without a container.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.act import act
from tests.autograder.delivery import PINNED, Course, server
from tests.github.standin import APP, TOKEN

ROOT = Path(__file__).resolve().parents[2]
WORKFLOW = ".github/workflows/grade.yml"
LOCK = ROOT / "autograder" / "github" / "requirements.lock"
PYTHON = """\
#!/bin/sh
[ "$1 $2" = "-m pip" ] && exit 0
exec {python} "$@"
"""
DOCKER = """\
#!/bin/sh
echo "docker $1" >> {log}
env | sed -n 's/=.*//p' | sort | tr '\\n' ' ' >> {log}.env
case "$1" in
  login) cat > /dev/null ;;
  run)
    for one in "$@"; do
      case "$one" in
        */:/in:ro) input="${{one%:/in:ro}}" ;;
        *:/out) out="${{one%:/out}}" ;;
      esac
      last="$one"
    done
    echo "$@" >> {log}.run
    cd {root} && AUTOGRADER_KEY_FILE={key} exec {python} -m autograder grade \\
      "$input/submission.tar.gz" --out "$out" --seed "$last" ;;
esac
"""
UPLOAD = """\
name: stub
inputs: { name: {}, path: {}, if-no-files-found: {}, retention-days: {} }
runs:
  using: composite
  steps:
    - shell: bash
      env: { NAME: "${{ inputs.name }}", FROM: "${{ inputs.path }}" }
      run: |
        [ ! -e "$FROM" ] || { mkdir -p "$ARTIFACTS/$NAME" && cp -r "$FROM/." "$ARTIFACTS/$NAME"; }
"""
DOWNLOAD = """\
name: stub
inputs: { name: {}, path: {}, pattern: {} }
runs:
  using: composite
  steps:
    - shell: bash
      env: { NAME: "${{ inputs.name }}", TO: "${{ inputs.path }}" }
      run: |
        mkdir -p "$TO"
        if [ -n "$NAME" ]; then cp -r "$ARTIFACTS/$NAME/." "$TO"
        else for one in "$ARTIFACTS"/raw-*; do [ ! -e "$one" ] || cp -r "$one" "$TO"; done; fi
"""
APP_TOKEN = f"""\
name: stub
inputs: {{ client-id: {{}}, private-key: {{}}, owner: {{}}, repositories: {{}} }}
outputs: {{ token: {{ value: {TOKEN} }} }}
runs:
  using: composite
  steps: [{{ shell: bash, run: "true" }}]
"""
NOTHING = """\
name: stub
inputs: { path: {}, key: {}, restore-keys: {} }
runs:
  using: composite
  steps: [{ shell: bash, run: "true" }]
"""


class Runner:
    """A private grader repository whose workflow act runs."""

    def __init__(self, course: Course, folder: Path):
        """Copy what the workflow checks out, and put the stubs in place."""
        self.course, self.folder, self.runs = course, folder, 0
        self.repository = folder / "grader"
        for name in ("autograder", "assignments", "tinytorch", ".github"):
            ignored = shutil.ignore_patterns("__pycache__", "figures", "hostile")
            shutil.copytree(ROOT / name, self.repository / name, ignore=ignored)
        git = ["git", "-C", str(self.repository)]
        subprocess.run([*git, "init", "--quiet", "--initial-branch=main"], check=True)
        remote = "https://github.com/course/grader.git"
        subprocess.run([*git, "remote", "add", "origin", remote], check=True)
        (folder / "server" / "course").mkdir()
        course.scores.rename(folder / "server" / "course" / "scores.git")
        course.scores = folder / "server" / "course" / "scores.git"
        self.tools = folder / "tools"
        self.tools.mkdir()
        self.log = folder / "docker.log"
        self.write("python", PYTHON.format(python=sys.executable))
        facts = {"log": self.log, "root": ROOT, "python": sys.executable}
        self.write("docker", DOCKER.format(key=folder / "throwaway.key", **facts))

    def write(self, name: str, text: str) -> None:
        """Put a program on the runner's PATH."""
        (self.tools / name).write_text(text, encoding="utf-8")
        (self.tools / name).chmod(0o755)

    def run(self, event: str, payload: dict | None = None) -> str:
        """Run the workflow for an event; return its log, which must be green."""
        self.runs += 1
        scratch = self.folder / f"run-{self.runs}"
        artifacts = scratch / "artifacts"
        artifacts.mkdir(parents=True)
        (scratch / "event.json").write_text(json.dumps(payload or {}), encoding="utf-8")
        options = self.options(scratch)
        done = act(
            self.repository,
            WORKFLOW,
            scratch,
            python=self.tools,
            event=event,
            stubs={
                "actions/upload-artifact": UPLOAD,
                "actions/download-artifact": DOWNLOAD,
                "actions/create-github-app-token": APP_TOKEN,
                "actions/cache": NOTHING,
            },
            options=options,
            path=self.tools,
            github=f"{self.address}/",
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    @property
    def address(self) -> str:
        """Where repositories are cloned from."""
        return f"file://{self.folder / 'server'}"

    def options(self, scratch: Path) -> list[str]:
        """Return what GitHub would know: the event, variables, secrets."""
        values = {
            "env": {
                "GITHUB_API_URL": self.course.github.url,
                "GITHUB_SERVER_URL": self.address,
                "GITHUB_WRITE_PAUSE_S": "0",
                "ARTIFACTS": str(scratch / "artifacts"),
            },
            "var": {
                "APP_CLIENT_ID": "Iv1",
                "APP_ID": str(APP),
                "GRADER_IMAGE": PINNED,
                "SCORES_REPOSITORY": "scores",
            },
            "secret": {
                "APP_PRIVATE_KEY": "none",
                "SIGNING_KEY": self.course.key.read_text(encoding="ascii"),
                "SUBMITTER_KEY": "5" * 64,
                "GITHUB_TOKEN": "ghs_of_the_job",
            },
        }
        options = ["--eventpath", str(scratch / "event.json")]
        for kind, pairs in values.items():
            options += [part for pair in pairs.items() for part in (f"--{kind}", "=".join(pair))]
        return options

    @property
    def graded(self) -> int:
        """How many containers ran."""
        calls = self.log.read_text(encoding="utf-8") if self.log.exists() else ""
        return calls.count("docker run")


@pytest.fixture
def runner(tmp_path, monkeypatch):
    with server(tmp_path / "server", monkeypatch) as github:
        course = Course(tmp_path, github, monkeypatch)
        for name in ("GH_TOKEN", "AUTOGRADER_KEY_FILE"):
            monkeypatch.delenv(name)  # a runner has what its workflow says
        yield Runner(course, tmp_path)


def tensor() -> str:
    """Return a solution of module 01."""
    return (ROOT / "tinytorch" / "tensor.py").read_text(encoding="utf-8")


def test_a_push_is_graded_and_told_and_a_second_sweep_starts_nothing(runner):
    """From the event to the comment; then a dispatch for one more push of one student alone."""
    alice, bob = (runner.course.github.add(name) for name in ("alice", "bob"))
    alice.push({"tinytorch/tensor.py": tensor()})
    bob.push({"tinytorch/tensor.py": "import os\nos.abort()\n"})
    log = runner.run("schedule")
    scores = {
        one["submission"]["repository_id"]: one["score"]["points"]
        for one in runner.course.reports()
    }
    assert scores == {alice.id: 100, bob.id: 0}, log
    (comment,) = runner.course.github.comment_lists[alice.id, 1]
    assert "01 Tensor: 100 / 100" in comment["body"]
    (run,) = runner.course.github.checks[bob.id]
    assert run["conclusion"] == "failure"
    assert runner.graded == 2

    log = runner.run("schedule")
    assert "Grade/Grade shard" not in log and "Publish" not in log
    assert runner.graded == 2

    for one in (alice, bob):
        one.push({"tinytorch/tensor.py": tensor() + "\n# better\n"})
    payload = {"action": "grade", "client_payload": {"repository_id": bob.id}}
    runner.run("repository_dispatch", payload)
    assert runner.graded == 3
    last = runner.course.reports()[-1]
    assert (last["submission"]["repository_id"], last["submission"]["attempt"]) == (bob.id, 2)
    assert last["score"]["points"] == 100


def test_the_container_has_the_flags_and_no_secret(runner):
    """What the grading job hands to docker, and what it itself knows."""
    runner.course.github.add("alice").push({"tinytorch/tensor.py": "x = 1\n"})
    runner.run("schedule")
    (call,) = (runner.folder / "docker.log.run").read_text(encoding="utf-8").splitlines()
    for flag in ("--network none", "--read-only", "--cap-drop ALL", "--user 65532:65532"):
        assert flag in call
    assert "--security-opt no-new-privileges" in call and "docker.sock" not in call
    assert re.search(
        rf"{re.escape(PINNED)} grade /in/submission.tar.gz --out /out --seed \d+$", call
    )
    names = (runner.folder / "docker.log.env").read_text(encoding="utf-8").split()
    assert {"GH_TOKEN", "SIGNING_KEY", "SUBMITTER_KEY", "APP_PRIVATE_KEY"}.isdisjoint(names)


def test_the_powers_of_the_three_jobs_are_apart():
    """Who runs student code has no secret; who has a key never sees student code run."""
    text = (ROOT / WORKFLOW).read_text(encoding="utf-8")
    plan, grade, publish = re.split(r"(?m)^  (?=plan:|grade:|publish:)", text)[1:]
    assert "secrets.SIGNING_KEY" not in plan and "docker" not in plan
    assert "secrets." not in grade and "actions/checkout" not in grade
    assert "app-token" not in grade and "docker run" in grade
    assert "docker" not in publish and "secrets.SIGNING_KEY" in publish
    assert "permissions: {}" in text.partition("jobs:")[0]


def test_no_expression_stands_in_a_script():
    """What an event or a student says comes in by the environment, never as a shell's text."""
    text = (ROOT / WORKFLOW).read_text(encoding="utf-8")
    scripts = re.findall(r"run: \|\n((?: {10}.*\n)+)", text)
    assert len(scripts) == 4
    assert not any("${{" in script for script in scripts)


def test_the_small_lock_is_part_of_the_lock():
    """Copy what changed over from requirements.lock."""
    whole = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    blocks = re.split(r"\n(?=[a-z0-9])", LOCK.read_text(encoding="utf-8").rstrip())[1:]
    assert len(blocks) > 20
    assert [block.split()[0] for block in blocks if f"{block}\n" not in whole] == []


def test_the_small_lock_has_all_that_the_commands_import():
    """Nothing else is installed in the workflow: add what is missing to it."""
    program = (
        "import sys, importlib.metadata as m\n"
        "import autograder.cli, autograder.github.runs\n"
        "from assignments.catalog import load_course\n"
        "from autograder.suite import load_suite\n"
        "[load_suite(one) for one in load_course().assignments]\n"
        "tops = {name.partition('.')[0] for name in sys.modules}\n"
        "owners = m.packages_distributions()\n"
        "print(*{o.lower() for top in tops for o in owners.get(top, ())})\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, encoding="utf-8"
    )
    assert done.returncode == 0, done.stderr
    used = set(done.stdout.replace("_", "-").split()) - {"tinytorch-course", "setuptools"}
    pinned = set(re.findall(r"(?m)^([a-z0-9-]+)==", LOCK.read_text(encoding="utf-8")))
    assert used - pinned - {"tomli"} == set()
