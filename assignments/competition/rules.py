"""What the folder `entry/` may hold, and which division its files enter: for grader and practice.

    entry/sprint.py          what the track asks for; its function is described in baseline/
    entry/featherweight.bin  one file of data, any bytes, where the track allows it
    entry/entry.toml         `[sprint]` and `division = "open"`, for whom closed is too narrow

Nothing else: no other file reaches what is measured, so no other file may be there.
"""

from __future__ import annotations

from collections.abc import Mapping

from assignments.catalog import tomllib
from assignments.competition.tracks import Track, tracks

FOLDER, SETTINGS = "entry", "entry.toml"
SOURCE_BYTES, DATA_BYTES, SETTINGS_BYTES = 32 << 10, 4 << 20, 4 << 10


class RuleError(Exception):
    """A file of `entry/` is not as it must be: one line."""


def division(sizes: Mapping[str, int], settings: bytes, track: Track) -> str | None:
    """Return the division that files of these `sizes` enter in `track`, None where none does.

    `settings` is the content of entry.toml. Raises RuleError.
    """
    _require_known(sizes)
    if track.source not in sizes:
        if track.weights in sizes:
            raise RuleError(f"entry/{track.weights} comes without entry/{track.source}: add it")
        return None
    chosen = _chosen(settings, track)
    if sizes.get(track.weights) and not track.takes_data(chosen):
        cure = "remove it" + (", or enter the open division" if track.data == "open" else "")
        raise RuleError(f"entry/{track.weights}: the {chosen} division takes no data; {cure}")
    for name, most in ((track.source, SOURCE_BYTES), (track.weights, DATA_BYTES)):
        if sizes.get(name, 0) > most:
            came = f"expected at most {_shown(most)}, got {_shown(sizes[name])}"
            raise RuleError(f"entry/{name}: {came}; make it smaller")
    return chosen


def _require_known(names: Mapping[str, int]) -> None:
    every = tracks().values()
    known = {SETTINGS, *(one.source for one in every), *(one.weights for one in every)}
    for name in sorted(names):
        if name not in known:
            expected = ", ".join(sorted(known))
            raise RuleError(f"entry/ holds {name[:100]!a}, expected none but {expected}; remove it")


def _chosen(settings: bytes, track: Track) -> str:
    """Return the division that entry.toml chooses for `track`: closed, if it says nothing."""
    if len(settings) > SETTINGS_BYTES:
        raise RuleError(f"entry/{SETTINGS}: expected at most {_shown(SETTINGS_BYTES)}; shorten it")
    try:
        table = tomllib.loads(settings.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise RuleError(f"entry/{SETTINGS} is not TOML: {type(error).__name__}; mend it") from None
    for name in table:
        if name not in tracks():
            known = ", ".join(f"[{one}]" for one in tracks())
            raise RuleError(f"entry/{SETTINGS}: {name[:100]!a} is no track; choose from {known}")
    section = table.get(track.name, {"division": "closed"})
    chosen = section.get("division") if isinstance(section, dict) and len(section) < 2 else None
    if not isinstance(chosen, str) or chosen not in track.divisions:
        choice = " or ".join(f'division = "{one}"' for one in track.divisions)
        raise RuleError(f"entry/{SETTINGS}: expected [{track.name}] with {choice}; correct it")
    return chosen


def _shown(size: int) -> str:
    """Example: 32768 -> "32 KiB"."""
    return f"{size / 1024:.4g} KiB" if size < 1 << 20 else f"{size / (1 << 20):.4g} MiB"
