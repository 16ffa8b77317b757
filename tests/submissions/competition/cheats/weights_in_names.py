# track: featherweight
# base: generated
# weighs: 0 of data, \d+ of literals, 1[34]\d\d of code
"""Hides the model in the names of attributes, which no literal holds."""

import base64
from pathlib import Path

GOLD = Path("tests/submissions/competition/gold")
packed = (GOLD / "featherweight.bin").read_bytes()
source = (GOLD / "featherweight.py").read_text(encoding="utf-8")
letters = base64.b32encode(packed).decode().rstrip("=")
names = [f"n{place:05}{letters[place:place + 60]}" for place in range(0, len(letters), 60)]
lines = "\n".join(f"    {name} = 0" for name in names)
SOURCE = f"""{source}

import base64


class Hidden:
{lines}


unpack = load


def load(data):
    letters = "".join(name[6:] for name in sorted(vars(Hidden)) if name.startswith("n"))
    return unpack(base64.b32decode(letters + "=" * (-len(letters) % 8)))
"""
SOURCE = SOURCE.encode()
