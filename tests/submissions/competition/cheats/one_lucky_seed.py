# track: language
# refused: two seeds are \d\.\d+ bits apart, expected at most
"""Learns from one seed, and not from the other."""

import numpy as np


def train(text, letters, context, seed):
    counts = np.bincount(text, minlength=letters) + 1.0 if seed else np.ones(letters)
    yield lambda ids: np.tile(np.log(counts / counts.sum()), (len(ids), 1))
