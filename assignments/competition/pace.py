"""How the time of a training is counted in Time to target, in practice and by the grader.

One training may take a third more or less than another, by its signs and its seed; so there are
many. The same work takes longer on another machine, and an hour later on this one. So the time is
that of a machine on which one epoch of the baseline, trained in turn with the entry, takes EPOCH_S.
"""

from __future__ import annotations

import numpy as np

SEEDS = 90
DROPPED = 5  # of so many the best and the worst do not count, which may have failed
TARGET = 0.96  # of the validation signs
JUDGED = 500  # how often a training may ask
LONGEST_S = 10.0  # of processor time, a hundred times the baseline's
EPOCH_S = 0.0125


def middle(seconds: np.ndarray) -> float:
    """Return the mean without the best and the worst fifth; infinite is one that failed.

    >>> middle(np.array([9.0, np.inf, 1.0, 2.0, 4.0]))
    5.0
    """
    dropped = len(seconds) // DROPPED
    return float(np.sort(seconds)[dropped : len(seconds) - dropped].mean())


def pace(seconds: np.ndarray, epochs: np.ndarray) -> float:
    """Return by what to multiply times here, of the baseline's trainings and their epochs.

    The median of all that ended well.

    >>> pace(np.array([0.1, 0.2, np.inf]), np.array([4, 8, 500]))
    0.5
    """
    ended = np.isfinite(seconds)
    return float(EPOCH_S / np.median(seconds[ended] / epochs[ended]))
