"""What PyTorch's activations answer, at ordinary and at extreme numbers."""

import numpy as np
import torch
import torch.nn.functional as F


def arrays():
    """Inputs `x.<case>`, results `<function>.<case>`; dims of softmax follow as `.dim<d>`."""
    rng = np.random.default_rng(2)
    cases = {
        "float32": rng.normal(0, 3, (4, 5)).astype(np.float32),
        "float64": rng.normal(0, 3, (2, 3, 4)),
        "extreme": np.array([[-1000, -100, -20, -1, 0], [0.5, 3, 20, 100, 1000]], np.float32),
        "extreme64": np.array([[-1000, -700, -40, 0], [1e-9, 40, 700, 1000]]),
        "infinite": np.array([[-np.inf, 0, 1], [np.inf, 0, 1]] + [[np.nan, 0, 1]], np.float32),
        "masked": np.full((1, 3), -np.inf, np.float32),
        "empty": np.zeros((2, 0, 3), np.float32),
        "single": np.array(-1.5, np.float32),
    }
    functions = {
        "relu": F.relu,
        "leaky_relu": F.leaky_relu,
        "leaky_relu_0.3": lambda x: F.leaky_relu(x, 0.3),
        "leaky_relu_2": lambda x: F.leaky_relu(x, 2.0),
        "sigmoid": torch.sigmoid,
        "tanh": torch.tanh,
        "gelu": lambda x: F.gelu(x, approximate="tanh"),
        "silu": F.silu,
    }
    arrays = {}
    for case, x in cases.items():
        arrays[f"x.{case}"] = x
        t = torch.from_numpy(x)
        for name, function in functions.items():
            arrays[f"{name}.{case}"] = function(t).numpy()
        for dim in range(x.ndim):
            arrays[f"softmax.{case}.dim{dim}"] = F.softmax(t, dim).numpy()
            arrays[f"log_softmax.{case}.dim{dim}"] = F.log_softmax(t, dim).numpy()
    return arrays
