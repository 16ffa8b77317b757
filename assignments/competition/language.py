"""The given language: its letters, its text, and a small GPT that learned it."""

from __future__ import annotations

from functools import cache

import numpy as np

from assignments.competition.given import FOLDER

TEXT, WEIGHTS = FOLDER / "text.txt", FOLDER / "language.npz"
LETTERS = "\n" + "".join(map(chr, range(32, 127)))  # an id for each, in this order
CONTEXT, LAYERS, HEADS, WIDTH = 64, 2, 4, 64  # of the given GPT; CONTEXT also in track D
PROMPT, WRITTEN = 16, 48  # letters that track E gives, and asks for


def encode(text: str) -> np.ndarray:
    """Return the ids (T,) int64 of the letters of `text`; others are left out: "a£b" -> "ab"."""
    return np.array([id for id in map(LETTERS.find, text) if id >= 0], np.int64)


def normalized(chances: np.ndarray) -> np.ndarray:
    """Return log-probabilities (N, letters) in float64, of rows that sum to 1 exactly."""
    chances = chances.astype(np.float64)
    return chances - np.log(np.exp(chances).sum(axis=1, keepdims=True))


@cache
def given_text() -> np.ndarray:
    """Return the ids of the text to learn from: the course's own lessons."""
    return encode(TEXT.read_text(encoding="utf-8"))


@cache
def weights() -> dict[str, np.ndarray]:
    """Return the state dict of the given GPT, as `tt.GPT` has it."""
    with np.load(WEIGHTS, allow_pickle=False) as file:
        return dict(file)
