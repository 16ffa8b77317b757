"""What the checks of 12_attention ask of a framework; each function travels alone."""

import numpy as np

import tinytorch as tt


def weighed(q, k, mask, is_causal):
    """The weights, the gradients that pass through them, and what was given."""
    given = [tt.Tensor(x, requires_grad=True) for x in (q, k)]
    mask = None if mask is None else tt.Tensor(mask)
    if mask is not None and mask.dtype.kind == "f":
        mask.requires_grad = True
        given.append(mask)
    weights = tt.attention_weights(given[0], given[1], mask, is_causal)
    weights.backward(np.cos(np.arange(weights.size)).reshape(weights.shape).astype(q.dtype))
    return [weights.data, [x.grad.data for x in given], [x.data for x in given]]


def weights_alone(q, k, mask):
    """The weights alone."""
    mask = None if mask is None else tt.Tensor(mask)
    return tt.attention_weights(tt.Tensor(q), tt.Tensor(k), mask).data


def keeping(q, k, v, wanted):
    """Whether attention keeps its weights, where some of its inputs want a gradient."""
    given = [tt.Tensor(x, requires_grad=bool(w)) for x, w in zip((q, k, v), wanted, strict=True)]
    seen = []

    def look(op, arrays, kwargs):
        if op is tt.attention.attention_array:
            seen.append(kwargs["kept"] is None)
        return op(*arrays, **kwargs)

    before = tt.tensor.set_runner(look)
    try:
        tt.scaled_dot_product_attention(*given)
    finally:
        tt.tensor.set_runner(before)
    return seen


def learned_mask(q, k, v, mask, is_causal):
    """The answers under a mask that is learned, and all four gradients."""
    given = [tt.Tensor(x, requires_grad=True) for x in (q, k, v, mask)]
    y = tt.scaled_dot_product_attention(*given, is_causal=is_causal)
    y.backward(np.cos(y.data))
    return [y.data, [x.grad.data for x in given]]


def attended(q, k, v, mask, is_causal):
    """The answers, how they were made, and what was given."""
    given = [tt.Tensor(x, requires_grad=True) for x in (q, k, v)]
    mask = None if mask is None else tt.Tensor(mask)
    y = tt.scaled_dot_product_attention(*given, mask, is_causal)
    recipe = y.recipe
    one = recipe.op is tt.attention.attention_array
    same = [a is b for a, b in zip(recipe.inputs, given, strict=True)]
    causal = bool(recipe.kwargs["is_causal"])
    return [y.data, one, same, causal, sorted(recipe.kwargs), [x.data for x in given]]


def attended_kernel(q, k, v, bias, is_causal):
    """The answers of arrays whose heads stand side by side, their layout, the weights kept."""
    q, k, v = (x.transpose(0, 2, 1, 3) for x in (q, k, v))  # (B, T, H, E) -> (B, H, T, E)
    kept = []
    y = tt.attention.attention_array(q, k, v, bias, is_causal, kept)
    forgetful = tt.attention.attention_array(q, k, v, bias, is_causal, None)
    return [y, y.transpose(0, 2, 1, 3).flags.c_contiguous, kept, q, k, v, bias, forgetful]


def attend(q, k, v, mask):
    """The answers alone."""
    mask = None if mask is None else tt.Tensor(mask)
    return tt.scaled_dot_product_attention(*map(tt.Tensor, (q, k, v)), mask).data


def pulled(q, k, v, g, is_causal, heads_last):
    """The three gradients, in whatever memory they are to be written, and what was given."""
    if heads_last:
        q, k, v, g = (x.swapaxes(-3, -2) for x in (q, k, v, g))
    scores = q @ k.mT / np.sqrt(q.shape[-1]).astype(q.dtype)
    if is_causal:
        scores = np.where(np.tri(*scores.shape[-2:], dtype=bool), scores, -np.inf)
    p = np.exp(scores - scores.max(-1, keepdims=True))
    p = (p / p.sum(-1, keepdims=True)).astype(q.dtype)
    cuts = list(tt.attention.blocks(p.shape, q.itemsize, is_causal))
    weights = [p[one][..., rows, :end].copy() for one, rows, end in cuts]
    found, y = [np.full_like(x, np.nan) for x in (q, k, v)], p @ v
    given = [g, y, q, k, v]
    tt.attention.attention_gradients(*given, weights, is_causal, found)
    return [found, given, [x.sum() for x in weights]]


def split(x, heads):
    """The heads' columns, whether they are a view, and which operations made it."""
    given = tt.Tensor(x, requires_grad=True)
    y = tt.attention.split_heads(given, heads)
    y.backward(np.sin(y.data))
    return [y.data, np.shares_memory(y.data, given.data), given.grad.data]


def merge(x):
    """The columns side by side, and what comes back."""
    given = tt.Tensor(x, requires_grad=True)
    y = tt.attention.merge_heads(given)
    y.backward(np.sin(y.data))
    return [y.data, given.grad.data]


def drawn(size, bias, seed, dtype):
    """The first numbers, in the memory that is there, noted; and the next number."""
    layer = tt.MultiHeadAttention(size, 1, bias=bias, dtype=dtype)
    biases = [layer.in_proj_bias, layer.out_proj.bias] if bias else []
    changed = [layer.in_proj_weight, *biases]
    for p in changed:
        p.data[...] = 7
    layer.out_proj.weight.data[...] = 3
    memory = [p.data for p in changed]
    recipes = [tt.tensor.apply(np.negative, p).recipe for p in changed]
    tt.manual_seed(seed)
    layer.reset_parameters()
    noted = [tt.tensor.changed_since(p, r) for p, r in zip(changed, recipes, strict=True)]
    same = [p.data is m for p, m in zip(changed, memory, strict=True)]
    end = tt.tensor.default_generator().random()
    return [memory, same, noted, layer.out_proj.weight.data, end]


def projected(state, heads, q, k, v):
    """Queries, keys and values of all heads, and what the layer learns of them."""
    size = q.shape[-1]
    layer = tt.MultiHeadAttention(size, heads, bias="in_proj_bias" in state, dtype=q.dtype)
    layer.load_state_dict(state)
    made = layer.project(*map(tt.Tensor, (q, k, v)))
    for x in made:
        x.backward(np.cos(x.data))
    learned = [layer.in_proj_weight, layer.in_proj_bias]
    return [[x.data for x in made], [x.grad.data for x in learned if x is not None]]


def answered(state, heads, inputs, mask, is_causal, need_weights):
    """The layer's answer to sequences, what it learns, and how many products it took.

    Equal inputs are one tensor; the gradients of attention itself are this probe's.
    """
    x = inputs[0]
    layer = tt.MultiHeadAttention(x.shape[-1], heads, bias="in_proj_bias" in state, dtype=x.dtype)
    layer.load_state_dict(state)
    mask = None if mask is None else tt.Tensor(mask)
    seen = []

    def gradients(g, y, q, k, v, weights, is_causal, found):
        for into, x, n in zip(found, (q, k, v), (2, 3, 5), strict=True):
            into[...] = n * x

    def count(op, arrays, kwargs):
        seen.append(op is tt.layers.linear_array)
        return op(*arrays, **kwargs)

    tensors = [tt.Tensor(x) for x in inputs]
    tensors = [next(t for t in tensors if np.array_equal(t.data, x)) for x in inputs]
    before = tt.tensor.set_runner(count)
    try:
        y = layer(*tensors, attn_mask=mask, is_causal=is_causal, need_weights=need_weights)
    finally:
        tt.tensor.set_runner(before)
    y, weights = y if need_weights else (y, None)
    theirs = tt.attention.attention_gradients
    try:
        tt.attention.attention_gradients = gradients
        y.backward(np.cos(y.data))
    finally:
        tt.attention.attention_gradients = theirs
    learned = {name: p.grad.data for name, p in layer.named_parameters()}
    if need_weights:
        return [y.data, weights.data, learned]
    return [y.data, sum(seen), learned]
