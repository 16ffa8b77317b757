# track: language
# refused: trained for \d+\.\d s, expected 1 s; yield more often
"""Does not pause, so that nobody can end its training."""

import time

import numpy as np


def train(text, letters, context, seed):
    ends = time.process_time() + 1.8
    while time.process_time() < ends:
        sum(range(10_000))
    yield lambda ids: np.full((len(ids), letters), -np.log(letters))
