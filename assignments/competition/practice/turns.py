"""Times of an entry and the baseline that take turns, and how sure a figure is."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable

import numpy as np

from assignments.competition.answers import require_like
from assignments.competition.practice.entry import SEED

BLOCKS, BLOCK_S, MOST_CALLS = 40, 0.006, 1000
WARMUP, RESAMPLES = 3, 1000

Draw = Callable[[int], np.ndarray]  # questions (count, ...)
Check = Callable[[np.ndarray, np.ndarray], None]  # questions and answers; raises Refused


def require_answers(entries, sides, question: np.ndarray, like: np.ndarray) -> None:
    """Refuse, by its own name, a side whose first answer is no array like `like`."""
    for one, forward in zip(entries, sides, strict=True):
        with one.answering():
            require_like(forward(question), like)


def take_turns(sides, draw: Draw, check: Check, answer: np.ndarray, blocks: int = BLOCKS):
    """Return the CPU seconds of one answer in each turn, (turns, 2): baseline, entry.

    Blocks of both are equally long. Each question is new; each answer must be an array like
    `answer`, or TypeError, and is copied away; what the entry answered is checked when the clock
    stands still.
    """
    calls = [_calls(forward, draw, answer) for forward in sides]
    times = np.empty((blocks, 2))
    for turn in range(blocks):
        for side in (0, 1) if turn % 2 == 0 else (1, 0):
            questions = draw(calls[side])
            seconds, answers = _block(sides[side], questions, answer)
            times[turn, side] = seconds / calls[side]
            if side == 1:
                check(questions, answers)
    return times


def _calls(forward, draw: Draw, answer: np.ndarray) -> int:
    """Return how many calls fill a block, after some that warm up: the first may be very slow."""
    _block(forward, draw(WARMUP), answer)
    calls, seconds = 1, 0.0
    while seconds < BLOCK_S / 2 and calls < MOST_CALLS:
        seconds, _ = _block(forward, draw(calls), answer)
        calls *= 4
    calls //= 4
    return int(np.clip(calls * BLOCK_S / max(seconds, 1e-9), 1, MOST_CALLS))


def _block(forward, questions: np.ndarray, answer: np.ndarray) -> tuple[float, np.ndarray]:
    answers = np.empty((len(questions), *answer.shape), answer.dtype)
    gc.disable()
    began = time.process_time()
    for question, place in zip(questions, answers, strict=True):
        place[...] = require_like(forward(question), answer)
    seconds = time.process_time() - began
    gc.enable()
    return seconds, answers


def speedup(pairs: np.ndarray) -> float:
    """Return how many times faster the entry is, of pairs (turns, batches, 2): a geometric mean."""
    base, mine = np.log(np.median(pairs, axis=0)).T
    return float(np.exp(np.mean(base - mine)))


def interval(samples: np.ndarray, statistic: Callable) -> tuple[float, float]:
    """Return the middle 95 % of a statistic over resamples."""
    rng = np.random.default_rng(SEED)
    rows = (rng.integers(len(samples), size=len(samples)) for _ in range(RESAMPLES))
    low, high = np.percentile([statistic(samples[row]) for row in rows], [2.5, 97.5])
    return float(low), float(high)
