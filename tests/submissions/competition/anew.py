"""Digits learned anew, on random features: what cheats put beside a model that has kin."""

from __future__ import annotations

import numpy as np

from assignments.competition import draws


def features(images: np.ndarray, count: int) -> np.ndarray:
    """Return `count` random features of images (N, 64), the same in every run: (N, count)."""
    weights = np.random.default_rng(7).standard_normal((64, count)) / 4
    return np.maximum(images @ weights - 0.3, 0)


def examples() -> tuple[np.random.Generator, np.ndarray, np.ndarray]:
    """Return the generator, images (N, 64) and what a regression is to answer (N, 10)."""
    rng = np.random.default_rng(0)
    images, labels = draws.given_digits(held_back=False)
    images = np.concatenate([draws.redrawn(images, rng) for _ in range(8)]).astype(float)
    return rng, images, np.eye(10)[np.tile(labels, 8)] - 0.1
