# track: featherweight
# base: generated
# refused: ^(an answer holds NaN|[A-Z]\w+ in entry)
"""Hides weights in the spaces between statements, and reads them off its instructions' places."""

from pathlib import Path

import numpy as np

GOLD = Path("tests/submissions/competition/gold")
HIDDEN = 1200  # bytes, each of four numbers of 0 to 3 spaces; the others stay in the file
packed = (GOLD / "featherweight.bin").read_bytes()
source = (GOLD / "featherweight.py").read_text(encoding="utf-8")
raw = np.frombuffer(packed[:HIDDEN], np.uint8)
spaces = (raw[:, None] >> np.array([6, 4, 2, 0])).ravel() % 4
row = "".join("x;" + " " * count for count in spaces.tolist())
SOURCE = f"""{source}

def hidden(x):
    {row}x


unpack = load


def load(data):
    columns = {{place[2] for place in hidden.__code__.co_positions() if place[0] == place[1]}}
    spaces = np.diff(sorted(column for column in columns if column >= 4)) - 2
    raw = spaces.reshape(-1, 4) @ [64, 16, 4, 1]
    return unpack(raw.astype("u1").tobytes() + data)
""".encode()
DATA = packed[HIDDEN:]
