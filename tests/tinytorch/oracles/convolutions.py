"""PyTorch's convolutions, pools and batch norms: results, gradients, a network's memory."""

import zlib

import numpy as np

# Shapes of x and weight, and the settings, where ints stand for pairs.
CONVOLUTIONS = {
    "plain": ((2, 3, 5, 6), (4, 3, 3, 2), {}),
    "strided": ((2, 2, 6, 7), (3, 2, 3, 3), {"stride": (2, 3), "padding": (1, 2)}),
    "dilated": ((1, 2, 7, 8), (3, 2, 2, 3), {"dilation": (3, 2), "padding": 1}),
    "grouped": ((2, 6, 4, 4), (4, 3, 3, 3), {"groups": 2, "padding": 1}),
    "depthwise": ((2, 3, 6, 5), (6, 1, 3, 3), {"groups": 3, "stride": 2, "padding": 1}),
    "all": ((2, 4, 9, 8), (6, 2, 2, 3), dict(stride=2, padding=3, dilation=2, groups=2)),
    "pointwise": ((2, 5, 3, 4), (3, 5, 1, 1), {}),
    "pointwise strided": ((2, 5, 4, 4), (3, 5, 1, 1), {"stride": 2, "padding": 1}),
    "wide": ((2, 18, 4, 5), (3, 18, 3, 3), {"padding": 2}),
    "cut": ((1, 17, 3, 4), (2, 17, 2, 1), {"padding": (2, 1), "dilation": (1, 2)}),
    "same": ((2, 2, 5, 6), (3, 2, 3, 5), {"padding": "same", "dilation": (2, 1)}),
    "valid": ((1, 2, 4, 4), (2, 2, 3, 3), {"padding": "valid"}),
}
# Kernel, stride, padding.
POOLS = {
    "halves": (2, None, 0),
    "overlap": (3, 2, 1),
    "uneven": ((2, 3), (3, 1), (1, 0)),
    "single": (1, 1, 0),
    "apart": ((1, 2), (2, 3), 0),
}
REGIONS = {"one": 1, "pair": (2, 3), "larger": (7, 4)}
# Shape, weight and bias, training.
NORMS = {
    "rows": ((4, 3), True, True),
    "lines": ((2, 3, 5), True, True),
    "images": ((3, 3, 4, 2), True, True),
    "plain": ((3, 3, 4, 2), False, True),
    "in use": ((3, 3, 4, 2), True, False),
    "plain in use": ((4, 3), False, False),
}
SETTINGS = {"momentum": 0.3, "eps": 1e-3}
BATCHES, IMAGE = 3, (6, 2, 9, 9)


def draw(*names_and_shape):
    """Numbers that belong to a case, the same here and in the tests."""
    *names, shape = names_and_shape
    seed = zlib.crc32(" ".join(names).encode())
    return np.random.default_rng(seed).normal(0, 1, shape)


def pooled():
    """Images with many equal numbers, of which the first counts."""
    return np.random.default_rng(5).integers(-2, 3, (2, 3, 6, 7)).astype(np.float64)


def norm_inputs(name):
    """The images, weight, bias and running moments of a case of NORMS."""
    shape, affine, _ = NORMS[name]
    vectors = [draw(name, part, (3,)) for part in ("weight", "bias", "mean", "var")]
    vectors[3] = np.abs(vectors[3]) + 0.5
    return [2 + 3 * draw(name, shape), *(vectors[:2] if affine else (None, None)), *vectors[2:]]


def arrays():
    """`<operation>.<case>.y`, and the gradients of its inputs as `.0`, `.1`, `.2`."""
    import torch.nn.functional as F

    found = {}
    for name, (x, weight, how) in CONVOLUTIONS.items():
        inputs = [draw(name, "x", x), draw(name, "w", weight), draw(name, "b", weight[:1])]
        _record(found, f"conv2d.{name}", lambda *i, how=how: F.conv2d(*i, **how), inputs)
    for name, how in POOLS.items():
        for pool in ("max_pool2d", "avg_pool2d"):
            _record(
                found, f"{pool}.{name}", lambda x, p=pool, h=how: getattr(F, p)(x, *h), [pooled()]
            )
    for name, size in REGIONS.items():
        _record(found, f"regions.{name}", lambda x, s=size: F.adaptive_avg_pool2d(x, s), [pooled()])
    for name in NORMS:
        _norm(found, name)
    return found | _network()


def _record(found, key, function, inputs):
    import torch

    leaves = [x if x is None else torch.tensor(x, requires_grad=True) for x in inputs]
    y = function(*leaves)
    y.backward(torch.tensor(draw(key, y.shape)))
    found[f"{key}.y"] = y.detach().numpy()
    for i, leaf in enumerate(leaves):
        if leaf is not None:
            found[f"{key}.{i}"] = leaf.grad.numpy()


def _norm(found, name):
    import torch
    import torch.nn.functional as F

    *inputs, mean, var = norm_inputs(name)
    running = [torch.tensor(mean), torch.tensor(var)]

    def norm(x, weight, bias):
        return F.batch_norm(x, *running, weight, bias, NORMS[name][2], **SETTINGS)

    _record(found, f"batch_norm.{name}", norm, inputs)
    found[f"batch_norm.{name}.mean"], found[f"batch_norm.{name}.var"] = map(
        torch.Tensor.numpy, running
    )


def _network():
    """A small network's state before and after three batches in training, and its answer in use."""
    import torch
    from torch import nn

    torch.manual_seed(0)
    layers = [nn.Conv2d(2, 4, 3, stride=2, padding=1, groups=2), nn.BatchNorm2d(4), nn.ReLU()]
    layers += [
        nn.MaxPool2d(3, 2, 1),
        nn.Conv2d(4, 3, 1, bias=False),
        nn.BatchNorm2d(3, momentum=None),
    ]
    layers += [
        nn.AvgPool2d(2, 1),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.BatchNorm1d(3, affine=False),
    ]
    model = nn.Sequential(*layers)
    found = {f"before.{k}": v.numpy().copy() for k, v in model.state_dict().items()}
    for batch in range(BATCHES):
        model(torch.tensor(draw("batch", str(batch), IMAGE).astype(np.float32)))
    found |= {f"after.{k}": v.numpy().copy() for k, v in model.state_dict().items()}
    model.eval()
    answer = model(torch.tensor(draw("batch", "0", IMAGE).astype(np.float32)))
    return found | {"answer": answer.detach().numpy()}
