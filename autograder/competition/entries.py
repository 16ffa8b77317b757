"""An entry: a student's files for one track, read from the folder `entry/` of their repository.

    entry/sprint.py          what the track asks for; its functions are in assignments/competition/
    entry/featherweight.bin  one file of data, any bytes, where the track allows it
    entry/entry.toml         `[sprint]` and `division = "open"`, for whom closed is too narrow

Nothing else: no other file reaches a worker, so no other file may be there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from assignments.catalog import tomllib
from assignments.competition import given
from assignments.competition import tracks as catalog
from assignments.competition.tracks import Track
from autograder.competition.refusal import Refused
from autograder.intake.tree import shown, shown_size

SETTINGS = "entry.toml"
SOURCE_BYTES, DATA_BYTES, SETTINGS_BYTES = 32 << 10, 4 << 20, 4 << 10
BASELINES = Path(catalog.__file__).parent / "baseline"


@dataclass(frozen=True)
class Entry:
    """What one student hands in for one track."""

    track: Track
    division: str
    source: bytes
    data: bytes = b""

    @property
    def path(self) -> str:
        """Where its source is in the student's repository."""
        return f"entry/{self.track.source}"

    @property
    def gates(self) -> dict[str, float]:
        """The least of each quantity, in its division."""
        return self.track.divisions[self.division]


def read(files: Mapping[str, bytes], track: Track) -> Entry | None:
    """Return the entry for `track` among the `files` of `entry/`, None where there is none.

    Raises Refused where the files are not as they must be.
    """
    _require_known(files)
    if track.source not in files:
        if track.weights in files:
            raise Refused(f"entry/{track.weights} comes without entry/{track.source}: add it")
        return None
    division = _division(files.get(SETTINGS, b""), track)
    data = files.get(track.weights, b"")
    if data and not track.takes_data(division):
        cure = "remove it" + (", or enter the open division" if track.data == "open" else "")
        raise Refused(f"entry/{track.weights}: the {division} division takes no data; {cure}")
    for name, most in ((track.source, SOURCE_BYTES), (track.weights, DATA_BYTES)):
        if len(files.get(name, b"")) > most:
            came = shown_size(len(files[name]))
            raise Refused(f"entry/{name}: expected at most {shown_size(most)}, got {came}")
    return Entry(track, division, files[track.source], data)


def baseline(track: Track) -> Entry:
    """Return the course's own plain entry, which all others are held against."""
    source = (BASELINES / track.source).read_bytes()
    return Entry(track, "closed", source, given.packed() if track.data == "either" else b"")


def _require_known(files: Mapping[str, bytes]) -> None:
    tracks = catalog.tracks().values()
    known = {SETTINGS, *(one.source for one in tracks), *(one.weights for one in tracks)}
    for name in files:
        if name not in known:
            names = ", ".join(sorted(known))
            raise Refused(f"entry/ holds {shown(name)}, expected none but {names}; remove it")


def _division(settings: bytes, track: Track) -> str:
    """Return the division that entry.toml chooses for `track`: closed, if it says nothing."""
    if len(settings) > SETTINGS_BYTES:
        raise Refused(f"entry/{SETTINGS}: expected at most {shown_size(SETTINGS_BYTES)}")
    try:
        table = tomllib.loads(settings.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise Refused(f"entry/{SETTINGS} is not TOML: {type(error).__name__}; mend it") from None
    section = table.get(track.name, {})
    division = section.get("division", "closed") if isinstance(section, dict) else None
    if division not in track.divisions:
        choice = " or ".join(f'division = "{one}"' for one in track.divisions)
        raise Refused(f"entry/{SETTINGS}: expected [{track.name}] with {choice}; correct it")
    return division
