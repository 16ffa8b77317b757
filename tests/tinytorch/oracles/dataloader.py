"""What PyTorch's loader makes of lengths, fractions and samples."""

import warnings

import numpy as np
import torch
from torch.utils import data

FRACTIONS = ([0.5, 0.5], [0.7, 0.2, 0.1], [1 / 3] * 3, [0.1] * 10, [0.29, 0.71], [1.0, 0.0])


def arrays():
    """Lengths of splits `split.<n>.<case>`, numbers of batches, and batches `collate.<case>`."""
    made = {}
    warnings.simplefilter("ignore")  # PyTorch warns of a part without samples
    for n in (0, 1, 10, 11, 100, 101):
        for case, fractions in enumerate(FRACTIONS):
            parts = data.random_split(range(n), fractions)
            made[f"split.{n}.{case}"] = np.array([fractions, [len(part) for part in parts]])
    sizes = [(n, b, d) for n in range(14) for b in (1, 3, 4, 20) for d in (0, 1)]
    batches = [len(data.DataLoader(range(n), b, drop_last=bool(d))) for n, b, d in sizes]
    made["batches"] = np.array([(*size, n) for size, n in zip(sizes, batches, strict=True)])
    rng = np.random.default_rng(5)
    for dtype in (np.float32, np.float64, np.uint8, np.int64, bool):
        x = (rng.normal(0, 50, (4, 2, 3)) % 100).astype(dtype)
        name = np.dtype(dtype).name
        made[f"x.{name}"] = x
        made[f"rows.{name}"] = data.default_collate(list(x)).numpy()
        made[f"scalars.{name}"] = data.default_collate(list(x[:, 0, 0])).numpy()
        made[f"tensors.{name}"] = data.default_collate(list(torch.from_numpy(x))).numpy()
    made["numbers.int"] = data.default_collate([3, -1, 2]).numpy()
    made["numbers.bool"] = data.default_collate([True, False]).numpy()
    return made
