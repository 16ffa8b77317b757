"""What is appended is there whole, once, and next to everybody else's, whoever dies meanwhile."""

from __future__ import annotations

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest
from filelock import FileLock

from autograder.errors import AutograderError
from autograder.scores import (
    ReplayError,
    ScoresError,
    Signers,
    append,
    folder,
    read,
    remote,
    share,
    update,
)
from autograder.signatures import sign
from tests.autograder.signed import RULES, Scores, encoded, new_key, report


@pytest.fixture
def scores(tmp_path):
    """Return empty scores with a publisher."""
    return Scores(tmp_path)


@pytest.fixture
def bare(tmp_path):
    """Return an empty bare repository: the scores, as the organisation keeps them."""
    path = tmp_path / "scores.git"
    git(tmp_path, "init", "--quiet", "--bare", "--initial-branch=main", str(path))
    return path


def git(place, *arguments):
    """Run git and return what it prints."""
    done = subprocess.run(
        ["git", *arguments], cwd=place, check=True, capture_output=True, encoding="utf-8"
    )
    return done.stdout


def signed(scores, *reports):
    """Return the pairs that a publisher shares."""
    return [(encoded(one), sign(encoded(one), scores.key)) for one in reports]


def accepted(place, scores):
    """Return the ids of the reports that count in a clone of `place`; none may be refused."""
    clone = scores.folder.parent / f"clone{os.urandom(4).hex()}"
    git(place, "clone", "--quiet", str(place), str(clone))
    collected = read(clone, scores.signers, RULES)
    assert collected.refused == []
    return {one["report_id"] for one in collected.accepted}


def files(place):
    """Return the names of all files below a folder of scores, but for its lock."""
    names = (path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file())
    return sorted(name for name in names if name != ".lock")


def test_appending_again_changes_nothing(scores):
    """Delivered twice, written once."""
    ((content, signature),) = signed(scores, report(101))
    assert append(scores.folder, content, signature) is True
    before = files(scores.folder)
    assert append(scores.folder, content, signature) is False
    assert files(scores.folder) == before and len(before) == 2


def test_another_report_under_the_same_id_is_a_replay(scores):
    """What is there stays as it is."""
    one = report(101)
    path = scores.add(one)
    before, other = path.read_bytes(), encoded(one | {"metrics": []}) + b" "
    with pytest.raises(ReplayError, match="another report has this id"):
        append(scores.folder, other, sign(other, scores.key))
    assert path.read_bytes() == before


def test_a_second_report_on_an_attempt_is_a_replay_unless_it_supersedes_the_first(scores):
    """Graded twice after a runner died, published once; a regrade is published."""
    first, second, regrade = (report(101, minutes=m, commit="c" * 40) for m in (1, 2, 3))
    scores.add(first)
    with pytest.raises(ReplayError, match=f"{first['report_id']} is about the same attempt"):
        scores.add(second)
    scores.add(regrade | {"supersedes": first["report_id"]})
    assert len(files(scores.folder)) == 4


def test_a_second_report_that_nobody_signed_holds_up_no_genuine_one(scores, tmp_path):
    """Whoever could write a file could else keep a student from ever being graded."""
    forged, true = (report(101, minutes=m, commit="c" * 40) for m in (1, 2))
    scores.plant(forged, key=new_key(tmp_path, "stranger"))
    ((content, signature),) = signed(scores, true)
    with pytest.raises(ReplayError):
        append(scores.folder, content, signature)
    believed = Signers(scores.signers)
    assert append(scores.folder, content, signature, believed) is True
    assert "its key is not in allowed_signers" in believed.lines()[0]
    third = report(101, minutes=3, commit="c" * 40)
    with pytest.raises(ReplayError, match=true["report_id"]):
        append(scores.folder, *signed(scores, third)[0], believed)


def test_what_no_signer_signed_is_not_appended(scores, bare, tmp_path):
    """Nor what came with it: the key that signs is the wrong one."""
    good, bad = report(101), report(102)
    wrong = encoded(bad), sign(encoded(bad), new_key(tmp_path, "stranger"))
    pairs = [*signed(scores, good), wrong]
    with pytest.raises(ScoresError, match="reports/102/.*add the public half of the key"):
        share(str(bare), pairs, signers=Signers(scores.signers))
    assert git(bare, "for-each-ref") == ""


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"report_id": "../../etc/passwd"}, "report_id does not fit"),
        ({"submission": {"repository_id": "../x"}}, "submission"),
        ({"score": {"points": float("inf"), "max_points": 1}}, "the number Infinity"),
    ],
)
def test_what_is_no_report_is_not_appended(scores, change, reason):
    """Nor does it choose where it is written."""
    content = encoded(report(101) | change)
    with pytest.raises(ScoresError, match=reason):
        append(scores.folder, content, sign(content, scores.key))
    assert files(scores.folder) == []


def test_a_report_needs_the_id_of_its_repository(scores):
    """Names change."""
    one = report(101)
    del one["submission"]["repository_id"]
    with pytest.raises(ScoresError, match="which repository it is about"):
        append(scores.folder, encoded(one), b"x")


@pytest.mark.parametrize("signature", [b"", b"x" * 5000])
def test_a_report_is_not_appended_without_a_signature(scores, signature):
    """Nor with something that is none."""
    with pytest.raises(ScoresError, match="expected its signature"):
        append(scores.folder, encoded(report(101)), signature)


def test_a_link_in_the_way_is_not_written_through(scores, tmp_path):
    """Not the folder, not the file."""
    (tmp_path / "outside").mkdir()
    (scores.folder / "reports" / "101").symlink_to(tmp_path / "outside")
    with pytest.raises(ScoresError, match="expected a folder, got something else"):
        scores.add(report(101))
    path = scores.path(report(102))
    path.parent.mkdir()
    path.symlink_to(tmp_path / "outside" / "x")
    with pytest.raises(ScoresError, match="got a link"):
        scores.add(report(102))
    assert files(tmp_path / "outside") == []


@pytest.mark.parametrize("writes", [0, 1])
def test_a_publisher_killed_between_its_writes_leaves_no_half_report(scores, monkeypatch, writes):
    """No report without signature; the next one begins where it stopped."""
    done = []

    def dying(path, content):
        if len(done) == writes:
            raise KeyboardInterrupt
        done.append(path)
        real(path, content)

    real = folder.replace
    with monkeypatch.context() as patched:
        patched.setattr(folder, "replace", dying)
        with pytest.raises(KeyboardInterrupt):
            scores.add(report(101))
    assert [name for name in files(scores.folder) if name.endswith(".json")] == []
    scores.add(report(101))
    assert read(scores.folder, scores.signers, RULES).refused == []


def test_many_threads_append_to_one_folder(scores):
    """Each once; the same one in two threads is written by one of them."""
    pairs = signed(scores, *(report(101, minutes=m) for m in range(10))) * 2
    with ThreadPoolExecutor(4) as threads:
        new = list(threads.map(lambda pair: append(scores.folder, *pair), pairs))
    assert sum(new) == 10 and len(files(scores.folder)) == 20


def test_publishers_wait_for_each_other_and_not_for_ever(scores, monkeypatch):
    """The line says which folder is in use."""
    monkeypatch.setattr(folder, "LOCK_S", 0.05)
    with FileLock(scores.folder / ".lock"), pytest.raises(ScoresError, match="in use for 0.05 s"):
        scores.add(report(101))
    assert files(scores.folder) == []


def test_reports_are_shared_with_an_empty_repository_and_a_second_time(scores, bare):
    """One commit; again, none."""
    pairs = signed(scores, report(101), report(102))
    assert share(str(bare), pairs).appended == 2
    again = share(str(bare), pairs)
    assert (again.appended, again.known, again.replays) == (0, 2, [])
    assert git(bare, "log", "--format=%s", "main").splitlines() == ["Append 2 reports"]
    names = git(bare, "ls-tree", "-r", "--name-only", "main").splitlines()
    assert sorted(names) == files_of(scores, report(101), report(102))
    assert len(accepted(bare, scores)) == 2


def test_nothing_to_share_asks_no_remote(tmp_path):
    """A sweep without pushes."""
    assert share(str(tmp_path / "missing"), []).appended == 0


def test_a_replay_does_not_hold_up_the_others(scores, bare):
    """It is named, the rest is appended."""
    first, twin, other = report(101, commit="c" * 40), report(101, minutes=1), report(102)
    twin["submission"]["commit"] = "c" * 40
    share(str(bare), signed(scores, first))
    shared = share(str(bare), signed(scores, twin, other))
    assert shared.appended == 1 and twin["report_id"] in shared.replays[0]
    assert accepted(bare, scores) == {first["report_id"], other["report_id"]}


def test_two_publishers_at_once_lose_nothing(scores, bare):
    """Each pushes six times while the other does, into an empty repository at first."""
    batches = [signed(scores, report(101 + n % 3, minutes=n)) for n in range(12)]
    with ThreadPoolExecutor(2) as publishers:
        shared = list(publishers.map(lambda batch: share(str(bare), batch), batches))
    assert [one.appended for one in shared] == [1] * 12
    assert len(accepted(bare, scores)) == 12
    assert len(git(bare, "log", "--format=%h", "main").splitlines()) == 12


def test_a_push_that_lost_the_race_is_made_again_on_top(scores, bare, monkeypatch):
    """Somebody is faster between our clone and our push, every time but the last."""
    rivals = [signed(scores, report(200 + n)) for n in range(3)]
    real = remote.commit_and_push

    def raced(*arguments):
        if rivals:
            batch = rivals.pop()
            with monkeypatch.context() as patched:
                patched.setattr(remote, "commit_and_push", real)
                share(str(bare), batch)
        return real(*arguments)

    monkeypatch.setattr(remote, "commit_and_push", raced)
    assert share(str(bare), signed(scores, report(101))).appended == 1
    assert len(accepted(bare, scores)) == 4 and rivals == []


def test_a_remote_that_never_takes_a_push_is_given_up_with_its_reason(scores, bare):
    """Bounded tries, one line, and no report that is only said to be there."""
    hook = bare / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\necho 'closed for the holidays' >&2\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(ScoresError, match="took none of 3 pushes .*failed to push") as why:
        share(str(bare), signed(scores, report(101)), tries=3)
    assert "\n" not in str(why.value)


def test_a_publisher_killed_before_its_push_leaves_nothing(scores, bare, monkeypatch):
    """The next one appends all of it."""
    pairs = signed(scores, report(101), report(102))
    with monkeypatch.context() as patched:
        patched.setattr(remote, "commit_and_push", _die)
        with pytest.raises(KeyboardInterrupt):
            share(str(bare), pairs)
    assert git(bare, "for-each-ref") == ""
    assert share(str(bare), pairs).appended == 2


def test_a_remote_that_is_not_there_is_one_line(scores, tmp_path):
    """It is the repository that must be mended."""
    with pytest.raises(AutograderError, match="git clone failed"):
        share(str(tmp_path / "missing.git"), signed(scores, report(101)))


def test_notes_beside_the_reports_are_pushed_in_the_same_way(bare):
    """What else a publisher keeps there; nothing new makes no commit."""

    def note(folder):
        (folder / "note").write_text("told")
        return "noted"

    assert update(str(bare), note, "Note") == update(str(bare), note, "Note") == "noted"
    assert git(bare, "log", "--format=%s", "main").splitlines() == ["Note"]


def files_of(scores, *reports):
    """Return the names of the files that belong to some reports."""
    paths = (scores.path(one).relative_to(scores.folder).as_posix() for one in reports)
    return sorted(name for path in paths for name in (path, f"{path}.sig"))


def _die(*_):
    raise KeyboardInterrupt
