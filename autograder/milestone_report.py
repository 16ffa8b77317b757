"""Grade a milestone from a path to milestone.json and a table for a terminal."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from assignments.catalog import load_course
from autograder.intake import Submission, receive
from autograder.milestones import Answer, MilestoneGrade, grade_milestone
from autograder.report.build import utc
from autograder.report.files import replace
from autograder.report.submitter import load_key, submitter_id
from autograder.sandbox import Sandbox


def grade_one(
    source: str | Path, number: int, folder: Path, *, seed: int, sandbox: Sandbox
) -> tuple[MilestoneGrade, Path]:
    """Grade milestone `number` of `source`, write milestone.json into `folder`, return both."""
    with sandbox as box, receive(source) as submission:
        grade = grade_milestone(submission, number, course=load_course(), seed=seed, sandbox=box)
        now = datetime.now(timezone.utc)
        report = document(grade, submission, submitter_key=load_key(), now=now)
        return grade, write(report, folder)


def document(
    grade: MilestoneGrade, submission: Submission, *, submitter_key: bytes, now: datetime
) -> dict[str, Any]:
    """Return the content of milestone.json."""
    listed = grade.listed
    return {
        "schema": "milestone-report/1",
        "created_at": utc(now),
        "milestone": {"number": listed.number, "year": listed.year, "title": listed.title},
        "submitter": {"id": submitter_id(submission.name, submitter_key)},
        "submission": {
            "commit": submission.commit,
            "tree": submission.tree,
            "digest": submission.digest,
            "submitted_at": utc(submission.submitted_at),
        },
        "grader": {
            "milestone_digest": grade.digest,
            "seed": grade.seed,
            "isolation": grade.isolation,
            "limits": asdict(grade.limits),
        },
        "timing": {
            "wall_s": round(sum(answer.wall_s for answer in grade.answers), 6),
            "cpu_s": round(grade.cpu_s, 6),
            "peak_rss_bytes": grade.peak_rss_bytes,
        },
        "passed": grade.passed,
        "practice": grade.practice,
        "answers": [asdict(answer) for answer in grade.answers],
    }


def write(report: dict[str, Any], folder: Path) -> Path:
    """Write milestone.json into `folder`, whole or not at all; return where it is."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "milestone.json"
    replace(path, json.dumps(report, indent=1, allow_nan=False).encode("ascii") + b"\n")
    return path


def print_grade(grade: MilestoneGrade, path: Path) -> None:
    """Print what became of each task in each run, the verdict, and where the file is."""
    console = Console(highlight=False)
    listed = grade.listed
    title = f"milestone {listed.number}, {listed.year}: {listed.title}"
    table = Table(title=title, title_justify="left")
    for name in ("run", "task", "measure", "value", "gate", "status", "time"):
        table.add_column(name, justify="right" if name in ("run", "value", "time") else "left")
    for answer in grade.answers:
        table.add_row(*_cells(answer), style="green" if answer.passed else "red")
    console.print(table)
    for why in dict.fromkeys(f"{one.task}: {one.reason}" for one in grade.answers if one.reason):
        console.print(f"[yellow]{escape(why)}", soft_wrap=True)
    stamp = "  [red]practice, no grade[/]" if grade.practice else ""
    verdict = "passed" if grade.passed else "not passed"
    console.print(f"[bold]{verdict}[/]{stamp}")
    console.print(f"Report: {escape(str(path))}", soft_wrap=True)


def _cells(answer: Answer) -> tuple[str, ...]:
    return (
        str(answer.run + 1),
        escape(answer.task),
        answer.measure,
        answer.shown,
        escape(answer.gate),
        answer.status,
        f"{answer.wall_s:.1f} s",
    )
