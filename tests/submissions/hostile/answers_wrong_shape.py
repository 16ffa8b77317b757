# base: reference
# loses: relu
# refused: ^failed($|.*expected shape)
"""Answers with a single zero, which broadcasts against everything."""


def relu(x):
    """Return a number without axes."""
    return apply(lambda a: np.zeros((), a.dtype), _floats("relu", x))
