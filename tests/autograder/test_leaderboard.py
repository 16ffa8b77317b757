"""The leaderboard's files say the ranking, name nobody unasked, and are data to every reader."""

import csv
import html
import io
import json

import pytest

from autograder.leaderboard import publish
from autograder.ledger import Ledger, LedgerError
from tests.autograder.standings import COURSE, START, report


@pytest.fixture
def board(tmp_path):
    """Return a function that publishes reports and gives the folder."""

    def board(*reports):
        ledger = Ledger(tmp_path / "ledger")
        ledger.folder.mkdir(exist_ok=True)
        ledger.file.touch()
        for one in reports:
            ledger.append(one)
        page = publish(ledger.folder, tmp_path / "board", course=COURSE, now=START)
        assert page == tmp_path / "board" / "index.html"
        return page.parent

    return board


SOME = [
    report("a", 90, 100, number=1, alias="Ada"),
    report("b", 80, number=2),
    report("c", 80, number=3, alias="=HYPERLINK(1)", minutes=1),
    report("d", 10, number=4, alias="Dee", isolation="none"),
]


def test_the_json_has_every_named_row_and_counts_the_others(board):
    """Machine-readable, and stable from run to run."""
    document = json.loads((board(*SOME) / "leaderboard.json").read_text())
    assert document["schema"] == "leaderboard/1"
    assert document["generated_at"] == "2026-11-20T12:00:00.000Z"
    assert (document["ranked"], document["named"], document["waiting"]) == (3, 2, 1)
    assert document["rows"][0] == {
        "rank": 1,
        "place": "1",
        "alias": "Ada",
        "points": 190,
        "max_points": 200,
        "modules": {"01_tensor": 90, "02_activations": 100},
    }
    assert [row["place"] for row in document["rows"]] == ["1", "2="]


def test_the_csv_is_no_formula_to_a_spreadsheet(board):
    """A name that begins like one gets an apostrophe; a missing grade is an empty cell."""
    text = (board(*SOME) / "leaderboard.csv").read_bytes().decode()
    rows = list(csv.reader(io.StringIO(text, newline="")))
    assert rows == [
        ["rank", "alias", "points", "max_points", "01_tensor", "02_activations"],
        ["1", "Ada", "190", "200", "90", "100"],
        ["2=", "'=HYPERLINK(1)", "80", "200", "80", ""],
    ]


def test_nothing_that_is_published_tells_who_did_not_ask(board):
    """No hash, no commit, no points of the unnamed in any of the files."""
    folder = board(
        report("hash-of-bob", 33.25, number=77, alias=None), report("hash-of-ada", 90, alias="Ada")
    )
    for path in folder.iterdir():
        text = path.read_text()
        for secret in ("hash-of-bob", "hash-of-ada", "33.25", f"{77:040x}", f"{77:026d}"):
            assert secret not in text, path.name


def test_the_page_is_the_same_for_the_same_ledger(board):
    """Nothing on it depends on the clock or on chance."""
    first = {path.name: path.read_bytes() for path in board(*SOME).iterdir()}
    assert {path.name: path.read_bytes() for path in board(*SOME).iterdir()} == first
    assert sorted(first) == ["index.html", "leaderboard.csv", "leaderboard.json"]


def test_a_name_is_text_on_the_page(board):
    """Markup in it is shown, not obeyed, and cannot end the row's own."""
    page = (board(report("a", 1, alias="<img src=x>\"'</td>")) / "index.html").read_text()
    assert "<bdi>&lt;img src=x&gt;&#34;&#39;&lt;/td&gt;</bdi>" in page and "<img" not in page


def test_the_page_allows_its_own_style_and_script_and_nothing_else(board):
    """The content security policy names both by their hash; nothing is inline elsewhere."""
    page = html.unescape((board(*SOME) / "index.html").read_text())
    assert "default-src 'none'" in page and page.count("'sha256-") == 2
    assert "unsafe" not in page and " style=" not in page and " onclick" not in page
    assert "http://" not in page.replace("http://www.w3.org/2000/svg", "") and "https" not in page


def test_a_folder_that_is_no_ledger_is_refused(tmp_path):
    """Expected, came, do; and nothing is written."""
    with pytest.raises(LedgerError, match="got no reports.ndjson in it; name the folder"):
        publish(tmp_path, tmp_path / "board")
    assert not (tmp_path / "board").exists()


def test_a_corrupt_line_does_not_stop_the_board(board, tmp_path, caplog):
    """It is named with its number, everybody else is on the page."""
    board(SOME[0])
    with open(tmp_path / "ledger" / "reports.ndjson", "ab") as file:
        file.write(b"garbage\n")
    document = json.loads((board(SOME[2]) / "leaderboard.json").read_text())
    assert document["named"] == 2 and "line 2 is skipped" in caplog.text
