"""What a student is told of a push, in GitHub's forms: a check run, a comment, notices.

Made of the student's report alone, so a hidden check gives its hint and a line, never its input.
Where the policy holds the hidden checks' answers back, not even points tell of them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from autograder.github.ruling import Decision
from autograder.report.markdown import student_markdown
from autograder.report.redact import redact

NAME = "Grade"  # of the check run
MARKER = "<!-- autograder: grade -->"
ISSUE_TITLE = "Grades and feedback"
ISSUE = (
    f"{MARKER}\nThe grader keeps its feedback on your newest push in the comment below, and edits"
    " it after each push. Points are counted elsewhere: nothing here changes them."
)
MOST_ANNOTATIONS, MOST_CHANGES = 50, 20
COMMENT = 65_000  # characters; GitHub takes 65,536


def student_view(report: dict[str, Any], decisions: Mapping[str, Decision]) -> dict[str, Any]:
    """Return the student's report without what the policy holds back."""
    view = redact(report, "student")
    held = {name for name, one in decisions.items() if not one.feedback.allowed}
    if not held or view["score"] is None:
        return view
    tests = [t for t in view["tests"] if t["module"] not in held or t["suite"] == "shown"]
    # another module's files, checked on these, would tell of them: no `integrated` for any
    rest = [{k: v for k, v in one.items() if k != "integrated"} for one in view["assignments"]]
    modules = [_shown(one, tests) if one["id"] in held else one for one in rest]
    scores = [one["score"] for one in modules]
    total = {key: round(sum(s[key] for s in scores), 5) for key in ("points", "max_points")}
    score = {**total, "max_points": total["max_points"] or 1, "adjustments": []}
    return view | {"tests": tests, "assignments": modules, "score": score, "status": "partial"}


def _shown(module: dict[str, Any], tests: list[dict[str, Any]]) -> dict[str, Any]:
    """Return `module` with the points of its shown checks alone."""
    mine = [test for test in tests if test["module"] == module["id"]]
    score = {key: sum(test[key] for test in mine) for key in ("points", "max_points")}
    kept = {key: value for key, value in module.items() if key != "status"}
    return kept | {"score": score, "title": f"{module['title']}, shown checks only"}


def changes(view: dict[str, Any], earlier: dict[str, Any] | None) -> list[str]:
    """Say of each task what it has gained or lost since the last graded push.

    Example: "`Tensor.matmul` 4 → 10 points"
    """
    if earlier is None:
        return []
    before, now = _points(earlier), _points(view)
    moved = [
        f"`{task}` {before[task][0]:g} → {points:g} points"
        for task, (points, most) in now.items()
        if task in before and before[task][0] != points and before[task][1] == most
    ]
    rest = len(moved) - MOST_CHANGES
    return moved[:MOST_CHANGES] + ([f"and {rest} more"] if rest > 0 else [])


def _points(view: dict[str, Any]) -> dict[str, tuple[float, float]]:
    """Return of each task the points earned and those of the checks that may be seen."""
    points: dict[str, tuple[float, float]] = {}
    for test in view["tests"]:
        name = f"{test['module'].partition('_')[0]} {test['task']}".replace("`", "'")
        earned, most = points.get(name, (0.0, 0.0))
        points[name] = (round(earned + test["points"], 5), round(most + test["max_points"], 5))
    return points


def comment(
    view: dict[str, Any], earlier: dict[str, Any] | None, decisions: Mapping[str, Decision]
) -> str:
    """Return the sticky comment: what changed, when hidden checks answer next, the report."""
    parts = [MARKER, *_news(view, earlier, decisions), student_markdown(view)]
    return "\n\n".join(parts)[:COMMENT]


def check_run(
    view: dict[str, Any], earlier: dict[str, Any] | None, decisions: Mapping[str, Decision]
) -> dict[str, Any]:
    """Return the body of the check run on the graded commit."""
    score = view["score"]
    title = f"{score['points']:g} / {score['max_points']:g} points" if score else "Not graded yet"
    page = student_markdown(view)
    summary = "\n\n".join([page.split("\n\n## ")[0], *_news(view, earlier, decisions)])
    return {
        "name": NAME,
        "head_sha": view["submission"]["commit"],
        "external_id": view["report_id"],
        "status": "completed",
        "conclusion": _conclusion(view),
        "output": {
            "title": title,
            "summary": summary[:COMMENT],
            "text": page[:COMMENT],
            "annotations": list(_annotations(view))[:MOST_ANNOTATIONS],
        },
    }


def _conclusion(view: dict[str, Any]) -> str:
    """Return "neutral" where it is too early to say: not graded, or hidden checks are held back."""
    failed = any(test["status"] != "passed" for test in view["tests"])
    if view["status"] == "ungradable" or view["status"] == "partial" and not failed:
        return "neutral"
    return "success" if view["status"] == "passed" else "failure"


def _news(
    view: dict[str, Any], earlier: dict[str, Any] | None, decisions: Mapping[str, Decision]
) -> Iterator[str]:
    moved = changes(view, earlier)
    if moved:
        commit = (earlier["submission"]["commit"] or "")[:10]
        lines = [f"Since your last graded push, `{commit}`:", "", *(f"- {one}" for one in moved)]
        yield "\n".join(lines)
    graded = [one["id"] for one in view["assignments"]]
    said = [
        f"- {name}: {_literal(sentence)}"
        for name in graded
        if name in decisions and (sentence := decisions[name].sentence())
    ]
    if said:
        yield "\n".join(said)


def _literal(sentence: str) -> str:
    """Return a sentence, which may quote staff, with nothing that Markdown or GitHub obeys."""
    text = re.sub(r"([\\`*_\[\]<>#~|])", r"\\\1", " ".join(sentence.split()))
    return re.sub(r"@(?=\w)", "@\u200b", text)


def _annotations(view: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a note on each line of the student's own files that a failed check points at."""
    for test in view["tests"]:
        if test["status"] != "passed" and "location" in test:
            place = test["location"]
            said = [test.get("error", ""), test.get("hint", "")]
            yield {
                "path": place["path"],
                "start_line": place["line"],
                "end_line": place["line"],
                "annotation_level": "failure" if test["status"] == "error" else "warning",
                "title": test["task"][:255],
                "message": ". ".join(filter(None, said)) or "a check of this task fails here",
            }


def notices(view: dict[str, Any]) -> Iterable[str]:
    """Return the two lines that old GitHub Classroom read the points from."""
    score = view["score"] or {"points": 0, "max_points": 0}
    points, most = score["points"], score["max_points"]
    report = json.dumps({"totalPoints": points, "maxPoints": most}, separators=(",", ":"))
    yield f"::notice title=Autograding complete::Points {points:g}/{most:g}"
    yield f"::notice title=Autograding report::{report}"
