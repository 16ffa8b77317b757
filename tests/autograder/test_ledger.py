"""The ledger loses nothing and doubles nothing, whoever is killed, whatever is damaged."""

import copy
import json
import logging
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from autograder import report as reports
from autograder.ledger import Ledger, LedgerError, entry
from tests.autograder.grades import KEY, NOW, Course, Handed, check, grade, module

ROOT = Path(__file__).parent.parent.parent
APPEND = """
import copy, json, sys
from autograder.ledger import Ledger
folder, name, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
report, ledger = json.load(open(sys.argv[4])), Ledger(folder)
print("ready", flush=True)
for number in range(count):
    one = copy.deepcopy(report)
    one["submission"]["commit"] = f"{name}{number:039x}"
    one["tests"] = one["tests"] * 20
    ledger.append(one)
    print(one["submission"]["commit"], flush=True)
"""


@pytest.fixture
def report(tmp_path):
    """Return a staff report."""
    outcome = grade(module(check(), check(behaviour="broadcasts", status="failed")))
    return reports.build(outcome, Handed(tmp_path), submitter_key=KEY, course=Course(), now=NOW)


@pytest.fixture
def ledger(tmp_path):
    """Return a ledger whose folder does not exist yet."""
    return Ledger(tmp_path / "ledger")


def with_commit(report, number, **changes):
    """Return the same report of another commit."""
    report = copy.deepcopy(report)
    report["submission"]["commit"] = f"{number:040x}"
    return report | changes


def commits(ledger):
    """Return the commits in the ledger, in order."""
    return [int(one["submission"]["commit"], 16) for one in ledger]


def test_reading_a_ledger_that_is_not_there_finds_nothing_and_makes_nothing(ledger):
    """Looking at a folder must not create one."""
    assert list(ledger) == list(ledger.latest()) == ledger.corrupt() == []
    assert len(ledger) == 0 and not ledger.graded("key")
    assert not ledger.folder.exists()


def test_what_is_appended_is_read_back_in_order(ledger, report):
    """Every field survives, oldest first, one line each."""
    given = [with_commit(report, number) for number in (3, 1, 2)]
    assert all(ledger.append(one) for one in given)
    assert list(ledger) == given
    assert ledger.file.read_bytes().count(b"\n") == 3
    assert ledger.graded(entry(given[0]).key)


def test_the_same_report_is_kept_once(ledger, report):
    """A grading that is repeated has another id and another time, and is the same grading."""
    again = report | {"report_id": "0" * 26, "created_at": "2027-01-01T00:00:00Z"}
    assert ledger.append(report) and not ledger.append(again)
    assert list(ledger) == [report]


@pytest.mark.parametrize(
    "part, key, value",
    [
        ("submitter", "id", "b" * 32),
        ("submission", "commit", "1" * 40),
        ("grader", "suite_digest", "sha256:" + "6" * 64),
        ("grader", "seed", 2**70),
        ("grader", "isolation", "none"),
    ],
)
def test_another_submitter_commit_suite_seed_or_isolation_is_another_report(
    ledger, report, part, key, value
):
    """Each of these decides what a grade is."""
    other = copy.deepcopy(report)
    other[part][key] = value
    assert ledger.append(report) and ledger.append(other)
    assert len(ledger) == 2


def test_without_git_the_files_digest_tells_reports_apart(ledger, report):
    """A plain folder has no commit."""
    report["submission"]["commit"] = None
    other = copy.deepcopy(report)
    other["submission"]["digest"] = "sha256:" + "a" * 64
    assert ledger.append(report) and ledger.append(other) and not ledger.append(report)


def test_an_ungradable_report_does_not_stand_in_for_the_grade(ledger, report):
    """What we could not grade is graded later; the same failure twice is kept once."""
    broken = report | {"status": "ungradable", "score": None, "reason": "no sandbox"}
    reseeded = broken | {"grader": report["grader"] | {"seed": 8}}
    assert ledger.append(broken) and not ledger.append(reseeded)
    assert ledger.append(report)


def test_the_latest_report_of_each_submitter_is_found(ledger, report):
    """Latest by place in the ledger."""
    bob = {"submitter": {"id": "b" * 32}}
    for one in (with_commit(report, 1), with_commit(report, 2, **bob), with_commit(report, 3)):
        ledger.append(one)
    assert sorted(int(one["submission"]["commit"], 16) for one in ledger.latest()) == [2, 3]


def test_a_torn_last_line_is_closed_and_the_next_report_begins_a_fresh_one(ledger, report):
    """A grader that was killed while it wrote costs its own report alone."""
    ledger.append(with_commit(report, 1))
    with open(ledger.file, "ab") as file:
        file.write(b'{"schema": "grade-rep')
    assert commits(ledger) == [1] and ledger.corrupt() == []
    ledger.append(with_commit(report, 2))
    assert commits(ledger) == [1, 2]
    assert [line.line for line in ledger.corrupt()] == [2]


def test_a_whole_last_line_without_its_newline_is_not_lost(ledger, report):
    """Killed between the last byte of the report and the end of the line."""
    ledger.append(with_commit(report, 1))
    ledger.append(with_commit(report, 2))
    os.truncate(ledger.file, ledger.file.stat().st_size - 1)
    ledger.append(with_commit(report, 3))
    assert commits(ledger) == [1, 2, 3] and ledger.corrupt() == []


@pytest.mark.parametrize(
    "line, reason",
    [
        (b"not json", "it is not JSON"),
        (b"\xff\xfe", "it is not UTF-8"),
        (b"[]", "no staff report"),
        (b'{"schema": "grade-report/1", "audience": "student"}', "no staff report"),
        (b'{"schema": "grade-report/1", "audience": "staff"}', "no staff report"),
        (b"[" * 100_000, "no staff report"),
        (b"", "it is not JSON"),
    ],
)
def test_a_corrupt_line_is_named_with_its_number_and_skipped(ledger, report, caplog, line, reason):
    """The reports around it are there, and the warning says which line to look at."""
    ledger.append(with_commit(report, 1))
    with open(ledger.file, "ab") as file:
        file.write(line + b"\n")
    ledger.append(with_commit(report, 2))
    with caplog.at_level(logging.WARNING):
        assert commits(ledger) == [1, 2]
    assert [number for number, _ in ledger.corrupt()] == [2]
    assert "reports.ndjson line 2 is skipped" in caplog.text and reason in caplog.text


def test_a_line_with_an_unpaired_surrogate_is_corrupt(ledger, report):
    """It cannot be told apart by a key that cannot be stored."""
    ledger.append(with_commit(report, 1))
    other = copy.deepcopy(report)
    other["submission"]["commit"] = "\ud800"
    with open(ledger.file, "a") as file:
        file.write(json.dumps(other) + "\n")
    assert commits(ledger) == [1] and [line for line, _ in ledger.corrupt()] == [2]


@pytest.mark.parametrize("damage", ["missing", "not a database", "empty", "another schema"])
def test_the_index_is_made_anew_when_it_is(ledger, report, damage):
    """The file is the truth, the index is worth nothing."""
    for number in range(3):
        ledger.append(with_commit(report, number))
    index = ledger.folder / "index.sqlite"
    index.unlink()
    if damage == "not a database":
        index.write_bytes(b"x" * 5000)
    elif damage == "empty":
        index.write_bytes(b"")
    elif damage == "another schema":
        database = sqlite3.connect(index)
        database.execute("CREATE TABLE reports (unknown)")
        database.close()
    assert commits(ledger) == [0, 1, 2]
    assert not ledger.append(with_commit(report, 1))


def test_a_stale_index_learns_what_was_appended_without_it(ledger, report):
    """A line may come from a grader of another machine."""
    ledger.append(with_commit(report, 1))
    with open(ledger.file, "a") as file:
        file.write(json.dumps(with_commit(report, 2)) + "\n")
    assert commits(ledger) == [1, 2]
    assert not ledger.append(with_commit(report, 2))


def test_two_ledgers_put_together_double_nothing(ledger, report):
    """The first of two equal reports stays the one that is read."""
    ledger.append(with_commit(report, 1))
    again = with_commit(report, 1, report_id="0" * 26)
    with open(ledger.file, "a") as file:
        file.write(json.dumps(again) + "\n" + json.dumps(with_commit(report, 2)) + "\n")
    assert commits(ledger) == [1, 2] and len(ledger) == 2
    assert next(iter(ledger))["report_id"] == report["report_id"]


def test_a_file_that_was_replaced_is_read_anew(ledger, report):
    """Restored from a backup: shorter, longer or of the same length."""
    for number in (1, 2, 3):
        ledger.append(with_commit(report, number))
    for numbers in ([5], [6, 7, 8], [1, 2, 3, 4]):
        lines = [json.dumps(with_commit(report, n), separators=(",", ":")) for n in numbers]
        ledger.file.write_text("\n".join(lines) + "\n")
        assert commits(ledger) == numbers


def test_a_line_changed_in_place_under_the_index_is_an_error_with_its_cure(ledger, report):
    """An index that disagrees with the file must never end in a traceback."""
    ledger.append(with_commit(report, 1))
    stamp = ledger.file.stat()
    content = bytearray(ledger.file.read_bytes())
    content[0:1] = b"!"
    ledger.file.write_bytes(content)
    os.utime(ledger.file, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    with pytest.raises(LedgerError, match="changed by hand; remove index.sqlite"):
        list(ledger)


def start(ledger, report_file, name, count):
    """Start a process that appends `count` reports."""
    command = [sys.executable, "-c", APPEND, str(ledger.folder), name, str(count), report_file]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.fixture
def report_file(tmp_path, report):
    """Return the path of the report, for another process."""
    path = tmp_path / "report.json"
    path.write_text(json.dumps(report))
    return str(path)


def test_four_processes_that_append_at_once_lose_nothing(ledger, report_file):
    """Each report is there once, whole, whoever won the race."""
    processes = [start(ledger, report_file, name, 30) for name in "abcd"]
    done = {line for one in processes for line in one.communicate(timeout=100)[0].split()}
    assert len(done) == 120
    assert sorted(one["submission"]["commit"] for one in ledger) == sorted(done)
    assert ledger.file.read_bytes().count(b"\n") == 120 and ledger.corrupt() == []


def test_two_processes_with_the_same_reports_double_nothing(ledger, report_file):
    """Two graders on one class."""
    for one in [start(ledger, report_file, "a", 30) for _ in range(2)]:
        one.communicate(timeout=100)
    assert len(ledger) == 30 and ledger.file.read_bytes().count(b"\n") == 30


def test_a_writer_killed_in_the_middle_loses_nothing_it_said_was_there(ledger, report_file):
    """SIGKILL at any moment; the survivor goes on, and a third finds everything."""
    killed = start(ledger, report_file, "a", 10_000)
    other = start(ledger, report_file, "b", 25)
    said = [killed.stdout.readline() for _ in range(10)]
    killed.send_signal(signal.SIGKILL)
    said += killed.communicate(timeout=100)[0].splitlines()
    said += other.communicate(timeout=100)[0].splitlines()
    assert other.returncode == 0
    found = [one["submission"]["commit"] for one in ledger]
    whole = {line.strip() for line in said if len(line.strip()) == 40}
    assert whole <= set(found) and len(found) == len(set(found))
    assert len([one for one in found if one.startswith("b")]) == 25
    assert len(ledger.corrupt()) <= 1
