# base: generated
# loses: everything
# refused: (SyntaxError|RecursionError|MemoryError|needed more than|ended by)
"""Chains attributes, a tree as deep as the file is long."""

SOURCE = b"x = a" + b".b" * 300_000 + b"\n"
