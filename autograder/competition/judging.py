"""Judges the entries of a submission, one track after the other, each in a sandbox of its own."""

from __future__ import annotations

import importlib
import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

import numpy as np

import tinytorch
from assignments.competition.tracks import Track, medal, percent
from autograder.competition import contender, entries
from autograder.competition.arena import Arena, Outcome
from autograder.competition.identity import digest
from autograder.competition.measuring import Effort
from autograder.competition.refusal import Refused
from autograder.intake import Submission
from autograder.sandbox import Limits, Sandbox

# Of one request: no track asks for more at once. An entry that needs an hour meets this.
LIMITS = Limits(wall_s=30, cpu_s=600, memory_bytes=1 << 30)  # two sides in a container of 2 GB


@dataclass(frozen=True)
class Result:
    """What became of one track of a submission."""

    track: Track
    status: str  # "ranked", "refused" (with its reason), "gated" (a gate was missed), or "absent"
    division: str | None = None
    reason: str = ""
    outcome: Outcome | None = None
    wall_s: float = 0.0

    @property
    def improvement(self) -> float | None:
        """How many times better than the baseline."""
        if self.outcome is None:
            return None
        return self.track.improvement(self.outcome.value, self.outcome.baseline)

    @property
    def points(self) -> float | None:
        """Points of the track; None where the entry is not ranked, which is not 0."""
        if self.status != "ranked":
            return None
        return round(self.track.points(self.improvement, self.division), 5)

    @property
    def medal(self) -> str | None:
        """Gold, silver, bronze or none."""
        return None if self.points is None else medal(self.points)


@dataclass(frozen=True)
class Competition:
    """What a submission reached in all tracks that were asked for."""

    results: tuple[Result, ...]
    seed: int
    isolation: str
    digest: str
    limits: Limits
    wall_s: float

    @property
    def practice(self) -> bool:
        """True where isolation was not full: the result counts nowhere."""
        return self.isolation != "full"


def compete(
    submission: Submission,
    tracks: Sequence[Track],
    *,
    seed: int,
    open_sandbox: Callable[[], AbstractContextManager[Sandbox]],
    effort: Effort | None = None,
    begin: Callable[[Track], None] = lambda track: None,
) -> Competition:
    """Judge the entries of `submission` in these tracks; no entry's fault is another's.

    `begin` is told of each before it is measured, which may take minutes.
    """
    began, isolation, results = time.perf_counter(), "none", []
    for track in tracks:
        begin(track)
        with open_sandbox() as box:
            isolation, limits = box.isolation, box.limits
            results.append(judge(submission, track, box, seed, effort or Effort()))
    wall_s = time.perf_counter() - began
    return Competition(tuple(results), seed, isolation, digest(), limits, wall_s)


def judge(submission: Submission, track: Track, box: Sandbox, seed: int, effort: Effort) -> Result:
    """Return what became of the entry of `submission` in `track`."""
    began, division = time.perf_counter(), None
    try:
        entry = entries.read(submission.entry(), track)
        if entry is None:
            cure = f"add entry/{track.source}"
            return Result(track, "absent", reason=f"no entry for {track.title}; {cure}")
        division = entry.division
        outcome = _outcome(entry, _framework(submission), box, seed, effort)
    except Refused as refused:
        wall_s = time.perf_counter() - began
        return Result(track, "refused", division, str(refused), wall_s=wall_s)
    missed = [gate for gate in outcome.gates if not gate.passed]
    why = "; ".join(f"{g.name} {percent(g.value)}, expected at least {g.least:.0%}" for g in missed)
    status = "gated" if missed else "ranked"
    return Result(track, status, division, why, outcome, time.perf_counter() - began)


def _outcome(
    entry: entries.Entry,
    framework: Mapping[str, bytes],
    box: Sandbox,
    seed: int,
    effort: Effort,
) -> Outcome:
    track = entry.track
    rng = np.random.default_rng([seed, ord(track.letter)])
    judge_of = importlib.import_module(f"autograder.competition.{track.name}").judge
    outcome = judge_of(Arena(box, entry, entries.baseline(track), framework, rng, effort))
    if not (math.isfinite(outcome.value) and outcome.value > 0):
        raise Refused(f"the result is {outcome.value}, expected a finite number above 0")
    if outcome.ci95 is None:
        return outcome
    low, high = outcome.ci95  # of resamples, which may in theory all miss what they were drawn from
    return replace(outcome, ci95=(min(low, outcome.value), max(high, outcome.value)))


def _framework(submission: Submission) -> dict[str, bytes]:
    sources = {name: submission.source(name) for name in tinytorch.MODULES}
    return contender.own({name: source for name, source in sources.items() if source is not None})
