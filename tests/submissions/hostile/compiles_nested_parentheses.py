# base: generated
# loses: everything
# refused: (SyntaxError|RecursionError|MemoryError|needed more than|ended by)
"""Nests so deep that a parser may run out of stack."""

SOURCE = b"x = " + b"(" * 100_000 + b")" * 100_000 + b"\n"
