# base: generated
# loses: leaky_relu, sigmoid, tanh, gelu, silu, softmax, log_softmax
# refused: error AttributeError
"""A file as an old editor on Windows saves it: with a mark at its beginning, and its newlines."""

TEXT = """
from tinytorch.tensor import Tensor, apply

__all__ = ["relu"]


def relu(x):
    if not isinstance(x, Tensor) or x.dtype.kind != "f":
        raise TypeError(f"relu: expected floats, got {getattr(x, 'dtype', x)}")
    return apply(lambda a: a.clip(0), x)
"""
SOURCE = b"\xef\xbb\xbf" + TEXT.replace("\n", "\r\n").encode()
