"""What a gradient costs: a chain of small operations there and back, and a very long one."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from tests.bench.measure import Bar, interleave, median_ratio
from tests.bench.tensors import BLOCK, LENGTH, ROUNDS, SIDE, chain
from tinytorch import Tensor

BOTH, LONG = "chain of operations, forward and backward", "backward of 50,000 operations"
SHORT_LENGTH, LONG_LENGTH, LONG_ROUNDS = 1000, 50_000, 9
BETWEEN = (
    "of it NumPy's own three calls per operation take 0.27, the objects of recording 0.10, the "
    "order 0.05, and the walk the rest: a rule and two maps called, two parts checked and added. "
    "0.5 would need recording and order for nothing"
)


def bars() -> list[Bar]:
    """Measure both, on one thread of one process."""
    return [_chain(), _long()]


def _chain() -> Bar:
    """The chain of the benchmark of tensors, with its gradients, against PyTorch."""
    try:
        import torch
    except ModuleNotFoundError:
        cure = 'not measured: .venv/bin/pip install "torch==2.13.0" and run again'
        return Bar(BOTH, 0.65, None, note=cure)
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    arrays = [rng.uniform(0.4, 0.6, (SIDE, SIDE)).astype(np.float32) for _ in range(3)]
    ours = _timer(np.ones_like(arrays[0]), *(Tensor(one, requires_grad=True) for one in arrays))
    first = torch.ones(SIDE, SIDE)
    theirs = _timer(first, *(torch.tensor(one, requires_grad=True) for one in arrays))
    interleave(ours, theirs, 2)  # warm
    pairs = interleave(ours, theirs, ROUNDS)
    details = {
        "rounds": ROUNDS,
        "clock": "CPU, one thread",
        "microseconds": [min(side) * 1e6 / LENGTH / BLOCK for side in zip(*pairs, strict=True)],
        "torch": torch.__version__,
    }
    note = f"chain of {LENGTH} on {SIDE}×{SIDE} float32 / PyTorch {torch.__version__}; {BETWEEN}"
    return Bar(BOTH, 0.65, median_ratio(pairs), note=note, details=details)


def _timer(gradient, *tensors) -> Callable[[], float]:
    def block() -> float:
        began = time.thread_time()
        for _ in range(BLOCK):
            for one in tensors:
                one.grad = None
            chain(*tensors).backward(gradient)
        return time.thread_time() - began

    return block


def _long() -> Bar:
    """Time per operation of a walk through 50,000, against walks through 1,000."""
    pairs = interleave(
        lambda: _walks(LONG_LENGTH, 1), lambda: _walks(SHORT_LENGTH, 50), LONG_ROUNDS
    )
    note = (
        f"time per operation / that in a chain of {SHORT_LENGTH}; no recursion, nothing quadratic"
    )
    return Bar(LONG, 1.3, median_ratio(pairs), note=note, details={"seconds": pairs})


def _walks(length: int, times: int) -> float:
    """The time of some walks back through chains of this length, without the way there."""
    x, total = Tensor(np.ones(8, np.float32), requires_grad=True), 0.0
    for _ in range(times):
        y = x
        for _ in range(length // 2):
            y = y * 1.0 + 1.0
        began = time.thread_time()
        y.backward(np.ones(8, np.float32))
        total += time.thread_time() - began
    return total
