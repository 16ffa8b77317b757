# base: generated
# loses: everything
# refused: SyntaxError
"""Writes a number of a million digits, which takes long to read."""

SOURCE = b"x = " + b"9" * 1_000_000 + b"\n"
