"""Acceleration: the same numbers sooner, by operations that do more while the numbers are at hand.

One can switch faster operations on for a while (`with accelerate():`), in this thread alone, and
ask which are (`backends`). Each stands in for plain ones: layers that are one operation in place of
two or three (`linear_gelu_array`, `conv_pool_array`, `norm_pool_array`), a loss that leaves its
gradient behind (`loss_and_slope_array`), a norm in blocks (`blocked_norm_array`), and attention
whose memory does not grow with the square of the length (`tiled_attention_array`). Beside them
stand two forms in which one learns why. `matmul_blocked` is no backend: NumPy's product is made of
blocks already. `conv2d_shifted` is one, "shifted", but slower unless there are some hundred
channels, and so off until it is named.
"""

from __future__ import annotations

import functools
import math
import threading
from collections.abc import Callable, Iterator

import numpy as np

from tinytorch import convolutions, profiling
from tinytorch.activations import GELU, ReLU, gelu, gelu_array, relu
from tinytorch.attention import attention_array, packed_attention_array, thirds
from tinytorch.autograd import linear_rule, vjp
from tinytorch.convolutions import (
    BatchNorm2d,
    Conv2d,
    MaxPool2d,
    Tiles,
    conv2d_array,
    conv2d_rule,
    has_few_channels,
)
from tinytorch.layers import Linear, Module, Sequential, set_caller
from tinytorch.losses import cross_entropy_array
from tinytorch.tensor import Tensor, apply, is_recording, set_chooser
from tinytorch.transformers import FeedForward, layer_norm_array, row_means

__all__ = ["accelerate", "backends", "conv2d_shifted", "matmul_blocked"]

CACHE_BYTES = 2**19  # of a block through which several passes go
PRODUCT_BYTES = 2**20  # of a block of rows that a product makes: fewer, and it takes longer
TILE = 128  # queries and keys of a tile
LONG = 512  # keys from which on tiles are worth their second exp


def cut(count: int, each: int, budget: int) -> Iterator[slice]:
    """Cut `count` things of so many bytes into slices that keep to the budget, of one at least.

    >>> [(some.start, some.stop) for some in cut(5, each=100, budget=250)]
    [(0, 2), (2, 4), (4, 5)]
    """
    step = max(1, budget // max(1, each))
    return (slice(i, min(i + step, count)) for i in range(0, count, step))


def matmul_blocked(a: np.ndarray, b: np.ndarray, size: int = 64) -> np.ndarray:
    """Return the product of two matrices, block by block: (M, K) @ (K, N) -> (M, N).

    Each is cut into blocks of size × size, smaller at the ends. Block (i, j) of the result is the
    sum over k of block (i, k) of `a` times block (k, j) of `b`: three loops as in `matmul_loops`,
    over blocks in place of numbers. Three blocks fit into a cache, where each number that is read
    takes part in `size` products. ValueError unless both are matrices whose inner sizes are equal.

    >>> matmul_blocked(np.array([[1, 2], [3, 4]]), np.array([[10], [1]]), size=1).tolist()
    [[12], [34]]
    """
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[0]:
        wanted = "expected (M, K) @ (K, N), two matrices of one inner size"
        raise ValueError(f"matmul_blocked: {wanted}, got {a.shape} @ {b.shape}")
    (rows, inner), columns = a.shape, b.shape[1]
    c = np.zeros((rows, columns), a.dtype)
    for i in cut(rows, 1, size):
        for j in cut(columns, 1, size):
            for k in cut(inner, 1, size):
                c[i, j] += a[i, k] @ b[k, j]
    return c


def conv2d_shifted(x, weight, bias, stride, padding, dilation, groups) -> np.ndarray:
    """Convolve without columns: for each place of the kernel, one product with the shifted images.

    y[n, :, i, j] = bias + Σ over a, b of W[a, b] · x[n, :, i · stride + a · dilation - padding, …]:
    a window of KH · KW places is so many products of a matrix (N · OH · OW, C), with nothing
    repeated in memory, and as many passes over y, which is why it loses where C is small. With
    some hundred channels it wins: of columns that long, few fit into a cache at once.
    Shapes and settings are those of `conv2d_array`, the result has its channels last in memory.

    >>> x = np.arange(9.0).reshape(1, 1, 3, 3)
    >>> conv2d_shifted(x, np.ones((1, 1, 2, 2)), None, (1, 1), (0, 0), (1, 1), 1).tolist()
    [[[[8.0, 12.0], [20.0, 24.0]]]]
    """
    kernel, (n, channels) = weight.shape[2:], x.shape[:2]
    places = tuple(map(convolutions.output_size, x.shape[2:], kernel, stride, padding, dilation))
    sides = [(p, p) for p in padding]
    framed = np.pad(convolutions.channels_last(x), [(0, 0), *sides, (0, 0)])
    y = np.zeros((n, *places, groups, len(weight) // groups), x.dtype)
    for a, b in np.ndindex(*kernel):
        rows = slice(a * dilation[0], None, stride[0])
        columns = slice(b * dilation[1], None, stride[1])
        shifted = framed[:, rows, columns][:, : places[0], : places[1]]
        shifted = shifted.reshape(-1, groups, channels // groups).swapaxes(0, 1)
        matrices = weight[:, :, a, b].reshape(groups, -1, channels // groups).mT
        y += (shifted @ matrices).swapaxes(0, 1).reshape(y.shape)
    if bias is not None:
        y += bias.reshape(groups, -1)
    return convolutions.channels_first(y.reshape(n, *places, len(weight)))


vjp(conv2d_shifted)(conv2d_rule)


def gelu_and_slope(h: np.ndarray, slope: np.ndarray | None) -> None:
    """Turn numbers into their gelu, in place, and write its slope there into another array.

    With s = ½ (1 + tanh(u)), u = √(2/π) (h + 0.044715 h³): y = h s, and since s′ = 2 s (1 - s) u′,
    the slope is s + 2 y (1 - s) u′. So one tanh of each number, the dearest of all passes, serves
    both; without `slope`, None, only y is computed. Both are matrices, contiguous. `cut` makes
    blocks of rows that stay in the cache from pass to pass: nothing as large as `h` is made.

    >>> h, slope = np.array([[0.0, 1.0]]), np.empty((1, 2))
    >>> gelu_and_slope(h, slope)
    >>> print(h.round(4), slope.round(4))
    [[0.     0.8412]] [[0.5   1.083]]
    """
    c = math.sqrt(2 / math.pi)
    for some in cut(len(h), h.shape[1] * h.itemsize, CACHE_BYTES // 2):
        y = h[some]
        square = y * y
        s = square * (0.044715 * c)
        s += c
        s *= y
        np.tanh(s, out=s)
        s *= 0.5
        s += 0.5
        y *= s
        if slope is not None:
            out = np.multiply(square, 6 * 0.044715 * c, out=slope[some])
            out += 2 * c  # 2 u′
            out *= y
            out *= np.subtract(1, s, out=square)
            out += s


def linear_gelu_array(x, weight, bias, kept) -> np.ndarray:
    """Compute gelu(x Wᵀ + b): (..., in) -> (..., out), block by block of rows.

    A block is multiplied, gets its bias and passes through `gelu_and_slope` while it is in the
    cache. Unless `kept` is None, the slopes, a matrix (rows, out), are appended to it for the rule:
    x Wᵀ + b itself is never kept.

    >>> linear_gelu_array(np.array([[1.0]]), np.array([[2.0]]), np.array([-1.0]), None).round(4)
    array([[0.8412]])
    """
    rows = x.reshape(math.prod(x.shape[:-1]), x.shape[-1])
    y = np.empty((len(rows), len(weight)), x.dtype)
    slope = None if kept is None else np.empty_like(y)
    for some in cut(len(rows), len(weight) * x.itemsize, PRODUCT_BYTES):
        block = np.matmul(rows[some], weight.T, out=y[some])
        if bias is not None:
            block += bias
        gelu_and_slope(block, None if slope is None else slope[some])
    if kept is not None:
        kept.append(slope)
    return y.reshape(*x.shape[:-1], len(weight))


@vjp(linear_gelu_array)
def linear_gelu_rule(y, x, weight, bias, kept):
    """With the gradient times the slope, as `linear_rule`."""
    found, maps = [], linear_rule(y, x, weight, bias)

    def pull(number, g):
        if not found:
            slopes = kept or []
            if not slopes:  # something else computed y, or they are used
                linear_gelu_array(x, weight, bias, slopes)
            slope = slopes.pop().reshape(g.shape)
            found.append(np.multiply(g, slope, out=slope))
        return maps[number](found[0])

    return tuple(functools.partial(pull, number) for number in range(3))


def loss_and_slope_array(x, target, ignore_index, reduction, kept) -> np.ndarray:
    """Compute the cross-entropy of scores (N, C) with labels (N,), and its slope in the same pass.

    lᵢ = log Σ exp(xᵢ) - x[i, tᵢ], 0 where the label is `ignore_index`. Its slope is softmax(xᵢ),
    less 1 at the label; the exp and the sum that the loss needs anyway make the softmax. Slopes
    (N, C) are appended to `kept`, unless that is None: 0 times the softmax where ignored. What an
    ignored row holds, be it -inf or NaN, changes no loss. Reduction "none": (N,); "sum"; "mean"
    over the labels that count, NaN without any. All passes over scores go through blocks of rows.

    >>> x, kept = np.array([[0.0, np.log(3)]]), []
    >>> print(loss_and_slope_array(x, np.array([0]), -100, "mean", kept).round(4), kept[0])
    1.3863 [[-0.75  0.75]]
    """
    losses, slope = np.zeros(len(x), x.dtype), np.empty_like(x)
    for some in cut(len(x), x.shape[1] * x.itemsize, CACHE_BYTES):
        e, counts = slope[some], target[some] != ignore_index
        own = np.arange(len(e)), np.where(counts, target[some], 0)
        np.subtract(x[some], x[some].max(axis=1, keepdims=True), out=e)
        score = e[own]
        sums = np.exp(e, out=e) @ np.ones(x.shape[1], x.dtype)
        np.subtract(np.log(sums), score, out=losses[some], where=counts)
        if kept is not None:
            e *= (counts / sums)[:, None]
            e[own] -= counts
    if kept is not None:
        kept.append(slope)
    if reduction == "none":
        return losses
    count = np.count_nonzero(target != ignore_index)
    total = losses.sum()
    return total if reduction == "sum" else total / count if count else total * np.nan


@vjp(loss_and_slope_array)
def loss_and_slope_rule(y, x, target, ignore_index, reduction, kept):
    """The slope times the gradient, of a mean times one by the number of labels that count."""

    def pull(g):
        slopes = kept or []
        if not slopes:
            loss_and_slope_array(x, target, ignore_index, reduction, slopes)
        if reduction == "mean":
            g = g / x.dtype.type(max(1, np.count_nonzero(target != ignore_index)))
        slope = slopes.pop()
        return np.multiply(slope, g[:, None] if reduction == "none" else g, out=slope)

    return pull, None


def blocked_norm_array(x, weight, bias, eps, kept) -> np.ndarray:
    """Compute `layer_norm_array` in blocks of rows that stay in the cache through all passes.

    Mean and 1 / √(variance + eps) of each row, two columns in an array (2, rows, 1), are appended
    to `kept` unless that is None.

    >>> ones = np.ones(2)
    >>> blocked_norm_array(np.array([[0.0, 4.0]]), ones, ones, 0.0, None).tolist()
    [[0.0, 2.0]]
    """
    rows, w = x.reshape(-1, weight.size), weight.reshape(-1)
    y, moments = np.empty_like(rows), np.empty((2, len(rows), 1), x.dtype)
    for some in cut(len(rows), w.size * x.itemsize, CACHE_BYTES):
        mean, r = moments[:, some]
        mean[...] = row_means(rows[some])
        c = np.subtract(rows[some], mean, out=y[some])
        r[...] = 1 / np.sqrt(row_means(c, c) + x.dtype.type(eps))
        c *= outer(r, w)
        if bias is not None:
            c += bias.reshape(-1)
    if kept is not None:
        kept.append(moments)
    return y.reshape(x.shape)


@vjp(blocked_norm_array)
def blocked_norm_rule(y, x, weight, bias, eps, kept):
    """As `layer_norm_rule`, with all three gradients in one walk through the blocks."""
    found = {}

    def pull(number, g):
        if number not in found:
            moments = kept or []
            if not moments:
                blocked_norm_array(x, weight, bias, eps, moments)
            g = g.reshape(-1, weight.size)
            found.update(enumerate(norm_gradients(g, x, weight, *moments[0])))
        return found.pop(number)  # for who adds to it

    return tuple(functools.partial(pull, number) for number in range(3))


def norm_gradients(g, x, weight, mean, r) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the gradients of x, weight and bias from that of the result, in rows (N, D).

    With n = (x - mean) r, all rows of D numbers: Σ g n for weight and Σ g for bias, over the rows;
    for x r (h - mean(h) - n mean(h n)), h = weight g, where means are those of each row. `mean` and
    `r` are (N, 1). One walk through blocks, and nothing that is given is changed. Shapes: the
    first as x, the others as weight.
    """
    rows, w, result = x.reshape(g.shape), weight.reshape(-1, 1), np.empty(x.shape, x.dtype)
    to_x, (to_weight, to_bias) = result.reshape(g.shape), np.zeros((2, len(w)), x.dtype)
    for some in cut(len(rows), len(w) * x.itemsize, CACHE_BYTES // 2):
        part, s, ones = g[some], r[some], np.ones(some.stop - some.start, x.dtype)
        c = np.subtract(rows[some], mean[some], out=to_x[some])
        product = part * c
        to_weight += s[:, 0] @ product
        to_bias += ones @ part
        c *= product @ w * s * (s / -len(w)) * s  # -r n mean(h n), and no r³ that overflows
        c -= part @ w * (s / len(w))  # -r mean(h)
        scaled = outer(s, w)
        scaled *= part  # r h
        c += scaled
    return result, to_weight.reshape(weight.shape), to_bias.reshape(weight.shape)


def outer(column: np.ndarray, row: np.ndarray) -> np.ndarray:
    """Return each number of a column times each of a row, D numbers of any shape: (N, 1) -> (N, D).

    As a product of matrices with a column of 0 beside: NumPy goes line by line, which takes longer,
    and gives no product of a single column to BLAS.

    >>> outer(np.array([[2.0], [3.0]]), np.array([1.0, 10.0])).tolist()
    [[2.0, 20.0], [3.0, 30.0]]
    """
    columns = np.zeros((len(column), 2), column.dtype)
    rows = np.zeros((2, row.size), row.dtype)
    columns[:, :1], rows[0] = column, row.reshape(-1)
    return columns @ rows


def tiles(queries: int, keys: int, is_causal: bool) -> Iterator[tuple[slice, list[slice]]]:
    """Yield slices of TILE queries, and for each the slices of TILE keys that they see.

    Causal, a tile of keys that all come after the last of the queries is left out.

    >>> [(rows.stop, len(some)) for rows, some in tiles(300, 300, is_causal=True)]
    [(128, 1), (256, 2), (300, 3)]
    """
    for rows in cut(queries, 1, TILE):
        yield rows, list(cut(min(keys, rows.stop) if is_causal else keys, 1, TILE))


def tile_scores(q, k, bias, rows: slice, some: slice, is_causal: bool) -> np.ndarray:
    """Return the scores of some queries with some keys, in new memory: (..., rows, some).

    Q Kᵀ + bias, where q is divided by √E already; -inf where causality hides a key.
    """
    scores = q[..., rows, :] @ k[..., some, :].mT
    if bias is not None:
        scores += bias[..., rows, some]
    if is_causal and some.stop > rows.start + 1:
        later = np.arange(some.start, some.stop) > np.arange(rows.start, rows.stop)[:, None]
        scores[..., later] = -np.inf
    return scores


def tiled_attention_array(q, k, v, bias, is_causal: bool, kept: list | None) -> np.ndarray:
    """Compute `attention_array` with one tile of scores at a time: memory grows with L, not L · S.

    `online` does some queries of one sequence, all its heads at once. Unless `kept` is None, what
    the rule needs to know of each query, log Σ exp(scores), (..., L, 1), is appended to it: the
    weights are made again from that. Source: Dao, Fu, Ermon, Rudra and Ré, "FlashAttention", 2022.

    >>> q, k, v = np.array([[1.0]]), np.array([[0.0], [np.log(3)]]), np.array([[4.0], [8.0]])
    >>> tiled_attention_array(q, k, v, None, False, None).round(6).tolist()
    [[7.0]]
    """
    y = np.empty_like(q, shape=(*q.shape[:-1], v.shape[-1]))
    total = np.empty((*q.shape[:-1], 1), q.dtype)
    for at, bias_at in _sequences(q, k, bias):
        scaled = q[at] * q.dtype.type(1 / math.sqrt(q.shape[-1]))
        for rows, every in tiles(q.shape[-2], k.shape[-2], is_causal):
            scores = (tile_scores(scaled, k[at], bias_at, rows, one, is_causal) for one in every)
            values = (v[at][..., one, :] for one in every)
            y[at][..., rows, :], total[at][..., rows, :] = online(scores, values)
    if kept is not None:
        kept.append(total)
    return y


def online(scores: Iterator[np.ndarray], values: Iterator[np.ndarray]) -> tuple:
    """Return softmax(S) V and log Σ exp(S) of rows of scores that come tile by tile, once.

    Three things are carried along for each row: m, the largest score so far, l = Σ exp(s - m) and
    o = Σ exp(s - m) v. Where a tile brings a larger m, l and o are first multiplied by
    exp(old m - new m), and then get what is new. In the end they give o / l, and m + log l; for a
    row that saw nothing but -inf, 0 and +inf. Shapes: scores (..., R, C), values (..., C, D), one
    or more of both -> (..., R, D) and (..., R, 1); scores may be overwritten. Of a tile nothing is
    left when the next one comes: memory does not grow with their number.
    Source: Milakov and Gimelshein, "Online normalizer calculation for softmax", 2018.

    >>> tiles = [np.zeros((1, 1)), np.log([[3.0]])]
    >>> y, total = online(tiles, [np.array([[4.0]]), np.array([[8.0]])])
    >>> y.round(6).tolist(), np.exp(total).round(6).tolist()
    ([[7.0]], [[4.0]])
    """
    m = sums = o = None
    for p, value in zip(scores, values, strict=True):
        lowest = np.finfo(p.dtype).min  # not -inf: two of these have no difference
        top = p.max(axis=-1, keepdims=True, initial=lowest)
        if m is not None:
            top = np.maximum(top, m)
        p -= top
        np.exp(p, out=p)
        new = p @ np.ones((p.shape[-1], 1), p.dtype)
        if m is None:
            sums, o = new, p @ value
        else:
            old = np.exp(m - top)
            sums = sums * old + new
            o *= old
            o += p @ value
        m = top
    seen = sums > 0
    sums = np.where(seen, sums, 1)
    o /= sums
    return o, np.where(seen, m + np.log(sums), np.inf)


def _sequences(q, k, bias):
    """The index of each sequence, all heads of it, and its part of a bias of (..., L, S)."""
    if bias is not None:
        bias = np.broadcast_to(bias, (*q.shape[:-1], k.shape[-2]))
    return ((at, None if bias is None else bias[at]) for at in np.ndindex(q.shape[:-3]))


def tiled_gradients(g, y, q, k, v, bias, is_causal, total, found) -> None:
    """Write the gradients of q, k and v into the three arrays `found`, with a tile at a time.

    As `attention_gradients`, but P is computed again: exp(S - total), where `total` (..., L, 1) is
    log Σ exp(S) of each row. Each tile adds its part to all three:
    S̄ = P (Ȳ Vᵀ - Σ Ȳ Y), Q̄ += S̄ K / √E, K̄ += S̄ᵀ Q / √E, V̄ += Pᵀ Ȳ. What `found` holds before
    is anything, and nothing else is changed.
    """
    scale = q.dtype.type(1 / math.sqrt(q.shape[-1]))
    for array in found:
        array[...] = 0
    for at, bias_at in _sequences(q, k, bias):
        scaled, (to_q, to_k, to_v) = q[at] * scale, (array[at] for array in found)
        for rows, every in tiles(q.shape[-2], k.shape[-2], is_causal):
            part = g[at][..., rows, :]
            along = np.einsum("...d,...d->...", part, y[at][..., rows, :])[..., None]
            for some in every:
                p = tile_scores(scaled, k[at], bias_at, rows, some, is_causal)
                p -= total[at][..., rows, :]
                np.exp(p, out=p)
                to_v[..., some, :] += p.mT @ part
                slope = part @ v[at][..., some, :].mT
                slope -= along
                slope *= p
                to_q[..., rows, :] += slope @ k[at][..., some, :]
                to_k[..., some, :] += slope.mT @ scaled[..., rows, :]
        to_q *= scale


@vjp(tiled_attention_array)
def tiled_attention_rule(y, q, k, v, bias, is_causal, kept):
    """Let `tiled_gradients` compute all three when the first is asked for."""
    found = []

    def pull(number, g):
        if not found:
            totals = kept or []
            if not totals:
                tiled_attention_array(q, k, v, bias, is_causal, totals)
            found.extend(map(np.empty_like, (q, k, v)))
            tiled_gradients(g, y, q, k, v, bias, is_causal, totals[0], found)
        return found[number]

    return tuple(functools.partial(pull, number) for number in range(3))


def packed_tiled_array(heads, bias, is_causal: bool, kept: list | None) -> np.ndarray:
    """Compute `tiled_attention_array` of the three `thirds` of heads."""
    return tiled_attention_array(*thirds(heads), bias, is_causal, kept)


@vjp(packed_tiled_array)
def packed_tiled_rule(y, heads, bias, is_causal, kept):
    """As `tiled_attention_rule`, with the gradients in the `thirds` of one array."""

    def pull(g):
        totals = kept or []
        if not totals:
            packed_tiled_array(heads, bias, is_causal, totals)
        result = np.empty_like(heads)
        parts = thirds(heads)
        tiled_gradients(g, y, *parts, bias, is_causal, totals[0], thirds(result))
        return result

    return pull


def conv_pool_array(x, weight, bias, stride, padding, dilation, groups, pool, kept) -> np.ndarray:
    """Compute max_pool2d(relu(conv2d(x))) for some images at a time: a convolution is never whole.

    `conv2d_array` of a block of images, while it is in the cache, is reduced to the `largest`
    number of each window, or 0: what pooling after ReLU gives. `pool` is the windows' rows and
    columns; they lie side by side. `kept`, unless None, gets an array of bools from `mark_taken`,
    (rows · columns, N, OH, OW, O): one byte per number of the convolution, where plain keeps eight.
    The result has its channels last in memory.

    >>> x, weight = np.array([[[[1.0, 5.0, -2.0, -1.0]]]]), np.ones((1, 1, 1, 1))
    >>> conv_pool_array(x, weight, None, (1, 1), (0, 0), (1, 1), 1, (1, 2), None).tolist()
    [[[[5.0, 0.0]]]]
    """
    how = (stride, padding, dilation, groups)
    size = conv_size(x, weight, how)
    places = [n // p for n, p in zip(size, pool, strict=True)]
    y = np.empty((len(x), *places, len(weight)), x.dtype)
    taken = None if kept is None else np.empty((math.prod(pool), *y.shape), bool)
    for some in image_blocks(x, weight, size):
        z = convolutions.channels_last(conv2d_array(x[some], weight, bias, *how))
        largest(windows(z, pool), y[some])
        if taken is not None:
            mark_taken(windows(z, pool), y[some], taken[:, some])
    if kept is not None:
        kept.append(taken)
    return convolutions.channels_first(y)


def conv_size(x, weight, how) -> tuple[int, ...]:
    """Return the height and width of a convolution."""
    return tuple(map(convolutions.output_size, x.shape[2:], weight.shape[2:], *how[:3]))


def image_blocks(x, weight, size) -> Iterator[slice]:
    """Cut the images so that a convolution of this size, of one block, stays in the cache."""
    return cut(len(x), math.prod(size) * len(weight) * x.itemsize, PRODUCT_BYTES)


def windows(z: np.ndarray, pool: tuple[int, int]) -> Iterator[np.ndarray]:
    """Yield for each number of a window what all windows of (N, H, W, C) have there, as views.

    >>> [numbers.ravel().tolist() for numbers in windows(np.arange(5).reshape(1, 1, 5, 1), (1, 2))]
    [[0, 2], [1, 3]]
    """
    rows, columns = (n // p * p for n, p in zip(z.shape[1:3], pool, strict=True))
    for a, b in np.ndindex(*pool):
        yield z[:, a : rows : pool[0], b : columns : pool[1]]


def largest(numbers: Iterator[np.ndarray], out: np.ndarray) -> None:
    """Write the largest of several arrays, or 0 if that is larger, into `out`, number by number.

    >>> largest([np.array([1.0, -2.0]), np.array([3.0, -1.0])], out := np.empty(2))
    >>> out.tolist()
    [3.0, 0.0]
    """
    out[...] = 0
    for some in numbers:
        np.maximum(out, some, out=out)


def mark_taken(numbers: Iterator[np.ndarray], y: np.ndarray, taken: np.ndarray) -> None:
    """Mark in which of several arrays the number y stands: in the first of them, where y > 0.

    >>> mark_taken([np.array([3.0, -2.0]), np.array([3.0, -1.0])], np.array([3.0, 0.0]),
    ...            taken := np.empty((2, 2), bool))
    >>> taken.tolist()
    [[True, False], [False, False]]
    """
    free = y > 0
    for some, mark in zip(numbers, taken, strict=True):
        np.equal(some, y, out=mark)
        mark &= free
        free ^= mark


@vjp(conv_pool_array)
def conv_pool_rule(y, x, weight, bias, stride, padding, dilation, groups, pool, kept):
    """Let `conv_pool_gradients` compute all that are wanted when the first is asked for."""
    how, found = (stride, padding, dilation, groups), {}

    def pull(number, g):
        if number not in found:
            marks = kept or []
            if not marks:
                conv_pool_array(x, weight, bias, *how, pool, marks)
            # Maps are called in order: who begins with the weight does not want x.
            found.update(conv_pool_gradients(g, x, weight, how, pool, marks[0], number == 0))
        return found[number]

    return tuple(functools.partial(pull, number) for number in range(3))


def conv_pool_gradients(g, x, weight, how, pool, taken, wants_x: bool) -> dict[int, np.ndarray]:
    """Return the gradients {0: of x, if wanted, 1: of weight, 2: of bias} of a `conv_pool_array`.

    Image block by image block: each number of the pooled gradient g (N, O, H, W) goes to the place
    in the window that `taken` marks, others of the convolution get 0; from there the maps of
    `conv2d_rule` for these images lead on. Weight and bias get the sum over the blocks. `how` is
    (stride, padding, dilation, groups).
    """
    size = conv_size(x, weight, how)
    to_x = convolutions.channels_first(np.empty((len(x), *x.shape[2:], x.shape[1]), x.dtype))
    found = {1: np.zeros_like(weight), 2: np.zeros(len(weight), x.dtype)}
    if wants_x:
        found[0] = to_x
    g = convolutions.channels_last(g)
    for some in image_blocks(x, weight, size):
        spread = convolutions.channels_first(given_back(g[some], taken[:, some], size, pool))
        maps = conv2d_rule(spread, x[some], weight, None, *how)
        for number, total in found.items():
            if number:
                total += maps[number](spread)
            else:
                total[some] = maps[0](spread)
    return found


def given_back(g, taken, size, pool) -> np.ndarray:
    """Return the gradient of what was pooled: that of a window in the place that is marked, else 0.

    Shapes: g (N, OH, OW, O), taken (windows' numbers, *g.shape) -> (N, *size, O).
    """
    n, (rows, columns), (h, w) = len(g), pool, g.shape[1:3]
    whole = size == (h * rows, w * columns)
    result = (np.empty if whole else np.zeros)((n, *size, g.shape[3]), g.dtype)
    inside = result[:, : h * rows, : w * columns].reshape(n, h, rows, w, columns, g.shape[3])
    inside[...] = taken.reshape(rows, columns, *g.shape).transpose(2, 3, 0, 4, 1, 5)
    inside *= g[:, :, None, :, None]
    return result


def few_pool_array(x, weight, bias, stride, padding, dilation, groups, pool, kept) -> np.ndarray:
    """Compute `conv_pool_array` with the images last in memory, for `has_few_channels`.

    (C, H, W, N): neighbours in memory are the same pixel of all images, so that every pass goes
    over long lines, whatever C is. Some lines of all images at a time. The same result, as a view
    of an array (O, OH, OW, N), and `kept` gets the marks in this order.
    """
    tiles = Tiles(x.shape[2:], weight, stride, padding, dilation, pool)
    y = np.empty((len(weight), *tiles.slide.places, len(x)), x.dtype)
    taken = None if kept is None else np.empty((math.prod(pool), *y.shape), bool)
    matrix = tiles.matrix(weight)
    for lines, columns in tiles.blocks(tiles.frame(x), PRODUCT_BYTES):
        z = matrix @ columns
        if bias is not None:
            z += np.tile(bias, math.prod(pool))[:, None]
        z = z.reshape(-1, *y[:, lines].shape)
        largest(z, y[:, lines])
        if taken is not None:
            mark_taken(z, y[:, lines], taken[:, :, lines])
    if kept is not None:
        kept.append(taken)
    return y.transpose(3, 0, 1, 2)


@vjp(few_pool_array)
def few_pool_rule(y, x, weight, bias, stride, padding, dilation, groups, pool, kept):
    """As `conv_pool_rule`."""
    how, found = (stride, padding, dilation), {}

    def pull(number, g):
        if number not in found:
            marks = kept or []
            if not marks:
                few_pool_array(x, weight, bias, *how, groups, pool, marks)
            found.update(few_pool_gradients(g, x, weight, how, pool, marks[0], number == 0))
        return found[number]

    return tuple(functools.partial(pull, number) for number in range(3))


def few_pool_gradients(g, x, weight, how, pool, taken, wants_x: bool) -> dict[int, np.ndarray]:
    """As `conv_pool_gradients`, some lines of all images at a time.

    The gradient of the columns is added to that of the framed images where the columns came from.
    """
    tiles, g = Tiles(x.shape[2:], weight, *how, pool), convolutions.images_last(g)
    matrix, framed = tiles.matrix(weight).T, tiles.frame(x)
    to_matrix, to_bias, to_framed = np.zeros_like(matrix), 0, np.zeros_like(framed)
    for lines, columns in tiles.blocks(framed, PRODUCT_BYTES):
        spread = taken[:, :, lines].astype(x.dtype)
        spread *= g[:, lines]
        spread = spread.reshape(matrix.shape[1], -1)
        to_matrix += columns @ spread.T
        to_bias = to_bias + spread.sum(axis=1)
        if wants_x:
            tiles.add(to_framed, lines, matrix @ spread)
    to_bias = to_bias.reshape(-1, len(weight)).sum(axis=0)
    found = {1: tiles.to_weight(to_matrix.T), 2: to_bias}
    if wants_x:
        found[0] = tiles.inside(to_framed)
    return found


def norm_pool_array(x, weight, bias, mean, var, eps, training, pool, kept) -> np.ndarray:
    """Compute max_pool2d(relu(batch_norm(x))) for some images at a time; see `conv_pool_array`."""
    z, y, taken = np.ascontiguousarray(convolutions.channels_last(x)), *_pooled(x, pool, kept)
    scale = 1 / np.sqrt(var + eps) * (1 if weight is None else weight)
    shift = (0 if bias is None else bias) - mean * scale
    scale, shift = (_line(z, vector) for vector in (scale, shift))
    for some in cut(len(z), z[0].nbytes, PRODUCT_BYTES):
        lines = z[some].reshape(-1, len(scale)) * scale
        lines += shift
        normed = lines.reshape(z[some].shape)
        largest(windows(normed, pool), y[some])
        if taken is not None:
            mark_taken(windows(normed, pool), y[some], taken[:, some])
    return convolutions.channels_first(y)


def _pooled(x, pool, kept):
    """Memory for the pooled result, channels last, and for its marks if they are to be kept."""
    (n, channels), places = x.shape[:2], [n // p for n, p in zip(x.shape[2:], pool, strict=True)]
    y, taken = np.empty((n, *places, channels), x.dtype), None
    if kept is not None:
        kept.append(taken := np.empty((math.prod(pool), *y.shape), bool))
    return y, taken


def _line(z, vector):
    """One number per channel, repeated for each pixel of a line."""
    return np.tile(vector.astype(z.dtype), z.shape[2])


@vjp(norm_pool_array)
def norm_pool_rule(y, x, weight, bias, mean, var, eps, training, pool, kept):
    """As `batch_norm_rule`, for gradients that stand in one place of each window."""
    found, inverse = [], (1 / np.sqrt(var + eps)).astype(x.dtype)

    def pull(number, g):
        if not found:
            marks = kept or []
            if not marks:
                norm_pool_array(x, weight, bias, mean, var, eps, training, pool, marks)
            scale = inverse if weight is None else weight * inverse
            given = (mean, inverse, scale, training)
            found.extend(norm_pool_gradients(g, x, *given, pool, marks[0]))
        return found[number]

    return *(functools.partial(pull, number) for number in range(3)), None, None


def norm_pool_gradients(g, x, mean, inverse, scale, training, pool, taken) -> tuple:
    """Return the gradients of x, weight and bias: first the sums of all blocks, then that of x."""
    g, z = (np.ascontiguousarray(convolutions.channels_last(array)) for array in (g, x))
    channels, result, sums = z.shape[3], np.empty_like(z), np.zeros((2, z.shape[3]), x.dtype)
    for some in cut(len(z), z[0].nbytes, PRODUCT_BYTES):
        for mark, numbers in zip(taken[:, some], windows(z[some], pool), strict=True):
            part = g[some] * mark
            ones = np.ones(part.size // channels, x.dtype)
            sums[0] += ones @ part.reshape(-1, channels)
            part *= numbers - mean
            sums[1] += ones @ part.reshape(-1, channels)
    to_bias, to_weight = sums[0], sums[1] * inverse
    slope = -scale * inverse * to_weight * (channels / x.size) * training
    slope, shift = (
        _line(z, vector)
        for vector in (slope, -scale * to_bias * (channels / x.size) * training - mean * slope)
    )
    for some in cut(len(z), z[0].nbytes, PRODUCT_BYTES):
        lines = result[some].reshape(-1, len(slope))
        np.multiply(z[some].reshape(lines.shape), slope, out=lines)
        lines += shift
        part = g[some] * scale
        for mark, gradients in zip(taken[:, some], windows(result[some], pool), strict=True):
            gradients += part * mark
    return convolutions.channels_first(result), to_weight, to_bias


class _Here(threading.local):
    """The names that are on in this thread, for each `with` around the present moment."""

    pool = None  # of the windows that shall follow the next batch norm

    def __init__(self):
        self.stack = [frozenset()]


_here = _Here()
_lock = threading.Lock()
_inside = 0  # how many `with` of all threads are entered
_before = None  # who was in both seams when the first was


def backends() -> frozenset[str]:
    """Return the names of the backends that are on in this thread.

    >>> with accelerate("layer_norm"):
    ...     print(*backends())
    layer_norm
    """
    return _here.stack[-1]


class accelerate:
    """Switch backends on: `with accelerate():` all of DEFAULT, `accelerate("attention")` some.

    In this thread only, until the end of the block, after an error too. Inside of another block,
    what that switched on stays on. A profiler sees layers if it is opened inside of the block; of
    what runs as one it sees the layer that holds them. ValueError for a name that is none.

    >>> layer, x = Sequential(Linear(2, 2), GELU()), Tensor([[1.0, 2.0]])
    >>> with accelerate():
    ...     y = layer(x)
    >>> y.recipe.op.__name__, bool(abs(y - layer(x)).max() < 1e-6), len(backends())
    ('linear_gelu_array', True, 0)
    """

    def __init__(self, *names: str):
        """Remember the names."""
        unknown = sorted(set(names) - BACKENDS.keys())
        if unknown:
            wanted = f"expected names of {', '.join(BACKENDS)}"
            raise ValueError(f"accelerate: {wanted}, got {', '.join(map(repr, unknown))}")
        self.names = frozenset(names or DEFAULT)

    def __enter__(self) -> None:
        """Note what is on from now on; the first of all threads steps into both seams."""
        global _inside
        with _lock:
            _inside += 1
            if _inside == 1:
                _step_in()
        _here.stack.append(backends() | self.names)

    def __exit__(self, *error) -> None:
        """Forget it, and let errors pass; the last of all threads leaves the seams as they were."""
        global _inside
        _here.stack.pop()
        with _lock:
            _inside -= 1
            if _inside == 0:
                _step_out()


def _step_in():
    """Put `choose` and `call` in place, above whoever calls modules already."""
    global _before
    below = set_caller(None)
    caller = functools.partial(call, below)
    set_caller(caller)
    _before = set_chooser(choose), below, caller


def _step_out():
    """Put back who was there; who came later, as a profiler, stays."""
    chooser, below, caller = _before
    set_chooser(chooser)
    if (found := set_caller(below)) is not caller:
        set_caller(found)


def choose(op: Callable, inputs: tuple, kwargs: dict) -> tuple[Callable, dict]:
    """Return what `apply` shall run for an operation, and its kwargs: for most, what was given.

    SUBSTITUTES has for an operation the name of a backend, and a function that returns both or, if
    this is nothing for it, None. It is asked if the backend is on in this thread.
    """
    name, substitute = SUBSTITUTES.get(op, (None, None))
    found = substitute(inputs, kwargs) if name in backends() else None
    return (op, kwargs) if found is None else found


def _kept(inputs: tuple) -> list | None:
    """A list for what a rule will need, or None if there will be no gradient."""
    wanted = is_recording() and any(isinstance(x, Tensor) and x.requires_grad for x in inputs)
    return [] if wanted else None


def _loss(inputs, kwargs):
    """Labels of a matrix of scores, of which all weigh the same."""
    if inputs[0].ndim != 2 or not inputs[0].size or kwargs["label_smoothing"]:
        return None
    if kwargs["weight"] is not None:
        return None
    settings = {name: kwargs[name] for name in ("ignore_index", "reduction")}
    return loss_and_slope_array, settings | {"kept": _kept(inputs)}


def _norm(inputs, kwargs):
    """Rows of at least one number; float16 has no room for what `norm_gradients` multiplies."""
    if not inputs[0].size or inputs[0].dtype.itemsize < 4:
        return None
    return blocked_norm_array, kwargs | {"kept": _kept(inputs)}


def _attention(op, inputs, kwargs):
    """Sequences so long that scores do not stay in the cache."""
    return (op, kwargs | {"kept": _kept(inputs)}) if inputs[-1].shape[-2] >= LONG else None


def _shifted(inputs, kwargs):
    """Any convolution."""
    return conv2d_shifted, kwargs


def _normed(inputs, kwargs):
    """What `_fuse_norm` asks for."""
    if _here.pool is None:
        return None
    return norm_pool_array, kwargs | {"pool": _here.pool, "kept": _kept(inputs)}


SUBSTITUTES = {
    cross_entropy_array: ("cross_entropy", _loss),
    layer_norm_array: ("layer_norm", _norm),
    attention_array: ("attention", functools.partial(_attention, tiled_attention_array)),
    packed_attention_array: ("attention", functools.partial(_attention, packed_tiled_array)),
    conv2d_array: ("shifted", _shifted),
    convolutions.few_channels_array: ("shifted", _shifted),
    convolutions.batch_norm_array: ("norm_pool", _normed),
}
# What each name stands for: the tolerance within which it is equal to the plain path in float32,
# relative to the largest number of a result.
BACKENDS = {
    "linear_gelu": 1e-5,
    "cross_entropy": 1e-5,
    "layer_norm": 1e-5,
    "attention": 1e-5,
    "conv_pool": 1e-5,
    "norm_pool": 1e-4,
    "shifted": 1e-5,
}
DEFAULT = tuple(name for name in BACKENDS if name != "shifted")  # slower with few channels


def call(below: Callable | None, module: Module, inputs: tuple, kwargs: dict):
    """Return what a module makes of its inputs: by `chain` if it is one of layers."""
    forward = type(module).forward
    together = len(inputs) == 1 and not kwargs and not profiling.is_layer_by_layer()
    if together and backends():
        if forward is Sequential.forward:
            return chain(list(module), inputs[0])
        if forward is FeedForward.forward:
            return chain([module.up, gelu, module.down], inputs[0])
    if below is None:
        return module.forward(*inputs, **kwargs)
    return below(module, inputs, kwargs)


def chain(layers: list[Callable], x: Tensor) -> Tensor:
    """Give x to layer after layer, where some in a row may be one operation.

    Wherever one of FUSIONS, (name, function), is on and its function takes the layers from here on,
    it returns how many it took and their result. Else the next layer runs by itself.

    >>> layers = [Linear(2, 2), relu, Linear(2, 2), gelu]
    >>> with accelerate("linear_gelu"):
    ...     y = chain(layers, Tensor([[1.0, 2.0]]))
    >>> y.recipe.op.__name__, y.recipe.inputs[0].recipe.op.__name__
    ('linear_gelu_array', 'relu_array')
    """
    while layers:
        for name, fuse in FUSIONS:
            found = fuse(layers, x) if name in backends() else None
            if found is not None:
                break
        taken, x = (1, layers[0](x)) if found is None else found
        layers = layers[taken:]
    return x


def _fuse_gelu(layers, x):
    """A Linear and gelu."""
    first, *others = layers
    if type(first) is not Linear or not others or not _is_one(others[0], gelu, GELU):
        return None
    weight = first.weight
    if not _fits(x, weight) or x.shape[-1:] != weight.shape[1:]:
        return None  # the layer says what is wrong
    return 2, apply(linear_gelu_array, x, weight, first.bias, kept=_kept((x, weight, first.bias)))


def _fuse_pool(layers, x):
    """A Conv2d, relu and a MaxPool2d whose windows lie side by side."""
    conv, pool = layers[0], _pool_after_relu(layers, Conv2d)
    if pool is None or isinstance(conv.padding, str) or not _fits(x, conv.weight):
        return None
    if x.ndim != 4 or not x.size or x.shape[1] != conv.in_channels:
        return None
    how = (conv.stride, conv.padding, conv.dilation, conv.groups)
    spans = zip(x.shape[2:], conv.padding, conv.dilation, conv.kernel_size, strict=True)
    if any(d * (k - 1) + 1 > n + 2 * p for n, p, d, k in spans):
        return None
    if any(n < p for n, p in zip(conv_size(x, conv.weight, how), pool, strict=True)):
        return None
    settings = dict(zip(("stride", "padding", "dilation", "groups"), how, strict=True))
    inputs = (x, conv.weight, conv.bias)
    few = has_few_channels(x.data, conv.weight.data, conv.groups, convolutions.NARROW)
    op = few_pool_array if few else conv_pool_array
    return 3, apply(op, *inputs, **settings, pool=pool, kept=_kept(inputs))


def _fuse_norm(layers, x):
    """A BatchNorm2d, relu and a MaxPool2d: the layer moves its running moments as ever."""
    pool = _pool_after_relu(layers, BatchNorm2d)
    if pool is None or not isinstance(x, Tensor) or x.ndim != 4 or not x.size:
        return None
    if any(n < p for n, p in zip(x.shape[2:], pool, strict=True)):
        return None
    _here.pool = pool
    try:
        return 3, layers[0](x)
    finally:
        _here.pool = None


def _pool_after_relu(layers, kind):
    """The windows of a MaxPool2d, side by side, after a layer of this kind and relu; or None."""
    if len(layers) < 3 or type(layers[0]) is not kind or type(layers[2]) is not MaxPool2d:
        return None
    pooled = layers[2]
    pool = convolutions._pair("MaxPool2d", "kernel_size", pooled.kernel_size)
    apart = pooled.stride in (pool, pooled.kernel_size) and pooled.padding in (0, (0, 0))
    return pool if apart and _is_one(layers[1], relu, ReLU) else None


def _is_one(layer, operation, kind):
    """Is the layer this operation, or the object that stands for it?"""
    return layer is operation or type(layer) is kind


def _fits(x, weight):
    return isinstance(x, Tensor) and x.dtype == weight.dtype


FUSIONS = (("linear_gelu", _fuse_gelu), ("conv_pool", _fuse_pool), ("norm_pool", _fuse_norm))


@profiling.flops(linear_gelu_array)
def linear_gelu_flops(y, x, weight, bias, kept) -> int:
    """Count the product and each gelu, as for the plain ones."""
    bent = profiling.count_flops(gelu_array, y, [y], {})
    return profiling.linear_flops(y, x, weight, bias) + bent


@profiling.flops(loss_and_slope_array)
def loss_and_slope_flops(y, x, target, ignore_index, reduction, kept) -> int:
    """Count as for the plain one."""
    return profiling.count_flops(cross_entropy_array, y, [x, target], {})


@profiling.flops(blocked_norm_array)
def blocked_norm_flops(y, x, weight, bias, eps, kept) -> int:
    """Count as for the plain one."""
    return profiling.layer_norm_flops(y, x, weight, bias, eps)


@profiling.flops(tiled_attention_array)
def tiled_attention_flops(y, q, k, v, bias, is_causal, kept) -> int:
    """Count as for the plain one."""
    return profiling.attention_flops(y, q, k, v, bias, is_causal)


@profiling.flops(packed_tiled_array)
def packed_tiled_flops(y, heads, bias, is_causal, kept) -> int:
    """Count as for the plain one."""
    return profiling.attention_flops(y, *thirds(heads), bias, is_causal)


@profiling.flops(conv_pool_array, few_pool_array)
def conv_pool_flops(y, x, weight, bias, stride, padding, dilation, groups, pool, kept) -> int:
    """Count a convolution, relu of each of its numbers, and the pool."""
    size = conv_size(x, weight, (stride, padding, dilation))
    z = np.broadcast_to(y.dtype.type(0), (len(x), len(weight), *size))  # its shape alone is needed
    how = (stride, padding, dilation, groups)
    return profiling.conv2d_flops(z, x, weight, bias, *how) + pool_flops(y, z, pool)


@profiling.flops(norm_pool_array)
def norm_pool_flops(y, x, weight, bias, mean, var, eps, training, pool, kept) -> int:
    """Count a norm, relu of each of its numbers, and the pool."""
    norm = profiling.batch_norm_flops(x, x, weight, bias, mean, var, eps, training)
    return norm + pool_flops(y, x, pool)


def pool_flops(y, z, pool) -> int:
    """Count relu of z, and the pool of that."""
    return z.size + profiling.max_pool2d_flops(y, z, pool, pool, (0, 0))


profiling.flops(conv2d_shifted)(profiling.conv2d_flops)
