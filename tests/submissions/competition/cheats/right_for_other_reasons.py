# track: sprint
# base: generated
# refused: ^kinship \d\d\.\d\d%, expected at least 95%
"""Says which class it is and nothing else: so does a network that was taught in its place."""

from pathlib import Path

gold = Path("tests/submissions/competition/gold/sprint.py").read_text(encoding="utf-8")
SOURCE = gold.replace("def load(", "def whole(") + """

def load(weights):
    forward = whole(weights)
    return lambda images: np.eye(10, dtype="f4")[forward(images).argmax(axis=1)]
"""
SOURCE = SOURCE.encode()
