# track: sprint
# base: generated
# refused: entry/sprint.py does not compile: SyntaxError in entry/sprint.py, line 1
"""Is no Python."""

SOURCE = b"def load(weights) return weights\n"
