"""The competition's files say the ranking, name nobody unasked, and are data to every reader."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from datetime import datetime, timezone

import pytest

from assignments.competition.tracks import tracks
from autograder.leaderboard import contest, publish
from autograder.leaderboard.board import build, floored
from autograder.leaderboard.picture import HEIGHT, WIDTH, draw
from autograder.leaderboard.place import student_page
from autograder.ledger import Ledger
from tests.autograder.competition.made import BASELINES, report, result
from tests.autograder.standings import COURSE, START
from tests.autograder.standings import report as modules

NOW = datetime(2026, 10, 24, tzinfo=timezone.utc)


@pytest.fixture
def board(tmp_path):
    """Return a function that publishes reports and gives the folder."""

    def board(*reports, **options):
        ledger = Ledger(tmp_path / "ledger")
        ledger.folder.mkdir(exist_ok=True)
        ledger.file.touch()
        for one in reports:
            assert ledger.append(one)
        return publish(ledger.folder, tmp_path / "out", course=COURSE, now=START, **options).parent

    return board


def data(folder):
    return json.loads((folder / "competition.json").read_text(encoding="utf-8"))


GOLD = tracks()["sprint"].gold["closed"]
INTERVAL = [GOLD - 0.05, GOLD + 0.05]
ADA = report(
    "a",
    result(3000, track="featherweight", accuracy=0.97),
    result(GOLD, INTERVAL),
    result(8.0, (7.9, 8.1), track="decode"),
    alias="Ada",
)
BOB = report("b", result(GOLD + 0.03, (GOLD - 0.04, GOLD + 0.05), quality="noisy"), day=2)
CYD = report(
    "c",
    result(2000, track="featherweight", accuracy=0.965, state="verified"),
    result(1.5, (1.4, 1.6)),
    result(None, track="decode"),
    day=3,
    alias="=HYPERLINK(1)",
)


def test_the_json_has_every_named_row_and_counts_the_others(board):
    """Places are those among all; who is not named leaves a gap and nothing else."""
    document = data(board(ADA, BOB, CYD))
    assert document["schema"] == "competition/1"
    tables = {one["track"]: one for one in document["tables"]}
    sprint = tables["sprint"]
    assert (sprint["entries"], sprint["ranked"], sprint["named"]) == (3, 3, 2)
    assert [(one["place"], one["alias"]) for one in sprint["rows"]] == [
        ("1=", "Ada"),
        ("3", "=HYPERLINK(1)"),
    ]
    assert sprint["rows"][0] == {
        **{"rank": 1, "place": "1=", "alias": "Ada", "value": GOLD, "ci95": INTERVAL},
        **{"points": 100, "medal": "gold", "accuracy": None, "agreement": 0.995},
        **{"state": "ci", "quality": "ok"},
        "since": "2026-10-01T00:00:00.000Z",
    }
    assert (sprint["baseline"], sprint["lines"]["gold"]) == (1.0, GOLD)
    decode = tables["decode"]["rows"]
    assert [(one["place"], one["value"], one["points"]) for one in decode] == [
        ("1", 8.0, pytest.approx(100)),
        ("–", None, None),
    ]
    assert document["all_round"][0]["alias"] == "Ada"


def test_gold_and_baseline_stand_where_they_belong_between_the_rows(board):
    """Less is better here: gold is a small part of the baseline."""
    track = tracks()["featherweight"]
    values = {"a": 0.9 * 9000 / track.gold["closed"], "b": 8000, "c": 9500}
    reports = [report(who, result(v, track=track.name), alias=who) for who, v in values.items()]
    (table,) = build(reports).tables
    shown = [row[0] if isinstance(row, tuple) else row.alias for row in table.mixed()]
    assert shown == ["a", "gold line", "b", "baseline", "c"]
    assert table.line("gold") == pytest.approx(9000 / track.gold["closed"])
    silver = track.improvement(table.line("silver"), 9000)
    assert track.points(silver, "closed") == pytest.approx(60)


def test_records_are_told_the_newest_first_and_only_of_the_named(board):
    """A record of nobody in particular stays untold."""
    reports = [
        report("a", result(1.2), alias="Ada"),
        report("b", result(1.4), day=2),
        report("c", result(1.6), day=3, alias="Cyd"),
    ]
    folder = board(*reports)
    found = data(folder)["tables"][0]["records"]
    assert [(one["alias"], one["value"]) for one in found] == [("Ada", 1.2), ("Cyd", 1.6)]
    page = (folder / "competition.html").read_text(encoding="utf-8")
    records = page[page.index('class="records"') :]
    assert records.index("Cyd") < records.index("Ada")


def test_the_front_is_those_whom_nobody_beats_in_both(board):
    """Dominated by somebody who is not named is dominated."""
    points = {"a": (500, 0.97), "b": (700, 0.98), "c": (800, 0.975), "d": (650, 0.99)}
    reports = [
        report(who, result(value, track="featherweight", accuracy=accuracy), alias=name)
        for (who, (value, accuracy)), name in zip(points.items(), "ABC" + "\0", strict=True)
    ]
    reports[3]["leaderboard"] = {"opt_in": False, "alias": None}
    (picture,) = data(board(*reports))["pareto"]
    assert picture["axes"] == ["size", "accuracy"]
    front = {one["alias"]: one["front"] for one in picture["entries"]}
    assert front == {"A": True, "B": False, "C": False}


def test_speed_is_drawn_against_what_is_the_entrys_merit(board):
    """Closed entries keep to a network that is altered in secret, open ones read digits."""
    closed = report("a", result(2.0, agreement=0.992), alias="Ada")
    opened = report("b", result(1.5, accuracy=0.978, division="open"), alias="Bob", day=2)
    one, two = data(board(closed, opened))["pareto"]
    assert (one["divisions"], one["axes"]) == (["closed"], ["speed", "agreement"])
    assert one["entries"][0]["agreement"] == 0.992 and len(one["entries"]) == 1
    assert (two["divisions"], two["axes"]) == (["open"], ["speed", "accuracy"])
    assert [(row["alias"], row["accuracy"]) for row in two["entries"]] == [("Bob", 0.978)]


def test_the_csv_has_a_line_for_each_named_entry_and_is_no_formula(board):
    """A missing result is an empty cell, not 0."""
    text = (board(ADA, BOB, CYD) / "competition.csv").read_bytes().decode()
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [(row["track"], row["alias"]) for row in rows] == [
        ("featherweight", "'=HYPERLINK(1)"),
        ("featherweight", "Ada"),
        ("sprint", "Ada"),
        ("sprint", "'=HYPERLINK(1)"),
        ("decode", "Ada"),
        ("decode", "'=HYPERLINK(1)"),
    ]
    low, gold = f"{GOLD - 0.05:g}", f"{GOLD:g}"
    assert (rows[2]["place"], rows[2]["ci95_low"], rows[2]["gold"]) == ("1=", low, gold)
    assert (rows[-1]["place"], rows[-1]["value"], rows[-1]["points"]) == ("", "", "")


def test_nothing_that_is_published_tells_who_did_not_ask_or_why_one_failed(board):
    """No hash, commit, report, seed, reason, nor any figure of the unnamed."""
    hidden = report("hash-of-bob", result(1.7731, (1.7711, 1.7752), agreement=0.99437), day=5)
    failed = result(None, track="decode", note="entry/decode.py: SecretError")
    named = report("hash-of-ada", result(2.0), failed, alias="Ada")
    folder = board(hidden, named)
    assert "Ada" in (folder / "competition.html").read_text(encoding="utf-8")
    for path in folder.iterdir():
        text = path.read_text(encoding="utf-8")
        for one in (hidden, named):
            for secret in (one["submitter"]["id"], one["submission"]["commit"], one["report_id"]):
                assert secret not in text, path.name
            assert str(one["grader"]["seed"]) not in text, path.name
        for secret in ("1.77", "99.44", "0.99437", "SecretError", "2026-10-05"):
            assert secret not in text, path.name


def test_whoever_takes_the_name_back_is_named_nowhere(board):
    """The newest submission decides, whether it was graded or competed; and names stay apart."""
    later = modules("a", 50, number=9) | {"created_at": "2026-10-30T00:00:00.000Z"}
    folder = board(ADA, report("b", result(1.1), alias="ada", day=2), later)
    assert data(folder)["tables"][1]["rows"][0]["alias"] == "ada"
    assert all("Ada" not in path.read_text(encoding="utf-8") for path in folder.iterdir())


def test_two_students_with_one_name_are_told_apart(board):
    """As on the board of modules: the first keeps it."""
    folder = board(ADA, report("b", result(1.1), alias="ada", day=2))
    names = [one["alias"] for one in data(folder)["tables"][1]["rows"]]
    assert names == ["Ada", "ada (2)"]


def test_without_a_competition_there_is_no_page_and_none_stays_from_before(board, tmp_path):
    """And the module board says nothing of one."""
    folder = board(modules("a", 50, alias="Ada"))
    assert sorted(path.name for path in folder.iterdir()) == [
        *("index.html", "leaderboard.csv", "leaderboard.json"),
    ]
    assert "competition.html" not in (folder / "index.html").read_text(encoding="utf-8")
    assert (board(ADA) / "competition.html").exists()
    assert "competition.html" in (folder / "index.html").read_text(encoding="utf-8")
    for path in (tmp_path / "ledger").iterdir():
        path.unlink()
    assert not (board(modules("a", 50)) / "competition.html").exists()


def test_competing_is_no_grade_of_modules(board):
    """On the other board who only competes is not there, not even waiting."""
    folder = board(modules("a", 50, alias="Ada"), report("b", result(1.1), alias="Bob"))
    document = json.loads((folder / "leaderboard.json").read_text(encoding="utf-8"))
    assert (document["ranked"], document["waiting"]) == (1, 0)
    assert [one["id"] for one in document["modules"]] == ["01_tensor"]


def test_one_commit_measured_track_by_track_is_remembered_track_by_track(tmp_path):
    """And again in the final; the same twice is there once."""
    ledger = Ledger(tmp_path)
    final = report("a", result(2.0, state="verified"))
    for one in (report("a", result(2.0)), report("a", result(8.0, track="decode")), final):
        assert ledger.append(one)
    assert not ledger.append(report("a", result(2.0)))
    assert all(one.is_competition for one in ledger.entries())
    assert ledger.append(modules("a", 1)) and not ledger.entries()[-1].is_competition


def test_the_newest_rules_of_a_track_count(board):
    """Results of older ones are not compared with them."""
    old, new = (report(who, result(v), alias=who) for who, v in (("a", 2.2), ("b", 1.2)))
    new["assignments"][0]["version"] = 2
    rows = data(board(old, new))["tables"][0]["rows"]
    assert [(one["place"], one["alias"]) for one in rows] == [("1", "b")]


def test_a_student_sees_their_place_and_the_few_just_ahead(board):
    """Of those who are not named, the place alone; of those behind, nothing."""
    values = [2.2, 2.0, 1.8, 1.6, 1.4, 1.2]
    names = ["First", "`Second` | @all", None, "Fourth", None, "Last"]
    reports = [
        report(who, result(value), day=day, alias=name)
        for day, (who, value, name) in enumerate(zip("abcdef", values, names, strict=True), 1)
    ]
    page = student_page(build(reports), "e", NOW)
    points = f"{100 * math.log(1.4) / math.log(GOLD):.1f}"
    assert f"| B Sprint, closed | 5 of 6 | 1.40 × | exact | {points} | bronze | measured |" in page
    ahead = page[page.index("Just ahead") :].splitlines()[2:5]
    assert ahead == [
        "| 2 | `'Second' \\| @all` | 2.00 × |",
        "| 3 | *not named* | |",
        "| 4 | `Fourth` | 1.60 × |",
    ]
    assert not any(word in page for word in ("First", "Last", "1.80", "1.20"))
    assert page.endswith("As of 2026-10-24 00:00 UTC.\n")


def test_a_student_without_a_place_reads_why(board):
    """The reason is theirs, and what there is to do."""
    refused = report("a", result(None, note="entry/sprint.py cannot be imported"))
    page = student_page(build([refused]), "a", NOW)
    assert "| B Sprint, closed | – | not ranked |" in page and "cannot be imported" in page
    assert "Just ahead" not in page
    assert "You have no entry yet" in student_page(build([refused]), "b", NOW)
    assert "You have no entry yet" in student_page(None, "b", NOW)


@pytest.mark.parametrize("count", [1, 2, 40])
@pytest.mark.parametrize("track", ["featherweight", "sprint"])
def test_everything_in_a_picture_is_within_its_frame_and_has_a_scale(track, count):
    """Also where all are the same, or one alone is there."""
    values = [BASELINES[track] * (1 + (n % 7) / 9) for n in range(count)]
    reports = [
        report(
            f"s{n}",
            result(value, track=track, accuracy=1 - n / 1000, agreement=1 - n / 4000),
            alias="W" * 24,
        )
        for n, value in enumerate(values)
    ]
    found = build(reports)
    ((_, marks),) = found.pictures
    picture = draw(marks, found.tables)
    for dot in picture.dots:
        assert picture.left <= dot.x <= picture.right and picture.top <= dot.y <= picture.bottom
    assert len(picture.dots) == count and 0 < picture.right < WIDTH and picture.bottom < HEIGHT
    assert 2 <= len(picture.x_ticks) <= 7 and 2 <= len(picture.y_ticks) <= 6
    assert all(float(re.sub("[ %,]", "", tick.text)) <= 100 for tick in picture.y_ticks)
    assert {line.text for line in picture.lines} == {"gold", "baseline"}


def test_the_lines_of_a_picture_are_those_of_the_divisions_that_it_shows():
    """Where it shows two, each has its own gold, told apart."""
    closed, opened = (
        report(
            who,
            result(400 * (1 + (who == "b")), track="featherweight", division=division),
            result(2.0, division=division),
            alias=who,
        )
        for who, division in (("a", "closed"), ("b", "open"))
    )
    gold = tracks()["sprint"].gold
    board = build([closed, opened])
    size, *speeds = (contest.drawn(board, pair, marks) for pair, marks in board.pictures)
    assert [one.text for one in size.lines] == ["gold, open", "gold, closed", "baseline"]
    left, right, _ = size.lines
    assert right.at - left.at > 90 or left.y != right.y, "one label does not cover the other"
    for picture, division in zip(speeds, ("closed", "open"), strict=True):
        base, top = picture.lines
        (dot,) = picture.dots
        assert (base.text, top.text) == ("baseline", "gold")
        share = (dot.x - base.at) / (top.at - base.at)
        assert share == pytest.approx(math.log(2.0) / math.log(gold[division]), abs=0.01)
    only = build([opened, report("c", result(500, track="featherweight"))])  # who is not named
    (pair, marks), _ = only.pictures
    assert [one.text for one in contest.drawn(only, pair, marks).lines] == ["gold", "baseline"]


def test_what_failed_the_final_is_not_called_verified(board):
    """It was measured in the final, and no more; the data have the state by its own word."""
    reports = [
        report("a", result(2.0), alias="Ada"),
        report("a", result(None, state="verified", note="row 3"), alias="Ada", day=2),
        report("b", result(1.5, state="verified"), alias="Bob", day=3),
    ]
    folder = board(*reports)
    page = (folder / "competition.html").read_text(encoding="utf-8")
    chips = re.findall(r'class="chip [a-z]+">(.+?)</span>', page)
    assert chips == ["verified", "in the final"] and "2.00" not in page
    assert [row["state"] for row in data(folder)["tables"][0]["rows"]] == ["verified"] * 2
    told = student_page(build(reports), "a", NOW)
    assert "| not ranked | | | | in the final |" in " ".join(told.split()) and "`row 3`" in told


def test_points_that_miss_a_medal_do_not_read_as_if_they_earned_it(board):
    """59.97 is no silver, nor 60.0 in print."""
    one = report("a", result(GOLD**0.5997), alias="Ada")
    assert one["assignments"][0]["score"]["points"] == pytest.approx(59.97)
    text = (board(one) / "competition.html").read_text(encoding="utf-8")
    assert "59.9<small" in text and "60.0" not in text and "coin bronze" in text
    assert "| 59.9 | bronze |" in student_page(build([one]), "a", NOW)
    assert [floored(points) for points in (0.3, 25, 60, 99.99, 100)] == [
        *("0.3", "25.0", "60.0", "99.9", "100.0"),
    ]
