# base: reference
# loses: relu
# refused: ^failed($|.*expected finite numbers)
"""Answers with what compares as it likes: NaN and infinity."""


def relu(x):
    """Return NaN."""
    return apply(lambda a: np.full_like(a, np.nan), _floats("relu", x))
