# base: generated
# loses: leaky_relu, sigmoid, tanh, gelu, silu, softmax, log_softmax
# refused: error AttributeError
"""A file in an old encoding that it does name, and with a byte order mark's older brother."""

SOURCE = '''# -*- coding: latin-1 -*-
import numpy as np
from tinytorch.tensor import Tensor, apply

__all__ = ["relu"]


def relu(x):
    """Größer als 0."""
    if not isinstance(x, Tensor) or x.dtype.kind != "f":
        raise TypeError(f"relu: erwartet werden Fließkommazahlen, nicht {x.dtype}")
    return apply(lambda a: np.maximum(a, 0), x)
'''.encode("latin-1")
