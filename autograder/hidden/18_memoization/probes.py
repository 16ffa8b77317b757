"""What the checks of 18_memoization ask of a framework; each function travels alone."""

import numpy as np

import tinytorch as tt


def counted(sizes):
    """The bytes of the formula."""
    return [tt.kv_bytes(*one) for one in sizes]


def appended(shape, dtype, news):
    """What comes back of each append, as it was then; what the cache holds in the end."""
    cache = tt.KVCache(*shape, dtype=dtype)
    found, memory = [], cache.keys
    for layer, key, value in news:
        pair = cache.append(layer, key, value)
        views = [
            np.shares_memory(x, y) for x, y in zip(pair, (cache.keys, cache.values), strict=True)
        ]
        found.append([[x.copy() for x in pair], views, list(cache.lengths)])
    kept = [cache.keys[i, :, :, :n].copy() for i, n in enumerate(cache.lengths)]
    return [found, kept, cache.keys is memory, cache.nbytes]


def filled(shape, lengths):
    """How full a cache is after appending so many places at a time, and the last keys."""
    cache = tt.KVCache(*shape)
    for n in lengths:
        one = np.ones((shape[1], shape[2], n, shape[4]), np.float32)
        cache.append(0, one, one)
    return [cache.lengths[0], float(cache.keys.sum())]


def mixed(shape, key, value):
    """One append."""
    return list(tt.KVCache(*shape).append(0, key, value))


def last(q, k, v):
    """Answers to the last queries, and what was given."""
    return [tt.memoization.last_attention_array(q, k, v), q, k, v]


def passed(size, heads, seed, x, cuts):
    """What a block makes of some places at a time, what the cache has, and how many rows pass."""
    rng, rows, y = np.random.default_rng(seed), [], []
    block = tt.TransformerBlock(size, heads)
    for p in block.parameters():
        p.data[...] = rng.normal(0, 0.5, p.shape)

    def run(op, arrays, kwargs):
        if op is tt.layers.linear_array:
            rows.append([arrays[0].size // arrays[0].shape[-1], *arrays[1].shape])
        return op(*arrays, **kwargs)

    batch, places, _ = x.shape
    cache = tt.KVCache(2, batch, heads, places, size // heads)
    before = tt.tensor.set_runner(run)
    try:
        for begin, end in zip([0, *cuts], [*cuts, places], strict=True):
            y.append(tt.cached_block(block, tt.Tensor(x[:, begin:end]), cache, 1).data)
    finally:
        tt.tensor.set_runner(before)
    return [y, cache.keys[1], cache.values[1], list(cache.lengths), rows]


def scored(sizes, seed, ids, cuts):
    """The scores of some places at a time, whether they are recorded, and the rows that pass."""
    rng, rows, found = np.random.default_rng(seed), [], []
    model = tt.GPT(tt.GPTConfig(**sizes))
    for p in model.parameters():
        p.data[...] = rng.normal(0, 0.5, p.shape)

    def run(op, arrays, kwargs):
        if op is tt.layers.linear_array:
            rows.append(arrays[0].size // arrays[0].shape[-1])
        return op(*arrays, **kwargs)

    cache = tt.KVCache.of(model, len(ids))
    before = tt.tensor.set_runner(run)
    try:
        for begin, end in zip([0, *cuts], [*cuts, ids.shape[1]], strict=True):
            y = tt.cached_scores(model, tt.Tensor(ids[:, begin:end]), cache)
            found.append([y.data, y.requires_grad, list(cache.lengths)])
    finally:
        tt.tensor.set_runner(before)
    return [found, rows]


def roomy(sizes, seed, ids, cuts):
    """How many places each layer has in the end."""
    tt.manual_seed(seed)
    model = tt.GPT(tt.GPTConfig(**sizes))
    cache = tt.KVCache.of(model, len(ids))
    for begin, end in zip([0, *cuts], [*cuts, ids.shape[1]], strict=True):
        tt.cached_scores(model, tt.Tensor(ids[:, begin:end]), cache)
    return list(cache.lengths)


def windows(lengths, block_size, hop):
    """Where the window begins."""
    return [int(tt.window_start(length, block_size, hop)) for length in lengths]


def written(sizes, seed, ids, new, settings):
    """The text, the rows that passed through products, and the next number of the generator."""
    rng, rows = np.random.default_rng(seed), []
    model = tt.GPT(tt.GPTConfig(**sizes))
    for p in model.parameters():
        p.data[...] = rng.normal(0, 0.5, p.shape)

    def run(op, arrays, kwargs):
        if op is tt.layers.linear_array:
            rows.append(arrays[0].size // arrays[0].shape[-1])
        return op(*arrays, **kwargs)

    given = tt.Tensor(ids)
    tt.manual_seed(seed)
    before = tt.tensor.set_runner(run)
    try:
        y = tt.generate_cached(model, given, new, **settings)
    finally:
        tt.tensor.set_runner(before)
    return [y.data, given.data, rows, float(tt.tensor.default_generator().random())]


def folded(weight, bias, scale, shift):
    """Matrix and bias with a norm's in them, and what was given."""
    norm = tt.LayerNorm(len(scale), bias=shift is not None, dtype=scale.dtype)
    norm.weight.data[...] = scale
    if shift is not None:
        norm.bias.data[...] = shift
    kept = None if bias is None else bias.copy()
    return [list(tt.fold_norm(norm, weight, bias)), weight, kept is None or (kept == bias).all()]


def centred(weight, bias):
    """Matrix and bias whose products have mean 0, and what was given."""
    return [list(tt.centre_outputs(weight, bias)), weight, bias]
