"""`autograder compete` from a path to files: one bad submission stops no other."""

from __future__ import annotations

import json
import re
import shutil

import pytest
from click.testing import CliRunner

from assignments.competition import tracks
from autograder.cli import main
from autograder.competition import judging, report
from autograder.competition.contender import reference
from autograder.competition.entries import baseline
from autograder.errors import GraderError
from autograder.intake import WITH_ENTRIES, receive
from autograder.ledger import Ledger
from autograder.report.schema import validate
from autograder.sandbox import Sandbox
from tests.autograder.competition import made
from tests.autograder.competition.arena import LIMITS, QUICK
from tests.submissions import build
from tests.submissions.competition import entries


@pytest.fixture(autouse=True)
def quickly(monkeypatch, tmp_path):
    """Spend little effort, and keep the key out of the user's configuration."""
    monkeypatch.setattr(judging, "Effort", lambda: QUICK)
    monkeypatch.setattr(judging, "LIMITS", LIMITS)
    monkeypatch.setenv("AUTOGRADER_KEY_FILE", str(tmp_path / "submitter.key"))


def submission(at, *tracks, **more):
    """Hand in the reference framework and the gold entries for `tracks`."""
    files = {f"tinytorch/{name}.py": source for name, source in reference().items()}
    for track in tracks:
        files |= {f"entry/{name}": content for name, content in entries.gold(track).items()}
    return build.folder(at, files | more)


def run(*arguments):
    return CliRunner().invoke(main, ["compete", *map(str, arguments)])


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def test_a_track_becomes_an_assignment_with_points_and_metrics(tmp_path):
    """The report fits its schema for each audience, and only staff see the seed."""
    folder, out = submission(tmp_path / "ada", "featherweight"), tmp_path / "out"
    done = run(folder, "--track", "A", "--out", out, "--seed", 7)
    assert done.exit_code == 0, done.output
    found = read(out / "report.json")
    (one,) = found["assignments"]
    assert (one["id"], one["kind"], one["state"], one["division"], one["medal"]) == (
        *("competition-featherweight", "competition", "ci", "closed", "gold"),
    )
    assert one["score"] == {"points": 100, "max_points": 100}
    metric, accuracy, kinship, *parts = found["metrics"]
    assert (metric["name"], metric["unit"], metric["quality"]) == ("featherweight", "bytes", "ok")
    assert accuracy["gate"]["passed"] and kinship["gate"]["threshold"] == 0.75
    names = [f"featherweight.{part}" for part in ("data", "literals", "code")]
    assert [one["name"] for one in parts] == names
    assert sum(one["value"] for one in parts) == metric["value"]
    assert found["grader"]["seed"] == 7
    for name in ("student.json", "public.json"):
        assert "seed" not in validate(read(out / name))["grader" if name[0] == "s" else "schema"]
    assert "gold" in done.output


def test_what_is_not_ranked_has_no_score_and_a_reason(tmp_path):
    """A refused entry is not worth 0: it is not ranked."""
    files = {"entry/sprint.py": b"1 / 0\n", "leaderboard.toml": b'alias = "Ada"\n'}
    folder, out = submission(tmp_path / "ada", **files), tmp_path / "out"
    done = run(folder, "--track", "sprint", "--track", "C", "--out", out, "--final")
    assert done.exit_code == 0, done.output
    found = read(out / "report.json")
    one, absent = found["assignments"]
    # nothing was entered for C: before the final it would not be there
    assert (absent["id"], absent["score"], absent["state"]) == (
        "competition-target",
        None,
        "verified",
    )
    assert absent["note"] == "there was no entry for Time to target in the final"
    assert one["score"] is None and one["status"] == "error" and one["state"] == "verified"
    assert one["note"].startswith("entry/sprint.py cannot be imported: ZeroDivisionError")
    assert found["metrics"] == [
        {
            "name": "sprint",
            "unit": "×",
            "direction": "higher",
            "value": None,
            "quality": "invalid",
        }
    ]
    assert "no entry for Time to target; add entry/target.py" in done.output.replace("\n", " ")


def test_one_of_two_gigabytes_is_refused_and_the_other_is_judged(tmp_path):
    """Its size is read before its content."""
    large = submission(tmp_path / "large", "featherweight")
    with open(large / "entry" / "featherweight.bin", "wb") as file:
        file.truncate(2 << 30)
    small, out = submission(tmp_path / "small", "featherweight"), tmp_path / "out"
    done = run(large, small, "--track", "A", "--out", out)
    assert done.exit_code == 2
    assert "featherweight.bin': expected at most 4 MiB, got 2 GiB; remove the file" in done.output
    assert read(out / "small" / "report.json")["assignments"][0]["score"]["points"] == 100
    assert not (out / "large").exists()
    assert done.output.splitlines()[-1].endswith("1 of 2 submissions were refused, as said above")


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (
            GraderError("the baseline of featherweight: broken"),
            "the baseline of featherweight: bro",
        ),
        (TypeError("not foreseen"), "the grader failed: TypeError: not foreseen"),
    ],
)
def test_a_fault_of_ours_ends_one_submission_and_not_the_run(tmp_path, monkeypatch, error, line):
    """It is told, with another exit code, and no report says anything."""
    folders, out = [submission(tmp_path / n, "featherweight") for n in "ab"], tmp_path / "out"
    right, calls = report.compete, []

    def fails_once(*args, **more):
        calls.append(1)
        if len(calls) == 1:
            raise error
        return right(*args, **more)

    monkeypatch.setattr(report, "compete", fails_once)
    done = run(*folders, "--track", "A", "--out", out)
    assert done.exit_code == 3 and line in done.output
    assert "1 of 2 submissions could not be judged, by our fault" in done.output
    assert read(out / "b" / "report.json")["assignments"][0]["score"]["points"] == 100
    assert not (out / "a").exists()


def test_two_of_one_name_are_not_taken_for_one_student(tmp_path):
    """The second would be the first one's next result."""
    ada = submission(tmp_path / "ada" / "work", "featherweight")
    bob = submission(tmp_path / "bob" / "work", "featherweight")
    done = run(ada, bob, "--track", "A", "--out", tmp_path / "out")
    assert done.exit_code == 2
    line = f"{bob} is called 'work', as {ada} is: a result belongs to a name; rename one"
    assert line in " ".join(done.output.split())


def test_submissions_of_one_name_have_folders_of_their_own(tmp_path):
    """Nobody's report is written over another's."""
    names = ["a/work", "b/work", "work-2", "c/work", "."]
    found = [path.name for path in report.folders(names, tmp_path)]
    assert found[:4] == ["work", "work-2", "work-2-2", "work-3"] and len(set(found)) == 5
    assert report.folders(["a/work"], tmp_path) == [tmp_path]


def test_no_name_leads_out_of_the_folder_or_into_the_ledger(tmp_path):
    """Whatever stands on the command line."""
    inside = report.folders(["..", "a/..", "/", "race/ledger", "ledger"], tmp_path)
    assert {path.parent for path in inside} == {tmp_path} and len(set(inside)) == 5
    assert not {"..", "ledger"} & {path.name for path in inside}


@pytest.mark.parametrize("there", [b"mine", b"[]", b'{"assignments": [{"kind": "module"}]}'])
def test_what_is_no_report_of_the_competition_is_not_written_over(tmp_path, there):
    """It is said in one line, and stays."""
    folder, out = submission(tmp_path / "ada"), tmp_path / "out"
    build.folder(out, {"report.json": there})
    done = run(folder, "--out", out)
    assert done.exit_code == 2 and "choose another --out" in done.output
    assert (out / "report.json").read_bytes() == there


def test_a_table_is_narrow_enough_to_read(tmp_path):
    """Names and figures are whole at eighty columns; what is measured is told before."""
    folder, out, told = submission(tmp_path / "ada", "featherweight"), tmp_path / "out", []
    done = run(folder, "--track", "A", "--out", out)
    assert re.search(
        r"A Featherweight +closed +1497 bytes +68911 bytes +46.033 +100.0 +gold", done.output
    )
    options = {"seed": 1, "final": False, "begin": lambda *what: told.append(what)}
    box = lambda: Sandbox(LIMITS)  # noqa: E731
    found = report.compete_all([str(folder)], [tracks.find("A")], out, open_sandbox=box, **options)
    next(found)
    assert told == [(str(folder), tracks.find("A"))]


@pytest.mark.parametrize("form", [build.folder, build.repository, build.zip_file, build.tar_file])
def test_a_large_entry_arrives_whole_in_every_form(form, tmp_path):
    """A file of data may have 4 MiB, where a graded source may have one."""
    data = bytes(range(256)) * (3 << 12)
    suffix = {build.zip_file: ".zip", build.tar_file: ".tgz"}.get(form, "")
    at = form(tmp_path / f"ada{suffix}", {"tinytorch/tensor.py": b"", "entry/sprint.bin": data})
    with receive(at, WITH_ENTRIES) as handed_in:
        assert handed_in.entry() == {"sprint.bin": data}


def test_an_unknown_track_is_one_line(tmp_path):
    """It lists the tracks that there are."""
    done = run(tmp_path, "--track", "Z")
    assert done.exit_code == 2
    assert done.output.startswith("autograder: there is no track 'Z'; choose from A (")


def test_without_isolation_a_result_is_practice(tmp_path):
    """It is stamped, and its state is self-run."""
    folder, out = submission(tmp_path / "ada", "featherweight"), tmp_path / "out"
    ((_, judged),) = report.compete_all(
        [str(folder)],
        [tracks.find("A")],
        out,
        seed=1,
        final=True,
        open_sandbox=lambda: Sandbox(LIMITS, require_full=False, without=["dumpable"]),
    )
    assert judged.done.practice
    assert read(out / "report.json")["assignments"][0]["state"] == "self-run"


def test_from_entries_to_the_board_with_real_measurements(tmp_path):
    """Gold and baseline compete; another track later, and the final, stay in the same ledger."""
    alias = {"leaderboard.toml": b'alias = "Ada"\n'}
    plain = baseline(tracks.find("B")).source
    ada = submission(tmp_path / "ada", "sprint", "featherweight", **alias)
    bob = submission(tmp_path / "bob", **{"entry/sprint.py": plain})
    out = tmp_path / "grades"
    for more in (["--track", "B"], ["--track", "A"], ["--track", "B", "--final"]):
        done = run(ada, bob, "--out", out, "--seed", 7, *more)
        assert done.exit_code == 0, done.output
    page = (out / "bob" / "student.md").read_text(encoding="utf-8")
    assert "| B Sprint, closed | 2 of 2 |" in page and "| 1 | `Ada` |" in page
    assert "verified" in page and "All-round" not in page
    assert "1 of 1" in (out / "ada" / "student.md").read_text(encoding="utf-8")

    board = ["leaderboard", str(out / "ledger"), "--out", str(tmp_path / "board")]
    built = CliRunner().invoke(main, board)
    assert built.exit_code == 0
    pages = (tmp_path / "board" / name for name in ("index.html", "competition.html"))
    assert built.output.splitlines() == [str(page) for page in pages]
    tables = read(tmp_path / "board" / "competition.json")["tables"]
    assert [(one["track"], one["ranked"], one["named"]) for one in tables] == [
        ("featherweight", 1, 1),
        ("sprint", 2, 1),
    ]
    (size,), (speed,) = (one["rows"] for one in tables)
    assert (size["medal"], size["state"], size["ci95"]) == ("gold", "ci", None)
    assert speed["state"] == "verified" and speed["agreement"] >= 0.99 and speed["points"] > 25
    assert len(read(tmp_path / "board" / "competition.json")["pareto"]) == 2
    text = (tmp_path / "board" / "competition.html").read_text(encoding="utf-8")
    assert "Ada" in text and "bob" not in text


def test_a_ledger_may_be_shared_with_the_class_and_nothing_is_overwritten(tmp_path):
    """Reports of modules stay where they are, and a class is graded as if nobody competed."""
    folder = submission(tmp_path / "class" / "ada", "featherweight")
    grades = tmp_path / "grades"
    arguments = ["class", tmp_path / "class", "--out", grades, "--module", "01", "--jobs", "1"]
    done = CliRunner().invoke(main, list(map(str, arguments)))
    assert done.exit_code == 0, done.output
    earlier = (grades / "ada" / "report.json").read_bytes()
    done = run(folder, "--track", "A", "--out", grades / "ada")
    assert done.exit_code == 2 and "a report of modules, or another file, is there" in done.output
    assert (grades / "ada" / "report.json").read_bytes() == earlier
    ledger = grades / "ledger"
    done = run(folder, "--track", "A", "--out", tmp_path / "race", "--ledger", ledger)
    assert done.exit_code == 0, done.output
    done = CliRunner().invoke(main, [*map(str, arguments), "--seed", "5"])
    assert done.exit_code == 0, done.output
    last = [json.loads(line) for line in (ledger / "reports.ndjson").read_text().splitlines()]
    assert [one["assignments"][0]["id"] for one in last] == [
        *("01_tensor", "competition-featherweight", "01_tensor"),
    ]
    assert last[2]["supersedes"] == last[0]["report_id"]


def test_each_audience_learns_what_it_may(tmp_path):
    """The public neither why an entry failed nor a figure or a name that is not opted in to."""
    files = {"entry/sprint.py": b"1 / 0\n", "entry/decode.py": b"2 / 0\n"}
    for name, alias in (("named", {"leaderboard.toml": b'alias = "Ada"\n'}), ("unnamed", {})):
        folder, out = submission(tmp_path / name, **files, **alias), tmp_path / f"{name}-out"
        done = run(folder, "--track", "sprint", "--track", "E", "--out", out, "--seed", 424242)
        assert done.exit_code == 0, done.output
        staff = (out / "report.json").read_text(encoding="utf-8")
        public = (out / "public.json").read_text(encoding="utf-8")
        student = (out / "student.json").read_text(encoding="utf-8")
        report_ = json.loads(staff)
        assert "424242" in staff and "ZeroDivisionError" in staff and "ZeroDivisionError" in student
        for secret in ("424242", "cpu_s", "limits", "environment"):
            assert secret not in student, secret
        hidden = ["ZeroDivisionError", "424242", report_["submitter"]["id"], "metrics", "state"]
        for secret in [*hidden, report_["submission"]["digest"], "note", "entry/"]:
            assert secret not in public, secret
        assert ("Ada" in public) == (name == "named") == ("assignments" in public)


def test_a_fault_in_what_staff_decided_is_said_before_anything_is_measured(tmp_path):
    """Measuring takes minutes."""
    file = tmp_path / "states.toml"
    file.write_text("[[state]]\n", encoding="utf-8")
    folder = submission(tmp_path / "ada", "featherweight")
    done = run(folder, "--out", tmp_path / "out", "--states", file)
    assert done.exit_code == 3 and "states.toml: state 1 has no key" in done.output
    assert not (tmp_path / "out").exists()


def test_a_decision_that_does_not_fit_the_ledger_is_said_before_too(tmp_path, monkeypatch):
    """Whether a state can follow shows only beside the results that it is about."""
    one = made.report("a", made.result(2.0))
    ledger = Ledger(tmp_path / "ledger")
    ledger.append(one)
    file = tmp_path / "states.toml"
    file.write_text(
        "".join(
            f'[[state]]\nreport = "{one["report_id"]}"\ntrack = "sprint"\nto = "{to}"\n'
            f'reason = "r"\nby = "J. Doe"\nat = 2026-10-0{day}T00:00:00Z\n'
            for day, to in ((5, "withdrawn"), (6, "disputed"))
        ),
        encoding="utf-8",
    )
    monkeypatch.setattr(report, "compete", lambda *_, **__: pytest.fail("it was measured"))
    folder = submission(tmp_path / "ada", "featherweight")
    done = run(folder, "--out", tmp_path / "out", "--states", file, "--ledger", ledger.folder)
    assert done.exit_code == 3
    assert "state 2: a result that is withdrawn cannot become disputed" in done.output
    assert not (tmp_path / "out").exists()


def test_an_entry_that_is_removed_before_the_final_wins_nothing(tmp_path):
    """Neither does it stand in the table of a track in which its student never was."""
    folder, out = submission(tmp_path / "ada", "featherweight"), tmp_path / "out"
    assert run(folder, "--track", "A", "--out", out).exit_code == 0
    assert "| 1 of 1 |" in (out / "student.md").read_text(encoding="utf-8")
    shutil.rmtree(folder / "entry")
    assert run(folder, "--track", "A", "--track", "B", "--out", out, "--final").exit_code == 0
    page = (out / "student.md").read_text(encoding="utf-8")
    assert "| A Featherweight, closed | – | not ranked |" in page and "Sprint" not in page
    assert "`there was no entry for Featherweight in the final`" in page
