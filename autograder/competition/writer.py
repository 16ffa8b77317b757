"""How the given GPT goes on, on arithmetic of our own: what track E's answers are held against."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from assignments.competition.language import HEADS

EPSILON = 1e-5  # of LayerNorm


def continued(state: Mapping[str, np.ndarray], prompts: np.ndarray, count: int):
    """Write `count` letters behind each of `prompts` (B, T), always the likeliest.

    Returns them (B, count), and how far ahead of the second the likeliest was at its narrowest
    (B,): where that is little, another order of the same sums may choose another letter.
    """
    writer = _Writer(state, len(prompts), prompts.shape[1] + count)
    for letter in prompts.T[:-1]:
        writer.read(letter)
    last, written, margins = prompts[:, -1], [], []
    for _ in range(count):
        scores = writer.read(last)
        second, first = np.partition(scores, -2, axis=1)[:, -2:].T
        last = scores.argmax(axis=1)
        written.append(last)
        margins.append(first - second)
    return np.stack(written, axis=1), np.min(margins, axis=0)


class _Writer:
    """A GPT that keeps the keys and values of what it has read."""

    def __init__(self, state: Mapping[str, np.ndarray], batch: int, most: int):
        self._state, self._place = state, 0
        self._layers = sum(name.endswith("in_proj_weight") for name in state)
        width = state["norm.weight"].shape[0]
        shape = (self._layers, batch, HEADS, most, width // HEADS)
        self._keys, self._values = np.empty(shape, np.float32), np.empty(shape, np.float32)

    def read(self, letters: np.ndarray) -> np.ndarray:
        """Return the scores of what follows the next `letters` (B,): (B, V)."""
        state = self._state
        x = state["token_embedding.weight"][letters]
        x = x + state["position_embedding.weight"][self._place]
        for layer in range(self._layers):
            name = f"blocks.{layer}."
            attended = self._attend(layer, name, self._norm(x, f"{name}norm1"))
            x = x + self._linear(attended, f"{name}attention.out_proj")
            wide = self._linear(self._norm(x, f"{name}norm2"), f"{name}feed_forward.up")
            x = x + self._linear(_gelu(wide), f"{name}feed_forward.down")
        self._place += 1
        return self._norm(x, "norm") @ state["token_embedding.weight"].T

    def _attend(self, layer: int, name: str, x: np.ndarray) -> np.ndarray:
        state, seen = self._state, self._place + 1
        packed = x @ state[f"{name}attention.in_proj_weight"].T
        packed += state[f"{name}attention.in_proj_bias"]
        query, key, value = packed.reshape(len(x), 3, HEADS, -1).swapaxes(0, 1)
        keys, values = self._keys[layer], self._values[layer]
        keys[:, :, self._place], values[:, :, self._place] = key, value
        scores = (keys[:, :, :seen] @ query[..., None])[..., 0] / query.shape[-1] ** 0.5
        chances = np.exp(scores - scores.max(axis=-1, keepdims=True))
        chances /= chances.sum(axis=-1, keepdims=True)
        return (chances[:, :, None] @ values[:, :, :seen]).reshape(x.shape)

    def _norm(self, x: np.ndarray, name: str) -> np.ndarray:
        centred = x - x.mean(axis=-1, keepdims=True)
        deviation = np.sqrt(np.mean(centred**2, axis=-1, keepdims=True) + np.float32(EPSILON))
        return centred / deviation * self._state[f"{name}.weight"] + self._state[f"{name}.bias"]

    def _linear(self, x: np.ndarray, name: str) -> np.ndarray:
        return x @ self._state[f"{name}.weight"].T + self._state[f"{name}.bias"]


def _gelu(x: np.ndarray) -> np.ndarray:
    return x * np.float32(0.5) * (1 + np.tanh(0.7978845608 * (x + np.float32(0.044715) * x**3)))
