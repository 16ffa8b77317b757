# base: generated
# loses: everything
# refused: (SyntaxError|ValueError)
"""Hides the rest of the file behind a null byte."""

SOURCE = b"x = 1\n\0\nwhile True: pass\n"
