"""Expressions whose gradients are held against PyTorch's and against finite differences.

Each is Python that both frameworks understand, of the variables in `inputs` and the constants in
`constants`; where PyTorch says it otherwise, its expression stands beside ours.
"""

from __future__ import annotations

import re

import numpy as np

SAME = ""
EXPRESSIONS = {
    # arithmetic: equal shapes, broadcast either way, numbers, reused tensors
    "a + b": SAME,
    "a + row": SAME,
    "column + row": SAME,
    "one + a": SAME,
    "a + 2": SAME,
    "a - column": SAME,
    "2 - a": SAME,
    "-a": SAME,
    "a * b": SAME,
    "a * row": SAME,
    "a * one": SAME,
    "a * 2": SAME,
    "a * a": SAME,
    "(a * b) * (a * b) + a": SAME,
    "a / p": SAME,
    "a / column": SAME,
    "1 / p": SAME,
    "p ** row": SAME,
    "a ** 2": SAME,
    "a ** 3": SAME,
    "p ** -1.5": SAME,
    "ties ** 0": SAME,
    "ties ** 2": SAME,
    "2 ** a": SAME,
    "nothing * row": SAME,
    "empty + row": SAME,
    # functions of one number
    "a.exp()": SAME,
    "p.log()": SAME,
    "p.sqrt()": SAME,
    "ties.abs()": SAME,
    "a.clone()": SAME,
    "relu(ties)": SAME,
    "leaky_relu(ties)": SAME,
    "leaky_relu(a, 0.3)": SAME,
    "sigmoid(a)": SAME,
    "sigmoid(large)": SAME,
    "tanh(a)": SAME,
    "tanh(large)": SAME,
    "gelu(a)": "gelu(a, approximate='tanh')",
    "gelu(large)": "gelu(large, approximate='tanh')",
    "silu(a)": SAME,
    "silu(large)": SAME,
    "softmax(a, 1)": SAME,
    "softmax(cube, -2)": SAME,
    "log_softmax(a, 0)": SAME,
    "log_softmax(cube, 1)": SAME,
    "softmax(large, 0)": SAME,
    "log_softmax(large, 0)": SAME,
    # who won
    "ties.clip(-1.0, 1.0)": SAME,
    "ties.clip(max=1.0)": SAME,
    "a.clip(column, p)": SAME,
    "maximum(a, b)": SAME,
    "maximum(ties, 1.0)": "maximum(ties, tensor(1.0, dtype=ties.dtype))",
    "maximum(ties, ties * ties)": SAME,
    "where(mask, a, row)": SAME,
    "where(mask, a, 2.0)": SAME,
    "ties.max()": "ties.amax()",
    "ties.max(axis=1)": "ties.amax(1)",
    "ties.max(axis=(0, 1), keepdims=True)": "ties.amax((0, 1), True)",
    "ties.min(axis=0)": "ties.amin(0)",
    "cube.min(axis=-1, keepdims=True)": "cube.amin(-1, True)",
    # reductions
    "a.sum()": SAME,
    "a.sum(axis=1)": SAME,
    "cube.sum(axis=(0, 2), keepdims=True)": SAME,
    "a.mean()": SAME,
    "cube.mean(axis=(0, -1))": SAME,
    "nothing.mean(axis=1)": SAME,
    "a.var()": SAME,
    "cube.var(axis=1, correction=0, keepdims=True)": SAME,
    "cube.var(axis=(0, 2))": SAME,
    # shapes and indices
    "cube.reshape(4, -1) * cube.reshape(4, 6)": SAME,
    "a.T.reshape(6)": SAME,
    "a.view(3, 2)": SAME,
    "cube.flatten(1)": SAME,
    "cube.transpose(0, 2)": SAME,
    "cube.permute(2, 0, 1) * cube.permute(2, 0, 1)": SAME,
    "column.expand(4, -1, 3)": SAME,
    "column.squeeze(1) * a.unsqueeze(0).sum(axis=2)": SAME,
    "a.astype(np.float32)": "a.float()",
    "single.astype(np.float64) * 3": "single.double() * 3",
    "cat([a, b, a], 1)": SAME,
    "cat([a, ties[:, :3]], 0)": SAME,
    "stack([a, b], -1)": SAME,
    "split(cube, [1, 2], 1)[1]": SAME,
    "split(a, 2, 1)[0] * split(a, 2, 1)[0]": SAME,
    "a[1]": SAME,
    "a[0, -1]": SAME,
    "a[..., ::2]": SAME,
    "cube[:, None, 1:, 0]": SAME,
    "a[[0, 1, 1]]": SAME,
    "cube[:, [0, 2, 0]]": SAME,
    "cube[[0, 1, 0], :, [1, 3, 1]]": SAME,
    "cube[places]": SAME,
    "a[mask]": SAME,
    "cube[:, [True, False, True]]": SAME,
    "a[[]]": SAME,
    # products
    "a @ matrix": SAME,
    "a @ vector": SAME,
    "vector @ matrix": SAME,
    "vector @ vector": SAME,
    "cube.transpose(1, 2) @ matrix": SAME,
    "a @ stacked": SAME,
    "cube @ stacked.transpose(1, 2)": SAME,
    "vector @ stacked": SAME,
    "stacked.transpose(1, 2) @ vector": SAME,
    "cube.unsqueeze(1) @ stacked.transpose(1, 2)": SAME,
    "empty @ matrix": SAME,
    "matrix[:, :0] @ a[:0]": SAME,
    "linear(a, weight, bias)": SAME,
    "linear(vector, weight)": SAME,
    "linear(cube.transpose(1, 2), weight, bias)": SAME,
    "linear(empty, weight, bias)": SAME,
    # losses
    "mse_loss(a, b)": SAME,
    "l1_loss(a, b, reduction='sum')": SAME,
    "binary_cross_entropy(chance, truth)": SAME,
    "binary_cross_entropy(edge, truth, reduction='sum')": SAME,
    "binary_cross_entropy_with_logits(a, truth)": SAME,
    "binary_cross_entropy_with_logits(large, truth.reshape(-1))": SAME,
    "binary_cross_entropy_with_logits(a, truth, pos_weight=weights)": SAME,
} | {
    f"{loss}({scores}, {labels}{rest}, reduction='{reduction}')": SAME
    for loss, more in (
        ("nll_loss", [""]),
        ("cross_entropy", ["", ", label_smoothing=0.2"]),
    )
    for scores, labels in (("scores", "labels"), ("images", "pixels"))
    for reduction in ("mean", "sum", "none")
    for rest in (part + option for part in ("", ", weights") for option in more)
}
EXPRESSIONS["cross_entropy(vector, label)"] = SAME
NAME = re.compile(r"\b[a-z]+\b(?!=|\(|')")


def inputs() -> dict[str, np.ndarray]:
    """Return the arrays that want a gradient."""
    rng = np.random.default_rng(6)
    return {
        "a": rng.normal(0, 1, (2, 3)),
        "b": rng.normal(0, 1, (2, 3)),
        "row": rng.normal(0, 1, 3),
        "column": rng.normal(0, 1, (2, 1)),
        "one": np.array(rng.normal()),
        "p": rng.uniform(0.5, 2, (2, 3)),
        "ties": np.array([[1.0, -2.0, 1.0, 0.0], [0.0, -1.0, 3.0, 3.0]]),
        "large": np.array([-1000.0, -30.0, 0.0, 2.0, 30.0, 1000.0]),
        "single": rng.normal(0, 1, (2, 3)).astype(np.float32),
        "cube": rng.normal(0, 1, (2, 3, 4)),
        "nothing": np.zeros((0, 3)),
        "empty": np.zeros((0, 3)),
        "matrix": rng.normal(0, 1, (3, 4)),
        "vector": rng.normal(0, 1, 3),
        "stacked": rng.normal(0, 1, (2, 3, 4)),
        "weight": rng.normal(0, 1, (5, 3)),
        "bias": rng.normal(0, 1, 5),
        "chance": rng.uniform(0.1, 0.9, (2, 3)),
        "edge": np.array([[0.0, 1.0, 0.5], [0.25, 1.0, 0.0]]),
        "scores": rng.normal(0, 2, (4, 3)),
        "images": rng.normal(0, 2, (2, 3, 2)),
    }


def constants() -> dict[str, np.ndarray]:
    """Return the arrays that want none."""
    rng = np.random.default_rng(7)
    return {
        "mask": np.array([[True, False, True], [False, False, True]]),
        "places": np.array([[0, 1], [1, 1]]),
        "truth": rng.uniform(0.1, 0.9, (2, 3)),
        "weights": rng.uniform(0.5, 2, 3),
        "labels": np.array([2, -100, 0, 1]),
        "pixels": np.array([[0, 2], [-100, 1]]),
        "label": np.array(1),
    }


def names(expression: str) -> list[str]:
    """List the inputs that an expression is of."""
    return sorted(inputs().keys() & NAME.findall(expression))


def outer(shape: tuple[int, ...]) -> np.ndarray:
    """Return the gradient that the walk begins with: numbers of both signs, none like another."""
    return np.cos(np.arange(1.0, 1 + int(np.prod(shape)))).reshape(shape)
