"""Hidden and shown checks of 15_quantization, run by otter-grader in the trusted process."""

import numpy as np
from otter.test_files import test_case

OK_FORMAT = False
name = "15_quantization"
points = 100


def hidden(name, points):
    """Make a check of which a student learns no more than the hint, the function's docstring."""
    return lambda check: test_case(name, points, hidden=True, failure_message=check.__doc__)(check)


def shown(name, points):
    """Make a check that also shows its values, or the exception."""
    return lambda check: test_case(name, points, hidden=False, failure_message=check.__doc__)(check)


def integers(rng, *shape, least=-128):
    """Return random int8."""
    return rng.integers(least, 128, shape).astype(np.int8)


def spread(rng, *shape):
    """Return numbers of which none lies near the middle between two multiples of 1 / 16."""
    whole = rng.integers(-40, 40, shape)
    return (whole + rng.uniform(-0.45, 0.45, shape)) / 16


@shown("choose_qparams: one range", points=3)
def choose_small(agree, rng):
    """scale = (high - low) / 255, and the zero point stands for 0."""
    low, high = -float(rng.uniform(1, 2)), float(rng.uniform(3, 5))
    agree("chosen", low=low, high=high, symmetric=False, bits=8)


@hidden("choose_qparams: channels, bits, symmetric", points=6)
def choose_kinds(agree, rng):
    """A range that does not hold 0 is widened; the larger side sets a symmetric scale."""
    low, high = rng.uniform(-3, 0.5, 6), rng.uniform(0.6, 5, 6)
    for symmetric in (False, True):
        for bits in (8, int(rng.integers(2, 8))):
            agree("chosen", low=low, high=high, symmetric=symmetric, bits=bits)
            agree("chosen", low=-high, high=-low, symmetric=symmetric, bits=bits)
    agree("chosen", low=np.zeros(2), high=np.array([0.0, 1.0]), symmetric=True, bits=8)


@hidden("choose_qparams: zero is exact, nonsense is refused", points=5)
def choose_zero(agree, refuses, rng):
    """The zero point is itself among the integers; NaN, infinity and low > high are no range."""
    ends = {"lows": rng.uniform(-9, 2, 9).tolist(), "highs": rng.uniform(2, 9, 9).tolist()}
    agree("zero_is_exact", **ends)
    for low, high in ((1.0, -1.0), (np.nan, 1.0), (0.0, np.inf)):
        good = {"low": -1.0, "high": 2.0, "symmetric": False, "bits": 8}
        refuses("chosen", ValueError, bad={**good, "low": low, "high": high}, good=good)


@shown("quantize: some numbers", points=4)
def quantize_small(agree, rng):
    """Round x / scale, add the zero point, and what is beyond 127 is 127."""
    x = np.array([*spread(rng, 3), 99.0, -99.0])
    settings = {"scale": 1 / 16, "zero_point": int(rng.integers(-9, 9)), "axis": None, "bits": 8}
    agree("quantized", x=x, **settings)


@hidden("quantize: channels, bits, halves, NaN", points=6)
def quantize_kinds(agree, refuses, rng):
    """One scale for each index along the axis; halves go to the even neighbour; NaN is refused."""
    for axis in (0, 1, 2, -2):
        x = spread(rng, 3, 3, 3).astype(np.float32)
        scale, zero_point = np.array([1, 0.5, 2]) / 16, rng.integers(-20, 20, 3)
        scale = scale.astype(np.float32)
        agree("quantized", x=x, scale=scale, zero_point=zero_point, axis=axis, bits=8)
    x = np.arange(-40, 40) / 2
    for bits in (8, 5, 2):
        agree("quantized", x=x, scale=1.0, zero_point=1, axis=None, bits=bits)
    bad = np.array([0.5, np.nan, 1.0])
    refuses("quantized_one", ValueError, bad={"x": bad}, good={"x": spread(rng, 4)})


@hidden("quantize: and back again", points=6)
def dequantize_kinds(agree, rng):
    """q - zero_point takes nine bits; float32 comes back, along the axis as in quantize."""
    q = integers(rng, 3, 4)
    for zero_point in (-128, 127, 0):
        scale = float(rng.uniform(0.1, 1))
        agree("dequantized", q=q, scale=scale, zero_point=zero_point, axis=None)
    for axis, n in ((0, 3), (1, 4), (-1, 4)):
        scale, zero_point = rng.uniform(0.1, 1, n), rng.integers(-128, 128, n)
        agree("dequantized", q=q, scale=scale, zero_point=zero_point, axis=axis)


@shown("int_matmul: a small product", points=3)
def int_matmul_small(agree, rng):
    """int32, and exact."""
    agree("multiplied", a=integers(rng, 2, 3), b=integers(rng, 3, 4), turned=False)


@hidden("int_matmul: exact where float32 is not", points=7)
def int_matmul_exact(agree, rng):
    """Sums beyond 2²⁴ must not be made in float32: cut K, and add the parts in int32."""
    a, b = np.full((3, 1024), -128, np.int8), np.full((1024, 2), -128, np.int8)
    agree("multiplied", a=a, b=b, turned=False)
    for inner in (1025, 2500):
        a, b = 127 - rng.integers(0, 2, (3, inner)), 127 - rng.integers(0, 2, (inner, 3))
        agree("multiplied", a=a.astype(np.int8), b=b.astype(np.int8), turned=True)
    for shape in ((1, 40, 130), (3, 1, 257), (2, 0, 2)):
        rows, inner, columns = shape
        a, b = integers(rng, rows, inner), integers(rng, inner, columns)
        agree("multiplied", a=a, b=b, turned=False)


@hidden("int_matmul: no copy of all, no other dtype", points=4)
def int_matmul_blocks(agree, refuses, rng):
    """b becomes float32 in parts, which BLAS multiplies; what is not exact, or too long: refuse."""
    agree("largest_array", rows=2, inner=int(rng.integers(900, 1000)), columns=2000)
    agree("multiplied_in", a=integers(rng, 3, 1100), b=integers(rng, 1100, 150))
    refuses("long_product", ValueError, bad={"inner": 2**17}, good={"inner": 2**17 - 1})
    good = {"a": integers(rng, 2, 3), "b": integers(rng, 3, 2), "turned": False}
    refuses("multiplied", TypeError, bad={**good, "a": np.ones((2, 3), np.int16)}, good=good)
    refuses("multiplied", ValueError, bad={**good, "b": integers(rng, 2, 2)}, good=good)


@hidden("MinMaxObserver.observe: all that was seen", points=5)
def minmax(agree, refuses, rng):
    """The least and the greatest of all arrays so far; an empty one has neither."""
    arrays = [rng.normal(size, 1, (2, size)) for size in (3, 1, 4)] + [np.zeros((0, 2)), np.ones(1)]
    agree("observed", kind="MinMaxObserver", settings={}, arrays=arrays)
    good = {"kind": "MinMaxObserver", "settings": {}, "arrays": arrays[:1]}
    refuses("observed", ValueError, bad={**good, "arrays": [np.array([1.0, np.inf])]}, good=good)


@hidden("MinMaxObserver.observe: a moving average", points=5)
def moving(agree, refuses, rng):
    """The first range is taken as it is; then each end moves by its share of the way."""
    arrays = [rng.normal(0, size, 5) for size in (1, 4, 2)] + [np.zeros(0), rng.normal(3, 1, 2)]
    settings = {"momentum": float(rng.uniform(0.1, 0.6))}
    agree("observed", kind="MovingAverageObserver", settings=settings, arrays=arrays)
    good = {"kind": "MovingAverageObserver", "settings": settings, "arrays": arrays[:2]}
    refuses("observed", ValueError, bad={**good, "arrays": [np.array([np.nan])]}, good=good)


@hidden("MinMaxObserver.observe: the range of a histogram", points=4)
def histogram(agree, rng):
    """From each end, cut off bins while what is cut is at most half of the rest."""
    for share in (1.0, 0.9, float(rng.uniform(0.3, 0.8))):
        counts = rng.integers(0, 5, 16) * (rng.random(16) < 0.7)
        counts[rng.integers(4, 12)] += 9
        agree("cut", counts=counts, limit=2.0, low=-1.93, high=1.81, share=share)


@shown("quantized_linear_array: two rows", points=4)
def linear_small(agree, rng):
    """scale · input_scale · Σ q w + offset, for each output."""
    settings = {"scale": rng.uniform(0.1, 1, 2).astype(np.float32), "input_scale": 1 / 16}
    settings |= {"offset": np.zeros(2, np.float32), "input_zero_point": 0}
    x, weight = spread(rng, 2, 3).astype(np.float32), integers(rng, 2, 3)
    agree("linear", x=x, weight=weight, **settings, rtol=1e-5)


@hidden("quantized_linear_array: axes, zero points, dtypes", points=6)
def linear_kinds(agree, rng):
    """Any axes in front; the zero point is in the offset already; the dtype is that of x."""
    for shape, dtype in (((5,), np.float32), ((2, 3, 5), np.float32), ((4, 5), np.float64)):
        weight = integers(rng, 7, 5)
        settings = {"scale": rng.uniform(0.1, 1, 7).astype(np.float32), "input_scale": 1 / 16}
        settings |= {"offset": rng.normal(0, 9, 7).astype(np.float32)}
        settings |= {"input_zero_point": int(rng.integers(-50, 50))}
        agree("linear", x=spread(rng, *shape).astype(dtype), weight=weight, **settings, rtol=1e-5)


@hidden("quantized_linear_array: from a layer of floats", points=6)
def linear_made(agree, rng):
    """offset = bias - scale · s · z · Σ w; without a bias 0 stands for it."""
    for bias in (rng.normal(0, 1, 4), None):
        weight = rng.normal(0, 1, (4, 9)).astype(np.float32)
        low, high = -float(rng.uniform(0.5, 1)), float(rng.uniform(2, 3))
        agree("made", weight=weight, bias=bias, low=low, high=high, rtol=2e-5, atol=2e-6)


@hidden("fake_quantize_array: rounding in floats", points=5)
def faking(agree, rng):
    """There and back by `quantize` and `dequantize`, with bits and axis, in the dtype of x."""
    for dtype in (np.float32, np.float64):
        x = (2 * spread(rng, 4, 3)).astype(dtype)
        agree("faked", x=x, scale=1 / 16, zero_point=3, axis=None, bits=5)
        scale, zero_point = rng.uniform(0.05, 0.2, 3), rng.integers(-3, 3, 3)
        agree("faked", x=x, scale=scale, zero_point=zero_point, axis=1, bits=8)


@hidden("fake_quantize_array: the gradient of rounding", points=7)
def pulling(agree, rng):
    """1 where the rounded number was within the levels, 0 where it was cut off, on both sides."""
    for bits, zero_point in ((8, 0), (4, 3), (2, -1)):
        x, g = 3 * spread(rng, 5, 3), rng.normal(0, 1, (5, 3))
        agree("pulled", x=x, g=g, scale=3 / 16, zero_point=zero_point, axis=None, bits=bits)
        scale, zeros = np.array([1.0, 2.0, 4.0]) / 16, rng.integers(-2, 2, 3)
        agree("pulled", x=x, g=g, scale=scale, zero_point=zeros, axis=1, bits=bits)


@hidden("calibrate: the inputs of all layers that run", points=7)
def calibrating(agree, rng):
    """In eval and without recipes; who was in the seam is called, and back after an error too."""
    for fails, training in ((False, True), (True, False)):
        shapes = ((3, 2), (3, 3), (2, 3))
        weights = [rng.normal(0, 1, shape).astype(np.float32) for shape in shapes]
        batches = [rng.normal(0, 1, (4, 2)).astype(np.float32) for _ in range(3)]
        inputs = {"weights": weights, "batches": batches}
        agree("calibrated", **inputs, fails=fails, training=training, rtol=1e-5, atol=1e-6)


@hidden("calibrate: a copy with other layers", points=7)
def replacing(agree, refuses, rng):
    """Each layer with a range or that needs none, by its kind, a shared one once; in a copy."""
    x = rng.normal(0, 1, (2, 3)).astype(np.float32)
    for called in ([0, 1, 2], [1], [0, 2]):
        agree("quantized_model", x=x, called=called)
    good = {"x": x, "called": [0]}
    refuses("quantized_model", ValueError, bad={**good, "called": []}, good=good)
