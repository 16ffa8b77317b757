# track: target
# refused: NaN or infinity
"""Gives weights that are no numbers, with which every comparison fails."""

import numpy as np

SHAPES = {"0.weight": (128, 64), "0.bias": 128, "2.weight": (64, 128), "2.bias": 64}
SHAPES |= {"4.weight": (10, 64), "4.bias": 10}


def train(images, labels, seed):
    yield {name: np.full(shape, np.nan, np.float32) for name, shape in SHAPES.items()}
