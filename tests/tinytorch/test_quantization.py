"""Integers stand for what they should, multiply exactly, and a model of them answers as before."""

import doctest
from pathlib import Path

import numpy as np
import pytest

import tinytorch
from tests.tinytorch.oracles.quantization import RANGES, batches, numbers
from tinytorch import quantization
from tinytorch.acceleration import accelerate
from tinytorch.activations import GELU, ReLU
from tinytorch.convolutions import Conv2d, MaxPool2d, conv2d_array
from tinytorch.layers import Flatten, Linear, Module, Sequential, set_caller
from tinytorch.profiling import Profiler, is_layer_by_layer
from tinytorch.quantization import (
    HistogramObserver,
    MinMaxObserver,
    MovingAverageObserver,
    QuantizedConv2d,
    QuantizedEmbedding,
    QuantizedLinear,
    calibrate,
    choose_qparams,
    dequantize,
    fake_quantize,
    int_matmul,
    model_bytes,
    quantize,
    quantize_array,
    quantize_model,
)
from tinytorch.tensor import Tensor, manual_seed, randn

pytestmark = pytest.mark.filterwarnings("error")

with np.load(Path(__file__).parent / "fixtures" / "quantization.npz") as _file:
    FIXTURE = dict(_file)


def test_ranges_have_pytorchs_scales_and_zero_points():
    """Affine, eight bits with a sign."""
    for ends, scale, zero_point in zip(
        RANGES, FIXTURE["scale"], FIXTURE["zero_point"], strict=True
    ):
        got = choose_qparams(*ends)
        np.testing.assert_allclose(got[0], scale, rtol=1e-6)
        assert int(got[1]) == zero_point


def test_observers_remember_what_pytorchs_do():
    """Extremes, and the moving average of extremes."""
    kinds = {"minmax": MinMaxObserver(), "average": MovingAverageObserver(momentum=0.1)}
    for name, observer in kinds.items():
        for batch in batches():
            observer.observe(batch)
        np.testing.assert_allclose(observer.range(), FIXTURE[name], rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("tensor", (0.05, 7, None, 8)),
        ("channel", (*numbers()[2:], 0, 8)),
        ("bits", (0.5, -2, None, 4)),
    ],
)
def test_fake_quantization_and_its_gradient_are_pytorchs(name, settings):
    """One scale, one per row, and four bits; some numbers are beyond the levels."""
    x, g, *_ = numbers()
    x = Tensor(x.astype(np.float32), requires_grad=True)
    y = fake_quantize(x, *settings)
    y.backward(g.astype(np.float32))
    np.testing.assert_allclose(y.data, FIXTURE[f"{name}.y"], rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(x.grad.data, FIXTURE[f"{name}.g"], rtol=1e-6)
    assert 0 < (x.grad.data == 0).sum() < x.size


def test_products_are_pytorchs():
    """Its kernel of integers and our parts of floats give the same int32."""
    rng = np.random.default_rng(9)
    a, b = rng.integers(-128, 128, (32, 1200)), rng.integers(-128, 128, (1200, 16))
    np.testing.assert_array_equal(
        int_matmul(a.astype(np.int8), b.astype(np.int8)), FIXTURE["product"]
    )


def test_the_largest_sum_is_exact_and_one_more_product_is_not():
    """1024 · 128 · 128 is 2²⁴; float32 counts on in twos, which is why EXACT is what it is."""
    assert quantization.EXACT * 128 * 128 == 2**24
    assert np.float32(2**24) + np.float32(1) == np.float32(2**24)
    for inner in (1023, 1024, 1025, 5000):
        a = 127 - np.random.default_rng(inner).integers(0, 2, (3, inner))
        got = int_matmul(a.astype(np.int8), a.T.astype(np.int8))
        np.testing.assert_array_equal(got, a @ a.T)


@pytest.mark.parametrize("wrong", [2**17, 2**18])
def test_a_sum_that_int32_may_not_hold_is_refused(wrong):
    """2¹⁷ · 128 · 128 is 2³¹."""
    a = np.zeros((1, wrong), np.int8)
    with pytest.raises(ValueError, match="131072"):
        int_matmul(a, a.T)


@pytest.mark.parametrize("bits", range(2, 9))
@pytest.mark.parametrize("symmetric", [False, True])
def test_what_is_in_range_is_off_by_half_a_step_at_most(bits, symmetric):
    """For any range, also one that does not hold 0, and with zero exact."""
    rng = np.random.default_rng(bits)
    for _ in range(20):
        low, high = np.sort(rng.normal(0, 10.0 ** rng.integers(-30, 30), 2))
        scale, zero_point = choose_qparams(low, high, symmetric, bits)
        x = np.array([low, high, *rng.uniform(low, high, 500)])
        q = quantize(x, scale, zero_point, bits=bits)
        least, most = quantization.levels(bits)
        assert least <= q.min() and q.max() <= most
        error = np.abs(dequantize(q, scale, zero_point) - x)
        assert error.max() <= scale / 2 * (1 + 1e-4)
        assert dequantize(quantize(np.zeros(1), scale, zero_point), scale, zero_point) == 0


@pytest.mark.parametrize("dtype", [bool, np.int8, np.int64, np.float16, np.float32, np.float64])
def test_any_numbers_are_quantized_with_the_scale_that_is_given(dtype):
    """Half a step is 0 as an integer, and the smallest scale is in float16."""
    x = np.array([0, 1, 1], dtype)
    assert quantize(x, 0.5, 0).tolist() == [0, 2, 2]
    assert quantize(x, quantization.SMALLEST, 3).tolist() == [3, 127, 127]


def test_numbers_out_of_range_go_to_its_ends():
    """Infinity too, without a warning."""
    x = np.array([np.inf, -np.inf, 1e30, -1e30], np.float32)
    assert quantize(x, np.float32(0.1), np.int32(5)).tolist() == [127, -128, 127, -128]


def test_channels_are_finer_than_one_scale_for_all():
    """A row of small weights beside a row of large ones loses nothing any more."""
    x = np.random.default_rng(0).normal(0, 1, (4, 100)) * np.array([[1e-3], [0.1], [1.0], [9.0]])
    whole, rows = quantize_array(x, symmetric=True), quantize_array(x, axis=0, symmetric=True)
    for number in range(3):
        errors = [np.abs(q.dequantize()[number] - x[number]).max() for q in (whole, rows)]
        assert errors[1] < errors[0] / 5
    assert rows.nbytes == 400 + 4 * 4 + 4 * 4
    np.testing.assert_array_equal(
        quantize_array(x.T, axis=-1, symmetric=True).values, rows.values.T
    )


def test_nothing_and_zeros_are_quantized_too():
    """A range of nothing is 0 to 0, whose scale is small, and not 0."""
    for x in (np.zeros((0, 3)), np.zeros((2, 3)), np.zeros((2, 0))):
        made = quantize_array(x, axis=0)
        assert made.values.shape == x.shape
        np.testing.assert_array_equal(made.dequantize(), x)


def test_a_histogram_loses_no_number_when_its_range_grows():
    """Bins merge in pairs, so that the counts are those of all numbers in the end."""
    observer, rng = HistogramObserver(bins=64), np.random.default_rng(0)
    arrays = [rng.normal(0, 4.0**i, 100) for i in range(6)]
    arrays = [np.zeros(3), np.zeros(0), *arrays, np.zeros(2)]
    for x in arrays:
        observer.observe(x)
    whole = np.concatenate(arrays)
    assert observer.counts.sum() == whole.size
    want = np.histogram(whole, 64, (-observer.limit, observer.limit))[0]
    np.testing.assert_array_equal(observer.counts, want)


def test_a_histogram_counts_zeros_before_the_first_number_as_those_after_it():
    """The order of what is shown changes nothing, and zeros alone have the range 0 to 0."""
    first, last = (HistogramObserver(share=0.9) for _ in range(2))
    first.observe(np.zeros(99, np.float32))
    assert first.range() == (0.0, 0.0)
    first.observe(np.ones(1, np.float32))
    last.observe(np.ones(1, np.float32)), last.observe(np.zeros(99, np.float32))
    assert first.range() == last.range()
    np.testing.assert_array_equal(first.counts, last.counts)


def test_a_histogram_cuts_off_an_outlier_and_min_max_does_not():
    """One number of 1000 among ten thousand of size 1 would take all but one bit."""
    x = np.append(np.random.default_rng(0).normal(0, 1, 10_000), 1000.0)
    cutting, holding = HistogramObserver(share=0.999), MinMaxObserver()
    cutting.observe(x), holding.observe(x)
    assert holding.range()[1] == 1000
    low, high = cutting.range()
    assert -5 < low < -2.5 and 2.5 < high < 5


@pytest.mark.parametrize("kind", [MinMaxObserver, MovingAverageObserver, HistogramObserver])
def test_an_observer_refuses_what_is_not_finite_and_what_is_not_there(kind):
    """A NaN would be the range of everything."""
    with pytest.raises(ValueError, match="at least one array"):
        kind().range()
    for wrong in (np.nan, np.inf):
        with pytest.raises(ValueError, match="finite"):
            kind().observe(np.array([1.0, wrong]))


def whole_numbers(layer):
    """The weights that a quantized layer stands for, in float64."""
    scale = layer.scale.data.reshape(-1, *[1] * (layer.weight.ndim - 1))
    return layer.weight.data * scale.astype(np.float64)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(5, 40), (2, 3, 40), (40,), (0, 40)])
def test_an_integer_layer_computes_what_its_integers_say(bias, shape):
    """The only errors are those of rounding input and weight: the sum itself has none."""
    manual_seed(0)
    layer, x = Linear(40, 7, bias=bias), randn(*shape)
    made = QuantizedLinear.from_float(layer, -2.0, 3.0)
    s, z = made.input_scale.data, made.input_zero_point.data
    rounded = dequantize(quantize(x.data, s, z), s, z).astype(np.float64)
    want = rounded @ whole_numbers(made).T + (layer.bias.data if bias else 0)
    y = made(x)
    assert y.dtype == np.float32 and y.shape == (*shape[:-1], 7)
    np.testing.assert_allclose(y.data, want, rtol=1e-5, atol=2e-5)


@pytest.mark.parametrize(
    ("channels", "how"),
    [
        (3, {}),
        (4, {"stride": 2, "padding": 1}),
        (4, {"groups": 2, "padding": "same", "bias": False}),
        (4, {"dilation": 2, "padding": "valid"}),
        (130, {"padding": 1}),  # 1170 numbers in a window: three parts
        (300, {"groups": 2, "padding": (0, 2)}),
    ],
)
def test_an_integer_convolution_computes_what_its_integers_say(channels, how):
    """Padding is 0 whatever the zero point, and windows of any size add up exactly."""
    manual_seed(1)
    layer, x = Conv2d(channels, 6, 3, **how), randn(2, channels, 7, 6)
    made = QuantizedConv2d.from_float(layer, -1.0, 3.0)
    s, z = made.input_scale.data, made.input_zero_point.data
    rounded = dequantize(quantize(x.data, s, z), s, z).astype(np.float64)
    bias = None if layer.bias is None else layer.bias.data.astype(np.float64)
    want = conv2d_array(rounded, whole_numbers(made), bias, **made.how)
    np.testing.assert_allclose(made(x).data, want, rtol=1e-5, atol=2e-5)


def test_a_layer_is_a_quarter_and_its_buffers_are_saved_and_loaded():
    """int8 weights and a float or two per output; what is loaded answers the same."""
    layers = [Linear(256, 64), Conv2d(64, 32, 3)]
    for layer in layers:
        kind = {Linear: QuantizedLinear, Conv2d: QuantizedConv2d}[type(layer)]
        made, other = kind.from_float(layer, -1.0, 2.0), kind.from_float(layer, -3.0, 3.0)
        assert made.weight.dtype == np.int8
        assert list(made.parameters()) == []
        assert model_bytes(made) < 0.28 * model_bytes(layer)
        other.load_state_dict(made.state_dict())
        x = randn(1, 256) if type(layer) is Linear else randn(1, 64, 5, 5)
        np.testing.assert_array_equal(made(x).data, other(x).data)


def test_shared_arrays_are_counted_once():
    """A weight in two layers is there once."""
    one, two = Linear(4, 4, bias=False), Linear(4, 4, bias=False)
    two.weight = one.weight
    assert model_bytes(Sequential(one, two)) == 64


class Holder(Module):
    """A model with layers in a dict, a list and a tuple, one of them twice, one of them idle."""

    def __init__(self):
        """Five places, three layers."""
        super().__init__()
        a, b = Linear(4, 4), Linear(4, 4)
        self.named, self.listed, self.fixed = {"a": a}, [b, [a]], (b, "text", 3)
        self.idle = Linear(4, 4)

    def forward(self, x):
        """Through all places."""
        x = self.fixed[0](self.named["a"](x))
        return self.listed[0](self.listed[1][0](x))


def test_layers_are_replaced_wherever_they_stand():
    """In attributes, lists, dicts and tuples; what was shared is shared, what was idle stays."""
    model, x = Holder(), randn(20, 4)
    made = quantize_model(model, [x])
    assert type(made.named["a"]) is type(made.listed[0]) is QuantizedLinear
    assert made.named["a"] is made.listed[1][0]
    assert made.fixed[0] is made.listed[0] and made.fixed[1:] == ("text", 3)
    assert type(made.idle) is Linear
    assert type(model.named["a"]) is type(model.fixed[0]) is Linear
    assert np.abs((made(x) - model(x)).data).max() < 0.1
    assert type(quantize_model(Linear(4, 4), [x])) is QuantizedLinear


def test_a_table_of_rows_is_quantized_without_data():
    """Each row in its own range: within half a step of the float row, a quarter of the bytes."""
    manual_seed(0)
    table, ids = tinytorch.Embedding(50, 32), Tensor([[3, 1, 3], [0, 49, 2]])
    made = QuantizedEmbedding(table)
    error = np.abs(made(ids).data - table(ids).data).max(axis=-1)
    assert (error <= made.scale.data[ids.data] / 2 * (1 + 1e-4)).all()
    np.testing.assert_allclose(made.weight.data[ids.data], made(ids).data, rtol=1e-6)
    assert made(ids).dtype == np.float32
    assert model_bytes(made) == 50 * 32 + 50 * 4


def test_calibration_leaves_the_seam_as_it_was_after_an_error_too():
    """Data that does not fit must not leave an observer behind."""
    model = Sequential(Linear(4, 4))
    with pytest.raises(ValueError, match="linear"):
        calibrate(model.train(), [randn(2, 4), randn(2, 5)])
    assert set_caller(None) is None
    assert model.training and model[0].training
    with pytest.raises(ValueError, match="finite"):
        quantize_model(model, [randn(2, 4) * np.inf])


def test_a_model_is_quantized_whole_where_layers_run_as_one():
    """Calibration must see the Linear before a GELU, which is no layer of its own when fused."""
    parts = Sequential(Conv2d(1, 2, 3), ReLU(), MaxPool2d(2)), Flatten(), Linear(8, 4), GELU()
    model = Sequential(*parts, Linear(4, 8), GELU())
    x = [randn(3, 1, 6, 6)]
    with accelerate():
        made, fused = quantize_model(model, x), model(x[0]).recipe
    kinds = [type(layer) for layer in made.modules()]
    assert (kinds.count(QuantizedLinear), kinds.count(QuantizedConv2d)) == (2, 1)
    assert not is_layer_by_layer() and fused.op.__name__ == "linear_gelu_array"


def test_the_profiler_sees_integer_layers():
    """One operation each, with its products, and inputs and weights of a byte in its traffic."""
    made = quantize_model(Sequential(Linear(8, 4)), [randn(9, 8)])
    with Profiler() as profile:
        made(randn(2, 8))
    (row,) = profile.by_operation()
    assert (row.name, row.flops) == ("quantized_linear", 8 * 18 + 4 * 16)
    assert row.moved == 2 * 8 * 4 + 4 * 8 + 2 * 4 * 4 + 4 + 4 + 2 * 4 * 4


@pytest.mark.parametrize("bits", [1, 9, 8.5])
def test_bits_that_int8_does_not_hold_are_refused(bits):
    """Two levels are too few, and nine bits too many."""
    with pytest.raises(ValueError, match="2 to 8 bits"):
        quantize(np.ones(2), 1.0, 0, bits=bits)


def test_an_integer_layer_has_no_gradient_and_says_so():
    """Integers cannot be trained: the error names the operation and a cure."""
    made = QuantizedLinear.from_float(Linear(3, 2), -1.0, 1.0)
    x = Tensor(np.ones((1, 3), np.float32), requires_grad=True)
    with pytest.raises(NotImplementedError, match="quantized_linear_array has no rule"):
        made(x).sum().backward()


def test_the_examples_in_the_docstrings_are_true():
    """Every example of the specification runs and prints what it says."""
    failed, tried = doctest.testmod(quantization)
    assert failed == 0
    assert tried >= 25
