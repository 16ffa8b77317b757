# track: sprint
# refused: entry/sprint.py has no function `load`: define it
"""Is empty."""
