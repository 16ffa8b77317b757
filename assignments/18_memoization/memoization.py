"""Memoization: a GPT that remembers what it has computed, and writes on without doing it again.

Of the tokens that a model has read, later tokens ask for keys and values alone, and these do not
change when something is appended. One can keep them (`KVCache`), feed a GPT new tokens only
(`cached_scores`), write with it (`generate_cached`), beyond what the model sees at once too
(`window_start`), and fold norms and scales into the products next to them, so that a step is a few
products of arrays (`Folded`). Nothing in module 13 changes: its modules and parameters are read.
"""

from __future__ import annotations

import math
import operator

import numpy as np

from tinytorch.attention import merge_heads, softmax_in_place, split_heads, thirds
from tinytorch.autograd import no_grad
from tinytorch.layers import linear
from tinytorch.tensor import Tensor, apply, default_generator, from_numpy
from tinytorch.transformers import (
    GPT,
    GPTConfig,
    LayerNorm,
    TransformerBlock,
    next_probabilities,
    sample,
)

__all__ = [
    "Folded",
    "KVCache",
    "cached_block",
    "cached_scores",
    "centre_outputs",
    "fold_norm",
    "generate_cached",
    "kv_bytes",
    "window_start",
]


def kv_bytes(layers: int, batch: int, places: int, embed_dim: int, itemsize: int = 4) -> int:
    """Return what a cache takes: a key and a value, each of embed_dim numbers, for every place.

    2 · L · B · T · D · itemsize, in bytes, however D is divided among heads.

    >>> kv_bytes(layers=4, batch=1, places=128, embed_dim=128)
    524288
    """
    raise NotImplementedError("18_memoization: kv_bytes")


class KVCache:
    """Keys and values of the places read so far, of every layer, in memory taken once.

    >>> cache = KVCache(layers=2, batch=1, heads=4, places=8, size=16)
    >>> cache, cache.nbytes == kv_bytes(2, 1, 8, 64)
    (KVCache(layers=2, batch=1, heads=4, places=0 of 8, size=16), True)
    """

    def __init__(
        self, layers: int, batch: int, heads: int, places: int, size: int, dtype=np.float32
    ):
        """Make room for `places` places; `size` is the width of a head."""
        shape = tuple(map(operator.index, (layers, batch, heads, places, size)))
        if min(shape) < 1:
            raise ValueError(f"KVCache: expected sizes >= 1, got {shape}")
        layers, batch, *rest = shape
        self.both = np.zeros((layers, batch, 2, *rest), dtype)
        self.keys, self.values = self.both[:, :, 0], self.both[:, :, 1]  # (L, B, H, T, E)
        self.lengths = [0] * shape[0]  # places filled, for each layer

    @classmethod
    def of(cls, model: GPT, batch: int, places: int | None = None) -> KVCache:
        """Make one that fits a GPT, for block_size places unless one says so."""
        config: GPTConfig = model.config
        dtype = model.token_embedding.weight.dtype
        places = config.block_size if places is None else places
        size = config.n_embd // config.n_head
        return cls(config.n_layer, batch, config.n_head, places, size, dtype)

    @property
    def length(self) -> int:
        """How many places all layers have."""
        return self.lengths[-1]

    @property
    def nbytes(self) -> int:
        """The bytes of the memory taken, empty places included."""
        return self.both.nbytes

    def clear(self) -> None:
        """Forget all places, and keep the memory."""
        self.lengths = [0] * len(self.lengths)

    def append(
        self, layer: int, key: np.ndarray, value: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Write the keys and values of N new places of a layer behind its others; return all of it.

        Shapes: two of (B, H, N, E) -> two views (B, H, T, E) of the T places that the layer has
        then, the new ones included: a token sees itself. `lengths[layer]` becomes T. Nothing is
        moved or allocated. Errors: ValueError, with the numbers, where shapes do not fit, or where
        there is no room; then nothing is written.

        >>> cache = KVCache(layers=1, batch=1, heads=1, places=3, size=2)
        >>> for n in (5, 6):
        ...     keys, values = cache.append(0, np.full((1, 1, 1, 2), n), np.full((1, 1, 1, 2), -n))
        >>> keys.tolist(), cache.length
        ([[[[5.0, 5.0], [6.0, 6.0]]]], 2)
        """
        raise NotImplementedError("18_memoization: KVCache.append")

    def __repr__(self) -> str:
        """Show the sizes, and how full it is."""
        layers, batch, heads, places, size = self.keys.shape
        filled = f"places={self.length} of {places}"
        return f"KVCache(layers={layers}, batch={batch}, heads={heads}, {filled}, size={size})"


def last_attention_array(q: np.ndarray, k: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Compute causal attention of the last N places of S: softmax(Q Kᵀ / √E) V.

    Shapes: q (..., N, E), k and v (..., S, E) -> (..., N, E), N <= S. Query i stands at place
    S - N + i and sees the keys 0 … S - N + i: itself and all before it. With N = 1 nothing is to be
    hidden. `softmax_in_place` does the rows.

    >>> k, v = np.zeros((3, 1)), np.array([[3.0], [9.0], [0.0]])
    >>> last_attention_array(np.zeros((2, 1)), k, v).tolist()  # means of two values, and of three
    [[6.0], [4.0]]
    """
    raise NotImplementedError("18_memoization: last_attention_array")


def cached_block(block: TransformerBlock, x: Tensor, cache: KVCache, layer: int) -> Tensor:
    """Return what a block makes of N new places, which see those in the cache: (B, N, D) -> same.

    As the block itself in eval mode, with nothing computed anew of what the cache has: norm1; one
    `linear` with attention's in_proj_weight and in_proj_bias, cut by `split_heads` into 3 · H heads
    and by `thirds` into queries, keys and values of the new places; keys and values are appended to
    the cache's layer; `last_attention_array`, through `apply`, of the queries with all that is
    there; `merge_heads`, out_proj, and the sum with x; then norm2, feed_forward and a sum.

    >>> block, x = TransformerBlock(8, num_heads=2), from_numpy(np.eye(8, dtype=np.float32)[None])
    >>> cache = KVCache(layers=1, batch=1, heads=2, places=8, size=4)
    >>> y = [cached_block(block, x[:, t : t + 1], cache, 0).data for t in range(8)]
    >>> bool(np.allclose(np.concatenate(y, 1), block(x).data, atol=1e-5))
    True
    """
    raise NotImplementedError("18_memoization: cached_block")


def cached_scores(model: GPT, ids: Tensor, cache: KVCache) -> Tensor:
    """Score what comes after each of N new tokens, with those in the cache before them.

    Shapes: ids (B, N) -> (B, N, V), the last N places of `model(all ids so far)` in eval mode, up
    to rounding. The new tokens stand at the places from cache.length on: position_embedding takes
    this as its offset; blocks go by `cached_block`; `norm` and the tied weight end it. The cache
    has N places more then. Nothing is recorded: a cache has no gradient. Errors: ValueError where
    block_size or the cache has no such place.

    >>> model = GPT(GPTConfig(vocab_size=9, block_size=4, n_layer=2, n_head=2, n_embd=8))
    >>> cache, ids = KVCache.of(model, batch=1), Tensor([[3, 1, 4]])
    >>> first, last = (cached_scores(model, new, cache) for new in (ids[:, :2], ids[:, 2:]))
    >>> bool(np.allclose(last.data[0, 0], model(ids).data[0, 2], atol=1e-5)), cache.length
    (True, 3)
    """
    raise NotImplementedError("18_memoization: cached_scores")


def window_start(length: int, block_size: int, hop: int = 1) -> int:
    """Return the first id that the model sees when `length` ids are there.

    0 while they fit into block_size; then the smallest multiple of hop with which they fit: a
    window that moves by hop ids at a time, and holds block_size - hop + 1 to block_size. ValueError
    unless 1 <= hop <= block_size.

    >>> [window_start(length, block_size=4, hop=2) for length in range(3, 10)]
    [0, 0, 2, 2, 4, 4, 6]
    """
    raise NotImplementedError("18_memoization: window_start")


def generate_cached(
    model: GPT,
    ids: Tensor,
    max_new_tokens: int,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    seed: int | None = None,
    hop: int = 1,
    folded: Folded | None = None,
) -> Tensor:
    """Write on as `model.generate` does, each token read once: (B, T) -> (B, T + max_new_tokens).

    With t ids there, the scores are those of the ids from s = `window_start(t, block_size, hop)`
    on: the last place of model(ids[:, s:t]), up to rounding. While s stays, the cache has all but
    the newest token, and only that is read. When s moves, every token that stays moves to another
    place and so has other keys: the cache is cleared, and the window is read again. With hop = 1
    that is once per token beyond block_size, and the result is `generate`'s; a larger hop reads
    again once in hop tokens. Drawing is as in `generate`: `next_probabilities`, `sample`, a new
    generator of this seed or `default_generator()`. `folded`, made of this model, reads in
    its place if it is given. Errors: as in `generate`, and of `window_start`.

    >>> model = GPT(GPTConfig(vocab_size=10, block_size=4, n_layer=1, n_head=2, n_embd=8))
    >>> long = generate_cached(model, Tensor([[1, 2]]), max_new_tokens=5, seed=0)
    >>> long.shape, long.tolist() == model.generate(Tensor([[1, 2]]), 5, seed=0).tolist()
    ((1, 7), True)
    """
    raise NotImplementedError("18_memoization: generate_cached")


class Ahead:
    """A generator whose numbers are drawn before they are asked for, all by one call.

    A call that a cache has no room for takes several times as long as in a loop of its own, and
    between two tokens all weights pass through the cache.
    """

    def __init__(self, generator, times: int, count: int):
        """Draw for `times` calls of `random(count)`, when the first comes."""

        def drawn():
            yield from generator.random((times, count))

        self.rows = drawn()

    def random(self, count: int) -> np.ndarray:
        """Return the next `count` numbers."""
        return next(self.rows)


def _reader(model: GPT):
    """Return a function that reads new ids (B, N) into a cache: the scores after them, (B, V)."""
    return lambda ids, cache: cached_scores(model, from_numpy(ids), cache).data[:, -1]


def fold_norm(
    norm: LayerNorm, weight: np.ndarray, bias: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return W' and b' with which W norm(x) + b = W' u + b', where u = (x - mean) / √(var + eps).

    norm(x) = w · u + c, so that W' = W diag(w) and b' = W c + b: what scales and shifts each number
    of the input can be done to the matrix once. Shapes: W (out, D), b (out,) or None -> the same,
    new arrays.

    >>> norm = LayerNorm(2)
    >>> norm.weight.data[...], norm.bias.data[...] = [10, 100], [1, 2]
    >>> w, b = fold_norm(norm, np.array([[1.0, 2.0]]), np.array([0.5]))
    >>> w.tolist(), b.tolist()
    ([[10.0, 200.0]], [5.5])
    """
    raise NotImplementedError("18_memoization: fold_norm")


def centre_outputs(weight: np.ndarray, bias: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Return W' and b' with which W' x + b' is W x + b less the mean of its numbers.

    The mean of W x is the product of x with the mean of W's rows: subtract this row from each, and
    of the bias its own mean. Where every reader of a sum is a LayerNorm, which subtracts the mean
    first of all, all that is added to it may be centred, and no norm needs to do it any more.
    Shapes: W (out, in), b (out,) or None -> the same, new arrays.

    >>> w, b = centre_outputs(np.array([[1.0, 2.0], [3.0, 6.0]]), np.array([0.0, 4.0]))
    >>> w.tolist(), b.tolist()
    ([[-1.0, -2.0], [1.0, 2.0]], [-2.0, 2.0])
    """
    raise NotImplementedError("18_memoization: centre_outputs")


# GELU is ½ h (1 + tanh(c (h + a h³))). With z = BEND · h, BEND³ = a c, it is z (1 + tanh(z (TILT +
# z²))) / (2 BEND): two products less, if the matrices before and after have BEND and 1 / (2 BEND).
BEND = (0.044715 * math.sqrt(2 / math.pi)) ** (1 / 3)
TILT = math.sqrt(2 / math.pi) / BEND
HARMLESS = 60  # scores of which exp(score), and a sum of many, is neither 0 nor infinite in float32


class Folded:
    """A copy of a GPT's parameters, of now, in a shape in which a token takes few operations.

    The sums between blocks are centred, so that a norm is a division by √(mean(x²) + eps); its
    weight and bias are in the product after it, 1 / √E is in the rows that make queries, constants
    of GELU are in the matrices around it, and a bias is the last row of its matrix, for an x that
    ends in 1. Operations are NumPy's own, on plain arrays, in memory that the next ones use again:
    no profiler sees them, and one thread at a time may read.

    >>> model = GPT(GPTConfig(vocab_size=9, block_size=4, n_layer=2, n_head=2, n_embd=8))
    >>> folded, cache = Folded(model), KVCache.of(model, batch=1)
    >>> first, last = (folded.scores(np.array([ids]), cache) for ids in ([3, 1], [4]))
    >>> bool(np.allclose(last, model(Tensor([[3, 1, 4]])).data[:, -1], atol=1e-5))
    True
    """

    def __init__(self, model: GPT):
        """Fold everything once."""
        table, places = model.token_embedding.weight.data, model.position_embedding.weight.data
        self.tokens = table - table.mean(axis=1, keepdims=True)
        self.places = places - places.mean(axis=1, keepdims=True)
        self.heads, self.size = model.config.n_head, model.config.n_embd
        self.blocks = [_fold_block(block) for block in model.blocks]
        self.last_eps = model.norm.eps * self.size
        self.head = _product(*fold_norm(model.norm, table, None), 1)
        self.head[:-1] *= math.sqrt(self.size)
        self.desk = Desk(self, 1, 1)

    def scores(self, ids: np.ndarray, cache: KVCache) -> np.ndarray:
        """Read ids (B, N); return the scores of what comes after them, (B, V).

        As the last place of `cached_scores`, up to rounding, and with the same cache.
        """
        start = self._require_fit(ids, cache)
        if self.desk.shape != ids.shape:
            self.desk = Desk(self, *ids.shape)
        desk, end = self.desk, start + ids.shape[1]
        x, normed, mixed, bent, branch = desk.x, desk.normed, desk.mixed, desk.bent, desk.branch
        rows, asked, told, curve, wide = desk.rows, desk.asked, desk.told, desk.curve, desk.wide
        np.add(self.tokens.take(ids, 0), self.places[start:end], desk.placed)
        for both, (ask, out, up, down, eps1, eps2, harmless) in zip(
            cache.both, self.blocks, strict=True
        ):
            _normalize(x, eps1, rows)
            normed.dot(ask, asked)
            both[..., start:end, :] = told
            desk.attend(both[..., :end, :], harmless)
            np.add(x, mixed.dot(out, branch), x)
            _normalize(x, eps2, rows)
            _bend(normed.dot(up, wide), curve)
            np.add(x, bent.dot(down, branch), x)
        cache.lengths = [end] * len(cache.lengths)
        _normalize(desk.last, self.last_eps, desk.ends[:, :-1])
        return desk.ends.dot(self.head)

    def _require_fit(self, ids, cache):
        """Return the place where ids begin; refuse those for which there is no row or no place."""
        start, (batch, new) = cache.lengths[-1], ids.shape
        _, rows, _, places, _ = cache.keys.shape
        if not new or batch != rows or start + new > min(len(self.places), places):
            wanted = f"expected ids that fit into {cache} and {len(self.places)} places"
            raise ValueError(f"Folded: {wanted}, got {ids.shape}")
        every = ids.ravel().tolist()
        if every and not 0 <= min(every) <= max(every) < len(self.tokens):
            raise IndexError(f"Folded: expected ids from 0 to {len(self.tokens) - 1}, got {ids}")
        return start


class Desk:
    """Memory for what `Folded` computes of ids (B, N), and views of it, made once for many tokens.

    All the small things around the products take as long as these; so they are laid out before.
    """

    def __init__(self, folded: Folded, batch: int, new: int):
        """Lay out everything."""
        self.shape = batch, new
        rows, size, dtype = batch * new, folded.size, folded.tokens.dtype
        hidden = folded.blocks[0][3].shape[0]  # of what ends in 1, as all four of these do
        self.normed, self.mixed, self.bent, self.ends = (
            np.ones(shape, dtype)
            for shape in ((rows, size + 1), (rows, size + 1), (rows, hidden), (batch, size + 1))
        )
        self.x, self.branch, self.wide, self.asked = (
            np.empty((rows, n), dtype) for n in (size, size, hidden - 1, 3 * size)
        )
        self.placed = self.x.reshape(batch, new, size)
        self.last = self.placed[:, -1]
        self.rows, self.curve = self.normed[:, :-1], self.bent[:, :-1]
        heads = self.asked.reshape(batch, new, 3, folded.heads, -1).transpose(0, 2, 3, 1, 4)
        self.queries, self.told = heads[:, 0].mT, heads[:, 1:]  # (B, H, E, N) and (B, 2, H, N, E)
        self.answers = self.mixed[:, :-1].reshape(batch, new, folded.heads, -1).swapaxes(1, 2)
        self.sums = np.empty((batch, folded.heads, new, 1), dtype)

    def attend(self, both: np.ndarray, harmless: bool) -> None:
        """Answer the queries, which are scaled, of keys and values (B, 2, H, S, E).

        Where scores are harmless, the largest need not be taken from all: softmax does not change.
        """
        p = both[:, 0] @ self.queries  # (B, H, S, N)
        if (new := p.shape[3]) > 1:
            places = p.shape[2]
            p += np.tril(np.full((places, new), -np.inf, p.dtype), new - places - 1)
        if not harmless:
            p -= np.maximum.reduce(p, axis=2, keepdims=True)
        np.exp(p, p)
        sums, p, answers = self.sums, p.mT, self.answers
        np.add.reduce(p, axis=3, keepdims=True, out=sums)
        np.divide(np.matmul(p, both[:, 1], answers), sums, answers)


def _normalize(x: np.ndarray, eps: float, out: np.ndarray) -> None:
    """Divide each row, whose mean is 0, by its root of squares' sum and eps."""
    if len(x) == 1:  # a number of Python takes a third of the time of an array of one
        row = x[0]
        np.divide(x, math.sqrt(row.dot(row) + eps), out)
    else:
        squares = np.vecdot(x, x)[:, None]
        squares += x.dtype.type(eps)
        np.divide(x, np.sqrt(squares, out=squares), out=out)


def _bend(z: np.ndarray, out: np.ndarray) -> None:
    """Write 2 BEND times GELU of z / BEND."""
    np.multiply(z, z, out)
    np.add(out, TILT, out)
    np.multiply(out, z, out)
    np.tanh(out, out)
    np.add(out, 1, out)
    np.multiply(out, z, out)


def _fold_block(block: TransformerBlock) -> tuple:
    """Return a block's four matrices, what its two norms add to a sum, and: are scores harmless?"""
    attention, network = block.attention, block.feed_forward
    size, in_bias = attention.embed_dim, attention.in_proj_bias
    in_bias = None if in_bias is None else in_bias.data
    ask = _product(*fold_norm(block.norm1, attention.in_proj_weight.data, in_bias), 1)
    ask[:, :size] *= 1 / math.sqrt(size // attention.num_heads)
    ask[:-1] *= math.sqrt(size)  # as the rows are divided by the root of a sum, and not of a mean
    up = _product(*fold_norm(block.norm2, *_arrays(network.up)), BEND)
    up[:-1] *= math.sqrt(size)
    out = _product(*centre_outputs(*_arrays(attention.out_proj)), 1)
    down = _product(*centre_outputs(*_arrays(network.down)), 1)
    down[:-1] /= 2 * BEND
    harmless = ask.itemsize >= 4 and largest_score(ask, attention.num_heads) <= HARMLESS
    return ask, out, up, down, block.norm1.eps * size, block.norm2.eps * size, harmless


def largest_score(ask: np.ndarray, heads: int) -> float:
    """Return what no score q · k of a block can exceed, whatever it reads.

    Of a row u, whose length is 1 at most, a head makes q = u Q + a and k = v K + b. So a score is
    at most ‖Q Kᵀ‖ + |Q b| + |K a| + |a · b|, with the largest singular value for ‖ ‖, which is that
    of the product of the small triangles R of Q and K. Shape: ask (D + 1, 3 D), biases below.

    >>> one = np.array([[3.0, 2.0, 0.0], [0.0, 0.5, 0.0]])  # D = 1: q = 3 u, k = 2 v + ½
    >>> largest_score(one, heads=1)
    7.5
    """
    if not np.isfinite(ask).all():
        return math.inf
    thirds_of = ask.astype(np.float64).reshape(len(ask), 3, heads, -1).transpose(1, 2, 0, 3)
    (q, a), (k, b) = ((x[:, :-1], x[:, -1:]) for x in thirds_of[:2])  # (H, D, E), (H, 1, E)
    r = np.linalg.qr(q, "r") @ np.linalg.qr(k, "r").mT
    parts = r, q @ b.mT, k @ a.mT, a @ b.mT  # of what is one row, this norm is the length
    return float(sum(np.linalg.norm(part, 2, axis=(1, 2)) for part in parts).max())


def _arrays(layer):
    """The arrays of a Linear."""
    return layer.weight.data, None if layer.bias is None else layer.bias.data


def _product(weight: np.ndarray, bias: np.ndarray, scale: float) -> np.ndarray:
    """Return the matrix M with which [x, 1] @ M is scale · (W x) + scale · b: (in + 1, out)."""
    return np.ascontiguousarray(np.concatenate([weight.T, bias[None]]) * weight.dtype.type(scale))


def _require_ids(name: str, ids: Tensor) -> None:
    """Refuse what is no batch of sequences of ids."""
    if not isinstance(ids, Tensor) or ids.dtype.kind not in "iu":
        kind = ids.dtype if isinstance(ids, Tensor) else type(ids).__name__
        raise TypeError(f"{name}: expected a Tensor of ints, got {kind}")
    if ids.ndim != 2 or not ids.shape[1]:
        raise ValueError(f"{name}: expected ids (B, T) with T >= 1, got {ids.shape}")


def _require_room(model: GPT, ids: Tensor, cache: KVCache) -> None:
    """Refuse ids that are no batch of sequences, or more than the model or the cache has room."""
    _require_ids("cached_scores", ids)
    batch, places = cache.keys.shape[1], min(cache.keys.shape[3], model.config.block_size)
    if len(ids) != batch:
        raise ValueError(f"cached_scores: expected {batch} rows, as the cache, got {len(ids)}")
    if cache.length + ids.shape[1] > places:
        got = f"{ids.shape[1]} after {cache.length}"
        raise ValueError(f"cached_scores: expected {places} places at most, got {got}")
