"""An entry: a student's files for one track, read from the folder `entry/` of their repository.

Which files may be there says assignments/competition/rules.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from assignments.competition import given, rules
from assignments.competition import tracks as catalog
from assignments.competition.tracks import Track
from autograder.competition.refusal import Refused

BASELINES = Path(catalog.__file__).parent / "baseline"


@dataclass(frozen=True)
class Entry:
    """What one student hands in for one track."""

    track: Track
    division: str
    source: bytes
    data: bytes = b""

    @property
    def path(self) -> str:
        """Where its source is in the student's repository."""
        return f"entry/{self.track.source}"

    @property
    def gates(self) -> dict[str, float]:
        """The least of each quantity, in its division."""
        return self.track.divisions[self.division]


def read(files: Mapping[str, bytes], track: Track) -> Entry | None:
    """Return the entry for `track` among the `files` of `entry/`, None where there is none.

    Raises Refused where the files are not as they must be.
    """
    sizes = {name: len(content) for name, content in files.items()}
    try:
        division = rules.division(sizes, files.get(rules.SETTINGS, b""), track)
    except rules.RuleError as error:
        raise Refused(str(error)) from None
    if division is None:
        return None
    return Entry(track, division, files[track.source], files.get(track.weights, b""))


def baseline(track: Track) -> Entry:
    """Return the course's own plain entry, which all others are held against."""
    source = (BASELINES / track.source).read_bytes()
    return Entry(track, "closed", source, given.packed() if track.data == "either" else b"")
