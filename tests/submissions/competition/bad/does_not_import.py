# track: sprint
# refused: entry/sprint.py cannot be imported: ZeroDivisionError in entry/sprint.py, line 5
"""Fails as it is imported."""

NOTHING = 1 / 0
