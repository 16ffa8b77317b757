# base: generated
# loses: everything
# refused: (SyntaxError|RecursionError|MemoryError|needed more than|ended by)
"""Nests what the tokenizer does not count."""

SOURCE = b"x = " + b"-" * 300_000 + b"1\n"
