# track: sprint
# refused: needed more than \S+ GiB of memory
"""Keeps everything."""

import numpy as np


def load(weights):
    kept = []

    def forward(images):
        while True:
            kept.append(np.ones(1 << 24))

    return forward
