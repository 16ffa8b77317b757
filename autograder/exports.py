"""What is published, in the forms that gradebooks and other tools read; nothing is graded here."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from assignments.catalog import load_course
from autograder.cohort.roster import output_name
from autograder.errors import GraderError, SubmissionError
from autograder.policy import load_policy
from autograder.report.canvas import canvas
from autograder.report.classroom50 import result
from autograder.report.files import replace
from autograder.report.junit import junit
from autograder.report.marks import Mark, of_class, of_scores
from autograder.report.moodle import moodle
from autograder.report.schema import validate
from autograder.roster import read

FORMS = ("canvas", "moodle", "classroom50", "junit")
SERVER = "https://github.com"


def marks(
    source: Path,
    roster: Path,
    signers: Path | None,
    overrides: Path | None = None,
    term: str | None = None,
) -> list[Mark]:
    """Return the marks in a clone of the scores repository, or in what `autograder class` wrote."""
    students, course = read(roster), load_course()
    policy = load_policy(course, overrides)
    if signers is None:
        if (source / "reports").is_dir():
            raise SubmissionError(
                f"{source}: for a scores repository say with --signers who counts"
            )
        return of_class(source, students, policy)
    from autograder.scores import Rules
    from autograder.scores import read as read_scores

    rules = Rules(course, now=datetime.now(timezone.utc), term=term or None)
    return of_scores(read_scores(source, signers, rules).accepted, students, policy)


def export(
    form: str,
    source: Path,
    out: Path,
    *,
    roster: Path | None = None,
    signers: Path | None = None,
    gradebook: Path | None = None,
    overrides: Path | None = None,
    term: str | None = None,
    names: tuple[str, str] = ("", ""),
) -> str:
    """Write `source` in one of the FORMS to `out`; return a line that says what is there."""
    if form == "junit":
        return f"{_write(out, junit(_report(source)))}"
    if roster is None:
        raise SubmissionError(f"{form}: say with --roster who the students are")
    found = marks(source, roster, signers, overrides, term)
    if form == "classroom50":
        if not all(names):
            raise SubmissionError("classroom50: name the --classroom and the --assignment")
        for one in (one for one in found if one.newest):
            document = result(one, load_course(), names, SERVER)
            name = one.student.github_username or one.student.identifier
            _write(out / f"{output_name(name)}.json", json.dumps(document, indent=1))
    elif form == "moodle":
        _write(out, moodle(found, load_course()))
    else:
        _write(out, canvas(found, load_course(), gradebook and _text(gradebook)))
    graded = sum(one.newest is not None for one in found)
    return f"{out}: {graded} of {len(found)} students with a grade"


def _report(path: Path) -> dict[str, Any]:
    try:
        return validate(json.loads(path.read_bytes()))
    except (OSError, ValueError, GraderError):
        raise SubmissionError(f"{path}: expected a report.json or student.json") from None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise SubmissionError(f"{path}: expected a CSV file in UTF-8") from None


def _write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    replace(path, content.encode() if isinstance(content, str) else content)
    return path
