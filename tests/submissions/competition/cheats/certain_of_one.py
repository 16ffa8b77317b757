# track: language
# refused: NaN or infinity
"""Is certain of one letter, and finds all others impossible: -inf."""

import numpy as np


def train(text, letters, context, seed):
    def predict(ids):
        chances = np.full((len(ids), letters), -np.inf)
        chances[:, 0] = 0
        return chances

    yield predict
