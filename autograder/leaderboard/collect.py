"""Collects the reports that the leaderboard ranks from a scores repository: nothing unsigned."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

from assignments.catalog import load_course
from autograder.scores import Collected, Rules, read, read_roster, read_suites


def collect(
    scores: Path,
    signers: Path,
    *,
    roster: Path | None = None,
    suites: Path | None = None,
    term: str | None = None,
    now: datetime | None = None,
) -> Collected:
    """Return what counts in the clone `scores`, and what does not with the reason.

    `signers` are the allowed signers; the other files are optional and narrow or widen what counts.
    """
    rules = Rules(
        load_course(),
        now=now or datetime.now(timezone.utc),
        term=term or None,
        roster=read_roster(roster) if roster else None,
        suites=read_suites(suites) if suites else frozenset(),
    )
    return read(scores, signers, rules)
