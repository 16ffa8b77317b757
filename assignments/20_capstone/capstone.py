"""Capstone: a model becomes an entry: few bytes, few instructions, and figures that hold.

One can take a trained network apart into plain arrays (`chain`), write them into as few bits as
they bear (`pack`) and read them again (`unpack`), turn them into a function without overhead
(`compile_forward`), say how often it is right and how sure that is (`try_out`), race it against
another (`race`), choose among many (`choose`), and write the files of an entry (`write_entry`).

A packed model is MARK, the number of layers in a byte, and then for each layer: HEAD (outputs,
inputs, bits, 1 if a ReLU follows), the scales of its rows and its biases in HALF, its weights in
so many bits each.
"""

from __future__ import annotations

import math
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tinytorch.activations import ReLU
from tinytorch.benchmarking import bootstrap_interval, compare, pareto_front
from tinytorch.convolutions import BatchNorm1d
from tinytorch.layers import Dropout, Flatten, Identity, Linear, Module, Sequential
from tinytorch.quantization import choose_qparams, dequantize, levels, quantize

__all__ = [
    "Candidate",
    "Check",
    "Layer",
    "Race",
    "agreement",
    "chain",
    "choose",
    "compile_forward",
    "fold_batchnorm",
    "geometric_speedup",
    "pack",
    "pack_bits",
    "packed_bytes",
    "quantize_rows",
    "race",
    "try_out",
    "unpack",
    "unpack_bits",
    "write_entry",
]

Forward = Callable[[np.ndarray], np.ndarray]  # images (N, in) -> logits (N, classes)
MARK = b"TT"
HEAD = struct.Struct("<HHBB")  # outputs, inputs, bits, relu: 6 bytes
HALF = np.dtype("<f2")  # two bytes, 11 bits of them digits
SMALLEST = np.finfo(np.float16).smallest_normal


class Layer(NamedTuple):
    """x @ weight.T + bias, and nothing below 0 where `relu`; both arrays float32."""

    weight: np.ndarray  # (out, in)
    bias: np.ndarray  # (out,)
    relu: bool = False


def fold_batchnorm(layer: Layer, norm: BatchNorm1d) -> Layer:
    """Return the one layer that does what `layer` and then `norm`, in eval, do.

    A norm in eval is y = gain · (x - mean) + shift with gain = weight / √(var + eps), one number
    for each output; without weight and bias they are 1 and 0. So each row of the layer is
    multiplied by gain, and its bias becomes gain · (bias - mean) + shift. Computed in float64,
    kept in float32; `layer.relu` stays.

    >>> norm = BatchNorm1d(1, eps=0.0)
    >>> norm.running_mean.data[:], norm.running_var.data[:] = 3.0, 4.0
    >>> layer = Layer(np.array([[2.0, 4.0]], np.float32), np.array([5.0], np.float32))
    >>> fold_batchnorm(layer, norm).weight.tolist(), fold_batchnorm(layer, norm).bias.tolist()
    ([[1.0, 2.0]], [1.0])
    """
    raise NotImplementedError("20_capstone: fold_batchnorm")


def in_order(model: Module) -> Iterator[Module]:
    """Yield the layers of a model, those of a Sequential inside of it one by one.

    >>> [type(layer).__name__ for layer in in_order(Sequential(ReLU(), Sequential(Identity())))]
    ['ReLU', 'Identity']
    """
    if isinstance(model, Sequential):
        for layer in model:
            yield from in_order(layer)
    else:
        yield model


def chain(model: Module) -> list[Layer]:
    """Return a model of layers `in_order` as plain arrays, copies that share nothing with it.

    Each Linear begins a Layer, with a bias of 0 where it has none. A ReLU after it sets `relu`; a
    BatchNorm1d is folded into it (`fold_batchnorm`); Dropout, Identity and Flatten do nothing to
    rows in use. Errors: ValueError for any other layer, for a ReLU or BatchNorm1d before the first
    Linear, for a BatchNorm1d after a ReLU, and for a model without Linear.

    >>> [layer.relu for layer in chain(Sequential(Linear(4, 3), ReLU(), Linear(3, 2)))]
    [True, False]
    """
    raise NotImplementedError("20_capstone: chain")


def _misplaced(module):
    """Return the error for a layer that no chain can hold, there at least."""
    what = type(module).__name__
    wanted = "expected Linear, then BatchNorm1d, then ReLU, and again"
    return ValueError(f"chain: {wanted}, got {what}: change the order, or leave it out")


def pack_bits(values: np.ndarray, bits: int) -> bytes:
    """Return integers in so many bits each, one right after the other: ⌈N · bits / 8⌉ bytes.

    values, int8 of any shape, are taken in C order. An integer's bits are the low ones of its
    two's complement, the highest first; what is left of the last byte is 0. Errors: ValueError for
    an integer that is none of `levels(bits)`, and for other than 2 to 8 bits.

    >>> pack_bits(np.array([1, -1, -4, 3], np.int8), bits=3).hex()  # 001 111 100 011, and 0000
    '3e30'
    """
    raise NotImplementedError("20_capstone: pack_bits")


def unpack_bits(data: bytes, count: int, bits: int) -> np.ndarray:
    """Return the `count` integers that `pack_bits` wrote: (count,) int8.

    Errors: ValueError unless data has exactly the bytes that they take.

    >>> unpack_bits(bytes.fromhex("3e30"), count=4, bits=3)
    array([ 1, -1, -4,  3], dtype=int8)
    """
    raise NotImplementedError("20_capstone: unpack_bits")


def quantize_rows(weight: np.ndarray, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """Return int8 (out, in) and the scale of each row, HALF (out,): weight ≈ scale · integer.

    A row's scale is that of `choose_qparams`, symmetric, for its least and greatest number; then
    rounded to HALF, but never below SMALLEST. The integers are made with the *rounded* scale, as
    it is what will be multiplied with: off by half a step at most, up to that rounding. Errors:
    ValueError for a scale beyond what HALF holds.

    >>> q, scale = quantize_rows(np.array([[0.5, -1.75], [3.0, 14.0]], np.float32), bits=4)
    >>> q.tolist(), scale.tolist()
    ([[2, -7], [2, 7]], [0.25, 2.0])
    """
    raise NotImplementedError("20_capstone: quantize_rows")


def _halved(what, numbers):
    """Return numbers in HALF; ValueError for those that it does not hold."""
    with np.errstate(over="ignore"):
        half = np.asarray(numbers).astype(HALF)
    if not np.isfinite(half).all():
        raise ValueError(f"pack: expected a {what} of at most 65504, got {np.abs(numbers).max()}")
    return half


def bits_of_each(layers: Sequence[Layer], bits: int | Sequence[int]) -> list[int]:
    """Return the bits of each layer, where one number stands for all.

    >>> layer = Layer(np.ones((1, 1)), np.ones(1))
    >>> bits_of_each([layer, layer], 4), bits_of_each([layer, layer], [8, 4])
    ([4, 4], [8, 4])
    """
    found = [bits] * len(layers) if isinstance(bits, int) else list(bits)
    if len(found) != len(layers):
        raise ValueError(f"pack: expected bits for {len(layers)} layers, got {len(found)}")
    return found


def packed_bytes(layers: Sequence[Layer], bits: int | Sequence[int]) -> int:
    """Return how long `pack` will be, without packing.

    MARK and a byte; for each layer HEAD, two numbers in HALF for each output, and its weights in
    bits, up to a whole byte.

    >>> packed_bytes([Layer(np.ones((10, 7)), np.ones(10))], bits=5)  # 3 + 6 + 40 + 44
    93
    """
    raise NotImplementedError("20_capstone: packed_bytes")


def pack(layers: Sequence[Layer], bits: int | Sequence[int]) -> bytes:
    """Return layers in few bytes, as the top of this file says; bits: of all, or of each layer.

    `quantize_rows` makes the integers and scales, `pack_bits` their bytes; biases by `_halved`.

    >>> layer = Layer(np.array([[0.5, -1.75]], np.float32), np.array([1.0], np.float32), relu=True)
    >>> pack([layer], bits=4).hex(" ", -2)
    '5454 0101 0002 0004 0100 3400 3c29'
    """
    raise NotImplementedError("20_capstone: pack")


class Reader:
    """Takes bytes from the front of some data; ValueError where there are too few."""

    def __init__(self, data: bytes):
        """Begin at the first byte."""
        self.data, self.place = bytes(data), 0

    def take(self, count: int) -> bytes:
        """Return the next `count` bytes.

        >>> reader = Reader(b"abc")
        >>> reader.take(2), reader.left
        (b'ab', 1)
        """
        if count > self.left:
            wanted = f"expected {count} bytes at {self.place}"
            raise ValueError(f"unpack: {wanted}, got {self.left}: the data is cut off")
        self.place += count
        return self.data[self.place - count : self.place]

    @property
    def left(self) -> int:
        """How many bytes are still to be taken."""
        return len(self.data) - self.place


def unpack(data: bytes) -> list[Layer]:
    """Return the layers that `pack` wrote, float32: weight = scale · integer.

    Errors: ValueError, before anything is computed with it, for data that does not begin with
    MARK, is cut off (`Reader` sees to that), goes on after the last layer, or in which a layer has
    other inputs than the layer before has outputs.

    >>> unpack(bytes.fromhex("545401010002000401003400 3c29"))[0].weight.tolist()
    [[0.5, -1.75]]
    """
    raise NotImplementedError("20_capstone: unpack")


def compile_forward(layers: Sequence[Layer]) -> Forward:
    """Return the function from images (N, in) to logits (N, out), float32, and nothing around it.

    What can be done once is done here: each weight is transposed into memory that lies in the order
    of the product, (in, out). What layers hand on to each other stands in arrays that are made at
    the first call with N rows and used again (`np.dot`, `np.add` and `np.maximum` write into
    `out`). Only the logits are new at each call, so that no answer changes when the next one comes;
    the images never change.

    >>> layer = Layer(np.array([[1.0, -1.0]], np.float32), np.array([0.5], np.float32), relu=True)
    >>> compile_forward([layer])(np.array([[3.0, 1.0], [1.0, 3.0]], np.float32)).tolist()
    [[2.5], [0.0]]
    """
    raise NotImplementedError("20_capstone: compile_forward")


class Check(NamedTuple):
    """How many answers of a sample were right."""

    right: int
    count: int

    @property
    def share(self) -> float:
        """The share that was right."""
        return self.right / self.count

    def lower(self, z: float = 1.96) -> float:
        """Return the lower end of Wilson's interval for the share among *all* questions.

        With p = right / count: (p + z²/2n - z √(p (1 - p)/n + z²/4n²)) / (1 + z²/n). z = 1.96 is
        95 %. Unlike p - z √(p (1 - p)/n), it does not say 1 when all of ten were right. Source:
        Wilson, "Probable inference, the law of succession, and statistical inference", 1927.

        >>> round(Check(10, 10).lower(), 3), round(Check(970, 1000).lower(), 3)
        (0.722, 0.957)
        """
        raise NotImplementedError("20_capstone: Check.lower")


def agreement(logits: np.ndarray, wanted: np.ndarray) -> Check:
    """Return in how many rows of logits (N, C) the largest is where it must be.

    wanted: labels (N,), or the logits (N, C) of another model, whose largest counts. The first of
    equal ones counts, as for `np.argmax`. Errors: ValueError for logits that are no table, for
    wanted of any other shape than these two, for none at all, and for NaN or infinity in either,
    which argmax would take for a very sure answer.

    >>> agreement(np.array([[0.1, 0.9], [0.8, 0.2], [0.3, 0.7]]), np.array([1, 0, 0]))
    Check(right=2, count=3)
    """
    raise NotImplementedError("20_capstone: agreement")


def try_out(
    forward: Forward, images: np.ndarray, wanted: np.ndarray, batches: Sequence[int] = (1, 256)
) -> Check:
    """Return the `agreement` of a function, asked in batches of each size: that which is lower.

    >>> images = np.eye(3, dtype=np.float32)
    >>> try_out(lambda x: 2 * x, images, np.array([0, 1, 1]))
    Check(right=2, count=3)
    """
    found = []
    for size in batches:
        parts = np.split(images, range(size, len(images), size))
        found.append(agreement(np.concatenate([np.array(forward(x)) for x in parts]), wanted))
    return min(found)


def geometric_speedup(pairs: np.ndarray) -> float:
    """Return how many times faster the second rival is, over several works, each counting alike.

    pairs (turns, works, 2) of seconds. For each work the median of the first rival's times by that
    of the second's; of these ratios the geometric mean, with which twice as fast here and half as
    fast there is no gain.

    >>> round(geometric_speedup(np.array([[[8.0, 1.0], [3.0, 6.0]]])), 6)
    2.0
    """
    raise NotImplementedError("20_capstone: geometric_speedup")


class Race(NamedTuple):
    """Times of a baseline and an entry that took turns: `pairs` (turns, works, 2) of seconds."""

    pairs: np.ndarray

    @property
    def speedup(self) -> float:
        """How many times faster the entry is."""
        return geometric_speedup(self.pairs)

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Return the `bootstrap_interval` of the speedup."""
        return bootstrap_interval(self.pairs, geometric_speedup, confidence)


def race(
    baseline: Forward,
    entry: Forward,
    works: Sequence[np.ndarray],
    clock: Callable[[], float] = time.thread_time,
    **how,
) -> Race:
    """Let baseline and entry take turns on each of several inputs, by `compare` and its options.

    >>> now = [0.0]
    >>> def takes(seconds):
    ...     return lambda x: now.__setitem__(0, now[0] + seconds * len(x))
    >>> clock = lambda: now[0]
    >>> race(takes(3.0), takes(1.0), [np.ones(1), np.ones(4)], clock, blocks=2, least=9.0).pairs[0]
    array([[ 3.,  1.],
           [12.,  4.]])
    """
    raise NotImplementedError("20_capstone: race")


class Candidate(NamedTuple):
    """One of many possible entries, and what was measured of it."""

    name: str
    size: int  # bytes
    check: Check


def choose(candidates: Sequence[Candidate], least: float) -> tuple[list[Candidate], Candidate]:
    """Return the `pareto_front` of size and `check.lower()`, and the smallest on it that is safe.

    Safe is a candidate whose `check.lower()`, and not only its share, reaches the gate `least`: the
    gate will ask other questions. The front asks the same, or a small one that was right in ten of
    ten would push out a safe one with 990 of 1000. Of equally small ones the first. Errors:
    ValueError if none is safe.

    >>> tried = [Candidate("8 bits", 900, Check(990, 1000)), Candidate("2 bits", 300, Check(5, 9))]
    >>> front, best = choose([*tried, Candidate("9 bits", 999, Check(980, 1000))], least=0.96)
    >>> [one.name for one in front], best.name
    (['8 bits', '2 bits'], '8 bits')
    """
    raise NotImplementedError("20_capstone: choose")


SOURCES = {
    "featherweight": '''\
"""Featherweight: rows of few bits with a scale each, which the framework reads."""

from tinytorch.capstone import compile_forward, unpack


def load(data):
    """Return the forward pass of the layers in `data`."""
    return compile_forward(unpack(data))
''',
    "sprint": '''\
"""Sprint: products into memory that is there already, and nothing around them."""

from tinytorch.capstone import Layer, compile_forward


def load(weights):
    """Return the forward pass of the given network."""
    layers = [Layer(weights[f"{n}.weight"], weights[f"{n}.bias"], n < 4) for n in (0, 2, 4)]
    return compile_forward(layers)
''',
}


def write_entry(folder: Path | str, track: str, data: bytes | None = None) -> list[Path]:
    """Write the files of an entry for `track`, one of SOURCES, and return their paths.

    `data` are the bytes that go beside the source. Files that are there are written over.
    """
    if track not in SOURCES:
        raise ValueError(f"write_entry: expected one of {', '.join(SOURCES)}, got {track!r}")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    files = {f"{track}.py": SOURCES[track].encode()}
    files |= {} if data is None else {f"{track}.bin": data}
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return [folder / name for name in files]
