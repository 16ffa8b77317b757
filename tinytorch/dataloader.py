"""Data loading: from published files to shuffled batches of tensors.

A `Dataset` knows its samples by number. A `Sampler` says in which order they come. A `DataLoader`
cuts that order into batches and fetches each: by one fancy index where the dataset has
`__getitems__`, sample by sample where it has not. Transforms change whole batches. `MNIST` and
`CIFAR10` read the files as they were published. Generators are NumPy's; None is the framework's.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import math
import queue
import struct
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from tinytorch.tensor import FLOAT32, Tensor, default_generator, from_numpy, stack

__all__ = [
    "CIFAR10",
    "Compose",
    "DataLoader",
    "Dataset",
    "MNIST",
    "Normalize",
    "RandomCrop",
    "RandomHorizontalFlip",
    "RandomSampler",
    "Sampler",
    "SequentialSampler",
    "Subset",
    "TensorDataset",
    "default_collate",
    "prefetched",
    "random_split",
    "read_cifar10",
    "read_idx",
]


class Dataset:
    """Samples by number: write `__getitem__` and `__len__`, and `__getitems__` for whole batches.

    `__getitems__(indices)` takes an array of indices and returns the batch, a tuple of Tensors.
    """

    def __getitem__(self, index: int):
        """Return one sample."""
        raise NotImplementedError(f"{type(self).__name__}: write __getitem__(self, index)")

    def __len__(self) -> int:
        """Return the number of samples."""
        raise NotImplementedError(f"{type(self).__name__}: write __len__(self)")


class TensorDataset(Dataset):
    """Tensors of one length: sample i is the tuple of their elements i.

    `transform` changes the first tensor of a batch, on its way out.
    """

    def __init__(self, *tensors: Tensor, transform: Callable[[Tensor], Tensor] | None = None):
        """Keep the tensors as they are; ValueError unless their first axes are equal."""
        for t in tensors:
            if not isinstance(t, Tensor):
                cure = "wrap it with from_numpy"
                raise TypeError(f"TensorDataset: expected Tensors, got {type(t).__name__}; {cure}")
        lengths = {t.shape[0] if t.ndim else None for t in tensors}
        if len(lengths) != 1 or None in lengths:
            shapes = ", ".join(str(t.shape) for t in tensors) or "nothing"
            raise ValueError(f"TensorDataset: expected tensors of one length, got {shapes}")
        self.tensors, self.transform = tensors, transform

    def __len__(self) -> int:
        """Return the length of the first axis."""
        return self.tensors[0].shape[0]

    def __getitem__(self, index: int) -> tuple[Tensor, ...]:
        """Return sample `index`: the element of each tensor, without the batch's axis.

        It is what a batch of this one sample holds, so that a transform is applied here too.
        Shapes: tensors of (N, …) -> a tuple of (…). Errors: IndexError where there is no sample.

        >>> data = TensorDataset(Tensor([[1.0, 2.0], [3.0, 4.0]]), Tensor([7, 8]))
        >>> data[1]
        (Tensor([3., 4.]), Tensor(8))
        """
        return tuple(t[0] for t in self.__getitems__(np.array([index])))

    def __getitems__(self, indices: np.ndarray) -> tuple[Tensor, ...]:
        """Return the samples of an array of indices as one batch: a new Tensor for each tensor.

        One gather per tensor, nothing per sample: `array.take(indices, axis=0)` copies whole rows.
        But of an array that is not C-contiguous, `take` first copies all of it; index that with
        `array[indices]`. Then the transform, if there is one, changes the first tensor.
        Shapes: tensors of (N, …), indices of (B,) -> a tuple of (B, …), dtypes kept.
        Errors: IndexError where there is no such sample.

        >>> data = TensorDataset(Tensor([[1.0, 2.0], [3.0, 4.0]]), Tensor([7, 8]))
        >>> data.__getitems__(np.array([1, 1, 0]))[1]
        Tensor([8, 8, 7])
        """
        batch = []
        for array in [t.data for t in self.tensors]:
            rows = array.take(indices, 0) if array.flags.c_contiguous else array[indices]
            batch.append(from_numpy(rows))
        if self.transform:
            batch[0] = self.transform(batch[0])
        return tuple(batch)


def default_collate(samples: list):
    """Make one batch of a list of samples, all built alike.

    Numbers and NumPy scalars become a Tensor (B,): floats float32, ints int64, bools bool, and
    NumPy's keep their dtype. Tensors and arrays of (…) become a Tensor (B, …), dtype kept. Tuples
    and lists are batched position by position, into a tuple; dicts key by key, into a dict. Text
    stays a list. Errors: ValueError for no samples, and where shapes, lengths or keys differ;
    TypeError for what is none of these.

    >>> default_collate([(Tensor([1.0, 2.0]), 7), (Tensor([3.0, 4.0]), 8)])
    (Tensor([[1., 2.],
            [3., 4.]]), Tensor([7, 8]))
    """
    if not samples:
        raise ValueError("default_collate: expected at least one sample, got none")
    first = samples[0]
    if isinstance(first, Tensor):
        return stack(samples)
    if isinstance(first, str | bytes):
        return samples
    if isinstance(first, np.ndarray | np.generic):
        _alike({np.shape(sample) for sample in samples}, "shapes")
        return from_numpy(np.stack(samples))
    if isinstance(first, bool | int | float):
        return Tensor(samples)
    if isinstance(first, tuple | list):
        _alike({len(sample) for sample in samples}, "lengths")
        return tuple(default_collate(list(column)) for column in zip(*samples, strict=True))
    if isinstance(first, dict):
        _alike({str(sorted(map(str, sample))) for sample in samples}, "keys")
        return {key: default_collate([sample[key] for sample in samples]) for key in first}
    cure = "give the DataLoader a collate_fn"
    raise TypeError(f"default_collate: no batch can be made of {type(first).__name__}; {cure}")


def _alike(found: set, what: str) -> None:
    if len(found) > 1:
        shown = " and ".join(map(str, sorted(found)))
        raise ValueError(f"default_collate: expected samples built alike, got {what} {shown}")


def fetch(dataset, indices: np.ndarray):
    """Return the batch of an array of indices.

    `dataset.__getitems__(indices)` where the dataset has it; else `default_collate` of the samples
    `dataset[i]`, each `i` a Python int.

    >>> fetch([10, 20, 30], np.array([2, 0]))
    Tensor([30, 10])
    """
    if hasattr(dataset, "__getitems__"):
        return dataset.__getitems__(indices)
    return default_collate([dataset[i] for i in indices.tolist()])


class Subset(Dataset):
    """Some samples of a dataset, under new numbers: sample i is `dataset[indices[i]]`."""

    def __init__(self, dataset, indices):
        """Keep the dataset and the indices, as an array; TypeError for a mask."""
        indices = np.asarray(indices)
        if indices.size and indices.dtype.kind not in "iu":
            cure = "use np.flatnonzero(mask)"
            raise TypeError(f"Subset: expected ints as indices, got {indices.dtype}; {cure}")
        self.dataset, self.indices = dataset, indices.astype(np.int64)

    def __len__(self) -> int:
        """Return the number of indices."""
        return len(self.indices)

    def __getitem__(self, index: int):
        """Return sample `indices[index]` of the dataset."""
        return self.dataset[int(self.indices[index])]

    def __getitems__(self, indices: np.ndarray):
        """Return a batch of the dataset, whole where it offers that."""
        return fetch(self.dataset, self.indices[indices])


def random_split(dataset, lengths, generator: np.random.Generator | None = None) -> list[Subset]:
    """Deal the samples of a dataset out at random: every sample goes into exactly one part.

    One permutation of all indices, `generator.permutation(len(dataset))`, is cut into consecutive
    pieces. `lengths` are ints that add up to len(dataset), or fractions that add up to 1: then part
    k gets ⌊len(dataset) · fraction⌋, and what is left over goes to the first parts, one each.
    Errors: ValueError for lengths that are negative or add up to something else.

    >>> parts = random_split(range(10), [0.75, 0.25], np.random.default_rng(0))
    >>> [len(part) for part in parts], sorted(i for part in parts for i in part.indices.tolist())
    ([8, 2], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    """
    n, sizes = len(dataset), list(lengths)
    if sizes and min(sizes) >= 0 and any(isinstance(s, float) for s in sizes):
        if math.isclose(sum(sizes), 1):
            sizes = [math.floor(n * fraction) for fraction in sizes]
            left = n - sum(sizes)
            sizes = [size + (k < left) for k, size in enumerate(sizes)]
    if not sizes or min(sizes) < 0 or sum(sizes) != n:
        what = f"expected lengths that add up to {n}, or fractions that add up to 1"
        raise ValueError(f"random_split: {what}, got {list(lengths)}")
    order = _or_default(generator).permutation(n)
    return [Subset(dataset, part) for part in np.split(order, np.cumsum(sizes)[:-1])]


class Sampler:
    """An order of indices: write `__iter__` and `__len__`, and `order` for all in one array."""

    def __iter__(self) -> Iterator[int]:
        """Go through the indices of one epoch."""
        raise NotImplementedError(f"{type(self).__name__}: write __iter__(self)")


class SequentialSampler(Sampler):
    """0, 1, 2, … up to the length of the dataset."""

    def __init__(self, data_source):
        """Keep the dataset, for its length."""
        self.data_source = data_source

    def __len__(self) -> int:
        """Return the number of indices."""
        return len(self.data_source)

    def __iter__(self) -> Iterator[int]:
        """Go through the indices of one epoch."""
        return iter(self.order().tolist())

    def order(self) -> np.ndarray:
        """Return 0, 1, 2 and so on."""
        return np.arange(len(self))


class RandomSampler(SequentialSampler):
    """Every index once, in an order drawn anew for each epoch."""

    def __init__(self, data_source, generator: np.random.Generator | None = None):
        """Keep the dataset and the generator."""
        super().__init__(data_source)
        self.generator = generator

    def order(self) -> np.ndarray:
        """Return 0 … n - 1 in random order: `permutation(n)` of the sampler's generator.

        None is the framework's: `_or_default(self.generator)`. One call, one draw; the next epoch
        calls again and gets another order.

        >>> sorted(RandomSampler("abcd", np.random.default_rng(0)).order().tolist())
        [0, 1, 2, 3]
        """
        return _or_default(self.generator).permutation(len(self))


def _or_default(generator: np.random.Generator | None) -> np.random.Generator:
    return default_generator() if generator is None else generator


def prefetched(batches: Iterable, depth: int) -> Iterator:
    """Go through `batches` while a background thread makes the next ones, about `depth` ahead.

    The thread starts with the first `next`. Up to `depth` batches wait for the consumer, one more
    may be in the making; the order stays. An exception of `batches` is raised here, at its place in
    the order. When the consumer leaves early (break, an exception, `close()`), the thread is told
    so and has ended when `close()` returns. Errors: ValueError for a depth below 1.

    >>> list(prefetched((n * n for n in range(4)), depth=2))
    [0, 1, 4, 9]
    """
    if depth < 1:
        raise ValueError(f"prefetched: expected a depth of 1 or more, got {depth}")
    made, room, left = queue.SimpleQueue(), threading.Semaphore(depth), threading.Event()

    def make():
        try:
            source = iter(batches)
            while room.acquire() and not left.is_set():
                made.put((next(source), None))
        except BaseException as error:  # StopIteration too: it is the end
            made.put((None, error))

    thread = threading.Thread(target=make, name="prefetch", daemon=True)
    thread.start()
    try:
        while True:
            batch, error = made.get()
            if isinstance(error, StopIteration):
                return
            if error is not None:
                raise error
            room.release()
            yield batch
    finally:
        left.set()
        room.release()
        # Python may collect a forgotten iterator in any thread, also in this one.
        if threading.current_thread() is not thread:
            thread.join()


class DataLoader:
    """Batches of a dataset, epoch by epoch: `for x, y in DataLoader(data, 64, shuffle=True)`.

    With `prefetch` = n > 0, a thread makes up to n batches ahead; then nothing but this loader and
    the dataset's transforms may draw from `generator`. `state_dict` says where an epoch stands.
    """

    def __init__(
        self,
        dataset,
        batch_size: int = 1,
        shuffle: bool = False,
        sampler: Iterable[int] | None = None,
        drop_last: bool = False,
        generator: np.random.Generator | None = None,
        collate_fn: Callable[[list], object] | None = None,
        prefetch: int = 0,
    ):
        """Refuse what would give no batches; a `collate_fn` gets lists of single samples."""
        for name, value, least in (("batch_size", batch_size, 1), ("prefetch", prefetch, 0)):
            if not isinstance(value, int | np.integer) or value < least:
                raise ValueError(f"DataLoader: expected an int {name} >= {least}, got {value!r}")
        if sampler is not None and shuffle:
            raise ValueError("DataLoader: a sampler is an order already: leave shuffle=False")
        if sampler is None:
            sampler = RandomSampler(dataset, generator) if shuffle else SequentialSampler(dataset)
        self.dataset, self.batch_size, self.drop_last = dataset, int(batch_size), drop_last
        self.sampler, self.collate_fn, self.prefetch = sampler, collate_fn, int(prefetch)
        self.generator = getattr(sampler, "generator", None) if generator is None else generator
        self._epoch, self._resume = None, False

    def __len__(self) -> int:
        """Return the number of batches of an epoch, for n = len(self.sampler) samples.

        ⌊n / batch_size⌋ with `drop_last`, else ⌈n / batch_size⌉: the last batch may be smaller.

        >>> len(DataLoader(range(10), batch_size=4)), len(DataLoader(range(10), 4, drop_last=True))
        (3, 2)
        """
        full, rest = divmod(len(self.sampler), self.batch_size)
        return full + (rest > 0 and not self.drop_last)

    def index_batches(self, order: np.ndarray) -> Iterator[np.ndarray]:
        """Cut an order into pieces of `batch_size`, one after the other, as views.

        A shorter piece at the end is left out with `drop_last`.

        >>> [b.tolist() for b in DataLoader(range(5), batch_size=2).index_batches(np.arange(5))]
        [[0, 1], [2, 3], [4]]
        """
        end = len(order) - (len(order) % self.batch_size if self.drop_last else 0)
        for start in range(0, end, self.batch_size):
            yield order[start : start + self.batch_size]

    def __iter__(self) -> Iterator:
        """Begin an epoch, or go on with the one that `load_state_dict` brought back."""
        generator, resumed, self._resume = self._random.bit_generator, self._resume, False
        before = generator.state
        if resumed:
            generator.state = self._epoch["generator"]
        else:
            self._epoch = {"generator": _plain(before), "batches": 0}
        order = self._order()
        if resumed:
            generator.state = before  # that order had been drawn already
        if resumed and self._epoch["batches"] > max(1, -(-len(order) // self.batch_size)):
            what = f"{self._epoch['batches']} batches are more than {len(order)} samples make"
            raise ValueError(f"DataLoader: {what}: resume with the same dataset and batch_size")
        return self._hand_out(order, self._epoch)

    def state_dict(self) -> dict:
        """Say where the epoch stands, in JSON's types: what `load_state_dict` needs to go on.

        `generator` is its state before the epoch's order was drawn, `batches` how many were handed
        out, `current` the generator's state now (None between two epochs). An epoch that was left
        early stands where it was left, until the next one begins.
        """
        epoch = self._epoch or {"generator": self._state(), "batches": 0, "current": None}
        return {"current": self._state(), **epoch}

    def load_state_dict(self, state: dict) -> None:
        """Stand where `state` says: the next epoch has its order, and what is left of its batches.

        Of an epoch whose last batch was handed out, nothing is left; its end is still to come.
        """
        if set(state) != {"generator", "batches", "current"}:
            what = "expected the keys generator, batches and current"
            raise ValueError(f"DataLoader: {what}, got {sorted(state)}: use state_dict()")
        running = state["current"] is not None
        self._random.bit_generator.state = state["current" if running else "generator"]
        self._epoch = {k: state[k] for k in ("generator", "batches")} if running else None
        self._resume = running

    @property
    def _random(self) -> np.random.Generator:
        return _or_default(self.generator)

    def _state(self) -> dict:
        return _plain(self._random.bit_generator.state)

    def _order(self) -> np.ndarray:
        whole = hasattr(self.sampler, "order")
        return self.sampler.order() if whole else np.fromiter(self.sampler, np.int64)

    def _hand_out(self, order: np.ndarray, epoch: dict) -> Iterator:
        """Yield the batches that are left of an epoch, and count them."""
        made = self._make(islice(self.index_batches(order), epoch["batches"], None))
        batches = prefetched(made, self.prefetch) if self.prefetch else made
        try:
            for batch, current in batches:
                epoch["batches"] += 1
                epoch |= current
                yield batch
        except BaseException:
            batches.close()
            if "current" in epoch:  # what the thread drew ahead was for nobody
                self._random.bit_generator.state = epoch["current"]
            raise
        if self._epoch is epoch:
            self._epoch = None

    def _make(self, index_batches: Iterable[np.ndarray]) -> Iterator[tuple]:
        """Yield each batch, with the generator's state after it if a thread draws from it ahead."""
        _here.prefetching = ahead = self.prefetch > 0
        ahead = ahead and self.generator is not None
        for indices in index_batches:
            if self.collate_fn is None:
                batch = fetch(self.dataset, indices)
            else:
                batch = self.collate_fn([self.dataset[i] for i in indices.tolist()])
            yield batch, {"current": self._state()} if ahead else {}


_here = threading.local()  # whether this thread makes batches ahead


def _plain(value):
    """A generator's state in JSON's types."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


class Compose:
    """Transforms one after the other, as one: Compose([a, b])(x) is b(a(x))."""

    def __init__(self, transforms):
        """Keep the transforms."""
        self.transforms = list(transforms)

    def __call__(self, x: Tensor) -> Tensor:
        """Return the batch, changed by each transform in turn."""
        for transform in self.transforms:
            x = transform(x)
        return x


class _Transform:
    """A change of a whole batch of images, whose axes the letters of `layout` name.

    N counts images, C channels, H rows, W columns; "NCHW", "NHWC" and "NHW" are layouts.
    """

    needs = ""

    def __init__(self, layout: str, generator: np.random.Generator | None = None):
        """Keep the layout, checked, and the generator."""
        letters = set(layout)
        sound = layout[:1] == "N" and len(letters) == len(layout) and letters <= set("NCHW")
        if not sound or not letters >= set(self.needs):
            what = f"expected a layout such as 'NCHW', with {' and '.join('N' + self.needs)}"
            raise ValueError(f"{type(self).__name__}: {what}, got {layout!r}")
        self.layout, self.generator = layout, generator

    def _array(self, x: Tensor) -> np.ndarray:
        """The array of a batch that has the layout's axes."""
        if not isinstance(x, Tensor) or x.ndim != len(self.layout):
            came = x.shape if isinstance(x, Tensor) else type(x).__name__
            name = f"{type(self).__name__}: expected a Tensor with the axes {self.layout}"
            raise ValueError(f"{name}, got {came}: say the batch's layout")
        return x.data

    def _drawing(self) -> np.random.Generator:
        """The generator to draw from; the default one is for the thread that trains."""
        if self.generator is None and getattr(_here, "prefetching", False):
            cure = "give it the DataLoader's own generator"
            raise RuntimeError(f"{type(self).__name__}: prefetch draws in another thread: {cure}")
        return _or_default(self.generator)


class Normalize(_Transform):
    """Each channel shifted and scaled by numbers of its own, usually to mean 0 and variance 1."""

    needs = "C"

    def __init__(self, mean, std, layout: str):
        """Keep one mean and one standard deviation per channel."""
        super().__init__(layout)
        self.mean, self.std = np.array(mean, FLOAT32), np.array(std, FLOAT32)
        if self.mean.ndim != 1 or self.mean.shape != self.std.shape or not (self.std > 0).all():
            what = "expected one mean and one std > 0 per channel"
            raise ValueError(f"Normalize: {what}, got mean={mean!r}, std={std!r}")

    def __call__(self, x: Tensor) -> Tensor:
        """Return (x - mean[c]) / std[c] for every channel c, in the dtype of `x`.

        Shapes: those of the layout -> the same. Errors: TypeError unless `x` is floating,
        ValueError unless it has the layout's axes and as many channels as there are means.

        >>> halves = Normalize([0.5, 1.0], [0.5, 2.0], layout="NC")
        >>> halves(Tensor([[1.0, 5.0]]))
        Tensor([[1., 2.]])
        """
        array, axis = self._array(x), self.layout.index("C")
        if array.dtype.kind != "f":
            raise TypeError(f"Normalize: expected floats, got {array.dtype}; use astype first")
        if array.shape[axis] != len(self.mean):
            came = f"{array.shape[axis]} in {array.shape}, which is {self.layout}"
            raise ValueError(f"Normalize: expected {len(self.mean)} channels, got {came}")
        shape = [-1 if letter == "C" else 1 for letter in self.layout]
        mean, std = (one.reshape(shape).astype(array.dtype) for one in (self.mean, self.std))
        return from_numpy((array - mean) / std)


class RandomHorizontalFlip(_Transform):
    """Each image mirrored, left for right, with probability p, each by a draw of its own."""

    needs = "W"

    def __init__(self, p: float = 0.5, *, layout: str, generator=None):
        """Keep the probability."""
        super().__init__(layout, generator)
        if not 0 <= p <= 1:
            raise ValueError(f"RandomHorizontalFlip: expected 0 <= p <= 1, got {p}")
        self.p = p

    def __call__(self, x: Tensor) -> Tensor:
        """Return a batch in which image n runs backwards along W where its draw is below p.

        The draws are `self._drawing().random(N)`, one per image. The batch given stays as it is.
        Shapes: those of the layout -> the same, dtype kept. Errors: ValueError unless `x` has the
        layout's axes.

        >>> RandomHorizontalFlip(p=1.0, layout="NW")(Tensor([[1, 2, 3]]))
        Tensor([[3, 2, 1]])
        """
        array = self._array(x).copy()
        chosen = self._drawing().random(len(array)) < self.p
        array[chosen] = np.flip(array[chosen], self.layout.index("W"))
        return from_numpy(array)


class RandomCrop(_Transform):
    """From each image a window of one size, each at a place of its own."""

    needs = "HW"

    def __init__(self, size, padding: int = 0, *, layout: str, generator=None):
        """Keep the window's size, an int or (height, width), and the zeros to put around first."""
        super().__init__(layout, generator)
        self.size = (size, size) if isinstance(size, int) else tuple(size)
        self.padding = padding

    def __call__(self, x: Tensor) -> Tensor:
        """Return a window of `size` = (h, w) from each image, after `padding` zeros on all 4 sides.

        Of padded images of (H, W), the top rows are `generator.integers(0, H - h + 1, N)` for the
        N images, then the left columns `generator.integers(0, W - w + 1, N)`, with `generator` =
        `self._drawing()`. Shapes: those of the layout -> the same with h for H and w for W, dtype
        kept. Errors: ValueError unless `x` has the layout's axes, and for a window that does not
        fit. Source: He, Zhang, Ren and Sun, "Deep residual learning", 2016, section 4.2.

        >>> RandomCrop(2, layout="NHW")(Tensor([[[1, 2], [3, 4]]]))
        Tensor([[[1, 2],
                 [3, 4]]])
        """
        array, axes = self._array(x), [self.layout.index(letter) for letter in "HW"]
        pads = [(self.padding, self.padding) if axis in axes else (0, 0) for axis in range(x.ndim)]
        array = np.pad(array, pads)
        room = [array.shape[axis] - size + 1 for axis, size in zip(axes, self.size, strict=True)]
        if min(room) < 1 or min(self.size) < 1:
            what = f"a window of {self.size} does not fit into {array.shape}, {self.layout}"
            raise ValueError(f"RandomCrop: {what}: take a smaller one, or more padding")
        generator = self._drawing()
        top, left = (generator.integers(0, places, len(array)) for places in room)
        windows = np.lib.stride_tricks.sliding_window_view(array, self.size, axis=axes)
        windows = np.moveaxis(windows, axes, (1, 2))  # (N, tops, lefts, …, h, w)
        crops = windows[np.arange(len(array)), top, left]  # (N, …, h, w)
        return from_numpy(np.ascontiguousarray(np.moveaxis(crops, (-2, -1), axes)))


def read_bytes(source, sha256: str | None = None) -> tuple[str, bytes]:
    """Return a name for errors and the content of a path, an open binary file or bytes, unzipped.

    ValueError if gzip data are damaged, or if neither the file's SHA-256 nor, of a zipped one, its
    content's is the one expected.
    """
    name = Path(source).name if isinstance(source, str | Path) else "the data"
    if not isinstance(source, bytes):
        source = source.read() if hasattr(source, "read") else Path(source).read_bytes()
    try:
        data = gzip.decompress(source) if source[:2] == b"\x1f\x8b" else source
    except (EOFError, OSError, zlib.error) as error:
        raise ValueError(f"{name}: damaged gzip data ({error}): download it again") from None
    if sha256 is not None:
        came = [hashlib.sha256(one).hexdigest() for one in (data, source)]
        if sha256 not in came:
            raise ValueError(
                f"{name}: expected SHA-256 {sha256}, came {came[1]}: download it again"
            )
    return name, data


IDX_DTYPES = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}


def read_idx(path_or_file, sha256: str | None = None) -> np.ndarray:
    """Read an array in the IDX format of MNIST, from a path, an open file or bytes, zipped or not.

    The first two bytes are 0, the third is the type (`IDX_DTYPES`), the fourth the number of axes.
    Each axis follows as 4 bytes, unsigned; then the elements, the last axis running fastest. All
    numbers are big-endian in the file, and in this machine's order in the array. `read_bytes` gives
    name and content. Errors: ValueError for another beginning, for fewer or more bytes than the
    sizes say (naming both), or for another SHA-256 of the unzipped content.
    Source: LeCun, Cortes and Burges, "The MNIST database of handwritten digits".

    >>> read_idx(bytes([0, 0, 8, 2, 0, 0, 0, 1, 0, 0, 0, 3, 10, 20, 30]))
    array([[10, 20, 30]], dtype=uint8)
    """
    name, data = read_bytes(path_or_file, sha256)
    if len(data) < 4 or data[:2] != b"\0\0" or data[2] not in IDX_DTYPES:
        what = f"expected the beginning of an IDX file, 00 00 and a type, came {data[:4].hex(' ')}"
        raise ValueError(f"{name}: {what}: take an IDX file such as train-images-idx3-ubyte.gz")
    dtype, start = np.dtype(IDX_DTYPES[data[2]]), 4 + 4 * data[3]
    if len(data) < start:
        raise ValueError(f"{name}: cut off in its first {start} bytes: download it again")
    shape = struct.unpack(f">{data[3]}I", data[4:start])
    expected = start + math.prod(shape) * dtype.itemsize
    if len(data) != expected:
        what = f"expected {expected} bytes for shape {shape}, came {len(data)}"
        raise ValueError(f"{name}: {what}: download it again")
    array = np.frombuffer(data, dtype, offset=start).reshape(shape)
    return array.astype(dtype.newbyteorder("="))


def read_cifar10(path_or_file, sha256: str | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Read a file of the CIFAR-10 binary format, from a path, an open file or bytes, zipped or not.

    Each image is 3073 bytes: its label, then 1024 red, 1024 green and 1024 blue ones, each row by
    row. Returns images (N, 3, 32, 32), uint8, and labels (N,), int64. `read_bytes` gives name and
    content. Errors: ValueError for no images, for a size that is no multiple of 3073 (naming it),
    for a label above 9, and for another SHA-256 of the unzipped content.
    Source: Krizhevsky, "Learning multiple layers of features from tiny images", 2009.

    >>> images, labels = read_cifar10(bytes([7]) + bytes(3072))
    >>> images.shape, labels
    ((1, 3, 32, 32), array([7]))
    """
    name, data = read_bytes(path_or_file, sha256)
    if not data or len(data) % 3073:
        what = f"expected images of 3073 bytes each, came {len(data)} bytes"
        raise ValueError(f"{name}: {what}: download it again")
    records = np.frombuffer(data, np.uint8).reshape(-1, 3073)
    labels = records[:, 0].astype(np.int64)
    if labels.max() > 9:
        what = f"expected labels from 0 to 9, came {labels.max()} for image {labels.argmax()}"
        raise ValueError(f"{name}: {what}: take the binary version of CIFAR-10")
    return records[:, 1:].copy().reshape(-1, 3, 32, 32), labels


class _Images(TensorDataset):
    """Images kept as bytes, one per pixel; batches are float32 in [0, 1], then transformed."""

    def __init__(self, images: np.ndarray, labels: np.ndarray, transform):
        steps = [_unit, *([transform] if transform else [])]
        super().__init__(from_numpy(images), from_numpy(labels), transform=Compose(steps))


def _unit(x: Tensor) -> Tensor:
    return from_numpy(np.divide(x.data, FLOAT32.type(255), dtype=FLOAT32))


class MNIST(_Images):
    """Handwritten digits, (N, 1, 28, 28) in [0, 1]: 60,000 to train with and 10,000 to test."""

    SHA256 = {  # of the unzipped files
        "train-images-idx3": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "train-labels-idx1": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "t10k-images-idx3": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "t10k-labels-idx1": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    }

    def __init__(self, folder, train: bool = True, transform=None, verify: bool = True):
        """Read the IDX files in a folder, zipped or not; `verify` their checksums."""
        part = "train" if train else "t10k"
        images, labels = (
            read_idx(_found(self, folder, f"{name}-ubyte.gz"), sha256 if verify else None)
            for name, sha256 in self.SHA256.items()
            if name.startswith(part)
        )
        super().__init__(images[:, None], labels.astype(np.int64), transform)


class CIFAR10(_Images):
    """Small photographs, (N, 3, 32, 32) in [0, 1]: 50,000 to train with and 10,000 to test."""

    ARCHIVE, FILES = "cifar-10-binary.tar.gz", "cifar-10-batches-bin/{}.bin"
    SHA256 = "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"

    def __init__(self, folder, train: bool = True, transform=None, verify: bool = True):
        """Read the archive in a folder, as it was published; `verify` its checksum."""
        import tarfile  # only here, and slow to import

        batches = [f"data_batch_{n}" for n in range(1, 6)] if train else ["test_batch"]
        path = _found(self, folder, self.ARCHIVE)
        name, data = read_bytes(path, self.SHA256 if verify else None)
        try:
            with tarfile.open(fileobj=io.BytesIO(data)) as tar:
                files = [tar.extractfile(self.FILES.format(batch)).read() for batch in batches]
        except (KeyError, tarfile.TarError) as error:
            raise ValueError(f"{name}: damaged archive ({error}): download it again") from None
        images, labels = zip(*map(read_cifar10, files), strict=True)
        super().__init__(np.concatenate(images), np.concatenate(labels), transform)


def _found(dataset: Dataset, folder, file: str) -> Path:
    """Where the file is in the folder, as published or unzipped."""
    for path in (Path(folder) / file, Path(folder) / file.removesuffix(".gz")):
        if path.is_file():
            return path
    name = type(dataset).__name__
    cure = f"run python milestones/download.py {name.lower()} {folder}"
    raise FileNotFoundError(f"{name}: no {file} in {folder}: {cure}")
