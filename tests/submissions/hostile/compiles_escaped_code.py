# base: generated
# loses: everything
# refused: (SyntaxError|NameError|ended itself)
"""Names an encoding in which a comment becomes code, for whoever reads it with care."""

SOURCE = b"# coding: unicode_escape\n# a harmless remark\\nimport os\\nos._exit(0)\n"
