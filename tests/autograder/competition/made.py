"""Reports of the competition, made up: as complete as those that `autograder compete` writes."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from ulid import ULID

from assignments.catalog import load_course
from assignments.competition.tracks import medal, tracks
from autograder.competition.identity import digest
from autograder.report.build import course_id, overall_status, utc

START = datetime(2026, 10, 1, tzinfo=timezone.utc)
BASELINES = {"featherweight": 9000, "sprint": 1.0, "target": 20.0, "language": 2.5, "decode": 1.0}
TITLE = load_course().title
UNSET = object()


def report(who, *results, day=1, alias=None, repository=None, isolation="full", **more):
    """Return the staff's report of `results`, each of `result`, committed on a day of October."""
    when = START + timedelta(days=day - 1)
    number = sum(map(ord, who)) * 1000 + day if repository is None else repository
    stamp = int(when.timestamp() * 1000).to_bytes(6, "big")
    origin = {"commit": f"{number * 1000 + day:040x}", "tree": None}
    origin |= {"digest": f"sha256:{number * 1000 + day:064x}"}
    origin |= {"submitted_at": utc(when), "notes": []}
    if repository is not None:
        origin |= {"repository_id": repository, "attempt": 1}
    scores = [one["assignment"]["score"] for one in results]
    earned = round(sum(one["points"] if one else 0 for one in scores), 5)
    return {
        "schema": "grade-report/1",
        "report_id": str(ULID(stamp + number.to_bytes(10, "big"))),
        "supersedes": None,
        "audience": "staff",
        "created_at": utc(when + timedelta(hours=1)),
        "course": {"id": course_id(TITLE), "title": TITLE},
        "environment": {"python": "3.12.0", "numpy": "2.4.6", "os": "Linux", "arch": "x86_64"},
        "metrics": [metric for one in results for metric in one["metrics"]],
        "assignments": [one["assignment"] for one in results],
        "submitter": {"id": who},
        "submission": origin,
        "grader": {
            **{"version": "1", "suite_digest": digest(), "seed": 2**127 + number},
            "isolation": isolation,
        },
        "status": overall_status([one["assignment"]["status"] for one in results], earned > 0),
        "score": {
            **{"points": earned, "max_points": 100 * len(results), "raw_points": earned},
            "adjustments": [],
        },
        "tests": [],
        "leaderboard": {"opt_in": alias is not None, "alias": alias},
        "artifacts": [],
    } | more


def result(value, ci95=None, *, track="sprint", division="closed", **more):
    """Return one track of a report: its assignment and metrics; value None where it is refused."""
    one, baseline = tracks()[track], more.pop("baseline", BASELINES[track])
    quality, state = more.pop("quality", "ok"), more.pop("state", "ci")
    points = more.pop("points", UNSET)
    right = more.pop("accuracy", 0.98), more.pop("agreement", 0.995)
    if points is UNSET:
        points = value and round(one.points(one.improvement(value, baseline), division), 5)
    assignment = {
        "id": f"competition-{track}",
        "title": one.title,
        "version": 1,
        "kind": "competition",
        "source": f"entry/{one.source}",
        "status": "error" if value is None else "failed" if points is None else "passed",
        "score": None if points is None else {"points": points, "max_points": 100},
        "state": state,
        "division": division,
    } | more
    if points is not None and medal(points):
        assignment["medal"] = medal(points)
    metric = {"name": track, "unit": one.unit, "direction": one.direction, "value": value}
    if value is None:
        return {"assignment": assignment, "metrics": [metric | {"quality": "invalid"}]}
    metric |= {"baseline": baseline, "quality": quality} | ({"ci95": list(ci95)} if ci95 else {})
    gates = one.divisions[division]
    found = [metric, *(_gate(track, name, least, *right) for name, least in gates.items())]
    return {"assignment": assignment, "metrics": found}


def _gate(track, name, least, accuracy, agreement):
    value = accuracy if name == "accuracy" else agreement if name == "agreement" else 1.0
    gate = {"op": ">=", "threshold": least, "passed": value >= least}
    return _plain(f"{track}.{name}", value) | {"gate": gate}


def _plain(name, value):
    return {"name": name, "unit": "", "direction": "higher", "value": value}
