# track: decode
# base: generated
# refused: greedy letters are not the reference's
"""Rounds the weights to a few bits, so that a letter in some thousand is another one."""

from pathlib import Path

gold = Path("tests/submissions/competition/gold/decode.py").read_text(encoding="utf-8")
SOURCE = gold.replace("def load(", "def whole(") + """

def load(weights):
    return whole({name: np.round(array * 64) / np.float32(64) for name, array in weights.items()})
"""
SOURCE = SOURCE.encode()
