# track: featherweight
# gated: kinship
"""A model that was not made of the given one, in the division that is for the given one."""

import numpy as np

rng = np.random.default_rng(0)
MEANS = rng.random((10, 64))


def load(data):
    return lambda images: images @ MEANS.T - (MEANS**2).sum(axis=1) / 2
