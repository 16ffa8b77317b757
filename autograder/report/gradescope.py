"""results.json: otter's own results for Gradescope, made safe to show.

otter puts the shown checks into one visible entry and everything else, hidden checks with their
messages, into entries that only staff see.
"""

from __future__ import annotations

from typing import Any

from autograder.errors import GraderError
from autograder.outcome import Grade
from autograder.sandbox.text import clean


def results(report: dict[str, Any], grade: Grade | None) -> dict[str, Any]:
    """Return the results of `grade`, or what says why there are none.

    Without a score (ungradable) Gradescope shows that the autograder failed, instead of 0 points.
    """
    if grade is not None:
        _require_hidden(grade)
        return _cleaned(grade.gradescope)
    if report["status"] == "ungradable":
        why = "The grader could not do its work: not your fault. Ask your teacher to run it again."
        return {"tests": [_entry(why)]}
    return {"tests": [_entry(report["reason"])], "score": report["score"]["points"]}


def _entry(text: str) -> dict[str, str]:
    return {"name": "Not graded", "visibility": "visible", "output": text, "status": "failed"}


def _require_hidden(grade: Grade) -> None:
    """Refuse results in which an entry that students see speaks of a hidden check."""
    names = [
        f"{check.task}: {check.behaviour}"
        for module in grade.modules
        for check in module.checks
        if check.suite == "hidden"
    ]
    shown = [entry for entry in grade.gradescope["tests"] if entry.get("visibility") != "hidden"]
    texts = [grade.gradescope.get("output", ""), *(entry.get("output", "") for entry in shown)]
    # otter indents its own lines by at most four spaces, and what a student printed by more
    lines = [line[4:] if line.startswith("    ") else line for t in texts for line in t.split("\n")]
    leaked = [name for name in names if any(line.startswith(f"{name} ") for line in lines)]
    if leaked:
        raise GraderError(f"results.json would show students the hidden check {leaked[0]!r}")


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value, len(value) + 100)
    if isinstance(value, dict):
        return {key: _cleaned(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_cleaned(item) for item in value]
    return value
