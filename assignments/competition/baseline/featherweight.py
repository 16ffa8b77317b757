"""Featherweight: the given network in as few bytes as it still reads digits with.

`load(data)` gets the bytes of featherweight.bin and returns a function: images (N, 64) float32
-> logits (N, 10). What counts is the file, every literal in this source, and of the rest of it
what exceeds 1024 bytes when packed; docstrings and comments are free. Here the file is the given
float32 weights as they are, one array after the other.
"""

import numpy as np

import tinytorch as tt


def load(data):
    """Return the forward pass of the network in `data`."""
    model = tt.Sequential(
        tt.Linear(64, 128), tt.ReLU(), tt.Linear(128, 64), tt.ReLU(), tt.Linear(64, 10)
    )
    weights, place = np.frombuffer(data, np.float32), 0
    for parameter in model.parameters():
        parameter.data[...] = weights[place : place + parameter.size].reshape(parameter.shape)
        place += parameter.size

    def forward(images):
        with tt.no_grad():
            return model(tt.Tensor(images)).numpy()

    return forward
