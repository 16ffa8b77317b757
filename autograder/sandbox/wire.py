"""Frames between the trusted side and a worker: a JSON header, then the raw bytes of the arrays.

A frame is magic (4 bytes) | header length (u32) | header | arrays in order of appearance. In the
header a dict is {"dict": {…}} and an array {"array": [dtype, shape]}; None, bool, int, float, str
and list are themselves, and nothing else exists: no pickle, no bytes, no objects. NaN and infinity
may travel; whether they count is for the reader to say.

The decoder believes nothing: each number is checked before anything is allocated.
"""

from __future__ import annotations

import json
import math
import struct
from typing import Any

import numpy as np

HEAD = struct.Struct("<4sI")
MAGIC = b"TTW1"
MAX_HEADER = 1 << 20
MAX_ARRAYS = 1000
MAX_DEPTH = 24
MAX_DIMENSIONS = 16
MAX_DIGITS = 40
MAX_BUFFERS = 512  # of one call to the kernel, which takes 1024
DTYPES = {
    str(dtype): dtype
    for dtype in map(np.dtype, ("bool i1 i2 i4 i8 u1 u2 u4 u8 f2 f4 f8").split())
    if dtype.isnative
}
NAMES = {dtype: name for name, dtype in DTYPES.items()}  # no dtype of the other byte order is here


class ProtocolError(Exception):
    """Bytes that are not a frame, or a value that cannot travel in one."""


class TooDeep(ValueError):
    """A value that nests deeper than MAX_DEPTH, or holds itself."""


def encode(value: dict[str, Any]) -> list[memoryview]:
    """Return the buffers of a frame that holds `value`.

    Raises TypeError for a value that is not in the grammar, ValueError for one that is too large,
    TooDeep among them.
    """
    arrays: list[np.ndarray] = []
    header = json.dumps(_pack(value, arrays, 0), separators=(",", ":")).encode()
    if len(header) > MAX_HEADER:
        raise ValueError("too many Python values in one answer; return one NumPy array instead")
    head = HEAD.pack(MAGIC, len(header)) + header
    return [memoryview(head), *(buffer(array) for array in arrays if array.nbytes)]


def snapshot(value: Any, depth: int = 0) -> Any:
    """Return a copy of a value that can travel, which later changes do not reach.

    Raises TooDeep, before Python's stack or the memory ends.
    """
    _require_shallow(depth)
    if isinstance(value, np.ndarray):
        return np.array(value, order="C")
    if isinstance(value, (list, tuple)):
        return [snapshot(item, depth + 1) for item in value]
    if isinstance(value, dict):
        return {key: snapshot(item, depth + 1) for key, item in value.items()}
    return value


def rest(frame: list[memoryview], sent: int) -> list[memoryview]:
    """Return what is left of the buffers of a frame after their first `sent` bytes."""
    left = []
    for view in frame:
        if sent < len(view):
            left.append(view[sent:])
        sent = max(0, sent - len(view))
    return left


def header_length(head: bytes) -> int:
    """Return the length of the header that `head` announces."""
    magic, length = HEAD.unpack(head)
    if magic != MAGIC:
        raise ProtocolError("a frame does not begin with the magic bytes")
    if length > MAX_HEADER:
        raise ProtocolError(f"a header of {length} bytes, expected at most {MAX_HEADER}")
    return length


def decode(header: bytes, max_bytes: int) -> tuple[dict[str, Any], list[np.ndarray]]:
    """Return the value of a header and the arrays within it, to be filled by the reader in order.

    All arrays together take at most `max_bytes`.
    """
    try:
        tree = json.loads(header.decode("utf-8"), parse_int=_integer)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"the header is not JSON: {type(error).__name__}") from None
    decoder = _Decoder(max_bytes)
    value = decoder.value(tree)
    if not isinstance(value, dict):
        raise ProtocolError("the header is not a dict")
    return value, decoder.arrays


def require_sound(array: np.ndarray) -> None:
    """Refuse a boolean array that holds other bytes than 0 and 1: NumPy's answers would be odd."""
    if array.dtype == np.bool_ and array.size and array.view(np.uint8).max() > 1:
        raise ProtocolError("a boolean array holds a byte that is neither 0 nor 1")


def buffer(array: np.ndarray) -> memoryview:
    """Return the bytes of a contiguous array, without a copy."""
    return memoryview(array.reshape(-1).view(np.uint8))


def _require_shallow(depth: int) -> None:
    if depth > MAX_DEPTH:
        raise TooDeep(f"an answer may nest {MAX_DEPTH} levels, this one goes deeper")


def _pack(value: Any, arrays: list[np.ndarray], depth: int) -> Any:
    _require_shallow(depth)
    if isinstance(value, (np.ndarray, np.generic)):
        return {"array": _pack_array(np.asarray(value), arrays)}
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return _pack_integer(int(value))
    if isinstance(value, float):
        return float(value)
    if isinstance(value, str):
        return str(value).encode("utf-8", "backslashreplace").decode()
    if isinstance(value, (list, tuple)):
        return [_pack(item, arrays, depth + 1) for item in value]
    if isinstance(value, dict):
        return {"dict": {_key(k): _pack(v, arrays, depth + 1) for k, v in value.items()}}
    raise TypeError(f"an answer holds a {type(value).__name__}; {_GRAMMAR}")


_GRAMMAR = "expected None, bool, int, float, str, NumPy arrays, or lists and dicts of them"


def _pack_array(array: np.ndarray, arrays: list[np.ndarray]) -> list[Any]:
    name = NAMES.get(array.dtype)
    if name is None:
        raise TypeError(f"an answer holds an array of {array.dtype}; expected {', '.join(DTYPES)}")
    if array.ndim > MAX_DIMENSIONS:
        raise ValueError(f"an array has {array.ndim} dimensions, at most {MAX_DIMENSIONS} travel")
    if len(arrays) >= MAX_ARRAYS:
        raise ValueError(f"an answer holds more than {MAX_ARRAYS} arrays; return one larger array")
    shape = list(array.shape)
    arrays.append(np.ascontiguousarray(array))
    return [name, shape]


def _pack_integer(value: int) -> int:
    if value.bit_length() > 128:
        raise ValueError("an answer holds an integer of more than 128 bits")
    return value


def _key(key: Any) -> str:
    if not isinstance(key, str):
        raise TypeError(f"an answer holds a dict with the key type {type(key).__name__}, not str")
    return str(key)


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ProtocolError(f"an integer of {len(digits)} digits")
    return int(digits)


class _Decoder:
    """Turns a parsed header into a value, within a budget of bytes for arrays."""

    def __init__(self, room: int):
        self.room, self.arrays = room, []

    def value(self, tree: Any, depth: int = 0) -> Any:
        if depth > 2 * MAX_DEPTH:
            raise ProtocolError("the header nests too deep")
        if isinstance(tree, str):
            return _text(tree)
        if isinstance(tree, list):
            return [self.value(item, depth + 1) for item in tree]
        if isinstance(tree, dict):
            return self._tagged(tree, depth)
        return tree

    def _tagged(self, tree: dict[str, Any], depth: int) -> Any:
        if len(tree) == 1:
            match tree:
                case {"dict": dict(items)}:
                    return {_text(k): self.value(v, depth + 1) for k, v in items.items()}
                case {"array": [str(name), list(shape)]}:
                    return self._array(name, shape)
        raise ProtocolError("an object that is neither a dict nor an array")

    def _array(self, name: str, shape: list[Any]) -> np.ndarray:
        if len(self.arrays) >= MAX_ARRAYS:
            raise ProtocolError(f"more than {MAX_ARRAYS} arrays")
        if name not in DTYPES:
            raise ProtocolError("an array of a dtype that is not in the grammar")
        if len(shape) > MAX_DIMENSIONS or not all(type(n) is int and n >= 0 for n in shape):
            raise ProtocolError("an array whose shape is not a short list of lengths")
        # An empty axis counts as one, or (0, 2**62) would pass here and overflow inside NumPy.
        if math.prod(n or 1 for n in shape) * DTYPES[name].itemsize > self.room:
            raise ProtocolError("arrays of more bytes than the bound on an answer")
        self.arrays.append(np.empty(shape, DTYPES[name]))
        self.room -= self.arrays[-1].nbytes
        return self.arrays[-1]


def _text(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ProtocolError("a text with half a surrogate pair") from None
    return text
