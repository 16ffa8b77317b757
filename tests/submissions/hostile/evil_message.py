# base: reference
# loses: tanh
# refused: error SystemExit
"""Raises an exception whose text raises, and whose class lies about itself."""


class Meta(type):
    """Has a name that raises."""

    def __getattribute__(cls, name):
        if name in ("__name__", "__module__", "__qualname__", "__mro__"):
            raise SystemExit("leaked: no name")
        return super().__getattribute__(name)


class Evil(ValueError, metaclass=Meta):
    """Has a text that raises."""

    def __str__(self):
        raise SystemExit("leaked: no text")

    __repr__ = __str__


def tanh(x):
    """Raise it."""
    raise Evil
