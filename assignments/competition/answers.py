"""What is no answer, in the same words for the grader and for practice."""

from __future__ import annotations

import numpy as np

from assignments.competition.given import SHAPES
from assignments.competition.language import LETTERS

STATE = {name: (np.dtype(np.float32), shape) for name, shape in SHAPES.items()}
NOT_FINITE = "an answer holds NaN or infinity, expected finite numbers"
LEAST = -1000.0  # a log-probability; below, a mean of many is no number any more
SUM = 1e-3  # by which the sum of a distribution may differ from 1


def require_like(value: object, like: np.ndarray) -> np.ndarray:
    """Return `value` if it is an array of the dtype and shape of `like`; else raise TypeError.

    As the grader's worker does with each answer that is timed: nothing is cast or broadcast.
    """
    if type(value) is not np.ndarray:
        raise TypeError(f"expected a NumPy array, got {type(value).__name__}")
    if value.dtype != like.dtype or value.shape != like.shape:
        expected, got = (f"{one.dtype} of shape {one.shape}" for one in (like, value))
        raise TypeError(f"expected {expected}, got {got}")
    return value


def logits_fault(answer: object, count: int) -> str | None:
    """Return why these are no logits (count, 10) of floats, all finite, or None."""
    if not isinstance(answer, np.ndarray) or answer.shape != (count, 10):
        came = f"shape {answer.shape}" if isinstance(answer, np.ndarray) else type(answer).__name__
        return f"expected logits of shape ({count}, 10), got {came}"
    if answer.dtype.kind != "f":
        return f"expected logits of floats, got {answer.dtype}"
    return None if np.isfinite(answer).all() else NOT_FINITE


def distribution_fault(answer: object, count: int) -> str | None:
    """Return why these are no log-probabilities of each letter, (count, letters), or None."""
    shape = (count, len(LETTERS))
    if not isinstance(answer, np.ndarray) or answer.dtype.kind != "f" or answer.shape != shape:
        came = getattr(answer, "shape", type(answer).__name__)
        return f"expected log-probabilities of shape {shape}, got {came}"
    chances = answer.astype(np.float64)
    if not np.isfinite(chances).all():
        return NOT_FINITE
    if chances.min() < LEAST:
        return f"a log-probability is {chances.min():.4g}, expected at least {LEAST:g}"
    total = np.exp(chances).sum(axis=1)
    if np.abs(total - 1).max() > SUM:
        worst, few = total[np.abs(total - 1).argmax()], ""
        if answer.dtype.itemsize < 4:
            few = f"; {answer.dtype} has too few digits for that: return float32 or float64"
        return f"a distribution sums to {worst:.4g}, expected 1{few}"
    return None


def state_fault(state: object) -> str | None:
    """Return why these are no weights of the given architecture, float32 and finite, or None."""
    if not isinstance(state, dict):
        return f"expected a dict of weights, got {type(state).__name__}"
    came = {name: _kind(value) for name, value in state.items()}
    if came != STATE:
        wrong = next(n for n in (*STATE, *state) if came.get(n) != STATE.get(n))
        expected, got = (_shown(kinds.get(wrong, "nothing")) for kinds in (STATE, came))
        return f"weights {str(wrong)[:100]!a}: expected {expected}, got {got}"
    return None if all(np.isfinite(array).all() for array in state.values()) else NOT_FINITE


def _kind(value: object) -> object:
    """Return dtype and shape of an array, and of others what they are."""
    return (value.dtype, value.shape) if isinstance(value, np.ndarray) else type(value).__name__


def _shown(kind: object) -> str:
    """Example: (dtype("float32"), (10,)) -> "float32 (10,)"."""
    return f"{kind[0]} {kind[1]}" if isinstance(kind, tuple) else str(kind)
