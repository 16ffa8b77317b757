"""Which pushes to a repository are graded: its head, and those that decide about points.

Between two sweeps many pushes may come. The last one before a due date may count more than the
head, so it is graded, too: the last before each moment at which the policy starts to give less. And
with new hidden checks so are those that count today, or a student would lose them by our change.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from typing import Any

from autograder.github.client import NOBODY, Push
from autograder.policy import Attempt, Policy, standing
from autograder.policy.facts import Facts, content, moment


def before_boundaries(
    pushes: Iterable[Push], boundaries: Iterable[datetime], head: Push
) -> list[Push]:
    """Return the last of `pushes` (newest first) before each of `boundaries`, oldest first.

    The head is not among them, nor what left nothing on the branch.
    """
    left = sorted(one for one in boundaries if one < head.at)
    found: list[Push] = []
    for push in pushes if left else ():
        passed = 0 if push.is_empty else sum(push.at <= one for one in left)
        if passed:
            found.append(push)
            del left[-passed:]
        if not left:
            break
    return [one for one in reversed(found) if one.after != head.after]


def counting_pushes(
    reports: list[dict[str, Any]], policy: Policy, modules: Collection[str]
) -> Iterator[Push]:
    """Yield the pushes that decide what `modules` count in `reports`, all of one repository.

    Of several with the same content the newest, which may well be the head.
    """
    facts = Facts(reports)
    commits = set()
    for name, outcome in standing(policy, facts.who, facts.attempts()).items():
        if name in modules and outcome.attempt.raw:
            report = max(_same_content(facts.reports, name, outcome.attempt), key=_turn)
            commits.add((moment(report), report["submission"]["commit"]))
    for at, commit in sorted(commits):
        yield Push(NOBODY, commit, at, "push")


def _same_content(reports: list[dict[str, Any]], name: str, attempt: Attempt) -> list[dict]:
    """Return the reports on the content of module `name` that `attempt` was."""
    first = next(one for one in reports if one["submission"]["commit"] == attempt.name)
    path = next(one["source"] for one in first["assignments"] if one["id"] == name)
    wanted = content(first, path)
    same = [one for one in reports if wanted is not None and content(one, path) == wanted]
    return same or [first]


def _turn(report: dict[str, Any]) -> tuple[datetime, str]:
    return moment(report), report["report_id"]
