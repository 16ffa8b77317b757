"""Three hundred students at once: the test counts pushes, reports, check runs and comments.

Grading is a stub; planning, git, signing, the scores repository and the requests are real.
"""

from __future__ import annotations

from collections import Counter

from tests.autograder.delivery import Course, server
from tests.github.standin import GitHub, Refusal

STUDENTS = 300


def test_three_hundred_students_at_once_lose_and_double_nothing(tmp_path, monkeypatch):
    """With a shard killed, the API down for a while, limits, and a run that is repeated."""
    with server(tmp_path / "server", monkeypatch) as github:
        course = Course(tmp_path, github, monkeypatch)
        heads = {}
        for number in range(STUDENTS):
            student = github.add(f"student-{number}")
            student.push({"tinytorch/tensor.py": f"x = {number}\n", "README.md": "first\n"})
            heads[student.id] = student.push({"tinytorch/tensor.py": f"x = -{number}\n"})
        plan = course.plan()
        assert Counter(job.commit for job in plan.jobs) == Counter(heads.values())
        raw = course.grade(plan)
        killed = raw / "raw-3"
        killed.rename(tmp_path / "never uploaded")
        make_trouble(github)
        course.publish(raw)
        refused = github.count(status=503)
        course.publish(raw)  # somebody pressed "re-run"
        assert refused > 10 and github.count(status=403) > 50
        github.faults.clear()

        rest = course.plan()
        assert {job.key for job in rest.jobs} == set(plan.shards[3])
        course.publish(course.grade(rest))

        reports = course.reports()
        assert Counter(one["submission"]["commit"] for one in reports) == Counter(heads.values())
        runs = [(number, run["head_sha"]) for number, some in github.checks.items() for run in some]
        assert Counter(runs) == Counter(heads.items())
        assert Counter(number for number, _ in github.comment_lists) == Counter(list(heads))
        assert {len(comments) for comments in github.comment_lists.values()} == {1}
        assert course.plan().jobs == ()


def make_trouble(github: GitHub) -> None:
    """Let every twentieth request be refused for a limit, and the API be down for a while."""
    asked = Counter()

    def trouble(verb: str, path: str) -> Refusal | None:
        asked[verb] += 1
        if 400 < asked.total() < 420:
            return Refusal(503, "Unavailable")
        if asked.total() % 20 == 0:
            wait = {"Retry-After": "0"}
            return Refusal(403, "You have exceeded a secondary rate limit", **wait)
        return None

    github.faults.append(trouble)
