# track: featherweight
# base: generated
# weighs: [4-9]\d\d of code|[1-9]\d\d\d of code
"""Hides bits in where literals are empty: those hold nothing, but the list has an order."""

from pathlib import Path

GOLD = Path("tests/submissions/competition/gold")
HIDDEN = 1197  # bytes, nine bits at a time: three in a run of empty texts, six in a letter
packed = (GOLD / "featherweight.bin").read_bytes()
source = (GOLD / "featherweight.py").read_text(encoding="utf-8")
bits = "".join(f"{byte:08b}" for byte in packed[:HIDDEN])
parts = [bits[place : place + 9] for place in range(0, len(bits), 9)]
texts = [("'', " * int(part[:3], 2)) + repr(chr(0x5F - int(part[3:], 2))) for part in parts]
SOURCE = f"""{source}

HIDDEN = ({",".join(texts)})
unpack = load


def load(data):
    bits, run = [], 0
    for text in HIDDEN:
        run += 1
        if text:
            bits.append(format(512 * 0 + (run - 1) * 64 + 95 - ord(text), "09b"))
            run = 0
    raw = int("".join(bits), 2).to_bytes({HIDDEN}, "big")
    return unpack(raw + data)
""".encode().replace(b"512 * 0 + ", b"").replace(b"'', ", b"'',")
DATA = packed[HIDDEN:]
