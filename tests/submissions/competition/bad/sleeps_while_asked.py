# track: sprint
# refused: waits while it is asked: \d\.\d s for 0\.\d+ s of processor time
"""Answers rightly, after a nap that no processor clock sees."""

import time

import numpy as np


def load(weights):
    layers = [(weights[f"{n}.weight"].T, weights[f"{n}.bias"]) for n in (0, 2, 4)]

    def forward(images):
        time.sleep(0.3)
        for weight, bias in layers[:2]:
            images = np.maximum(images @ weight + bias, 0)
        return images @ layers[2][0] + layers[2][1]

    return forward
