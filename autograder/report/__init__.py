"""The report: one JSON document per graded commit, and everything that is derived from it.

Staff get all of it; what students and the public get is made by leaving data out, never by hiding
it in a view. `report.schema.json` says what each of the three may hold.
"""

from autograder.report.build import build, refused
from autograder.report.files import render, save, write
from autograder.report.markdown import student_markdown
from autograder.report.redact import redact
from autograder.report.schema import validate
from autograder.report.submitter import load_key, submitter_id

__all__ = [
    "build",
    "load_key",
    "redact",
    "refused",
    "render",
    "save",
    "student_markdown",
    "submitter_id",
    "validate",
    "write",
]
