"""What the scores repository counts, and the reason for which it refuses each of the rest."""

from __future__ import annotations

import os
import shutil
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autograder.scores import Refused, Rules, ScoresError, read
from autograder.scores.document import parse
from tests.autograder.signed import COURSE, RULES, START, Scores, encoded, line, new_key, report


@pytest.fixture
def scores(tmp_path):
    """Return scores with one good report in them."""
    scores = Scores(tmp_path)
    scores.add(GOOD)
    return scores


GOOD = report(900)


def refused(scores, rules=RULES):
    """Return what is refused; the good report beside it is always unharmed."""
    collected = read(scores.folder, scores.signers, rules)
    assert GOOD["report_id"] in {one["report_id"] for one in collected.accepted}
    return collected.refused


def one_refused(scores, rules=RULES) -> Refused:
    """Return the only one that is refused."""
    (one,) = refused(scores, rules)
    return one


def test_what_was_appended_is_read_oldest_first(scores):
    """Of every repository; the tests stay behind, the points do not."""
    later, earlier = report(101, minutes=9), report(102, minutes=5, modules=2)
    scores.add(later, earlier)
    collected = read(scores.folder, scores.signers, RULES)
    assert collected.refused == []
    ids = [one["report_id"] for one in collected.accepted]
    assert ids == [GOOD["report_id"], earlier["report_id"], later["report_id"]]
    assert collected.accepted[1] == earlier | {"tests": []}


def test_a_report_without_signature_is_forged(scores):
    """Whoever can write a file cannot make a grade."""
    path = scores.plant(report(101))
    path.with_name(f"{path.name}.sig").unlink()
    assert one_refused(scores)[1:] == ("forged", "it has no signature")


def test_a_report_signed_by_a_stranger_is_forged(scores, tmp_path):
    """The key is not in the file of signers."""
    scores.plant(report(101), key=new_key(tmp_path, "stranger"))
    one = one_refused(scores)
    assert one.kind == "forged" and "its key is not in allowed_signers" in one.reason
    assert one.path == f"reports/101/{report(101)['report_id']}.json"


def test_a_report_under_another_ones_signature_is_altered(scores):
    """The signature is a good one, of another report."""
    path, other = scores.plant(report(101)), scores.path(GOOD)
    shutil.copy(other.with_name(f"{other.name}.sig"), path.with_name(f"{path.name}.sig"))
    assert one_refused(scores)[1:] == ("altered", "its signature is over something else")


def test_more_points_in_a_signed_report_are_altered(scores):
    """One digit of one number."""
    path = scores.add(report(101))
    path.write_bytes(path.read_bytes().replace(b'"attempt": 1', b'"attempt": 2'))
    assert one_refused(scores).kind == "altered"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
@given(st.integers(0, 1 << 20), st.integers(1, 255), st.sampled_from(["", ".sig"]))
def test_no_byte_of_a_report_or_its_signature_can_change(scores, position, mask, ending):
    """Any byte, to any other value: it is refused, and nothing else is."""
    path = scores.plant(report(101))
    file = path.with_name(path.name + ending)
    content = bytearray(file.read_bytes())
    content[position % len(content)] ^= mask
    file.write_bytes(bytes(content))
    assert one_refused(scores).kind in ("altered", "forged", "unreadable")


def test_a_copy_for_another_repository_is_replayed(scores):
    """A friend's good report, with its signature, in one's own folder."""
    path = scores.add(report(101))
    place = scores.folder / "reports" / "102"
    place.mkdir()
    for one in (path, path.with_name(f"{path.name}.sig")):
        shutil.copy(one, place)
    one = one_refused(scores)
    assert one.path.startswith("reports/102/") and one.kind == "replayed"
    assert one.reason == f"it is a copy of reports/101/{path.name}"


def test_a_copy_under_another_name_is_replayed(scores):
    """As if it had been graded twice."""
    path, other = scores.add(report(101)), scores.path(report(101, minutes=3))
    for ending in ("", ".sig"):
        shutil.copy(f"{path}{ending}", f"{other}{ending}")
    assert one_refused(scores)[1:] == ("replayed", f"it is a copy of reports/101/{path.name}")


def test_a_second_report_on_the_same_attempt_is_replayed(scores):
    """Signed twice by mistake: the first counts."""
    first, second = (report(101, minutes=m, commit="c" * 40) for m in (1, 2))
    scores.plant(first)
    scores.plant(second)
    one = one_refused(scores)
    assert second["report_id"] in one.path
    assert one.reason == f"it is about the same attempt as {first['report_id']}"


def test_a_regrade_supersedes_one_report_once(scores):
    """A chain is good, two successors of one report are not."""
    first = report(101, minutes=1, commit="c" * 40)
    second, third, fourth = (
        report(101, minutes=minutes, commit="c" * 40, supersedes=earlier)
        for minutes, earlier in ((2, first["report_id"]), (3, None), (4, first["report_id"]))
    )
    third["supersedes"] = second["report_id"]
    for one in (first, second, third, fourth):
        scores.plant(one)
    one = one_refused(scores)
    assert fourth["report_id"] in one.path and one.kind == "replayed"


def test_classmates_may_have_the_same_commit(scores):
    """The template, pushed as it is by two."""
    scores.add(report(101, commit="c" * 40), report(102, commit="c" * 40))
    assert refused(scores) == []


def test_what_could_not_be_graded_is_tried_again(scores):
    """Our fault is no attempt."""
    first = report(101, commit="c" * 40)
    first |= {"status": "ungradable", "reason": "no worker", "score": None, "tests": []}
    first["assignments"][0] |= {"status": "ungradable", "score": None}
    scores.add(first, report(101, minutes=1, commit="c" * 40))
    assert refused(scores) == []


def test_one_id_is_one_report(scores):
    """Two repositories, one id, both signed: the first counts."""
    first, second = report(101), report(102)
    second["report_id"] = first["report_id"]
    scores.plant(first)
    scores.plant(second)
    one = one_refused(scores)
    assert one.path.startswith("reports/102/") and one.kind == "replayed"


@pytest.mark.parametrize(
    ("course", "reason"),
    [
        ({"id": "other", "title": "TinyTorch", "term": "2026"}, "it is of the course other"),
        ({"id": "tinytorch", "title": "TinyTorch", "term": "2025"}, "it is of the term '2025'"),
        ({"id": "tinytorch", "title": "TinyTorch"}, "it is of the term None, expected '2026'"),
    ],
)
def test_a_report_of_another_course_or_term_is_foreign(tmp_path, course, reason):
    """Last year's points are last year's, though the same key signed them."""
    scores, good, other = Scores(tmp_path), report(900), report(101)
    good["course"]["term"], other["course"] = "2026", course
    scores.add(good)
    scores.plant(other)
    one = one_refused(scores, Rules(COURSE, RULES.now, term="2026"))
    assert one.kind == "foreign" and reason in one.reason


def test_a_repository_that_is_not_on_the_roster_is_foreign(scores):
    """Where there is no roster, every repository counts."""
    scores.add(report(101))
    one = one_refused(scores, Rules(COURSE, RULES.now, roster=frozenset({900})))
    assert one[1:] == ("foreign", "repository 101 is not on the roster")
    assert refused(scores) == []


def test_a_module_that_the_course_does_not_have_is_foreign(scores):
    """Whatever points it gives."""
    other = report(101)
    other["assignments"][0]["id"] = "99_magic"
    other["tests"] = []
    scores.plant(other)
    assert one_refused(scores).kind == "foreign"


def test_a_report_by_an_earlier_suite_is_outdated_unless_allowed(scores):
    """Staff list the suites that still count, until everybody is graded again."""
    old = report(101)
    old["grader"]["suite_digest"] = "sha256:" + "1" * 64
    scores.plant(old)
    one = one_refused(scores)
    assert one.kind == "outdated" and "sha256:111111111111…" in one.reason
    allowed = frozenset({"sha256:" + "1" * 64})
    assert refused(scores, Rules(COURSE, RULES.now, suites=allowed)) == []


def test_a_report_from_the_future_is_refused(scores):
    """Its key might not be good by then; two machines' clocks may differ a little."""
    scores.plant(report(101, minutes=24 * 60 + 5))
    scores.plant(report(102, minutes=24 * 60 + 15))
    one = one_refused(scores)
    assert one.path.startswith("reports/102/") and "still to come" in one.reason


def test_keys_rotate_and_old_reports_stay(scores, tmp_path):
    """After the change the old key signs nothing, what it signed before counts."""
    new, options = new_key(tmp_path, "new"), 'namespaces="tinytorch-report",valid-{}="20261121"'
    scores.signers.write_text(
        line(scores.key, options=options.format("before"))
        + line(new, "next", options.format("after"))
    )
    day = 24 * 60
    scores.plant(report(101, minutes=day), key=new)
    scores.plant(report(102, minutes=day), key=scores.key)
    scores.plant(report(103, minutes=0), key=new)
    rules = Rules(COURSE, START + timedelta(days=9))
    found = refused(scores, rules)
    assert [(one.path.split("/")[1], one.kind) for one in found] == [
        ("102", "forged"),
        ("103", "forged"),
    ]


def test_a_revoked_key_takes_all_its_reports_with_it(scores, tmp_path):
    """And leaves those of the other key."""
    stolen = new_key(tmp_path, "stolen")
    scores.signers.write_text(line(scores.key) + line(stolen, "stolen"))
    scores.plant(report(101), key=stolen)
    assert refused(scores) == []
    shutil.copy(tmp_path / "stolen.pub", tmp_path / "revoked_keys")
    one = one_refused(scores)
    assert one.kind == "forged" and "revoked_keys" in one.reason


def test_links_are_not_followed(scores, tmp_path):
    """Not as a report, not as a signature, not as a folder."""
    outside = Scores(tmp_path / "outside")
    outside.plant(report(101), key=scores.key)
    path = scores.plant(report(102))
    target = shutil.move(path, tmp_path / "moved.json")
    os.symlink(target, path)
    os.symlink(outside.folder / "reports" / "101", scores.folder / "reports" / "101")
    found = refused(scores)
    assert [(one.kind, "link" in one.reason) for one in found] == [("unreadable", True)] * 2


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("reports/notes.txt", "expected a folder with a numeric repository id"),
        ("reports/007/x", "expected a folder with a numeric repository id"),
        ("reports/101/x.json", "expected <report id>.json"),
        (f"reports/101/{'0' * 26}.json.sig", "its report is missing"),
        ("reports/101/\x1b[31m::error::\n", "expected <report id>.json"),
    ],
)
def test_what_does_not_belong_there_is_named(scores, name, reason):
    """A file nobody appended is no reason to stop, and its name harms no log."""
    path = scores.folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"x")
    one = one_refused(scores)
    assert one.kind == "unreadable" and reason in one.reason
    assert one.path.isprintable() and "::error" not in one.path[:10]


def test_what_is_too_large_or_no_file_is_refused(scores):
    """A pipe does not block, and nothing larger than a report is read."""
    for number, endings in ((101, ("",)), (102, (".sig",))):
        path = scores.plant(report(number))
        for ending in endings:
            os.truncate(f"{path}{ending}", 9 << 20)
    path = scores.plant(report(103))
    path.unlink()
    os.mkfifo(path)
    found = refused(scores)
    assert [one.kind for one in found] == ["unreadable"] * 3
    assert "at most 8 MiB, got 9 MiB" in found[0].reason


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\xff", "not UTF-8"),
        (b"{", "not JSON"),
        (b"[]", "no JSON object"),
        (b"[" * 100_000, "nested too deep"),
        (b'{"a": NaN}', "the number NaN"),
        (b'{"a": -Infinity}', "the number -Infinity"),
        (b'{"a": 1e999}', "the number 1e999"),
        (b'{"a": 1' + b"0" * 6000 + b"}", "the number 1000"),
        (b'{"a": 1, "a": 2}', "a key twice"),
        (b'{"a": "' + b" " * (8 << 20) + b'"}', "expected at most"),
    ],
)
def test_only_strict_and_bounded_json_is_read(content, reason):
    """Other readers must not see other points in the same bytes."""
    with pytest.raises(ValueError, match=reason):
        parse(content)


def test_a_folder_that_is_no_scores_repository_is_named(scores, tmp_path):
    """Expected, came, do."""
    with pytest.raises(ScoresError, match="expected a folder `reports`, got none; name a clone"):
        read(tmp_path, scores.signers, RULES)


def test_a_student_s_report_is_no_grade(scores):
    """Even signed: it has less in it than can be checked."""
    student = report(101) | {"audience": "student"}
    for part in ("environment", "timing"):
        del student[part]
    del student["grader"]["seed"], student["grader"]["limits"]
    student["tests"] = [test for test in student["tests"] if test["suite"] == "shown"]
    scores.plant(student)
    assert "it is the report for student" in one_refused(scores).reason


def test_nobody_is_named_who_did_not_ask(scores):
    """A report that names without consent, or with a name that was not cleaned, is refused."""
    for number, board in (
        (101, {"opt_in": False, "alias": "Bob"}),
        (102, {"opt_in": True, "alias": "B\u202eob"}),
    ):
        scores.plant(report(number) | {"leaderboard": board})
    assert ["its alias" in one.reason for one in refused(scores)] == [True, True]


def test_a_nan_that_was_signed_is_refused(scores):
    """The signature is good, the number is none."""
    one = report(101)
    one["score"]["points"] = float("nan")
    assert b"NaN" in encoded(one)
    scores.plant(one)
    assert "the number NaN" in one_refused(scores).reason
