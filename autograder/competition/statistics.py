"""Ratios of paired times and how sure they are."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

REPLICATES, SEED = 1000, 20  # fixed, so that the same times make the same interval


def replicates(
    samples: np.ndarray, statistic: Callable[[np.ndarray], np.ndarray], count: int = REPLICATES
) -> np.ndarray:
    """Return the `statistic` of `count` resamples of the rows of `samples` (N, ...).

    `statistic` reduces the second axis of (count, N, ...).
    """
    chosen = np.random.default_rng(SEED).integers(len(samples), size=(count, len(samples)))
    return statistic(samples[chosen])


def interval(values: np.ndarray) -> tuple[float, float]:
    """Return the middle 95 % of `values`."""
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)


def median_ratio(pairs: np.ndarray) -> np.ndarray:
    """Return the median of the first column by that of the second, of pairs (..., N, 2)."""
    medians = np.median(pairs, axis=-2)
    return medians[..., 0] / medians[..., 1]
