"""What the checks of 05_dataloader ask of a framework; each function travels alone."""

import numpy as np

import tinytorch as tt


def gathered(arrays, indices):
    """A batch of a TensorDataset, and whether it is memory of its own."""
    data = tt.TensorDataset(*map(tt.from_numpy, arrays))
    batch = data.__getitems__(indices)
    own = [not np.shares_memory(t.data, a) for t, a in zip(batch, arrays, strict=True)]
    return [type(batch).__name__, [t.data for t in batch], own]


def gathered_at_once(x, indices):
    """Whether a batch takes at most one index of the array, and never a copy of a turned one."""
    import gc
    import tracemalloc

    asked = []

    class Counting(np.ndarray):
        def __getitem__(self, index):
            asked.append(index)
            return np.ndarray.__getitem__(self, index)

    tt.TensorDataset(tt.from_numpy(x.view(Counting))).__getitems__(indices)
    turned = tt.TensorDataset(tt.from_numpy(np.zeros((100, 4000)).T))
    gc.collect()
    tracemalloc.start()
    turned.__getitems__(indices)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return [len(asked) <= 1, peak < 1_000_000]


def transformed(x, y, indices):
    """A batch and a sample through a transform, and the shapes that it was given."""
    shapes = []
    data = tt.TensorDataset(
        tt.from_numpy(x), tt.from_numpy(y), transform=lambda b: shapes.append(b.shape) or b * 3
    )
    batch = [t.data for t in data.__getitems__(indices)]
    seen = [list(shape) for shape in shapes]
    return [batch, seen, [t.data for t in data[int(indices[0])]]]


def sample(x, y, index):
    """One sample of a TensorDataset."""
    data = tt.TensorDataset(tt.from_numpy(x), tt.from_numpy(y))
    one = data[index]
    return [type(one).__name__, [t.data for t in one]]


def collated(x, y):
    """A batch of pairs of a Tensor and a number."""
    batch = tt.default_collate([(tt.from_numpy(one), n) for one, n in zip(x, y, strict=True)])
    return [type(batch).__name__, [t.data for t in batch]]


def collated_nested(x, numbers, names):
    """A batch of dicts that hold an array, a list of two, a scalar of NumPy's and a text."""
    samples = [
        {"x": one, "two": [n, n > 1], "scalar": one[0], "name": name}
        for one, n, name in zip(x, numbers, names, strict=True)
    ]
    batch = tt.default_collate(samples)
    two = [type(batch["two"]).__name__, [t.data for t in batch["two"]]]
    texts = [type(batch["name"]).__name__, batch["name"]]
    return [batch["x"].data, two, batch["scalar"].data, texts, list(batch)]


def collated_plain(samples):
    """A batch of numbers, lists or texts, without Tensors in the answer."""

    def bare(batch):
        if isinstance(batch, tt.Tensor):
            return batch.data
        return [bare(one) for one in batch] if isinstance(batch, (tuple, list)) else batch

    return bare(tt.default_collate(samples))


def collated_strange(strange):
    """A batch of numbers, or of things of which no batch can be made."""
    return tt.default_collate([object()] * 2 if strange else [1, 2]).data


def fetched(numbers, indices):
    """What fetch asks: of a dataset with whole batches, and of one without."""

    class Whole:
        def __getitems__(self, indices):
            return [type(indices).__name__, indices * 2]

        def __getitem__(self, index):
            raise AssertionError("asked for one sample")

    asked = []

    class Single:
        def __getitem__(self, index):
            asked.append(type(index).__name__)
            return numbers[index]

    batch = tt.dataloader.fetch(Single(), indices)
    return [tt.dataloader.fetch(Whole(), indices), batch.data, asked]


def split_up(n, lengths, seed, default):
    """The indices of each part, the lengths as they were left; draws from either generator."""
    generator = tt.manual_seed(seed) if default else np.random.default_rng(seed)
    parts = tt.random_split(list(range(n)), lengths, None if default else generator)
    return [[part.indices for part in parts], generator.random(), lengths]


def orders(n, seed, default):
    """Three orders of a RandomSampler, and one after the framework has got another seed."""
    generator = tt.manual_seed(seed) if default else np.random.default_rng(seed)
    sampler = tt.RandomSampler(range(n), None if default else generator)
    three, number = [sampler.order() for _ in range(3)], generator.random()
    tt.manual_seed(seed + 1)
    return [three, number, sampler.order()]


def pieces(order, batch_size, drop_last):
    """The order, cut into batches: each, and whether it is a view."""
    loader = tt.DataLoader(range(len(order)), batch_size, drop_last=drop_last)
    batches = list(loader.index_batches(order))
    return [batches, [np.shares_memory(batch, order) for batch in batches]]


def lengths(sizes, batch_size, drop_last):
    """The number of batches for several datasets, and for a sampler shorter than its dataset."""
    of = [len(tt.DataLoader(range(n), batch_size, drop_last=drop_last)) for n in sizes]
    sampler = list(range(sizes[0]))
    one = tt.DataLoader(range(1000), batch_size, sampler=sampler, drop_last=drop_last)
    return [of, len(one)]


def epoch(samples, batch_size, drop_last):
    """A whole epoch in order, of which nothing is collated."""
    return list(tt.DataLoader(samples, batch_size, drop_last=drop_last, collate_fn=list))


def ahead(numbers, depth):
    """All that comes out, and whether another thread has made it."""
    import threading

    threads = []

    def source():
        for n in numbers:
            threads.append(threading.get_ident() != threading.main_thread().ident)
            yield n

    return [list(tt.prefetched(source(), depth)), threads]


def ahead_of(depth, take):
    """How far ahead the thread is at least, and whether it is too far, after each batch."""
    import time

    made, seen = [], []
    batches = tt.prefetched((made.append(n) or n for n in range(10_000)), depth)
    for taken in range(1, take + 1):
        next(batches)
        end = time.monotonic() + 2
        while len(made) < taken + depth and time.monotonic() < end:
            time.sleep(0.0005)
        time.sleep(0.01)
        seen.append([len(made) >= taken + depth, len(made) > taken + depth + 1])
    batches.close()
    return seen


def ahead_until_error(numbers, message):
    """What comes out before the error of the source, and the error."""

    def source():
        yield from numbers
        raise KeyError(message)

    came = []
    try:
        for n in tt.prefetched(source(), 2):
            came.append(n)
    except KeyError as error:
        return [came, error.args[0]]
    return [came, None]


def ahead_of_nothing(message):
    """The errors of a source that cannot begin; none after 10 seconds of waiting for it."""
    import threading

    class Source:
        def __iter__(self):
            raise KeyError(message)

    errors = []

    def consume():
        try:
            list(tt.prefetched(Source(), 1))
        except KeyError as error:
            errors.append(error.args[0])

    consumer = threading.Thread(target=consume, daemon=True)
    consumer.start()
    consumer.join(10)
    return list(errors)


def ahead_and_left(depth, take):
    """The threads before the first; after leaving early those left, and what more is made."""
    import threading
    import time

    before, made = threading.active_count(), []
    batches = tt.prefetched((made.append(n) or n for n in range(10**9)), depth)
    early = threading.active_count() - before
    came = [next(batches) for _ in range(take)]
    batches.close()
    left, count = threading.active_count() - before, len(made)
    time.sleep(0.02)
    return [early, came, left, len(made) - count]


def normalized(x, mean, std, layout):
    """The batch normalized, and the batch as it was left."""
    batch = tt.from_numpy(x)
    return [tt.Normalize(mean, std, layout=layout)(batch).data, batch.data]


def flipped(x, p, layout, seed):
    """The batch with some images mirrored, the batch as it was left, and the next draw."""
    batch, rng = tt.from_numpy(x), np.random.default_rng(seed)
    flip = tt.RandomHorizontalFlip(p, layout=layout, generator=rng)
    return [flip(batch).data, batch.data, rng.random()]


def cropped(x, size, padding, layout, seed):
    """A window of each image, and the next draw."""
    rng = np.random.default_rng(seed)
    size = size if isinstance(size, int) else tuple(size)
    crop = tt.RandomCrop(size, padding, layout=layout, generator=rng)
    return [crop(tt.from_numpy(x)).data, rng.random()]


def drawn_by_default(x, seed):
    """Mirrored and cropped by the framework's own generator."""
    tt.manual_seed(seed)
    flip = tt.RandomHorizontalFlip(layout="NHW")
    return [flip(tt.from_numpy(x)).data, tt.RandomCrop(3, 1, layout="NHW")(tt.from_numpy(x)).data]


def idx(data, opened, sha256):
    """The array in an IDX file."""
    import io

    data = data.tobytes()
    array = tt.read_idx(io.BytesIO(data) if opened else data, sha256)
    return [array, array.dtype.isnative, array.flags.writeable]


def cifar10(data, opened, sha256):
    """The images and labels of a file of CIFAR-10."""
    import io

    data = data.tobytes()
    return list(tt.read_cifar10(io.BytesIO(data) if opened else data, sha256))
