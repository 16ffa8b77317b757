"""The catalog of tracks: what is ranked, by which gates, and how far gold is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from functools import cache
from pathlib import Path
from typing import Any

from assignments.catalog import CatalogError, tomllib

PATH = Path(__file__).parent / "tracks.toml"
DIVISIONS = ("closed", "open")
PREFIX = "competition-"  # of a track's id in a report
LINES = {"gold": 100.0, "silver": 60.0, "bronze": 25.0}
MADE = {"load": "a function: `return` one", "train": "an iterator: `yield` what was learned"}
KEYS = {"letter", "function", "title", "unit", "direction", "gold", "closed", "open", "data"}


@dataclass(frozen=True)
class Track:
    """One way to win."""

    name: str  # "sprint": the entry is entry/sprint.py
    letter: str  # "B"
    function: str  # that its source must define: "load"
    title: str
    unit: str
    direction: str  # which values are better: "lower" or "higher"
    gold: dict[str, float]  # the improvement over the baseline that earns 100 points, by division
    divisions: dict[str, dict[str, float]]  # the gates of each: the least of each quantity
    data: str  # which divisions may hand in entry/<name>.bin: "none", "open" or "either"

    @property
    def id(self) -> str:
        """What a report calls it, "competition-sprint"."""
        return f"{PREFIX}{self.name}"

    @property
    def source(self) -> str:
        """The file of an entry."""
        return f"{self.name}.py"

    @property
    def weights(self) -> str:
        """The file that an entry may bring along, where the track allows it."""
        return f"{self.name}.bin"

    def takes_data(self, division: str) -> bool:
        """Tell whether an entry of `division` may bring a file along."""
        return self.data == "either" or self.data == division

    def unmade(self, came: str) -> str:
        """Say that the entry's function returned `came`, and not what goes on from there."""
        name = self.function
        return f"`{name}` of entry/{self.source} returned {came}, expected {MADE[name]}"

    def improvement(self, value: float, baseline: float) -> float:
        """Return how many times better `value` is than `baseline`: 2 for half the bytes."""
        return baseline / value if self.direction == "lower" else value / baseline

    def points(self, improvement: float, division: str) -> float:
        """Return 100 · clip(ln r / ln r_gold, 0, 1).

        Example: with gold = 4, an improvement of 2 is worth 50
        """
        share = math.log(improvement) / math.log(self.gold[division])
        return 100 * min(max(share, 0.0), 1.0)


def medal(points: float) -> str | None:
    """Return the medal that `points` are worth: 60 -> "silver", 24.9 -> None."""
    return next((name for name, line in LINES.items() if points >= line), None)


def percent(share: float, digits: int = 2) -> str:
    """Return `share` in percent, rounded down: what misses a gate must not read as if it passed.

    >>> percent(0.95999), percent(0.96), percent(0.9996, 1)
    ('95.99%', '96.00%', '99.9%')
    """
    exact = Decimal(repr(float(share))).scaleb(2)  # 100 * 0.57 is 56.99…
    return f"{exact.quantize(Decimal(1).scaleb(-digits), ROUND_FLOOR)}%"


@cache
def tracks() -> dict[str, Track]:
    """Return all tracks by name, A first; CatalogError names a fault in tracks.toml."""
    table = tomllib.loads(PATH.read_text(encoding="utf-8"))
    found = [_track(name, values) for name, values in table.items()]
    return {track.name: track for track in sorted(found, key=lambda track: track.letter)}


def by_id(id: str) -> Track | None:
    """Return the track that a report calls so."""
    return tracks().get(id.removeprefix(PREFIX)) if id.startswith(PREFIX) else None


def find(letter: str) -> Track:
    """Return the track with this letter or name, as in "B", "b" or "sprint"."""
    for track in tracks().values():
        if letter.upper() == track.letter or letter.lower() == track.name:
            return track
    known = ", ".join(f"{track.letter} ({track.name})" for track in tracks().values())
    raise CatalogError(f"there is no track {letter!r}; choose from {known}")


def _track(name: str, values: dict[str, Any]) -> Track:
    if values.keys() != KEYS - {"open"} and values.keys() != KEYS:
        fault = ", ".join(sorted(values.keys() ^ KEYS))
        raise CatalogError(f"{PATH.name}, [{name}]: expected exactly {sorted(KEYS)}; see {fault}")
    gates = {one: dict(values[one]) for one in DIVISIONS if one in values}
    if values["direction"] not in ("lower", "higher"):
        raise CatalogError(f'{PATH.name}, [{name}]: expected direction "lower" or "higher"')
    if values["gold"].keys() != gates.keys() or not min(values["gold"].values()) > 1:
        raise CatalogError(f"{PATH.name}, [{name}]: expected a gold above 1 for each division")
    rest = {key: value for key, value in values.items() if key not in DIVISIONS}
    return Track(name=name, divisions=gates, **rest)
