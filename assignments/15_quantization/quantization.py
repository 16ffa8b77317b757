"""Quantization: numbers of eight bits in the place of thirty-two, and products that stay exact.

One can map numbers to `np.int8` and back (`choose_qparams`, `quantize`, `dequantize`), learn from
data which range they have (`MinMaxObserver` and its kin), multiply integers (`int_matmul`), turn a
trained model's layers into integer ones (`quantize_model`), and train a model that will bear it
(`prepare_qat`). Integers q stand for the numbers scale · (q - zero_point).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from copy import deepcopy
from typing import NamedTuple

import numpy as np

from tinytorch.attention import MultiHeadAttention
from tinytorch.autograd import no_grad, vjp
from tinytorch.convolutions import Conv2d, conv2d, conv2d_array
from tinytorch.embeddings import Embedding, embedding
from tinytorch.layers import Linear, Module, _require_floats, linear, set_caller
from tinytorch.profiling import flops, layer_by_layer
from tinytorch.tensor import Tensor, apply, from_numpy

__all__ = [
    "FakeQuantConv2d",
    "FakeQuantLinear",
    "HistogramObserver",
    "MinMaxObserver",
    "MovingAverageObserver",
    "Quantized",
    "QuantizedAttention",
    "QuantizedConv2d",
    "QuantizedEmbedding",
    "QuantizedLinear",
    "calibrate",
    "choose_qparams",
    "dequantize",
    "fake_quantize",
    "int_matmul",
    "model_bytes",
    "prepare_qat",
    "quantize",
    "quantize_array",
    "quantize_model",
]

EXACT = 1024  # so many products of two int8, at most 128 · 128 each, float32 adds up exactly: 2²⁴
COLUMNS = 128  # so many columns of a right-hand side are made float32 at a time, in the cache
SMALLEST = np.finfo(np.float32).tiny


def levels(bits: int = 8) -> tuple[int, int]:
    """Return the least and the greatest integer of so many bits: -128 and 127."""
    if bits not in range(2, 9):
        raise ValueError(f"quantize: expected 2 to 8 bits, as int8 holds them, got {bits}")
    return -(2 ** (bits - 1)), 2 ** (bits - 1) - 1


def choose_qparams(low, high, symmetric: bool = False, bits: int = 8) -> tuple:
    """Return the scale, float32, and the zero point, int32, with which integers cover [low, high].

    `low` and `high` are numbers, or arrays with one per channel, and so are the results. The range
    is widened to hold 0, which padding and ReLU make often, so that 0 is exact. Affine: scale =
    (high - low) / (most - least) with the `levels` of the bits, zero_point = least - round(low /
    scale). Symmetric: scale = max(-low, high) / most, zero_point = 0. No scale is below SMALLEST,
    also where the range is 0. Errors: ValueError unless low <= high and both are finite.
    Source: Jacob et al., "Quantization and training of neural networks for efficient
    integer-arithmetic-only inference", 2018, section 2.1.

    >>> scale, zero_point = choose_qparams(-1.0, 4.1)
    >>> print(scale.round(6), zero_point, choose_qparams(-1.0, 25.4, symmetric=True)[0].round(6))
    0.02 -78 0.2
    """
    raise NotImplementedError("15_quantization: choose_qparams")


def along(values, axis: int | None, like: np.ndarray) -> np.ndarray:
    """Return one value per channel in a shape that meets `axis` of `like`.

    In the dtype of `like`, but in float32 at least: a scale is 0 as an integer, and may be in
    float16.

    >>> along([0.5, 2], 0, np.ones((2, 3), np.float16))
    array([[0.5],
           [2. ]], dtype=float32)
    """
    values = np.asarray(values, np.result_type(like, np.float32))
    if axis is None or not values.ndim:
        return values
    return values.reshape([-1 if i == axis % like.ndim else 1 for i in range(like.ndim)])


def quantize(x: np.ndarray, scale, zero_point, axis: int | None = None, bits: int = 8):
    """Return int8: round(x / scale) + zero_point, moved into the `levels` of the bits.

    Shapes: x any -> the same; with an axis, scale and zero_point have one number for each index
    along it. Halves round to even. What is in range is off by scale / 2 at most once it is
    dequantized. x may hold integers: all is computed in float32 at least, as `along` gives it.
    Errors: ValueError for NaN, for which there is no integer.

    >>> quantize(np.array([-1.0, 0.0, 0.3, 9.9]), 0.1, -5)
    array([-15,  -5,  -2,  94], dtype=int8)
    >>> quantize(np.array([[1.0, 9.0], [1.0, 9.0]]), np.array([1.0, 0.5]), 0, axis=0).tolist()
    [[1, 9], [2, 18]]
    """
    raise NotImplementedError("15_quantization: quantize")


def dequantize(q: np.ndarray, scale, zero_point, axis: int | None = None) -> np.ndarray:
    """Return float32: (q - zero_point) · scale, along an axis as in `quantize`.

    >>> dequantize(np.array([-15, -5, 94], np.int8), 0.5, -5)
    array([-5. ,  0. , 49.5], dtype=float32)
    """
    raise NotImplementedError("15_quantization: dequantize")


class Quantized(NamedTuple):
    """An array of integers, and what they stand for."""

    values: np.ndarray
    scale: np.ndarray
    zero_point: np.ndarray
    axis: int | None

    @property
    def nbytes(self) -> int:
        """The bytes of all three arrays."""
        return self.values.nbytes + self.scale.nbytes + self.zero_point.nbytes

    def dequantize(self) -> np.ndarray:
        """Return the numbers they stand for."""
        return dequantize(self.values, self.scale, self.zero_point, self.axis)


def quantize_array(x, axis: int | None = None, symmetric: bool = False, bits: int = 8) -> Quantized:
    """Quantize an array in its own range, or along an axis each channel in its own.

    >>> quantize_array(np.array([[0.1, 12.7], [0.5, 1.27]]), axis=0, symmetric=True).values.tolist()
    [[1, 127], [50, 127]]
    """
    others = tuple(i for i in range(x.ndim) if axis is not None and i != axis % x.ndim)
    over = {"axis": others if axis is not None else None, "initial": 0}
    scale, zero_point = choose_qparams(x.min(**over), x.max(**over), symmetric, bits)
    return Quantized(quantize(x, scale, zero_point, axis, bits), scale, zero_point, axis)


def int_matmul(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the product of two int8 matrices, exact, in int32: (M, K) @ (K, N) -> (M, N).

    NumPy multiplies integers without BLAS, ten times slower than float32 and more. But float32
    holds every integer up to 2²⁴, and no sum of EXACT products of two int8 is larger: a float32
    product with K <= EXACT is exact. So cut K into parts of EXACT, multiply these as float32, make
    each product int32, and add those. `b` becomes float32 only COLUMNS of its columns at a time,
    which stay in the cache: a copy of all of it would take the memory that int8 saves. Errors:
    TypeError unless both are int8; ValueError unless they are matrices that fit, and K < 2¹⁷,
    beyond which int32 may overflow.

    >>> int_matmul(np.array([[1, -2]], np.int8), np.array([[100], [-128]], np.int8))
    array([[356]], dtype=int32)
    """
    raise NotImplementedError("15_quantization: int_matmul")


def _require_int8(a, b):
    """Refuse what `int_matmul` cannot multiply, or not exactly."""
    if a.dtype != np.int8 or b.dtype != np.int8:
        cure = "quantize first"
        raise TypeError(f"int_matmul: expected int8 and int8, got {a.dtype} and {b.dtype}: {cure}")
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[0] or a.shape[1] >= 2**17:
        wanted = "expected (M, K) and (K, N) with K < 131072"
        raise ValueError(f"int_matmul: {wanted}, got {a.shape} and {b.shape}")


class MinMaxObserver:
    """The least and the greatest number of all that it was shown."""

    low = high = None

    def observe(self, x: np.ndarray) -> None:
        """Widen the range [low, high] to hold all of x; an empty x changes nothing.

        ValueError for what is not finite: one infinity would make every other number 0.

        >>> observer = MinMaxObserver()
        >>> observer.observe(np.array([1.0, 2.0])), observer.observe(np.array([-3.0, 1.5]))
        (None, None)
        >>> observer.range()
        (-3.0, 2.0)
        """
        raise NotImplementedError("15_quantization: MinMaxObserver.observe")

    def range(self) -> tuple[float, float]:
        """Return low and high; ValueError if nothing was shown."""
        if self.low is None:
            raise ValueError("observer: expected at least one array before its range is asked for")
        return self.low, self.high


def extremes(x: np.ndarray) -> tuple[float, float]:
    """Return the least and the greatest number of x, refused unless both are finite."""
    low, high = float(x.min()), float(x.max())
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ValueError(f"observe: expected finite numbers, got some from {low} to {high}")
    return low, high


class MovingAverageObserver(MinMaxObserver):
    """A running average of the extremes of what it was shown: it follows training, and forgets."""

    def __init__(self, momentum: float = 0.01):
        """Move by this share of the way to the newest extremes."""
        self.momentum = momentum

    def observe(self, x: np.ndarray) -> None:
        """Take the first extremes as they are, then low ← low + momentum · (min(x) - low).

        `high` likewise. An empty x changes nothing; ValueError as in `MinMaxObserver`.

        >>> observer = MovingAverageObserver(momentum=0.25)
        >>> observer.observe(np.array([0.0, 4.0])), observer.observe(np.array([0.0, 8.0]))
        (None, None)
        >>> observer.range()
        (0.0, 5.0)
        """
        raise NotImplementedError("15_quantization: MovingAverageObserver.observe")


class HistogramObserver(MinMaxObserver):
    """The range of nearly all numbers: rare large ones may be cut off, to make the steps finer."""

    def __init__(self, share: float = 0.9999, bins: int = 2048):
        """Keep this share of all numbers, half of the rest cut off at each end."""
        self.share, self.limit = share, None
        self.counts = np.zeros(bins, np.int64)  # of equal steps from -limit to limit

    def observe(self, x: np.ndarray) -> None:
        """Count the numbers of x in `counts`, zeros too, after widening the range to hold them all.

        The limit is a power of two. When a number is beyond it, it doubles: two neighbours become
        one and move to the middle half, so that nothing is lost.
        """
        super().observe(x)
        if not x.size:
            return
        most = max(-self.low, self.high)
        if self.limit is None:
            self.limit = 2.0 ** math.ceil(math.log2(most or SMALLEST))
        while self.limit < most:
            self.counts = np.pad(self.counts.reshape(-1, 2).sum(axis=1), len(self.counts) // 4)
            self.limit *= 2
        self.counts += np.histogram(x, len(self.counts), (-self.limit, self.limit))[0]

    def range(self) -> tuple[float, float]:
        """Return the edges between which the share lies, never beyond the true extremes.

        With n numbers in `counts` and r = n · (1 - share) / 2, the lower edge is that below the
        first bin at which the sum of the counts from the left exceeds r, and the upper edge that
        above the first bin, from the right, at which the sum exceeds r.

        >>> observer = HistogramObserver(share=0.75, bins=8)
        >>> observer.observe(np.array([-0.1] + [0.3] * 18 + [3.9]))
        >>> observer.range()
        (0.0, 1.0)
        """
        raise NotImplementedError("15_quantization: HistogramObserver.range")


def quantized_linear_array(x, weight, scale, offset, input_scale, input_zero_point) -> np.ndarray:
    """Compute a linear layer in integers: (..., in) -> (..., out).

    x is quantized to int8 with input_scale and input_zero_point z, and meets `weight`, int8 (out,
    in), in `int_matmul`, which gives Σ q w, int32. What is wanted is scale · input_scale · Σ (q -
    z) w + bias = scale · input_scale · Σ q w + offset: the part with z does not depend on x, and
    stands in `offset` (see `QuantizedLinear.from_float`). scale and offset have one number per
    output. The result has the dtype of x, a float, but is computed in float32 at least: float16
    does not hold a sum beyond 65504.

    >>> weight = np.array([[1, 2]], np.int8)
    >>> x, settings = np.array([[0.5, 1.0]]), (np.array([2.0]), np.array([7.0]), 0.5, 0)
    >>> quantized_linear_array(x, weight, *settings).tolist()
    [[12.0]]
    """
    raise NotImplementedError("15_quantization: quantized_linear_array")


def quantized_conv2d_array(x, weight, scale, bias, input_scale, input_zero_point, **how):
    """Compute a convolution in integers: (N, C, H, W) -> (N, out, OH, OW).

    x is quantized to int8 and its zero point subtracted, so that the padding's zeros are zeros;
    that and `weight`, int8 (out, C / groups, KH, KW), go through `conv2d_array` as float32. One
    product is at most 255 · 128, so that sums of 514 are exact: where a window has more numbers,
    its channels are cut into parts, and the parts added as integers; where one channel has more,
    float64 holds its sum. Then y = scale · input_scale · sum + bias, one scale and bias per output,
    in the dtype of x, computed in float32 at least. `how`: stride, padding, dilation, groups.
    """
    step = 2**24 // (255 * 128) // math.prod(weight.shape[2:])  # channels
    exact, step, total = np.float32 if step else np.float64, max(step, 1), 0
    whole = np.int32 if weight[0].size < 2**16 else np.int64  # 2¹⁶ · 255 · 128 < 2³¹
    q = quantize(x, input_scale, input_zero_point).astype(exact)
    q -= along(input_zero_point, None, q)
    q = q.reshape(len(x), how["groups"], weight.shape[1], *x.shape[2:])
    for c in range(0, weight.shape[1], step):
        part = q[:, :, c : c + step]
        part = part.reshape(len(x), how["groups"] * part.shape[2], *x.shape[2:])
        kernels = weight[:, c : c + step].astype(exact)
        total += conv2d_array(part, kernels, None, **how).astype(whole)
    y = total.astype(np.result_type(x, np.float32))
    y *= along(scale * input_scale, 1, y)
    y += along(bias, 1, y)
    return y.astype(x.dtype, copy=False)


@flops(quantized_linear_array, quantized_conv2d_array)
def quantized_flops(y, x, weight, *rest, **how) -> int:
    """Count a window of products for each result, scale and offset, and four to quantize x."""
    return y.size * (2 * weight[0].size + 2) + 4 * x.size


class QuantizedLayer(Module):
    """What the layers share: integer weights, their scales, and the range of the inputs."""

    def __init__(self, weight: Quantized, bias: np.ndarray, low: float, high: float):
        """Keep all as buffers, so that it is saved; nothing is learned."""
        super().__init__()
        input_scale, input_zero_point = choose_qparams(low, high)
        self.register_buffer("weight", weight.values)
        self.register_buffer("scale", weight.scale)
        self.register_buffer("offset", bias)
        self.register_buffer("input_scale", input_scale)
        self.register_buffer("input_zero_point", input_zero_point)

    def _buffers_in_order(self):
        return self.weight, self.scale, self.offset, self.input_scale, self.input_zero_point

    def extra_repr(self) -> str:
        """Show the shape of the weight."""
        return f"weight={self.weight.shape}, int8"


class QuantizedLinear(QuantizedLayer):
    """`Linear` in integers.

    >>> layer = Linear(64, 8)
    >>> QuantizedLinear.from_float(layer, low=-1.0, high=1.0), model_bytes(layer)
    (QuantizedLinear(weight=(8, 64), int8), 2080)
    """

    @classmethod
    def from_float(cls, layer: Linear, low: float, high: float) -> QuantizedLinear:
        """Quantize a layer whose inputs lie in [low, high].

        The weights symmetrically, each output's row in its own range, by `quantize_array`. The
        inputs affinely, by `choose_qparams`, with scale s and zero point z. offset = bias - scale ·
        s · z · Σ w for each output, with the sum of its row of integers, computed in float64 and
        kept in float32; a layer without bias has 0 for it.
        """
        raise NotImplementedError("15_quantization: QuantizedLinear.from_float")

    def forward(self, x: Tensor) -> Tensor:
        """Return `quantized_linear_array` of x."""
        _require_floats("linear", x)
        return apply(quantized_linear_array, x, *self._buffers_in_order())


class QuantizedConv2d(QuantizedLayer):
    """`Conv2d` in integers."""

    @classmethod
    def from_float(cls, layer: Conv2d, low: float, high: float) -> QuantizedConv2d:
        """Quantize a layer whose inputs lie in [low, high], each output's kernel by itself."""
        weight = quantize_array(layer.weight.data, axis=0, symmetric=True)
        bias = np.zeros(len(weight.scale), np.float32) if layer.bias is None else layer.bias.data
        made = cls(weight, bias.astype(np.float32), low, high)
        padding = layer.padding
        if isinstance(padding, str):
            spans = (d * (k - 1) for d, k in zip(layer.dilation, layer.kernel_size, strict=True))
            padding = tuple(span // 2 if padding == "same" else 0 for span in spans)
        made.how = {"stride": layer.stride, "padding": padding}
        made.how |= {"dilation": layer.dilation, "groups": layer.groups}
        return made

    def forward(self, x: Tensor) -> Tensor:
        """Return `quantized_conv2d_array` of x; errors as in `conv2d`, but any float will do."""
        _require_floats("conv2d", x)
        shape, groups = self.weight.shape, self.how["groups"]
        if x.ndim != 4 or shape[1] * groups != x.shape[1]:
            wanted = "expected x (N, C, H, W), weight (O, C / groups, KH, KW), groups"
            raise ValueError(f"conv2d: {wanted}, got {x.shape}, {shape} and {groups}")
        return apply(quantized_conv2d_array, x, *self._buffers_in_order(), **self.how)


def quantized_embedding_array(x, values, scale) -> np.ndarray:
    """Look rows of int8 up, and make floats of those alone: ids (...) -> (..., D).

    scale has one number for each id, (..., 1).
    """
    return values[x] * scale


flops(quantized_embedding_array)(lambda y, *inputs: y.size)


class QuantizedEmbedding(Module):
    """`Embedding` with rows of int8, each with its own scale."""

    def __init__(self, layer: Embedding):
        """Quantize the table."""
        super().__init__()
        table = quantize_array(layer.weight.data, axis=0, symmetric=True)
        self.register_buffer("values", table.values)
        self.register_buffer("scale", table.scale)

    @property
    def weight(self) -> Tensor:
        """The whole table in floats, made when asked for: a GPT's last product takes it."""
        return from_numpy(dequantize(self.values.data, self.scale.data, 0, axis=0))

    def forward(self, x: Tensor) -> Tensor:
        """Return `quantized_embedding_array` of the ids; `embedding` finds scales, or refuses."""
        scale = embedding(x, from_numpy(self.scale.data[:, None]))
        return apply(quantized_embedding_array, x, self.values, scale)

    def extra_repr(self) -> str:
        """Show the shape of the table."""
        return f"values={self.values.shape}, int8"


class QuantizedAttention(MultiHeadAttention):
    """`MultiHeadAttention` that keeps in_proj_weight in int8, and makes floats of it for each call.

    Its products stay those of floats; out_proj is a layer of its own.
    """

    def __init__(self, layer: MultiHeadAttention):
        """Take over all but the weight, and quantize that."""
        Module.__init__(self)
        for name, value in vars(layer).items():
            if name != "in_proj_weight":
                setattr(self, name, value)
        weight = quantize_array(layer.in_proj_weight.data, axis=0, symmetric=True)
        self.register_buffer("in_proj_values", weight.values)
        self.register_buffer("in_proj_scale", weight.scale)

    @property
    def in_proj_weight(self) -> Tensor:
        """The weight in floats."""
        return from_numpy(dequantize(self.in_proj_values.data, self.in_proj_scale.data, 0, axis=0))


KINDS = {Linear: QuantizedLinear, Conv2d: QuantizedConv2d}
WEIGHTS_ALONE = {Embedding: QuantizedEmbedding, MultiHeadAttention: QuantizedAttention}


def _kind(layer, kinds):
    """What stands for a layer's kind in a table, or None; None too if it has a forward of its own.

    What replaces a layer computes what the kind's own `forward` does, and would drop the rest.
    """
    known = type(layer).forward in FORWARDS
    return next((made for kind, made in kinds.items() if known and isinstance(layer, kind)), None)


def calibrate(model: Module, data: Iterable, observer: Callable = MinMaxObserver) -> dict:
    """Run a model on data; return the range of the inputs of each Linear and Conv2d it called.

    A layer counts if `_kind` finds it in KINDS: not one of a class with a `forward` of its own.
    `data` yields inputs, or tuples and lists that begin with them, as a DataLoader does. Each layer
    gets an `observer()` of its own, which observes the array of the first input of each call.
    {layer: (low, high)}; a layer that is never called is not in it. Who stands in `set_caller` is
    called all the same, and is back in the end, after an error too. The model runs as in use, in
    eval and without recipes, but in `layer_by_layer`, so that no layer runs as a part of another;
    and it is in its old mode afterwards.

    >>> model = Linear(2, 1)
    >>> calibrate(model, [Tensor([[1.0, -2.0]]), Tensor([[3.0, 0.5]])])[model]
    (-2.0, 3.0)
    """
    raise NotImplementedError("15_quantization: calibrate")


def replaced(value, make: Callable, done: dict):
    """Return a module, or what holds modules, with those in the place of which `make` puts others.

    Lists and dicts are changed in place; what stands in two places is replaced by one.
    """
    if isinstance(value, Module):
        if value not in done:
            done[value] = new = make(value)
            for name, child in list(vars(new).items()):
                changed = replaced(child, make, done)
                if changed is not child:
                    setattr(new, name, changed)
        return done[value]
    if isinstance(value, dict | list):
        for key, child in value.items() if isinstance(value, dict) else enumerate(value):
            value[key] = replaced(child, make, done)
    elif type(value) is tuple:
        return tuple(replaced(child, make, done) for child in value)
    return value


def quantize_model(model: Module, data: Iterable, observer: Callable = MinMaxObserver) -> Module:
    """Return a copy of a model in eval whose Linear and Conv2d are integer layers.

    Their inputs' ranges come from `calibrate` on the data, with the observer; `from_float` of what
    stands in KINDS for a layer's kind makes each, and `replaced` puts it in its place. Layers that
    the data never reached stay as they are; but a kind of WEIGHTS_ALONE needs no range, and is made
    of the layer itself. `_kind` finds kinds: a layer of a class with a `forward` of its own has
    none and stays, as nothing here would compute that. The model does not change. Errors:
    ValueError if no layer was reached.

    >>> from tinytorch.layers import Sequential
    >>> quantize_model(Sequential(Linear(2, 3)), [Tensor([[1.0, 2.0]])])
    Sequential(
      (0): QuantizedLinear(weight=(3, 2), int8)
    )
    """
    raise NotImplementedError("15_quantization: quantize_model")


def model_bytes(model: Module) -> int:
    """Return the bytes of all parameters and buffers, each array once."""
    tensors = [*model.parameters(), *model.buffers()]
    return sum(array.nbytes for array in {id(t.data): t.data for t in tensors}.values())


def fake_quantize(x: Tensor, scale, zero_point, axis: int | None = None, bits: int = 8) -> Tensor:
    """Return what is left of x after quantizing and dequantizing, so that training can feel it.

    >>> fake_quantize(Tensor([0.24, 9.0]), 0.5, 0, bits=2).tolist()
    [0.0, 0.5]
    """
    return apply(fake_quantize_array, x, scale, zero_point, axis=axis, bits=bits)


def fake_quantize_array(x, scale, zero_point, axis, bits) -> np.ndarray:
    """Compute `dequantize` of `quantize`, in the dtype of x.

    >>> fake_quantize_array(np.array([0.24, 0.26, 9.0]), 0.5, 0, None, 2).tolist()
    [0.0, 0.5, 0.5]
    """
    raise NotImplementedError("15_quantization: fake_quantize_array")


@vjp(fake_quantize_array)
def fake_quantize_rule(y, x, scale, zero_point, axis, bits):
    """Let the gradient pass where x was in range, and stop it where it was cut off.

    Rounding has the slope 0 nearly everywhere, with which nothing is learned; the straight-through
    estimator takes 1 for it. In range: least <= round(x / scale) + zero_point <= most. Source:
    Bengio, Léonard and Courville, "Estimating or propagating gradients through stochastic neurons
    for conditional computation", 2013.

    >>> to_x = fake_quantize_rule(None, np.array([0.2, 9.0]), 0.5, 0, None, 2)[0]
    >>> to_x(np.array([10.0, 10.0])).tolist()
    [10.0, 0.0]
    """
    raise NotImplementedError("15_quantization: fake_quantize_rule")


flops(fake_quantize_array)(lambda y, *inputs, **how: 6 * y.size)


class FakeQuant:
    """What the layers of fake-quantized training do to inputs and weights."""

    def __init__(self, layer: Linear | Conv2d, bits: int = 8):
        """Share the layer's parameters; round the weights to so many bits."""
        Module.__init__(self)
        for name, value in vars(layer).items():
            setattr(self, name, value)
        self.bits, self.observer = bits, MovingAverageObserver()

    def _rounded(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return x and the weight as the integer layer will see them; in training, note x's range.

        x affinely in eight bits in the observer's range; each output's weights symmetrically in its
        own, in `bits`.
        """
        if self.training or self.observer.low is None:
            self.observer.observe(x.data)
        weight = quantize_array(self.weight.data, axis=0, symmetric=True, bits=self.bits)
        x = fake_quantize(x, *choose_qparams(*self.observer.range()))
        return x, fake_quantize(self.weight, weight.scale, weight.zero_point, 0, self.bits)


class FakeQuantLinear(FakeQuant, Linear):
    """A Linear that computes in floats with the rounding that integers will bring."""

    def forward(self, x: Tensor) -> Tensor:
        """Return `linear` of what is rounded."""
        return linear(*self._rounded(x), self.bias)


class FakeQuantConv2d(FakeQuant, Conv2d):
    """A Conv2d that computes in floats with the rounding that integers will bring."""

    def forward(self, x: Tensor) -> Tensor:
        """Return `conv2d` of what is rounded."""
        how = (self.stride, self.padding, self.dilation, self.groups)
        return conv2d(*self._rounded(x), self.bias, *how)


# What can be replaced, as it is known what it computes.
FORWARDS = {one.forward for one in (*KINDS, *WEIGHTS_ALONE, FakeQuantLinear, FakeQuantConv2d)}


def prepare_qat(model: Module, bits: int = 8) -> Module:
    """Return a copy of a model whose Linear and Conv2d round as integers will: train it further.

    Weights to so many bits. Eight are what `quantize_model` keeps; fewer are for experiments.
    Layers of a class that has a `forward` of its own stay as they are, as in `quantize_model`.
    """
    levels(bits)
    fake = {Linear: FakeQuantLinear, Conv2d: FakeQuantConv2d}

    def make(layer):
        kind = _kind(layer, fake)
        return kind(layer, bits) if kind else layer

    return replaced(deepcopy(model), make, {})
