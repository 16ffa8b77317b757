"""Hidden and shown checks of 09_convolutions, run by otter-grader in the trusted process."""

import numpy as np
from otter.test_files import test_case

OK_FORMAT = False
name = "09_convolutions"
points = 100

PLAIN = [[1, 1], [0, 0], [1, 1], 1]  # stride, padding, dilation, groups
NONE = np.zeros(0)
SINGLE = {"rtol": 2e-5, "atol": 2e-5}


def hidden(name, points):
    """Make a check of which a student learns no more than the hint, the function's docstring."""
    return lambda check: test_case(name, points, hidden=True, failure_message=check.__doc__)(check)


def shown(name, points):
    """Make a check that also shows its values, or the exception."""
    return lambda check: test_case(name, points, hidden=False, failure_message=check.__doc__)(check)


def normal(rng, *shape, dtype=np.float64):
    """Random numbers."""
    return rng.normal(0, 1, shape).astype(dtype)


def convolution(rng, x, weight, how, bias=True, dtype=np.float64):
    """Inputs of a convolution of these shapes."""
    return {
        "x": normal(rng, *x, dtype=dtype),
        "weight": normal(rng, *weight, dtype=dtype),
        "bias": normal(rng, weight[0], dtype=dtype) if bias else NONE,
        "how": how,
    }


@shown("output_size: by hand", 1)
def sizes_small(agree, rng):
    """(size + 2 · padding - span) // stride + 1; a span is dilation · (kernel - 1) + 1."""
    agree("sizes", cases=[[5, 3, 1, 0], [5, 3, 2, 1], [int(rng.integers(8, 20)), 2, 3, 0, 4]])


@hidden("output_size: random windows", 2)
def sizes_random(agree, rng):
    """A window that stops short of the end is no window: round down."""
    draw = [rng.integers(low, high, 30).tolist() for low, high in ((9, 20), (1, 4), (1, 5), (0, 4))]
    agree("sizes", cases=[[*case, int(rng.integers(1, 4))] for case in zip(*draw, strict=True)])


@hidden("output_size: too large", 2)
def sizes_refused(refuses, rng):
    """A span of more than size + 2 · padding does not fit: ValueError. One as large does, once."""
    n, p = int(rng.integers(2, 9)), int(rng.integers(0, 3))
    for stride in (1, 7):
        good = {"case": [n, n + 2 * p, stride, p]}
        refuses("size", ValueError, bad={"case": [n, n + 2 * p + 1, stride, p]}, good=good)
    refuses(
        "size", ValueError, bad={"case": [n, 3, 1, 0, n]}, good={"case": [2 * n + 1, 3, 1, 0, n]}
    )


def refused_window(refuses, rng, probe):
    """A window one longer than fits would stand in no place at all: it is refused."""
    good = convolution(rng, (1, 1, 2, 3), (1, 1, 2, 2), PLAIN)
    for kernel in ((3, 2), (2, 4)):
        bad = {**good, "weight": normal(rng, 1, 1, *kernel)}
        refuses(probe, ValueError, bad=bad, good=good)


@shown("conv2d_loops: one kernel", 3)
def loops_small(agree, rng):
    """Multiply what lies on each other, add it up, add the bias, move on."""
    agree("looped", **convolution(rng, (1, 1, 3, 4), (1, 1, 2, 2), PLAIN))


@hidden("conv2d_loops: 5 × 5, channels, stride and padding", 5)
def loops_settings(agree, refuses, rng):
    """A kernel sums over its channels; row i' = i · stride + a - padding; outside of x is 0."""
    agree("looped", **convolution(rng, (2, 2, 5, 5), (3, 2, 3, 2), PLAIN, bias=False))
    how = [[2, 1], [1, 2], [1, 1], 1]
    agree("looped", **convolution(rng, (1, 2, 5, 5), (2, 2, 3, 3), how))
    floats = convolution(rng, (1, 1, 5, 5), (1, 1, 2, 3), how, dtype=np.float32)
    agree("looped", **floats, **SINGLE)
    refused_window(refuses, rng, "looped")


@hidden("conv2d_loops: dilation and groups", 5)
def loops_groups(agree, rng):
    """The numbers of a window stand `dilation` apart; outputs see the channels of their group."""
    agree("looped", **convolution(rng, (1, 1, 5, 5), (2, 1, 2, 3), [[1, 1], [1, 0], [3, 2], 1]))
    agree("looped", **convolution(rng, (1, 6, 3, 3), (4, 3, 2, 2), [[1, 1], [0, 0], [1, 1], 2]))
    agree("looped", **convolution(rng, (1, 3, 4, 3), (6, 1, 2, 1), [[1, 2], [1, 1], [2, 1], 3]))


@shown("patches: nine pixels", 2)
def patches_small(agree, rng):
    """Four windows of 2 × 2, without a copy."""
    how = {"stride": [1, 1], "dilation": [1, 1], "places": [2, 1]}
    agree("viewed", x=normal(rng, 1, 3, 3, 1), kernel=[2, 1], **how)


@hidden("patches: stride and dilation", 4)
def patches_settings(agree, rng):
    """[n, i, j, a, b, c] is x[n, i · stride + a · dilation, j · stride + b · dilation, c]."""
    how = {"kernel": [3, 2], "stride": [1, 2], "dilation": [2, 1], "places": [3, 2]}
    agree("viewed", x=normal(rng, 2, 7, 9, 3), **how)
    how = {"kernel": [1, 2], "stride": [3, 1], "dilation": [1, 2], "places": [2, 1]}
    agree("viewed", x=normal(rng, 2, 5, 6, 2, dtype=np.float32), **how)


@hidden("patches: any layout", 3)
def patches_layout(agree, rng):
    """The strides are those that x has: it may be a view itself. The result is read-only."""
    how = {"kernel": [2, 2], "stride": [2, 1], "dilation": [1, 1], "places": [2, 2]}
    agree("viewed", x=normal(rng, 3, 4, 7, 2), **how)


@shown("conv2d_array: one kernel", 2)
def fast_small(agree, rng):
    """The same numbers as conv2d_loops."""
    agree("convolved", **convolution(rng, (1, 1, 3, 4), (1, 1, 2, 2), PLAIN))


@hidden("conv2d_array: channels, stride, padding", 5)
def fast_settings(agree, refuses, rng):
    """Where the windows are, a Slide says; the result has its channels last in memory."""
    agree("convolved", **convolution(rng, (2, 3, 6, 5), (4, 3, 3, 2), PLAIN, bias=False))
    how = [[2, 1], [1, 2], [1, 1], 1]
    agree("convolved", **convolution(rng, (2, 17, 5, 6), (3, 17, 3, 3), how))
    agree("convolved", **convolution(rng, (2, 5, 3, 4), (3, 5, 1, 1), PLAIN))
    floats = convolution(rng, (2, 3, 5, 5), (2, 3, 3, 3), how, dtype=np.float32)
    agree("convolved", **floats, **SINGLE)
    refused_window(refuses, rng, "convolved")


@hidden("conv2d_array: dilation, groups, no image", 5)
def fast_groups(agree, rng):
    """Each group is a convolution of its own; a batch may be empty."""
    agree("convolved", **convolution(rng, (2, 6, 7, 5), (4, 3, 3, 2), [[1, 2], [2, 1], [2, 3], 2]))
    agree("convolved", **convolution(rng, (2, 3, 4, 4), (6, 1, 3, 3), [[1, 1], [1, 1], [1, 1], 3]))
    agree("convolved", **convolution(rng, (0, 2, 4, 4), (3, 2, 3, 3), PLAIN))


def rule(agree, rng, x, weight, how, wanted, dtype=np.float64, bias=True, **close):
    """Compare maps of conv2d_rule on inputs of these shapes."""
    stride, padding, dilation, groups = how
    spans = [d * (k - 1) + 1 for d, k in zip(dilation, weight[2:], strict=True)]
    settings = zip(x[2:], padding, spans, stride, strict=True)
    shape = (x[0], weight[0], *((n + 2 * p - span) // s + 1 for n, p, span, s in settings))
    agree(
        "pulled",
        rule="conv2d_rule",
        y=np.zeros(shape, dtype),
        x=normal(rng, *x, dtype=dtype),
        others=[normal(rng, *weight, dtype=dtype), normal(rng, bias * weight[0], dtype=dtype)],
        g=normal(rng, *shape, dtype=dtype),
        settings={"stride": stride, "padding": padding, "dilation": dilation, "groups": groups},
        wanted=wanted,
        **close,
    )


@shown("conv2d_rule: one kernel", 3)
def rule_small(agree, rng):
    """A weight gets what lay below it, a pixel the weights that lay on it, the bias all of g."""
    rule(agree, rng, (1, 1, 3, 4), (1, 1, 2, 2), PLAIN, [0, 1, 2])


@hidden("conv2d_rule: to the weight and the bias", 5)
def rule_weight(agree, rng):
    """Xᵀ Ḡ in the order (KH, KW, C), turned into the weight's shape; the bias may be None."""
    rule(agree, rng, (2, 3, 5, 4), (4, 3, 3, 2), [[2, 1], [1, 2], [1, 1], 1], [1, 2])
    rule(agree, rng, (2, 3, 3, 4), (2, 3, 2, 2), PLAIN, [0, 1], bias=False)
    rule(agree, rng, (2, 4, 5, 5), (6, 2, 2, 2), [[1, 1], [0, 1], [2, 1], 2], [1, 2])


@hidden("conv2d_rule: to the images", 5)
def rule_images(agree, rng):
    """What a pixel got in each of its windows is added up; padding is cut off again."""
    rule(agree, rng, (2, 3, 5, 4), (4, 3, 3, 2), [[1, 1], [1, 0], [1, 1], 1], [0])
    rule(agree, rng, (2, 17, 4, 5), (3, 17, 3, 3), [[1, 1], [1, 2], [1, 1], 1], [0])
    rule(agree, rng, (1, 16, 3, 4), (2, 16, 2, 1), [[1, 1], [3, 1], [1, 1], 1], [0])
    close = {"dtype": np.float32, **SINGLE}
    rule(agree, rng, (2, 16, 4, 4), (3, 16, 3, 3), [[1, 1], [0, 0], [1, 1], 1], [0], **close)


@hidden("conv2d_rule: stride, dilation, groups", 3)
def rule_settings(agree, rng):
    """Strides leave pixels that no window saw: their gradient is 0."""
    rule(agree, rng, (2, 2, 6, 7), (3, 2, 3, 2), [[2, 3], [1, 0], [1, 2], 1], [0])
    rule(agree, rng, (1, 16, 6, 5), (2, 16, 2, 3), [[2, 1], [0, 1], [1, 1], 1], [0])
    rule(agree, rng, (1, 34, 4, 4), (4, 17, 2, 2), [[1, 1], [2, 1], [2, 1], 2], [0])


def window(kernel, stride, padding=(0, 0)):
    """The settings of a pool."""
    return {"kernel_size": list(kernel), "stride": list(stride), "padding": list(padding)}


def pool_rule(agree, rng, reference, kind, x, settings):
    """Compare a pool's rule, given the right result."""
    y = reference.run("pooled", op=f"{kind}_array", x=x, settings=settings)[0]
    g, inputs = normal(rng, *y.shape), {"others": [], "settings": settings, "wanted": [0]}
    agree("pulled", rule=f"{kind}_rule", y=y, x=x, g=g, **inputs)


def ties(rng, *shape):
    """Images in which many numbers are equal."""
    return rng.integers(-3, 3, shape).astype(np.float64)


@shown("max_pool2d_array: 2 × 2", 2)
def max_small(agree, reference, rng):
    """The largest number of each window, and its gradient to the first of these."""
    x = ties(rng, 1, 2, 4, 4)
    agree("pooled", op="max_pool2d_array", x=x, settings=window((2, 2), (2, 2)))
    pool_rule(agree, rng, reference, "max_pool2d", x, window((2, 2), (2, 2)))


@hidden("max_pool2d_array: windows of all kinds", 5)
def max_settings(agree, rng):
    """Padding never counts, beside the lowest numbers either; NaN wins; the dtype stays."""
    for settings in (
        window((3, 2), (2, 2), (1, 1)),
        window((2, 3), (1, 2)),
        window((1, 1), (2, 3)),
    ):
        agree(
            "pooled", op="max_pool2d_array", x=-1 - abs(normal(rng, 2, 3, 6, 7)), settings=settings
        )
    low = {"op": "max_pool2d_array", "settings": window((3, 3), (2, 2), (1, 1))}
    agree("pooled", x=-1e30 * rng.uniform(1, 2, (1, 2, 4, 5)).astype(np.float32), **low)
    holes = np.where(rng.random((2, 2, 5, 6)) < 0.1, np.nan, normal(rng, 2, 2, 5, 6))
    agree("pooled", x=holes, finite=False, **low)


@hidden("max_pool2d_array: gradients", 5)
def max_gradients(agree, reference, rng):
    """The first of equals, line by line; gradients of windows that overlap add up."""
    for settings in (
        window((2, 2), (2, 2)),
        window((3, 3), (2, 1), (1, 1)),
        window((1, 2), (3, 3)),
    ):
        pool_rule(agree, rng, reference, "max_pool2d", ties(rng, 2, 3, 6, 7), settings)


@shown("avg_pool2d_array: halves", 2)
def avg_small(agree, reference, rng):
    """The mean of each window or region, and equal shares of its gradient."""
    x = normal(rng, 1, 2, 2, 4)
    agree("pooled", op="avg_pool2d_array", x=x, settings=window((2, 2), (2, 2)))
    pool_rule(agree, rng, reference, "avg_pool2d", x, window((2, 2), (2, 2)))
    agree("pooled", op="adaptive_avg_pool2d_array", x=x, settings={"output_size": [1, 2]})


@hidden("avg_pool2d_array: windows", 4)
def avg_settings(agree, reference, rng):
    """The zeros of the padding count; shares of windows that overlap add up."""
    for settings in (window((3, 2), (2, 1), (1, 1)), window((2, 3), (3, 2))):
        x = normal(rng, 2, 3, 6, 7)
        agree("pooled", op="avg_pool2d_array", x=x, settings=settings)
        pool_rule(agree, rng, reference, "avg_pool2d", x, settings)
        agree("pooled", op="avg_pool2d_array", x=x.astype("f"), settings=settings, **SINGLE)


@hidden("avg_pool2d_array: regions", 3)
def avg_regions(agree, reference, rng):
    """From ⌊i · H / OH⌋ to ⌈(i + 1) · H / OH⌉, also where there are more regions than numbers."""
    for size in ([1, 1], [2, 3], [7, 4]):
        x, settings = normal(rng, 2, 3, 5, 7), {"output_size": size}
        agree("pooled", op="adaptive_avg_pool2d_array", x=x, settings=settings)
        floats = {"x": x.astype("f"), "settings": settings}
        agree("pooled", op="adaptive_avg_pool2d_array", **floats, **SINGLE)
        pool_rule(agree, rng, reference, "adaptive_avg_pool2d", x, settings)


def vectors(rng, channels=3):
    """Mean and variance of channels."""
    return {"mean": normal(rng, channels), "var": rng.uniform(0.5, 2, channels)}


def affine(rng, channels):
    """Weight and bias of channels."""
    return {"weight": normal(rng, channels), "bias": normal(rng, channels)}


@shown("channel_moments: a small batch", 2)
def norm_small(agree, rng):
    """Moments, formula, running moments: r ← (1 - momentum) · r + momentum · new."""
    x = normal(rng, 4, 3)
    agree("moments", x=x)
    agree("normed", x=x, weight=normal(rng, 3), bias=normal(rng, 3), **vectors(rng), eps=0.1)
    settings = {"training": True, "momentum": 0.25}
    agree("run_norm", x=x, **vectors(rng), **affine(rng, 3), settings=settings)


@hidden("channel_moments: moments and formula", 5)
def norm_formula(agree, rng):
    """Over all numbers of a channel; Σ (x - mean)² / n in two passes; √(var + eps) divides."""
    for shape in ((5, 3), (2, 3, 4), (2, 3, 3, 5)):
        x = 3 + 2 * normal(rng, *shape)
        agree("moments", x=x)
        agree("normed", x=x, weight=normal(rng, 3), bias=normal(rng, 3), **vectors(rng), eps=0.3)
    far = normal(rng, 64, 2, dtype=np.float32) + 4000
    agree("moments", x=far, rtol=1e-4)
    floats = {**vectors(rng, 2), **affine(rng, 2), "x": normal(rng, 5, 2)}
    floats = {name: x.astype(np.float32) for name, x in floats.items()}
    agree("normed", **floats, eps=0.3, **SINGLE)


@hidden("channel_moments: running moments", 5)
def norm_running(agree, refuses, rng):
    """In training by the share momentum, the variance by n - 1, noted; in use nothing moves."""
    for training in (True, False):
        settings = {"training": training, "momentum": float(rng.uniform(0.1, 0.4)), "eps": 0.01}
        for shape in ((3, 2), (2, 2, 1, 3), (1, 2, 4)):
            given = {"x": normal(rng, *shape), **vectors(rng, 2), **affine(rng, 2)}
            agree("run_norm", **given, settings=settings)
    good = {"x": normal(rng, 2, 3), **vectors(rng), "weight": NONE, "training": True}
    wrong = ({"x": good["x"][:1]}, {"x": good["x"][0]}, {"var": np.ones(1)}, {"mean": np.ones(4)})
    for bad in (*wrong, {"weight": np.ones((2, 3))}):
        refuses("refused_norm", ValueError, bad={**good, **bad}, good=good)
    for missing in ({"mean": NONE}, {"var": NONE}, {"mean": NONE, "var": NONE}):
        fine = {**good, **missing}
        refuses("refused_norm", ValueError, bad={**fine, "training": False}, good=fine)


def norm_rule(agree, rng, shape, training, affine=True, dtype=np.float64, **close):
    """Compare batch_norm_rule, in training with the batch's own moments."""
    x = 1 + normal(rng, *shape, dtype=dtype)
    rest = tuple(axis for axis in range(x.ndim) if axis != 1)
    own = [x.mean(axis=rest), x.var(axis=rest)]
    moments = own if training else [part.astype(dtype) for part in vectors(rng).values()]
    affine = [normal(rng, 3, dtype=dtype) for _ in "wb"] if affine else [NONE, NONE]
    agree(
        "pulled",
        rule="batch_norm_rule",
        y=np.zeros_like(x),
        x=x,
        others=[*affine, *moments],
        g=normal(rng, *shape, dtype=dtype),
        settings={"eps": 0.1, "training": training},
        wanted=[0, 1, 2] if affine[0].size else [0],
        **close,
    )


@shown("batch_norm_rule: a small batch", 2)
def norm_rule_small(agree, rng):
    """Σ g x̂ for weight, Σ g for bias; both are taken out of g in training."""
    norm_rule(agree, rng, (4, 3), training=True)


@hidden("batch_norm_rule: in training", 3)
def norm_rule_training(agree, rng):
    """w / σ · (g - Σ g / n - x̂ · Σ g x̂ / n), where n counts all numbers of a channel."""
    norm_rule(agree, rng, (2, 3, 4), training=True)
    norm_rule(agree, rng, (3, 3, 2, 3), training=True, affine=False)
    norm_rule(agree, rng, (3, 3, 2, 3), training=True, dtype=np.float32, rtol=1e-4, atol=1e-4)


@hidden("batch_norm_rule: in use", 3)
def norm_rule_use(agree, rng):
    """Running moments do not move with x: w g / σ."""
    norm_rule(agree, rng, (4, 3), training=False)
    norm_rule(agree, rng, (2, 3, 2, 3), training=False)
    norm_rule(agree, rng, (2, 3, 4), training=False, affine=False)


def layer(rng, groups):
    """What `drawn` needs."""
    shape = [2 * groups, 3 * groups, int(rng.integers(2, 5)), int(rng.integers(5, 8))]
    return {"shape": shape, "groups": groups, "seed": int(rng.integers(10**6))}


@shown("Conv2d.reset_parameters: one group", 1)
def reset_small(agree, rng):
    """Uniform in [-1/√n, 1/√n), n = C · KH · KW, weight before bias, from default_generator()."""
    agree("drawn", **layer(rng, 1), dtype="float32")


@hidden("Conv2d.reset_parameters: groups", 2)
def reset_groups(agree, rng):
    """With groups, an output sees C / groups channels; if it sees none, its bias is 0."""
    agree("drawn", **layer(rng, 2), dtype="float64")
    agree("drawn", shape=[3, 0, 2, 2], groups=1, seed=int(rng.integers(10**6)), dtype="float32")


@hidden("Conv2d.reset_parameters: in place", 1)
def reset_in_place(agree, rng):
    """Into the memory that the parameters have, told to `note_change`; a bias may be None."""
    agree("drawn", **layer(rng, 3), dtype="float32")
