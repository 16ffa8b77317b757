"""Checks of 20_capstone, all of them hidden; otter-grader runs this in the trusted process.

No check reads a clock of this machine: every clock is a probe's own.
"""

import struct

import numpy as np
from otter.test_files import test_case

OK_FORMAT = False
name = "20_capstone"
points = 100


def hidden(name, points, hint):
    """A check that students do not see, but for its hint."""
    return test_case(name=name, points=points, hidden=True, failure_message=hint)


def floats(rng, *shape):
    """Numbers as weights are."""
    return rng.normal(0, 1, shape).astype(np.float32)


@hidden("fold_batchnorm: random layers", 8, "Gain on rows and bias; mean before it, shift after.")
def fold_random(agree, rng):
    for affine, eps in ((floats(rng, 2, 3), 1e-5), (None, 0.5), (floats(rng, 2, 3), 0.1)):
        moments = np.stack([floats(rng, 3), rng.uniform(0.1, 2, 3).astype(np.float32)])
        given = {"weight": floats(rng, 3, 4), "bias": floats(rng, 3), "moments": moments}
        agree("folded", **given, affine=affine, eps=eps)


KINDS = (
    "linear",
    "nothing linear relu dropout plain relu relu",
    "flatten linear norm relu linear norm dropout linear",
    "linear dropout norm relu plain norm",
)


@hidden("fold_batchnorm: chains", 12, "A Linear begins a layer; ReLU and norm join the one before.")
def chain_models(agree, refuses, rng):
    for kinds in KINDS:
        widths = rng.integers(1, 5, 4).tolist()
        agree("chained", kinds=kinds.split(), widths=widths, seed=int(rng.integers(1000)))
    widths, seed = rng.integers(2, 5, 4).tolist(), int(rng.integers(1000))
    good = {"kinds": KINDS[1].split(), "widths": widths, "seed": seed}
    for kinds in ("relu linear", "norm linear", "linear relu norm", "linear tanh", "nothing"):
        refuses("chained", ValueError, bad={**good, "kinds": kinds.split()}, good=good)


def integers(rng, bits, count):
    """Integers that so many bits hold, both ends among them."""
    least, most = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    values = rng.integers(least, most, count, endpoint=True)
    values[:2] = least, most
    return values.astype(np.int8)


@hidden("pack_bits: integers of few bits", 8, "The highest bit first, one number after the other.")
def pack_random(agree, refuses, rng):
    for bits in range(2, 9):
        agree("bits_packed", values=integers(rng, bits, int(rng.integers(3, 12))), bits=bits)
    agree("bits_packed", values=integers(rng, 3, 10).reshape(2, 5), bits=3)
    bits = int(rng.integers(3, 8))
    good = {"values": integers(rng, bits, 6), "bits": bits}
    for wrong in (2 ** (bits - 1), -(2 ** (bits - 1)) - 1):
        values = np.append(good["values"], wrong).astype(np.int16)
        refuses("bits_packed", ValueError, bad={"values": values, "bits": bits}, good=good)


def packed_bits(values, bits):
    """The bits of integers as bytes, made of text."""
    text = "".join(format(int(value) % 2**bits, f"0{bits}b") for value in values.ravel())
    text += "0" * (-len(text) % 8)
    return np.array([int(text[i : i + 8], 2) for i in range(0, len(text), 8)], np.uint8)


@hidden("pack_bits: unpacked again", 8, "The highest bit counts -2 ** (bits - 1).")
def unpack_random(agree, refuses, rng):
    for bits in range(2, 9):
        values = integers(rng, bits, int(rng.integers(3, 12)))
        agree("bits_unpacked", data=packed_bits(values, bits), count=len(values), bits=bits)
    good = {"data": packed_bits(values, bits), "count": len(values), "bits": bits}
    for wrong in (good["data"][:-1], np.append(good["data"], np.uint8(0))):
        refuses("bits_unpacked", ValueError, bad={**good, "data": wrong}, good=good)


@hidden("quantize_rows: random rows", 5, "Quantize with the scale as it is after rounding.")
def rows_random(agree, rng):
    for bits in (8, 5, 2):
        agree("rows_quantized", weight=floats(rng, 4, 9) * np.float32(3), bits=bits)
    largest = rng.uniform(1, 9, (4, 1)).astype(np.float32)
    steps = largest / 127, (largest / 127).astype(np.float16).astype(np.float32)
    between = (rng.integers(60, 120, (4, 8)) + np.float32(0.5)) * (steps[0] + steps[1]) / 2
    agree("rows_quantized", weight=np.concatenate([largest, between], axis=1), bits=8)


@hidden("quantize_rows: very small and very large rows", 3, "Two bytes hold no scale below 6e-8.")
def rows_far(agree, refuses, rng):
    weight = floats(rng, 4, 9) * np.float32([[1], [1e-7], [30], [0]])
    for bits in (8, 4):
        agree("rows_quantized", weight=weight, bits=bits)
    good = {"weight": weight, "bits": 3}
    bad = {**good, "weight": weight * np.float32(1e6)}
    refuses("rows_quantized", ValueError, bad=bad, good=good)


@hidden("pack: how long it will be", 6, "Whole bytes for each layer; scales and biases of two.")
def size_random(agree, refuses, rng):
    shapes = rng.integers(1, 9, (3, 2)).tolist()
    for bits in (int(rng.integers(2, 9)), rng.integers(2, 9, 3).tolist(), [3, 5, 7]):
        agree("size", shapes=shapes, bits=bits)
    good = {"shapes": [[1, 3], [3, 1]], "bits": [3, 5]}
    refuses("size", ValueError, bad={**good, "bits": [3]}, good=good)


def layers(rng, *widths):
    """Weights, biases and ReLUs of layers that fit."""
    return {
        "weights": [floats(rng, n, m) for m, n in zip(widths, widths[1:], strict=False)],
        "biases": [floats(rng, n) for n in widths[1:]],
        "relus": [bool(rng.integers(2)) for _ in widths[1:]],
    }


@hidden("pack: random layers", 10, "HEAD, scales, biases and bits of each layer, in this order.")
def pack_layers(agree, refuses, rng):
    for bits in (4, [3, 8]):
        found = layers(rng, 3, 5, 2)
        agree("packed", **found, bits=bits)
    good = {**layers(rng, 3, 5), "bits": 4}
    bad = {**good, "biases": [good["biases"][0] + np.float32(1e5)]}
    refuses("packed", ValueError, bad=bad, good=good)


def written(rng, shapes, mark=b"TT"):
    """Layers of random integers as `pack` writes them."""
    parts = [mark, bytes([len(shapes)])]
    for rows, columns in shapes:
        bits = int(rng.integers(2, 9))
        parts.append(struct.pack("<HHBB", rows, columns, bits, int(rng.integers(2))))
        parts += [rng.uniform(0.5, 2, rows).astype("<f2").tobytes() for _ in range(2)]
        parts.append(packed_bits(integers(rng, bits, max(2, rows * columns)), bits).tobytes())
    return np.frombuffer(b"".join(parts), np.uint8)


@hidden("unpack: random layers", 7, "Read what `pack` wrote, in its order: weight = scale · q.")
def unpack_layers(agree, rng):
    for shapes in ([(3, 4)], [(5, 3), (2, 5)], [(2, 3), (4, 2), (1, 4)]):
        agree("unpacked", data=written(rng, shapes))


@hidden("unpack: other bytes", 5, "Look at the mark, at each length, and at what is left.")
def unpack_refusals(refuses, rng):
    good = {"data": written(rng, [(4, 3), (2, 4)])}
    data = good["data"]
    wrong = [data[:-1], data[: int(rng.integers(3, 20))], np.append(data, np.uint8(0)), data[:0]]
    wrong += [written(rng, [(4, 3)], b"PK"), written(rng, [(4, 3), (2, 5)])]
    for bad in wrong:
        refuses("unpacked", ValueError, bad={"data": bad}, good=good)


@hidden("compile_forward: random layers", 6, "Product, bias, ReLU, layer by layer.")
def compile_random(agree, rng):
    for widths in ((4, 3), (3, 6, 2), (5, 4, 4, 3)):
        batches = [floats(rng, count, widths[0]) for count in (1, 5)]
        agree("answered", **layers(rng, *widths), batches=batches)


@hidden("compile_forward: answers last", 4, "No answer changes when the next batch comes.")
def compile_again(agree, rng):
    sizes = (3, 1, 3, 2, 1, 3)
    for widths in ((4, 3), (4, 5, 3)):
        batches = [floats(rng, count, 4) for count in sizes]
        agree("answered", **layers(rng, *widths), batches=batches)
    batches = [rng.integers(-3, 4, (3, 4)).astype(np.float64) for _ in range(2)]
    agree("answered", **layers(rng, 4, 5, 3), batches=batches)


@hidden("agreement: counts", 5, "argmax against argmax; refuse NaN and wrong shapes first.")
def agreement_random(agree, refuses, rng):
    logits, labels = floats(rng, 12, 3), rng.integers(0, 3, 12)
    agree("agreed", logits=logits, wanted=labels)
    agree("agreed", logits=logits, wanted=logits + floats(rng, 12, 3))
    good, nan = {"logits": logits, "wanted": labels}, logits.copy()
    nan[int(rng.integers(12)), 1] = rng.choice([np.nan, np.inf, -np.inf])
    for bad in (nan, logits[:-1], logits[:, 0], logits[None]):
        refuses("agreed", ValueError, bad={**good, "logits": bad}, good=good)
    others = [floats(rng, 12, 4), logits[:-1], labels[:, None], logits[..., None]]
    for bad in (nan, *others):
        refuses("agreed", ValueError, bad={**good, "wanted": bad}, good=good)
    empty = {"logits": logits[:0], "wanted": labels[:0]}
    refuses("agreed", ValueError, bad=empty, good=good)


@hidden("agreement: its interval", 3, "The lower end of Wilson's interval, as the formula says.")
def agreement_lower(agree, rng):
    counts = [[int(rng.integers(1, n)), int(n)] for n in (9, 50, 4000)] + [[7, 7]]
    for _ in range(2):
        agree("lower", counts=counts, z=float(rng.uniform(1, 3)))


@hidden("race: random times", 6, "Each work counts alike; turns are on one clock.")
def speedup_random(agree, rng):
    agree("speedup", pairs=rng.exponential(1, (9, 3, 2)))
    agree("speedup", pairs=rng.exponential(1, (4, 1, 2)))
    slow, fast = (rng.integers(1, 20, 2) / 4).tolist()
    how = {"blocks": int(rng.integers(2, 5)), "warmup": 0, "calls": [1, 2]}
    agree("raced", slow=slow, fast=fast, rows=[1, int(rng.integers(2, 6))], settings=how)


@hidden("race: the chosen candidate", 4, "The front first; then the smallest that is surely right.")
def choose_random(agree, refuses, rng):
    counts = rng.permutation([100] * 4 + [1000] * 4)
    rights = rng.integers(60, 90, 8) * counts // 100
    sizes = rng.permutation(40)[:10] + 2
    sizes[0] = 1  # and lucky: five of five
    rights, counts = np.append([5, 970], rights), np.append([5, 1000], counts)
    good = {"sizes": sizes, "rights": rights, "counts": counts, "least": 0.955}
    for least in (0.955, 0.7, 0.5):
        agree("chosen", **{**good, "least": least})
    refuses("chosen", ValueError, bad={**good, "least": 0.969}, good=good)
