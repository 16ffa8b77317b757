"""What is accelerated costs, refuses and ignores the same as what it stands for."""

import contextlib
import warnings

import numpy as np
import pytest

from tinytorch import acceleration
from tinytorch.acceleration import accelerate, matmul_blocked
from tinytorch.activations import GELU, ReLU
from tinytorch.attention import MultiHeadAttention, scaled_dot_product_attention
from tinytorch.convolutions import BatchNorm2d, Conv2d, MaxPool2d
from tinytorch.layers import Linear, Sequential
from tinytorch.losses import cross_entropy
from tinytorch.profiling import Profiler
from tinytorch.tensor import Tensor, randn
from tinytorch.transformers import FeedForward, LayerNorm

pytestmark = pytest.mark.filterwarnings("error")
POOLED = Sequential(Conv2d(2, 5, 3), ReLU(), MaxPool2d((2, 3)))
WIDE = Sequential(Conv2d(8, 40, (3, 1), stride=2, padding=1, bias=False), ReLU(), MaxPool2d(2))
NORMED = Sequential(BatchNorm2d(3), ReLU(), MaxPool2d(2))
SCORES = np.array([[0.0, 1.0, 2.0], [3.0, 1.0, 0.5]])
IGNORED = {
    "hidden": [-np.inf, 3.0, 1.0],
    "NaN": [np.nan, 3.0, 1.0],
    "nothing but NaN": [np.nan] * 3,
    "nothing seen": [-np.inf] * 3,
    "infinite": [np.inf, 1.0, 1.0],
}


@pytest.mark.parametrize(
    ("fused", "shape", "compute"),
    [
        ("linear_gelu", (5, 4), Sequential(Linear(4, 8), GELU())),
        ("linear_gelu", (2, 5, 4), Sequential(Linear(4, 8, bias=False), GELU())),
        ("linear_gelu", (5, 4), FeedForward(4)),
        ("loss_and_slope", (5, 4), lambda x: cross_entropy(x, Tensor([0, 1, 2, 3, 0]))),
        ("blocked_norm", (2, 5, 4), LayerNorm(4)),
        ("blocked_norm", (2, 5, 4), LayerNorm((5, 4), bias=False)),
        ("tiled_attention", (2, 6, 4), lambda x: scaled_dot_product_attention(x, x, x)),
        ("packed_tiled", (2, 6, 4), lambda x: MultiHeadAttention(4, 2)(x, is_causal=True)),
        ("conv_pool", (2, 2, 8, 9), POOLED),
        ("few_pool", (40, 2, 8, 9), POOLED),
        ("conv_pool", (2, 8, 9, 8), WIDE),
        ("norm_pool", (2, 3, 5, 6), NORMED),
        ("norm_pool", (2, 3, 5, 6), Sequential(BatchNorm2d(3).eval(), ReLU(), MaxPool2d(2))),
    ],
)
def test_several_as_one_cost_what_they_cost_one_by_one(fused, shape, compute, monkeypatch):
    """The cost of the textbook, so that a rate in FLOPs per second tells which is faster."""
    monkeypatch.setattr(acceleration, "LONG", 1)
    x, found = randn(*shape), []
    for on in (contextlib.nullcontext(), accelerate()):
        with on, Profiler() as profile:
            compute(x)
        assert not profile.uncounted
        found.append(profile.flops)
    assert fused in [one.name for one in profile.operations]
    assert found[0] == found[1]


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("row", IGNORED)
def test_what_an_ignored_row_holds_changes_no_loss(row, reduction):
    """The same loss and gradient as plainly, with a warning only where the plain one has it."""
    found = []
    for names in ((), ("cross_entropy",)):
        x = Tensor(np.stack([*SCORES, IGNORED[row]]), requires_grad=True)
        x.data[:2, 0] = -np.inf
        with (
            warnings.catch_warnings(record=True) as said,
            accelerate(*names) if names else contextlib.nullcontext(),
        ):
            warnings.simplefilter("always")
            loss = cross_entropy(x, Tensor([1, 2, -100]), reduction=reduction)
        with np.errstate(invalid="ignore"):
            loss.backward(np.ones_like(loss.data))
        found.append((loss.data, x.grad.data, bool(said)))
    (plain, slope, warned), (fast, slope_too, warned_too) = found
    assert np.isfinite(plain).all() and warned == warned_too
    np.testing.assert_allclose(fast, plain, rtol=1e-12)
    np.testing.assert_allclose(slope_too, slope, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(
    "shapes", [((2, 3), (4, 5)), ((2, 3), (2, 5)), ((3,), (3, 2)), ((2, 3), (3,))]
)
def test_blocks_of_what_is_no_product_are_refused(shapes):
    """With both shapes, as other products do; slices that reach too far would be cut silently."""
    a, b = map(np.ones, shapes)
    with pytest.raises(ValueError, match="matmul_blocked: expected .*, got ") as error:
        matmul_blocked(a, b)
    assert str(error.value).endswith(f"got {a.shape} @ {b.shape}")
