"""What the checks of 20_capstone ask of a framework; each function travels alone."""

import numpy as np

import tinytorch as tt


def folded(weight, bias, moments, affine, eps):
    """A layer with a norm folded into it, and whether both are as they were."""
    module = tt.capstone
    norm = tt.BatchNorm1d(len(bias), eps=eps, affine=affine is not None)
    norm.running_mean.data[:], norm.running_var.data[:] = moments
    if affine is not None:
        norm.weight.data[:], norm.bias.data[:] = affine
    layer = module.Layer(weight.copy(), bias.copy(), True)
    found = module.fold_batchnorm(layer, norm.eval())
    same = (layer.weight == weight).all() and (norm.running_mean.data == moments[0]).all()
    return [found.weight, found.bias, found.relu, bool(same)]


def chained(kinds, widths, seed):
    """The layers of a model whose kinds are named in order, and what they share with it.

    Folding is this probe's own, and says only that it was asked for.
    """
    module, rng = tt.capstone, np.random.default_rng(seed)
    theirs, width, layers = module.fold_batchnorm, 0, []
    for kind in kinds:
        if kind in ("linear", "plain"):
            layer = tt.Linear(widths[width], widths[width + 1], bias=kind == "linear")
            layer.weight.data[...] = rng.normal(0, 1, layer.weight.shape)
            if layer.bias is not None:
                layer.bias.data[...] = rng.normal(0, 1, layer.bias.shape)
            width += 1
        else:
            made = {"relu": tt.ReLU, "dropout": tt.Dropout, "flatten": tt.Flatten}
            made |= {"nothing": tt.Identity, "tanh": tt.Tanh}
            layer = tt.BatchNorm1d(widths[width]) if kind == "norm" else made[kind]()
        layers.append(layer)
    half = len(layers) // 2
    nested = tt.Sequential(*layers[:half], tt.Sequential(*layers[half:]))

    def fold_batchnorm(layer, norm):
        return layer._replace(bias=layer.bias + np.float32(100))

    try:
        module.fold_batchnorm = fold_batchnorm
        found = module.chain(nested.eval())
    finally:
        module.fold_batchnorm = theirs
    arrays = [array for one in found for array in (one.weight, one.bias)]
    own = [parameter.data for parameter in nested.parameters()]
    shared = any(np.shares_memory(a, b) for a in arrays for b in own)
    return [[one.weight, one.bias, bool(one.relu)] for one in found] + [bool(shared)]


def bits_packed(values, bits):
    """The bytes of integers in so many bits."""
    return list(tt.capstone.pack_bits(values, bits))


def bits_unpacked(data, count, bits):
    """The integers of so many bits in some bytes."""
    return tt.capstone.unpack_bits(data.astype(np.uint8).tobytes(), count, bits)


def rows_quantized(weight, bits):
    """Integers and scales of each row."""
    q, scale = tt.capstone.quantize_rows(weight, bits)
    return [q, scale]


def size(shapes, bits):
    """How long layers of these shapes will be."""
    module = tt.capstone
    layers = [module.Layer(np.ones((n, m), np.float32), np.ones(n, np.float32)) for n, m in shapes]
    return module.packed_bytes(layers, bits)


def packed(weights, biases, relus, bits):
    """The bytes of layers; how rows are quantized and bits packed is this probe's own."""
    module, asked = tt.capstone, []
    theirs = module.quantize_rows, module.pack_bits

    def quantize_rows(weight, width):
        return np.rint(weight).astype(np.int8), weight[:, 0].astype(np.float16)

    def pack_bits(values, width):
        asked.append([int(width), str(values.dtype)])
        return values.astype(np.int8).tobytes()

    layers = [module.Layer(*one) for one in zip(weights, biases, relus, strict=True)]
    try:
        module.quantize_rows, module.pack_bits = quantize_rows, pack_bits
        data = module.pack(layers, bits)
    finally:
        module.quantize_rows, module.pack_bits = theirs
    return [np.frombuffer(data, np.uint8), asked]


def unpacked(data):
    """The layers in some bytes; how bits are unpacked is this probe's own."""
    module = tt.capstone
    theirs = module.unpack_bits

    def unpack_bits(data, count, bits):
        places = np.unpackbits(np.frombuffer(data, np.uint8), count=count * bits)
        numbers = places.reshape(count, bits) @ (1 << np.arange(bits)[::-1])
        return np.where(numbers >> (bits - 1), numbers - 2**bits, numbers).astype(np.int8)

    try:
        module.unpack_bits = unpack_bits
        layers = module.unpack(data.astype(np.uint8).tobytes())
    finally:
        module.unpack_bits = theirs
    return [[one.weight, one.bias, one.relu] for one in layers]


def answered(weights, biases, relus, batches):
    """What a compiled chain answers to batches, read after the last one, and what it changed."""
    module = tt.capstone
    layers = [module.Layer(*one) for one in zip(weights, biases, relus, strict=True)]
    copies = [array.copy() for array in (*weights, *biases, *batches)]
    forward = module.compile_forward(layers)
    answers = [forward(batch) for batch in batches]
    changed = any(
        (a != b).any() for a, b in zip(copies, (*weights, *biases, *batches), strict=True)
    )
    shared = any(np.shares_memory(a, b) for i, a in enumerate(answers) for b in answers[:i])
    return [answers, bool(changed), bool(shared)]


def agreed(logits, wanted):
    """How many rows are right, of how many."""
    found = tt.capstone.agreement(logits, wanted)
    return [found.right, found.count, type(found.right).__name__]


def lower(counts, z):
    """The lower ends of intervals."""
    return [tt.capstone.Check(right, count).lower(z) for right, count in counts]


def speedup(pairs):
    """How many times faster the second is."""
    return tt.capstone.geometric_speedup(pairs)


def raced(slow, fast, rows, settings):
    """The times of a race on a clock of the probe's own, and how often each work was done."""
    now, log = [3.0], []

    def takes(name, seconds):
        def work(x):
            now[0] += seconds * len(x)
            log.append(name + str(len(x)))

        return work

    works = [np.ones((count, 2)) for count in rows]
    race = tt.capstone.race
    found = race(takes("b", slow), takes("e", fast), works, lambda: now[0], **settings)
    return [found.pairs, log]


def chosen(sizes, rights, counts, least):
    """The names of those on the front, and of the one that is chosen."""
    module = tt.capstone
    checks = [module.Check(int(n), int(count)) for n, count in zip(rights, counts, strict=True)]
    theirs = module.Check.lower

    def lower(self, z=1.96):
        return self.share - 2 / self.count

    tried = [module.Candidate(str(i), int(sizes[i]), checks[i]) for i in range(len(checks))]
    try:
        module.Check.lower = lower
        front, best = module.choose(tried, least)
    finally:
        module.Check.lower = theirs
    return [[one.name for one in front], best.name]
