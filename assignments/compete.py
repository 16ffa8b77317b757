"""Practise the competition: the entries in entry/, each measured in a process of its own.

The files, and what is refused, are as for the grader; its examples are secret and its machine is
another, so what comes out here is practice, and nothing hands it in.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from rich.table import Table
from rich.text import Text

from assignments.competition import rules
from assignments.competition.rules import FOLDER, SETTINGS
from assignments.competition.tracks import Track, find, medal, percent, tracks
from assignments.repository import TitoError

LIMIT_S = 600  # for one entry
LONGER_S = {"language": 2400}  # two minutes of processor time, longer beside other programs
LESSON = "assignments/20_capstone/README.md"
PRACTICE = (
    "This is practice: public examples, your machine, and a baseline on your own framework. "
    "What counts is what the grader measures."
)


@dataclass(frozen=True)
class Rehearsal:
    """What came of one entry; `refused` says why there is nothing else."""

    track: Track
    division: str = "closed"
    refused: str = ""
    found: dict = field(default_factory=dict)

    @property
    def gates(self) -> list[dict]:
        """What the entry had to reach, and reached."""
        return self.found.get("gates", [])

    @property
    def passed(self) -> bool:
        """Tell whether the entry is one, and no gate is missed."""
        return not self.refused and all(gate["value"] >= gate["least"] for gate in self.gates)

    @property
    def improvement(self) -> float:
        """How many times better than the baseline it is."""
        return self.track.improvement(self.found["value"], self.found["baseline"])


def rehearse(
    root: Path, letters: Sequence[str] = (), begin: Callable[[Track], None] = lambda track: None
) -> list[Rehearsal]:
    """Measure the entries for some tracks, or all that there are, in the repository at `root`.

    `begin` is told of each before it is measured, which may take minutes.
    """
    folder = root / FOLDER
    asked = {track.name: track for track in map(find, letters)}  # a track may be named twice
    chosen = list(asked.values()) or [t for t in tracks().values() if (folder / t.source).is_file()]
    missing = [t.source for t in chosen if not (folder / t.source).is_file()]
    if missing or not chosen:
        what = ", ".join(f"{FOLDER}/{name} does not exist" for name in missing)
        what = what or f"{FOLDER}/ holds no entry"
        copy = f"assignments/competition/baseline/{missing[0] if missing else '<track>.py'}"
        raise TitoError(f"{what}: begin with a copy of {copy}; {LESSON} says more")
    found = []
    for track in chosen:
        begin(track)
        found.append(_rehearse(root, track))
    return found


def _rehearse(root: Path, track: Track) -> Rehearsal:
    folder = root / FOLDER
    try:
        division = _division(folder, track)
    except rules.RuleError as error:
        return Rehearsal(track, refused=str(error))
    found = _measure(root, track, division, LONGER_S.get(track.name, LIMIT_S))
    if found.refused and track.data == "either" and not (folder / track.weights).exists():
        hint = f"{FOLDER}/{track.weights} does not exist, so `load` got no bytes"
        hint += "; the baseline's are `given.packed()` of assignments.competition"
        return replace(found, refused=f"{found.refused}; {hint}")
    return found


def _division(folder: Path, track: Track) -> str | None:
    """Return the division that the files in `folder` enter, None without one; raises RuleError."""
    paths = [path for path in folder.iterdir() if path.name != "__pycache__"]
    sizes = {path.name: path.stat().st_size for path in paths}
    settings = folder / SETTINGS
    return rules.division(sizes, settings.read_bytes() if settings.is_file() else b"", track)


def faults(root: Path) -> list[str]:
    """Say what of entry/ breaks a rule, so that the grader will measure nothing of it."""
    found = []
    for track in tracks().values():
        try:
            _division(root / FOLDER, track)
        except rules.RuleError as error:
            found.append(str(error))
    return list(dict.fromkeys(found))  # a file too many is one for every track


def _measure(root: Path, track: Track, division: str, limit_s: float = LIMIT_S) -> Rehearsal:
    """Run the measurement in a process of its own: an entry may hang, crash or exit."""
    with tempfile.TemporaryDirectory(prefix="tito-", ignore_cleanup_errors=True) as scratch:
        result = Path(scratch, "result.json")
        command = [sys.executable, "-m", "assignments.competition.practice", track.name, division]
        paths = os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH")]))
        try:
            run = subprocess.run(
                [*command, str(root / FOLDER), str(result)],
                cwd=root,
                env=os.environ | {"PYTHONPATH": paths, "OPENBLAS_NUM_THREADS": "1"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=limit_s,
            )
        except subprocess.TimeoutExpired:
            return Rehearsal(track, division, f"{FOLDER}/{track.source}: no end in {limit_s:g} s")
        if not result.is_file():
            line = f"{FOLDER}/{track.source}: ended by itself, with exit code {run.returncode}"
            said = " ".join(run.stderr.strip().rpartition("\n")[2].split())
            return Rehearsal(track, division, f"{line}, and said: {said:.200}" if said else line)
        found = json.loads(result.read_text(encoding="utf-8"))
    return Rehearsal(track, division, found.pop("refused", ""), found)


def results(rehearsals: Sequence[Rehearsal]) -> Table:
    """Show what was measured: a row for each track."""
    table = Table(title="practice", title_justify="left", box=None, pad_edge=False)
    for name in ("track", "division", "result", "baseline", "gates", "points"):
        right = name in ("result", "baseline", "points")
        justify = "right" if right else "left"
        table.add_column(name, justify=justify, overflow="fold", no_wrap=name == "gates")
    for one in rehearsals:
        name = f"{one.track.letter} {one.track.title}"
        if one.refused:
            table.add_row(name, one.division, Text("refused", "red"), "", "", "")
        else:
            base = _shown(one.found["baseline"])
            table.add_row(name, one.division, _result(one), base, _gates(one), _points(one))
    return table


def _result(one: Rehearsal) -> str:
    value = f"{_shown(one.found['value'])} {one.track.unit}"
    if one.found["ci95"]:
        low, high = one.found["ci95"]
        value += f"\n{low:.3g} to {high:.3g}"
    return value


def _shown(value: float) -> str:
    return f"{value:g}" if value == int(value) else f"{value:.3g}"


def _gates(one: Rehearsal) -> Text:
    def line(gate: dict) -> Text:
        holds = gate["value"] >= gate["least"]
        sign = "≥" if holds else "<"
        text = f"{gate['name']} {percent(gate['value'])} {sign} {gate['least']:.0%}"
        return Text(text, "green" if holds else "red")

    return Text("\n").join(map(line, one.gates))


def _points(one: Rehearsal) -> Text:
    if not one.passed:
        return Text("gate\nmissed", "red")
    points = one.track.points(one.improvement, one.division)
    return Text(f"{points:.0f}\n{medal(points) or ''}".strip())
