"""Planning against a stand-in for GitHub and bare repositories: who is graded, and how often."""

from __future__ import annotations

import io
import json
import tarfile
from datetime import timedelta

import pytest

from assignments.catalog import CatalogError, load_course
from autograder.github.client import Client, GitHubError
from autograder.github.job import write_plan
from autograder.github.plan import SHARD_SIZE, SHARDS, Scope, deal
from autograder.intake import receive
from autograder.suite import suite_digest
from tests.autograder.delivery import IMAGE, WORK, client, planned, server, sweep
from tests.github.course import MONDAY
from tests.github.standin import ORGANISATION, Refusal

SUITE = suite_digest(load_course().assignments)


@pytest.fixture
def github(tmp_path, monkeypatch):
    with server(tmp_path / "server", monkeypatch) as running:
        yield running


@pytest.fixture
def scores(tmp_path):
    (tmp_path / "scores").mkdir()
    return tmp_path / "scores"


def publish(scores, job, status="passed", suite=SUITE, points=50) -> None:
    """Publish what a job would become, as far as planning reads it."""
    folder = scores / "reports" / str(job.repository_id)
    folder.mkdir(parents=True, exist_ok=True)
    number = f"{len(list(folder.iterdir())):026}"
    report = {
        "report_id": number,
        "status": status,
        "supersedes": job.supersedes,
        "submitter": {"id": "a" * 32},
        "submission": {
            "repository_id": job.repository_id,
            "commit": job.commit,
            "digest": job.digest,
            "submitted_at": job.pushed_at,
        },
        "grader": {"suite_digest": suite, "image_digest": IMAGE, "isolation": "full"},
        "artifacts": [{"name": path, "sha256": digest} for path, digest in job.files],
        "assignments": [
            {
                "id": one.id,
                "version": 1,
                "source": one.source,
                "score": {"points": points, "max_points": 100},
            }
            for one in load_course().assignments
        ],
    }
    (folder / f"{number}.json").write_text(json.dumps(report), encoding="utf-8")


def test_a_push_becomes_a_job_with_the_server_s_time(github, scores):
    """A commit that claims to be from last week was still pushed when the server says so."""
    alice = github.add("alice")
    pushed = MONDAY + timedelta(days=3)
    commit = alice.push(WORK, at=pushed, dated=MONDAY - timedelta(days=7))
    (job,) = planned(scores).jobs
    assert (job.repository_id, job.commit) == (alice.id, commit)
    assert job.pushed_at == "2026-03-05T09:00:00.000Z"
    assert (job.attempt, job.refused) == (1, None)


def test_the_packed_submission_holds_the_graded_files_and_their_digest(github, scores, tmp_path):
    """What is graded, and nothing else of the repository, goes to the grader."""
    github.add("alice").push(WORK | {".gitattributes": "tinytorch/* export-ignore\n"})
    plan, archives = sweep(scores).plan()
    archive = archives[plan.jobs[0].key]
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        assert opened.getnames() == ["tinytorch/tensor.py"]
    packed = tmp_path / "submission.tar.gz"
    packed.write_bytes(archive)
    with receive(packed) as submission:
        assert f"sha256:{submission.digest}" == plan.jobs[0].digest


def test_several_pushes_of_one_repository_are_its_newest_head_once(github, scores):
    """Coalescing: what came in between is not graded."""
    alice = github.add("alice")
    commits = [alice.push({"tinytorch/tensor.py": f"x = {n}\n"}) for n in range(5)]
    assert [job.commit for job in planned(scores).jobs] == [commits[-1]]


def test_what_is_published_is_not_graded_again(github, scores):
    """The same push, delivered twice."""
    alice = github.add("alice")
    alice.push(WORK)
    publish(scores, planned(scores).jobs[0])
    assert planned(scores).jobs == ()
    assert planned(scores, only=alice.id).jobs == ()


def test_a_commit_that_changes_nothing_graded_is_not_graded_again(github, scores):
    """Its content is known, by whatever commit."""
    alice = github.add("alice")
    alice.push(WORK)
    publish(scores, planned(scores).jobs[0])
    alice.push(WORK | {"README.md": "better\n"})
    assert planned(scores).jobs == ()


def test_new_hidden_checks_or_a_new_image_grade_again(github, scores):
    """The content key holds both; so does another attempt."""
    github.add("alice").push(WORK)
    publish(scores, planned(scores).jobs[0], suite="sha256:" + "0" * 64)
    (job,) = planned(scores).jobs
    assert job.attempt == 2 and job.supersedes is not None


def test_force_grades_again_what_is_published(github, scores):
    """As a new attempt of the same commit, which says what it supersedes."""
    github.add("alice").push(WORK)
    publish(scores, planned(scores).jobs[0])
    (job,) = planned(scores, force=True).jobs
    assert (job.attempt, job.supersedes) == (2, "0" * 26)


def test_one_module_alone_is_graded_again_and_leaves_the_others_as_they_were(github, scores):
    """Its own content key and suite; the shell reads from a file what the container shall grade."""
    github.add("alice").push(WORK)
    (whole,) = planned(scores).jobs
    publish(scores, whole)
    plan, archives = sweep(scores, module="1").plan()
    assert plan.modules == plan.jobs[0].modules == ("01_tensor",)
    assert plan.suite_digest == suite_digest(load_course().assignments[:1])
    assert plan.jobs[0].key != whole.key and plan.jobs[0].supersedes == "0" * 26
    write_plan(plan, archives, scores / "plan")
    (words,) = (scores / "plan").glob("shards/0/*/modules")
    assert words.read_text() == "--module\n01_tensor\n"
    publish(scores, plan.jobs[0], suite=plan.suite_digest)
    assert planned(scores, module="tensor").jobs == planned(scores).jobs == ()


def test_a_module_that_there_is_not_is_one_line(github, scores):
    """With those that there are."""
    with pytest.raises(CatalogError, match="there is no module '99'; choose one of: 01_tensor"):
        planned(scores, module="99")


def test_what_the_grader_failed_at_is_tried_three_times(github, scores):
    """Then a person must look: minutes are scarce."""
    github.add("alice").push(WORK)
    for _ in range(3):
        (job,) = planned(scores).jobs
        publish(scores, job, "ungradable")
    assert planned(scores).jobs == ()


def test_a_renamed_repository_is_still_the_same_student(github, scores):
    """By its numeric id; also where the new name would not be one of the course."""
    alice = github.add("tt-alice")
    alice.push(WORK)
    scope = Scope(ORGANISATION, prefix="tt-")
    publish(scores, planned(scores, scope=scope).jobs[0])
    alice.name = "my-own-name"
    assert planned(scores, scope=scope).jobs == ()
    alice.push({"tinytorch/tensor.py": "x = 2\n"})
    (job,) = planned(scores, scope=scope).jobs
    assert (job.repository_id, job.repository, job.attempt) == (alice.id, "course/my-own-name", 2)


def test_a_repository_of_another_kind_is_none_of_the_course(github, scores):
    """Named otherwise, archived, or the grader's own; also by a dispatch."""
    other, old, own = (github.add(name) for name in ("website", "tt-old", "tt-grader"))
    for one in (other, old, own):
        one.push(WORK)
    old.archived = True
    scope = Scope(ORGANISATION, "tt-", frozenset({own.id}))
    assert planned(scores, scope=scope).jobs == ()
    plan = planned(scores, scope=scope, only=other.id)
    assert plan.lines == (f"repository {other.id} is none of this course's students",)


def test_the_scores_repository_is_no_student_s_though_it_has_no_prefix(github, scores):
    """Where students' repositories have none, its address alone tells it from theirs."""
    alice, own = github.add("alice"), github.add("scores")
    for one in (alice, own):
        one.push(WORK)
    scope = Scope(ORGANISATION, scores=f"file://{own.folder}".upper())
    assert [job.repository_id for job in planned(scores, scope=scope).jobs] == [alice.id]
    plan = planned(scores, scope=scope, only=own.id)
    assert plan.lines == (f"repository {own.id} is none of this course's students",)


def test_a_deleted_repository_is_one_line_and_stays_published(github, scores):
    """In a sweep and by a dispatch alike; the others are graded."""
    alice, bob = github.add("alice"), github.add("bob")
    alice.push(WORK)
    publish(scores, planned(scores).jobs[0])
    bob.push(WORK)
    del github.repositories[alice.id]
    line = f"repository {alice.id} is gone; what is published of it stays"
    plan = planned(scores)
    assert [job.repository_id for job in plan.jobs] == [bob.id] and plan.lines == (line,)
    assert planned(scores, only=alice.id).lines == (line,)


def test_an_empty_repository_and_an_emptied_one_are_a_line_each(github, scores):
    """Nothing was ever pushed, or the branch was deleted: no grade, no failure."""
    github.add("new")
    alice = github.add("alice")
    alice.push(WORK)
    alice.delete_branch()
    plan = planned(scores)
    assert plan.jobs == ()
    assert sorted(plan.lines) == [
        "course/alice: nothing on main, nothing graded",
        "course/new: nothing on main, nothing graded",
    ]


def test_a_forced_push_is_graded_as_it_is_now_and_said(github, scores):
    """History is the student's; what was published of it stays."""
    alice = github.add("alice")
    alice.push(WORK)
    publish(scores, planned(scores).jobs[0])
    commit = alice.push({"tinytorch/tensor.py": "x = 9\n"}, force=True)
    plan = planned(scores)
    assert [job.commit for job in plan.jobs] == [commit]
    assert plan.lines == (
        "course/alice was force-pushed: graded as it is now, earlier reports stay",
    )


def test_what_intake_refuses_is_a_job_of_its_own_without_an_archive(github, scores):
    """The student is told why; no container runs for it."""
    github.add("alice").push({"README.md": "nothing to grade\n"})
    plan = planned(scores)
    assert plan.shards == ()
    assert "expected files tinytorch/*.py" in plan.jobs[0].refused


def test_where_nothing_changed_a_sweep_asks_for_the_list_alone(github, scores, tmp_path):
    """And is told by 304 that it is still the same."""
    for number in range(130):  # two pages; most have not begun
        student = github.add(f"student-{number}")
        if number < 3:
            student.push({"tinytorch/tensor.py": f"x = {number}\n"})
    for job in planned(scores, tmp_path / "hints").jobs:
        publish(scores, job)
    planned(scores, tmp_path / "hints")
    github.calls.clear()
    assert planned(scores, tmp_path / "hints").jobs == ()
    assert [(path, status) for _, path, status in github.calls] == [("/orgs/course/repos", 304)] * 2


def test_without_the_hints_a_sweep_finds_the_same(github, scores, tmp_path):
    """They save requests, and decide nothing; damaged ones count as none."""
    alice = github.add("alice")
    alice.push(WORK)
    publish(scores, planned(scores, tmp_path / "hints").jobs[0])
    for path in (tmp_path / "hints").iterdir():
        path.write_text("{", encoding="utf-8")
    assert planned(scores, tmp_path / "hints").jobs == ()
    alice.push({"tinytorch/tensor.py": "x = 3\n"})
    assert len(planned(scores, tmp_path / "hints").jobs) == 1


def test_limits_and_failures_are_waited_out(github, scores):
    """Primary, secondary, too many requests, a failing server: the sweep is whole in the end."""
    for name in ("alice", "bob"):
        github.add(name).push(WORK)
    limit = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1"}
    github.fail(1, Refusal(403, "API rate limit exceeded for installation", **limit))
    github.fail(1, Refusal(429, "You have exceeded a secondary rate limit", **{"Retry-After": "0"}))
    github.fail(1, Refusal(429, "API rate limit exceeded", **limit))
    github.fail(2, Refusal(502, "Server Error"), path="/activity")
    assert len(planned(scores).jobs) == 2
    assert [status for _, _, status in github.calls] == [403, 429, 429, 200, 502, 502, 200, 200]


def test_a_limit_longer_than_a_job_s_minutes_is_an_error_at_once(github, scores):
    """Nothing sleeps for an hour: the next sweep is near."""
    github.add("alice").push(WORK)
    github.fail(
        9, Refusal(403, "You have exceeded a secondary rate limit", **{"Retry-After": "3600"})
    )
    with pytest.raises(GitHubError, match="rate limit, wait 3600 s"):
        planned(scores)


def test_one_repository_without_an_answer_does_not_hold_up_the_class(github, scores):
    """It is named, and the next sweep takes it up."""
    github.add("alice").push(WORK)
    bob = github.add("bob")
    bob.push(WORK)
    github.fail(99, Refusal(500, "Server Error"), path=f"/{bob.id}/activity")
    plan = planned(scores)
    assert [job.repository for job in plan.jobs] == ["course/alice"]
    assert "course/bob: GitHub" in plan.lines[0]
    github.faults.clear()
    assert len(planned(scores).jobs) == 2


def test_an_api_that_goes_down_half_way_ends_the_sweep_with_what_was_found(github, scores):
    """Three silences in a row; what was found is graded, the rest with the next sweep."""
    for number in range(9):
        github.add(f"student-{number}").push(WORK, at=MONDAY + timedelta(hours=number))
    asked = []

    def down(verb, path):
        asked.append(path)
        return Refusal(503, "Unavailable") if len(asked) > 4 else None

    github.faults.append(down)
    plan = planned(scores)
    assert len(plan.jobs) == 3
    assert plan.lines[-1] == "the sweep ends here; the next one takes up the rest"
    github.faults.clear()
    assert len(planned(scores).jobs) == 9


def test_a_wrong_token_is_one_line(github):
    """Not a traceback."""
    with pytest.raises(GitHubError, match="GitHub answered 401 to GET"):
        Client("wrong", pause=0).repositories(ORGANISATION)


def test_a_server_that_is_not_there_is_one_line(github):
    """The next sweep tries again."""
    github.close()
    with pytest.raises(GitHubError, match="did not answer GET"):
        client(total=0).repositories(ORGANISATION)


def test_shards_are_few_bounded_and_balanced():
    """No job of the matrix for one student, and none that is twice as long as another."""
    keys = [f"{n:03}" for n in range(300)]
    shards = deal(keys, list(range(300)))
    assert sorted(key for shard in shards for key in shard) == keys
    assert len(shards) == 15 and {len(shard) for shard in shards} == {SHARD_SIZE}
    loads = [sum(map(int, shard)) for shard in shards]
    assert max(loads) < 1.1 * min(loads)


def test_more_than_a_matrix_holds_waits_for_the_next_sweep():
    """256 shards at most; those that waited longest go first."""
    keys = [f"{n:05}" for n in range(SHARDS * SHARD_SIZE + 5)]
    shards = deal(keys, [1] * len(keys))
    assert len(shards) == SHARDS
    assert sorted(key for shard in shards for key in shard) == keys[:-5]
    assert deal([], []) == ()
