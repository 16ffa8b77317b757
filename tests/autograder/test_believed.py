"""Whoever can write to the scores repository settles no commit and tells no student anything."""

from __future__ import annotations

import copy
import shutil

import pytest
from click.testing import CliRunner
from ulid import ULID

from autograder.cli import main
from autograder.errors import AutograderError, GraderError
from autograder.scores import signers
from autograder.signatures import REVOKED, sign
from autograder.suite import load_suite
from tests.autograder.delivery import COURSE, WORK, Course, Forger, server
from tests.autograder.signed import encoded, line, new_key


@pytest.fixture
def course(tmp_path, monkeypatch):
    with server(tmp_path / "server", monkeypatch) as github:
        yield Course(tmp_path, github, monkeypatch)


def genuine(course) -> dict:
    """Return what a report on the newest push would say, and leave no trace of it on the server."""
    kept = course.folder / "kept.git"
    shutil.copytree(course.scores, kept)
    told = {name: copy.deepcopy(getattr(course.github, name)) for name in TOLD}
    course.deliver()
    report = course.reports()[-1]
    shutil.rmtree(course.scores)
    kept.rename(course.scores)
    for name, value in told.items():
        setattr(course.github, name, value)
    return report


TOLD = ("checks", "issue_lists", "comment_lists")


def test_a_folder_with_a_report_s_name_is_no_report(tmp_path):
    """It is said, and ends nobody's sweep."""
    allowed = tmp_path / "allowed_signers"
    allowed.write_text(line(new_key(tmp_path, "key")), encoding="utf-8")
    (tmp_path / "reports" / "5" / "a.json").mkdir(parents=True)
    (tmp_path / "reports" / "5" / "a.json.sig").touch()
    believed = signers.Signers(allowed)
    assert believed.report(tmp_path / "reports" / "5" / "a.json") is None
    (said,) = believed.lines()
    assert "reports/5: 1 report counts as not there (a.json: " in said


def place(report, name=None) -> str:
    """Return where a report would be read."""
    return f"reports/{report['submission']['repository_id']}/{name or report['report_id']}.json"


def unsigned(course, report):
    """The file alone."""
    return place(report), encoded(report), None


def of_a_stranger(course, report):
    """Signed, by a key of the forger's own."""
    content, key = encoded(report), course.folder / "stranger"
    key = key if key.exists() else new_key(course.folder, key.name)
    return place(report), content, sign(content, key)


def borrowed(course, report):
    """With the signature of another report of the same student."""
    return (
        place(report),
        encoded(report),
        sign(encoded(report | {"supersedes": report["report_id"]}), course.key),
    )


def renamed(course, report):
    """A genuine report and its signature, under a later id."""
    return place(report, ULID()), encoded(report), sign(encoded(report), course.key)


def of_a_friend(course, report):
    """A genuine report and its signature, about another repository."""
    other = report | {"submission": report["submission"] | {"repository_id": 999}}
    return place(report), encoded(other), sign(encoded(other), course.key)


FORGERIES = {
    unsigned: "it has no signature",
    of_a_stranger: "its key is not in allowed_signers",
    borrowed: "its signature is over something else",
    renamed: "it is a copy of reports/",
    of_a_friend: "it is a copy of reports/999/",
}


@pytest.mark.parametrize("forge", FORGERIES, ids=lambda one: one.__name__)
def test_what_no_signer_signed_settles_nothing_and_is_not_told(course, forge):
    """The push is graded as if it were not there, and its true points are told."""
    alice = course.github.add("alice")
    commit = alice.push(WORK)
    forged, forger = genuine(course), Forger(course)
    forged["submission"]["submitted_at"] = "2030-01-01T00:00:00.000Z"  # later than any
    later = {"report_id": str(ULID()), "submission": forged["submission"] | {"commit": "f" * 40}}
    for one in (forged, forged | later):
        forger.put(*forge(course, one))
    forger.push()
    plan = course.plan()
    assert [job.commit for job in plan.jobs] == [commit]
    (said,) = plan.lines
    assert said.startswith(f"reports/{alice.id}: 2 reports count as not there (")
    assert FORGERIES[forge] in said and "remove them" in said
    lost = load_suite(COURSE.assignments[0]).cases[0]
    lines = course.publish(course.grade(plan, failing=[lost.behaviour]))
    assert lines == ["1 reports published", said]
    (run,) = course.github.checks[alice.id]
    assert run["output"]["title"] == f"{100 - lost.points:g} / 100 points"
    (comment,) = course.github.comment_lists[alice.id, 1]
    assert run["output"]["title"] in comment["body"]
    assert course.plan().jobs == ()
    assert (course.folder / "output").read_text().endswith("work=false\n")
    assert (course.folder / "summary.md").read_text().count(FORGERIES[forge]) == 1


def test_what_a_signer_signed_is_settled_and_told_whoever_carried_it_there(course):
    """It is the signature that counts, and not who pushed."""
    alice = course.github.add("alice")
    alice.push(WORK)
    report, forger = genuine(course), Forger(course)
    forger.put(place(report), encoded(report), sign(encoded(report), course.key))
    forger.push()
    plan = course.plan()
    assert (plan.jobs, plan.lines) == ((), ())
    assert (course.folder / "output").read_text().endswith("work=true\n")
    assert course.publish(course.grade(plan)) == ["0 reports published"]
    (run,) = course.github.checks[alice.id]
    assert run["external_id"] == report["report_id"]


def test_a_forged_report_makes_no_repository_one_of_the_course(course):
    """Nor does it start a job that would have nothing to tell; of a class it is one line each."""
    website = course.github.add("website")
    website.push(WORK)
    forger, forged = Forger(course), genuine(course)
    for number in range(3):
        forger.put(place(forged, f"0{number:025}"), b"{}")
    forger.put("reports/777/00000000000000000000000000.json", b"[" * 10**5, b"x")
    forger.push()
    plan = course.plan(prefix="tt-")
    assert plan.jobs == ()
    assert (course.folder / "output").read_text().endswith("work=false\n")
    first, second = plan.lines
    assert f"reports/{website.id}: 3 reports count as not there" in first and "2 more" in first
    assert second.startswith("reports/777: 1 report counts as not there (")


def test_a_link_is_not_followed(course):
    """A signed report that lies elsewhere on the machine is none of the repository."""
    alice = course.github.add("alice")
    alice.push(WORK)
    report, forger = genuine(course), Forger(course)
    elsewhere = course.folder / "elsewhere.json"
    elsewhere.write_bytes(encoded(report))
    forger.put(place(report), b"", sign(encoded(report), course.key))
    (forger.folder / place(report)).unlink()
    (forger.folder / place(report)).symlink_to(elsewhere)
    forger.push()
    plan = course.plan()
    assert len(plan.jobs) == 1 and "got a link" in plan.lines[0]


def test_a_revoked_key_s_reports_are_graded_again_in_spite_of_the_hints(course):
    """What a sweep remembers of whom it believed ends with that."""
    alice, hints = course.github.add("alice"), course.folder / "hints"
    alice.push(WORK)
    course.publish(course.grade(course.plan(hints=hints)))
    for _ in range(2):
        assert course.plan(hints=hints).jobs == ()
    stolen = course.key.with_name(f"{course.key.name}.pub").read_text()
    course.signers.with_name(REVOKED).write_text(stolen)
    assert len(course.plan(hints=hints).jobs) == 1
    course.key = new_key(course.folder, "new")
    with course.signers.open("a") as file:
        file.write(line(course.key))
    plan = course.plan(hints=hints)
    assert len(plan.jobs) == 1 and "its key is in revoked_keys" in plan.lines[0]
    assert course.publish(course.grade(plan))[0] == "1 reports published"
    assert course.plan(hints=hints).jobs == ()


def test_a_key_that_is_none_of_the_signers_publishes_nothing(course):
    """Else every sweep would grade the class again: nobody would believe what it published."""
    course.github.add("alice").push(WORK)
    course.key = new_key(course.folder, "forgotten")
    with pytest.raises(
        AutograderError, match="add the public half .* to allowed_signers"
    ) as caught:
        course.deliver()
    assert "it would not count: its key is not in allowed_signers" in str(caught.value)
    assert course.reports() == [] and not any(course.github.checks.values())


def test_a_sweep_verifies_one_report_of_each_student_and_then_those_it_needs(course, monkeypatch):
    """Each costs a process: what nobody asks about is not verified, and nothing twice."""
    students = [course.github.add(name) for name in ("alice", "bob", "carol")]
    hints = course.folder / "hints"
    for number in range(4):
        for one in students:
            one.push({"tinytorch/tensor.py": f"x = {number}\n"})
        course.publish(course.grade(course.plan(hints=hints)))
    course.plan(hints=hints)
    asked, verify = [], signers.verify
    monkeypatch.setattr(signers, "verify", lambda *given: asked.append(given) or verify(*given))
    assert course.plan(hints=hints).jobs == ()
    assert len(asked) == len(students)
    asked.clear()
    students[0].push({"tinytorch/tensor.py": "x = 5\n"})
    plan = course.plan(hints=hints)
    assert len(asked) == len(students) + 3
    asked.clear()
    course.publish(course.grade(plan))
    assert len(asked) == len(students) + 4  # of the one that is told all, the new one among them


@pytest.mark.parametrize("command", ["plan", "publish raw"])
def test_a_command_does_not_run_without_saying_who_is_believed(course, command):
    """No signers, no sweep; a file that is not there is one line."""
    words = [*command.split(), "--scores", str(course.scores)]
    words += ["--image", "x"] if command == "plan" else ["--key", str(course.key)]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 2 and "Missing option '--signers'" in done.output
    course.github.add("alice").push(WORK)
    raw = course.grade(course.plan())
    for run in (course.plan, lambda **more: course.publish(raw, **more)):
        with pytest.raises(GraderError, match="expected the allowed signers, got none"):
            run(signers=course.folder / "nowhere")
