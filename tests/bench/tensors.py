"""What recording an operation costs: a chain of small additions and products, against PyTorch."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from tests.bench.measure import Bar, interleave, median_ratio
from tinytorch import Tensor

LENGTH, SIDE, BLOCK, ROUNDS = 1000, 32, 3, 41
NAME, TARGET = "recorded operation", 1.1


def chain(x, a, b):
    """Return x after `LENGTH` operations, each recorded for a gradient."""
    for _ in range(LENGTH // 2):
        x = x * a + b
    return x


def bars() -> list[Bar]:
    """Run the same chain on both, forward only, on one thread of one process."""
    try:
        import torch
    except ModuleNotFoundError:
        cure = 'not measured: .venv/bin/pip install "torch==2.13.0" and run again'
        return [Bar(NAME, TARGET, None, note=cure)]
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    arrays = [rng.uniform(0.4, 0.6, (SIDE, SIDE)).astype(np.float32) for _ in range(3)]
    ours = _timer(*(Tensor(one, requires_grad=True) for one in arrays))
    theirs = _timer(*(torch.tensor(one, requires_grad=True) for one in arrays))
    interleave(ours, theirs, 2)  # warm
    pairs = interleave(ours, theirs, ROUNDS)
    details = {
        "rounds": ROUNDS,
        "clock": "CPU, one thread",
        "microseconds": [min(side) * 1e6 / LENGTH / BLOCK for side in zip(*pairs, strict=True)],
        "torch": torch.__version__,
    }
    note = f"chain of {LENGTH} on {SIDE}×{SIDE} float32, forward / PyTorch {torch.__version__}"
    return [Bar(NAME, TARGET, median_ratio(pairs), note=note, details=details)]


def _timer(*tensors) -> Callable[[], float]:
    def block() -> float:
        began = time.thread_time()
        for _ in range(BLOCK):
            chain(*tensors)  # and lets go of what was recorded, which is part of the cost
        return time.thread_time() - began

    return block
