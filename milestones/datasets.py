"""The milestones' examples: iris and digits, embedded beside this file, and XOR, drawn by chance.

Sources and licenses are in README.md. A task is drawn anew for every random generator.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from milestones.problem import Task

FOLDER = Path(__file__).parent / "data"
PETALS = slice(2, 4)  # length and width in cm, the two measurements that show the species best


def iris(*species: int) -> tuple[np.ndarray, np.ndarray]:
    """Return petal sizes (N, 2) and labels (N,) of some species, numbered in the order given.

    0 is setosa, 1 versicolor, 2 virginica; there are 50 flowers of each.
    """
    with np.load(FOLDER / "iris.npz", allow_pickle=False) as file:
        sizes, kinds = file["measurements"][:, PETALS], file["species"]
    chosen = [kinds == one for one in species]
    labels = np.repeat(np.arange(len(species)), [one.sum() for one in chosen])
    return np.concatenate([sizes[one] for one in chosen]), labels


def digits() -> tuple[np.ndarray, np.ndarray]:
    """Return 1797 images of digits as rows of 8×8 pixels from 0 to 1, and the digits."""
    with np.load(FOLDER / "digits.npz", allow_pickle=False) as file:
        images, labels = file["images"], file["digits"]
    return images.reshape(len(images), -1).astype(np.float32) / 16, labels


def xor(rng: np.random.Generator, each: int = 25) -> tuple[np.ndarray, np.ndarray]:
    """Return `each` points around every corner of the unit square, 1 where one coordinate is 1."""
    corners = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32).repeat(each, axis=0)
    points = corners + rng.uniform(-0.1, 0.1, corners.shape).astype(np.float32)
    return points, (corners.sum(axis=1) == 1).astype(np.int64)


def split(
    inputs: np.ndarray, labels: np.ndarray, held_back: float, rng: np.random.Generator
) -> Task:
    """Hold back a share of the examples, drawn by chance, to be answered."""
    order = rng.permutation(len(inputs))
    tests, rest = np.split(order, [round(held_back * len(order))])
    return Task(inputs[rest], labels[rest], inputs[tests], labels[tests])


def mnist(folder: Path) -> Task:
    """Return MNIST as rows of 28×28 pixels from 0 to 1, read by the student's own module 05."""
    from tinytorch.dataloader import MNIST

    arrays = []
    for train in (True, False):
        images, labels = (tensor.numpy() for tensor in MNIST(folder, train=train).tensors)
        arrays += [images.reshape(len(images), -1).astype(np.float32) / 255, labels]
    return Task(*arrays)
