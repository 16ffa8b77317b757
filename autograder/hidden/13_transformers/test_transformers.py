"""Checks of 13_transformers, hidden and shown; otter-grader runs this in the trusted process."""

import math

import numpy as np
from otter.test_files import test_case

OK_FORMAT = False
name = "13_transformers"
points = 100

SINGLE = {"rtol": 2e-5, "atol": 5e-6}
NONE = np.zeros(0)  # stands for None


def hidden(name, points):
    """Make a check of which a student learns no more than the hint, the function's docstring."""
    return lambda check: test_case(name, points, hidden=True, failure_message=check.__doc__)(check)


def shown(name, points):
    """Make a check that also shows its values, or the exception."""
    return lambda check: test_case(name, points, hidden=False, failure_message=check.__doc__)(check)


def numbers(rng, *shape, dtype=np.float64, mean=0.0):
    """Random numbers."""
    return rng.normal(mean, 1, shape).astype(dtype)


def sizes(**others):
    """A configuration of small sizes."""
    small = {"vocab_size": 7, "block_size": 4, "n_layer": 2, "n_head": 1, "n_embd": 4}
    return {**small, "dropout": 0.0, **others}


@shown("layer_norm_array: two rows", points=3)
def layer_norm_small(agree, rng):
    """weight · (x - mean) / √(variance + eps) + bias, mean and variance those of each row."""
    x = np.array([[0.0, 4.0], [rng.normal(), 7.0]])
    parameters = [np.array([1.0, 10.0]), np.array([0.5, 0.0])]
    agree("normed", kind="layer_norm_array", x=x, parameters=parameters, eps=1.0)


@hidden("layer_norm_array: random rows", points=8)
def layer_norm_random(agree, rng):
    """The divisor of the variance is n, eps is added under the root, a bias may be None."""
    eps = float(rng.uniform(0.1, 0.9))
    for shape, row in (((3, 5), (5,)), ((2, 3, 4), (3, 4)), ((4,), (4,)), ((2, 0, 3), (3,))):
        x, weight = numbers(rng, *shape, mean=3), numbers(rng, *row)
        for bias in (numbers(rng, *row), NONE):
            inputs = {"x": x, "parameters": [weight, bias], "eps": eps}
            agree("normed", kind="layer_norm_array", **inputs)
    agree("split", rows=numbers(rng, 4, 6, mean=2), eps=eps)
    single = {"x": numbers(rng, 3, 8, dtype=np.float32, mean=300)}
    single["parameters"] = [numbers(rng, 8, dtype=np.float32) for _ in "wb"]
    agree("normed", kind="layer_norm_array", **single, eps=1e-5, rtol=1e-3, atol=1e-3)


def rule(agree, rng, kind, array, shape, row, eps, *biases):
    """Ask a rule for the gradients of a random input."""
    for bias in biases or (None,):
        parameters = [numbers(rng, *row), *([] if bias is None else [bias])]
        x, g = numbers(rng, *shape, mean=1), numbers(rng, *shape)
        y = array(x, *parameters)
        agree("pulled", kind=kind, x=x, y=y, parameters=parameters, eps=eps, g=g)


@hidden("layer_norm_array: its gradients", points=11)
def layer_norm_gradients(agree, rng):
    """x gets r (h - mean(h) - c r² mean(h c)), h = w g; weight the sum of g c r; bias that of g."""
    eps = float(rng.uniform(0.1, 0.9))
    for shape, row in (((3, 5), (5,)), ((2, 3, 4), (3, 4)), ((4,), (4,)), ((2, 0, 3), (3,))):
        axes = tuple(range(-len(row), 0))

        def array(x, w, b, axes=axes):
            mean, spread = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
            return w * (x - mean) / np.sqrt(spread + eps) + (b if b.size else 0)

        biases = numbers(rng, *row), NONE
        rule(agree, rng, "layer_norm_rule", array, shape, row, eps, *biases)


@shown("rms_norm_array: two rows", points=3)
def rms_norm_small(agree, rng):
    """weight · x / √(mean(x²) + eps), the mean that of each row."""
    x = np.array([[1.0, 7.0], [rng.normal(), 2.0]])
    agree("normed", kind="rms_norm_array", x=x, parameters=[np.array([5.0, 10.0])], eps=0.5)


@hidden("rms_norm_array: random rows", points=5)
def rms_norm_random(agree, rng):
    """eps is added under the root; a row is all that weight spans; the dtype stays."""
    eps = float(rng.uniform(0.1, 0.9))
    for shape, row in (((3, 5), (5,)), ((2, 3, 4), (3, 4)), ((4,), (4,)), ((2, 0, 3), (3,))):
        x, weight = numbers(rng, *shape, mean=1), numbers(rng, *row)
        agree("normed", kind="rms_norm_array", x=x, parameters=[weight], eps=eps)
    x, weight = numbers(rng, 3, 8, dtype=np.float32), numbers(rng, 8, dtype=np.float32)
    agree("normed", kind="rms_norm_array", x=x, parameters=[weight], eps=1e-6, **SINGLE)


@hidden("rms_norm_array: its gradients", points=6)
def rms_norm_gradients(agree, rng):
    """x gets r (h - x r² mean(h x)), where h = w g; weight gets the sum of g x r over all rows."""
    eps = float(rng.uniform(0.1, 0.9))
    for shape, row in (((3, 5), (5,)), ((2, 3, 4), (3, 4)), ((4,), (4,))):
        axes = tuple(range(-len(row), 0))

        def array(x, w, axes=axes):
            return w * x / np.sqrt((x * x).mean(axes, keepdims=True) + eps)

        rule(agree, rng, "rms_norm_rule", array, shape, row, eps)


@shown("TransformerBlock.forward: one place", points=2)
def block_small(agree, rng):
    """h = x + dropout(attention(norm1(x))), then h + dropout(feed_forward(norm2(h)))."""
    agree("through_block", x=np.array([[1.0, rng.normal()]]), is_causal=None)


@hidden("TransformerBlock.forward: random places", points=7)
def block_random(agree, rng):
    """Attention is causal unless one says no, and is told so by name."""
    for is_causal in (None, True, False):
        agree("through_block", x=numbers(rng, 2, 3, 4), is_causal=is_causal)


@hidden("TransformerBlock.forward: the small network", points=5)
def feed_forward_random(agree, rng):
    """down(gelu(up(x))), for any number of axes in front."""
    for shape in ((2, 3, 4), (4,)):
        agree("fed", x=numbers(rng, *shape), up=numbers(rng, 4, 6), down=numbers(rng, 6, 4))


@hidden("GPT.reset_parameters: a new start", points=9)
def start_random(agree, rng):
    """Drawn in the order of `named_parameters`, each at once, into its own memory, and noted."""
    for layers in (1, 3):
        seed = int(rng.integers(1 << 30))
        agree("started", sizes=sizes(n_layer=layers, vocab_size=int(rng.integers(5, 9))), seed=seed)


@hidden("GPT.reset_parameters: parameters are counted", points=5)
def counted_random(agree, rng):
    """Shared ones once, buffers not at all, those that want no gradient like all others."""
    shapes = rng.integers(1, 9, (3, 2)).tolist()
    for shared in ([], [1], [0, 2, 2]):
        agree("counted", shapes=shapes, shared=shared)


@hidden("GPT.forward: through all parts", points=4)
def features_random(agree, refuses, rng):
    """Tokens, their places, dropout, all blocks, the norm; two axes, 1 to block_size places."""
    weight = numbers(rng, 7, 4)
    good = {"sizes": sizes(), "weight": weight, "ids": rng.integers(0, 7, (2, 4))}
    agree("features", **good)
    for shape in ((2, 5), (2, 0), (3,), (1, 2, 3)):
        bad = {**good, "ids": rng.integers(0, 7, shape)}
        refuses("features", ValueError, bad=bad, good=good)
    refuses("features", IndexError, bad={**good, "ids": np.array([[7]])}, good=good)


@hidden("GPT.forward: scores by the tokens' own vectors", points=5)
def scored_random(agree, rng):
    """The product of the features with token_embedding.weight, and nothing else."""
    inputs = {"weight": numbers(rng, 7, 4), "found": numbers(rng, 2, 3, 4)}
    agree("scored", sizes=sizes(), ids=rng.integers(0, 7, (2, 3)), **inputs)


@hidden("GPT.forward: the loss", points=5)
def loss_random(agree, refuses, rng):
    """The mean over all places that count; targets have the shape of the ids."""
    scores, ids = numbers(rng, 2, 3, 7), rng.integers(0, 7, (2, 3))
    targets = rng.integers(0, 7, (2, 3))
    agree("lost", scores=scores, ids=ids, targets=targets)
    some = targets.copy()
    some[0, 1] = -100
    agree("lost", scores=scores, ids=ids, targets=some)
    good = {"scores": scores, "ids": ids, "targets": targets}
    for wrong in (targets[:, :2], targets.reshape(3, 2)):
        refuses("lost", ValueError, bad={**good, "targets": wrong}, good=good)


@shown("next_probabilities: three ids", points=2)
def chances_small(agree, rng):
    """softmax(scores / temperature); what top_k and top_p leave sums up to 1 again."""
    for settings in ({}, {"temperature": 0.5}, {"top_k": 2}, {"top_p": 0.7}):
        agree("chances", scores=np.log([[1.0, 2.0, 5.0 + rng.random()]]), settings=settings)


@hidden("next_probabilities: temperature and top_k", points=5)
def chances_random(agree, refuses, rng):
    """0 takes the first of the largest; top_k keeps those equal to the k-th; no overflow."""
    scores = numbers(rng, 3, 6)
    equal = rng.permuted(np.array([[3.0, 3.0, 1.0, 0.0, 2.0, 2.0]] * 2), axis=1)
    for given in (scores, equal, scores.astype(np.float32)):
        close = SINGLE if given.dtype == np.float32 else {}
        for settings in ({"temperature": float(rng.uniform(0.2, 3))}, {"temperature": 0}):
            for top_k in (1, 3, 6, 9):
                agree("chances", scores=given, settings={**settings, "top_k": top_k}, **close)
    far = 3000 * scores + np.array([[0.0], [5e4], [-5e4]])
    for settings in ({}, {"temperature": 0.01}, {"top_k": 2}):
        agree("chances", scores=far, settings=settings)
    good = {"scores": scores, "settings": {"top_p": 1.0}}
    alone = [{"temperature": -0.5}, {"top_k": 0}, {"top_p": 0.0}, {"top_p": 1.5}]
    for wrong in (*alone, {"temperature": 0, "top_k": 0}, {"temperature": 0, "top_p": 0.0}):
        refuses("chances", ValueError, bad={"scores": scores, "settings": wrong}, good=good)


@hidden("next_probabilities: top_p", points=5)
def nucleus_random(agree, rng):
    """The largest, until they sum up to p or more; of equals the lower id; after top_k."""
    for given in (numbers(rng, 4, 6), np.log(np.array([[1.0, 2.0, 1.0, 2.0, 1.0, 1.0]]))):
        for top_p in (1e-6, *rng.uniform(0.1, 0.95, 4).tolist()):
            agree("chances", scores=given, settings={"top_p": top_p, "temperature": 0.7})
            agree("chances", scores=given, settings={"top_p": top_p, "top_k": 3})
    for top_p in (0.25, 0.5, 0.75):  # sums that are p to the bit
        agree("chances", scores=np.full((2, 4), rng.normal()), settings={"top_p": top_p})
    many = rng.integers(0, 2, (2, 90)).astype(np.float64)  # where not every sort keeps equals
    agree("chances", scores=many, settings={"top_p": float(rng.uniform(0.2, 0.9))})
    settings = {"top_p": 0.6, "temperature": 2.0}
    agree("chances", scores=numbers(rng, 3, 5, dtype=np.float32), settings=settings, **SINGLE)


@hidden("next_probabilities: drawing", points=3)
def drawn_random(agree, rng):
    """One u per row, from one call of `random`; the first running sum above u times the sum."""
    for shape in ((5, 4), (1, 9)):
        parts = rng.uniform(0, 1, shape) * (rng.random(shape) < 0.6) + 1e-3
        parts /= parts.sum(axis=1, keepdims=True)
        for dtype in (np.float64, np.float32):
            agree("drawn", chances=parts.astype(dtype), seed=int(rng.integers(1 << 30)))
        parts[:, 0] = 0  # never drawn, not by u = 0 either
        agree("drawn", chances=3 * parts, seed=int(rng.integers(1 << 30)))


def writing(rng, **others):
    """Tables of features that make every id depend on all that came before."""
    tables = [numbers(rng, 7, 4) * 2, numbers(rng, 7, 4)]
    given = {"sizes": sizes(), "tables": tables, "ids": rng.integers(0, 7, (2, 3))}
    return {**given, "count": 6, "seed": int(rng.integers(1 << 30)), **others}


@hidden("next_probabilities: writing on", points=4)
def written_greedy(agree, refuses, rng):
    """The last block_size ids are read, each row writes by itself, new ids come last."""
    for count in (0, 6):
        agree("written", **writing(rng, count=count, settings={"temperature": 0}))
    good = writing(rng, settings={"temperature": 0})
    for shape in ((2, 0), (3,), (1, 2, 3)):
        refuses("written", ValueError, bad={**good, "ids": np.zeros(shape, int)}, good=good)


@hidden("next_probabilities: writing from a seed", points=3)
def written_seeded(agree, rng):
    """A seed has a generator of its own; meanwhile eval and no_grad, afterwards as before."""
    drawn = {"temperature": math.sqrt(rng.uniform(0.5, 2)), "top_k": 5, "top_p": 0.5}
    for seed in (None, 0, int(rng.integers(1 << 30))):
        agree("written", **writing(rng, settings={**drawn, "seed": seed}))
    agree("written", **writing(rng, settings={"top_k": 0}))  # refused, and all is as before
