"""What grading found: plain facts, before any policy, redaction or format."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Check:
    """One check of a hidden test file, as it ended for one submission."""

    id: str  # "01_tensor/Tensor.matmul/random matrices"
    module: str  # "01_tensor"
    task: str  # "Tensor.matmul"
    behaviour: str  # "random matrices"
    suite: str  # "shown" or "hidden"
    status: str  # "passed", "failed", "error" or "timeout"
    points: float
    max_points: float
    duration_s: float
    hint: str | None = None  # written by the author of the check
    error: str | None = None  # a builtin exception's name, or the bound that was hit
    line: int | None = None  # in the student's own file
    message: str = ""  # shown checks only; cleaned
    output: str = ""  # shown checks only; cleaned


@dataclass(frozen=True)
class ModuleOutcome:
    """All checks of one assignment, and how the student's own files work together."""

    id: str
    title: str
    version: int
    source: str  # "tinytorch/tensor.py"
    status: str  # "passed", "partial", "failed", "error" or "timeout"
    checks: tuple[Check, ...]
    note: str | None = None  # why nothing could run, and what to do
    integrated_passed: int = 0
    integrated_total: int = 0

    @property
    def points(self) -> float:
        """Points earned, the sum over the checks."""
        return sum(check.points for check in self.checks)

    @property
    def max_points(self) -> float:
        """Points there are."""
        return sum(check.max_points for check in self.checks)


@dataclass(frozen=True)
class Grade:
    """The outcome for one submission: the input of `report.build`."""

    modules: tuple[ModuleOutcome, ...]
    seed: int
    isolation: str  # "full", "reduced(tcp, udp)" or "none"
    suite_digest: str  # "sha256:…" over the hidden files that ran
    gradescope: dict[str, Any]  # otter's own results.json
    wall_s: float
    cpu_s: float
    peak_rss_bytes: int
    limits: dict[str, float] = field(default_factory=dict)

    @property
    def practice(self) -> bool:
        """True where isolation was not full: the points are no grade."""
        return self.isolation != "full"
