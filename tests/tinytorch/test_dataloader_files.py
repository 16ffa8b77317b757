"""Published files are read as they are, and damaged ones refused; transforms know their axes."""

import gzip
import hashlib
import io
import os
import re
import struct
import tarfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tinytorch.dataloader import (
    CIFAR10,
    IDX_DTYPES,
    MNIST,
    Compose,
    DataLoader,
    Normalize,
    RandomCrop,
    RandomHorizontalFlip,
    read_cifar10,
    read_idx,
)
from tinytorch.tensor import Tensor, from_numpy

REAL = os.environ.get("TINYTORCH_DATA")
real = pytest.mark.skipif(not REAL, reason="TINYTORCH_DATA is not set: the folder of real data")
CODES = {np.dtype(dtype): code for code, dtype in IDX_DTYPES.items()}


def idx(array):
    """The array as an IDX file."""
    big = array.astype(array.dtype.newbyteorder(">"))
    head = bytes([0, 0, CODES[big.dtype], big.ndim])
    return head + struct.pack(f">{big.ndim}I", *big.shape) + big.tobytes()


def digits(folder, *, zipped=True, images=5, labels=5):
    """A folder like MNIST's, with few images; returns them."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (images, 28, 28), np.uint8)
    y = rng.integers(0, 10, labels, np.uint8)
    for part in ("train", "t10k"):
        for name, array in (("images-idx3", x), ("labels-idx1", y)):
            data = idx(array)
            name = f"{part}-{name}-ubyte{'.gz' * zipped}"
            (folder / name).write_bytes(gzip.compress(data) if zipped else data)
    return x, y


def photographs(folder, names, n=4):
    """An archive like CIFAR-10's, with n images in each file; returns the records."""
    rng, made = np.random.default_rng(0), []
    with tarfile.open(folder / CIFAR10.ARCHIVE, "w:gz") as tar:
        for name in names:
            records = rng.integers(0, 256, (n, 3073), np.uint8)
            records[:, 0] %= 10
            info = tarfile.TarInfo(CIFAR10.FILES.format(name))
            info.size = records.size
            tar.addfile(info, io.BytesIO(records.tobytes()))
            made.append(records)
    return np.concatenate(made)


@given(
    st.sampled_from(sorted(IDX_DTYPES.values())).flatmap(
        lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, min_side=0, max_side=4))
    ),
    st.booleans(),
)
def test_what_was_written_is_read(array, zipped):
    """Every type, any number of axes, none of them among them; in this machine's byte order."""
    data = gzip.compress(idx(array)) if zipped else idx(array)
    got = read_idx(io.BytesIO(data))
    assert got.dtype == array.dtype.newbyteorder("=") and got.dtype.isnative
    np.testing.assert_array_equal(got, array)
    assert got.flags.writeable


def test_a_path_may_be_a_string_and_is_named_in_errors(tmp_path):
    """A student has many files: the message says which."""
    (tmp_path / "x.idx").write_bytes(idx(np.ones((2, 3), np.uint8)))
    assert read_idx(str(tmp_path / "x.idx")).shape == (2, 3)
    (tmp_path / "x.idx").write_bytes(b"not this")
    with pytest.raises(ValueError, match="^x.idx: "):
        read_idx(tmp_path / "x.idx")
    with pytest.raises(FileNotFoundError):
        read_idx(tmp_path / "y.idx")


GOOD = idx(np.arange(10, dtype=np.int16).reshape(2, 5))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (GOOD[:-1], "expected 32 bytes for shape (2, 5), came 31: download it again"),
        (GOOD + b"\0", "expected 32 bytes for shape (2, 5), came 33: download it again"),
        (GOOD[:9], "cut off in its first 12 bytes: download it again"),
        (b"", "expected the beginning of an IDX file, 00 00 and a type, came : take"),
        (b"\x89PNG" + GOOD, "00 00 and a type, came 89 50 4e 47: take an IDX file such as"),
        (b"\0\0\x0a" + GOOD[3:], "came 00 00 0a 02"),
        (gzip.compress(GOOD)[:-9], "damaged gzip data"),
        (gzip.compress(GOOD)[:-8] + bytes(8), "damaged gzip data"),
        (b"\x1f\x8b" + GOOD, "damaged gzip data"),
        (bytes([0, 0, 8, 4]) + b"\xff" * 16, "expected 340282366604025813516997721482669850645 by"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_damaged_idx_file_is_refused_with_what_was_expected_and_what_came(data, words):
    """One line, whatever the damage."""
    assert read_idx(GOOD).shape == (2, 5)
    with pytest.raises(ValueError, match=re.escape(words)) as refusal:
        read_idx(data)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("read", [read_idx, read_cifar10])
def test_the_checksum_is_of_the_file_or_of_what_is_in_it(read, zipped):
    """A zipped file may be known by either; any other sum is refused and both are named."""
    content = GOOD if read is read_idx else bytes(3073)
    data = gzip.compress(content) if zipped else content
    for known in {content, data}:
        read(data, sha256=hashlib.sha256(known).hexdigest())
    came = hashlib.sha256(data).hexdigest()
    with pytest.raises(ValueError, match=f"expected SHA-256 {'0' * 64}, came {came}: download"):
        read(data, sha256="0" * 64)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "expected images of 3073 bytes each, came 0 bytes"),
        (bytes(3072), "came 3072 bytes: download it again"),
        (bytes(3073 * 2 + 1), "came 6147 bytes"),
        (bytes(3073) + b"\x0b" + bytes(3072), "labels from 0 to 9, came 11 for image 1: take the"),
    ],
    ids=["none", "short", "long", "label"],
)
def test_what_is_no_cifar10_is_refused(data, words):
    """A size that is no multiple of an image's, or a label that is no class."""
    assert len(read_cifar10(bytes(3073 * 2))[1]) == 2
    with pytest.raises(ValueError, match=words):
        read_cifar10(data)


@pytest.mark.parametrize("n", [1, 2])
def test_images_of_cifar10_may_be_written_to(n):
    """They are memory of their own, also those of a single image, which lie in one piece."""
    assert read_cifar10(bytes(3073 * n))[0].flags.writeable


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("train", [True, False])
def test_mnist_is_kept_as_bytes_and_handed_out_as_floats(tmp_path, zipped, train):
    """Images (N, 1, 28, 28) from 0 to 1, labels int64; a transform sees the floats."""
    x, y = digits(tmp_path, zipped=zipped)
    data = MNIST(tmp_path, train, verify=False)
    (images, labels), *none = DataLoader(data, 9)
    assert (images.shape, images.dtype, labels.dtype) == ((5, 1, 28, 28), np.float32, np.int64)
    np.testing.assert_array_equal(images.data, (x[:, None] / 255).astype(np.float32))
    assert (labels.tolist(), none) == (y.tolist(), [])
    assert data.tensors[0].dtype == np.uint8
    normalize = Normalize([0.5], [0.5], layout="NCHW")
    image, _ = MNIST(tmp_path, train, transform=normalize, verify=False)[2]
    np.testing.assert_allclose(image.data, x[2][None] / 127.5 - 1, rtol=1e-6, atol=1e-6)


def test_mnist_says_what_is_missing_or_wrong(tmp_path):
    """No file: the command that fetches it. Another file: both checksums."""
    with pytest.raises(FileNotFoundError) as missing:
        MNIST(tmp_path)
    assert str(missing.value) == (
        f"MNIST: no train-images-idx3-ubyte.gz in {tmp_path}: "
        f"run python milestones/download.py mnist {tmp_path}"
    )
    digits(tmp_path)
    with pytest.raises(ValueError, match="train-images-idx3-ubyte.gz: expected SHA-256 ba891046"):
        MNIST(tmp_path)
    digits(tmp_path, labels=4)
    with pytest.raises(ValueError, match=r"one length, got \(5, 1, 28, 28\), \(4,\)"):
        MNIST(tmp_path, verify=False)


def test_cifar10_is_read_from_its_archive(tmp_path):
    """Five files to train with, one to test; red, green, blue planes."""
    records = photographs(tmp_path, [f"data_batch_{n}" for n in range(1, 6)])
    data = CIFAR10(tmp_path, verify=False)
    (images, labels), *_ = DataLoader(data, 50)
    expected = (records[:, 1:].reshape(-1, 3, 32, 32) / 255).astype(np.float32)
    np.testing.assert_array_equal(images.data, expected)
    assert labels.tolist() == records[:, 0].tolist()
    photographs(tmp_path, ["test_batch"], n=2)
    assert len(CIFAR10(tmp_path, train=False, verify=False)) == 2


def test_cifar10_says_what_is_missing_or_wrong(tmp_path):
    """No archive, another one, half of one, one without a file."""
    with pytest.raises(FileNotFoundError, match="run python milestones/download.py cifar10"):
        CIFAR10(tmp_path)
    photographs(tmp_path, ["data_batch_1"])
    with pytest.raises(ValueError, match="expected SHA-256 c4a38c50"):
        CIFAR10(tmp_path)
    with pytest.raises(ValueError, match="damaged archive .*data_batch_2.bin.* not found"):
        CIFAR10(tmp_path, verify=False)
    path = tmp_path / CIFAR10.ARCHIVE
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(ValueError, match="damaged gzip data"):
        CIFAR10(tmp_path, verify=False)
    path.write_bytes(gzip.compress(b"no archive"))
    with pytest.raises(ValueError, match="damaged archive"):
        CIFAR10(tmp_path, verify=False)


@real
def test_the_real_mnist_has_the_published_checksums_and_means():
    """60,000 and 10,000 images, with the mean 0.1307 and deviation 0.3081 that all use."""
    train, test = MNIST(REAL), MNIST(REAL, train=False)
    assert (len(train), len(test)) == (60_000, 10_000)
    pixels = train.tensors[0].data / np.float32(255)
    assert (round(float(pixels.mean()), 4), round(float(pixels.std()), 4)) == (0.1307, 0.3081)
    assert train.tensors[1].tolist()[:5] == [5, 0, 4, 1, 9]
    assert np.bincount(test.tensors[1].data).tolist()[:3] == [980, 1135, 1032]


@real
def test_real_photographs_are_read(tmp_path):
    """An archive with part of the real images: ten classes, and colours that differ."""
    (tmp_path / CIFAR10.ARCHIVE).symlink_to(Path(REAL).resolve() / "cifar-10-subset.tar.gz")
    with pytest.raises(ValueError, match="expected SHA-256 c4a38c50"):
        CIFAR10(tmp_path, train=False)
    data = CIFAR10(tmp_path, train=False, verify=False)
    images, labels = data.tensors
    assert set(labels.tolist()) == set(range(10))
    # Neighbouring pixels are alike, in rows as in columns, and other images are not.
    x = images.data.astype(float)
    apart = [abs(np.diff(x, axis=axis)).mean() for axis in (2, 3, 0)]
    assert max(apart[:2]) < apart[2] / 3


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: RandomHorizontalFlip(layout="NCH"), "with N and W, got 'NCH'"),
        (lambda: RandomHorizontalFlip(layout="CHW"), "such as 'NCHW'"),
        (lambda: RandomCrop(2, layout="NCW"), "with N and H and W"),
        (lambda: RandomCrop(2, layout="NHHW"), "got 'NHHW'"),
        (lambda: Normalize([0.0], [1.0], layout="NHW"), "with N and C"),
        (lambda: Normalize([0.0], [1.0], layout="NCHX"), "got 'NCHX'"),
        (lambda: Normalize([0.0], [0.0], layout="NC"), "one mean and one std > 0 per channel"),
        (lambda: Normalize([0.0], [1.0, 1.0], layout="NC"), "one mean and one std > 0"),
        (lambda: Normalize(0.0, 1.0, layout="NC"), "one mean and one std > 0"),
        (lambda: RandomHorizontalFlip(1.5, layout="NW"), "0 <= p <= 1, got 1.5"),
        (lambda: RandomCrop(9, layout="NHW")(Tensor([[[1]]])), r"\(9, 9\) does not fit"),
        (lambda: RandomCrop(1, layout="NHW")(Tensor([[1]])), r"axes NHW, got \(1, 1\)"),
        (lambda: RandomCrop(1, layout="NHW")(np.ones((1, 1, 1))), "axes NHW, got ndarray"),
    ],
)
def test_a_transform_that_cannot_be_right_is_refused(make, words):
    """The layout must name the axes that the transform needs, and be the batch's."""
    with pytest.raises(ValueError, match=words):
        make()


@pytest.mark.parametrize("make", [RandomHorizontalFlip, lambda **k: RandomCrop(3, 1, **k)])
def test_the_same_draws_do_the_same_in_every_layout(make):
    """Channels first or last: the pictures are the same pictures."""
    x = np.random.default_rng(0).integers(0, 256, (8, 3, 4, 5), np.uint8)
    first, last = (
        make(layout=layout, generator=np.random.default_rng(2))(from_numpy(x.transpose(turn)))
        for layout, turn in (("NCHW", (0, 1, 2, 3)), ("NHWC", (0, 2, 3, 1)))
    )
    np.testing.assert_array_equal(first.data, last.data.transpose(0, 3, 1, 2))
    assert first.data.flags.c_contiguous and last.data.flags.c_contiguous


def test_every_place_and_both_sides_are_drawn():
    """Of 400 images each of the 3 x 2 windows is taken by some, and about half are mirrored."""
    x = from_numpy(np.tile(np.arange(12.0).reshape(1, 4, 3), (400, 1, 1)))
    crops = RandomCrop(2, layout="NHW", generator=np.random.default_rng(0))(x)
    assert len(np.unique(crops.data[:, 0, 0])) == 6
    flips = RandomHorizontalFlip(layout="NHW", generator=np.random.default_rng(0))(x)
    assert 160 < (flips.data[:, 0, 0] == 2).sum() < 240


def test_transforms_follow_each_other():
    """Compose is the functions one after the other; of none, it changes nothing."""
    x = Tensor([[1.0], [2.0]])
    assert Compose([lambda x: x + 1, lambda x: x * 2])(x).tolist() == [[4], [6]]
    assert Compose([])(x) is x
