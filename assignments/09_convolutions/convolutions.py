"""Convolutions: what looks at a picture through a small window, with the same weights everywhere.

One can slide kernels over images (`conv2d`, `Conv2d`), shrink them (`max_pool2d`, `avg_pool2d`,
`adaptive_avg_pool2d` and their layers) and keep each channel near 0 and of size 1 (`batch_norm`,
`BatchNorm1d`, `BatchNorm2d`). Images are (N, C, H, W), as in PyTorch; results lie in memory with
the channels of a pixel side by side, (N, H, W, C), which shows in their strides only. An operation
is a function on arrays, handed to `apply`; its rule for gradients stands below it.
"""

from __future__ import annotations

import functools
import math
import operator
import threading
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

from tinytorch.autograd import vjp
from tinytorch.layers import Module, Parameter, _require_floats
from tinytorch.tensor import Tensor, apply, default_generator, note_change

__all__ = [
    "AdaptiveAvgPool2d",
    "AvgPool2d",
    "BatchNorm1d",
    "BatchNorm2d",
    "Conv2d",
    "MaxPool2d",
    "adaptive_avg_pool2d",
    "avg_pool2d",
    "batch_norm",
    "conv2d",
    "conv2d_loops",
    "max_pool2d",
]

Pair = tuple[int, int]  # of rows, of columns
COLUMN_BYTES = 1 << 20  # of a block of columns, which the product should find in the cache
ADDED_BYTES = 1 << 21  # of a block of windows whose numbers are added up once
PASS_BYTES = 1 << 18  # of a block of images through which several passes go
SMALL = 10**6  # multiplications, up to which OpenBLAS takes matrices as they lie: packs none
NARROW = 16  # fewer numbers side by side than this take longer to find than to copy
MANY = 512  # images, of which one line of columns still fits into the cache


def output_size(size: int, kernel: int, stride: int, padding: int, dilation: int = 1) -> int:
    """Return in how many places a window fits: ⌊(size + 2 · padding - span) / stride⌋ + 1.

    All along one axis; the span of a window is dilation · (kernel - 1) + 1, and padding is put on
    both sides. ValueError if not even one fits.

    >>> output_size(5, kernel=3, stride=1, padding=0), output_size(5, kernel=3, stride=2, padding=1)
    (3, 3)
    """
    raise NotImplementedError("09_convolutions: output_size")


def conv2d_loops(x, weight, bias, stride, padding, dilation, groups) -> np.ndarray:
    """Convolve by loops, one multiplication at a time: what `conv2d` means, and how slow it can be.

    y[n, o, i, j] = bias[o] + Σ over c, a, b of weight[o, c, a, b] · x[n, c', i', j'], where
    i' = i · stride + a · dilation - padding, and j' likewise; what lies outside of the image is 0.
    With groups, output channel o sees only the channels of its group: c' = c + (C / groups) · the
    number of its group, of which each has O / groups outputs. Shapes: x (N, C, H, W), weight
    (O, C / groups, KH, KW), bias (O,) or None -> (N, O, OH, OW), of which `output_size` gives OH
    and OW, or refuses them, in the dtype of x. Stride, padding and dilation are pairs, (rows,
    columns).

    >>> x = np.arange(9.0).reshape(1, 1, 3, 3)
    >>> conv2d_loops(x, np.ones((1, 1, 2, 2)), None, (1, 1), (0, 0), (1, 1), 1).tolist()
    [[[[8.0, 12.0], [20.0, 24.0]]]]
    """
    raise NotImplementedError("09_convolutions: conv2d_loops")


def patches(x: np.ndarray, kernel: Pair, stride: Pair, dilation: Pair, places: Pair) -> np.ndarray:
    """Return what a window shows in each place, as a read-only view: no number is copied.

    (N, H, W, C) -> (N, OH, OW, KH, KW, C), where `places` is (OH, OW) and [n, i, j, a, b, c] is
    x[n, i · stride + a · dilation, j · stride + b · dilation, c]. Each new axis steps through the
    memory that x has: by the bytes of an axis of x, times the stride or the dilation.

    >>> x = np.arange(9).reshape(1, 3, 3, 1)
    >>> patches(x, (2, 2), (1, 1), (1, 1), (2, 2))[0, :, :, :, :, 0].reshape(4, 4).tolist()
    [[0, 1, 3, 4], [1, 2, 4, 5], [3, 4, 6, 7], [4, 5, 7, 8]]
    """
    raise NotImplementedError("09_convolutions: patches")


class _Scratch(threading.local):
    """Memory for what the next block overwrites, kept for each thread from call to call."""

    def __init__(self):
        self.memory = {}

    def array(self, role: str, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """Return an array of anything, valid until the next one for this role."""
        size = math.prod(shape) * dtype.itemsize
        if self.memory.setdefault(role, np.empty(0, np.uint8)).nbytes < size:
            self.memory[role] = np.empty(size, np.uint8)
        return self.memory[role][:size].view(dtype).reshape(shape)


_scratch = _Scratch()


class Slide(NamedTuple):
    """How a kernel moves over images, all of it in pairs of rows and columns."""

    kernel: Pair
    places: Pair  # how many windows there are
    stride: Pair = (1, 1)
    before: Pair = (0, 0)  # where in its frame an image begins; less than 0: some of it is cut off
    dilation: Pair = (1, 1)

    @property
    def frame(self) -> Pair:
        """Return the size that all windows cover together."""
        axes = zip(self.places, self.stride, self.dilation, self.kernel, strict=True)
        return tuple((n - 1) * s + d * (k - 1) + 1 for n, s, d, k in axes)

    def standing(self, size: Pair) -> list[tuple[slice, slice]]:
        """Return for each axis which numbers of an image stand in the frame, and where."""
        found = []
        for n, before, end in zip(size, self.before, self.frame, strict=True):
            first = max(0, -before)
            last = max(first, min(n, end - before))
            found.append((slice(first, last), slice(first + before, last + before)))
        return found


def channels_last(x: np.ndarray) -> np.ndarray:
    """Return (N, C, …) as (N, …, C), a view."""
    return x.transpose(0, *range(2, x.ndim), 1)


def channels_first(x: np.ndarray) -> np.ndarray:
    """Return (N, …, C) as (N, C, …), a view."""
    return x.transpose(0, x.ndim - 1, *range(1, x.ndim - 1))


def pixels(x: np.ndarray) -> np.ndarray:
    """Return (N, C, …) as a matrix (N · …, C), a copy unless the channels lie last in memory."""
    return np.ascontiguousarray(channels_last(x)).reshape(x.size // max(1, x.shape[1]), x.shape[1])


def _cut(count: int, each: int, budget: int) -> Iterator[slice]:
    """Cut `count` things of so many bytes into slices that keep to the budget."""
    step = max(1, budget // max(1, each))
    return (slice(i, min(i + step, count)) for i in range(0, count, step))


def column_blocks(x: np.ndarray, slide: Slide) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield all windows as rows of matrices that fit into the cache: (rows, columns).

    Row number (n · OH + i) · OW + j of all windows is the one at (i, j) of image n, its numbers in
    the order (KH, KW, C); `rows` says which of them `columns` (rows, KH · KW · C) holds, until the
    next is asked for. Image by image: framed, copied window by window (im2col).
    """
    (n, c), (oh, ow) = x.shape[:2], slide.places
    if slide == Slide((1, 1), x.shape[2:]):
        yield slice(0, n * oh * ow), pixels(x)
        return
    window = math.prod(slide.kernel) * c * x.itemsize
    budget = COLUMN_BYTES // 2 if _is_narrow(slide.kernel, c) else COLUMN_BYTES
    for images in _cut(n, oh * ow * window, budget):
        framed = _framed_images(x[images], slide)
        for lines in _cut(oh, ow * window, budget):
            part = framed[:, lines.start * slide.stride[0] :]
            places = (lines.stop - lines.start, ow)
            view = patches(part, slide.kernel, slide.stride, slide.dilation, places)
            start = (images.start * oh + lines.start) * ow
            yield slice(start, start + len(part) * math.prod(places)), _columns(view)


def _is_narrow(kernel, channels):
    return kernel[1] * channels < NARROW


def _framed_images(x, slide):
    """Some images (N, C, H, W), with zeros around, as scratch (N, H', W', C)."""
    (n, c), (tall, wide) = x.shape[:2], slide.frame
    (rows, rows_to), (columns, columns_to) = slide.standing(x.shape[2:])
    if _is_narrow(slide.kernel, c):
        framed = channels_last(_scratch.array("frame", (n, c, tall, wide), x.dtype))
    else:
        framed = _scratch.array("frame", (n, tall, wide, c), x.dtype)
    framed.fill(0)
    framed[:, rows_to, columns_to] = channels_last(x[:, :, rows, columns])
    return framed


def _columns(view):
    """Windows (N, OH, OW, KH, KW, C) as a scratch matrix with one in each row."""
    count, window = math.prod(view.shape[:3]), math.prod(view.shape[3:])
    if _is_narrow(view.shape[3:5], view.shape[5]):  # whole lines of an image side by side
        turned = view.transpose(3, 4, 5, 0, 1, 2)
        columns = _scratch.array("columns", turned.shape, view.dtype)
        np.copyto(columns, turned)
        return columns.reshape(window, count).T
    columns = _scratch.array("columns", view.shape, view.dtype)
    np.copyto(columns, view)
    return columns.reshape(count, window)


def _pieces(rows, each):
    """A matrix as (pieces, …) of SMALL products that multiply each row `each` times, a view.

    One piece where the rows are too long, or too few to be shared out evenly.
    """
    most = SMALL // max(1, each)
    count = -(-len(rows) // most) if most >= 512 else 1
    count = count if count and len(rows) % count == 0 else 1
    return rows.reshape(count, len(rows) // count, rows.shape[1])


def _gradient(columns, g):
    """columns.T @ g, in pieces."""
    each = columns.shape[1] * g.shape[1]
    return (_pieces(columns, each).mT @ _pieces(g, each)).sum(axis=0)


def _part(size: int, groups: int, group: int) -> slice:
    """The channels of one group."""
    return slice(size // groups * group, size // groups * (group + 1))


def conv2d_array(x, weight, bias, stride, padding, dilation, groups) -> np.ndarray:
    """Convolve by `window_products`, a few hundred times as fast as `conv2d_loops`.

    The `Slide` says where the windows are: an image begins in its frame after the padding. Shapes
    and numbers are those of `conv2d_loops`; the result has its channels last in memory.

    >>> x = np.arange(9.0).reshape(1, 1, 3, 3)
    >>> conv2d_array(x, np.ones((1, 1, 2, 2)), None, (1, 1), (0, 0), (1, 1), 1).tolist()
    [[[[8.0, 12.0], [20.0, 24.0]]]]
    """
    raise NotImplementedError("09_convolutions: conv2d_array")


def window_products(x, weight, bias, groups, slide) -> np.ndarray:
    """Multiply every window of a slide with every kernel: one matrix product per block of columns.

    A row of `column_blocks` is one window. Turn the weight into a matrix with one kernel in each
    column, its numbers in the same order (KH, KW, C): the product of both is some rows of the
    output, to which the bias is added while they are in the cache. Each group is a convolution of
    its own, whose `_part` of the channels gives its part of the outputs.
    Shapes: x (N, C, H, W), weight (O, C / groups, KH, KW), bias (O,) or None -> (N, O, OH, OW), by
    `channels_first` of an array (N, OH, OW, O), in the dtype of x.

    >>> x, slide = np.arange(9.0).reshape(1, 1, 3, 3), Slide((2, 2), places=(2, 2))
    >>> window_products(x, np.ones((1, 1, 2, 2)), np.array([0.5]), 1, slide).tolist()
    [[[[8.5, 12.5], [20.5, 24.5]]]]
    """
    raise NotImplementedError("09_convolutions: window_products")


@vjp(conv2d_array)
def conv2d_rule(y, x, weight, bias, stride, padding, dilation, groups):
    """Every number of a window got its gradient through one weight: all three maps are products.

    With X the columns (rows, KH · KW · C) and W the weight's matrix, Y = X W + b: Xᵀ Ḡ for W, the
    sum of the rows of Ḡ for b, and Ḡ Wᵀ for X, whose windows overlap in x and are added up there.
    The columns are made again, as keeping them would take KH · KW times the memory of x. With
    stride 1, x gets a convolution of ḡ with the kernel turned over, and nothing is added up.
    """
    raise NotImplementedError("09_convolutions: conv2d_rule")


def _sum_of_rows(matrix):
    """The sum along axis 0, as a product, which is faster."""
    return np.ones(len(matrix), matrix.dtype) @ matrix


def _added_up(g, weight, groups, slide, size):
    """The gradient of x: that of each window added to the place in x where the window was."""
    (n, outputs, oh, ow), inputs = g.shape, weight.shape[1]
    result = np.empty((n, *size, inputs * groups), g.dtype)
    how = (slide.stride, slide.before, slide.dilation)
    for images in _cut(n, oh * ow * weight[0].nbytes, ADDED_BYTES):
        for group in range(groups):
            ins, outs = _part(inputs * groups, groups, group), _part(outputs, groups, group)
            one = Tiles.added_up(g[images, outs], weight[outs], how, size)
            result[images, :, :, ins] = channels_last(one)
    return channels_first(result)


def has_few_channels(x, weight, groups: int, outputs: int = NARROW - 1) -> bool:
    """Is a pixel so short that loops over it cost more than its numbers, and are there many images?

    And not more than so many outputs, or one more if the images lie last already: then the form of
    choice is `few_channels_array`, as what follows is to gain by the order of its result.
    """
    most = NARROW if lie_last(x) else outputs
    narrow = 0 < x.shape[1] * weight.shape[3] < 2 * NARROW and 0 < len(weight) <= most
    return narrow and groups == 1 and NARROW <= len(x) <= MANY


def lie_last(x: np.ndarray) -> bool:
    """Say whether images lie last in memory, as those that `few_channels_array` returns."""
    return x.ndim == 4 and x.strides[0] < x.strides[1]


def side_by_side(x: np.ndarray) -> np.ndarray:
    """Return the same images, with the channels of a pixel side by side in memory."""
    return channels_first(np.ascontiguousarray(channels_last(x)))


@vjp(side_by_side, linear=True)
def side_by_side_rule(y, x):
    """The gradient, in the order of x."""
    return lambda g: _as_in(x, g)


def images_last(x: np.ndarray) -> np.ndarray:
    """Return (N, C, H, W) as (C, H, W, N), contiguous: a copy unless it lies so in memory."""
    return np.ascontiguousarray(x.transpose(1, 2, 3, 0))


class Tiles:
    """The windows of a convolution with the images last in memory: (C, H, W, N).

    Neighbours in memory are the same pixel of all images, so that every pass goes over long lines,
    however few the channels are. A tile is `tile` outputs side by side, rows and columns, which
    share one larger window: that is copied once for all of them, and one product makes them all.
    """

    def __init__(self, size: Pair, weight, stride, padding, dilation, tile: Pair = (1, 1)):
        """Find the windows in images of some size; outputs that fill no tile are left out."""
        self.size, self.channels, self.kernel = tuple(size), weight.shape[1], weight.shape[2:]
        self.stride, self.dilation, self.tile = stride, dilation, tile
        axes = zip(tile, stride, dilation, self.kernel, strict=True)
        window = tuple((t - 1) * s + d * (k - 1) + 1 for t, s, d, k in axes)
        places = map(output_size, self.size, self.kernel, stride, padding, dilation)
        places = tuple(n // t for n, t in zip(places, tile, strict=True))
        self.slide = Slide(window, places, (tile[0] * stride[0], tile[1] * stride[1]), padding)

    def spots(self, matrix: np.ndarray) -> Iterator[np.ndarray]:
        """Yield for each output of a tile where its kernels stand in a matrix: (O, KH, KW, C).

        Views. A row of the matrix is one channel of one output, with a column for each number of
        the window.
        """
        whole = matrix.reshape(*self.tile, -1, *self.slide.kernel, self.channels)
        for place in np.ndindex(*self.tile):
            axes = zip(place, self.stride, self.dilation, self.kernel, strict=True)
            rows, columns = (slice(i * s, i * s + d * (k - 1) + 1, d) for i, s, d, k in axes)
            yield whole[place][:, rows, columns]

    def matrix(self, weight: np.ndarray) -> np.ndarray:
        """Return the matrix by which the columns are multiplied, 0 beside the kernels."""
        size = math.prod(self.slide.kernel) * self.channels
        matrix = np.zeros((math.prod(self.tile) * len(weight), size), weight.dtype)
        for spot in self.spots(matrix):
            spot[...] = weight.transpose(0, 2, 3, 1)
        return matrix

    def to_weight(self, matrix: np.ndarray) -> np.ndarray:
        """Return the gradient of the weight, given that of the matrix."""
        spots = self.spots(np.ascontiguousarray(matrix))
        return np.ascontiguousarray(sum(spots).transpose(0, 3, 1, 2))

    def frame(self, x: np.ndarray) -> np.ndarray:
        """Return images with zeros around, images last."""
        framed = self.room(len(x), x.dtype)
        self.inside(framed)[...] = x
        return framed

    def room(self, count: int, dtype: np.dtype) -> np.ndarray:
        """Return zeros with room for so many images in their frames."""
        size = (n + 2 * p for n, p in zip(self.size, self.slide.before, strict=True))
        return np.zeros((self.channels, *size, count), dtype)

    def inside(self, framed: np.ndarray) -> np.ndarray:
        """Return the images (N, C, H, W) that stand in a frame, a view."""
        (top, left), (h, w) = self.slide.before, self.size
        return framed[:, top : top + h, left : left + w].transpose(3, 0, 1, 2)

    def blocks(self, framed: np.ndarray, budget: int) -> Iterator[tuple[slice, np.ndarray]]:
        """Yield lines of tiles, and the windows there of all images, one in each column: scratch.

        So many lines at a time that the columns keep to a budget of bytes, and at least one.
        """
        how = (self.slide.kernel, self.slide.stride, (1, 1), self.slide.places)
        view = patches(framed.transpose(3, 1, 2, 0), *how).transpose(3, 4, 5, 1, 2, 0)
        for lines in _cut(view.shape[3], view[:, :, :, 0].nbytes, budget):
            part = view[:, :, :, lines]
            columns = _scratch.array("columns", part.shape, framed.dtype)
            np.copyto(columns, part)
            yield lines, columns.reshape(math.prod(part.shape[:3]), math.prod(part.shape[3:]))

    def add(self, framed: np.ndarray, lines: slice, columns: np.ndarray) -> None:
        """Add the gradient of columns to that of the frames that they were copied from."""
        (sh, sw), wide, count = self.slide.stride, self.slide.places[1], lines.stop - lines.start
        kernel, start = self.slide.kernel, lines.start * sh
        columns = columns.reshape(*kernel, len(framed), count, wide, framed.shape[3])
        for a, b in np.ndindex(*kernel):
            rows = slice(start + a, start + a + (count - 1) * sh + 1, sh)
            framed[:, rows, b : b + (wide - 1) * sw + 1 : sw] += columns[a, b]

    @classmethod
    def added_up(cls, g, weight, how, size) -> np.ndarray:
        """Return the gradient of x, (N, C, H, W) with the images last in memory, by `add`.

        In tiles of four, if they fit, where adding takes longer than the product with more zeros.
        """
        four = how[0] == (1, 1) and len(weight) <= NARROW
        tile = tuple(2 - n % 2 if four else 1 for n in g.shape[2:])
        tiles, g = cls(size, weight, *how, tile), images_last(g)
        (down, right), matrix = tile, tiles.matrix(weight).T
        parts = [g[:, i::down, j::right] for i, j in np.ndindex(*tile)]
        parts, framed = np.concatenate(parts), tiles.room(g.shape[3], g.dtype)
        for lines in _cut(parts.shape[1], len(matrix) * parts[0, 0].nbytes, ADDED_BYTES):
            tiles.add(framed, lines, matrix @ parts[:, lines].reshape(len(parts), -1))
        return tiles.inside(framed)


def few_channels_array(x, weight, bias, stride, padding, dilation, groups) -> np.ndarray:
    """Compute `conv2d_array` with the images last in memory, for `has_few_channels`; see `Tiles`.

    >>> x, how = np.arange(9.0).reshape(1, 1, 3, 3), ((1, 1), (0, 0), (1, 1), 1)
    >>> few_channels_array(x, np.ones((1, 1, 2, 2)), None, *how).tolist()
    [[[[8.0, 12.0], [20.0, 24.0]]]]
    """
    tiles = Tiles(x.shape[2:], weight, stride, padding, dilation)
    matrix = tiles.matrix(weight)
    y = np.empty((len(weight), *tiles.slide.places, len(x)), x.dtype)
    for lines, columns in tiles.blocks(tiles.frame(x), COLUMN_BYTES // 2):
        block = y[:, lines].reshape(len(y), -1)  # a view
        np.matmul(matrix, columns, out=block)
        if bias is not None:
            block += bias[:, None]
    return y.transpose(3, 0, 1, 2)


@vjp(few_channels_array)
def few_channels_rule(y, x, weight, bias, stride, padding, dilation, groups):
    """As `conv2d_rule`."""
    how, outputs = (stride, padding, dilation), len(weight)

    def to_weight(g):
        tiles, g, total = Tiles(x.shape[2:], weight, *how), images_last(g), 0
        for lines, columns in tiles.blocks(tiles.frame(x), COLUMN_BYTES // 2):
            total = total + columns @ g[:, lines].reshape(outputs, -1).T
        return tiles.to_weight(total.T)

    def to_bias(g):
        return images_last(g).reshape(outputs, -1).sum(axis=1)

    return lambda g: Tiles.added_up(g, weight, how, x.shape[2:]), to_weight, to_bias


def conv2d(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1) -> Tensor:
    """Slide the kernels `weight` over the images x: a weighted sum of each window, and a bias.

    Shapes: x (N, C, H, W), weight (O, C / groups, KH, KW), bias (O,) -> (N, O, OH, OW), as
    `output_size` says; ints stand for both axes. padding="same" keeps the size, with stride 1 and
    kernels whose span is odd; "valid" is 0. It is one operation: `conv2d_array`. Errors: TypeError
    unless all are Tensors of one floating dtype; ValueError with the shapes that do not fit.

    >>> conv2d(Tensor([[[[1.0, 2.0, 4.0]]]]), Tensor([[[[1.0, -1.0]]]])).tolist()
    [[[[-1.0, -2.0]]]]
    """
    _require_floats("conv2d", x, weight, weight if bias is None else bias)
    stride, dilation = _pair("conv2d", "stride", stride), _pair("conv2d", "dilation", dilation)
    if groups < 1 or x.ndim != 4 or weight.ndim != 4 or weight.shape[1] * groups != x.shape[1]:
        got = f"{x.shape}, {weight.shape} and {groups}"
        raise ValueError(
            f"conv2d: expected x (N, C, H, W), weight (O, C / groups, KH, KW), groups, got {got}"
        )
    if len(weight.data) % groups or (bias is not None and bias.shape != weight.shape[:1]):
        got = f"weight {weight.shape}, bias {getattr(bias, 'shape', None)}, groups {groups}"
        raise ValueError(f"conv2d: expected O outputs, a multiple of groups, O biases, got {got}")
    if isinstance(padding, str):
        padding = _named_padding(padding, weight.shape[2:], stride, dilation)
    how = {"stride": stride, "padding": _pair("conv2d", "padding", padding, 0)}
    how |= {"dilation": dilation, "groups": groups}
    if has_few_channels(x.data, weight.data, groups):
        return apply(few_channels_array, x, weight, bias, **how)
    x = apply(side_by_side, x) if lie_last(x.data) else x
    return apply(conv2d_array, x, weight, bias, **how)


def _named_padding(padding, kernel, stride, dilation):
    """The padding that "same" and "valid" stand for."""
    spans = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
    if padding == "valid":
        return 0, 0
    if padding != "same" or stride != (1, 1) or any(span % 2 for span in spans):
        wanted = 'an int, a pair, "valid", or with stride 1 and odd spans "same"'
        raise ValueError(f"conv2d: expected padding as {wanted}, got {padding!r}")
    return tuple(span // 2 for span in spans)


def _pair(name, what, value, least=1):
    """A pair of ints, of which one int stands for both."""
    pair = tuple(value) if isinstance(value, tuple | list) else (value, value)
    if len(pair) != 2 or not all(isinstance(n, int | np.integer) and n >= least for n in pair):
        wanted = f"an int of {least} or more, or a pair of them"
        raise ValueError(f"{name}: expected {what} as {wanted}, got {value!r}")
    return int(pair[0]), int(pair[1])


class Conv2d(Module):
    """`conv2d` as a layer: weight (out, in / groups, KH, KW), bias (out,) or None.

    >>> Conv2d(1, 8, 3, padding=1)(Tensor([[[[1.0, 2.0]]]])).shape
    (1, 8, 1, 2)
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Pair,
        stride: int | Pair = 1,
        padding: int | Pair | str = 0,
        dilation: int | Pair = 1,
        groups: int = 1,
        bias: bool = True,
        dtype=np.float32,
    ):
        """Make both parameters, and draw their numbers."""
        super().__init__()
        self.in_channels, self.out_channels = map(operator.index, (in_channels, out_channels))
        self.kernel_size = _pair("Conv2d", "kernel_size", kernel_size)
        self.stride = _pair("Conv2d", "stride", stride)
        self.dilation, self.groups = _pair("Conv2d", "dilation", dilation), groups
        named = isinstance(padding, str)
        self.padding = padding if named else _pair("Conv2d", "padding", padding, 0)
        if groups < 1 or in_channels % groups or out_channels % groups:
            got = f"{in_channels} and {out_channels} in {groups} groups"
            raise ValueError(f"Conv2d: expected channels in groups of equal size, got {got}")
        shape = (out_channels, in_channels // groups, *self.kernel_size)
        self.weight = Parameter(np.zeros(shape, dtype))
        self.bias = Parameter(np.zeros(out_channels, dtype)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Fill weight, then bias if there is one, with numbers uniform in [-1/√n, 1/√n).

        n = C / groups · KH · KW is how many numbers one output sees. As in `Linear`: drawn from
        `default_generator()` into the memory that the parameters have, and `note_change` is told;
        a layer without inputs gets a bias of 0.

        >>> layer = Conv2d(4, 10, 5)
        >>> bool((abs(layer.weight) <= 0.1).data.all()), layer.weight.var().item() > 0.003
        (True, True)
        """
        raise NotImplementedError("09_convolutions: Conv2d.reset_parameters")

    def forward(self, x: Tensor) -> Tensor:
        """Return `conv2d` of x with this layer's weight, bias and settings."""
        how = (self.stride, self.padding, self.dilation, self.groups)
        return conv2d(x, self.weight, self.bias, *how)

    def extra_repr(self) -> str:
        """Show what differs from a plain convolution."""
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}"
        plain = {"padding": (0, 0), "dilation": (1, 1), "groups": 1}
        shown = {name: getattr(self, name) for name in plain if getattr(self, name) != plain[name]}
        text += f", stride={self.stride}" + "".join(f", {k}={v!r}" for k, v in shown.items())
        return text + ", bias=False" * (self.bias is None)


def _frame(x, padding, value):
    """An array of images like x with room for `padding` around, full of one number."""
    (n, c, h, w), (top, left) = x.shape, padding
    return np.full_like(x, value, shape=(n, c, h + 2 * top, w + 2 * left))


def _inside(frame, padding):
    """The images in a frame, a view."""
    (top, left), (h, w) = padding, frame.shape[2:]
    return frame[:, :, top : h - top, left : w - left]


def _framed(x, padding, value):
    """Images with `padding` numbers around, all of them `value`."""
    if padding == (0, 0):
        return x
    frame = _frame(x, padding, value)
    _inside(frame, padding)[...] = x
    return frame


def _as_in(like, x):
    """x, in memory in the order that `like` has; a copy unless it is so."""
    if x.strides == like.strides:
        return x
    result = np.empty_like(like)
    result[...] = x
    return result


def _parts(*arrays):
    """Yield the same part of arrays (N, C, …): some of the images, or of the channels.

    Of that which is farther apart in memory in the first of them, as one part stays in the cache.
    """
    axis = int(np.argmax(arrays[0].strides[:2]))
    arrays = [array.swapaxes(0, axis) for array in arrays]
    count = len(arrays[0])
    for some in _cut(count, arrays[0].nbytes // max(1, count), 2 * PASS_BYTES):
        yield [array[some] for array in arrays]


def _line(x, axis, at, stride, places):
    """What all windows have at number `at` of theirs along an axis, a view."""
    return x[(slice(None),) * axis + (slice(at, at + (places - 1) * stride + 1, stride),)]


def _folded(op, x, kernel, stride, places):
    """The numbers of each window combined: line by line, then what is left column by column."""
    for axis, k, s, n in zip((2, 3), kernel, stride, places, strict=True):
        x = functools.reduce(op, (_line(x, axis, at, s, n) for at in range(k)))
    return x


def _unfolded(x, kernel, stride, places):
    """For each number of a window: what all windows (N, C, OH, OW) have there, views in order."""
    for a, b in np.ndindex(*kernel):
        yield _line(_line(x, 2, a, stride[0], places[0]), 3, b, stride[1], places[1])


def max_pool2d_array(x: np.ndarray, kernel_size: Pair, stride: Pair, padding: Pair) -> np.ndarray:
    """Return the largest number of each window, NaN where there is one; padding never counts.

    (N, C, H, W) -> (N, C, OH, OW), as `output_size` says, in the dtype of x.

    >>> x = np.arange(16.0).reshape(1, 1, 4, 4)
    >>> max_pool2d_array(x, (2, 2), (2, 2), (0, 0)).tolist()
    [[[[5.0, 7.0], [13.0, 15.0]]]]
    """
    raise NotImplementedError("09_convolutions: max_pool2d_array")


@vjp(max_pool2d_array)
def max_pool2d_rule(y, x, kernel_size, stride, padding):
    """The gradient of each window goes to its largest number, to the first in order of equals.

    In order: line by line, each from left to right. A number that is the largest of several windows
    gets the sum of their gradients.
    """
    raise NotImplementedError("09_convolutions: max_pool2d_rule")


def avg_pool2d_array(x: np.ndarray, kernel_size: Pair, stride: Pair, padding: Pair) -> np.ndarray:
    """Return the mean of each window, in which the zeros of the padding count as well.

    (N, C, H, W) -> (N, C, OH, OW), as `output_size` says, in the dtype of x.

    >>> x = np.arange(16.0).reshape(1, 1, 4, 4)
    >>> avg_pool2d_array(x, (2, 2), (2, 2), (0, 0)).tolist()
    [[[[2.5, 4.5], [10.5, 12.5]]]]
    """
    raise NotImplementedError("09_convolutions: avg_pool2d_array")


@vjp(avg_pool2d_array, linear=True)
def avg_pool2d_rule(y, x, kernel_size, stride, padding):
    """Every number gets 1 / k of the gradient of each of its windows, of k numbers."""
    raise NotImplementedError("09_convolutions: avg_pool2d_rule")


def _regions(size, places):
    """The `places` slices that cut a size as evenly as can be; they overlap where it does not."""
    return [slice(i * size // places, -(-(i + 1) * size // places)) for i in range(places)]


def adaptive_avg_pool2d_array(x: np.ndarray, output_size: Pair) -> np.ndarray:
    """Return the means of OH · OW regions of each channel, however large it is.

    (N, C, H, W) -> (N, C, OH, OW), in the dtype of x. Along an axis, region i begins at
    ⌊i · H / OH⌋ and ends before ⌈(i + 1) · H / OH⌉.

    >>> adaptive_avg_pool2d_array(np.arange(5.0).reshape(1, 1, 1, 5), (1, 2)).tolist()
    [[[[1.0, 3.0]]]]
    """
    raise NotImplementedError("09_convolutions: adaptive_avg_pool2d_array")


@vjp(adaptive_avg_pool2d_array, linear=True)
def adaptive_avg_pool2d_rule(y, x, output_size):
    """Every number of a region of k numbers gets 1 / k of its gradient."""
    raise NotImplementedError("09_convolutions: adaptive_avg_pool2d_rule")


def _pool(op, name, x, kernel_size, stride, padding):
    """Check what a pooling is asked for, and apply it."""
    _require_images(name, x)
    kernel = _pair(name, "kernel_size", kernel_size)
    stride = kernel if stride is None else _pair(name, "stride", stride)
    padding = _pair(name, "padding", padding, 0)
    if any(2 * p > k for p, k in zip(padding, kernel, strict=True)):
        raise ValueError(f"{name}: expected padding of at most half of {kernel}, got {padding}")
    return apply(op, x, kernel_size=kernel, stride=stride, padding=padding)


def _require_images(name, x):
    _require_floats(name, x)
    if x.ndim != 4:
        raise ValueError(f"{name}: expected images (N, C, H, W), got {x.shape}: unsqueeze one")


def max_pool2d(x: Tensor, kernel_size, stride=None, padding=0) -> Tensor:
    """Return the largest number of each window (see `max_pool2d_array`); stride None: the kernel's.

    >>> max_pool2d(Tensor([[[[1.0, 5.0, 2.0, 0.0]]]]), (1, 2)).tolist()
    [[[[5.0, 2.0]]]]
    """
    return _pool(max_pool2d_array, "max_pool2d", x, kernel_size, stride, padding)


def avg_pool2d(x: Tensor, kernel_size, stride=None, padding=0) -> Tensor:
    """Return the mean of each window (see `avg_pool2d_array`); stride None: the kernel's.

    >>> avg_pool2d(Tensor([[[[1.0, 5.0, 2.0, 0.0]]]]), (1, 2)).tolist()
    [[[[3.0, 1.0]]]]
    """
    return _pool(avg_pool2d_array, "avg_pool2d", x, kernel_size, stride, padding)


def adaptive_avg_pool2d(x: Tensor, output_size) -> Tensor:
    """Return the means of as many regions as are asked for (see `adaptive_avg_pool2d_array`).

    >>> adaptive_avg_pool2d(Tensor([[[[1.0, 5.0], [2.0, 0.0]]]]), 1).tolist()
    [[[[2.0]]]]
    """
    _require_images("adaptive_avg_pool2d", x)
    size = _pair("adaptive_avg_pool2d", "output_size", output_size)
    return apply(adaptive_avg_pool2d_array, x, output_size=size)


class MaxPool2d(Module):
    """`max_pool2d` as a layer.

    >>> MaxPool2d(2)
    MaxPool2d(kernel_size=2, stride=2, padding=0)
    """

    operation = staticmethod(max_pool2d)

    def __init__(self, kernel_size, stride=None, padding=0):
        """Remember the windows."""
        super().__init__()
        self.kernel_size, self.padding = kernel_size, padding
        self.stride = kernel_size if stride is None else stride

    def forward(self, x: Tensor) -> Tensor:
        """Return the operation's result for this layer's windows."""
        return type(self).operation(x, self.kernel_size, self.stride, self.padding)

    def extra_repr(self) -> str:
        """Show the windows."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool2d(MaxPool2d):
    """`avg_pool2d` as a layer."""

    operation = staticmethod(avg_pool2d)


class AdaptiveAvgPool2d(Module):
    """`adaptive_avg_pool2d` as a layer: its output has one size, whatever the images have."""

    def __init__(self, output_size):
        """Remember the size."""
        super().__init__()
        self.output_size = output_size

    def forward(self, x: Tensor) -> Tensor:
        """Return the means of the regions."""
        return adaptive_avg_pool2d(x, self.output_size)

    def extra_repr(self) -> str:
        """Show the size."""
        return f"output_size={self.output_size}"


def _strips(*arrays: np.ndarray) -> Iterator[list[np.ndarray]]:
    """Yield the same lines of arrays (N, C, …, W), as matrices with W · C numbers in a row.

    Each is a view where the channels lie last in memory. With so few numbers in a pass, the next
    finds them in the cache.
    """
    width = arrays[0].shape[1] * (arrays[0].shape[-1] if arrays[0].ndim > 2 else 1)
    matrices = [pixels(x).reshape(_lines(x), width) for x in arrays]
    for rows in _cut(len(matrices[0]), matrices[0].shape[1] * arrays[0].itemsize, PASS_BYTES):
        yield [matrix[rows] for matrix in matrices]


def _lines(x):
    """How many lines of pixels x has; without axes for them, a sample is a line of one pixel."""
    return math.prod(x.shape[:1] + x.shape[2:-1])


def _along(x, vector):
    """One number per channel, repeated for each pixel of a line."""
    return np.tile(vector, x.shape[-1] if x.ndim > 2 else 1)


def _sum_of_channels(strip, channels):
    return _sum_of_rows(_sum_of_rows(strip).reshape(-1, channels))


def channel_moments(x: np.ndarray) -> np.ndarray:
    """Return the mean and the variance Σ (x - mean)² / n of each channel: (N, C, …) -> (2, C).

    n counts all numbers of a channel. The variance needs the mean first: Σx² / n - mean² would lose
    all its digits where the mean is large.

    >>> channel_moments(np.array([[1.0, 10.0], [3.0, 10.0]])).tolist()
    [[2.0, 10.0], [1.0, 0.0]]
    """
    raise NotImplementedError("09_convolutions: channel_moments")


def batch_norm_array(x, weight, bias, mean, var, eps, training) -> np.ndarray:
    """Compute (x - mean) / √(var + eps) · weight + bias, channel by channel; None: 1 and 0.

    In training, mean and var are those of x itself, which is for the rule to know.
    Shapes: (N, C, …), the others (C,) -> that of x, in its dtype.

    >>> one = np.ones(1)
    >>> batch_norm_array(np.array([[1.0], [3.0]]), one, one, one * 2, one, 0.0, True).tolist()
    [[0.0], [2.0]]
    """
    raise NotImplementedError("09_convolutions: batch_norm_array")


@vjp(batch_norm_array)
def batch_norm_rule(y, x, weight, bias, mean, var, eps, training):
    """y = w x̂ + b, x̂ = (x - mean) / σ, σ = √(var + eps): Σ g x̂ for w, Σ g for b.

    For x in use w g / σ. In training x is in its own mean and variance too, and of n numbers gets
    w / σ · (g - Σ g / n - x̂ · Σ g x̂ / n): no gradient can move their mean or their size.
    Source: Ioffe and Szegedy, "Batch normalization", 2015, section 3.
    """
    raise NotImplementedError("09_convolutions: batch_norm_rule")


def batch_norm(
    x: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Give each channel of x mean 0 and variance 1, then its own size and place.

    In training by the moments of this batch, and the running ones, unless None, move in place by
    the share `momentum` towards them: r ← (1 - momentum) · r + momentum · new, where the new
    variance is Σ (x - mean)² / (n - 1), and `note_change` is told. In use by the running moments,
    and nothing moves. Shapes: x (N, C) or (N, C, …), the others (C,) -> that of x. Errors:
    ValueError for other shapes, for one number per channel in training, and in use without running
    moments.

    >>> mean, var = Tensor([0.0]), Tensor([1.0])
    >>> batch_norm(Tensor([[1.0], [3.0]]), mean, var, training=True, momentum=0.5, eps=0).tolist()
    [[-1.0], [1.0]]
    >>> mean.tolist(), var.tolist()
    ([1.0], [1.5])
    """
    raise NotImplementedError("09_convolutions: batch_norm")


def _require_channels(x, *vectors):
    """Refuse what is not one number per channel of x."""
    given = [vector for vector in vectors if vector is not None]
    _require_floats("batch_norm", x, *given)
    if x.ndim < 2 or any(vector.shape != x.shape[1:2] for vector in given):
        shapes = f"{x.shape} and {[vector.shape for vector in given]}"
        raise ValueError(f"batch_norm: expected x (N, C, …) and others (C,), got {shapes}")


class BatchNorm1d(Module):
    """`batch_norm` as a layer, for (N, C) or (N, C, L): weight, bias and running moments (C,).

    >>> sorted(BatchNorm1d(3).state_dict())
    ['bias', 'num_batches_tracked', 'running_mean', 'running_var', 'weight']
    """

    axes = (2, 3)

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        dtype=np.float32,
    ):
        """Begin with weight 1, bias 0 and running moments 0 and 1; momentum None: their mean."""
        super().__init__()
        self.num_features, self.eps, self.momentum = operator.index(num_features), eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        zero, one = (np.full(num_features, fill, dtype) for fill in (0, 1))
        self.weight = Parameter(one.copy()) if affine else None
        self.bias = Parameter(zero.copy()) if affine else None
        tracked = track_running_stats
        self.register_buffer("running_mean", zero if tracked else None)
        self.register_buffer("running_var", one if tracked else None)
        self.register_buffer("num_batches_tracked", np.array(0) if tracked else None)

    def forward(self, x: Tensor) -> Tensor:
        """Return `batch_norm` of x, by its own moments in training or where none are tracked."""
        if x.ndim not in self.axes or x.shape[1] != self.num_features:
            wanted = f"{' or '.join(map(str, self.axes))} axes and {self.num_features} channels"
            raise ValueError(f"{self._kind}: expected {wanted}, got {x.shape}")
        tracked, momentum = self.num_batches_tracked, self.momentum
        if momentum is None:
            momentum = 1 / (1 + tracked.item()) if tracked is not None else 0
        x = apply(side_by_side, x) if lie_last(x.data) else x
        state = (self.running_mean, self.running_var, self.weight, self.bias)
        y = batch_norm(x, *state, self.training or tracked is None, momentum, self.eps)
        if self.training and tracked is not None:
            tracked.data += 1
            note_change(tracked)
        return y

    def extra_repr(self) -> str:
        """Show the settings."""
        names = ("eps", "momentum", "affine", "track_running_stats")
        return f"{self.num_features}, " + ", ".join(f"{n}={getattr(self, n)}" for n in names)


class BatchNorm2d(BatchNorm1d):
    """`batch_norm` as a layer, for images (N, C, H, W)."""

    axes = (4,)
