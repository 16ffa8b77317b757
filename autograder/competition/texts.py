"""The text that no student has, and the disguise of all text."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

from assignments.competition import language

HIDDEN = Path(__file__).parent / "hidden.txt"


@cache
def hidden() -> np.ndarray:
    """Return the ids of the hidden text."""
    return language.encode(HIDDEN.read_text(encoding="utf-8"))


def disguised(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return the given and the hidden text with letters that have other numbers.

    The given one's lines stand in another order too. A model does not care, but what was learned
    before fits no more. That blunts the attack and does not end it: whoever counts letters, while
    the clock runs, can tell which is which.
    """
    numbers = rng.permutation(len(language.LETTERS))
    text = language.given_text()
    ends = np.flatnonzero(text == language.LETTERS.index("\n")) + 1
    lines = np.split(text, ends)
    shuffled = np.concatenate([lines[n] for n in _by_page(len(lines), rng)])
    return numbers[shuffled], numbers[hidden()]


def _by_page(count: int, rng: np.random.Generator, page: int = 20) -> np.ndarray:
    """Return 0 to count - 1 in pages of `page`, and the pages in another order."""
    pages = np.array_split(np.arange(count), max(1, count // page))
    return np.concatenate([pages[n] for n in rng.permutation(len(pages))])
