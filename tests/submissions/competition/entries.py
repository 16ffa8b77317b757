"""Loads the entries in this folder: each a file that stands for `entry/<track>.py` of a student.

A fixture begins with lines `# key: value`, a sentence on what it tries, and then code:

    track    the track that it enters
    base     `generated` runs the code here and takes the bytes SOURCE that it leaves, and DATA
    extra    the name of one more file in `entry/`
    limits   bounds for its worker, as in wall_s=1
    refused  a pattern in the reason for which it is refused
    gated    a pattern in the gates that it misses
    weighs   a pattern in what is counted: it is not refused, and gains nothing
    earns    `nothing`: it is measured as it is
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
KEYS = {"track", "base", "extra", "limits", "refused", "gated", "weighs", "earns"}


@dataclass(frozen=True)
class Fixture:
    """One entry, and what must become of it."""

    name: str
    track: str
    values: dict[str, str]
    source: bytes
    data: bytes = b""

    @property
    def limits(self) -> dict[str, int]:
        """Bounds of its own."""
        found = re.findall(r"(\w+)=(\d+)", self.values.get("limits", ""))
        return {name: int(bound) for name, bound in found}

    @property
    def files(self) -> dict[str, bytes]:
        """The files of `entry/`."""
        extra = {self.values["extra"]: b""} if "extra" in self.values else {}
        data = {f"{self.track}.bin": self.data} if self.data else {}
        return {f"{self.track}.py": self.source, **data, **extra}


def load(kind: str) -> list[Fixture]:
    """Return the fixtures of a kind: cheats or bad."""
    return [_read(path) for path in sorted((HERE / kind).glob("*.py"))]


def gold(track: str, division: str = "closed") -> dict[str, bytes]:
    """Return the files of the staff's own entry for `track`: in open, others or more."""
    closed = _files(HERE / "gold", track)
    if division == "closed":
        return closed
    settings = f'[{track}]\ndivision = "{division}"\n'.encode()
    return closed | _files(HERE / "gold" / division, track) | {"entry.toml": settings}


def _files(folder: Path, track: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob(f"{track}.*")}


def _read(path: Path) -> Fixture:
    code = path.read_text(encoding="utf-8")
    header = code[: code.index('"""')]
    values = dict(re.findall(r"^# ([a-z]+): (.*)$", header, re.MULTILINE))
    assert values.keys() <= KEYS, f"{path.name}: unknown {values.keys() - KEYS}"
    source, data = code.encode(), b""
    if values.get("base") == "generated":
        space: dict[str, bytes] = {}
        exec(compile(code, path.name, "exec"), space)
        source, data = space["SOURCE"], space.get("DATA", b"")
    return Fixture(path.stem, values["track"], values, source, data)
