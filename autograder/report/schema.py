"""The schema of a report, compiled once; a report that does not fit is never written."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from autograder.errors import GraderError

SCHEMA = Path(__file__).parent.parent / "report.schema.json"


@cache
def validator() -> Draft202012Validator:
    """Return the validator of grade-report/1."""
    return Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))


def validate(report: dict[str, Any]) -> dict[str, Any]:
    """Return `report` if it is a grade-report/1 for its audience; GraderError names the place."""
    if not validator().is_valid(report):
        fault = best_match(validator().iter_errors(report))
        place = "/".join(map(str, fault.absolute_path)) or "the report"
        message = fault.message if len(fault.message) <= 300 else fault.message[:297] + "..."
        raise GraderError(f"{place} does not fit {SCHEMA.name}: {message}")
    return report
