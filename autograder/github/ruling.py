"""The policy applied to one report: what the push is worth, and what of it may be told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from autograder.policy import Decision, Policy, load_policy
from autograder.policy.facts import Facts, content
from autograder.policy.feedback import Feedback, answer
from autograder.policy.standing import Outcome, late_days_left, standing, valued
from autograder.report.build import utc

__all__ = ["Decision", "Policy", "load_policy", "rule", "ruled"]
Report = dict[str, Any]


def rule(
    report: Report, reports: Iterable[Report], policy: Policy, now: datetime
) -> Mapping[str, Decision]:
    """Return the decision on each module of `report`, given all `reports` of its repository."""
    if policy.is_empty or report["score"] is None:
        return {}
    facts = Facts([*reports, report])
    counts = standing(policy, facts.who, facts.attempts())
    term = policy.term
    return {
        module["id"]: Decision(
            push=_outcome(report, module, facts, counts, policy),
            counts=counts[module["id"]],
            feedback=_feedback(report, module, facts, policy, now),
            late_days=term.late_days if term else 0,
            left=late_days_left(policy, counts),
            zone=policy.zone,
        )
        for module in report["assignments"]
        if module["id"] in counts
    }


def ruled(report: Report, reports: Iterable[Report], policy: Policy) -> Report:
    """Return `report` with the points that the policy gives; doing it again changes nothing."""
    if policy.is_empty or report["score"] is None:
        return report
    facts = Facts([*reports, report])
    counts = standing(policy, facts.who, facts.attempts())
    outcomes = [_outcome(report, one, facts, counts, policy) for one in report["assignments"]]
    modules = [_ruled(*pair) for pair in zip(report["assignments"], outcomes, strict=True)]
    late = max(one.late_s for one in outcomes)
    return report | {
        "assignments": modules,
        "score": _total([one["score"] for one in modules]),
        "submission": report["submission"] | {"late_s": round(late, 3)},
    }


def _outcome(
    report: Report,
    module: dict[str, Any],
    facts: Facts,
    counts: Mapping[str, Outcome],
    policy: Policy,
) -> Outcome:
    name = module["id"]
    left = counts[name].left if name in counts else 0
    return valued(policy, facts.who, name, facts.attempt(report, module), left)


def _feedback(
    report: Report, module: dict[str, Any], facts: Facts, policy: Policy, now: datetime
) -> Feedback:
    mine = content(report, module["source"])
    if mine is None:  # no file, so no hidden check ran
        return Feedback()
    return answer(policy.term, facts.pushes(module["source"]), mine, now)


def _ruled(module: dict[str, Any], outcome: Outcome) -> dict[str, Any]:
    changes = [
        {"kind": one.kind, "delta": one.delta, "reason": one.reason, "at": utc(one.at)}
        | ({"by": one.by} if one.by else {})
        for one in outcome.adjustments
    ]
    score = {
        "points": outcome.points,
        "max_points": module["score"]["max_points"],
        "raw_points": outcome.attempt.raw,
        "adjustments": changes,
    }
    due = {"due_at": utc(outcome.schedule.due)} if outcome.schedule else {}
    return module | due | {"score": score, "late_s": round(outcome.late_s, 3)}


def _total(scores: list[dict[str, Any]]) -> dict[str, Any]:
    names = ("points", "max_points", "raw_points")
    sums = {name: round(sum(score[name] for score in scores), 5) for name in names}
    return sums | {"adjustments": [one for score in scores for one in score["adjustments"]]}
