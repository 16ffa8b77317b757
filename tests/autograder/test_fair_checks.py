"""Where a hidden check asks how a result is made, all right ways pass, in whatever style."""

import numpy as np
import pytest

from assignments.catalog import load_course
from autograder.suite import load_suite
from tinytorch import compression, quantization


def by(a_part, b_part, product):
    """An int_matmul in parts: how they are taken of a and b, and how they are multiplied."""

    def int_matmul(a, b):
        total = np.zeros((a.shape[0], b.shape[1]), np.int32)
        for n in range(0, b.shape[1], 100):
            for k in range(0, a.shape[1], 1000):
                left, right = a_part(a[:, k : k + 1000]), b_part(b[k : k + 1000, n : n + 100])
                total[:, n : n + 100] += product(left, right).astype(np.int32)
        return total

    return int_matmul


def cast(dtype):
    """Change the dtype by a method."""
    return lambda x: x.astype(dtype)


def made(dtype, how):
    """Change the dtype by one of NumPy's functions, of the module that is under test."""
    return lambda x: getattr(quantization.np, how)(x, dtype=dtype)


def filled(x):
    """Write into a new array of float32."""
    new = np.empty(x.shape, np.float32)
    new[...] = x
    return new


def into(a, b):
    """A product with memory to write to."""
    return np.matmul(a, b, out=np.empty((len(a), b.shape[1]), np.float32))


def einsum(a, b):
    """A product by letters."""
    return np.einsum("mk,kn->mn", a, b)


RIGHT = {
    "astype": by(cast(np.float32), cast("f4"), np.matmul),
    "np.array": by(made(np.float32, "array"), made(np.float32, "asarray"), np.dot),
    "contiguous": by(made(np.float32, "ascontiguousarray"), cast(np.float32), into),
    "filled": by(filled, filled, einsum),
    "one of both": by(cast(np.float32), lambda x: x, np.matmul),
}
WRONG = {
    "int32": by(made(np.int32, "array"), made(np.int32, "asarray"), np.matmul),
    "float64": by(cast(float), cast(float), np.matmul),
    "einsum": by(cast(np.int32), cast(np.int32), einsum),
    "dot": by(cast(np.int32), cast(np.int32), np.dot),
    "sums": by(cast(int), cast(int), lambda a, b: (a[:, :, None] * b).sum(axis=1)),
    "whole": lambda a, b: RIGHT["astype"](a, b.astype(np.float32)),
    "whole, by np.array": lambda a, b: RIGHT["astype"](a, np.array(b, np.float32)),
}


def probes_of(module):
    """The probes of a module's hidden checks, by name."""
    (assignment,) = (one for one in load_course().assignments if one.id == module)
    return load_suite(assignment).probes


@pytest.mark.parametrize("name", [*RIGHT, *WRONG])
def test_products_of_integers_are_seen_to_be_float32_and_made_in_parts(monkeypatch, name):
    """Copies by methods, by functions and by assignment; products by operators and functions."""
    probes = probes_of("15_quantization")
    monkeypatch.setattr("tinytorch.int_matmul", (RIGHT | WRONG)[name])
    rng = np.random.default_rng(0)
    a, b = (rng.integers(-128, 128, shape).astype(np.int8) for shape in ((3, 1100), (1100, 150)))
    result, dtypes = probes["multiplied_in"](a, b)
    _, small = probes["largest_array"](2, 950, 2000)
    np.testing.assert_array_equal(result, a.astype(int) @ b)
    assert (dtypes == [] and small) == (name in RIGHT), (dtypes, small)


def by_output(x, values, columns, starts, bias):
    """A sparse product, one output after the other."""
    y = np.zeros((len(x), len(starts) - 1))
    for number, (start, end) in enumerate(zip(starts, starts[1:], strict=False)):
        y[:, number] = x[:, columns[start:end]] @ values[start:end]
    return y


def by_row(x, values, columns, starts, bias):
    """A sparse product, one row of x after the other."""
    return np.array([np.add.reduceat(row[columns] * values, starts[:-1]) for row in x])


def at_once(x, values, columns, starts, bias):
    """A sparse product with every product in memory."""
    return np.add.reduceat(x[:, columns] * values, starts[:-1], axis=1)


@pytest.mark.parametrize("way", [by_output, by_row, at_once])
def test_a_sparse_product_may_go_by_rows_or_outputs_and_not_all_at_once(monkeypatch, way):
    """Whatever keeps a part of the products in memory is right."""
    rng = np.random.default_rng(0)
    monkeypatch.setattr(compression, "sparse_linear_array", way)
    starts, columns = np.arange(0, 3001, 50), np.tile(np.arange(50), 60)
    x, values = rng.normal(0, 1, (300, 50)), rng.normal(0, 1, 3000)
    np.testing.assert_allclose(way(x, values, columns, starts, None), x @ values.reshape(60, 50).T)
    small = probes_of("16_compression")["sparse_peak"](x, values, columns, starts)
    assert small == (way is not at_once)
