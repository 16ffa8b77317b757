"""Gold: one matrix product after the other, into memory that is there already."""

import numpy as np


def load(weights):
    layers = [
        (np.asfortranarray(weights[f"{n}.weight"]).T, weights[f"{n}.bias"]) for n in (0, 2, 4)
    ]
    (first, b1), (second, b2), (third, b3) = layers
    spaces = {}

    def forward(images, dot=np.dot, add=np.add, maximum=np.maximum):
        count = len(images)
        if count not in spaces:
            spaces[count] = [np.empty((count, len(b)), np.float32) for b in (b1, b2, b3)]
        one, two, three = spaces[count]
        dot(images, first, one)
        add(one, b1, one)
        maximum(one, 0, one)
        dot(one, second, two)
        add(two, b2, two)
        maximum(two, 0, two)
        dot(two, third, three)
        return add(three, b3, three)

    return forward
