"""What a training step of a small network costs in time and memory, against PyTorch.

784-256-128-10 with ReLU, a batch of 64, cross-entropy, Adam: zero_grad, forward, loss, backward,
step. Measured in processes of their own, as a BLAS reads its number of threads when it is loaded:
`python -m tests.bench.mlp time` and `… memory ours|theirs` print what was measured as JSON.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np

from tests.bench.measure import Bar, interleave, median_ratio

ROOT = Path(__file__).resolve().parents[2]
ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in ("OPENBLAS", "MKL", "OMP", "BLIS")}
SIZES, BATCH = (784, 256, 128, 10), 64
BLOCK, ROUNDS, STEPS = 10, 41, 30
TIME, MEMORY = "MLP step, time", "MLP step, memory"


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
    """Return one training step of PyTorch's network of these sizes, on one thread."""
    import torch
    from torch.nn import Linear, ReLU, Sequential
    from torch.nn.functional import cross_entropy

    torch.set_num_threads(1)
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
    """Measure both promises, each in processes of its own."""
    if importlib.util.find_spec("torch") is None:
        cure = 'not measured: .venv/bin/pip install "torch==2.13.0" and run again'
        return [Bar(TIME, 0.6, None, note=cure), Bar(MEMORY, 1.1, None, note=cure)]
    pairs = _measured("time")
    microseconds = [median(side) * 1e6 / BLOCK for side in zip(*pairs, strict=True)]
    grown = [_measured("memory", side) for side in ("ours", "theirs")]
    return [
        Bar(
            TIME,
            0.6,
            median_ratio(pairs),
            note="784-256-128-10, batch 64, Adam, one thread, CPU time / PyTorch's; settings "
            "OPENBLAS_* of the environment are left out, they can hold the BLAS back",
            details={"rounds": ROUNDS, "steps": BLOCK, "microseconds": microseconds},
        ),
        Bar(
            MEMORY,
            1.1,
            grown[0]["growth"] / grown[1]["growth"],
            note="growth of resident memory, after a tiny network was trained, while this one is "
            "made and trained / PyTorch's",
            details=dict(zip(("ours", "theirs"), grown, strict=True)),
        ),
    ]


def _measured(*arguments: str):
    """What this file prints in a process of its own."""
    command = [sys.executable, "-m", "tests.bench.mlp", *arguments]
    # Without settings that pin NumPy's BLAS to the kernels of another processor.
    own = {name: value for name, value in os.environ.items() if not name.startswith("OPENBLAS_")}
    environment = own | ONE_THREAD
    run = subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE)
    return json.loads(run.stdout)


def measure_time() -> list[tuple[float, float]]:
    """Return the CPU time of blocks of steps, ours and PyTorch's in turn."""
    sides = [_block(make()) for make in (ours, theirs)]
    interleave(*sides, 3)  # warm
    return interleave(*sides, ROUNDS)


def _block(step: Callable[[], None]) -> Callable[[], float]:
    def block() -> float:
        began = time.thread_time()
        for _ in range(BLOCK):
            step()
        return time.thread_time() - began

    return block


def measure_memory(make: Callable[..., Callable[[], None]]) -> dict[str, int]:
    """Return by how many bytes the process grew at most when it made a network and trained it.

    A tiny network was trained before, so that code which is loaded when it is first used, and the
    thread pools of both, do not count. Linux only: it reads /proc.
    """
    _block(make((4, 4, 4)))()
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = _status("VmRSS")
    step = make()
    for _ in range(STEPS):
        step()
    peak = _status("VmHWM")
    return {"growth": peak - before, "peak": peak}


def _status(field: str) -> int:
    """A figure of this process by the kernel's account, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:"))


if __name__ == "__main__":
    what, *side = sys.argv[1:]
    made = {"ours": ours, "theirs": theirs}
    print(json.dumps(measure_time() if what == "time" else measure_memory(made[side[0]])))
