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


def refused(shape, news):
    """Whether each append is refused, and all that the cache has after it."""
    cache, found = tt.KVCache(*shape), []
    for key, value in news:
        fits = True
        try:
            cache.append(0, key, value)
        except ValueError:
            fits = False
        found.append([fits, list(cache.lengths), cache.keys.copy(), cache.values.copy()])
    return found


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
    """The scores of some places at a time, whether they are recorded, and the rows that pass.

    And whether all are, to 1e-5, those of reading everything again.
    """
    rng, rows, found, close = np.random.default_rng(seed), [], [], []
    model = tt.GPT(tt.GPTConfig(**sizes))
    for p in model.parameters():
        p.data[...] = rng.normal(0, 0.5, p.shape)

    def run(op, arrays, kwargs):
        if op is tt.layers.linear_array:
            rows.append(arrays[0].size // arrays[0].shape[-1])
        return op(*arrays, **kwargs)

    cache, again = tt.KVCache.of(model, len(ids)), model(tt.Tensor(ids)).data
    before = tt.tensor.set_runner(run)
    try:
        for begin, end in zip([0, *cuts], [*cuts, ids.shape[1]], strict=True):
            y = tt.cached_scores(model, tt.Tensor(ids[:, begin:end]), cache)
            found.append([y.data, y.requires_grad, list(cache.lengths)])
            want = again[:, begin:end]
            close.append(bool((abs(y.data - want) <= 1e-5 * (1 + abs(want))).all()))
    finally:
        tt.tensor.set_runner(before)
    return [found, rows, close]


def roomy(sizes, seed, ids, cuts, places):
    """How many places each layer has in the end."""
    tt.manual_seed(seed)
    model = tt.GPT(tt.GPTConfig(**sizes))
    cache = tt.KVCache.of(model, len(ids), places)
    for begin, end in zip([0, *cuts], [*cuts, ids.shape[1]], strict=True):
        tt.cached_scores(model, tt.Tensor(ids[:, begin:end]), cache)
    return list(cache.lengths)


def windows(lengths, block_size, hop):
    """Where the window begins."""
    return [int(tt.window_start(length, block_size, hop)) for length in lengths]


def written(sizes, seed, ids, new, settings, folds):
    """The text, the rows that passed through products, and the next number of the generator.

    How norms are folded, where that is asked for, is this probe's own: they are left out.
    """
    rng, rows, module = np.random.default_rng(seed), [], tt.memoization
    model = tt.GPT(tt.GPTConfig(**sizes))
    for p in model.parameters():
        p.data[...] = rng.normal(0, 0.5, p.shape)

    def run(op, arrays, kwargs):
        if op is tt.layers.linear_array:
            rows.append(arrays[0].size // arrays[0].shape[-1])
        return op(*arrays, **kwargs)

    theirs = module.fold_norm, module.centre_outputs
    if folds:
        try:
            module.fold_norm = lambda norm, weight, bias: (weight, weight[:, 0])
            module.centre_outputs = lambda weight, bias: (weight, weight[:, 0])
            settings = {**settings, "folded": tt.Folded(model)}
        finally:
            module.fold_norm, module.centre_outputs = theirs
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
