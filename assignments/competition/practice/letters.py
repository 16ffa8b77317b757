"""Practice of the tracks that write: One-minute language model, and Decode.

The hidden text is the grader's alone. Here its part is played by the last tenth of the given one,
from which nothing is learned.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import numpy as np

import tinytorch as tt
from assignments.competition import language
from assignments.competition.answers import distribution_fault, require_like
from assignments.competition.practice.entry import SEED, Entry, Measured, Refused
from assignments.competition.practice.turns import (
    interval,
    require_answers,
    speedup,
    take_turns,
)

TRAIN_S = 60.0
PIECES, REVEALS = 100, 32  # pieces of text, and letters to predict in each
MARGIN, BLOCKS = 1e-3, 20
PREDICTING, PREDICTING_S = 3, 1.0  # times what the baseline takes to predict, and so much more


def held_back(text: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the text to learn from, and the last tenth."""
    return np.split(text, [len(text) * 9 // 10])


def predict(entry: Entry, seconds: float = TRAIN_S) -> Measured:
    """Let the entry learn for a minute, and the baseline too; the grader takes two seeds."""
    rng = np.random.default_rng(SEED)
    order = rng.permutation(len(language.LETTERS))
    learned, rest = held_back(order[language.given_text()])
    length = language.CONTEXT + REVEALS
    starts = rng.permutation(len(rest) // length)[:PIECES, None] * length
    pieces = rest[starts + np.arange(length)]
    plain = Entry.baseline(entry.track)
    _, cost_s = _bits(plain, learned, pieces, min(1.0, seconds))
    most = PREDICTING * cost_s + PREDICTING_S
    mine, _ = _bits(entry, learned, pieces, seconds, most)
    base, _ = _bits(plain, learned, pieces, seconds)
    limits = interval(mine.mean(axis=1), np.mean)
    return Measured(float(mine.mean()), float(base.mean()), entry.gates(normalized=1.0), limits)


def _bits(
    entry: Entry, text: np.ndarray, pieces: np.ndarray, seconds: float, most: float = np.inf
) -> tuple[np.ndarray, float]:
    """Return the bits of each letter behind the first CONTEXT ones, and the time to predict."""
    began = time.process_time()  # what is done to be imported counts too
    train, spent, function, bits = entry.call("train"), 0.0, None, []
    steps = entry.begun(train, text.copy(), len(language.LETTERS), language.CONTEXT, 0)
    with entry.answering():
        while (spent := time.process_time() - began) < seconds:
            last = next(steps, None)
            if last is None:
                break
            function = last
        if function is None:
            raise Refused("the training ended without a function that predicts; yield one")
        if spent > seconds * 1.02 + 0.5:
            raise Refused(f"trained for {spent:.1f} s, expected {seconds:g} s; yield more often")
        began = time.process_time()
        for place in range(language.CONTEXT, pieces.shape[1]):
            seen = pieces[:, place - language.CONTEXT : place].copy()
            answer = np.asarray(function(seen))
            if fault := distribution_fault(answer, len(pieces)):
                raise Refused(fault)
            chances = language.normalized(answer)
            bits.append(-chances[np.arange(len(pieces)), pieces[:, place]] / np.log(2))
            if time.process_time() - began > most:
                raise Refused(f"predicts for longer than {most:.1f} s; predict faster")
    return np.stack(bits, axis=1), time.process_time() - began


class Writing:
    """Prompts, and how the baseline goes on where no rounding decides."""

    def __init__(self, write, weights):
        """Hold answers against those of the function `write`."""
        sizes = (len(language.LETTERS), language.CONTEXT, language.LAYERS, language.HEADS)
        self._model = tt.GPT(tt.GPTConfig(*sizes, language.WIDTH))
        self._model.load_state_dict(weights)
        self._write, self._rng = write, np.random.default_rng(SEED)
        _, self._text = held_back(language.given_text())
        self._right: dict[bytes, np.ndarray] = {}

    def draw(self, count: int) -> np.ndarray:
        """Return prompts (count, PROMPT), a letter of each replaced."""
        self._right, prompts = {}, []
        while len(prompts) < count:
            start = self._rng.integers(len(self._text) - language.PROMPT)
            prompt = self._text[start : start + language.PROMPT].copy()
            prompt[self._rng.integers(language.PROMPT)] = self._rng.integers(len(language.LETTERS))
            written = self._write(prompt)
            if self._margin(np.concatenate([prompt, written])) > MARGIN:
                self._right[prompt.tobytes()] = written
                prompts.append(prompt)
        return np.stack(prompts)

    def _margin(self, ids: np.ndarray) -> float:
        """Return by how much each written letter was the likeliest, at least."""
        with tt.no_grad():
            logits = self._model(tt.Tensor(ids[None, :-1])).numpy()[0, language.PROMPT - 1 :]
        second, first = np.sort(logits, axis=1)[:, -2:].T
        return float((first - second).min())

    def check(self, prompts: np.ndarray, answers: np.ndarray) -> None:
        """Refuse the first answer that is not the baseline's, letter by letter."""
        for prompt, answer in zip(prompts, answers, strict=True):
            wrong = np.flatnonzero(answer != self._right[prompt.tobytes()])
            if len(wrong):
                count = f"the first {wrong[0]} of {language.WRITTEN}"
                raise Refused(f"greedy letters are not the baseline's: {count} are right")


def decode(entry: Entry) -> Measured:
    """Let an entry and the baseline write on, in turns; every letter must be the same."""
    weights = language.weights()
    both, like = (Entry.baseline(entry.track), entry), np.empty(language.WRITTEN, np.int64)
    base, mine = sides = [_writer(one, weights) for one in both]
    writing = Writing(base, weights)
    require_answers(both, sides, language.given_text()[: language.PROMPT].copy(), like)
    with entry.answering():
        prompts = writing.draw(2)  # who is wrong is not timed: that takes many prompts
        writing.check(prompts, np.stack([require_like(mine(prompt), like) for prompt in prompts]))
        pairs = take_turns(sides, writing.draw, writing.check, like, BLOCKS)[:, None]
    return Measured(speedup(pairs), 1.0, entry.gates(identical=1.0), interval(pairs, speedup))


def _writer(entry: Entry, weights: Mapping[str, np.ndarray]) -> Callable:
    return entry.load({name: array.copy() for name, array in weights.items()})


MEASURES = {"language": predict, "decode": decode}
