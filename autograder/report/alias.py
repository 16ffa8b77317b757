"""The name a student chose for the public leaderboard: `alias = "…"` in their leaderboard.toml.

Having the file is the opt-in. It is data from outside: read, bounded and cleaned, never trusted.
"""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Any

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10
    import tomli as tomllib

FILE = "leaderboard.toml"
LENGTH = 24  # characters that are seen; 32 code points with accents and joiners
_BYTES = 4096
_JOINERS = "\u200c\u200d"  # between letters of some scripts, and inside emoji
_BLANKS = "\u115f\u1160\u2800\u3164\uffa0"  # letters and symbols by category, but empty to the eye


def read_alias(root: Path) -> tuple[str | None, str | None]:
    """Return the alias in `root`/leaderboard.toml, or None and a line that says why there is none.

    Without the file both are None: nobody is named who did not ask for it.
    """
    path = root / FILE
    if not path.is_file():
        return None, None
    content = path.read_bytes()
    if len(content) > _BYTES:
        return None, f'{FILE}: expected one line alias = "your name", got {len(content)} bytes'
    try:
        alias = tomllib.loads(content.decode("utf-8")).get("alias")
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError):
        return None, f'{FILE} is not TOML: write one line, alias = "your name"'
    if not isinstance(alias, str) or not clean_alias(alias):
        return None, f'{FILE} names nobody: write one line, alias = "your name"'
    return clean_alias(alias), None


def is_made(leaderboard: dict[str, Any]) -> bool:
    """Tell whether the part `leaderboard` of a report is one that `read_alias` leads to."""
    alias = leaderboard["alias"]
    return leaderboard["opt_in"] == (alias is not None) and alias in (
        None,
        clean_alias(alias or ""),
    )


def clean_alias(alias: str) -> str:
    r"""Return `alias` on one line, without what hides, reorders or piles up, at most LENGTH long.

    Example: " Ada\n\u202e<b>" -> "Ada <b>"
    """
    kept: list[str] = []
    width = marks = 0
    for character in unicodedata.normalize("NFC", " ".join(alias[:1000].split())):
        if not _is_allowed(character):
            continue
        marks = marks + 1 if _is_mark(character) else 0
        width += not (marks or character in _JOINERS)
        if width > LENGTH or len(kept) == 32:
            break
        if marks <= 2:
            kept.append(character)
    cleaned = "".join(kept).strip(_JOINERS + " ")
    return cleaned if any(unicodedata.category(c)[0] in "LNPS" for c in cleaned) else ""


def _is_allowed(character: str) -> bool:
    hidden = unicodedata.category(character)[0] in "CZ" or character in _BLANKS
    return not hidden or character in " " + _JOINERS


def _is_mark(character: str) -> bool:
    """Tell whether `character` is drawn on the one before: an accent, a vowel sign."""
    return unicodedata.category(character) in ("Mn", "Me")
