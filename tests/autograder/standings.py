"""Staff reports with as much in them as ranking and the page read."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from types import SimpleNamespace

START = datetime(2026, 11, 20, 12, 0, tzinfo=timezone.utc)
TITLES = "Tensor Activations Layers Losses Data-loading Autograd Optimizers Training".split()
TITLES += [f"Module-{number}" for number in range(9, 21)]
MODULES = [f"{number:02d}_{title.lower()}" for number, title in enumerate(TITLES, 1)]
COURSE = SimpleNamespace(
    title="TinyTorch",
    term=None,
    planned=MODULES,
    assignments=[SimpleNamespace(tasks=(SimpleNamespace(points=100),)) for _ in range(2)],
)


def report(
    who,
    *points,
    number=0,
    alias=None,
    minutes=0,
    isolation="full",
    status="partial",
    supersedes=None,
    version=1,
    first=0,
):
    """Return a report of `points` per module, from module `first` on."""
    when = (START + timedelta(minutes=minutes)).isoformat().replace("+00:00", "Z")
    scores = [None if status == "ungradable" else {"points": p, "max_points": 100} for p in points]
    return {
        "schema": "grade-report/1",
        "audience": "staff",
        "report_id": f"{number:026d}",
        "supersedes": None if supersedes is None else f"{supersedes:026d}",
        "created_at": when,
        "submitter": {"id": who},
        "submission": {"commit": f"{number:040x}", "digest": "sha256:" + "0" * 64}
        | {"submitted_at": when},
        "grader": {"isolation": isolation, "seed": 1, "suite_digest": "sha256:" + "0" * 64},
        "status": status,
        "assignments": [
            {"id": MODULES[index], "title": TITLES[index], "version": version, "score": score}
            for index, score in enumerate(scores, first)
        ],
        "leaderboard": {"opt_in": alias is not None, "alias": alias},
    }
