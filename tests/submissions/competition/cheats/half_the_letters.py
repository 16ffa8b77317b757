# track: decode
# base: generated
# refused: greedy letters are not the reference's: the first \d+ of 48 are right
"""Computes half of the letters and repeats the last one."""

from pathlib import Path

gold = Path("tests/submissions/competition/gold/decode.py").read_text(encoding="utf-8")
SOURCE = gold.replace("def load(", "def whole(") + """

def load(weights):
    write = whole(weights)

    def half(prompt):
        answer = write(prompt)
        answer[24:] = (answer[24] + 1) % 96
        return answer

    return half
"""
SOURCE = SOURCE.encode()
