"""The five files of a graded submission, each written whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from threading import get_ident
from typing import Any

from autograder.outcome import Grade
from autograder.report.gradescope import results
from autograder.report.markdown import student_markdown
from autograder.report.redact import redact
from autograder.report.schema import validate


def render(report: dict[str, Any], grade: Grade | None) -> dict[str, bytes]:
    """Return the content of every file by its name; `grade` is None when nothing was graded."""
    student, public = (validate(redact(report, audience)) for audience in ("student", "public"))
    return {
        "report.json": _json(report),
        "student.json": _json(student),
        "public.json": _json(public),
        "student.md": student_markdown(student).encode(),
        "results.json": _json(results(report, grade)),
    }


def save(files: Mapping[str, bytes], folder: Path) -> None:
    """Write `files` into `folder`, which is made when missing."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        replace(folder / name, content)


def write(report: dict[str, Any], grade: Grade | None, folder: Path) -> None:
    """Render and save the five files."""
    save(render(report, grade), folder)


def replace(path: Path, content: bytes) -> None:
    """Put `content` at `path` so that a reader or a crash meets the old file or the new one."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.{get_ident()}")
    try:
        with open(draft, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def _json(document: dict[str, Any]) -> bytes:
    # ASCII: what a student wrote cannot come back as an unpaired surrogate that UTF-8 refuses
    text = json.dumps(document, indent=1, allow_nan=False)
    return text.encode("ascii") + b"\n"
