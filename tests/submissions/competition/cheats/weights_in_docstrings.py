# track: featherweight
# base: generated
# refused: ^IndexError in entry/featherweight.py
"""Hides the model where documentation is free; the worker never gets it."""

import base64
from pathlib import Path

GOLD = Path("tests/submissions/competition/gold")
packed = base64.b85encode((GOLD / "featherweight.bin").read_bytes()).decode()
source = (GOLD / "featherweight.py").read_text(encoding="utf-8")
SOURCE = f'''{source}

import base64


def hidden():
    r"""{packed}"""


unpack = load


def load(data):
    return unpack(base64.b85decode(hidden.__doc__))
'''
SOURCE = SOURCE.encode()
