"""Hidden and shown checks of 05_dataloader; otter-grader runs this file in the trusted process."""

import gzip
import hashlib
import struct

import numpy as np
from otter.test_files import test_case

OK_FORMAT = False
name = "05_dataloader"
points = 100

CODES = {"u1": 8, "i1": 9, "i2": 11, "i4": 12, "f4": 13, "f8": 14}


def hidden(name, points):
    """Make a check of which a student learns no more than the hint, the function's docstring."""
    return lambda check: test_case(name, points, hidden=True, failure_message=check.__doc__)(check)


def shown(name, points):
    """Make a check that also shows its values, or the exception."""
    return lambda check: test_case(name, points, hidden=False, failure_message=check.__doc__)(check)


def single(rng, *shape):
    """Return random float32 numbers."""
    return rng.standard_normal(shape).astype(np.float32)


def seed_of(rng):
    """Return a seed for the generator that a probe makes."""
    return int(rng.integers(10**6))


def raw(data):
    """Return bytes as the array in which they travel."""
    return np.frombuffer(data, np.uint8)


def as_idx(array):
    """Return the array as an IDX file."""
    head = bytes([0, 0, CODES[array.dtype.str[1:]], array.ndim])
    body = array.astype(array.dtype.newbyteorder(">")).tobytes()
    return head + struct.pack(f">{array.ndim}I", *array.shape) + body


def as_cifar10(rng, n):
    """Return n random images with random labels as a file of CIFAR-10."""
    records = rng.integers(0, 256, (n, 3073), np.uint8)
    records[:, 0] %= 10
    return records.tobytes()


@shown("TensorDataset.__getitems__: three of five samples", points=2)
def getitems_small(agree, rng):
    """Row i of the batch is sample indices[i]; a sample may come twice."""
    arrays = [single(rng, 5, 2), np.arange(0, 50, 10)]
    agree("gathered", arrays=arrays, indices=np.array([4, 0, 4]))


@hidden("TensorDataset.__getitems__: random tensors, strides and transforms", points=4)
def getitems_random(agree, refuses, rng):
    """Any dtype and strides, new memory; the transform gets the first tensor of the batch, once."""
    turned = single(rng, 3, 4, 20).transpose(2, 0, 1)
    arrays = [turned, rng.integers(0, 256, (20, 7), np.uint8), rng.normal(0, 1, 20)]
    good = {"arrays": arrays, "indices": rng.integers(-20, 20, 11)}
    agree("gathered", **good)
    agree("gathered", arrays=arrays[:1], indices=np.zeros(0, np.int64))
    agree("transformed", x=single(rng, 9, 2), y=np.arange(9), indices=rng.permutation(9)[:5])
    refuses("gathered", IndexError, bad={**good, "indices": np.array([0, 20])}, good=good)


@hidden("TensorDataset.__getitems__: nothing per sample", points=3)
def getitems_at_once(agree, rng):
    """Gather all rows by one call; `take` on an array that is not C-contiguous copies all of it."""
    agree("gathered_at_once", x=single(rng, 50, 3), indices=rng.permutation(50)[:20])


@hidden("TensorDataset.__getitems__: single samples", points=3)
def getitem_random(agree, refuses, rng):
    """A tuple of elements without the batch's axis; -1 is the last; n is an IndexError."""
    n = int(rng.integers(5, 9))
    good = {
        "x": single(rng, n, 2, 3),
        "y": rng.integers(0, 9, n),
        "index": int(rng.integers(-n, n)),
    }
    agree("sample", **good)
    for index in (n, -n - 1):
        refuses("sample", IndexError, bad={**good, "index": index}, good=good)


@shown("default_collate: pairs of an image and a label", points=2)
def collate_small(agree, rng):
    """Position by position: all images become one Tensor, all labels another."""
    agree("collated", x=single(rng, 3, 2, 2), y=[7, 1, 4])


@hidden("default_collate: dicts, lists, scalars, text", points=4)
def collate_random(agree, rng):
    """Look at the type of the first sample; tuples, lists and dicts ask the same function again."""
    n = int(rng.integers(3, 6))
    inputs = {"numbers": rng.normal(1, 1, n).tolist(), "names": [f"n{i}" for i in range(n)]}
    for dtype in (np.float32, np.float64, np.int16):
        agree("collated_nested", x=rng.normal(0, 9, (n, 4)).astype(dtype), **inputs)
    agree("collated", x=rng.normal(0, 1, (n, 1)), y=rng.normal(0, 1, n).tolist())
    agree("collated_plain", samples=[[1, [True, "a"]], [2, [False, "b"]]])


@hidden("default_collate: samples that make no batch", points=3)
def collate_refuses(refuses, rng):
    """No samples, or of different length, shape or keys: ValueError. Objects: TypeError."""
    good = {"samples": rng.integers(0, 9, (2, 3)).tolist()}
    refuses("collated_plain", ValueError, bad={"samples": []}, good=good)
    refuses("collated_plain", ValueError, bad={"samples": [[1, 2], [3]]}, good=good)
    more = [{"a": 1}, {"a": 2, "b": 3}]
    for samples in (more, more[::-1]):
        refuses("collated_plain", ValueError, bad={"samples": samples}, good=good)
    ragged = {"samples": [np.zeros(2), np.zeros(3)]}
    refuses("collated_plain", ValueError, bad=ragged, good={"samples": [np.ones(2), np.zeros(2)]})
    refuses("collated_strange", TypeError, bad={"strange": True}, good={"strange": False})


@hidden("default_collate: fetch, whole batches or single samples", points=3)
def fetch_random(agree, rng):
    """Hand the array of indices to __getitems__; ask __getitem__ with Python's ints."""
    agree("fetched", numbers=rng.normal(0, 1, 9).tolist(), indices=rng.integers(0, 9, 5))


@hidden("random_split: lengths", points=3)
def split_lengths(agree, refuses, rng):
    """Cut `permutation(n)` into consecutive pieces; their lengths add up to n, or are refused."""
    a, b, c = (int(n) for n in rng.integers(1, 9, 3))
    for default in (False, True):
        good = {"n": a + b + c, "lengths": [a, b, c], "seed": seed_of(rng), "default": default}
        agree("split_up", **good)
    agree("split_up", **{**good, "lengths": [a + b + c, 0]})
    for lengths in ([a, b, c + 1], [a, b], [a + b + c + 1, -1], []):
        refuses("split_up", ValueError, bad={**good, "lengths": lengths}, good=good)


@hidden("random_split: fractions", points=4)
def split_fractions(agree, refuses, rng):
    """⌊n · fraction⌋ each, and what is left over goes to the first parts, one each."""
    n = int(rng.integers(30, 60))
    good = {"n": n, "lengths": [0.5, 0.25, 0.25], "seed": seed_of(rng), "default": False}
    for lengths in ([0.5, 0.25, 0.25], [1 / 3] * 3, [0.1] * 10, [1.0], [0.9, 0.1]):
        agree("split_up", **{**good, "lengths": lengths})
    agree("split_up", **{**good, "n": 7, "lengths": [0.1] * 10})
    for lengths in ([0.5, 0.6], [0.5, 0.25], [1.5, -0.5]):
        refuses("split_up", ValueError, bad={**good, "lengths": lengths}, good=good)


@hidden("random_split: RandomSampler, epoch after epoch", points=5)
def sampler_orders(agree, rng):
    """One `permutation` per epoch, of the given generator, or of the framework's."""
    for n in (int(rng.integers(5, 50)), 1, 0):
        for default in (False, True):
            agree("orders", n=n, seed=seed_of(rng), default=default)


@shown("DataLoader.index_batches: seven by three", points=2)
def index_batches_small(agree, rng):
    """Three, three and one; with drop_last the one is left out."""
    for drop_last in (False, True):
        agree("pieces", order=rng.permutation(7), batch_size=3, drop_last=drop_last)


@hidden("DataLoader.index_batches: any length", points=5)
def index_batches_random(agree, rng):
    """Consecutive views of the order; a batch may be larger than the order, which may be empty."""
    size = int(rng.integers(2, 7))
    for n in (0, 1, size - 1, size, size + 1, 3 * size, 3 * size + size // 2):
        for drop_last in (False, True):
            agree("pieces", order=rng.permutation(n), batch_size=size, drop_last=drop_last)
            samples = rng.integers(0, 99, n).tolist()
            agree("epoch", samples=samples, batch_size=size, drop_last=drop_last)


@hidden("DataLoader.index_batches: the number of batches", points=5)
def loader_length(agree, rng):
    """The number of batches, rounded up, or down with drop_last; the sampler says how many."""
    size = int(rng.integers(2, 7))
    sizes = [int(rng.integers(20, 60)), 0, 1, size - 1, size, size + 1, 5 * size]
    for drop_last in (False, True):
        agree("lengths", sizes=sizes, batch_size=size, drop_last=drop_last)


@shown("prefetched: the same, made by another thread", points=3)
def prefetched_small(agree, rng):
    """All that the source yields, in its order, by a thread that is not this one."""
    agree("ahead", numbers=rng.integers(0, 99, 20).tolist(), depth=3)
    agree("ahead", numbers=[], depth=1)
    agree("ahead", numbers=[0, None, 1], depth=2)


@hidden("prefetched: ahead, but not too far", points=4)
def prefetched_bounded(agree, refuses, rng):
    """Up to `depth` batches wait and one is in the making; a depth of 0 is a ValueError."""
    for depth in (1, int(rng.integers(2, 6))):
        agree("ahead_of", depth=depth, take=3)
    good = {"numbers": [1, 2], "depth": 1}
    refuses("ahead", ValueError, bad={**good, "depth": 0}, good=good)


@hidden("prefetched: errors of the source", points=3)
def prefetched_errors(agree, rng):
    """The thread catches the error and hands it over; the consumer raises it, in its place."""
    for n in (0, 1, 7):
        numbers = rng.integers(0, 99, n).tolist()
        agree("ahead_until_error", numbers=numbers, message=f"lost {seed_of(rng)}")
    agree("ahead_of_nothing", message=f"lost {seed_of(rng)}")


@hidden("prefetched: leaving early", points=4)
def prefetched_left(agree, rng):
    """No thread before `next`; in `finally`: say that one has left, make room, and join."""
    for depth in (1, int(rng.integers(2, 6))):
        agree("ahead_and_left", depth=depth, take=int(rng.integers(1, 4)))


@hidden("Normalize.__call__: layouts and dtypes", points=3)
def normalize_random(agree, rng):
    """(x - mean[c]) / std[c] along the axis that the layout calls C; float64 stays float64."""
    for layout, shape in (("NCHW", (4, 3, 3, 3)), ("NHWC", (3, 3, 2, 3)), ("NC", (5, 3))):
        stats = {"mean": rng.normal(0, 1, 3).tolist(), "std": rng.uniform(0.5, 2, 3).tolist()}
        for x in (single(rng, *shape), rng.normal(0, 1, shape)):
            agree("normalized", x=x, layout=layout, **stats, rtol=1e-5, atol=1e-6)


@hidden("Normalize.__call__: what cannot be normalized", points=3)
def normalize_refuses(refuses, rng):
    """Ints are a TypeError; other axes than the layout's, or other channels, a ValueError."""
    good = {"x": single(rng, 4, 2, 3), "mean": [0.5, 0.5], "std": [1.0, 2.0], "layout": "NCW"}
    refuses("normalized", TypeError, bad={**good, "x": np.ones((4, 2, 3), np.uint8)}, good=good)
    refuses("normalized", ValueError, bad={**good, "x": single(rng, 4, 3, 2)}, good=good)
    refuses("normalized", ValueError, bad={**good, "x": single(rng, 4, 1, 2)}, good=good)
    refuses("normalized", ValueError, bad={**good, "x": single(rng, 4, 2)}, good=good)


@hidden("RandomCrop.__call__: windows", points=5)
def crop_random(agree, rng):
    """Zeros around, then all tops, then all lefts are drawn; each image has a window of its own."""
    x = rng.integers(1, 256, (6, 3, 5, 8), np.uint8)
    for size, padding in ((4, 0), ([5, 8], 2), ([3, 7], 1), (5, 0)):
        inputs = {"size": size, "padding": padding, "seed": seed_of(rng)}
        agree("cropped", x=x, layout="NCHW", **inputs)
        agree("cropped", x=x.transpose(0, 2, 3, 1), layout="NHWC", **inputs)
        agree("cropped", x=single(rng, 6, 5, 8), layout="NHW", **inputs)
    agree("drawn_by_default", x=single(rng, 9, 4, 4), seed=seed_of(rng))


@hidden("RandomCrop.__call__: windows that do not fit", points=3)
def crop_refuses(refuses, rng):
    """A window larger than the padded image, or of size 0, is a ValueError; another layout too."""
    x = single(rng, 2, 4, 6)
    good = {"x": x, "size": [6, 8], "padding": 1, "layout": "NHW", "seed": seed_of(rng)}
    for size in ([7, 8], [6, 9], 0):
        refuses("cropped", ValueError, bad={**good, "size": size}, good=good)
    refuses("cropped", ValueError, bad={**good, "layout": "NCHW"}, good=good)


@hidden("RandomCrop.__call__: mirrors", points=6)
def flip_random(agree, refuses, rng):
    """One draw per image, mirrored along W where it is below p; the batch given stays as it is."""
    x = single(rng, 12, 2, 3, 4)
    for p in (0.5, float(rng.uniform(0.2, 0.8)), 0.0, 1.0):
        for layout in ("NCHW", "NHWC", "NHCW", "NWHC"):
            agree("flipped", x=x, p=p, layout=layout, seed=seed_of(rng))
    agree("flipped", x=(9 * x).astype(np.int16), p=0.5, layout="NCHW", seed=seed_of(rng))
    good = {"x": x, "p": 0.5, "layout": "NCHW", "seed": seed_of(rng)}
    refuses("flipped", ValueError, bad={**good, "layout": "NHW"}, good=good)


@hidden("read_idx: every type, zipped or not", points=5)
def idx_random(agree, rng):
    """Sizes and elements are big-endian in the file and native in the array; any number of axes."""
    for dtype in CODES:
        shape = tuple(int(n) for n in rng.integers(1, 6, int(rng.integers(1, 5))))
        data = as_idx((rng.normal(0, 30, shape) % 100).astype(dtype))
        agree("idx", data=raw(data), opened=False, sha256=hashlib.sha256(data).hexdigest())
        agree("idx", data=raw(gzip.compress(data)), opened=True, sha256=None)
    for odd in (np.zeros((0, 28), np.uint8), np.array(rng.normal())):
        agree("idx", data=raw(as_idx(odd)), opened=False, sha256=None)


@hidden("read_idx: damaged files", points=5)
def idx_refuses(refuses, rng):
    """ValueError for fewer or more bytes than the sizes say, another beginning or checksum."""
    data = as_idx(rng.integers(0, 99, (7, 5)).astype(np.int16))
    good = {"data": raw(data), "opened": False, "sha256": None}
    size, (cut, long) = str(len(data)), (data[: -int(rng.integers(1, 30))], data + b"\0\0\0")
    refuses("idx", ValueError, size, str(len(cut)), bad={**good, "data": raw(cut)}, good=good)
    refuses("idx", ValueError, size, str(len(long)), bad={**good, "data": raw(long)}, good=good)
    for other in (b"", data[:3], b"\x89PNG" + data, b"\0\0\x07" + data[3:], data[:9]):
        refuses("idx", ValueError, bad={**good, "data": raw(other)}, good=good)
    large = raw(bytes([0, 0, 8, 1]) + struct.pack(">I", 2**31))
    refuses("idx", ValueError, str(2**31 + 8), bad={**good, "data": large}, good=good)
    for other in (b"\x01" + data[1:], b"\0\x01" + data[2:]):
        refuses("idx", ValueError, bad={**good, "data": raw(other)}, good=good)
    refuses("idx", ValueError, bad={**good, "data": raw(gzip.compress(data)[:-9])}, good=good)
    wrong = hashlib.sha256(b"another").hexdigest()
    refuses("idx", ValueError, wrong, bad={**good, "sha256": wrong}, good=good)


@hidden("read_cifar10: random images", points=4)
def cifar10_random(agree, rng):
    """Label first, then red, green and blue planes row by row; uint8 images and int64 labels."""
    for n in (1, int(rng.integers(2, 9))):
        data = as_cifar10(rng, n)
        agree("cifar10", data=raw(data), opened=True, sha256=hashlib.sha256(data).hexdigest())
        agree("cifar10", data=raw(gzip.compress(data)), opened=False, sha256=None)


@hidden("read_cifar10: what is no CIFAR-10", points=4)
def cifar10_refuses(refuses, rng):
    """A size that is no multiple of 3073, no images, a label above 9, another checksum."""
    data = as_cifar10(rng, 3)
    good = {"data": raw(data), "opened": False, "sha256": None}
    cut = data[: -int(rng.integers(1, 3000))]
    refuses("cifar10", ValueError, str(len(cut)), bad={**good, "data": raw(cut)}, good=good)
    for other in (b"", data + b"\0", data[:3073] + b"\x0a" + data[3074:]):
        refuses("cifar10", ValueError, bad={**good, "data": raw(other)}, good=good)
    wrong = hashlib.sha256(b"another").hexdigest()
    refuses("cifar10", ValueError, wrong, bad={**good, "sha256": wrong}, good=good)
