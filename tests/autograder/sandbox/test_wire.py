"""Frames: what goes in comes out, and no bytes do more than be refused."""

from __future__ import annotations

import json
import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from autograder.sandbox import wire

ROOM = 1 << 20
arrays = npst.arrays(
    st.sampled_from(list(wire.DTYPES.values())), npst.array_shapes(min_dims=0, min_side=0)
)
texts = st.text(st.characters(codec="utf-8"))
leaves = (
    st.none()
    | st.booleans()
    | st.integers(-(2**127), 2**127)
    | st.floats(allow_nan=False)
    | texts
    | arrays
)
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4)
)


def read(data: bytes, room: int = ROOM) -> dict:
    """Decode a whole frame as a channel does, from one piece of bytes."""
    head, rest = data[: wire.HEAD.size], data[wire.HEAD.size :]
    length = wire.header_length(head)
    value, found = wire.decode(rest[:length], room)
    start = length
    for array in found:
        piece = rest[start : start + array.nbytes]
        if array.nbytes:
            wire.buffer(array)[: len(piece)] = piece
        start += array.nbytes
        wire.require_sound(array)
    return value


def header(tree: object) -> bytes:
    """Return a frame's header that says `tree`."""
    return json.dumps(tree).encode()


def message(**items: object) -> bytes:
    """Return a header that is well formed but for `items`."""
    return header({"dict": items})


def same(one: object, other: object) -> bool:
    """Compare values of the grammar, arrays by dtype, shape and bytes."""
    if isinstance(one, np.ndarray):
        return (one.dtype, one.shape, one.tobytes()) == (
            other.dtype,
            other.shape,
            other.tobytes(),
        )
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and one == other


@given(st.dictionaries(texts, values, max_size=4))
def test_a_value_survives_the_journey(value):
    """Every value of the grammar arrives with its type, dtype, shape and bits."""
    assert same(read(b"".join(wire.encode(value))), value)


def test_tuples_arrive_as_lists_and_numpy_scalars_as_arrays():
    """Tuples have no sign of their own on the wire; a NumPy scalar keeps its dtype."""
    value = read(b"".join(wire.encode({"v": (1, np.float32(2))})))["v"]
    assert value[0] == 1 and same(value[1], np.array(2, np.float32))


def test_nan_and_infinity_travel():
    """Whether they count is for the reader to say, so they must arrive."""
    value = read(b"".join(wire.encode({"v": [math.nan, math.inf, -math.inf]})))["v"]
    assert math.isnan(value[0]) and value[1:] == [math.inf, -math.inf]


def test_an_array_that_is_not_contiguous_travels():
    """A transposed or strided view arrives as the values one sees."""
    view = np.arange(12.0).reshape(3, 4).T[::2]
    assert np.array_equal(read(b"".join(wire.encode({"v": view})))["v"], view)


def test_arrays_arrive_writable():
    """A probe may change its inputs in place, as at home."""
    read(b"".join(wire.encode({"v": np.zeros(3)})))["v"][0] = 1


@pytest.mark.parametrize(
    "value",
    [
        object(),
        b"bytes",
        {1: 2},
        1j,
        {1, 2},
        np.array([None]),
        np.array(["text"]),
        np.array([1j]),
        np.zeros(2, ">f8"),
        np.zeros(2, "M8[s]"),
        np.longdouble(1),
    ],
    ids=lambda value: f"{type(value).__name__} {getattr(value, 'dtype', '')}".strip(),
)
def test_a_value_outside_the_grammar_is_refused_by_its_type(value):
    """Only plain values travel; everything else is a TypeError that says what may."""
    with pytest.raises(TypeError, match="an answer holds"):
        wire.encode({"v": value})


@pytest.mark.parametrize("value", [2**200, [0] * 600_000, np.zeros((1,) * 17)])
def test_a_value_that_is_too_large_is_refused(value):
    """An integer, a list or a shape beyond its bound is a ValueError."""
    with pytest.raises(ValueError):
        wire.encode({"v": value})


def test_a_list_that_holds_itself_is_refused():
    """A cycle ends at the bound on nesting, not in an endless walk."""
    cycle = []
    cycle.append(cycle)
    with pytest.raises(ValueError, match="nest"):
        wire.encode({"v": cycle})


MALFORMED = {
    "not json": b"{",
    "not utf-8": b"\xff",
    "two values": b"1 2",
    "a list at the top": b"[]",
    "a number at the top": b"1",
    "an unknown tag": header({"pickle": "x"}),
    "no tag": header({}),
    "two tags": header({"dict": {}, "array": ["int8", [1]]}),
    "a dict that is none": header({"dict": []}),
    "an object inside": message(v={"ndarray": ["int8", [1]]}),
    "an array without shape": message(v={"array": ["int8"]}),
    "a dtype that is none": message(v={"array": [3, [1]]}),
    "a dtype of objects": message(v={"array": ["object", [1]]}),
    "a dtype of text": message(v={"array": ["U8", [1]]}),
    "a dtype by its code": message(v={"array": ["|O", [1]]}),
    "a foreign byte order": message(v={"array": [">f8", [1]]}),
    "a complex dtype": message(v={"array": ["complex128", [1]]}),
    "a structured dtype": message(v={"array": ["i4,i4", [1]]}),
    "a negative length": message(v={"array": ["int8", [-1]]}),
    "a fraction of a length": message(v={"array": ["int8", [1.5]]}),
    "a truth for a length": message(v={"array": ["int8", [True]]}),
    "a text for a length": message(v={"array": ["int8", ["1"]]}),
    "more bytes than the bound": message(v={"array": ["int8", [ROOM + 1]]}),
    "more bytes in sum": message(v=[{"array": ["int8", [ROOM]]}, {"array": ["int8", [1]]}]),
    "a product that overflows": message(v={"array": ["int8", [2**32, 2**32]]}),
    "a huge empty array": message(v={"array": ["int8", [0, 2**62, 2**62]]}),
    "a huge length": message(v={"array": ["int8", [10**38]]}),
    "too many dimensions": message(v={"array": ["int8", [1] * 17]}),
    "a long integer": b'{"dict": {"v": 1' + b"0" * 5000 + b"}}",
    "half a surrogate pair": b'{"dict": {"v": "\\ud800"}}',
    "half a surrogate pair as key": b'{"dict": {"\\ud800": 1}}',
    "deep nesting": b'{"dict": {"v": ' + b"[" * 60 + b"]" * 60 + b"}}",
    "very deep nesting": b"[" * 500_000,
    "deep nesting of dicts": b'{"dict":{"v":' * 60 + b"1" + b"}}" * 60,
}


@pytest.mark.parametrize("malformed", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_header_is_a_protocol_error(malformed):
    """Nothing but ProtocolError comes of it, whatever the fault is."""
    with pytest.raises(wire.ProtocolError):
        wire.decode(malformed, ROOM)


def test_a_header_may_not_be_longer_than_its_bound():
    """The length is refused before a byte of the header is read."""
    with pytest.raises(wire.ProtocolError, match="4294967295"):
        wire.header_length(wire.HEAD.pack(wire.MAGIC, 2**32 - 1))


def test_a_frame_begins_with_the_magic_bytes():
    """Text that was printed into the pipe is not taken for a frame."""
    with pytest.raises(wire.ProtocolError, match="magic"):
        wire.header_length(b"hello, w")


def test_a_boolean_is_zero_or_one():
    """A third truth value would be equal to neither True nor False."""
    array = np.zeros(3, bool)
    array.view(np.uint8)[1] = 2
    with pytest.raises(wire.ProtocolError, match="boolean"):
        wire.require_sound(array)


def test_as_many_arrays_travel_as_the_bound_says():
    """A thousand arrays arrive."""
    many = {"v": [np.ones(1)] * wire.MAX_ARRAYS}
    assert len(read(b"".join(wire.encode(many)))["v"]) == 1000


@given(st.lists(st.binary(min_size=1, max_size=5), max_size=5), st.integers(0, 30))
def test_what_is_left_of_a_frame_is_what_was_not_sent(buffers, sent):
    """A pipe that is full takes a part, which may end within a buffer."""
    frame = [memoryview(buffer) for buffer in buffers]
    left = wire.rest(frame, sent)
    assert b"".join(left) == b"".join(buffers)[sent:]
    assert all(left)


def test_one_array_too_many_is_refused_on_either_side():
    """The student reads what to do; a worker that sends them all the same is not believed."""
    with pytest.raises(ValueError, match="more than 1000 arrays; return one larger array"):
        wire.encode({"v": [np.float64(1)] * 1001})
    with pytest.raises(wire.ProtocolError, match="more than 1000 arrays"):
        wire.decode(message(v=[{"array": ["int8", [0]]}] * 1001), ROOM)


@given(st.binary(max_size=200))
def test_random_bytes_are_refused(data):
    """Whatever the bytes are, the decoder returns a dict or raises ProtocolError."""
    with pytest.raises(wire.ProtocolError):
        wire.decode(data, ROOM)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["int8", "float64", "bool", "object"]),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.sampled_from(["dict", "array", "v"]) | st.text(), inner, max_size=3)
    | st.fixed_dictionaries({"dict": st.dictionaries(st.text(), inner, max_size=3)})
    | st.fixed_dictionaries({"array": st.tuples(inner, st.lists(inner | st.integers()))}),
    max_leaves=12,
)


@given(json_values)
def test_random_json_is_a_dict_or_refused(tree):
    """A header that is JSON decodes to a dict within its room, or is refused."""
    try:
        value, found = wire.decode(header(tree), ROOM)
    except wire.ProtocolError:
        return
    assert isinstance(value, dict) and sum(array.nbytes for array in found) <= ROOM


@given(st.dictionaries(texts, values, min_size=1, max_size=3), st.data())
def test_a_frame_with_one_byte_changed_is_a_value_or_refused(value, data):
    """No single damaged byte makes the reader do anything else."""
    frame = bytearray(b"".join(wire.encode(value)))
    place = data.draw(st.integers(0, len(frame) - 1))
    frame[place] = data.draw(st.integers(0, 255))
    try:
        assert isinstance(read(bytes(frame)), dict)
    except wire.ProtocolError:
        pass


@pytest.mark.parametrize("malformed", MALFORMED.values(), ids=MALFORMED)
def test_refusing_allocates_little(malformed):
    """A number in a header cannot make the trusted side allocate what it names."""
    tracemalloc.start()
    try:
        with pytest.raises(wire.ProtocolError):
            wire.decode(malformed, ROOM)
        assert tracemalloc.get_traced_memory()[1] < 4 * ROOM + 8 * len(malformed)
    finally:
        tracemalloc.stop()
