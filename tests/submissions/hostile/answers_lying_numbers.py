# base: reference
# loses: relu, tanh, silu
# refused: ^(failed($|.*expected an array)|error AttributeError)
"""Answers with numbers and texts of classes whose comparisons always agree."""


class Number(float):
    """Equals whatever it is compared with."""

    def __eq__(self, other):
        return True

    def __float__(self):
        return 0.0

    __hash__ = float.__hash__


class Text(str):
    """Equals whatever it is compared with."""

    def __eq__(self, other):
        return True

    def __str__(self):
        return self

    def encode(self, *_):
        return self

    __hash__ = str.__hash__


def _answer(data):
    out = Tensor(0.0, requires_grad=True)
    out.data = data
    return out


def relu(x):
    """Return a number."""
    return _answer(Number(1))


def tanh(x):
    """Return texts."""
    return _answer([Text("0.0")] * 3)


def silu(x):
    """Return a text as a key."""
    return _answer({"array": ["float64", [2**62]]})
