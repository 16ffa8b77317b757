"""The grading workflow from event to comment: act, bare repositories, a stand-in for GitHub's API.

The real grade.yml runs, with the real planner, grader and publisher. Only the edges are stubs:
GitHub, artifacts as folders, and a `docker` that runs the grader without a container.
"""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.autograder.delivery import PINNED, Course, server
from tests.autograder.runner import ROOT, WORKFLOW, Runner

SWEEP = ("workflow_dispatch", {"inputs": {"module": "01"}})  # one module is quick
LOCK = ROOT / "autograder" / "github" / "requirements.lock"


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


def test_a_person_or_a_program_may_ask_for_one_module_and_for_a_second_time(runner):
    """Both dispatches know a repository, a module, and force; the rest stays as it was."""
    alice, bob = (runner.course.github.add(name) for name in ("alice", "bob"))
    for one in (alice, bob):
        one.push({"tinytorch/tensor.py": "x = 1\n"})
    wanted = {"repository": str(alice.id), "module": "01", "force": "true"}
    for _ in range(2):
        runner.run("workflow_dispatch", {"inputs": wanted})
    payload = {"repository_id": alice.id, "module": "tensor", "force": True}
    runner.run("repository_dispatch", {"action": "grade", "client_payload": payload})
    reports = runner.course.reports()
    assert [one["submission"]["repository_id"] for one in reports] == [alice.id] * 3
    assert [one["submission"]["attempt"] for one in reports] == [1, 2, 3]
    assert [[part["id"] for part in one["assignments"]] for one in reports] == [["01_tensor"]] * 3
    calls = (runner.folder / "docker.log.run").read_text(encoding="utf-8").splitlines()
    assert all("--out /out --module 01_tensor --seed" in call for call in calls)


def test_the_container_has_the_flags_and_no_secret(runner):
    """What the grading job hands to docker, and what it itself knows."""
    runner.course.github.add("alice").push({"tinytorch/tensor.py": "x = 1\n"})
    runner.run("schedule")
    (call,) = (runner.folder / "docker.log.run").read_text(encoding="utf-8").splitlines()
    for flag in ("--network none", "--read-only", "--cap-drop ALL", "--user 65532:65532"):
        assert flag in call
    assert "--security-opt no-new-privileges" in call and "docker.sock" not in call
    assert re.search(
        rf"{re.escape(PINNED)} grade /in/submission.tar.gz --out /out( --module \S+)+ --seed \d+$",
        call,
    )
    names = (runner.folder / "docker.log.env").read_text(encoding="utf-8").split()
    assert {"GH_TOKEN", "SIGNING_KEY", "SUBMITTER_KEY", "APP_PRIVATE_KEY"}.isdisjoint(names)


def test_a_runner_killed_between_grade_and_publish_loses_nothing(runner):
    """What was graded and not published is published by the next sweep, once."""
    alice = runner.course.github.add("alice")
    commit = alice.push({"tinytorch/tensor.py": "x = 1\n"})
    runner.doom.write_text("publish")
    runner.run(*SWEEP, green=False)
    assert runner.graded == 1 and runner.course.reports() == []
    runner.run(*SWEEP)
    runner.run(*SWEEP)
    assert runner.graded == 2
    assert [one["submission"]["commit"] for one in runner.course.reports()] == [commit]
    assert len(runner.course.github.comment_lists[alice.id, 1]) == 1
    assert len(runner.course.github.checks[alice.id]) == 1


@pytest.mark.parametrize(("doom", "status"), [("hang", "ungradable"), ("kill", None)])
def test_a_hung_or_killed_shard_costs_its_own_submissions_until_the_next_sweep(
    runner, doom, status
):
    """Of two shards one goes wrong; the other's reports are published by the same run."""
    students = {name: runner.course.github.add(name) for name in ("alice", "bob")}
    for name, one in students.items():
        one.push({"tinytorch/tensor.py": f"x = {name!r}\n"})
    runner.change("autograder/github/plan.py", "SHARD_SIZE = 256, 20", "SHARD_SIZE = 256, 1")
    runner.doom.write_text(doom)
    runner.run(*SWEEP, green=doom == "hang")
    first = {one["status"] for one in runner.course.reports()}
    assert first == {"failed", status} - {None}
    runner.run(*SWEEP)
    runner.run(*SWEEP)
    assert runner.graded == 3
    graded = [one for one in runner.course.reports() if one["status"] != "ungradable"]
    assert sorted(one["submission"]["repository_id"] for one in graded) == [
        one.id for one in students.values()
    ]
    assert [len(runner.course.github.comment_lists[one.id, 1]) for one in students.values()] == [
        1,
        1,
    ]


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
