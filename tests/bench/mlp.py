"""What a training step of a small network costs in time and memory, against PyTorch.

784-256-128-10 with ReLU, a batch of 64, cross-entropy, Adam: zero_grad, forward, loss, backward,
step.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tests.bench.measure import Bar
from tests.bench.peers import memory_bar, time_bar

SIZES, BATCH = (784, 256, 128, 10), 64
BLOCK, ROUNDS = 20, 41
PEERS = ("tests.bench.mlp:ours", "tests.bench.mlp:theirs")


def ours(sizes: tuple[int, ...] = SIZES) -> Callable[[], None]:
    """Return one training step of our network of these sizes."""
    from tinytorch import Adam, Linear, ReLU, Sequential, Tensor, cross_entropy, manual_seed

    manual_seed(0)
    layers = [Linear(*pair) for pair in zip(sizes, sizes[1:], strict=False)]
    model = Sequential(*_between(layers, ReLU))
    x, target = map(Tensor, batch(sizes))
    optimizer = Adam(model.parameters())

    def step() -> None:
        optimizer.zero_grad()
        cross_entropy(model(x), target).backward()
        optimizer.step()

    return step


def theirs(sizes: tuple[int, ...] = SIZES) -> Callable[[], None]:
    """Return one training step of PyTorch's network of these sizes."""
    import torch
    from torch.nn import Linear, ReLU, Sequential
    from torch.nn.functional import cross_entropy

    torch.manual_seed(0)
    layers = [Linear(*pair) for pair in zip(sizes, sizes[1:], strict=False)]
    model = Sequential(*_between(layers, ReLU))
    x, target = map(torch.from_numpy, batch(sizes))
    optimizer = torch.optim.Adam(model.parameters())

    def step() -> None:
        optimizer.zero_grad()
        cross_entropy(model(x), target).backward()
        optimizer.step()

    return step


def _between(layers, activation) -> list:
    """The layers with an activation after each but the last."""
    return [one for layer in layers for one in (layer, activation())][:-1]


def batch(sizes: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return random images and their labels."""
    rng = np.random.default_rng(0)
    return rng.random((BATCH, sizes[0]), np.float32), rng.integers(0, sizes[-1], BATCH)


def bars() -> list[Bar]:
    """Measure both promises."""
    note = "784-256-128-10, batch 64, Adam"
    return [
        time_bar("MLP step, time", 0.6, PEERS, steps=BLOCK, rounds=ROUNDS, note=note),
        memory_bar("MLP step, memory", 1.1, PEERS, tiny=((4, 4, 4),)),
    ]
