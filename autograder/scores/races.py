"""What a signed report of the competition may claim: points that follow from what was measured.

Values are measured and cannot be counted again here. But what they earn can: gates, divisions,
medals and points are held against the tracks, and no state is believed that the grader gives not.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from assignments.competition.tracks import Track, by_id, medal
from autograder.competition.identity import VERSION, digest
from autograder.competition.states import CI, SELF_RUN, VERIFIED

Report = dict[str, Any]
CLOSE = 1e-3
LEAST, MOST = 1e-9, 1e12  # of any quantity: beyond, nobody can compute with it or draw it
RATIO = "×"  # its baseline is 1: the baseline of the same run


def current_suite() -> str:
    """Return the digest that results of today's rules have."""
    return digest()


def unknown(report: Report) -> Iterator[str]:
    """Say what of a report is of no track of this course."""
    for one in report["assignments"]:
        track = by_id(one["id"])
        if one["kind"] != "competition" or track is None:
            yield f"it measures {one['id']}, which is no track of this course"
        elif one["version"] > VERSION:
            yield f"it is of version {one['version']} of {track.name}, there are {VERSION}"
        elif one.get("division", "closed") not in track.divisions:
            yield f"{track.name} has no division {one['division']}"


def too_good(report: Report) -> Iterator[str]:
    """Hold points, medals, gates and states against the tracks; the tracks are known ones."""
    ids = [one["id"] for one in report["assignments"]]
    names = [one["name"] for one in report["metrics"]]
    if len(set(ids)) < len(ids) or len(set(names)) < len(names):
        yield "a track or a quantity counts twice"
        return
    metrics = {one["name"]: one for one in report["metrics"]}
    if report["status"] == "ungradable":
        if any(one["score"] for one in report["assignments"]):
            yield "nothing could be measured, and a track has points"
        return
    for one in report["assignments"]:
        track = by_id(one["id"])
        yield from _state(one, report)
        if one["score"] is None:
            yield from ("it is not ranked and has a medal",) if "medal" in one else ()
        else:
            yield from _result(one, track, metrics)
    yield from _total(report)


def _state(one: dict[str, Any], report: Report) -> Iterator[str]:
    full = report["grader"]["isolation"] == "full"
    if one.get("state") not in ((CI, VERIFIED) if full else (SELF_RUN,)):
        yield f"{one['id']} is {one.get('state')}, which the grader did not say"


def _result(one: dict[str, Any], track: Track, metrics: dict[str, Any]) -> Iterator[str]:
    """Say what is wrong with a result that claims points."""
    metric = metrics.get(track.name, {})
    value, baseline = metric.get("value"), metric.get("baseline")
    if value is None or baseline is None or not _is_sane(value, baseline):
        yield f"{track.name} has points and no result of {LEAST:g} to {MOST:g}"
        return
    if (metric["unit"], metric["direction"]) != (track.unit, track.direction):
        yield f"{track.name} is measured in {metric['unit']!r}, expected {track.unit!r}"
    if track.unit == RATIO and baseline != 1:
        yield f"the baseline of {track.name} is {baseline:g}, expected 1"
    low, high = metric.get("ci95", (value, value))
    if not (low <= value <= high and _is_sane(low, high)):
        yield f"the interval of {track.name} is {low:g} to {high:g}, around {value:g}"
    division = one.get("division", "closed")
    for name, least in track.divisions[division].items():
        yield from _gate(f"{track.name}.{name}", least, metrics)
    points = track.points(track.improvement(value, baseline), division)
    if abs(one["score"]["points"] - points) > CLOSE or one["score"]["max_points"] != 100:
        yield f"{track.name} has {one['score']['points']:g} points, its result earns {points:g}"
    elif one.get("medal") != medal(one["score"]["points"]):
        yield f"{track.name} has the medal {one.get('medal')}, its points another"


def _gate(name: str, least: float, metrics: dict[str, Any]) -> Iterator[str]:
    metric = metrics.get(name, {})
    value, gate = metric.get("value"), metric.get("gate")
    if value is None or gate is None:
        yield f"{name} was not measured"
    elif gate != {"op": ">=", "threshold": least, "passed": True} or not least <= value <= 1:
        yield f"{name} is {value:g}, expected at least {least:g}, and 1 at most"


def _is_sane(*quantities: float) -> bool:
    return all(LEAST <= one <= MOST for one in quantities)


def _total(report: Report) -> Iterator[str]:
    earned = sum(one["score"]["points"] for one in report["assignments"] if one["score"])
    score, most = report["score"], 100 * len(report["assignments"])
    if score["max_points"] != most or abs(score["points"] - earned) > CLOSE:
        yield f"the report has {score['points']:g} of {score['max_points']:g} points"
