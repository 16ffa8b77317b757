"""What the checks of 09_convolutions ask of a framework; each function travels alone."""

import numpy as np

import tinytorch as tt


def sizes(cases):
    """The number of places of each window."""
    return [int(tt.convolutions.output_size(*case)) for case in cases]


def size(case):
    """The number of places of a window that may not fit."""
    return int(tt.convolutions.output_size(*case))


def looped(x, weight, bias, how):
    """What the loops compute, and what they were given."""
    how = [tuple(part) for part in how[:3]] + [how[3]]
    bias = bias if bias.size else None
    return [tt.convolutions.conv2d_loops(x, weight, bias, *how), x, weight, bias]


def viewed(x, kernel, stride, dilation, places):
    """The windows of an array in several layouts, and whether their memory is its own."""
    found = []
    for layout in (
        x,
        x[::-1, :, ::2],
        np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 3, 1)), 1, 3),
    ):
        pairs = [tuple(pair) for pair in (kernel, stride, dilation, places)]
        view = tt.convolutions.patches(layout, *pairs)
        found.append([view, bool(np.may_share_memory(view, layout)), view.flags.writeable])
    return found


def convolved(x, weight, bias, how):
    """What the fast form computes, whether its channels lie last, and what it was given."""
    how = [tuple(part) for part in how[:3]] + [how[3]]
    bias = bias if bias.size else None
    y = tt.convolutions.conv2d_array(x, weight, bias, *how)
    return [y, y.transpose(0, 2, 3, 1).flags.c_contiguous, x, weight, bias]


def pulled(rule, y, x, others, g, settings, wanted):
    """What some maps of a rule send back, and what the rule was given."""
    settings = {k: tuple(v) if isinstance(v, list) else v for k, v in settings.items()}
    others = [None if isinstance(one, np.ndarray) and one.size == 0 else one for one in others]
    maps = getattr(tt.convolutions, rule)(y, x, *others, **settings)
    maps = maps if isinstance(maps, tuple) else (maps,)
    parts = [np.asarray(maps[i](g)) for i in wanted]
    vectors = [x.shape, *(np.shape(one) for one in others)]
    shaped = []
    for i, part in zip(wanted, parts, strict=True):
        extra = part.ndim - len(vectors[i])
        shaped.append(part.sum(axis=tuple(range(extra))) if extra > 0 else part)
    return [shaped, x, g, others]


def pooled(op, x, settings):
    """What a pool computes, and what it was given."""
    settings = {k: tuple(v) for k, v in settings.items()}
    return [getattr(tt.convolutions, op)(x, **settings), x]


def moments(x):
    """Mean and variance of each channel, and what they were taken of."""
    return [tt.convolutions.channel_moments(x), x]


def normed(x, weight, bias, mean, var, eps):
    """The formula of batch norm, with weight and bias and without."""
    return [
        tt.convolutions.batch_norm_array(x, weight, bias, mean, var, eps, True),
        tt.convolutions.batch_norm_array(x, None, bias, mean, var, eps, False),
        tt.convolutions.batch_norm_array(x, weight, None, mean, var, eps, False),
    ]


def run_norm(x, mean, var, weight, bias, settings):
    """Running moments after a batch, whether recipes learn of it, the recipe's own inputs."""
    running = tt.Tensor(mean), tt.Tensor(var)
    memory = [one.data for one in running]
    recipes = [
        tt.tensor.apply(np.negative, tt.tensor.from_numpy(one.data, True)).recipe for one in running
    ]
    x, *affine = (tt.Tensor(one, requires_grad=True) for one in (x, weight, bias))
    y = tt.batch_norm(x, *running, *affine, **settings)
    inputs = y.recipe.inputs
    return [
        [one.data for one in running],
        [one.data is kept for one, kept in zip(running, memory, strict=True)],
        [tt.tensor.changed_since(r.inputs[0], r) for r in recipes],
        [one is given for one, given in zip(inputs[:3], (x, *affine), strict=True)],
        x.data,
        [np.asarray(one.data) for one in inputs[3:5]],
        [getattr(one, "requires_grad", False) for one in inputs[3:5]],
        dict(y.recipe.kwargs),
    ]


def refused_norm(x, mean, var, weight, training):
    """The result and running moments, if a batch is taken."""
    given = [None if one.size == 0 else tt.Tensor(one) for one in (mean, var, weight)]
    *running, weight = given
    y = tt.batch_norm(tt.Tensor(x), *running, weight, training=training)
    return [y.data, [one.data for one in running if one is not None]]


def drawn(shape, groups, seed, dtype):
    """A layer's numbers as they are drawn anew, where, and whether recipes learn of it."""
    outputs, inputs, kh, kw = shape
    layer = object.__new__(tt.Conv2d)
    tt.Module.__init__(layer)
    layer.weight = tt.Parameter(np.zeros((outputs, inputs // groups, kh, kw), dtype))
    layer.bias = tt.Parameter(np.zeros(outputs, dtype))
    both = [layer.weight, layer.bias]
    memory = [one.data for one in both]
    recipes = [tt.tensor.apply(np.negative, one).recipe for one in both]
    tt.manual_seed(seed)
    layer.reset_parameters()
    found = [one.data.copy() for one in both]
    same = [one.data is kept for one, kept in zip(both, memory, strict=True)]
    noted = [tt.tensor.changed_since(r.inputs[0], r) for r in recipes]
    layer.bias = None
    layer.reset_parameters()
    return [found, same, noted, layer.weight.data]
