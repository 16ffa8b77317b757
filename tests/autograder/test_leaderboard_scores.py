"""The leaderboard of a scores repository: what is genuine is ranked, the rest is told to staff."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from autograder.cli import main
from tests.autograder.signed import Scores, report

OLD = "sha256:" + "1" * 64


@pytest.fixture
def scores(tmp_path):
    """Return scores with three students, two of them named, and two reports that do not count."""
    scores = Scores(tmp_path)
    scores.add(
        report(1, alias="Ada"), report(2, modules=2, alias="Bob", minutes=1), report(3, minutes=2)
    )
    forged = scores.plant(report(4, alias="Trudy", minutes=3))
    forged.with_name(f"{forged.name}.sig").unlink()
    rich = report(5, alias="Mallory", minutes=4)
    rich["score"]["points"] = rich["assignments"][0]["score"]["points"] = 100
    scores.plant(rich)
    return scores


@pytest.fixture
def run(scores, tmp_path):
    """Return a function that builds the board and gives the command's result and its JSON."""

    def run(*options, signers=True):
        out = tmp_path / "board"
        command = ["leaderboard", scores.folder, "--out", out, *options]
        command += ["--signers", scores.signers] if signers else []
        done = CliRunner().invoke(main, list(map(str, command)))
        file = out / "leaderboard.json"
        return done, json.loads(file.read_text()) if file.exists() else None

    return run


def test_genuine_reports_are_ranked_and_the_rest_is_listed_with_its_reason(run):
    """One report each; the forged and the too good one change nobody's place."""
    done, board = run()
    assert done.exit_code == 0, done.output
    assert [(row["place"], row["alias"], row["points"]) for row in board["rows"]] == [
        ("1", "Bob", 100),
        ("2=", "Ada", 50),
    ]
    assert board["ranked"] == 3
    kinds = {one["path"].split("/")[1]: one["kind"] for one in board["refused"]}
    assert kinds == {"4": "forged", "5": "too good"}
    assert board["refused"][0]["reason"] == "it has no signature"
    assert f"refused reports/4/{report(4, minutes=3)['report_id']}.json (forged): " in done.stderr


def test_nothing_of_what_is_refused_is_on_the_page(run, tmp_path):
    """Not in the table for spreadsheets either."""
    run()
    for name in ("index.html", "leaderboard.csv"):
        text = (tmp_path / "board" / name).read_text()
        assert "Bob" in text
        assert not any(word in text for word in ("Trudy", "Mallory", "forged", "reports/"))


def test_a_public_board_tells_nobody_who_was_refused(run):
    """The JSON is linked from the page, and a repository's number is a student's."""
    done, board = run("--public")
    assert "refused" not in board and "reports/" not in json.dumps(board)
    assert board["ranked"] == 3 and "refused reports/4" in done.stderr


def test_a_roster_a_term_and_earlier_suites_are_read(run, scores, tmp_path):
    """Files that staff keep beside the signers."""
    old = report(6, minutes=6)
    old["grader"]["suite_digest"] = OLD
    scores.plant(old)
    (tmp_path / "roster.csv").write_text("name,repository_id\nAda,1\nX, 6\n")
    (tmp_path / "suites").write_text(f"# until all are graded again\n{OLD}  # one test mended\n")
    done, board = run("--roster", tmp_path / "roster.csv", "--suites", tmp_path / "suites")
    assert done.exit_code == 0 and board["ranked"] == 2
    done, board = run("--term", "2027")
    assert board["ranked"] == 0 and len(board["refused"]) == 6


@pytest.mark.parametrize(
    ("option", "content", "reason"),
    [
        ("--roster", "name\nAda\n", "expected a column repository_id"),
        ("--roster", "repository_id\n12\nada\n", "line 3: expected a numeric repository id"),
        ("--suites", "sha256:12\n", "expected sha256: and 64 hexadecimal digits"),
        ("--suites", None, "expected a text file, got none"),
        ("--signers", "# nobody\n", "expected the key of a publisher, got none"),
    ],
)
def test_a_file_of_ours_that_cannot_be_read_is_one_line(run, tmp_path, option, content, reason):
    """And no board is written, which would be an empty one."""
    file = tmp_path / "file"
    if content is not None:
        file.write_text(content)
    done, board = run(option, file, signers=option != "--signers")
    assert done.exit_code == 3 and board is None
    assert done.stderr.count("\n") == 1 and reason in done.stderr


def test_scores_without_signers_are_not_read(run):
    """Nothing unsigned is ranked; the line says how to."""
    done, board = run(signers=False)
    assert done.exit_code == 2 and board is None
    assert "say with --signers whose reports count" in done.stderr
