"""Measures one entry in this process, which is its own: it may hang, crash or exit.

    python -m assignments.competition.practice TRACK DIVISION FOLDER RESULT

reads the entry's files in FOLDER and writes the file RESULT, JSON: what was measured, or why the
entry was refused. The grader does the same with secret examples, in a sandbox, and counts itself.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

from assignments.competition.practice import digits
from assignments.competition.practice.entry import Entry, Refused
from assignments.competition.tracks import tracks


def main(track: str, division: str, folder: str, result: str) -> None:
    """Measure, and write what came of it."""
    measures = digits.MEASURES
    if track not in measures:
        from assignments.competition.practice import letters  # a framework with a GPT

        measures = letters.MEASURES
    try:
        found = asdict(measures[track](Entry.read(tracks()[track], division, Path(folder))))
    except Refused as refusal:
        found = {"refused": str(refusal)}
    Path(result).write_text(json.dumps(found), encoding="utf-8")


main(*sys.argv[1:])
