# base: reference
# loses: nothing
"""The reference itself, which earns every point."""
