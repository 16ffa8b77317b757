"""Make text that a student's program wrote harmless to show in a log, a report or a terminal."""

from __future__ import annotations

import re

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b\n]*(?:\x07|\x1b\\)?|[@-Z\\-_])?")
# Control characters but tab and newline, and the Unicode that reorders or hides what one reads.
_CONTROLS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)
_COMMANDS = re.compile(r"^([^\S\n]*):(?=:)", re.MULTILINE)


def clean(text: str, limit: int) -> str:
    r"""Return `text` without controls, escapes and workflow commands, at most `limit` characters.

    A log of GitHub Actions obeys a line that begins with `::` and a `##[` anywhere, so both are
    broken by a space.

    Example: clean("\x1b[31m::error::hi", 80) -> ": :error::hi"
    """
    text = _ESCAPES.sub("", text[: 4 * limit].replace("\r\n", "\n").replace("\r", "\n"))
    text = _CONTROLS.sub("", text)
    return _COMMANDS.sub(r"\1: ", text).replace("##[", "## [")[:limit]


def one_line(text: str, limit: int) -> str:
    """Return cleaned `text` with all white space run together."""
    return " ".join(clean(text, limit).split())
