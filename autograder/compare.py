"""Decide whether a student's answer is the reference's: structure, dtype, shape and values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np


class Disagreement(AssertionError):
    """The answer is not the expected one; the message is for staff and for shown checks."""


def plain(value: Any) -> Any:
    """Return `value` as the wire knows it: tuples become lists, NumPy scalars 0-d arrays.

    Example: (1, np.float32(2)) -> [1, array(2., dtype=float32)]
    """
    if isinstance(value, np.generic):
        return np.asarray(value)
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value


def require_finite(value: Any, at: str = "result") -> None:
    """Refuse a NaN or an infinity anywhere in `value`."""
    if isinstance(value, np.ndarray) and value.dtype.kind in "fc":
        if not np.isfinite(value).all():
            raise Disagreement(f"{at}: expected finite numbers, got {brief(value)}")
    elif isinstance(value, float) and not math.isfinite(value):
        raise Disagreement(f"{at}: expected a finite number, got {value}")
    else:
        for where, item in _items(value, at):
            require_finite(item, where)


def require_same(got: Any, want: Any, *, rtol: float, atol: float, at: str = "result") -> None:
    """Raise `Disagreement` unless `got` equals `want` within |got - want| <= atol + rtol·|want|."""
    if type(got) is not type(want):
        raise Disagreement(f"{at}: expected {_kind(want)}, got {_kind(got)}")
    if isinstance(want, np.ndarray):
        _require_same_array(got, want, rtol, atol, at)
    elif isinstance(want, float):
        if not np.isclose(got, want, rtol=rtol, atol=atol, equal_nan=True):
            raise Disagreement(f"{at}: expected {want!r}, got {got!r}")
    elif isinstance(want, (list, dict)):
        _require_same_items(got, want, rtol, atol, at)
    elif got != want:
        raise Disagreement(f"{at}: expected {want!r}, got {brief(got)}")


def _require_same_array(got, want, rtol, atol, at):
    if got.dtype != want.dtype:
        raise Disagreement(f"{at}: expected dtype {want.dtype}, got {got.dtype}")
    if got.shape != want.shape:
        raise Disagreement(f"{at}: expected shape {want.shape}, got {got.shape}")
    right = got == want
    if not right.all() and want.dtype.kind in "fc":  # mostly equal to the bit, and isclose is slow
        right = np.isclose(got, want, rtol=rtol, atol=atol, equal_nan=True)
    if not right.all():
        first = tuple(int(i) for i in np.argwhere(~right)[0])
        where = f"{at}[{', '.join(map(str, first))}]" if first else at
        raise Disagreement(
            f"{where}: expected {want[first]}, got {got[first]} "
            f"({np.count_nonzero(~right)} of {right.size} values differ)"
        )


def _require_same_items(got, want, rtol, atol, at):
    if isinstance(want, dict) and got.keys() != want.keys():
        keys = ", ".join(brief(key) for key in sorted(got)[:10])
        raise Disagreement(f"{at}: expected the keys {sorted(want)}, got {keys}")
    if len(got) != len(want):
        raise Disagreement(f"{at}: expected {len(want)} values, got {len(got)}")
    for (where, one), (_, other) in zip(_items(got, at), _items(want, at), strict=True):
        require_same(one, other, rtol=rtol, atol=atol, at=where)


def _items(value: Any, at: str) -> Sequence[tuple[str, Any]]:
    if isinstance(value, dict):
        return [(f"{at}[{key!r}]", value[key]) for key in sorted(value)]
    if isinstance(value, list):
        return [(f"{at}[{i}]", item) for i, item in enumerate(value)]
    return ()


def identical(one: Any, other: Any) -> bool:
    """Tell whether two values of the wire are the same to the bit."""
    if type(one) is not type(other):
        return False
    if isinstance(one, np.ndarray):
        same = one.dtype == other.dtype and one.shape == other.shape
        return same and one.tobytes() == other.tobytes()
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(identical, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(identical(one[key], other[key]) for key in one)
    return one == other


def _kind(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"an array of {value.dtype}, shape {value.shape}"
    return f"{type(value).__name__} {brief(value)}"


def brief(value: Any) -> str:
    """Return `value` in at most 80 characters, at a cost that does not depend on its size."""
    if isinstance(value, (list, dict)):
        return f"of {len(value)} values"
    if isinstance(value, np.ndarray):
        text = np.array2string(value, threshold=20, edgeitems=2)
    else:
        text = repr(value[:80] if isinstance(value, str) else value)
    text = " ".join(text.split())
    return text if len(text) <= 80 else text[:77] + "..."
