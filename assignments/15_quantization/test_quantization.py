"""What module 15 must do. Run it with `tito test 15`; the first sentence below a name says why."""

import numpy as np
import pytest

from tinytorch import quantization
from tinytorch.layers import Linear, Module, Sequential, set_caller
from tinytorch.quantization import (
    HistogramObserver,
    MinMaxObserver,
    MovingAverageObserver,
    Quantized,
    QuantizedLinear,
    choose_qparams,
    dequantize,
    int_matmul,
    quantize,
)
from tinytorch.tensor import Tensor

pytestmark = pytest.mark.filterwarnings("error")


@pytest.mark.task("choose_qparams")
def test_the_range_is_cut_into_255_steps_and_zero_is_exact():
    """[-1, 4.1] in steps of 0.02: -128 stands for -1, so 0 is 50 steps above it, at -78."""
    scale, zero_point = choose_qparams(-1.0, 4.1)
    np.testing.assert_allclose(scale, 0.02, rtol=1e-6)
    assert (scale.dtype, zero_point.dtype, int(zero_point)) == (np.float32, np.int32, -78)
    assert dequantize(np.array([-78], np.int8), scale, zero_point).tolist() == [0.0]


@pytest.mark.task("choose_qparams")
def test_a_range_without_zero_is_widened_to_it():
    """[2, 5.1] becomes [0, 5.1]: else nothing could stand for the 0 of padding."""
    scale, zero_point = choose_qparams(2.0, 5.1)
    np.testing.assert_allclose(scale, 0.02, rtol=1e-6)
    assert int(zero_point) == -128


@pytest.mark.task("choose_qparams")
def test_the_zero_point_is_rounded_and_a_range_of_nothing_has_a_scale():
    """A step is 1: 0 is 63.75 of them above -128, near -64, or 63.25, near -65; none is 0."""
    assert [int(choose_qparams(-n, 255 - n)[1]) for n in (63.75, 63.25)] == [-64, -65]
    assert choose_qparams(0.0, 0.0)[0] > 0


@pytest.mark.task("choose_qparams")
def test_symmetric_ranges_have_zero_at_zero_and_channels_their_own_scales():
    """The larger side counts: 12.7 / 127, and with 4 bits 7 steps; 0 to 0 has a scale, too."""
    low, high = np.array([-12.7, -1.0, 0.0]), np.array([1.0, 25.4, 0.0])
    scale, zero_point = choose_qparams(low, high, symmetric=True)
    np.testing.assert_allclose(scale[:2], [0.1, 0.2], rtol=1e-6)
    assert scale[2] > 0
    assert zero_point.tolist() == [0, 0, 0]
    np.testing.assert_allclose(choose_qparams(-7.0, 3.5, symmetric=True, bits=4)[0], 1.0)


@pytest.mark.task("choose_qparams")
def test_a_range_that_is_none_is_refused():
    """NaN, infinity and low > high are mistakes of whoever measured."""
    for low, high in ((1.0, -1.0), (float("nan"), 1.0), (0.0, float("inf"))):
        with pytest.raises(ValueError):
            choose_qparams(low, high)


@pytest.mark.task("quantize")
def test_numbers_become_int8_and_come_back_within_half_a_step():
    """0.3 / 0.1 - 5 = -2; 9.9 would be 94; 100 is out of range and becomes 127."""
    q = quantize(np.array([-1.0, 0.0, 0.3, 9.9, 100.0]), 0.1, -5)
    assert q.dtype == np.int8
    assert q.tolist() == [-15, -5, -2, 94, 127]
    x = np.random.default_rng(0).uniform(-1, 4.1, 1000).astype(np.float32)
    scale, zero_point = np.float32(0.02), np.int32(-78)
    error = np.abs(x - dequantize(quantize(x, scale, zero_point), scale, zero_point))
    assert error.max() <= scale / 2 * (1 + 1e-4)


@pytest.mark.task("quantize")
def test_each_channel_has_its_own_scale():
    """Along axis 1, columns: the second in halves. With 4 bits, 7 is the most."""
    x = np.array([[1.0, 9.0], [1.0, -9.0]])
    assert quantize(x, np.array([1.0, 0.5]), np.array([0, 1]), axis=1).tolist() == [
        [1, 19],
        [1, -17],
    ]
    assert quantize(x, 1.0, 0, bits=4).tolist() == [[1, 7], [1, -8]]


@pytest.mark.task("quantize")
def test_what_is_not_a_number_is_refused():
    """NaN has no integer; NumPy would take some."""
    with pytest.raises(ValueError):
        quantize(np.array([1.0, np.nan]), 0.1, 0)


@pytest.mark.task("quantize")
def test_the_way_back_leaves_int8_first():
    """127 - (-128) is 255, and would be -1 in int8."""
    x = dequantize(np.array([127, -128], np.int8), 0.5, -128)
    assert x.dtype == np.float32
    assert x.tolist() == [127.5, 0.0]
    q, scale = np.array([[2, 4], [2, 4]], np.int8), np.array([1.0, 0.5])
    assert dequantize(q, scale, np.array([0, 2]), axis=0).tolist() == [[2.0, 4.0], [0.0, 1.0]]


@pytest.mark.task("int_matmul")
def test_a_product_of_integers_is_exact():
    """3,000 products of -128 · -128 add up to 49,152,000, beyond what float32 counts in ones."""
    a, b = np.full((2, 3000), -128, np.int8), np.full((3000, 1), -128, np.int8)
    a[1, 0], b[0, 0] = 127, 127
    got = int_matmul(a, b)
    assert got.dtype == np.int32
    assert got.tolist() == [[2999 * 128 * 128 - 128 * 127], [2999 * 128 * 128 + 127 * 127]]


@pytest.mark.task("int_matmul")
def test_any_shape_is_multiplied():
    """Against integers of 64 bits, around every place where something is cut."""
    rng = np.random.default_rng(1)
    for rows, inner, columns in ((1, 1, 1), (3, 1025, 129), (2, 2048, 5), (4, 0, 3), (0, 3, 2)):
        a, b = rng.integers(-128, 128, (rows, inner)), rng.integers(-128, 128, (inner, columns))
        got = int_matmul(a.astype(np.int8), b.astype(np.int8))
        assert got.dtype == np.int32
        np.testing.assert_array_equal(got, a @ b)


@pytest.mark.task("int_matmul")
def test_what_is_not_int8_is_refused():
    """Larger integers would not be exact any more."""
    with pytest.raises(TypeError, match="int8"):
        int_matmul(np.ones((1, 2), np.int16), np.ones((2, 1), np.int8))
    with pytest.raises(ValueError, match="int_matmul"):
        int_matmul(np.ones((1, 2), np.int8), np.ones((3, 1), np.int8))


@pytest.mark.task("MinMaxObserver.observe")
def test_the_range_holds_all_that_was_seen():
    """The least and the greatest of all arrays; an empty one changes nothing."""
    observer = MinMaxObserver()
    for x in ([1.0, 2.0], [], [-3.0, 1.5], [0.0]):
        observer.observe(np.array(x))
    assert observer.range() == (-3.0, 2.0)
    with pytest.raises(ValueError):
        observer.observe(np.array([np.inf]))


@pytest.mark.task("MinMaxObserver.observe")
def test_an_average_of_ranges_moves_slowly():
    """First (0, 4), then a quarter of the way to (-4, 8): (-1, 5)."""
    observer = MovingAverageObserver(momentum=0.25)
    observer.observe(np.array([0.0, 4.0]))
    observer.observe(np.array([]))
    observer.observe(np.array([8.0, -4.0]))
    assert observer.range() == (-1.0, 5.0)


@pytest.mark.task("MinMaxObserver.observe")
def test_a_histogram_cuts_off_what_is_rare():
    """Of 20 numbers, two and a half may go at each end: -0.1 and 3.9 stand alone in their bins."""
    observer = HistogramObserver(share=0.75, bins=8)
    observer.low, observer.high, observer.limit = -0.1, 3.9, 4.0
    observer.counts = np.array([0, 0, 0, 1, 18, 0, 0, 1])
    assert observer.range() == (0.0, 1.0)
    observer.share = 1.0
    assert observer.range() == (-0.1, 3.9)


@pytest.mark.task("quantized_linear_array")
def test_a_layer_in_integers_is_the_layer_of_what_the_integers_stand_for():
    """x and weights as they come back from int8, multiplied in float64."""
    rng = np.random.default_rng(0)
    weight, scale = rng.integers(-127, 128, (4, 6)).astype(np.int8), rng.uniform(0.01, 0.02, 4)
    x, s, z = rng.uniform(-1, 3, (5, 2, 6)), 0.02, -60
    offset = -scale * s * z * weight.sum(axis=1, dtype=np.int64) + 0.5
    got = quantization.quantized_linear_array(x, weight, scale, offset, s, z)
    whole = dequantize(quantize(x, s, z), s, z) @ (weight * scale[:, None]).T + 0.5
    np.testing.assert_allclose(got, whole, atol=1e-6)


@pytest.mark.task("quantized_linear_array")
def test_a_quantized_layer_is_near_the_layer_and_a_quarter_of_it():
    """Weights in int8, one scale and one offset for each output, one scale for the inputs."""
    layer, x = Linear(64, 8), Tensor(np.random.default_rng(0).uniform(-1, 3, (20, 64)))
    layer.bias.data[...] = np.arange(8)
    made = QuantizedLinear.from_float(layer, low=-1.0, high=3.0)
    assert made.weight.dtype == np.int8
    assert quantization.model_bytes(made) == 8 * 64 + 8 * 8 + 8
    y = quantization.quantized_linear_array(
        x.data, *(b.data for b in (made.weight, made.scale, made.offset)), 4 / 255, -64
    )
    error = float(np.abs(y - (x.data @ layer.weight.data.T + layer.bias.data)).max())
    assert error < 0.05


@pytest.mark.task("fake_quantize_array")
def test_fake_quantization_rounds_and_keeps_the_dtype():
    """What training sees is what integers will see: multiples of the scale, within the levels."""
    x = np.array([0.24, 0.26, 9.0, -9.0])
    y = quantization.fake_quantize_array(x, 0.5, 0, None, 2)
    assert y.dtype == np.float64
    assert y.tolist() == [0.0, 0.5, 0.5, -1.0]


@pytest.mark.task("fake_quantize_array")
def test_the_gradient_passes_in_range_and_stops_beyond():
    """1 for what was rounded, 0 for what was cut off: -1.2 / 0.5 is -2, the least of 2 bits."""
    x, g = np.array([0.24, 0.7, 0.8, -1.2, -1.3]), np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    maps = quantization.fake_quantize_rule(None, x, 0.5, 0, None, 2)
    assert maps[0](g).tolist() == [1.0, 2.0, 0.0, 4.0, 0.0]


class Pair(Module):
    """A model whose layers stand in a list; one of them is never called."""

    def __init__(self):
        """Three layers."""
        super().__init__()
        self.parts = [Linear(3, 4), Linear(4, 2)]
        self.spare = Linear(3, 3)

    def forward(self, x):
        """Two of them."""
        for part in self.parts:
            x = part(x)
        return x


@pytest.mark.task("calibrate")
def test_calibration_sees_the_inputs_of_every_layer_that_runs():
    """Batches may be tensors or pairs; the mode is as before, and so is whoever watched."""
    model, rng = Pair(), np.random.default_rng(0)
    batches = [Tensor(rng.normal(0, 1, (5, 3)).astype(np.float32)) for _ in range(3)]
    called = []

    def watch(module, inputs, kwargs):
        called.append(module)
        return module.forward(*inputs, **kwargs)

    before = set_caller(watch)
    try:
        ranges = quantization.calibrate(model, [batches[0], (batches[1], None), [batches[2]]])
        assert set_caller(before) is watch
    finally:
        set_caller(before)
    assert set(ranges) == set(model.parts)
    whole = np.concatenate([batch.data for batch in batches])
    assert ranges[model.parts[0]] == (float(whole.min()), float(whole.max()))
    assert called.count(model.parts[1]) == 3
    assert model.training


@pytest.mark.task("calibrate")
def test_a_quantized_model_is_a_copy_with_integer_layers():
    """The layers that run are replaced, in lists too; the model itself is as it was."""
    model, x = Pair(), Tensor(np.random.default_rng(0).normal(0, 1, (50, 3)).astype(np.float32))
    made = quantization.quantize_model(model, [x])
    assert [type(part) for part in made.parts] == [QuantizedLinear] * 2
    assert type(made.spare) is type(model.parts[0]) is Linear
    assert not made.training
    error = float(np.abs((made(x) - model(x)).data).max())
    assert error < 0.1
    with pytest.raises(ValueError):
        quantization.quantize_model(Sequential(), [x])


@pytest.mark.task("choose_qparams")
def test_a_quantized_array_knows_its_bytes():
    """One byte a number, four for its scale and four for its zero point."""
    made = quantization.quantize_array(np.ones((3, 5)), axis=0)
    assert isinstance(made, Quantized)
    assert made.nbytes == 15 + 12 + 12
