"""leaderboard.yml under act: from a signed scores repository to the page, private by default.

The real command runs; the actions of others are stubs, and `make` puts it where it would be.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.act import act
from tests.autograder.signed import Scores, report

ROOT = Path(__file__).resolve().parents[2]
WORKFLOW = ".github/workflows/leaderboard.yml"
MAKE = """\
#!/bin/sh
mkdir -p .venv/bin
printf '#!/bin/sh\\nexec "{python}" -m autograder "$@"\\n' > .venv/bin/autograder
chmod +x .venv/bin/autograder
"""
TOKEN = """\
name: stub
inputs: {repositories: {required: true}, permission-contents: {required: true}}
outputs: {token: {value: "token for ${{ inputs.repositories }}"}}
runs:
  using: composite
  steps: [{shell: bash, run: 'test "${{ inputs.permission-contents }}" = read'}]
"""
CHECKOUT = """\
name: stub
inputs: {{repository: {{required: false}}, token: {{required: false}}, path: {{required: false}}}}
runs:
  using: composite
  steps:
    - shell: bash
      env: {{WHAT: "${{{{ inputs.repository }}}}", PLACE: "${{{{ inputs.path }}}}"}}
      run: |
        if [ -z "$PLACE" ]; then exit 0; fi
        test "$WHAT ${{{{ inputs.token }}}}" = "course/scores token for scores"
        mkdir -p "$(dirname "$PLACE")" && cp -r "{scores}" "$PLACE"
"""
UPLOAD = """\
name: stub
inputs: {{path: {{required: true}}, name: {{required: false}}}}
runs:
  using: composite
  steps: [{{shell: bash, run: 'cp -r "${{{{ inputs.path }}}}" "{place}"'}}]
"""


@pytest.fixture
def run(tmp_path):
    """Return a function that runs the workflow and gives its result and where the uploads are."""
    scores = Scores(tmp_path)
    scores.add(report(1, alias="Ada"))
    scores.plant(report(2, alias="Trudy", minutes=1), content=b"{}")
    grader, tools = tmp_path / "grader", tmp_path / "tools"
    (grader / WORKFLOW).parent.mkdir(parents=True)
    (grader / WORKFLOW).write_bytes((ROOT / WORKFLOW).read_bytes())
    (grader / "allowed_signers").write_bytes(scores.signers.read_bytes())
    address = "https://github.com/course/grader.git"  # act takes the owner's name from it
    for command in ("init --quiet --initial-branch=main", f"remote add origin {address}"):
        subprocess.run(["git", *command.split()], cwd=grader, check=True)
    tools.mkdir()
    (tools / "make").write_text(MAKE.format(python=sys.executable), encoding="utf-8")
    (tools / "make").chmod(0o755)
    (tmp_path / "act").mkdir()
    stubs = {
        "actions/checkout": CHECKOUT.format(scores=scores.folder),
        "actions/create-github-app-token": TOKEN,
        "actions/upload-artifact": UPLOAD.format(place=tmp_path / "staff"),
        "actions/upload-pages-artifact": UPLOAD.format(place=tmp_path / "pages"),
        "actions/deploy-pages": UPLOAD.format(place=tmp_path / "deployed")
        .replace("required: true", "default: .")
        .replace("cp -r", "mkdir -p"),
    }

    def run(**variables):
        names = {"SCORES_REPOSITORY": "scores", "APP_CLIENT_ID": "app"} | variables
        options = [part for name, value in names.items() for part in ("--var", f"{name}={value}")]
        options += ["--env", f"PYTHONPATH={ROOT}"]
        return act(
            grader,
            WORKFLOW,
            tmp_path / "act",
            python=tools,
            event="workflow_dispatch",
            stubs=stubs,
            options=options,
        )

    return run


def test_the_board_is_for_staff_unless_told_otherwise(run, tmp_path):
    """One artifact with the ranking and what was refused; nothing goes to Pages."""
    done = run()
    assert done.returncode == 0, done.stdout
    board = json.loads((tmp_path / "staff" / "leaderboard.json").read_text())
    assert [row["alias"] for row in board["rows"]] == ["Ada"] and len(board["refused"]) == 1
    assert not (tmp_path / "pages").exists() and not (tmp_path / "deployed").exists()


def test_a_public_board_goes_to_pages_without_what_is_for_staff(run, tmp_path):
    """Only where the variable says so."""
    done = run(LEADERBOARD="public")
    assert done.returncode == 0, done.stdout
    board = json.loads((tmp_path / "pages" / "leaderboard.json").read_text())
    assert board["named"] == 1 and "refused" not in board
    assert "Ada" in (tmp_path / "pages" / "index.html").read_text()
    assert "refused" in json.loads((tmp_path / "staff" / "leaderboard.json").read_text())
    assert (tmp_path / "deployed").exists()


def test_what_the_grader_repository_knows_narrows_what_counts(run, tmp_path):
    """A roster beside the signers is used without being named anywhere."""
    (tmp_path / "grader" / "roster.csv").write_text("repository_id\n7\n")
    done = run()
    assert done.returncode == 0, done.stdout
    assert json.loads((tmp_path / "staff" / "leaderboard.json").read_text())["ranked"] == 0


def test_a_term_that_is_set_is_demanded(run, tmp_path):
    """The only report is of no term."""
    assert run(TERM="autumn").returncode == 0
    assert json.loads((tmp_path / "staff" / "leaderboard.json").read_text())["ranked"] == 0


def test_without_signers_nothing_is_published(run, tmp_path):
    """Red, with the line that says what is missing."""
    (tmp_path / "grader" / "allowed_signers").unlink()
    done = run(LEADERBOARD="public")
    assert done.returncode != 0 and "expected the allowed signers, got none" in done.stdout
    assert not any((tmp_path / name).exists() for name in ("staff", "pages", "deployed"))


def test_a_repository_that_is_not_set_up_does_nothing(run, tmp_path):
    """Green: the authors' own repository has no scores."""
    done = run(SCORES_REPOSITORY="")
    assert done.returncode == 0, done.stdout
    assert not (tmp_path / "staff").exists()
