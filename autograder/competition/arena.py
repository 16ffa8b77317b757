"""What a track's judge is given, and what it returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from autograder.competition.contender import Contender
from autograder.competition.entries import Entry
from autograder.competition.measuring import Effort
from autograder.sandbox import Sandbox


@dataclass(frozen=True)
class Gate:
    """A quantity that an entry must reach to be ranked."""

    name: str  # "agreement"
    value: float
    least: float

    @property
    def passed(self) -> bool:
        """Tell whether it is reached."""
        return self.value >= self.least


@dataclass(frozen=True)
class Part:
    """A quantity that explains a result: reports tell it, and nobody is ranked by it."""

    name: str  # "batch-256"
    value: float
    unit: str  # "µs"
    baseline: float | None = None
    direction: str = "lower"  # which values are better


@dataclass(frozen=True)
class Outcome:
    """What a judge found of an entry that broke no rule."""

    value: float  # in the unit of the track
    baseline: float  # the same of the baseline, measured in this run
    gates: tuple[Gate, ...]
    ci95: tuple[float, float] | None = None  # None: exact
    noisy: bool = False
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True)
class Arena:
    """One entry beside the baseline, in an open sandbox, with a secret."""

    box: Sandbox
    entry: Entry
    baseline: Entry
    framework: Mapping[str, bytes]  # the student's, {module: source}, in course order
    rng: np.random.Generator  # from a seed that nobody knows before
    effort: Effort

    def contender(self, lane: int, *, on_reference: bool = False) -> Contender:
        """Return the entry on the student's own framework, or on the reference's."""
        return Contender(self.box, lane, self.entry, None if on_reference else self.framework)

    def opponent(self, lane: int) -> Contender:
        """Return the baseline, on the reference's framework."""
        return Contender(self.box, lane, self.baseline)
