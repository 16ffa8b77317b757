"""Why an entry does not count, in the grader's own words."""

from __future__ import annotations

from autograder.sandbox import StudentError, WorkerError


class Refused(Exception):
    """An entry broke a rule: `str` says which, and what came of it."""


def said(failure: WorkerError) -> str:
    """Return why no answer came, with what the entry's code said: no reference is in there.

    Not for a worker that has seen a hidden text: what the code says could be that.
    """
    if isinstance(failure, StudentError) and failure.message:
        return f"{failure}: {failure.message}"
    return str(failure)
