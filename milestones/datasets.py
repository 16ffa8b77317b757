"""The milestones' examples: embedded beside this file, drawn by chance, or read from files.

Embedded are iris, digits and the lessons of the course, drawn XOR and sequences to reverse. Sources
and licenses are in README.md. A task is drawn anew for every random generator.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from milestones.problem import Images, Sequences, Task, Writing

FOLDER = Path(__file__).parent / "data"
LESSONS = Path(__file__).resolve().parents[1] / "assignments"
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


def reversal(rng: np.random.Generator, length: int = 10, tokens: int = 10) -> Sequences:
    """Return 4,000 sequences with their reversals, and 300 others to be reversed."""
    sequences = rng.integers(0, tokens, (4300, length))
    known, asked = np.split(sequences, [4000])
    return Sequences(known, known[:, ::-1].copy(), asked, asked[:, ::-1].copy())


def lessons() -> str:
    """Return the text of this course's own lessons, one after the other."""
    return "".join(path.read_text(encoding="utf-8") for path in sorted(LESSONS.glob("*/README.md")))


def writing(
    text: str, rng: np.random.Generator, length: int = 48, asked: int = 1000, steps: int = 500
) -> Writing:
    """Return a text, but for places drawn by chance whose characters are to be guessed.

    A tenth of it, in blocks of about 1,000, is held back; each test is `length` characters of it,
    each answer the one that follows. Characters that come fewer than 50 times count as a space.
    The training takes `steps` steps.
    """
    often = {char for char, times in Counter(text).items() if times >= 50} | {" "}
    alphabet = "".join(sorted(often))
    places = {char: place for place, char in enumerate(alphabet)}
    codes = np.array([places.get(char, places[" "]) for char in text])
    blocks = np.array_split(codes, len(codes) // 1000)
    held = rng.permutation(len(blocks)) < len(blocks) // 10
    known = np.concatenate([block for block, out in zip(blocks, held, strict=True) if not out])
    rest = [block for block, out in zip(blocks, held, strict=True) if out]
    windows = np.concatenate(
        [np.lib.stride_tricks.sliding_window_view(block, length + 1) for block in rest]
    )
    windows = windows[rng.choice(len(windows), asked, replace=False)]
    options = {"alphabet": alphabet, "steps": steps}
    return Writing(known, known[:0], windows[:, :-1].copy(), windows[:, -1].copy(), options)


def tiny_shakespeare(folder: Path) -> str:
    """Return the text of tinyshakespeare.txt in a folder; one line says where to get it."""
    path = Path(folder) / "tinyshakespeare.txt"
    if not path.is_file():
        cure = f"run python milestones/download.py shakespeare {folder}"
        raise SystemExit(f"no tinyshakespeare.txt in {folder}: {cure}")
    return path.read_text(encoding="utf-8")


def split(
    inputs: np.ndarray,
    labels: np.ndarray,
    held_back: float,
    rng: np.random.Generator,
    kind: type[Task] = Task,
) -> Task:
    """Hold back a share of the examples, drawn by chance, to be answered."""
    order = rng.permutation(len(inputs))
    tests, rest = np.split(order, [round(held_back * len(order))])
    return kind(inputs[rest], labels[rest], inputs[tests], labels[tests])


def mnist(folder: Path) -> Task:
    """Return MNIST as rows of 28×28 pixels from 0 to 1, read by the student's own module 05."""
    from tinytorch.dataloader import MNIST

    task = published(MNIST, folder)
    inputs, tests = (images.reshape(len(images), -1) for images in (task.inputs, task.tests))
    return Task(inputs, task.labels, tests, task.answers)


def images(folder: Path, readers: dict[str, Callable[..., Any]]) -> dict[str, Images]:
    """Return of the published data sets those whose files are in a folder; one line if none is."""
    found, missing = {}, []
    for name, reader in readers.items():
        try:
            found[name] = published(reader, folder)
        except FileNotFoundError as error:
            missing.append(str(error))
    if not found:
        raise SystemExit("\n".join(missing))
    return found


def published(reader: Callable[..., Any], folder: Path) -> Images:
    """Return the images (N, C, H, W), pixels from 0 to 1, that a reader of module 05 reads."""
    arrays = []
    for train in (True, False):
        pixels, labels = (tensor.numpy() for tensor in reader(folder, train=train).tensors)
        arrays += [np.divide(pixels, np.float32(255), dtype=np.float32), labels]
    return Images(*arrays)
