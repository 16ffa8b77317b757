"""What PyTorch answers to each expression of 01."""

import re

import numpy as np
import torch

TENSOR = """
a + b0; a - b0; a * b0; a / b0; 1 - a; 2 / a; 2.0 * a; a ** 2; a ** 0.5; abs(b0); -b0; a + d0
d0 + d0
a + i; i + 1.5; i / 2; i / i; i / h; i * s; i ** 2; 2 ** i; a ** i; u / 255; u + 1; h + 1; h * i
m + m
m + 1; m * 2.5; i > 2; a == a; a != b0; b0 <= 0; b0 < a; b0 >= a; i == h; m == 1
c * a[:, :, None]
a.exp(); a.log(); a.sqrt(); b0.abs(); i.exp(); i.sqrt(); u.exp(); m.exp(); i.abs(); c.exp()
e.exp()
b0.clip(-0.5, 0.5); b0.clip(min=0.25); b0.clip(max=0.25); b0.clip(1, -1); i.clip(1, 3)
i.clip(0.5)
maximum(a, b0); maximum(i, h); maximum(a, s); maximum(nan, nan.T); nan.max(); nan.min()
where(m, a, b0); where(m, a, 0.0); where(m, 1.0, 2.0); where(m, i, 2.5); where(m, 1, 2)
where(m, c[0, 0, 0], a)
a.sum(); a.sum(axis=0); c.sum(axis=(0, 2)); c.sum(axis=-1, keepdims=True); i.sum(axis=1)
h.sum(); u.sum()
m.sum(); m.sum(axis=0); e.sum(); e.sum(axis=0); s.sum(); a.T.sum(axis=0)
c[:, 1:, 2].sum(axis=1)
a.mean(); a.mean(axis=1); c.mean(axis=(0, 1), keepdims=True); c.mean(axis=-2); s.mean()
a.T.mean(axis=1)
a.var(); a.var(axis=1); c.var(axis=(0, 2)); c.var(axis=1, correction=0)
a.var(axis=0, keepdims=True)
a.max(); c.max(axis=1); c.max(axis=(0, 2)); i.max(axis=0); m.max()
c.max(axis=-1, keepdims=True); u.max(axis=1)
b0.min(); c.min(axis=0); c.min(axis=(1, 2), keepdims=True); i.min(axis=1); m.min()
b0.argmax(); c.argmax(axis=1); c.argmax(axis=-1, keepdims=True); i.argmax(axis=0); s.argmax()
c.reshape(6, -1); c.reshape(-1); c.reshape((4, 3, 2)); c.transpose(0, 2).reshape(2, 12)
e.reshape(-1, 3); e.reshape(3, 0, 1)
s.reshape(1, 1); c[:1, :1, :1].reshape(()); c.view(4, 6); a.T[:, :1].view(3)
c.flatten(); c.flatten(1); c.flatten(0, 1); c.flatten(-2, -1); s.flatten(); e.flatten()
a.T.flatten()
c.transpose(0, 2); c.transpose(-1, 1); c.permute(2, 0, 1); c.permute((1, -1, 0)); a.T; e.T
one.squeeze(); one.squeeze(0); one.squeeze(1); one.squeeze(-1); s.squeeze(); a.unsqueeze(0)
a.unsqueeze(-1)
s.unsqueeze(0); one.expand(4, 2, 5); one.expand(-1, -1, 3); a.expand(2, 2, 3); s.expand(2, 3)
one.expand(0, 2, 1)
a @ w; w.T @ a.T; a @ w[:, 0]; a[0] @ w; a[0] @ a[0]; c @ w4; c[0] @ w4
w4.T @ c.permute(0, 2, 1); c[:, None] @ w4[None]; i @ i.T; e @ w
c[1]; c[-1, 1]; c[1, 2, 3]; c[:, 1:]; c[..., 0]; c[:, None, 1]; c[:, [0, 2]]; c[[1, 0], [2, 0]]
c[..., ::2]; c[1:1]
a[m]; c[m]; a[a > 1]; c[index]; c[:, index]; a[index, index]; c[0, index]
c[index[:, None], index]; s[None]; s[...]
cat([a, b0]); cat((a, b0), 1); cat([a, i]); cat([c, c[:, :1]], dim=-2); cat([a, e]); cat([i, h])
cat([m, m], -1)
stack([a, b0]); stack([a, b0], dim=1); stack([a, b0], -1); stack([s, s]); stack([i, a])
split(c, 2, 2)[1]; split(c, 3, -1)[1]; split(c, [1, 3], dim=2)[1]; split(a, 5)[0]
split(e, 2)[0]
zeros(2, 3); zeros((2,)); ones(2, 0); full((2, 2), 3); full((2,), 0.5); full((1,), True); eye(2)
eye(2, 3)
arange(4); arange(1, 9, 3); arange(1, 0, -0.25); arange(2.0); arange(0, 1, 0.1); arange(0)
"""


def arrays():
    """Inputs `in.<name>`, and PyTorch's result of each expression under its own text."""
    rng = np.random.default_rng(1)
    inputs = {
        "a": rng.uniform(0.5, 3, (2, 3)).astype(np.float32),
        "b0": rng.normal(0, 1, (2, 3)).astype(np.float32),
        "c": rng.normal(0, 1, (2, 3, 4)),
        "d0": np.array(2.5),
        "e": np.zeros((0, 3), np.float32),
        "h": np.array([[1, 2, 3], [3, 2, 1]], np.int32),
        "i": np.array([[2, 6, 3], [5, 1, 4]]),
        "index": np.array([1, 0, 1]),
        "m": np.array([[True, False, True], [False, False, True]]),
        "nan": np.array([[1, np.nan], [2, 3]], np.float32),
        "one": rng.normal(0, 1, (1, 2, 1)).astype(np.float32),
        "s": np.array(1.5, np.float32),
        "u": np.array([[200, 100, 3], [0, 255, 7]], np.uint8),
        "w": rng.normal(0, 1, (3, 4)).astype(np.float32),
        "w4": rng.normal(0, 1, (4, 2)),
    }
    names = {**vars(torch), **{name: torch.from_numpy(x) for name, x in inputs.items()}}
    arrays = {f"in.{name}": x for name, x in inputs.items()}
    for expression in filter(None, TENSOR.replace("\n", ";").split(";")):
        # What max and min are along an axis, PyTorch calls amax and amin.
        ours = re.sub(r"\.(max|min)\(axis", r".a\1(axis", expression.strip())
        arrays[expression.strip()] = eval(ours, names).numpy()
    return arrays
