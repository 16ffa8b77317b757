"""Hidden and shown checks of 12_attention; otter-grader runs this file in the trusted process."""

import numpy as np
from otter.test_files import test_case

OK_FORMAT = False
name = "12_attention"
points = 100

DOUBLE = {"rtol": 1e-6, "atol": 1e-9}
SINGLE = {"rtol": 1e-4, "atol": 1e-5}


def hidden(name, points):
    """Make a check of which a student learns no more than the hint, the function's docstring."""
    return lambda check: test_case(name, points, hidden=True, failure_message=check.__doc__)(check)


def shown(name, points):
    """Make a check that also shows its values, or the exception."""
    return lambda check: test_case(name, points, hidden=False, failure_message=check.__doc__)(check)


def table(rng, *shape, dtype=np.float64):
    """Random numbers."""
    return rng.normal(0, 1, shape).astype(dtype)


def seen(rng, *shape):
    """A mask of bools with which some keys of every query take part, and some do not."""
    mask = rng.random(shape) < 0.5
    mask[..., 0], mask[..., -1] = True, False
    return mask


@shown("attention_weights: two queries, three keys", points=4)
def weights_small(agree, rng):
    """softmax(Q Kᵀ / √E) along the keys."""
    inputs = {"q": table(rng, 2, 4), "k": table(rng, 3, 4), "mask": None}
    agree("weighed", **inputs, is_causal=False, **DOUBLE)


@hidden("attention_weights: masks of bools and of floats", points=10)
def weights_masked(agree, refuses, rng):
    """True or not -inf: the key takes part. A query without keys has 0; call `_require_fit`."""
    q, k = table(rng, 2, 2, 4, 3), table(rng, 2, 2, 5, 3)
    for mask in (seen(rng, 4, 5), seen(rng, 2, 1, 4, 5), seen(rng, 1, 5), table(rng, 2, 4, 5)):
        agree("weighed", q=q, k=k, mask=mask, is_causal=False, **DOUBLE)
        single = mask if mask.dtype == bool else mask.astype(np.float32)
        inputs = {"q": q.astype(np.float32), "k": k.astype(np.float32), "mask": single}
        agree("weighed", **inputs, is_causal=False, **SINGLE)
    mask = seen(rng, 4, 5)
    mask[2] = False
    agree("weighed", q=q, k=k, mask=mask, is_causal=False, **DOUBLE)
    agree("weighed", q=100 * q, k=100 * k, mask=mask, is_causal=False, **DOUBLE)
    for some in (np.where(mask, 0.0, -np.inf), np.where(seen(rng, 1, 5), 0.5, -np.inf)):
        agree("weights_alone", q=q, k=k, mask=some, **DOUBLE)
    good = {"q": q, "k": k, "mask": mask}
    for wrong in ({"k": k[:1]}, {"k": k[..., :2]}, {"mask": mask[:3]}):
        refuses("weights_alone", ValueError, bad={**good, **wrong}, good=good)
    for wrong in ({"k": k.astype(np.float32)}, {"mask": mask.astype(int)}):
        refuses("weights_alone", TypeError, bad={**good, **wrong}, good=good)


@hidden("attention_weights: causal", points=8)
def weights_causal(agree, rng):
    """Query i sees keys 0 … i, of those that the mask leaves; as many keys as queries or not."""
    for queries, keys in ((4, 4), (3, 6), (6, 3)):
        q, k = table(rng, 2, queries, 3), table(rng, 2, keys, 3)
        for mask in (None, seen(rng, queries, keys)[:, ::-1].copy(), table(rng, queries, keys)):
            agree("weighed", q=q, k=k, mask=mask, is_causal=True, **DOUBLE)


def sequences(rng, queries, keys, *lead, dtype=np.float64):
    """Queries, keys and values."""
    shapes = (queries, 3), (keys, 3), (keys, 2)
    q, k, v = (table(rng, *lead, *shape, dtype=dtype) for shape in shapes)
    return {"q": q, "k": k, "v": v}


@shown("scaled_dot_product_attention: two queries, three keys", points=4)
def attention_small(agree, rng):
    """softmax(Q Kᵀ / √E) V, as one operation with the keywords bias, is_causal and kept."""
    agree("attended", **sequences(rng, 2, 3), mask=None, is_causal=False, **DOUBLE)


@hidden("scaled_dot_product_attention: random shapes and masks", points=8)
def attention_random(agree, rng):
    """`_bias` makes of a mask what is added; a mask that learns, or hides a whole row, is fine."""
    is_causal = False
    for lead, queries, keys in (((), 3, 4), ((2,), 5, 5), ((2, 3), 4, 6), ((1, 2), 18, 18)):
        inputs = sequences(rng, queries, keys, *lead)
        for mask in (None, seen(rng, queries, keys), table(rng, 1, keys)):
            is_causal = not is_causal
            agree("attended", **inputs, mask=mask, is_causal=is_causal, **DOUBLE)
    inputs = sequences(rng, 4, 4, 2, dtype=np.float32)
    agree("attended", **inputs, mask=seen(rng, 4, 4), is_causal=True, **SINGLE)
    large = {name: 1000 * x for name, x in inputs.items()}
    agree("attended", **large, mask=None, is_causal=True, **SINGLE)
    inputs, mask = sequences(rng, 4, 5, 2, 2), seen(rng, 4, 5)
    for sign in (-1, 1):  # all scores of a row, or of a block, far on one side of 0
        far = {**inputs, "k": 1 + abs(inputs["k"]), "q": inputs["q"].copy()}
        far["q"][..., 1, :] = sign * 5000.0
        far["q"][..., 2:, :] = abs(far["q"][..., 2:, :])
        agree("attended", **far, mask=None, is_causal=False)
    agree("attended", **inputs, mask=2000 + table(rng, 4, 5), is_causal=False)
    mask[1] = False
    for some in (mask, np.where(mask, 0.5, -np.inf), seen(rng, 2, 1, 1, 5)):
        agree("attended", **inputs, mask=some, is_causal=False, **DOUBLE)
        agree("attended", **inputs, mask=some, is_causal=True, **DOUBLE)
    for is_causal in (False, True):
        agree("learned_mask", **inputs, mask=table(rng, 4, 5), is_causal=is_causal, **DOUBLE)
    for wanted in ([0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]):
        agree("keeping", **inputs, wanted=wanted)


@hidden("scaled_dot_product_attention: blocks, layout, weights kept", points=7)
def attention_blocks(agree, rng):
    """`blocks` says which queries and how many keys; y is np.empty_like(q); weights are kept."""
    for queries, keys, is_causal in ((18, 18, True), (5, 9, True), (20, 9, True), (4, 6, False)):
        q, k, v = table(rng, 2, queries, 2, 3), table(rng, 2, keys, 2, 3), table(rng, 2, keys, 2, 3)
        for bias in (None, table(rng, queries, keys), table(rng, 2, 2, queries, keys)):
            inputs = {"q": q, "k": k, "v": v, "bias": bias, "is_causal": is_causal}
            agree("attended_kernel", **inputs, **DOUBLE)


@hidden("scaled_dot_product_attention: what is refused", points=5)
def attention_refused(refuses, rng):
    """Call `_require_fit` first: nothing broadcasts but the mask, and ints are no mask."""
    good = {**sequences(rng, 3, 4, 2), "mask": seen(rng, 3, 4)}
    k, v = good["k"], good["v"]
    for wrong in ({"k": k[..., :2]}, {"v": v[:, :3]}, {"k": k[:1], "v": v[:1]}):
        refuses("attend", ValueError, bad={**good, **wrong}, good=good)
    refuses("attend", ValueError, bad={**good, "mask": seen(rng, 4, 3)}, good=good)
    for wrong in ({"mask": np.ones((3, 4), int)}, {"k": k.astype(np.float32)}):
        refuses("attend", TypeError, bad={**good, **wrong}, good=good)


def pull(agree, rng, queries, keys, is_causal, *lead, heads_last=False, dtype=np.float64, **close):
    """Hold all three gradients against the reference's."""
    inputs = sequences(rng, queries, keys, *lead, dtype=dtype)
    inputs["g"] = table(rng, *lead, queries, 2, dtype=dtype)
    if heads_last:
        inputs = {name: x.swapaxes(-3, -2).copy() for name, x in inputs.items()}
    agree("pulled", **inputs, is_causal=is_causal, heads_last=heads_last, **(close or DOUBLE))


@shown("attention_gradients: two queries, three keys", points=4)
def gradients_small(agree, rng):
    """V̄ = Pᵀ Ȳ; S̄ = P (Ȳ Vᵀ - Σ Ȳ Y); Q̄ = S̄ K / √E; K̄ = S̄ᵀ Q / √E."""
    pull(agree, rng, 2, 3, False)


@hidden("attention_gradients: random shapes", points=8)
def gradients_random(agree, rng):
    """`found` holds anything before, every number is written; the rest stays as it is."""
    for lead, queries, keys in (((), 3, 4), ((2,), 5, 5), ((2, 3), 4, 6), ((2, 2, 1), 6, 2)):
        pull(agree, rng, queries, keys, False, *lead)
        pull(agree, rng, queries, keys, True, *lead)
    pull(agree, rng, 4, 5, False, 2, 3, heads_last=True)
    pull(agree, rng, 4, 4, True, 2, dtype=np.float32, **SINGLE)


@hidden("attention_gradients: several blocks", points=8)
def gradients_blocks(agree, rng):
    """Each block adds its part to the keys and values that it sees; unseen ones get 0."""
    for queries, keys in ((18, 18), (20, 35), (35, 20)):
        pull(agree, rng, queries, keys, True, 2, 2)
    pull(agree, rng, 19, 1100, False, 2)  # too many keys for one block of so many queries


@shown("split_heads: two heads of two columns", points=3)
def heads_small(agree, rng):
    """Head h has the columns from h · E / H."""
    agree("split", x=table(rng, 3, 4), heads=2)


@hidden("split_heads: random sizes", points=4)
def heads_split(agree, rng):
    """(..., T, E) -> (..., H, T, E / H), a view."""
    for lead in ((), (2,), (2, 3)):
        heads, size = int(rng.integers(1, 5)), int(rng.integers(1, 4))
        agree("split", x=table(rng, *lead, 5, heads * size), heads=heads)


@hidden("split_heads: merging", points=3)
def heads_merge(agree, rng):
    """(..., H, T, D) -> (..., T, H · D): the inverse."""
    for lead in ((), (2,), (2, 3)):
        agree("merge", x=table(rng, *lead, int(rng.integers(2, 5)), 3, 2))


def state(rng, size, bias=True, dtype=np.float64):
    """The numbers of a layer."""
    shapes = {"in_proj_weight": (3 * size, size), "out_proj.weight": (size, size)}
    if bias:
        shapes |= {"in_proj_bias": (3 * size,), "out_proj.bias": (size,)}
    return {name: table(rng, *shape, dtype=dtype) for name, shape in shapes.items()}


@shown("MultiHeadAttention.reset_parameters: a sequence and two heads", points=4)
def layer_small(agree, rng):
    """Project, split, attend, merge, project."""
    inputs = {"state": state(rng, 4), "heads": 2, "inputs": [table(rng, 3, 4)], "mask": None}
    agree("answered", **inputs, is_causal=False, need_weights=False, **DOUBLE)


@hidden("MultiHeadAttention.reset_parameters: the numbers drawn", points=4)
def layer_drawn(agree, rng):
    """uniform(-b, b) of the whole in_proj_weight, b = √(6 / 4E); both biases 0; all noted."""
    for bias, dtype in ((True, "float32"), (False, "float32"), (True, "float64")):
        size, seed = int(rng.integers(2, 9)), int(rng.integers(1000))
        agree("drawn", size=size, bias=bias, seed=seed, dtype=dtype)


@hidden("MultiHeadAttention.reset_parameters: projections", points=5)
def layer_projects(agree, rng):
    """Each takes its third of in_proj_weight and in_proj_bias, if there is one, to be learned."""
    for bias in (True, False):
        q, k, v = table(rng, 2, 3, 6), table(rng, 2, 4, 6), table(rng, 2, 4, 6)
        agree("projected", state=state(rng, 6, bias), heads=3, q=q, k=k, v=v, **DOUBLE)


@hidden("MultiHeadAttention.reset_parameters: self-attention", points=6)
def layer_answers(agree, rng):
    """One `linear` for all three projections, one for out_proj; masks are handed on."""
    for bias, lead in ((True, (2,)), (False, ()), (True, (2, 1))):
        x = table(rng, *lead, 5, 6)
        inputs = {"state": state(rng, 6, bias), "heads": 2, "inputs": [x], "need_weights": False}
        agree("answered", **inputs, mask=None, is_causal=True, **DOUBLE)
        agree("answered", **inputs, mask=seen(rng, 5, 5), is_causal=False, **DOUBLE)
        agree("answered", **inputs, mask=table(rng, 5, 5), is_causal=True, **DOUBLE)
        inputs["inputs"] = [x] * 3  # one tensor
        agree("answered", **inputs, mask=None, is_causal=False, **DOUBLE)


@hidden("MultiHeadAttention.reset_parameters: other sequences, and weights", points=5)
def layer_cross(agree, rng):
    """Without value it is the key; need_weights adds the weights of every head, (..., H, L, S)."""
    x, other, third = table(rng, 2, 3, 6), table(rng, 2, 5, 6), table(rng, 2, 5, 6)
    for inputs in ([x, other], [x, other, third], [x], [x, x, third[:, :3]]):
        keys = inputs[-1].shape[1]
        for need_weights in (True, False):
            given = {"state": state(rng, 6), "heads": 3, "inputs": inputs}
            mask = seen(rng, 2, 1, 1, keys)
            agree("answered", **given, mask=mask, is_causal=False, need_weights=need_weights)
            agree("answered", **given, mask=None, is_causal=True, need_weights=need_weights)
