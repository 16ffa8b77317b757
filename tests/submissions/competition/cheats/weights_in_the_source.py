# track: featherweight
# base: generated
# weighs: 0 of data, 1[45]\d\d of literals
"""Hides the whole model in a literal of its source, and hands in no file at all."""

from pathlib import Path

GOLD = Path("tests/submissions/competition/gold")
packed = (GOLD / "featherweight.bin").read_bytes()
source = (GOLD / "featherweight.py").read_text(encoding="utf-8")
HIDING = "def load(data):\n    return unpack(HIDDEN)\n"
SOURCE = f"{source}\n\nunpack, HIDDEN = load, {packed!r}\n\n\n{HIDING}".encode()
