"""Attention: every place of a sequence asks all places, and takes from each as it answers.

One can ask by queries, keys and values (`scaled_dot_product_attention`), see how much each key
counts (`attention_weights`), and let several heads ask at once, each in learned directions of its
own (`MultiHeadAttention`). Names and results are PyTorch's, and a bool mask says of each key
whether it takes part, here and in the layer alike.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Iterator

import numpy as np

from tinytorch.activations import softmax
from tinytorch.autograd import vjp
from tinytorch.layers import Linear, Module, Parameter, linear
from tinytorch.tensor import Tensor, apply, default_generator, note_change, where

__all__ = ["MultiHeadAttention", "attention_weights", "scaled_dot_product_attention"]

# The scores of a block of queries, all heads of a sequence, stay in a cache of 1 MiB with all that
# is made of them. Short sequences are done together: else the calls take longer than the numbers.
BLOCK_BYTES = 2**18


def attention_weights(
    query: Tensor, key: Tensor, attn_mask: Tensor | None = None, is_causal: bool = False
) -> Tensor:
    """Say how much each key counts for each query: softmax(Q Kᵀ / √E + mask) along the keys.

    Shapes: query (..., L, E), key (..., S, E) -> (..., L, S). A bool mask says which keys take
    part: those where it is True; a mask of floats is added to the scores, and where it is -inf the
    key takes no part; both broadcast to (..., L, S). Causal: query i sees the keys 0 … i, of those
    that the mask leaves. A key that takes no part has weight 0, and a query that sees no key has
    weights 0 and not NaN. Written in operations of lower modules, so that no rule is needed.
    Errors: as in `scaled_dot_product_attention`.

    >>> query, key = Tensor([[0.0], [1.0]]), Tensor([[0.0], [math.log(3)]])
    >>> print(attention_weights(query, key).numpy().round(4))
    [[0.5  0.5 ]
     [0.25 0.75]]
    >>> attention_weights(query, key, is_causal=True).tolist()[0]
    [1.0, 0.0]
    """
    _require_fit(query, key, key, attn_mask)
    scores = query @ key.transpose(-2, -1) * (1 / math.sqrt(query.shape[-1]))
    taking_part = np.ones(scores.shape[-2:], bool)
    if is_causal:
        taking_part = np.tril(taking_part)
    if attn_mask is not None and attn_mask.dtype == bool:
        taking_part = taking_part & attn_mask.data
    elif attn_mask is not None:
        taking_part = taking_part & (attn_mask.data > -np.inf)
        scores = scores + attn_mask
    # Not -inf: a row of nothing else has no softmax.
    lowest = np.array(np.finfo(scores.dtype).min, scores.dtype)
    weights = softmax(where(taking_part, scores, lowest), dim=-1)
    return where(taking_part, weights, np.zeros_like(lowest))


def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    is_causal: bool = False,
) -> Tensor:
    """Give each query the average of all values, each weighed as its key answers the query.

    softmax(Q Kᵀ / √E + mask) V, with the weights of `attention_weights`: query (..., L, E), key
    (..., S, E), value (..., S, D) -> (..., L, D). A bool mask says which keys take part; a mask of
    floats is added to the scores; a query that sees no key gets 0. One operation:
    `attention_array`, handed to `apply` with query, key and value, and by name with `bias`, which
    `_bias` makes of the mask, is_causal, and `kept`: an empty list, or None if none of the three
    wants a gradient. But where the mask wants one, it is the product of `attention_weights` and
    values. Errors: TypeError unless all are Tensors of one floating dtype, the mask of this or
    bool; ValueError, with the shapes, where they do not fit.
    Source: Vaswani, Shazeer, Parmar, Uszkoreit, Jones, Gomez, Kaiser and Polosukhin, "Attention is
    all you need", 2017, section 3.2.1.

    >>> query, key = Tensor([[0.0], [1.0]]), Tensor([[0.0], [math.log(3)]])
    >>> print(scaled_dot_product_attention(query, key, Tensor([[4.0], [8.0]])).numpy().round(4))
    [[6.]
     [7.]]
    """
    _require_fit(query, key, value, attn_mask)
    if attn_mask is not None and attn_mask.requires_grad:
        return attention_weights(query, key, attn_mask, is_causal) @ value
    kept = [] if any(x.requires_grad for x in (query, key, value)) else None
    settings = {"bias": _bias(attn_mask, query.dtype), "is_causal": is_causal, "kept": kept}
    return apply(attention_array, query, key, value, **settings)


def attention_array(
    q: np.ndarray,
    k: np.ndarray,
    v: np.ndarray,
    bias: np.ndarray | None,
    is_causal: bool,
    kept: list | None,
) -> np.ndarray:
    """Compute softmax(Q Kᵀ / √E + bias) V: (..., L, E), (..., S, E), (..., S, D) -> (..., L, D).

    `bias`, which broadcasts to (..., L, S), is added to the scores; None adds nothing. It goes from
    block to block, as `blocks` says, so that scores stay in the cache until they have been used.
    The weights of each block, an array (..., H, L', S') of its queries and the keys they see, are
    appended to `kept`, for the rule; if that is None, they are forgotten. The result lies in memory
    as `q` does: `np.empty_like`.
    """
    shape = (*q.shape[:-1], k.shape[-2])
    y = np.empty_like(q, shape=(*q.shape[:-1], v.shape[-1]))
    bias = bias if bias is None else np.broadcast_to(bias, shape)
    scale = q.dtype.type(1 / math.sqrt(q.shape[-1]))
    *_, limit = _limits(q.dtype)
    for one, rows, end in blocks(shape, q.itemsize, is_causal):
        p = (q[one][..., rows, :] * scale) @ turned(k[one][..., :end, :])
        # Two looks at all scores take a third of the time of taking from each row its largest.
        small = bias is None and p.size > 0 and -limit < np.minimum.reduce(p, None)
        small = small and np.maximum.reduce(p, None) < limit
        if bias is not None:
            p += bias[one][..., rows, :end]
        if is_causal:
            p += _hide_later(rows.start, *p.shape[-2:], p.dtype)
        softmax_in_place(p, small)
        np.matmul(p, v[one][..., :end, :], out=y[one][..., rows, :])
        if kept is not None:
            kept.append(p)
    return y


@vjp(attention_array)
def attention_rule(y, q, k, v, bias, is_causal, kept):
    """Let `attention_gradients` compute all three when the first is asked for."""
    found = []

    def pull(number, g):
        if not found:
            if not kept:  # something else computed y
                attention_array(q, k, v, bias, is_causal, kept)
            found.extend(map(np.empty_like, (q, k, v)))
            attention_gradients(g, y, q, k, v, kept, is_causal, found)
        return found[number]

    return tuple(functools.partial(pull, number) for number in range(3))


def packed_attention(
    heads: Tensor, attn_mask: Tensor | None = None, is_causal: bool = False
) -> Tensor:
    """Return `scaled_dot_product_attention` of the three `thirds` of one Tensor (..., 3H, T, E).

    -> (..., H, T, E). One operation, `packed_attention_array`, whose gradient is written into one
    array, as the product that made all heads wants it.
    """
    _require_fit(heads, heads, heads, None)
    if attn_mask is not None:
        *lead, several, places, _ = heads.shape
        _require_mask(attn_mask, heads.dtype, (*lead, several // 3, places, places))
        if attn_mask.requires_grad:
            return scaled_dot_product_attention(*thirds(heads), attn_mask, is_causal)
    bias, kept = _bias(attn_mask, heads.dtype), [] if heads.requires_grad else None
    return apply(packed_attention_array, heads, bias=bias, is_causal=is_causal, kept=kept)


def packed_attention_array(
    heads: np.ndarray, bias: np.ndarray | None, is_causal: bool, kept: list | None
) -> np.ndarray:
    """Compute `attention_array` of the three `thirds` of heads."""
    return attention_array(*thirds(heads), bias, is_causal, kept)


@vjp(packed_attention_array)
def packed_attention_rule(y, heads, bias, is_causal, kept):
    """As `attention_rule`, with the gradients in the `thirds` of one array."""

    def pull(g):
        if not kept:
            packed_attention_array(heads, bias, is_causal, kept)
        total = np.empty_like(heads)
        attention_gradients(g, y, *thirds(heads), kept, is_causal, found=thirds(total))
        return total

    return pull


def thirds(heads):
    """Return views of the queries, keys and values in an array or Tensor (..., 3H, T, E)."""
    n = heads.shape[-3] // 3
    return heads[..., :n, :, :], heads[..., n : 2 * n, :, :], heads[..., 2 * n :, :, :]


def attention_gradients(g, y, q, k, v, weights, is_causal, found) -> None:
    """Write the gradients of q, k and v into the three arrays `found`, every number of them.

    Y = P V, P = softmax(S), S = Q Kᵀ / √E + bias, and g is Ȳ, the gradient of Y. Then

        V̄ = Pᵀ Ȳ      P̄ = Ȳ Vᵀ      S̄ = P (P̄ - Σ P̄ P)      Q̄ = S̄ K / √E      K̄ = S̄ᵀ Q / √E

    where Σ goes along each row, and is the same as Σ Ȳ Y, of shorter rows. `weights` is the list of
    P by `blocks`, as `attention_array` keeps it; each of them adds its part to K̄ and V̄, and where
    no query sees a key, both are 0. Nothing but `found` is changed; what it holds before is
    anything.
    """
    to_q, to_k, to_v = found
    scale, shape = q.dtype.type(1 / math.sqrt(q.shape[-1])), (*q.shape[:-1], k.shape[-2])
    every = list(zip(blocks(shape, q.itemsize, is_causal), weights, strict=True))
    for (one, rows, end), p in reversed(every):
        asked, part = q[one][..., rows, :], g[one][..., rows, :]
        scaled = part * scale
        slope = scaled @ turned(v[one][..., :end, :])
        slope -= np.einsum("...d,...d->...", scaled, y[one][..., rows, :])[..., None]
        slope *= p
        np.matmul(slope, k[one][..., :end, :], out=to_q[one][..., rows, :])
        last = rows.stop == shape[-2]  # the first to come here, and to write
        _put_product(slope.mT, asked, to_k[one], end, add=not last)
        _put_product(p.mT, part, to_v[one], end, add=not last)


def _put_product(a, b, total, end, add) -> None:
    """Write a @ b into total[..., :end, :] and 0 behind it, or add it to what is there."""
    if add:
        total[..., :end, :] += a @ b
    else:
        np.matmul(a, b, out=total[..., :end, :])
        total[..., end:, :] = 0


def blocks(
    shape: tuple[int, ...], itemsize: int, is_causal: bool
) -> Iterator[tuple[tuple, slice, int]]:
    """Cut scores (..., H, L, S) into blocks: an index of sequences, some queries, keys they see.

    The queries of a block are a slice of the L, and see the keys before `end`: all S, or if causal
    none after the last query. A block of all H heads has at most BLOCK_BYTES, but 16 queries at
    least; causal ones have at most half of the queries, since then a quarter of the scores is never
    computed. Several short sequences are one block, of at most two BLOCK_BYTES.

    >>> list(blocks((5, 4, 4), itemsize=4, is_causal=False))
    [((), slice(0, 4, None), 4)]
    >>> [(rows.start, rows.stop, end) for _, rows, end in blocks((1, 96, 96), 4, is_causal=True)]
    [(0, 48, 48), (48, 96, 96)]
    >>> [one for one, *_ in blocks((3, 2, 1, 128, 128), 4, is_causal=False)]
    [(0, slice(0, 2, None)), (1, slice(0, 2, None)), (2, slice(0, 2, None))]
    """
    lead, (queries, keys) = shape[:-3], shape[-2:]
    row_bytes = max(math.prod(shape[-3:-2]) * keys * itemsize, 1)
    size = max(BLOCK_BYTES // row_bytes, 16)
    if is_causal:
        size = min(size, max(-(-queries // 2), 16))
    several = max(2 * BLOCK_BYTES // (row_bytes * max(min(size, queries), 1)), 1)
    for one in _groups(lead, several):
        for start in range(0, max(queries, 1), size):
            stop = min(start + size, queries)
            yield one, slice(start, stop), min(stop, keys) if is_causal else keys


def _groups(lead: tuple[int, ...], several: int) -> Iterator[tuple]:
    """Yield indices of so many of what has these axes: slices of the last, numbers of others."""
    if not lead:
        yield ()
        return
    *others, last = lead
    for outer in np.ndindex(*others):
        for start in range(0, last, several):
            yield *outer, slice(start, min(start + several, last))


def turned(x: np.ndarray) -> np.ndarray:
    """Return x with rows and columns swapped, as a copy: small products take it a third faster."""
    return np.ascontiguousarray(x.mT)


def softmax_in_place(scores: np.ndarray, small: bool = False) -> None:
    """Turn each row of scores into weights that sum to 1, or to 0 where all scores are -inf.

    The largest score of a row is taken from all first, unless they are known to be `small`.
    """
    lowest, tiny, _ = _limits(scores.dtype)
    if not small:
        scores -= scores.max(axis=-1, keepdims=True, initial=lowest)
    np.exp(scores, out=scores)
    # A product adds rows up in a quarter of the time of `sum`, and a division by each sum would
    # take three times as long as a product with its inverse.
    sums = scores @ _ones(scores.shape[-1], scores.dtype)
    np.maximum(sums, tiny, out=sums)
    scores *= np.reciprocal(sums, out=sums)


@functools.lru_cache(maxsize=4)
def _limits(dtype: np.dtype) -> tuple:
    """Return the lowest number, the smallest above 0, and what `small` scores stay within."""
    limits = np.finfo(dtype)
    return limits.min, limits.tiny, math.log(limits.max) / 2


@functools.lru_cache(maxsize=256)
def _ones(size: int, dtype: np.dtype) -> np.ndarray:
    """Return a column of ones, (size, 1)."""
    return np.ones((size, 1), dtype)


@functools.lru_cache(maxsize=64)
def _hide_later(start: int, queries: int, keys: int, dtype: np.dtype) -> np.ndarray:
    """Return -inf where key j comes after query start + i, and 0 elsewhere: (queries, keys)."""
    line = np.zeros(queries + keys, dtype)
    line[start + queries :] = -np.inf
    # Each row is the one below it, one place on: all are pieces of one line. A sixth of the time of
    # np.triu, which counts where each text is one longer than the last.
    step = dtype.itemsize
    begin = max(queries - 1, 0) * step
    return np.ndarray((queries, keys), dtype, line, begin, (-step, step)).copy()


def split_heads(x: Tensor, num_heads: int) -> Tensor:
    """Give each head its columns, in order, as an axis of its own: a view.

    Shapes: (..., T, E) -> (..., H, T, E / H); head h has the columns from h · E / H.

    >>> split_heads(Tensor([[1, 2, 3, 4], [5, 6, 7, 8]]), 2).tolist()
    [[[1, 2], [5, 6]], [[3, 4], [7, 8]]]
    """
    *lead, size = x.shape
    return x.reshape(*lead, num_heads, size // num_heads).transpose(-3, -2)


def merge_heads(x: Tensor) -> Tensor:
    """Put the heads' columns side by side again, the inverse of `split_heads`.

    Shapes: (..., H, T, D) -> (..., T, H · D).

    >>> merge_heads(Tensor([[[1, 2], [5, 6]], [[3, 4], [7, 8]]])).tolist()
    [[1, 2, 3, 4], [5, 6, 7, 8]]
    """
    *lead, heads, places, size = x.shape
    return x.transpose(-3, -2).reshape(*lead, places, heads * size)


class MultiHeadAttention(Module):
    """Several heads that ask at once, each in directions of its own: (B, L, E) -> (B, L, E).

    Parameters are those of PyTorch's `nn.MultiheadAttention`, by name and layout: in_proj_weight
    (3E, E), the rows for queries, then keys, then values, in_proj_bias (3E,), and a Linear,
    out_proj. The batch comes first.

    >>> layer = MultiHeadAttention(8, num_heads=2)
    >>> layer, layer(Tensor(np.ones((5, 3, 8), np.float32))).shape
    (MultiHeadAttention(
      embed_dim=8, num_heads=2, bias=True
      (out_proj): Linear(in_features=8, out_features=8, bias=True)
    ), (5, 3, 8))
    """

    def __init__(self, embed_dim: int, num_heads: int, bias: bool = True, dtype=np.float32):
        """Make the parameters, and draw their numbers."""
        super().__init__()
        self.embed_dim, self.num_heads = map(operator.index, (embed_dim, num_heads))
        if num_heads < 1 or embed_dim < 1 or embed_dim % num_heads:
            wanted = "expected an embed_dim that num_heads divides"
            raise ValueError(f"MultiHeadAttention: {wanted}, got {embed_dim} and {num_heads}")
        self.in_proj_weight = Parameter(np.zeros((3 * embed_dim, embed_dim), dtype))
        self.in_proj_bias = Parameter(np.zeros(3 * embed_dim, dtype)) if bias else None
        self.out_proj = Linear(embed_dim, embed_dim, bias, dtype)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Fill in_proj_weight with numbers uniform in [-b, b), b = √(6 / (E + 3E)), biases with 0.

        Drawn from `default_generator()` by one `uniform`; all is written into the memory that is
        there, and recipes should know of it: `note_change`. The weight of out_proj stays as its
        Linear drew it. Source: Glorot and Bengio, "Understanding the difficulty of training deep
        feedforward neural networks", 2010, section 4.2; the bounds are those of PyTorch.

        >>> layer = MultiHeadAttention(6, 2)
        >>> bool((abs(layer.in_proj_weight) <= 0.5).data.all()), layer.out_proj.bias.tolist()
        (True, [0.0, 0.0, 0.0, 0.0, 0.0, 0.0])
        """
        bound = math.sqrt(6 / (4 * self.embed_dim))
        weight = self.in_proj_weight
        weight.data[...] = default_generator().uniform(-bound, bound, weight.shape)
        note_change(weight)
        for bias in (self.in_proj_bias, self.out_proj.bias):
            if bias is not None:
                bias.data[...] = 0
                note_change(bias)

    def forward(
        self,
        query: Tensor,
        key: Tensor | None = None,
        value: Tensor | None = None,
        attn_mask: Tensor | None = None,
        is_causal: bool = False,
        need_weights: bool = False,
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Project, attend in every head, put the heads together, project once more.

        Shapes: query (..., L, E), key and value (..., S, E) -> (..., L, E). Without key it is the
        query, without value it is the key; where all three are one tensor, one product with all of
        in_proj_weight serves all. attn_mask, as in `scaled_dot_product_attention`, broadcasts to
        (..., H, L, S). With need_weights, also the weights of every head, (..., H, L, S).

        >>> layer, x = MultiHeadAttention(8, 2), Tensor(np.ones((5, 3, 8), np.float32))
        >>> y, weights = layer(x, is_causal=True, need_weights=True)
        >>> y.shape, weights.shape, weights[0, 0, 0].tolist()
        ((5, 3, 8), (5, 2, 3, 3), [1.0, 0.0, 0.0])
        """
        key = query if key is None else key
        value = key if value is None else value
        for x in (query, key, value):
            self._require_places(x)
        weights = None
        if query is key is value and not need_weights:
            heads = linear(query, self.in_proj_weight, self.in_proj_bias)
            y = packed_attention(split_heads(heads, 3 * self.num_heads), attn_mask, is_causal)
        else:
            q, k, v = self.project(query, key, value)
            if need_weights:
                weights = attention_weights(q, k, attn_mask, is_causal)
                y = weights @ v
            else:
                y = scaled_dot_product_attention(q, k, v, attn_mask, is_causal)
        y = self.out_proj(merge_heads(y))
        return (y, weights) if need_weights else y

    def project(self, query: Tensor, key: Tensor, value: Tensor) -> list[Tensor]:
        """Return queries, keys and values of every head, three of (..., H, T, E / H).

        Each is made with its third of the rows of in_proj_weight and of in_proj_bias.
        """
        heads = []
        for i, x in enumerate((query, key, value)):
            rows = slice(i * self.embed_dim, (i + 1) * self.embed_dim)
            bias = None if self.in_proj_bias is None else self.in_proj_bias[rows]
            y = linear(x, self.in_proj_weight[rows], bias)
            heads.append(split_heads(y, self.num_heads))
        return heads

    def _require_places(self, x):
        """Refuse what is not (..., T, E)."""
        if not isinstance(x, Tensor):
            raise TypeError(f"MultiHeadAttention: expected a Tensor, got {type(x).__name__}")
        if x.ndim < 2 or x.shape[-1] != self.embed_dim:
            wanted = f"expected (..., T, {self.embed_dim})"
            raise ValueError(f"MultiHeadAttention: {wanted}, got {x.shape}")

    def extra_repr(self) -> str:
        """Show the sizes, and whether there are biases."""
        sizes = f"embed_dim={self.embed_dim}, num_heads={self.num_heads}"
        return f"{sizes}, bias={self.in_proj_bias is not None}"


def _bias(attn_mask: Tensor | None, dtype: np.dtype) -> np.ndarray | None:
    """Return what a mask adds to the scores: its floats, or for bools 0 where True, -inf else."""
    if attn_mask is None or attn_mask.dtype.kind == "f":
        return attn_mask if attn_mask is None else attn_mask.data
    return np.where(attn_mask.data, 0, -np.inf).astype(dtype)


def _require_fit(query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None) -> None:
    """Refuse what attention cannot be computed of; see `scaled_dot_product_attention`."""
    for name, x in (("query", query), ("key", key), ("value", value)):
        known = isinstance(x, Tensor) and x.data.dtype
        if not known or known.kind != "f" or known != query.data.dtype:
            kind = x.dtype if isinstance(x, Tensor) else type(x).__name__
            wanted = "expected Tensors of one floating dtype"
            raise TypeError(f"attention: {wanted}, got {name} of {kind}: convert with astype")
    q, k, v = query.data.shape, key.data.shape, value.data.shape
    fit = min(len(q), len(k), len(v)) >= 2 and q[:-2] == k[:-2] == v[:-2]
    if not fit or q[-1] != k[-1] or k[-2] != v[-2] or not q[-1]:
        wanted = "expected query (..., L, E), key (..., S, E) and value (..., S, D)"
        raise ValueError(f"attention: {wanted}, got {q}, {k} and {v}")
    if attn_mask is not None:
        _require_mask(attn_mask, query.dtype, (*q[:-1], k[-2]))


def _require_mask(attn_mask: Tensor, dtype: np.dtype, shape: tuple[int, ...]) -> None:
    """Refuse a mask that is neither bool nor of the queries' dtype, or that does not broadcast."""
    if not isinstance(attn_mask, Tensor) or attn_mask.dtype not in (np.dtype(bool), dtype):
        kind = attn_mask.dtype if isinstance(attn_mask, Tensor) else type(attn_mask).__name__
        wanted = f"expected attn_mask as a Tensor of bools or {dtype}"
        raise TypeError(f"attention: {wanted}, got {kind}: True is for keys that take part")
    sizes = zip(attn_mask.shape[::-1], shape[::-1], strict=False)
    if not 2 <= attn_mask.ndim <= len(shape) or any(n not in (1, size) for n, size in sizes):
        wanted = f"expected attn_mask to broadcast to {shape}"
        raise ValueError(f"attention: {wanted}, got {attn_mask.shape}")
