"""Signed reports of the competition: the same hostility as for marks, and points that follow."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from click.testing import CliRunner

from autograder.cli import main
from autograder.competition.identity import digest
from autograder.scores import Rules, read
from tests.autograder.competition.made import START, report, result
from tests.autograder.signed import COURSE, Scores, new_key
from tests.autograder.signed import report as graded

RULES = Rules(COURSE, now=START + timedelta(days=30))
WHO = "abcdefghijklmnopqrstuvwxyz234567"


def entry(repository, *results, **more):
    """Return a report as it would be published."""
    return report(WHO[repository % 32] * 32, *results, repository=repository, **more)


@pytest.fixture
def scores(tmp_path):
    return Scores(tmp_path)


def refused(scores, rules=RULES):
    """Return kind and reason of everything that does not count."""
    found = read(scores.folder, scores.signers, rules)
    return [(one.kind, one.reason) for one in found.refused]


def test_what_the_publisher_signs_counts_and_lies_apart_from_marks(scores):
    """Every track and division, refused entries and practice too, and a seed of 128 bits."""
    one = entry(
        1,
        result(3000, track="featherweight", division="open"),
        result(2.0, (1.9, 2.1)),
        result(None, track="target"),
        result(2.3, (2.2, 2.35), track="language", state="verified"),
        alias="Ada",
    )
    gated = entry(2, result(2.0, points=None, note="agreement 98 %"), isolation="none")
    gated["assignments"][0]["state"] = "self-run"
    path = scores.add(one)
    scores.add(gated)
    assert path.relative_to(scores.folder).as_posix().startswith("competition/1/")
    found = read(scores.folder, scores.signers, RULES)
    assert found.refused == [] and found.accepted == [one, gated]


def test_what_is_not_signed_altered_or_signed_by_a_stranger_is_refused(scores, tmp_path):
    """As it is for marks."""
    scores.add(entry(1, result(2.0)))
    unsigned = scores.plant(entry(2, result(2.0)))
    unsigned.with_name(f"{unsigned.name}.sig").unlink()
    scores.plant(entry(3, result(2.0)), key=new_key(tmp_path, "stranger"))
    altered = scores.plant(entry(4, result(1.5)))
    altered.write_bytes(altered.read_bytes().replace(b"1.5", b"2.2"))
    kinds = [kind for kind, _ in refused(scores)]
    assert kinds == ["forged", "forged", "altered"]
    assert len(read(scores.folder, scores.signers, RULES).accepted) == 1


def test_a_report_in_the_wrong_folder_or_there_twice_is_a_replay(scores):
    """Neither another's folder nor the one of marks makes it count again."""
    one = entry(1, result(2.0))
    path = scores.add(one)
    for place in ("competition/2", "reports/1"):
        copy = scores.folder / place / path.name
        copy.parent.mkdir(parents=True)
        for name in (path.name, f"{path.name}.sig"):
            copy.with_name(name).write_bytes(path.with_name(name).read_bytes())
    again = entry(1, result(2.2))
    again["report_id"] = f"7{one['report_id'][1:]}"
    scores.plant(again)
    assert sorted(refused(scores)) == [
        ("replayed", f"it is a copy of competition/1/{path.name}"),
        ("replayed", f"it is a copy of competition/1/{path.name}"),
        ("replayed", f"it is about the same attempt as {one['report_id']}"),
    ]


def changed(*path, to):
    """Return a function that changes one value of a report."""

    def change(one):
        for key in path[:-1]:
            one = one[key]
        one[path[-1]] = to

    return change


RICH = changed("assignments", 0, "score", "points", to=100)
CASES = [
    ("too good", "sprint has 100 points, its result earns", RICH),
    ("too good", "the report has 90 of 100 points", changed("score", "points", to=90)),
    ("too good", "has the medal gold", changed("assignments", 0, "medal", to="gold")),
    ("too good", "is verified, which the", changed("grader", "isolation", to="none")),
    ("too good", "is disputed, which the", changed("assignments", 0, "state", to="disputed")),
    ("too good", "in 's', expected '×'", changed("metrics", 0, "unit", to="s")),
    ("too good", "in '×', expected '×'", changed("metrics", 0, "direction", to="lower")),
    ("too good", "baseline of sprint is 0.1", changed("metrics", 0, "baseline", to=0.1)),
    ("too good", "no result of 1e-09 to", changed("metrics", 0, "value", to=-1.5)),
    ("too good", "no result of 1e-09 to", changed("metrics", 0, "value", to=None)),
    ("too good", "no result of 1e-09 to", changed("metrics", 0, "name", to="sprinting")),
    ("too good", "the interval of sprint is", changed("metrics", 0, "ci95", to=[1.6, 1.4])),
    ("too good", "is 4 to 5, around 1.5", changed("metrics", 0, "ci95", to=[4.0, 5.0])),
    ("too good", "no result of 1e-09 to", changed("metrics", 0, "value", to=1e200)),
    ("too good", "agreement is 1e+200, expected", changed("metrics", 1, "value", to=1e200)),
    ("too good", "agreement is 0.5, expected", changed("metrics", 1, "value", to=0.5)),
    ("too good", "is 0.995, expected at", changed("metrics", 1, "gate", "threshold", to=0.1)),
    ("too good", "is 0.995, expected at", changed("metrics", 1, "gate", "passed", to=False)),
    ("too good", "agreement was not measured", changed("metrics", 1, "name", to="x")),
    ("too good", "counts twice", changed("metrics", 1, "name", to="sprint")),
    ("foreign", "which is no track", changed("assignments", 0, "id", to="competition-z")),
    ("foreign", "which is no track", changed("assignments", 0, "id", to="sprint")),
    ("foreign", "of the course another", changed("course", "id", to="another")),
    ("outdated", "neither today's", changed("grader", "suite_digest", to="sha256:" + "2" * 64)),
    ("unreadable", "none that the grader makes", changed("leaderboard", "opt_in", to=True)),
]


@pytest.mark.parametrize(("kind", "reason", "change"), CASES, ids=[one[1] for one in CASES])
def test_a_signed_report_that_claims_too_much_is_refused(scores, kind, reason, change):
    """A key that errs, or that someone borrowed, gives no more than a result earns."""
    one = entry(1, result(1.5, (1.4, 1.6), state="verified"))
    change(one)
    scores.plant(one)
    ((came, why),) = refused(scores)
    assert came == kind and reason in why


def test_marks_do_not_ride_along_in_a_report_of_the_competition(scores):
    """Nor a division that a track has not."""
    mixed = entry(1, result(1.5))
    mixed["assignments"] += graded(1)["assignments"]
    scores.plant(mixed)
    ((kind, reason),) = refused(scores)
    assert (kind, reason) == ("foreign", "it measures 01_tensor, which is no track of this course")
    other = entry(2, result(4.0, track="decode"))
    other["assignments"][0]["division"] = "open"
    scores.plant(other)
    assert ("foreign", "decode has no division open") in refused(scores)


def test_earlier_rules_count_where_staff_say_so(scores):
    """As earlier suites do."""
    old = entry(1, result(2.0))
    old["grader"]["suite_digest"] = "sha256:" + "2" * 64
    scores.plant(old)
    rules = Rules(COURSE, now=RULES.now, suites=frozenset({"sha256:" + "2" * 64}))
    assert refused(scores, rules) == [] and digest() != "sha256:" + "2" * 64


def board(scores, tmp_path, *options):
    command = ["leaderboard", scores.folder, "--signers", scores.signers, "--out", tmp_path / "out"]
    done = CliRunner().invoke(main, list(map(str, [*command, *options])))
    assert done.exit_code == 0, done.output
    return done, tmp_path / "out"


def test_the_leaderboard_of_the_scores_has_both_boards(scores, tmp_path):
    """What is refused is on neither, and named to staff; decisions are honoured."""
    scores.add(graded(1, alias="Ada"), entry(1, result(2.0), alias="Ada"))
    scores.add(entry(2, result(1.8), alias="Bob", day=2))
    rich = entry(3, result(1.1), alias="Mallory")
    RICH(rich)
    scores.plant(rich)
    decided = tmp_path / "competition.toml"
    decided.write_text(
        '[[state]]\nrepository = 1\ntrack = "sprint"\nto = "disputed"\nreason = "told-to-them"\n'
        'by = "J. Doe"\nat = 2026-10-20T00:00:00Z\n'
    )
    done, out = board(scores, tmp_path, "--states", decided, "--public")
    assert "(too good): sprint has 100 points" in done.stderr
    (table,) = json.loads((out / "competition.json").read_text())["tables"]
    found = [(one["alias"], one["place"], one["state"]) for one in table["rows"]]
    assert found == [("Bob", "1", "ci"), ("Ada", "–", "disputed")]
    ranked = json.loads((out / "leaderboard.json").read_text())
    assert [one["alias"] for one in ranked["rows"]] == ["Ada"]
    for path in out.iterdir():
        text = path.read_text()
        assert "Mallory" not in text and "told-to-them" not in text, path.name


def test_competing_changes_no_mark(scores, tmp_path):
    """A gradebook has the same lines with it and without."""
    scores.add(graded(1))
    roster = tmp_path / "roster.csv"
    head = "github_username,github_id,repository,repository_id,identifier,name,section"
    roster.write_text(f"{head}\nada,11,o/a,1,ada,Ada,\nbob,12,o/b,2,bob,Bob,\n")
    command = ["export", "moodle", scores.folder, "--signers", scores.signers]
    command += ["--roster", roster, "--out"]
    texts = []
    for name in ("before.csv", "after.csv"):
        done = CliRunner().invoke(main, [*map(str, command), str(tmp_path / name)])
        assert done.exit_code == 0, done.output
        texts.append((tmp_path / name).read_text())
        scores.add(entry(1, result(2.0)), entry(2, result(None)))
    assert texts[0] == texts[1]
