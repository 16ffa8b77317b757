"""The student's report as a page of GitHub-flavoured Markdown: what to do next comes first.

Text that a student's program wrote stands in fences or code spans alone, where Markdown, HTML,
links and @mentions mean nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

LENGTH = 60_000  # a comment on GitHub holds 65,536
_OUTPUT = 1_500  # characters of one check that are quoted
_SIGNS = {"passed": "✓", "failed": "✗", "error": "✗", "timeout": "⧖"}


def student_markdown(report: dict[str, Any]) -> str:
    """Return the page for a report that was redacted for a student."""
    head = [*_title(report), *_warnings(report), *_next_step(report)]
    sections = [_assignment(report, one) for one in report["assignments"] if report["tests"]]
    end = [*_health(report), *_notes(report), _footer(report)]
    room = LENGTH - sum(map(len, [*head, *end])) - 1000
    return "\n\n".join([*head, *_within(sections, room), *end]) + "\n"


def _within(sections: Iterable[Iterator[str]], room: int) -> Iterator[str]:
    """Pass on the blocks of `sections` while there is room."""
    for block in (block for section in sections for block in section):
        room -= len(block) + 2
        if room < 0:
            yield "The rest does not fit on this page; student.json has all of it."
            return
        yield block


def _title(report: dict[str, Any]) -> Iterator[str]:
    score = report["score"]
    if score is None:
        yield f"# {_prose(report['course']['title'])}: not graded yet"
        return
    points, most = score["points"], score["max_points"]
    yield f"# {_prose(report['course']['title'])}: {points:g} / {most:g} points"
    passed = sum(test["status"] == "passed" for test in report["tests"])
    if report["tests"]:
        yield f"{_bar(points / most)} {passed} of {len(report['tests'])} checks pass."


def _warnings(report: dict[str, Any]) -> Iterator[str]:
    isolation = report["grader"]["isolation"]
    if report["status"] == "ungradable":
        yield (
            "> [!NOTE]\n> The grader could not do its work. That is our fault, not yours, and costs"
            " no points. Where pushes are graded by themselves, yours is tried three times; if it"
            " stays like this, ask your teacher."
        )
    elif isolation != "full":
        yield (
            "> [!WARNING]\n> **Practice, no grade.** This ran without the full sandbox "
            f"(isolation: {code(isolation)}), so the points do not count."
        )
    if report.get("reason"):
        yield code(report["reason"])


def _next_step(report: dict[str, Any]) -> Iterator[str]:
    for assignment in report["assignments"]:
        if assignment.get("note"):
            yield f"**Next:** {code(assignment['note'])}"
            return
    first = next((test for test in report["tests"] if test["status"] != "passed"), None)
    if first is not None:
        yield f"**Next:** {code(first['task'])}{_place(first)}. {_why(first)}".rstrip()
        number = first["module"].partition("_")[0]
        yield f"Try it at home: `tito test {number} -k {first['task']}`"
    elif report["tests"] and report["status"] == "partial":
        yield "Everything that is shown here passes; the other checks have not answered yet."
    elif report["tests"]:
        yield "Everything passes. Well done: on to the next module."


def _assignment(report: dict[str, Any], assignment: dict[str, Any]) -> Iterator[str]:
    score = assignment["score"]
    title = f"{assignment['id'].partition('_')[0]} {_prose(assignment['title'])}"
    yield f"## {title}: {score['points']:g} / {score['max_points']:g}"
    yield from _changes(score)
    tasks: dict[str, list[dict[str, Any]]] = {}
    for test in report["tests"]:
        if test["module"] == assignment["id"]:
            tasks.setdefault(test["task"], []).append(test)
    blocked = assignment.get("note")  # nothing ran, so no hint would lead anywhere
    if blocked:
        yield code(blocked)
    rows = (_row(task, tests, hinted=not blocked) for task, tests in tasks.items())
    yield "\n".join([*_TABLE_HEAD, *rows])
    if not blocked:
        for tests in tasks.values():
            yield from _detail(tests)


def _changes(score: dict[str, Any]) -> Iterator[str]:
    """Say why the points are not those that the checks below add up to."""
    if score.get("adjustments"):
        changes = (f"- {one['delta']:+g}: {code(one['reason'])}" for one in score["adjustments"])
        yield "\n".join([f"The checks earned {score['raw_points']:g} points.", "", *changes])


_TABLE_HEAD = ("| | Task | Points | Checks | Look at this first |", "|---|---|---:|---:|---|")


def _row(task: str, tests: list[dict[str, Any]], *, hinted: bool) -> str:
    points, most = (sum(test[key] for test in tests) for key in ("points", "max_points"))
    failed = [test for test in tests if test["status"] != "passed"]
    sign = _SIGNS[failed[0]["status"]] if failed else _SIGNS["passed"]
    first = ""
    if failed and hinted:
        first = ". ".join(filter(None, (_line(failed[0]), _why(failed[0]))))
    checks = f"{len(tests) - len(failed)} / {len(tests)}"
    return f"| {sign} | {cell(code(task))} | {points:g} / {most:g} | {checks} | {cell(first)} |"


def _detail(tests: list[dict[str, Any]]) -> Iterator[str]:
    """Show the first shown check of a task that failed: all of it may be seen."""
    failed = (t for t in tests if t["status"] != "passed" and t["suite"] == "shown")
    for test in failed:
        yield f"### {code(test['task'])}: {_prose(test['behaviour'])}{_place(test)}"
        if test.get("message"):
            yield _fence(test["message"])
        if test.get("output"):
            yield "Your code printed:"
            yield _fence(test["output"])
        return


def _health(report: dict[str, Any]) -> Iterator[str]:
    """Compare each module graded alone with the same checks on the student's own lower modules."""
    rows = []
    for one in report["assignments"]:
        if one.get("integrated"):
            alone = [test["status"] for test in report["tests"] if test["module"] == one["id"]]
            whole, title = one["integrated"], f"{one['id'][:2]} {_prose(one['title'])}"
            alone_cell = f"{alone.count('passed')} / {len(alone)}"
            rows.append(f"| {title} | {alone_cell} | {whole['passed']} / {whole['total']} |")
    if rows:
        yield "## Your framework as a whole"
        yield (
            "Points come from each module alone, so that one mistake costs once. Here are the same"
            " checks with every file your own; milestones need them all."
        )
        head = ("| Module | Checks, alone | Checks, all files yours |", "|---|---:|---:|")
        yield "\n".join([*head, *rows])


def _notes(report: dict[str, Any]) -> Iterator[str]:
    notes = report["submission"]["notes"]
    if notes:
        yield "\n".join(["Not read:", "", *(f"- {code(note)}" for note in notes)])


def _footer(report: dict[str, Any]) -> str:
    submission = report["submission"]
    commit = f"Commit `{submission['commit'][:10]}`" if submission["commit"] else "Your files"
    when = ""
    if submission["submitted_at"]:
        moment = datetime.fromisoformat(submission["submitted_at"].replace("Z", "+00:00"))
        when = f" of {moment:%Y-%m-%d %H:%M} UTC"
    return f"---\n\n{commit}{when}, report `{report['report_id']}`."


def _why(test: dict[str, Any]) -> str:
    """Say what happened and the hint: "`ValueError`. Compare one element …"."""
    error = code(test["error"]) if test.get("error") else ""
    what = {"timeout": f"It ran into a limit: {error}", "error": error}.get(test["status"], "")
    return ". ".join(filter(None, (what, _prose(test.get("hint", "")))))


def _place(test: dict[str, Any]) -> str:
    return f", {code(test['location']['path'])} {_line(test)}" if test.get("location") else ""


def _line(test: dict[str, Any]) -> str:
    return f"line {test['location']['line']}" if test.get("location") else ""


def _bar(share: float) -> str:
    """Draw a share of ten boxes; full only when nothing is missing."""
    filled = 10 if share >= 1 else int(share * 10)
    return "`" + "█" * filled + "░" * (10 - filled) + "`"


def code(text: str) -> str:
    """Return `text` as a code span, which no content of it can leave."""
    text = re.sub(r"\\+\|", "|", text.replace("`", "'"))  # `cell` escapes a pipe, not its escape
    return "`" + (" ".join(text.split()) or " ") + "`"


def _fence(text: str) -> str:
    """Return `text` as a block between fences longer than any in it."""
    text = text if len(text) <= _OUTPUT else text[:_OUTPUT] + "\n… (student.json has the rest)"
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text.rstrip()}\n{fence}"


def _prose(text: str) -> str:
    """Return an author's sentence with its code spans kept and everything else literal."""
    parts = re.split(r"(`[^`]+`)", " ".join(text.split()))
    return "".join(p if p.startswith("`") else _literal(p) for p in parts)


def _literal(text: str) -> str:
    text = re.sub(r"([\\`*_\[\]<>#~])", r"\\\1", text)
    return re.sub(r"@(?=\w)", "@\u200b", text)


def cell(text: str) -> str:
    """Return `text` so that it stays in one cell of a table."""
    return text.replace("|", "\\|")
