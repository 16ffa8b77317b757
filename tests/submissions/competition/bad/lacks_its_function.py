# track: sprint
# refused: AttributeError
"""Is empty."""
