"""Cells of a CSV file that a spreadsheet will open: none of them is a formula.

A cell that begins with = + - @, a tab or a carriage return gets a leading apostrophe, unless it is
a number (https://owasp.org/www-community/attacks/CSV_Injection).
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,9})?")


def cell(value: object) -> str:
    """Return a value as a cell; numbers as short as they are, None as nothing.

    Example: cell("=1+1") -> "'=1+1"; cell(2.50) -> "2.5"
    """
    if value is None:
        return ""
    text = f"{value:.12g}" if isinstance(value, float) else str(value)
    return f"'{text}" if text.startswith(_FORMULA) and not _NUMBER.fullmatch(text) else text


def told(text: str) -> str:
    """Return what a cell says: without the apostrophe that `cell` gave it, and spaces around."""
    return (text[1:] if text[:1] == "'" and text[1:].startswith(_FORMULA) else text).strip()


def table(rows: Iterable[Sequence[object]]) -> str:
    """Return the rows as CSV (RFC 4180)."""
    out = io.StringIO(newline="")
    # both characters, or Python leaves a lone carriage return unquoted: a row of somebody's own
    csv.writer(out, lineterminator="\r\n").writerows([cell(one) for one in row] for row in rows)
    return out.getvalue()
