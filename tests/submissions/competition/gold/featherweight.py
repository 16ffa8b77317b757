"""Gold: weights of few bits, each row with its own scale, and packed as if by arithmetic."""

import lzma

import numpy as np


def load(data):
    scales = np.frombuffer(data[:404], "f2").astype("f4")
    raw = np.frombuffer(lzma.decompress(data[404:], 3, None, [FILTER]), "i1")
    layers, place, row = [], 0, 0
    for inputs, outputs in ((64, 128), (128, 64), (64, 10)):
        size = inputs * outputs
        scale = scales[row : row + outputs]
        weight = raw[place : place + size].reshape(outputs, inputs) * scale[:, None]
        place += size
        bias = raw[place : place + outputs] * scale
        place, row = place + outputs, row + outputs
        layers.append((weight.T, bias))

    def forward(x):
        for weight, bias in layers[:2]:
            x = np.maximum(x @ weight + bias, 0)
        return x @ layers[2][0] + layers[2][1]

    return forward


FILTER = {"id": lzma.FILTER_LZMA2, "preset": 9, "lc": 0, "lp": 0, "pb": 0}
