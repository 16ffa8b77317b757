# base: generated
# loses: everything
# refused: SyntaxError
"""Names an encoding that Python has as a file, which can run code of its own."""

SOURCE = b"# -*- coding: rot13 -*-\nvzcbeg bf\n"
