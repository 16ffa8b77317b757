"""Judges entries as the command does, with little effort and short bounds."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from assignments.competition.tracks import tracks
from autograder.competition.contender import reference
from autograder.competition.judging import Result, judge
from autograder.competition.measuring import Effort
from autograder.sandbox import Limits, Sandbox

QUICK = Effort(
    workers=1,
    blocks=6,
    block_s=0.003,
    reruns=0,
    seeds=5,
    train_s=1,
    spread=0.2,
    pieces=24,
    reveals=8,
)
LIMITS = Limits(wall_s=30, cpu_s=60, memory_bytes=1 << 30)


@dataclass
class Handed:
    """As much of a submission as a competition reads."""

    files: dict[str, bytes]
    framework: dict[str, bytes] = field(default_factory=reference)

    def entry(self) -> dict[str, bytes]:
        """Return the files of `entry/`."""
        return self.files

    def source(self, module: str) -> bytes | None:
        """Return a file of the framework."""
        return self.framework.get(module)


def judged(
    files: dict[str, bytes], track: str, box: Sandbox, effort: Effort = QUICK, **more
) -> Result:
    """Return what becomes of an entry with these files."""
    return judge(Handed(files, **more), tracks()[track], box, secrets.randbits(64), effort)
