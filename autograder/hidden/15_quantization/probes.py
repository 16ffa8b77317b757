"""What the checks of 15_quantization ask of a framework; each function travels alone.

Where one function of the module calls another, the probe puts its own in the other's place for as
long as it runs, so that one mistake costs once.
"""

import numpy as np

import tinytorch as tt


def chosen(low, high, symmetric, bits):
    """Scale and zero point of a range."""
    scale, zero_point = tt.choose_qparams(low, high, symmetric=symmetric, bits=bits)
    return [np.asarray(scale), np.asarray(zero_point)]


def zero_is_exact(lows, highs):
    """For each range: does its zero point stand for 0, and do the ends lie within half a step?"""
    found = []
    for low, high in zip(lows, highs, strict=True):
        scale, zero_point = tt.choose_qparams(low, high)
        least, most = (-128 - float(zero_point)) * scale, (127 - float(zero_point)) * scale
        inside = -128 <= zero_point <= 127
        found.append(
            [bool(inside), bool(least <= low + 0.51 * scale and high - 0.51 * scale <= most)]
        )
    return found


def quantized(x, scale, zero_point, axis, bits):
    """The integers, and whether x was left alone."""
    before = x.copy()
    q = tt.quantize(x, scale, zero_point, axis=axis, bits=bits)
    return [q, bool((x == before).all())]


def quantized_one(x):
    """The integers of an array in steps of a tenth."""
    return tt.quantize(x, 0.1, 3)


def dequantized(q, scale, zero_point, axis):
    """The numbers, and whether q was left alone."""
    before = q.copy()
    x = tt.dequantize(q, scale, zero_point, axis=axis)
    return [x, bool((q == before).all())]


def multiplied(a, b, turned):
    """A product of integers; turned: of a view whose columns are rows in memory."""
    return tt.int_matmul(a, np.ascontiguousarray(b.T).T if turned else b)


def long_product(inner):
    """The largest sum that so many products have."""
    a = np.full((1, inner), -128, np.int8)
    return tt.int_matmul(a, a.T)


def largest_array(rows, inner, columns):
    """Whether the right-hand side was ever float32 as a whole: by the memory that was taken."""
    import tracemalloc

    a, b = np.ones((rows, inner), np.int8), np.ones((inner, columns), np.int8)
    tracemalloc.start()
    try:
        result = tt.int_matmul(a, b)
        return [result, tracemalloc.get_traced_memory()[1] < 2 * b.size]
    finally:
        tracemalloc.stop()


def multiplied_in(a, b):
    """The dtypes other than float32 in which parts of a and b were multiplied.

    A kind of array sees it, and for as long as this runs `np.array` and its like keep that kind.
    What is copied in another way is not seen, and held to be right.
    """
    from functools import partial
    from types import SimpleNamespace

    module, seen = tt.quantization, set()

    class Watched(np.ndarray):
        def __array_ufunc__(self, ufunc, method, *inputs, **settings):
            arrays = [*inputs, *(settings.pop("out", None) or ())]
            arrays = [x.view(np.ndarray) if isinstance(x, Watched) else x for x in arrays]
            if ufunc in (np.matmul, np.multiply):
                seen.add(str(np.dtype(settings.get("dtype") or np.result_type(*arrays[:2]))))
            if len(arrays) > len(inputs):
                settings["out"] = tuple(arrays[len(inputs) :])
            return getattr(ufunc, method)(*arrays[: len(inputs)], **settings)

        def __array_function__(self, function, types, inputs, settings):
            result = super().__array_function__(function, types, inputs, settings)
            if function in (np.dot, np.inner, np.einsum, np.tensordot):
                seen.add(str(result.dtype))
            return result

    keeping = SimpleNamespace(**vars(np))
    keeping.array, keeping.asarray = partial(np.array, subok=True), np.asanyarray
    keeping.ascontiguousarray = partial(np.asanyarray, order="C")
    given, module.np = module.np, keeping
    try:
        result = tt.int_matmul(a.view(Watched), b.view(Watched))
        return [np.asarray(result), sorted(seen - {"float32"})]
    finally:
        module.np = given


def observed(kind, settings, arrays):
    """The range after each array."""
    observer, ranges = getattr(tt, kind)(**settings), []
    for x in arrays:
        observer.observe(x)
        ranges.append([float(end) for end in observer.range()])
    return ranges


def cut(counts, limit, low, high, share):
    """The range of a histogram."""
    observer = tt.HistogramObserver(share=share, bins=len(counts))
    observer.counts, observer.limit = counts, limit
    observer.low, observer.high = low, high
    return [float(end) for end in observer.range()]


def linear(x, weight, scale, offset, input_scale, input_zero_point):
    """A layer in integers, of which quantize and int_matmul are this probe's own."""
    module, given = tt.quantization, (tt.quantization.quantize, tt.quantization.int_matmul)

    def quantize(x, scale, zero_point, axis=None, bits=8):
        q = np.rint(np.asarray(x) / scale) + zero_point
        return np.clip(q, -128, 127).astype(np.int8)

    def int_matmul(a, b):
        if a.dtype != np.int8 or b.dtype != np.int8 or a.ndim != 2 or b.ndim != 2:
            raise TypeError("expected matrices of int8")
        return (a.astype(np.int64) @ b.astype(np.int64)).astype(np.int32)

    module.quantize, module.int_matmul = quantize, int_matmul
    try:
        before = x.copy()
        scales = np.asarray(input_scale, np.float32), np.asarray(input_zero_point, np.int32)
        y = module.quantized_linear_array(x, weight, scale, offset, *scales)
        return [y, bool((x == before).all())]
    finally:
        module.quantize, module.int_matmul = given


def made(weight, bias, low, high):
    """The buffers of a quantized layer; quantize_array and choose_qparams are this probe's own."""
    module = tt.quantization
    given = module.quantize_array, module.choose_qparams

    def quantize_array(x, axis=None, symmetric=False, bits=8):
        if axis != 0 or not symmetric or bits != 8:
            raise ValueError("expected each row by itself, symmetrically")
        scale = (np.abs(x).max(axis=1) / 127).astype(np.float32)
        values = np.rint(x / scale[:, None]).astype(np.int8)
        return module.Quantized(values, scale, np.zeros(len(x), np.int32), 0)

    def choose_qparams(low, high, symmetric=False, bits=8):
        scale = (high - low) / 255
        zero_point = np.asarray(-128 - np.round(low / scale), np.int32)
        return np.asarray(scale, np.float32), zero_point

    layer = tt.Linear(weight.shape[1], len(weight), bias=bias is not None)
    layer.weight.data[...] = weight
    if bias is not None:
        layer.bias.data[...] = bias
    module.quantize_array, module.choose_qparams = quantize_array, choose_qparams
    try:
        layer = tt.QuantizedLinear.from_float(layer, low, high)
        return [[name, tensor.data] for name, tensor in layer.named_buffers()]
    finally:
        module.quantize_array, module.choose_qparams = given


def faked(x, scale, zero_point, axis, bits):
    """What is left of x, with this probe's own quantize and dequantize."""
    module, given = tt.quantization, (tt.quantization.quantize, tt.quantization.dequantize)

    def shaped(values):
        if axis is None:
            return values
        return np.reshape(values, [-1 if i == axis else 1 for i in range(x.ndim)])

    def quantize(x, scale, zero_point, axis=None, bits=8):
        q = np.rint(x / shaped(scale)) + shaped(zero_point)
        return np.clip(q, -(2 ** (bits - 1)), 2 ** (bits - 1) - 1).astype(np.int8)

    def dequantize(q, scale, zero_point, axis=None):
        return ((q.astype(np.float64) - shaped(zero_point)) * shaped(scale)).astype(np.float32)

    module.quantize, module.dequantize = quantize, dequantize
    try:
        return module.fake_quantize_array(x, scale, zero_point, axis, bits)
    finally:
        module.quantize, module.dequantize = given


def pulled(x, g, scale, zero_point, axis, bits):
    """The gradient of what is rounded, and that there are no others."""
    maps = tt.quantization.fake_quantize_rule(None, x, scale, zero_point, axis, bits)
    return [maps[0](g), [one is None for one in maps[1:]]]


def calibrated(weights, batches, fails, training):
    """Ranges by layer, who is in the seam and in which mode the model is, in and afterwards."""
    called, states, calls = [], [], []

    class Watching:
        low = high = 0.0

        def observe(self, x):
            calls.append(x.copy())
            self.low, self.high = min(float(x.min()), self.low), max(float(x.max()), self.high)

        def range(self):
            return self.low, self.high

    class Net(tt.Module):
        def forward(self, x):
            y = self.parts["b"][0](self.parts["a"](x).reshape(-1, 3, 1, 1)).reshape(-1, 3)
            apart = tt.profiling.is_layer_by_layer()
            states.append([self.training, self.last.training, y.requires_grad, apart])
            if fails and len(states) == len(batches):
                raise ArithmeticError("as asked")
            return self.own(self.last(y))

    def caller(module, inputs, kwargs):
        called.append(type(module).__name__)
        return module.forward(*inputs, **kwargs)

    Own = type("Own", (tt.Linear,), {"forward": lambda self, x: x})
    layers = [tt.Linear(2, 3), tt.Conv2d(3, 3, 1), tt.Linear(3, 2), tt.Linear(2, 2), Own(2, 2)]
    for layer, weight in zip(layers, weights, strict=False):
        layer.weight.data[...], layer.bias.data[...] = weight.reshape(layer.weight.shape), 0
    model = Net().train(training)
    model.parts, (model.last, model.spare, model.own) = {"a": layers[0], "b": layers[1:2]}, layers[
        2:
    ]
    model.last.train(not training)
    first, second, third = map(tt.Tensor, batches)
    before, ranges = tt.layers.set_caller(caller), {}
    try:
        ranges = tt.calibrate(model, [first, (second, 0), [third]], Watching)
    except ArithmeticError:
        pass
    finally:
        back = tt.layers.set_caller(before) is caller
    found = [list(ranges[one]) if one in ranges else None for one in layers]
    return [found, back, [model.training, model.last.training], called, states, calls]


def quantized_model(x, called):
    """Which layers of a copy are integer ones, of which kind, and that the model is as it was.

    `calibrate` and what KINDS and WEIGHTS_ALONE hold are this probe's own, so that only the
    replacement is seen.
    """
    module, made, observers = tt.quantization, [], []

    def stand(name):
        def start(self, layer, *ends):
            tt.Module.__init__(self)
            made.append([name, float(next(iter(layer.parameters())).data.flat[0]), *ends])

        members = {"__init__": start, "from_float": classmethod(lambda cls, *given: cls(*given))}
        return type(name, (tt.Module,), members)

    class Own(tt.Embedding):
        def forward(self, x):
            return x

    shared = tt.Linear(3, 3)
    layers = [tt.Linear(3, 3), tt.Sequential(shared, tt.Identity()), shared, tt.Conv2d(1, 1, 1)]
    layers += [tt.Embedding(2, 2), tt.MultiHeadAttention(2, 1), Own(2, 2)]
    model = tt.Sequential(*layers)
    for number, parameter in enumerate(model.parameters()):
        parameter.data[...] = number
    tables = [module.KINDS, module.WEIGHTS_ALONE]
    given, kinds = module.calibrate, [dict(table) for table in tables]

    def calibrate(copy, data, observer=None):
        list(data), observers.append(observer is Own)
        found = [copy[0], copy[1][0], copy[3]]
        return {one: (-1.0, float(i)) for i, one in enumerate(found) if i in called}

    module.calibrate = calibrate
    for table in tables:
        table.update({kind: stand(f"Integer{kind.__name__}") for kind in table})
    try:
        copy = tt.quantize_model(model, [tt.Tensor(x)], Own)
        inside = [type(one).__name__ for one in copy.modules()]
        same = [model[i] is one for i, one in enumerate(layers)] + [model.training, copy.training]
        return [inside, copy[1][0] is copy[2], same, made, copy is model, observers]
    finally:
        module.calibrate = given
        for table, before in zip(tables, kinds, strict=True):
            table.update(before)
