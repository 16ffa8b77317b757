"""What eight bits cost in time, and what they leave of the bytes and of the answers.

Exact products of int8 against products of float32 of the same shape, layers of integers against
those of floats, and two networks that read the embedded digits before and after.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tests.bench.measure import Bar, median_ratio
from tests.bench.peers import times

PRODUCTS = [(1, 1024, 1024), (32, 784, 256), (256, 2048, 512), (512, 512, 512)]  # M, K, N
LAYERS = [("Linear", 1, 1024, 1024), ("Linear", 64, 1024, 512), ("Conv2d", 16, 32, 64)]
ROUNDS, BLOCK_FLOPS = 15, 4e8
PEERS = ("tests.bench.quantization:ours", "tests.bench.quantization:theirs")


def ours(kind: str, *sizes: int) -> Callable[[], object]:
    """Return one product, or one call of a layer, in integers."""
    from tinytorch import no_grad, quantization

    if kind == "product":
        a, b = integers(sizes)
        return lambda: quantization.int_matmul(a, b.T)
    layer, x = floats(kind, sizes)
    made = getattr(quantization, f"Quantized{kind}").from_float(layer, -4.0, 4.0)
    return no_grad()(lambda: made(x))


def theirs(kind: str, *sizes: int) -> Callable[[], object]:
    """Return the same in float32."""
    from tinytorch import no_grad

    if kind == "product":
        a, b = (array.astype(np.float32) for array in integers(sizes))
        return lambda: a @ b.T
    layer, x = floats(kind, sizes)
    return no_grad()(lambda: layer(x))


def integers(sizes: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return inputs (M, K) and weights (N, K), int8."""
    rng, (rows, inner, columns) = np.random.default_rng(0), sizes
    shapes = ((rows, inner), (columns, inner))
    return tuple(rng.integers(-128, 128, shape).astype(np.int8) for shape in shapes)


def floats(kind: str, sizes: tuple[int, ...]):
    """Return a layer of floats and inputs for it: images of 16 × 16 and kernels of 3 × 3."""
    from tinytorch import Conv2d, Linear, randn

    rows, inputs, outputs = sizes
    if kind == "Conv2d":
        return Conv2d(inputs, outputs, 3, padding=1), randn(rows, inputs, 16, 16)
    return Linear(inputs, outputs), randn(rows, inputs)


def bars() -> list[Bar]:
    """Measure the three promises; times in processes of one thread that take turns."""
    return [
        _time("int8 product, time", [("product", *sizes) for sizes in PRODUCTS], "float32's"),
        _time("int8 layer, time", LAYERS, "the layer's of floats"),
        *_digits(),
    ]


def _time(name: str, cases: list[tuple], against: str) -> Bar:
    """The worst of several shapes."""
    ratios = {}
    for kind, *sizes in cases:
        flops = 2 * np.prod(sizes) * (9 * 256 if kind == "Conv2d" else 1)
        steps = max(int(BLOCK_FLOPS / flops), 3)
        pairs = times(*PEERS, (kind, *sizes), steps, ROUNDS)
        ratios[" ".join(map(str, (kind, *sizes)))] = round(median_ratio(pairs), 3)
    each = ", ".join(f"{case}: {ratio:.2f}" for case, ratio in ratios.items())
    note = f"the worst of {each}; CPU time, one thread / {against}"
    return Bar(name, 2.0, max(ratios.values()), note=note, details=ratios)


def _digits() -> list[Bar]:
    """Bytes and answers of a network of each kind, trained on the embedded digits."""
    from tinytorch.quantization import model_bytes, quantize_model

    shares, lost, answers = {}, {}, {}
    for kind in ("linear", "convolutional"):
        model, x, held, truth = _trained(kind)
        made = quantize_model(model, [x])
        shares[kind] = model_bytes(made) / model_bytes(model)
        before, after = _right(model, held, truth), _right(made, held, truth)
        lost[kind], answers[kind] = 100 * (before - after), f"{before:.1%} and {after:.1%}"
    each = "; ".join(f"{kind}: {text} right" for kind, text in answers.items())
    note = f"float32 and int8, the embedded digits, a fifth held back, {each}"
    return [
        Bar("int8 model, bytes", 0.3, max(shares.values()), note=note, details=shares),
        Bar("int8 model, accuracy lost", 1.0, max(lost.values()), unit="points", note=note),
    ]


def _trained(kind: str) -> tuple:
    """A network, the digits it learned from, and those it did not, with their labels."""
    import tinytorch as tt
    from milestones import datasets

    x, y = datasets.digits()
    order = np.random.default_rng(0).permutation(len(x))
    tt.manual_seed(0)
    model = tt.Sequential(tt.Linear(64, 128), tt.ReLU(), tt.Linear(128, 10))
    if kind == "convolutional":
        x = x.reshape(-1, 1, 8, 8)
        front = [tt.Conv2d(1, 8, 3, padding=1), tt.ReLU(), tt.Conv2d(8, 16, 3, stride=2), tt.ReLU()]
        model = tt.Sequential(
            *front, tt.Flatten(), tt.Linear(144, 64), tt.ReLU(), tt.Linear(64, 10)
        )
    held, rest = order[: len(x) // 5], order[len(x) // 5 :]
    optimizer, rng = tt.Adam(model.parameters(), lr=3e-3), np.random.default_rng(0)
    for _ in range(12):
        for rows in np.array_split(rng.permutation(rest), len(rest) // 64):
            optimizer.zero_grad()
            tt.cross_entropy(model(tt.Tensor(x[rows])), tt.Tensor(y[rows])).backward()
            optimizer.step()
    return model.eval(), tt.Tensor(x[rest]), tt.Tensor(x[held]), y[held]


def _right(model, x, labels) -> float:
    from tinytorch import no_grad

    with no_grad():
        return float((model(x).data.argmax(axis=1) == labels).mean())
