"""How well a worker is isolated: full, reduced by what is missing, or not at all."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

# Where student code reaches all three of these, nothing is left that deserves the name.
BARE = {"read_hidden", "fork", "tcp"}
CURES = {
    "landlock": "needs Linux 5.13 or newer with Landlock enabled",
    "seccomp": "install libseccomp2 and pyseccomp",
    "uid": "run the grader as an ordinary user, or as root with CAP_SETUID, CAP_SETGID, CAP_KILL",
}


@dataclass(frozen=True)
class Isolation:
    """What the proof in a worker found."""

    missing: dict[str, str] = field(default_factory=dict)  # layer or guarantee -> the reason
    proved: tuple[str, ...] = ()  # guarantees that an attempt could not break

    def __str__(self) -> str:
        """Return "full", "none", or what is missing: "reduced(tcp, udp)"."""
        if BARE <= self.missing.keys() or not self.proved:
            return "none"
        return f"reduced({', '.join(self.missing)})" if self.missing else "full"

    def explain(self) -> str:
        """Return what is missing, each with its reason, in one line."""
        return "; ".join(f"{name} ({reason})" for name, reason in self.missing.items())


def judge(report: dict[str, Any], absent: dict[str, str]) -> Isolation:
    """Read a worker's report; `absent` are layers that it was not even told to apply."""
    from autograder.sandbox.proof import GUARANTEES, REQUIRED  # which only Linux can import

    missing = dict(absent)
    for layer, error in report["failed"].items():
        cure = CURES.get(layer)
        missing[layer] = f"{error}; {cure}" if cure else error
    broken = report["broken"]
    missing |= {name: "an attempt to break it went through" for name in broken if name in REQUIRED}
    return Isolation(missing, tuple(name for name in GUARANTEES if name not in broken))
