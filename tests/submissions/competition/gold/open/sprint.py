"""Gold of the open division: one small hidden layer, into memory that is there already."""

import numpy as np

UNITS = 20


def load(weights, data):
    whole = np.frombuffer(data, "f4")
    first, b1, second, b2 = np.split(whole, np.cumsum([64 * UNITS, UNITS, 10 * UNITS]))
    first, second = first.reshape(64, UNITS), second.reshape(UNITS, 10)
    spaces = {}

    def forward(images, dot=np.dot, add=np.add, maximum=np.maximum):
        count = len(images)
        if count not in spaces:
            spaces[count] = [np.empty((count, len(b)), np.float32) for b in (b1, b2)]
        one, two = spaces[count]
        dot(images, first, one)
        add(one, b1, one)
        maximum(one, 0, one)
        dot(one, second, two)
        return add(two, b2, two)

    return forward
