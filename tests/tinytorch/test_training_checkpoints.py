"""What `save` wrote comes back the same, and nothing else is taken for a checkpoint."""

import io
import os
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tinytorch.tensor import Tensor, default_generator
from tinytorch.training import load, pack, save, unpack

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**130), 2**130),
    st.floats(allow_nan=False),
    st.text(max_size=5),
)
arrays = hnp.arrays(
    st.sampled_from("f2 f4 f8 >f4 i1 i8 u1 ? c8".split()),
    hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3),
)
tensors = hnp.arrays("f4", hnp.array_shapes(max_side=3)).map(Tensor)
keys = st.one_of(st.text(max_size=5), st.integers(-5, 2**70), st.booleans(), st.none())
values = st.recursive(
    st.one_of(scalars, arrays, tensors),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(keys, inner, max_size=3),
    ),
    max_leaves=12,
)


def same(a, b):
    """The same types, and the same bits."""
    assert type(a) is type(b)
    if isinstance(a, Tensor):
        return same(a.data, b.data)
    if isinstance(a, np.ndarray):
        assert (a.dtype, a.shape) == (b.dtype, b.shape)
        assert a.tobytes() == b.tobytes()
    elif isinstance(a, dict):
        assert list(a) == list(b)
        assert list(map(type, a)) == list(map(type, b))
        for one, other in zip(a.values(), b.values(), strict=True):
            same(one, other)
    elif isinstance(a, list | tuple):
        assert len(a) == len(b)
        for one, other in zip(a, b, strict=True):
            same(one, other)
    else:
        assert a == b


def written(**state):
    """The bytes of a checkpoint."""
    file = io.BytesIO()
    save(file, **state)
    return file.getvalue()


@settings(deadline=None, max_examples=200)
@given(st.dictionaries(st.text(max_size=5), values, max_size=4))
def test_whatever_goes_in_comes_out(state):
    """Types, dtypes, shapes, keys, their order and every bit."""
    same(load(io.BytesIO(written(**state))), state)


def test_names_of_arguments_are_free():
    """A state may have the names that `save` itself and NumPy use."""
    state = {"file": 1, "self": 2, "state": 3, "arr_0": np.arange(2), "tree": [4], "": 5}
    same(load(io.BytesIO(written(**state))), state)


def test_not_a_number_and_infinity_come_back():
    """A history may hold them."""
    found = load(io.BytesIO(written(losses=[float("nan"), float("inf"), -float("inf")])))["losses"]
    assert np.isnan(found[0])
    assert found[1:] == [np.inf, -np.inf]


def test_views_and_numpy_scalars_are_written_as_arrays():
    """What counts is their numbers."""
    x = np.arange(12.0).reshape(3, 4)
    found = load(io.BytesIO(written(view=x.T[::2], scalar=np.int64(7), flag=np.bool_(True))))
    np.testing.assert_array_equal(found["view"], x.T[::2])
    assert found["scalar"].shape == () and found["scalar"] == 7
    assert found["flag"].dtype == bool


def test_a_generator_goes_on_where_its_state_was_saved():
    """Its state has integers of 128 bits."""
    generator = default_generator()
    data = written(state=generator.bit_generator.state)
    expected = generator.random(4)
    generator.bit_generator.state = load(io.BytesIO(data))["state"]
    np.testing.assert_array_equal(generator.random(4), expected)


def test_the_same_state_gives_the_same_bytes():
    """A checksum of a checkpoint means something."""
    assert written(w=np.ones(3), n=1) == written(w=np.ones(3), n=1)


def test_pack_and_unpack_agree_on_every_kind():
    """The table of kinds, in full."""
    kept = []
    value = [1, (2, None), {"a": np.array([1.0]), 0: Tensor([2.0])}]
    tree = pack(value, kept)
    assert tree == [1, {"tuple": [2, None]}, {"dict": [["a", {"array": 0}], [0, {"tensor": 1}]]}]
    assert kept[0] is value[2]["a"] and kept[1] is value[2][0].data
    same(unpack(tree, kept), value)


@pytest.mark.parametrize(
    "value",
    [
        {1, 2},
        object(),
        np.array([object()]),
        np.array(["a"]),
        b"bytes",
        {(1, 2): 3},
        1j,
        range(3),
        [len],
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_a_checkpoint_cannot_hold_is_refused(value, tmp_path):
    """Before anything is written, and in one line."""
    with pytest.raises(TypeError, match="^save: expected numbers, texts, and .*[^\n]$"):
        save(tmp_path / "a.npz", value=value)
    assert list(tmp_path.iterdir()) == []


def test_a_path_is_written_as_it_is_called(tmp_path):
    """No ending is added, a str will do, and NumPy can read the arrays."""
    for path in (tmp_path / "run", str(tmp_path / "run.npz")):
        save(path, weight=np.arange(3))
        assert load(path)["weight"].tolist() == [0, 1, 2]
        assert np.load(path)["arr_0"].tolist() == [0, 1, 2]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run", "run.npz"]


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_a_save_that_fails_leaves_the_old_file_alone(tmp_path, monkeypatch, error):
    """And no half a file beside it."""
    path = tmp_path / "run.npz"
    save(path, n=1)

    def fail(*_):
        raise error

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(type(error)):
        save(path, n=2)
    assert load(path) == {"n": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_is_not_there_is_said_to_be_missing(tmp_path):
    """It is no damaged checkpoint."""
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "run.npz")
    with pytest.raises(FileNotFoundError):
        save(tmp_path / "no" / "run.npz", n=1)
    with pytest.raises(OSError):
        save(tmp_path, n=1)
    assert list(tmp_path.parent.glob("*.part")) == []


def archive(compress=False, **members):
    """The bytes of a .npz file made by hand."""
    file = io.BytesIO()
    (np.savez_compressed if compress else np.savez)(file, **members)
    return file.getvalue()


def text(json):
    return np.frombuffer(json.encode(), np.uint8)


def with_member(name, content):
    """A checkpoint with one more member, or one of the same name."""
    file = io.BytesIO(archive(state=text('{"dict": []}')))
    with zipfile.ZipFile(file, "a") as members:
        members.writestr(name, content)
    return file.getvalue()


class Trap:
    """Unpickled, it would run code."""

    def __reduce__(self):
        return (pytest.fail, ("code of a checkpoint was run",))


HUGE = b"\x93NUMPY\x01\x00v\x00{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999,), }"
HOSTILE = {
    "nothing": b"",
    "text": b"not a checkpoint\n",
    "array": b"\x93NUMPY\x01\x00 \x00" + b" " * 32,
    "pickle": b"\x80\x04N.",
    "half": written(w=np.arange(99))[:300],
    "no state": archive(w=np.ones(2)),
    "state alone is missing": archive(arr_0=np.ones(2)),
    "state is no json": archive(state=text("{")),
    "state is no dict": archive(state=text("[1]")),
    "state is a number": archive(state=text("7")),
    "state is no text": archive(state=np.ones(3)),
    "state is not utf-8": archive(state=np.full(3, 255, np.uint8)),
    "a plain dict": archive(state=text('{"a": 1, "b": 2}')),
    "an unknown kind": archive(state=text('{"dict": [["a", {"code": "boom"}]]}')),
    "two kinds": archive(state=text('{"dict": [], "tuple": []}')),
    "no such array": archive(state=text('{"dict": [["a", {"array": 0}]]}')),
    "a text for an index": archive(state=text('{"dict": [["a", {"array": "x"}]]}'), arr_0=[1]),
    "a list for a key": archive(state=text('{"dict": [[[], 1]]}')),
    "a number for a key": archive(state=text('{"dict": [[0, 1]]}')),
    "an item too many": archive(state=text('{"dict": [["a", 1, 2]]}')),
    "a text for a dict": archive(state=text('{"dict": "abc"}')),
    "a number for a tuple": archive(state=text('{"dict": [["a", {"tuple": 3}]]}')),
    "a deep nest": archive(state=text("[" * 100_000)),
    "an endless integer": archive(state=text("1" * 100_000)),
    "a pickled array": archive(state=text('{"dict": []}'), arr_0=np.array([Trap()])),
    "texts": archive(state=text('{"dict": [["a", {"array": 0}]]}'), arr_0=np.array(["a"])),
    "compressed": archive(True, state=text('{"dict": []}')),
    "another member": with_member("readme.txt", "hello"),
    "a huge array": with_member("arr_0.npy", HUGE.ljust(128) + b"\n"),
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_a_file_that_is_no_checkpoint_is_refused_in_one_line(data, tmp_path):
    """Whatever it holds: no code of it runs, and no reader's own error comes out."""
    path = tmp_path / "run.npz"
    path.write_bytes(data)
    for source, name in ((path, "run.npz"), (io.BytesIO(data), "")):
        with pytest.raises(ValueError, match="^load: .* is no whole checkpoint") as refusal:
            load(source)
        assert name in str(refusal.value)
        assert "\n" not in str(refusal.value)
        assert refusal.value.__suppress_context__


def test_every_damaged_byte_is_noticed_or_harmless():
    """Each member has a checksum: what is read is what was written, or nothing."""
    state = {"w": np.arange(5, dtype=np.float32), "n": [1, "two"]}
    data = written(**state)
    refused = 0
    for place in range(len(data)):
        damaged = bytearray(data)
        damaged[place] ^= 0x55
        try:
            found = load(io.BytesIO(damaged))
        except ValueError as error:
            assert str(error).startswith("load: ")
            refused += 1
        else:
            same(found, state)
    assert refused > len(data) / 2


def test_every_shorter_file_is_refused():
    """A copy that broke off is no checkpoint."""
    data = written(w=np.arange(5, dtype=np.float32), n=[1, "two"])
    for length in range(len(data)):
        with pytest.raises(ValueError, match="^load: "):
            load(io.BytesIO(data[:length]))
