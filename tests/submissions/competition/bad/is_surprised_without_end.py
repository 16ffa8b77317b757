# track: language
# refused: a log-probability is -1\.2e\+308, expected at least -1000
"""Gives all letters but one a chance that no mean of many can hold."""

import numpy as np


def train(text, letters, context, seed):
    def predict(ids):
        chances = np.full((len(ids), letters), -1.2e308)
        chances[:, 0] = 0
        return chances

    while True:
        yield predict
