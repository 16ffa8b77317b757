"""What module 05 must do. Run it with `tito test 05`; the first sentence below a name says why."""

import gzip
import io
import struct
import threading
import time

import numpy as np
import pytest

from tinytorch.dataloader import (
    DataLoader,
    Normalize,
    RandomCrop,
    RandomHorizontalFlip,
    RandomSampler,
    TensorDataset,
    default_collate,
    fetch,
    prefetched,
    random_split,
    read_cifar10,
    read_idx,
)
from tinytorch.tensor import Tensor, from_numpy, manual_seed

DIGITS = np.arange(12, dtype=np.float32).reshape(6, 2)


def pairs(transform=None):
    """Six samples: (0, 1) with label 0, (2, 3) with label 10, and so on."""
    labels = from_numpy(np.arange(0, 60, 10))
    return TensorDataset(from_numpy(DIGITS), labels, transform=transform)


@pytest.mark.task("TensorDataset.__getitems__")
def test_a_batch_holds_the_samples_asked_for_in_their_order():
    """One gather per tensor: row i of the batch is sample indices[i], also when one comes twice."""
    x, y = pairs().__getitems__(np.array([5, 0, 5]))
    assert x.tolist() == [[10, 11], [0, 1], [10, 11]]
    assert y.tolist() == [50, 0, 50]
    assert (x.dtype, y.dtype) == (np.float32, np.int64)


@pytest.mark.task("TensorDataset.__getitems__")
def test_a_batch_is_memory_of_its_own():
    """Changing a batch must not change the dataset."""
    data = pairs()
    data.__getitems__(np.array([0, 1]))[0][0] = 99.0
    assert data.tensors[0].tolist() == DIGITS.tolist()


@pytest.mark.task("TensorDataset.__getitems__")
def test_the_transform_changes_the_first_tensor_of_a_whole_batch():
    """It is called once with the batch, not once per sample, and the labels stay."""
    shapes = []
    data = pairs(transform=lambda x: shapes.append(x.shape) or x * 2)
    x, y = data.__getitems__(np.array([1, 2, 3]))
    assert shapes == [(3, 2)]
    assert x.tolist() == [[4, 6], [8, 10], [12, 14]]
    assert y.tolist() == [10, 20, 30]


@pytest.mark.task("TensorDataset.__getitems__")
def test_a_sample_is_a_tuple_without_the_axis_of_the_batch():
    """data[1] is what a batch of sample 1 alone holds; -1 is the last one, 6 is not there."""
    x, y = pairs()[1]
    assert (x.tolist(), y.item()) == ([2, 3], 10)
    assert pairs()[-1][1].item() == 50
    assert pairs(transform=lambda x: -x)[1][0].tolist() == [-2, -3]
    with pytest.raises(IndexError):
        pairs()[6]


@pytest.mark.task("default_collate")
def test_samples_of_pairs_become_a_pair_of_batches():
    """Position by position: the images together, the labels together."""
    x, y = default_collate([(Tensor([1.0, 2.0]), 7), (Tensor([3.0, 4.0]), 8)])
    assert (x.tolist(), y.tolist()) == ([[1, 2], [3, 4]], [7, 8])
    assert (x.dtype, y.dtype) == (np.float32, np.int64)


@pytest.mark.task("default_collate")
def test_arrays_numbers_dicts_and_text_are_collated_each_in_its_way():
    """Arrays keep their dtype, floats become float32, dicts go key by key, text stays a list."""
    samples = [{"x": np.array([n], np.uint8), "w": n / 2, "name": f"n{n}"} for n in (1, 2)]
    batch = default_collate(samples)
    assert list(batch) == ["x", "w", "name"]
    assert (batch["x"].tolist(), batch["x"].dtype) == ([[1], [2]], np.uint8)
    assert (batch["w"].tolist(), batch["w"].dtype) == ([0.5, 1.0], np.float32)
    assert batch["name"] == ["n1", "n2"]


@pytest.mark.task("default_collate")
@pytest.mark.parametrize(
    ("samples", "error"),
    [([], ValueError), ([(1, 2), (3,)], ValueError), ([None, None], TypeError)],
    ids=["none at all", "of different length", "of nothing"],
)
def test_samples_that_make_no_batch_are_refused(samples, error):
    """Better an error here than a batch that is missing half of its labels."""
    assert default_collate([(1, 2), (3, 4)])[1].tolist() == [2, 4]
    with pytest.raises(error):
        default_collate(samples)


@pytest.mark.task("default_collate")
def test_fetch_asks_for_the_whole_batch_where_it_can():
    """A dataset with __getitems__ is asked once; any other, sample by sample."""
    assert fetch(pairs(), np.array([2, 1]))[1].tolist() == [20, 10]
    assert fetch(["a", "b", "c"], np.array([2, 0])) == ["c", "a"]


@pytest.mark.task("random_split")
def test_every_sample_goes_into_exactly_one_part():
    """Cut one permutation: nothing is lost, nothing comes twice."""
    parts = random_split(range(10), [7, 3], np.random.default_rng(0))
    assert [len(part) for part in parts] == [7, 3]
    order = np.concatenate([part.indices for part in parts])
    assert order.tolist() == np.random.default_rng(0).permutation(10).tolist()


@pytest.mark.task("random_split")
def test_fractions_are_rounded_down_and_the_rest_goes_round():
    """A third of 11 is 3; the two that are left go to the first two parts."""
    assert [len(p) for p in random_split(range(11), [0.25, 0.25, 0.5])] == [3, 3, 5]
    assert [len(p) for p in random_split(range(11), [1 / 3] * 3)] == [4, 4, 3]


@pytest.mark.task("random_split")
@pytest.mark.parametrize("lengths", [[7, 4], [0.5, 0.6], [-1, 11], []], ids=str)
def test_lengths_that_do_not_add_up_are_refused(lengths):
    """A split that forgets samples, or invents some, is a mistake."""
    assert len(random_split(range(10), [7, 3])) == 2
    with pytest.raises(ValueError):
        random_split(range(10), lengths)


@pytest.mark.task("random_split")
def test_each_epoch_has_an_order_of_its_own_that_a_seed_repeats():
    """One permutation per call, from the sampler's generator or, without one, the framework's."""
    sampler = RandomSampler(range(20), np.random.default_rng(3))
    rng = np.random.default_rng(3)
    assert sampler.order().tolist() == rng.permutation(20).tolist()
    assert sampler.order().tolist() == rng.permutation(20).tolist()
    manual_seed(4)
    expected = np.random.default_rng(4).permutation(20).tolist()
    assert RandomSampler(range(20)).order().tolist() == expected


@pytest.mark.task("DataLoader.index_batches")
@pytest.mark.parametrize(("drop_last", "sizes"), [(False, [4, 4, 2]), (True, [4, 4])])
def test_the_order_is_cut_into_batches(drop_last, sizes):
    """Ten samples by four: the last two are a smaller batch, or are dropped."""
    loader = DataLoader(range(10), batch_size=4, drop_last=drop_last)
    order = np.arange(10)[::-1]
    batches = list(loader.index_batches(order))
    assert [len(batch) for batch in batches] == sizes
    assert np.concatenate(batches).tolist() == order[: sum(sizes)].tolist()


@pytest.mark.task("DataLoader.index_batches")
def test_the_length_of_a_loader_is_its_number_of_batches():
    """As many as come out of an epoch, whether the samples divide evenly or not."""
    for n in (8, 9, 11, 12, 0):
        for drop_last in (False, True):
            loader = DataLoader(range(n), 4, drop_last=drop_last, collate_fn=list)
            assert len(loader) == len(list(loader))
    assert len(DataLoader(range(100), 4, sampler=[1, 2, 3, 4, 5])) == 2


@pytest.mark.task("prefetched")
def test_prefetching_changes_neither_the_batches_nor_their_order():
    """The thread is made for speed: what comes out is the same."""
    assert list(prefetched((n * n for n in range(50)), depth=3)) == [n * n for n in range(50)]
    assert list(prefetched([], depth=1)) == []


@pytest.mark.task("prefetched")
def test_the_batches_are_made_in_another_thread_and_not_too_far_ahead():
    """With two waiting and one in the making, there are never more than three untaken."""
    made, threads = [], set()

    def source():
        for n in range(100):
            made.append(n)
            threads.add(threading.get_ident())
            yield n

    batches = prefetched(source(), depth=2)
    for taken in range(1, 4):
        next(batches)
        wait_for = time.monotonic() + 5
        while len(made) <= taken and time.monotonic() < wait_for:
            time.sleep(0.001)
        time.sleep(0.02)
        assert taken < len(made) <= taken + 3
    batches.close()
    assert threading.get_ident() not in threads


@pytest.mark.task("prefetched")
def test_an_error_of_the_source_is_raised_where_it_would_have_been():
    """Two good batches, then the error: a thread that dies silently would hang the training."""

    def source():
        yield from (1, 2)
        raise OSError("the disk is gone")

    batches = prefetched(source(), depth=5)
    assert [next(batches), next(batches)] == [1, 2]
    with pytest.raises(OSError, match="the disk is gone"):
        next(batches)


@pytest.mark.task("prefetched")
def test_no_thread_is_left_when_the_consumer_leaves_early():
    """After a break, the thread must not go on, nor wait for ever for room in a full queue."""
    before, made = threading.active_count(), []
    batches = prefetched((made.append(n) or n for n in range(10**9)), depth=2)
    next(batches)
    batches.close()
    assert threading.active_count() == before
    count = len(made)
    time.sleep(0.02)
    assert len(made) == count


@pytest.mark.task("Normalize.__call__")
def test_each_channel_is_shifted_and_scaled_by_its_own_numbers():
    """(x - mean[c]) / std[c], where the layout says which axis the channels are."""
    x = np.array([[[[1.0]], [[10.0]]]], np.float32)
    first = Normalize([1.0, 4.0], [2.0, 3.0], layout="NCHW")(from_numpy(x))
    assert (first.tolist(), first.dtype) == ([[[[0.0]], [[2.0]]]], np.float32)
    last = Normalize([1.0, 4.0], [2.0, 3.0], layout="NHWC")(from_numpy(x.transpose(0, 2, 3, 1)))
    assert last.tolist() == [[[[0.0, 2.0]]]]


@pytest.mark.task("Normalize.__call__")
def test_a_batch_that_cannot_be_normalized_is_refused():
    """Bytes must become floats first, and each channel needs its mean."""
    normalize = Normalize([0.5], [0.5], layout="NC")
    assert normalize(Tensor([[1.0]])).tolist() == [[1.0]]
    with pytest.raises(TypeError, match="floats"):
        normalize(Tensor([[1]]))
    with pytest.raises(ValueError, match="channels"):
        normalize(Tensor([[1.0, 2.0]]))


@pytest.mark.task("RandomCrop.__call__")
def test_images_are_mirrored_along_w_each_by_its_own_draw():
    """Where the draw is below p, columns run backwards; rows and channels stay."""
    x = np.arange(24, dtype=np.int64).reshape(4, 2, 3)
    rng = np.random.default_rng(5)
    flipped = rng.random(4) < 0.5
    got = RandomHorizontalFlip(0.5, layout="NHW", generator=np.random.default_rng(5))(from_numpy(x))
    expected = [image[:, ::-1] if flip else image for image, flip in zip(x, flipped, strict=True)]
    assert got.tolist() == np.array(expected).tolist()
    assert x.ravel().tolist() == list(range(24))


@pytest.mark.task("RandomCrop.__call__")
@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_a_crop_is_a_window_at_the_place_that_was_drawn(layout):
    """All tops are drawn first, then all lefts; outside of the image there are zeros."""
    x = np.arange(2 * 3 * 5 * 6).reshape(2, 3, 5, 6) + 1
    rng = np.random.default_rng(6)
    top, left = rng.integers(0, 4, 2), rng.integers(0, 4, 2)  # 7 - 4 + 1 and 8 - 5 + 1 places
    around = np.pad(x, [(0, 0), (0, 0), (1, 1), (1, 1)])
    windows = [around[n, :, top[n] : top[n] + 4, left[n] : left[n] + 5] for n in range(2)]
    turn = (0, 1, 2, 3) if layout == "NCHW" else (0, 2, 3, 1)
    crop = RandomCrop((4, 5), padding=1, layout=layout, generator=np.random.default_rng(6))
    got = crop(from_numpy(x.transpose(turn)))
    assert got.tolist() == np.array(windows).transpose(turn).tolist()


@pytest.mark.task("RandomCrop.__call__")
def test_a_window_that_does_not_fit_is_refused():
    """With one zero on each side a 2 x 2 image is 4 x 4: a window of 4 fits, one of 5 does not."""
    x = from_numpy(np.ones((1, 2, 2)))
    assert RandomCrop(4, padding=1, layout="NHW")(x).shape == (1, 4, 4)
    with pytest.raises(ValueError, match="does not fit"):
        RandomCrop(5, padding=1, layout="NHW")(x)


def idx(array, code):
    """Return the bytes of an array in the IDX format."""
    head = bytes([0, 0, code, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return head + array.astype(array.dtype.newbyteorder(">")).tobytes()


@pytest.mark.task("read_idx")
def test_idx_files_are_read_zipped_or_not_from_a_path_or_an_open_file(tmp_path):
    """The array has the sizes in the file, and this machine's byte order."""
    x = np.arange(6, dtype=np.uint8).reshape(3, 2)
    (tmp_path / "x-idx2-ubyte.gz").write_bytes(gzip.compress(idx(x, 8)))
    for source in (idx(x, 8), io.BytesIO(idx(x, 8)), tmp_path / "x-idx2-ubyte.gz"):
        assert read_idx(source).tolist() == x.tolist()
    y = np.array([-1, 2**20, 7], np.int32)
    assert (read_idx(idx(y, 12)).tolist(), read_idx(idx(y, 12)).dtype) == (y.tolist(), np.int32)


@pytest.mark.task("read_idx")
@pytest.mark.parametrize(
    "spoil",
    [lambda b: b[:-1], lambda b: b + b"\0", lambda b: b"\x01" + b[1:], lambda b: b[:6]],
    ids=["cut off", "too long", "another format", "half a head"],
)
def test_a_damaged_idx_file_is_refused(spoil):
    """Half a download must not train half a model."""
    good = idx(np.arange(6, dtype=np.uint8).reshape(3, 2), 8)
    assert read_idx(good).shape == (3, 2)
    with pytest.raises(ValueError):
        read_idx(spoil(good))


@pytest.mark.task("read_cifar10")
def test_cifar10_is_a_label_and_three_planes_per_image():
    """1024 red bytes, then green, then blue, row by row: images are (N, 3, 32, 32)."""
    planes = np.arange(2 * 3072, dtype=np.uint32).astype(np.uint8).reshape(2, 3072)
    planes[:, 1024] = 99  # the first green one
    data = b"".join(bytes([n + 3]) + planes[n].tobytes() for n in range(2))
    images, labels = read_cifar10(io.BytesIO(data))
    assert (images.shape, images.dtype) == ((2, 3, 32, 32), np.uint8)
    assert (labels.tolist(), labels.dtype) == ([3, 4], np.int64)
    assert images[1, 1, 0, 0] == 99
    assert images[0, 0, 1, 5] == 37


@pytest.mark.task("read_cifar10")
@pytest.mark.parametrize("data", [b"", bytes(3072), bytes(3074), b"\x0a" + bytes(3072)], ids=len)
def test_what_is_no_cifar10_is_refused(data):
    """Every image is 3073 bytes, and there are ten classes, 0 to 9."""
    assert read_cifar10(bytes(3073))[1].tolist() == [0]
    with pytest.raises(ValueError):
        read_cifar10(data)
