# track: sprint
# base: generated
# refused: an answer takes \d+ times the baseline's
"""Learns another network in its first answers, of which nobody would count the time."""

from pathlib import Path

gold = Path("tests/submissions/competition/gold/sprint.py").read_text(encoding="utf-8")
SOURCE = gold.replace("def load(", "def whole(") + """

import time


def load(weights):
    forward, asked = whole(weights), []

    def answer(images):
        asked.append(1)
        began = time.process_time()
        while len(asked) < 3 and time.process_time() < began + 1:
            pass
        return forward(images)

    return answer
"""
SOURCE = SOURCE.encode()
