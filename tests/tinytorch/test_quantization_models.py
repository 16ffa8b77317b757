"""Models that were trained answer as before in a quarter of the bytes, and learn to be rounded."""

import numpy as np
import pytest

import tinytorch
from milestones import datasets
from tinytorch.convolutions import Conv2d
from tinytorch.layers import Flatten, Linear, Sequential
from tinytorch.profiling import Profiler
from tinytorch.quantization import (
    FakeQuantConv2d,
    FakeQuantLinear,
    HistogramObserver,
    MinMaxObserver,
    MovingAverageObserver,
    QuantizedLinear,
    model_bytes,
    prepare_qat,
    quantize_model,
)
from tinytorch.tensor import Tensor, manual_seed, randn

pytestmark = pytest.mark.filterwarnings("error")


def trained(model, x, y, epochs, lr=3e-3):
    """Train on the digits with Adam, in batches of 64."""
    optimizer, rng = tinytorch.Adam(model.parameters(), lr=lr), np.random.default_rng(0)
    for _ in range(epochs):
        order = rng.permutation(len(x))
        for rows in (order[i : i + 64] for i in range(0, len(order), 64)):
            optimizer.zero_grad()
            tinytorch.cross_entropy(model(Tensor(x[rows])), Tensor(y[rows])).backward()
            optimizer.step()
    return model.eval()


def accuracy(model, x, y):
    """The share of right answers."""
    with tinytorch.no_grad():
        return float((model(Tensor(x)).data.argmax(axis=1) == y).mean())


@pytest.fixture(scope="module")
def digits():
    """The embedded digits, four fifths to learn from: x, y, and those held back."""
    x, y = datasets.digits()
    order = np.random.default_rng(0).permutation(len(x))
    held, rest = order[: len(x) // 5], order[len(x) // 5 :]
    return x[rest], y[rest], x[held], y[held]


@pytest.fixture(scope="module", params=["linear", "convolutional"])
def reader(request, digits):
    """A trained network, with the digits in its shape."""
    x, y, held, answers = digits
    manual_seed(0)
    if request.param == "convolutional":
        x, held = x.reshape(-1, 1, 8, 8), held.reshape(-1, 1, 8, 8)
        front = [Conv2d(1, 8, 3, padding=1), tinytorch.ReLU(), Conv2d(8, 16, 3, stride=2)]
        model = Sequential(*front, tinytorch.ReLU(), Flatten(), Linear(144, 64), Linear(64, 10))
    else:
        model = Sequential(Linear(64, 128), tinytorch.ReLU(), Linear(128, 10))
    return trained(model, x, y, epochs=3), x, held, answers


@pytest.mark.parametrize("observer", [MinMaxObserver, MovingAverageObserver, HistogramObserver])
def test_digits_are_read_as_well_in_a_quarter_of_the_bytes(reader, observer):
    """At most a point of accuracy and 30 % of the bytes, for a network of either kind."""
    model, x, held, answers = reader
    made = quantize_model(model, [Tensor(x[:256])], observer)
    before, after = accuracy(model, held, answers), accuracy(made, held, answers)
    assert before > 0.85
    assert after >= before - 0.01
    assert model_bytes(made) <= 0.3 * model_bytes(model)


def test_training_with_rounding_makes_the_layers_that_quantization_makes(digits):
    """The fake layer's answer is the integer layer's, and the gradient reaches the weights."""
    x, y, held, answers = digits
    manual_seed(0)
    model = trained(Sequential(Linear(64, 32), tinytorch.ReLU(), Linear(32, 10)), x, y, 3)
    aware = prepare_qat(model.train())
    assert type(aware[0]) is FakeQuantLinear and type(model[0]) is Linear
    before = aware[0].weight.data.copy()
    np.testing.assert_array_equal(before, model[0].weight.data)
    trained(aware, x, y, epochs=2, lr=1e-3)
    assert (aware[0].weight.data != before).mean() > 0.5
    made = quantize_model(aware, [Tensor(x)])
    assert [type(layer) for layer in made][::2] == [QuantizedLinear] * 2
    assert accuracy(made, held, answers) >= accuracy(aware, held, answers) - 0.01
    layer, low, high = aware[0], *aware[0].observer.range()
    integers = QuantizedLinear.from_float(layer, low, high)
    np.testing.assert_allclose(
        integers(Tensor(held)).data, layer(Tensor(held)).data, rtol=1e-4, atol=1e-5
    )


def test_a_convolution_can_be_trained_with_rounding_too():
    """Its parameters are the layer's own copies, and get gradients."""
    layer = prepare_qat(Sequential(Conv2d(2, 3, 3, padding=1)))[0]
    assert type(layer) is FakeQuantConv2d
    layer(randn(2, 2, 5, 5)).sum().backward()
    assert [parameter.grad is not None for parameter in layer.parameters()] == [True, True]
    assert layer.eval()(randn(1, 2, 5, 5)).shape == (1, 3, 5, 5)


def test_a_gpt_is_less_than_a_third_and_scores_as_before():
    """Tables and attention too; position vectors, norms and biases stay floats."""
    manual_seed(0)
    settings = dict(vocab_size=64, block_size=16, n_layer=2, n_head=2, n_embd=64)
    model = tinytorch.GPT(tinytorch.GPTConfig(**settings)).eval()
    ids = Tensor(np.random.default_rng(0).integers(0, 64, (4, 16)))
    made = quantize_model(model, [ids])
    assert type(made.blocks[0].attention.out_proj) is QuantizedLinear
    assert model_bytes(made) <= 0.3 * model_bytes(model)
    with tinytorch.no_grad(), Profiler() as profile:
        scores, want = made(ids).data, model(ids).data
    assert profile.uncounted == []
    assert np.abs(scores - want).max() < 0.1 * want.std()
    other = quantize_model(model, [ids])
    other.load_state_dict(made.state_dict())
    np.testing.assert_array_equal(other(ids).data, scores)
