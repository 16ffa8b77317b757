"""Rows are normalized by blocks as they are without, however small or large their numbers."""

import contextlib

import numpy as np
import pytest

from tinytorch.acceleration import accelerate
from tinytorch.tensor import Tensor
from tinytorch.transformers import layer_norm


@pytest.mark.parametrize(("dtype", "deviation"), [("f2", 0.01), ("f4", 1e13), ("f4", 1e-12)])
def test_rows_of_any_size_have_the_gradient_of_the_plain_norm(dtype, deviation):
    """The deviation to the third is neither too large nor too small for what is computed."""
    rng, found = np.random.default_rng(0), []
    rows, ones = (rng.standard_normal((4, 64)) * deviation).astype(dtype), np.ones(64, dtype)
    g = rng.standard_normal((4, 64)).astype(dtype)
    for names in ((), ("layer_norm",)):
        x = Tensor(rows, requires_grad=True)
        with accelerate(*names) if names else contextlib.nullcontext():
            layer_norm(x, Tensor(ones), eps=1e-5 if dtype == "f2" else 1e-30).backward(g)
        found.append(x.grad.numpy().astype(float))
    np.testing.assert_allclose(found[1], found[0], rtol=1e-3, atol=1e-4 * np.abs(found[0]).max())
