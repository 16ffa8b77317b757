"""What a training step of three convolutional networks costs in time and memory, beside PyTorch.

PyTorch runs eagerly with its default settings. Last comes what the fast convolution saves against
the loops that students write first.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

import numpy as np

from tests.bench.measure import Bar
from tests.bench.peers import memory_bar, time_bar

PEERS = ("tests.bench.cnn:ours", "tests.bench.cnn:theirs")
# Images of a batch, the steps of a block, and what is promised for the time of a step.
NETWORKS = {
    "lenet": ((64, 1, 28, 28), 10, 1.0, "LeNet step", "1×28×28, batch 64, SGD"),
    "cifar": ((64, 3, 32, 32), 3, 1.1, "CIFAR CNN step", "3×32×32, 32-64, batch 64, SGD"),
    "norms": (
        (128, 3, 32, 32),
        1,
        1.15,
        "CNN with BatchNorm step",
        "3×32×32, 32-64-128, batch 128, Adam",
    ),
}
TINY = (2, 16)  # images, and their size
ROUNDS = 21


def lenet(nn, channels: int, size: int) -> list:
    """Two convolutions, three layers of the classic kind (LeCun et al., 1998)."""
    side = (size // 2 - 4) // 2
    return [
        *[nn.Conv2d(channels, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)],
        *[nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()],
        *[nn.Linear(16 * side * side, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU()],
        nn.Linear(84, 10),
    ]


def cifar(nn, channels: int, size: int, widths=(32, 64), norm: bool = False) -> list:
    """Convolutions of 3×3, each with ReLU and a pool that halves the image."""
    layers = []
    for width in widths:
        layers.append(nn.Conv2d(channels, width, 3, padding=1))
        layers += [nn.BatchNorm2d(width)] * norm + [nn.ReLU(), nn.MaxPool2d(2)]
        channels, size = width, size // 2
    return [*layers, nn.Flatten(), nn.Linear(channels * size * size, 10)]


def norms(nn, channels: int, size: int) -> list:
    """Three of those, with batch norm."""
    return cifar(nn, channels, size, (32, 64, 128), norm=True)


def ours(name: str, images: int | None = None, size: int | None = None) -> Callable[[], None]:
    """Return a training step of our network; with so many images of this size, if given."""
    import tinytorch
    from tinytorch import Tensor

    tinytorch.manual_seed(0)
    return _step(name, images, size, tinytorch, tinytorch, tinytorch.cross_entropy, Tensor)


def theirs(name: str, images: int | None = None, size: int | None = None) -> Callable[[], None]:
    """Return the same of PyTorch's network."""
    import torch

    torch.manual_seed(0)
    loss = torch.nn.functional.cross_entropy
    return _step(name, images, size, torch.nn, torch.optim, loss, torch.from_numpy)


def _step(name, images, size, nn, optimizers, cross_entropy, tensor):
    shape, *_ = NETWORKS[name]
    shape = (images or shape[0], shape[1], *[size or shape[2]] * 2)
    model = nn.Sequential(*globals()[name](nn, shape[1], shape[2]))
    kind = optimizers.Adam if name == "norms" else optimizers.SGD
    optimizer = kind(model.parameters(), lr=1e-3)
    rng = np.random.default_rng(0)
    x, target = tensor(rng.random(shape, np.float32)), tensor(rng.integers(0, 10, shape[0]))

    def step() -> None:
        optimizer.zero_grad()
        cross_entropy(model(x), target).backward()
        optimizer.step()

    return step


def bars() -> list[Bar]:
    """Measure all promises."""
    found = []
    for name, (_, steps, target, title, note) in NETWORKS.items():
        work = {"steps": steps, "rounds": ROUNDS, "note": note, "two_threads": True}
        found.append(time_bar(f"{title}, time", target, PEERS, (name,), **work))
    for name in ("cifar", "norms"):
        title = f"{NETWORKS[name][3]}, memory"
        found.append(memory_bar(title, 0.35, PEERS, (name, *TINY), (name,), what="peak"))
    return [*found, loops()]


def loops() -> Bar:
    """How many times as fast as the loops the fast convolution is."""
    from tinytorch.convolutions import conv2d_array, conv2d_loops

    rng = np.random.default_rng(0)
    x, weight = rng.random((1, 3, 32, 32), np.float32), rng.random((8, 3, 3, 3), np.float32)
    how = (None, (1, 1), (1, 1), (1, 1), 1)
    slow = _seconds(lambda: conv2d_loops(x, weight, *how), 1)
    fast = _seconds(lambda: conv2d_array(x, weight, *how), 100)
    note = "1×3×32×32, eight kernels of 3×3, padding 1; CPU time of loops / of the fast form"
    return Bar("fast convolution", 50, slow / fast, at_least=True, note=note)


def _seconds(work: Callable, repeat: int) -> float:
    """The median of three times, each of so many runs."""
    times = []
    for _ in range(3):
        began = time.thread_time()
        for _ in range(repeat):
            work()
        times.append((time.thread_time() - began) / repeat)
    return median(times)
