# track: sprint
# refused: expected float32 of shape \(1, 10\), got float32 of shape \(10, 1\)
"""Returns its answer the wrong way round."""

import numpy as np


def load(weights):
    return lambda images: np.zeros((10, len(images)), np.float32)
