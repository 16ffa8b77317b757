# base: reference
# loses: relu
# refused: ^failed($|.*expected shape)
"""Answers with an array whose class lies about shape, type, values and equality."""


class Lying(np.ndarray):
    """Is whatever it is asked to be."""

    shape = property(lambda self: (3, 4))
    dtype = property(lambda self: np.dtype("f8"))

    def __eq__(self, other):
        return np.True_

    def __array__(self, *_, **__):
        raise RuntimeError("leaked: asked for values")

    def __array_ufunc__(self, *_, **__):
        return np.True_

    def __array_function__(self, *_, **__):
        return np.True_


def relu(x):
    """Return one that holds nothing but ones."""
    out = Tensor(0.0, requires_grad=True)
    out.data = np.ones(2).view(Lying)
    return out
