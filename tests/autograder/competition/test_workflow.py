"""compete.yml under act: from a pushed entry to the board, by the real commands.

As for grade.yml, only the edges are stubs: GitHub, artifacts as folders, and a `docker` that runs
the grader without a container, and with little effort.
"""

from __future__ import annotations

import json
import re
import sys

import pytest
import yaml
from click.testing import CliRunner

from autograder.cli import main
from tests.autograder import runner as runners
from tests.autograder.delivery import PINNED, Course, server
from tests.autograder.runner import ROOT, Runner
from tests.autograder.signed import line
from tests.github.course import git
from tests.submissions.competition import entries

WORKFLOW = ".github/workflows/compete.yml"
DOCKER = """\
#!{python}
import os, re, sys
words = sys.argv[1:]
with open("{log}", "a") as log:
    log.write("docker " + words[0] + "\\n")
if words[0] == "login":
    sys.stdin.read()
if words[0] == "run":
    with open("{log}.run", "a") as log:
        log.write(" ".join(words) + "\\n")
    with open("{log}.env", "a") as log:
        log.write(" ".join(sorted(os.environ)) + "\\n")
    volumes = [b for a, b in zip(words, words[1:]) if a == "--volume"]
    place = dict(reversed(one.split(":")[:2]) for one in volumes)
    image = words.index("{image}")
    command = [re.sub("^/(in|out)", lambda m: place[m[0]], one) for one in words[image + 1 :]]
    command = [one.replace("/tmp/ledger", "{folder}/ledger-of-a-container") for one in command]
    os.chdir("{root}")
    os.environ["AUTOGRADER_KEY_FILE"] = "{folder}/throwaway.key"
    program = ["{python}", "-m", "tests.autograder.competition.quickly"]
    os.execv("{python}", [*program, *command])
"""


@pytest.fixture
def runner(tmp_path, monkeypatch):
    monkeypatch.setattr(runners, "WORKFLOW", WORKFLOW)
    with server(tmp_path / "server", monkeypatch) as github:
        course = Course(tmp_path, github, monkeypatch)
        for name in ("GH_TOKEN", "AUTOGRADER_KEY_FILE"):
            monkeypatch.delenv(name)  # a runner has what its workflow says
        made = Runner(course, tmp_path)
        made.settings["var"]["COMPETITION"] = "open"
        facts = {"python": sys.executable, "log": made.log, "image": PINNED}
        made.write("docker", DOCKER.format(folder=tmp_path, root=ROOT, **facts))
        made.change(
            ".github/workflows/compete.yml",
            '"${tracks[@]}"',
            "--track sprint $(tail -n1 " '"$folder/modules" | grep final)',
        )
        yield made


def test_a_pushed_entry_is_measured_signed_told_and_ranked_and_again_in_the_final(runner, tmp_path):
    """From the event to the board; what is published is not measured twice."""
    ada, bob = (runner.course.github.add(name) for name in ("ada", "bob"))
    source = entries.gold("sprint")["sprint.py"].decode()
    ada.push({"tinytorch/x.py": "", "entry/sprint.py": source, "leaderboard.toml": 'alias = "Ada"'})
    bob.push({"tinytorch/tensor.py": "x = 1\n"})
    runner.run("workflow_dispatch", {"inputs": {}})
    assert runner.graded == 1
    (comment,) = runner.course.github.comment_lists[ada.id, 1]
    assert "| B Sprint, closed | 1 of 1 |" in comment["body"]
    assert "Measure shard" not in runner.run("schedule")
    runner.run("workflow_dispatch", {"inputs": {"final": "true"}})
    assert runner.graded == 2

    git(tmp_path, "clone", "--quiet", str(runner.course.scores), "clone")
    (tmp_path / "allowed_signers").write_text(line(runner.course.key))
    command = ["leaderboard", tmp_path / "clone", "--signers", tmp_path / "allowed_signers"]
    done = CliRunner().invoke(main, [*map(str, command), "--out", str(tmp_path / "board")])
    assert done.exit_code == 0 and "refused" not in done.output, done.output
    (table,) = json.loads((tmp_path / "board/competition.json").read_text())["tables"]
    (row,) = table["rows"]
    assert (row["alias"], row["place"], row["state"]) == ("Ada", "1", "verified")
    assert row["agreement"] >= 0.99 and row["ci95"][0] <= row["value"] <= row["ci95"][1]

    calls = (runner.folder / "docker.log.run").read_text().splitlines()
    for flag in ("--network none", "--read-only", "--cap-drop ALL", "--user 65532:65532"):
        assert all(flag in call for call in calls)
    assert re.search(rf"{re.escape(PINNED)} compete /in/submission.tar.gz --out /out ", calls[0])
    assert "--final" not in calls[0] and "--final" in calls[1]
    names = (runner.folder / "docker.log.env").read_text().split()
    assert {"GH_TOKEN", "SIGNING_KEY", "SUBMITTER_KEY", "APP_PRIVATE_KEY"}.isdisjoint(names)


def jobs(name):
    text = (ROOT / ".github/workflows" / name).read_text(encoding="utf-8")
    return yaml.safe_load(text)["jobs"]


def test_each_job_has_the_powers_that_it_has_in_grade_yml_and_no_more():
    """The same permissions, environments and secrets; telling a place writes no check run."""
    mine, theirs = jobs("compete.yml"), jobs("grade.yml")
    assert list(mine) == list(theirs)
    for name, job in mine.items():
        other = theirs[name]
        for key in ("permissions", "environment", "needs"):
            assert job.get(key) == other.get(key), (name, key)
        secrets = [sorted(re.findall(r"secrets\.\w+", str(one))) for one in (job, other)]
        assert secrets[0] == secrets[1]
        tokens = [set(re.findall(r"'(permission-\w+)': '(\w+)'", str(o))) for o in (job, other)]
        assert tokens[0] == tokens[1] - {("permission-checks", "write")}


def test_before_the_competition_is_open_nothing_runs():
    """The course begins without it; and the other jobs wait for the plan."""
    found = jobs("compete.yml")
    assert found["plan"]["if"] == "vars.GRADER_IMAGE != '' && vars.COMPETITION == 'open'"
    assert "needs.plan.result == 'success'" in found["publish"]["if"]
