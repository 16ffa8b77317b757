"""Sprint: answer as a given network does, in less processor time.

`load(weights)` is called once: a dict of float32 arrays as in a state dict, "0.weight" (128, 64),
"0.bias" (128,), "2.weight" (64, 128), "2.bias" (64,), "4.weight" (10, 64), "4.bias" (10,), others
each time. It returns the function that is timed: images (N, 64) float32 -> logits (N, 10) float32,
N = 1 or 256. The array of images is used again for the next question.
"""

import numpy as np

import tinytorch as tt


def load(weights):
    """Return the forward pass of a plain network."""
    model = tt.Sequential(
        tt.Linear(64, 128), tt.ReLU(), tt.Linear(128, 64), tt.ReLU(), tt.Linear(64, 10)
    )
    model.load_state_dict(weights)
    model.eval()

    def forward(images: np.ndarray) -> np.ndarray:
        with tt.no_grad():
            return model(tt.Tensor(images)).numpy()

    return forward
