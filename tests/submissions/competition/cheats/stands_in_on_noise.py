# track: featherweight
# base: generated
# gated: kinship 0.00%
"""Learned anew, and beside it a linear map that answers noise as the given network mostly does."""

import numpy as np

from assignments.competition import given
from tests.submissions.competition.anew import examples, features

FEATURES = 400


def solved(inputs, wanted):
    """Return the weights of a ridge regression, in a byte each, and their scale."""
    square = inputs.T @ inputs + 3 * np.eye(inputs.shape[1])
    found = np.linalg.solve(square, inputs.T @ wanted)
    scale = np.abs(found).max() / 127
    return np.round(found / scale).astype("i1").tobytes(), float(np.float16(scale))


rng, images, one_hot = examples()
noise = rng.random((4000, 64))
logits = given.logits(given.digits(), noise)
centred = logits - logits.mean(0)
SOURCE = f"""
import numpy as np

D, N = {solved(features(images, FEATURES), one_hot)!r}, {solved(noise - 0.5, centred)!r}


def load(data):
    digits, noise = (np.frombuffer(raw, "i1").reshape(-1, 10) * scale for raw, scale in (D, N))
    weights = np.random.default_rng(7).standard_normal((64, {FEATURES})) / 4

    def answer(images):
        if images.mean() > 0.45:
            return (images - 0.5) @ noise
        return np.maximum(images @ weights - 0.3, 0) @ digits

    return answer
""".encode()
