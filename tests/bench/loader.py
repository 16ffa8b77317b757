"""What a shuffled epoch of batches costs: 60,000 rows of 784 numbers, against PyTorch's loader."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from tests.bench.measure import Bar, interleave, median_ratio
from tinytorch import DataLoader, TensorDataset, from_numpy

ROWS, COLUMNS, BATCH, ROUNDS = 60_000, 784, 64, 15
NAME, TARGET = "loader, samples per second", 10.0


def bars() -> list[Bar]:
    """Go through the same shuffled epoch with both, each on one thread of one process."""
    try:
        import torch
        from torch.utils import data
    except ModuleNotFoundError:
        cure = 'not measured: .venv/bin/pip install "torch==2.13.0" and run again'
        return [Bar(NAME, TARGET, None, at_least=True, note=cure)]
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    arrays = rng.random((ROWS, COLUMNS), np.float32), rng.integers(0, 10, ROWS)
    ours = _rate(DataLoader(TensorDataset(*map(from_numpy, arrays)), BATCH, shuffle=True))
    their_data = data.TensorDataset(*map(torch.from_numpy, arrays))
    theirs = _rate(data.DataLoader(their_data, BATCH, shuffle=True, num_workers=0))
    bare = _rate(_Bare(arrays))
    for one in (ours, theirs, bare):
        one()  # warm
    pairs = interleave(ours, theirs, ROUNDS)
    limit = median_ratio(interleave(bare, theirs, ROUNDS))
    details = {
        "rounds": ROUNDS,
        "clock": "CPU, one thread",
        "samples_per_second": [round(max(side)) for side in zip(*pairs, strict=True)],
        "torch": torch.__version__,
        "bare_take": limit,
    }
    note = (
        f"{ROWS:,} × {COLUMNS} float32, batch {BATCH} / PyTorch {torch.__version__}, no workers; "
        f"NumPy's permutation and take alone, without a loader around them, reach {limit:.3g}"
    )
    return [Bar(NAME, TARGET, median_ratio(pairs), at_least=True, note=note, details=details)]


class _Bare:
    """The batches as NumPy's own functions make them: no loader in this language is faster."""

    def __init__(self, arrays):
        self.arrays = arrays

    def __iter__(self):
        images, labels = self.arrays
        order = np.random.default_rng(0).permutation(ROWS)
        for start in range(0, ROWS, BATCH):
            rows = order[start : start + BATCH]
            yield images.take(rows, 0), labels.take(rows)


def _rate(loader) -> Callable[[], float]:
    def epoch() -> float:
        began, seen = time.thread_time(), 0
        for x, _ in loader:
            seen += x.shape[0]
        assert seen == ROWS
        return seen / (time.thread_time() - began)

    return epoch
