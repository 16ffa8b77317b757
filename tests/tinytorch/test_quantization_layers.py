"""Layers of integers take, refuse and leave alone what they should, and their sums are exact."""

import numpy as np
import pytest

from tinytorch.attention import MultiHeadAttention
from tinytorch.convolutions import Conv2d
from tinytorch.embeddings import Embedding
from tinytorch.layers import Linear, Module
from tinytorch.quantization import (
    FakeQuantLinear,
    QuantizedConv2d,
    QuantizedEmbedding,
    QuantizedLinear,
    prepare_qat,
    quantize_model,
    quantized_conv2d_array,
    quantized_linear_array,
)
from tinytorch.tensor import Tensor, randn

pytestmark = pytest.mark.filterwarnings("error")


class Holder(Module):
    """Layers that all run, each for itself."""

    def __init__(self, body):
        """Make one layer of each kind, of a class that adds a body to it."""
        super().__init__()
        sizes = {Linear: (4, 4), Conv2d: (1, 1, 1), Embedding: (4, 4), MultiHeadAttention: (4, 2)}
        self.first = Linear(4, 4)
        self.kinds = [type("Other", (kind,), body(kind)) for kind in sizes]
        self.layers = [kind(*sizes[kind.__base__]) for kind in self.kinds]

    def forward(self, x):
        """Give each what it takes; add the results."""
        linear, conv, table, attention = self.layers
        x = linear(self.first(x)) + table(Tensor([1, 2, 3]))
        return attention(conv(x.reshape(1, 1, 3, 4)).reshape(1, 3, 4))


def doubled(kind):
    """What a class has that does the same as the kind, and one thing more."""
    return {"forward": lambda self, x: 2 * kind.forward(self, x)}


def test_a_forward_of_ones_own_is_not_lost():
    """What would be put in the place of such a layer computes what its base does: it stays."""
    model, x = Holder(doubled), randn(3, 4)
    made, aware = quantize_model(model, [x]), prepare_qat(model)
    assert type(made.first) is QuantizedLinear and type(aware.first) is FakeQuantLinear
    for copy in (made, aware):
        assert [type(layer) for layer in copy.layers] == model.kinds
    want = model.eval()(x).data
    assert np.abs(made(x).data - want).max() < 0.1 * np.abs(want).max()
    made = quantize_model(Holder(lambda kind: {}), [x])  # by another name, and nothing else
    assert all(type(layer).__name__.startswith("Quantized") for layer in made.layers)


@pytest.mark.parametrize(("channels", "kernel"), [(1, 23), (2, 64), (7400, 3)], ids=str)
def test_sums_of_the_largest_windows_are_exact(channels, kernel):
    """More than 514 places in a kernel, and more numbers than int32 can surely add: still whole."""
    layer = Conv2d(channels, 1, kernel, bias=False)
    layer.weight.data[...] = 1
    made = QuantizedConv2d.from_float(layer, 0.0, 255.0)  # 127 for each weight, 255 for each number
    x = np.full((1, channels, kernel, kernel), 255.0)
    x[0, 0, 0, 0] = 253
    want = 127 * (255 * x.size - 2)
    assert want > 2**24
    y = made(Tensor(x))
    assert round(y.item() / (float(made.scale.data[0]) * float(made.input_scale.data))) == want


def test_layers_of_integers_take_and_refuse_what_those_of_floats_do():
    """No images at all are fine; other channels, axes, integers and ids get the layer's words."""
    linear, conv, table = Linear(3, 2), Conv2d(4, 2, 3, groups=2), Embedding(4, 2)
    made = QuantizedConv2d.from_float(conv, -1.0, 1.0)
    assert made(randn(0, 4, 5, 5)).shape == conv(randn(0, 4, 5, 5)).shape == (0, 2, 3, 3)
    for shape in ((1, 2, 5, 5), (4, 5, 5)):
        assert refusal(made, randn(*shape)) == refusal(conv, randn(*shape))
    whole = Tensor(np.ones((1, 4, 5, 5), int))
    assert refusal(made, whole, TypeError) == refusal(conv, whole, TypeError)
    made, whole = QuantizedLinear.from_float(linear, -1.0, 1.0), Tensor([[1, 2, 3]])
    assert refusal(made, whole, TypeError) == refusal(linear, whole, TypeError)
    for ids in (Tensor([-1, 0]), Tensor([[0], [4]])):
        made = QuantizedEmbedding(table)
        assert refusal(made, ids, IndexError) == refusal(table, ids, IndexError)


def refusal(layer, x, kind=ValueError):
    """Return what a layer says against x."""
    with pytest.raises(kind) as error:
        layer(x)
    return str(error.value)


@pytest.mark.parametrize(
    ("compute", "made", "shape"),
    [
        (
            quantized_linear_array,
            QuantizedLinear.from_float(Linear(1024, 2), 0.0, 1.0),
            (3, 1024),
        ),
        (
            quantized_conv2d_array,
            QuantizedConv2d.from_float(Conv2d(64, 2, 3), 0.0, 1.0),
            (1, 64, 4, 4),
        ),
    ],
    ids=["linear", "conv"],
)
def test_float16_gets_the_sum_of_float32(compute, made, shape):
    """The sum of integers, some 10⁶, is beyond it: it is made smaller first."""
    x, how = np.ones(shape, np.float32), getattr(made, "how", {})
    buffers = [made.weight, made.scale, made.offset, made.input_scale, made.input_zero_point]
    y = compute(x.astype(np.float16), *(one.data for one in buffers), **how)
    assert y.dtype == np.float16
    np.testing.assert_allclose(y, made(Tensor(x)).data, rtol=1e-3, atol=1e-3)
