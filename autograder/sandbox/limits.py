"""The bounds of a worker: each is named in the failure of whoever hits it."""

from __future__ import annotations

from dataclasses import dataclass, fields

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30


@dataclass(frozen=True)
class Limits:
    """What one worker may use; the defaults are those of a check of the course."""

    wall_s: float = 10.0  # for each compile, load or run
    cpu_s: float = 60.0  # processor time of the worker's whole life, all threads together
    memory_bytes: int = 2 * GIB  # address space, the interpreter and NumPy included
    output_bytes: int = 64 * KIB  # printed text that is kept; what follows is counted and dropped
    flood_bytes: int = MIB  # printed text that ends the worker
    reply_bytes: int = 64 * MIB  # arrays of one answer

    def __post_init__(self) -> None:
        """Refuse a bound that would let nothing run."""
        for field in fields(self):
            value = getattr(self, field.name)
            whole = field.name.endswith("_bytes")
            if not value > 0 or (whole and type(value) is not int):
                expected = "a whole number" if whole else "a number"
                raise ValueError(f"Limits.{field.name}: expected {expected} > 0, got {value!r}")


def size(count: int) -> str:
    """Return a number of bytes as one reads it: 65536 -> "64 KiB", 2 << 30 -> "2 GiB"."""
    for unit, name in ((GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB")):
        if count >= unit:
            return f"{count / unit:.4g} {name}"
    return f"{count} bytes"
