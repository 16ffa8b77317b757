"""A GPT that writes by NumPy's calls in a row: a bound of what `Folded` can reach.

One sequence, temperature 0.8, the 40 likeliest of the ids, with nothing checked, scores that are
harmless, and drawing in the same few lines.
"""

from __future__ import annotations

import math

import numpy as np

from tinytorch import GPT, Folded, KVCache
from tinytorch.memoization import TILT


class Bare:
    """The matrices of `Folded`, and memory for one id."""

    def __init__(self, model: GPT):
        """Lay out everything."""
        self.model, self.folded = model, Folded(model)
        size, heads = model.config.n_embd, model.config.n_head
        self.normed, self.mixed = np.ones((2, size + 1), np.float32)
        self.bent = np.ones(4 * size + 1, np.float32)
        self.x, self.branch = np.empty((2, size), np.float32)
        self.asked, self.wide = np.empty(3 * size, np.float32), np.empty(4 * size, np.float32)
        self.parts = self.asked.reshape(3, heads, -1)
        self.answers = self.mixed[:-1].reshape(heads, 1, -1)
        self.sums = np.empty((heads, 1, 1), np.float32)

    def write(self, start: np.ndarray, count: int) -> list[int]:
        """Return `start` and what `generate_cached` with seed 0 writes behind it."""
        cache, generator, ids = KVCache.of(self.model, 1), np.random.default_rng(0), start.tolist()
        scores, memory = self.folded.scores(start[None], cache)[0], list(cache.both[:, 0])
        for place in range(len(start), len(start) + count):
            ids.append(draw(scores, generator.random()))
            if place + 1 < len(start) + count:
                scores = self.read(ids[-1], place, memory)
        return ids

    def read(self, id: int, place: int, memory: list[np.ndarray]) -> np.ndarray:
        """Return the scores of what comes after an id; `memory` has keys and values, by layer."""
        folded, x, normed, mixed, bent = self.folded, self.x, self.normed, self.mixed, self.bent
        branch, asked, wide, answers, sums = (
            self.branch,
            self.asked,
            self.wide,
            self.answers,
            self.sums,
        )
        rows, curve, query, told = normed[:-1], bent[:-1], self.parts[0, :, :, None], self.parts[1:]
        add, multiply, matmul = np.add, np.multiply, np.matmul
        add(folded.tokens[id], folded.places[place], x)
        p = np.empty((folded.heads, place + 1, 1), np.float32)
        for both, (ask, out, up, down, eps1, eps2, _) in zip(memory, folded.blocks, strict=True):
            multiply(x, 1 / math.sqrt(x.dot(x) + eps1), rows)
            normed.dot(ask, asked)
            both[:, :, place] = told
            keys, values = both[:, :, : place + 1]
            np.exp(matmul(keys, query, p), p)
            add.reduce(p, axis=1, keepdims=True, out=sums)
            np.divide(matmul(p.mT, values, answers), sums, answers)
            add(x, mixed.dot(out, branch), x)
            multiply(x, 1 / math.sqrt(x.dot(x) + eps2), rows)
            multiply(normed.dot(up, wide), wide, curve)
            add(curve, TILT, curve)
            multiply(curve, wide, curve)
            np.tanh(curve, curve)
            add(curve, 1, curve)
            multiply(curve, wide, curve)
            add(x, bent.dot(down, branch), x)
        multiply(x, 1 / math.sqrt(x.dot(x) + folded.last_eps), rows)
        return normed.dot(folded.head)


def draw(scores: np.ndarray, u: float) -> int:
    """Return the id on whose part of the line u lies."""
    rising = np.sort(scores)
    chances = np.exp((scores - rising[-1]) * (1 / 0.8))
    chances *= scores >= rising[-40]
    ends = np.add.accumulate(chances, dtype=np.float64)
    return int(ends.searchsorted(u * ends[-1], "right"))
