# base: reference
# loses: tanh
# refused: ^error ValueError$
"""Tells the hidden inputs in the number of a line that its file does not have."""


def tanh(x):
    """Raise in a line of code made for the purpose."""
    number = 1_000_000 + int(abs(x.data).sum())
    exec(compile("\n" * number + "raise ValueError", __file__, "exec"))
