"""Rows are looked up and their gradients added up; places are told apart as the papers say."""

import doctest
from pathlib import Path

import numpy as np
import pytest

from tests.tinytorch.oracles.embeddings import IDS
from tinytorch import embeddings
from tinytorch.autograd import check_grads
from tinytorch.embeddings import (
    Embedding,
    LearnedPositionalEmbedding,
    RotaryEmbedding,
    embedding,
    rotate_array,
    scatter_add,
    sinusoidal_encoding,
)
from tinytorch.tensor import Tensor, from_numpy, manual_seed

pytestmark = pytest.mark.filterwarnings("error")

with np.load(Path(__file__).parent / "fixtures" / "embeddings.npz") as _file:
    FIXTURE = dict(_file)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("padding", [None, 1, -2])
def test_rows_and_their_gradients_are_pytorchs(padding, dtype):
    """Ids that come several times, and a padding row that is read but learns nothing."""
    weight = Tensor(FIXTURE["weight"].astype(dtype), requires_grad=True)
    y = embedding(Tensor(IDS), weight, padding)
    assert y.dtype == dtype
    np.testing.assert_array_equal(y.data, FIXTURE[f"y.{padding}"].astype(dtype))
    y.backward(FIXTURE["g"].astype(dtype))
    close = dict(rtol=1e-15, atol=1e-15) if dtype == np.float64 else dict(rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(weight.grad.data, FIXTURE[f"weight.grad.{padding}"], **close)


@pytest.mark.parametrize("shape", [(), (0,), (4,), (2, 3), (2, 0, 3), (2, 1, 2)])
@pytest.mark.parametrize("kind", [np.int64, np.int32, np.uint8, np.int8])
def test_ids_have_any_shape_and_any_kind_of_int(shape, kind):
    """A row more than 127 / 5 columns wide must not overflow the places of int8 ids."""
    rng = np.random.default_rng(1)
    ids, weight = rng.integers(0, 9, shape).astype(kind), rng.normal(0, 1, (9, 40))
    table = Tensor(weight, requires_grad=True)
    y = embedding(from_numpy(np.asarray(ids)), table)
    np.testing.assert_array_equal(y.data, weight[ids])
    g, want = rng.normal(0, 1, y.shape), np.zeros_like(weight)
    np.add.at(want, ids, g)
    y.backward(g)
    np.testing.assert_allclose(table.grad.data, want, rtol=1e-14)


def test_scatter_add_reads_any_layout_and_changes_nothing():
    """Gradients come transposed and repeated; they belong to somebody else."""
    rng = np.random.default_rng(2)
    ids, rows = np.array([[2, 0, 2], [1, 2, 0]]), rng.normal(0, 1, (3, 4, 2)).transpose(2, 0, 1)
    before, want = rows.copy(), np.zeros((5, 4))
    np.add.at(want, ids, rows)
    np.testing.assert_allclose(scatter_add(ids, rows, 5), want)
    np.testing.assert_array_equal(rows, before)
    ones = np.broadcast_to(np.ones(1), (2, 3, 4))
    np.testing.assert_array_equal(scatter_add(ids, ones, 3)[:, 0], [2, 1, 3])


def test_gradients_are_those_of_finite_differences():
    """In float64, with an id that comes twice and one that does not come."""
    rng = np.random.default_rng(3)
    check_grads(lambda w: embedding(Tensor([[1, 1, 3], [0, 1, 3]]), w), rng.normal(0, 1, (5, 2)))
    rotary = RotaryEmbedding(6, max_length=9)
    check_grads(lambda x: rotary(x, offset=2), rng.normal(0, 1, (2, 3, 6)))
    places = LearnedPositionalEmbedding(9, 4, dtype=np.float64)
    check_grads(lambda x: places(x, offset=2), rng.normal(0, 1, (2, 3, 4)))


def test_a_table_is_normal_and_its_padding_row_zero():
    """Mean 0 and variance 1, within five of their own deviations; the seed decides all."""
    manual_seed(0)
    table = Embedding(500, 40, padding_idx=-500).weight.data
    assert not table[0].any()
    rest = table[1:]
    assert abs(rest.mean()) < 5 / rest.size**0.5
    assert abs(rest.var() - 1) < 5 * (2 / rest.size) ** 0.5
    manual_seed(0)
    np.testing.assert_array_equal(Embedding(500, 40, padding_idx=0).weight.data, table)
    assert table.dtype == np.float32


def test_ids_that_change_in_place_are_noticed():
    """Their old numbers say where the gradient goes."""
    ids, table = Tensor([1, 2]), Embedding(3, 2)
    y = table(ids).sum()
    ids[0] = 0
    with pytest.raises(RuntimeError, match="changed in place after embedding_array"):
        y.backward()


def test_the_encoding_is_that_of_the_paper():
    """Each number on its own, by its formula; and half a million places on."""
    encoding = sinusoidal_encoding(300, 6)
    assert (encoding.shape, encoding.dtype) == ((300, 6), np.float32)
    for place, column in ((0, 0), (1, 1), (7, 2), (299, 3), (123, 4), (250, 5)):
        angle = place / 10000 ** (column // 2 * 2 / 6)
        want = np.cos(angle) if column % 2 else np.sin(angle)
        assert encoding.data[place, column] == np.float32(want)
    far = sinusoidal_encoding(500_001, 2).data[-1]
    np.testing.assert_array_equal(far, np.float32([np.sin(5e5), np.cos(5e5)]))
    assert sinusoidal_encoding(0, 4).shape == (0, 4)


def test_learned_places_are_added_and_learn():
    """Place t of every sequence gets row offset + t, and the row the sum of their gradients."""
    places = LearnedPositionalEmbedding(6, 4)
    assert 0.01 < places.weight.data.std() < 0.03
    x = Tensor(np.ones((2, 3, 4), np.float32), requires_grad=True)
    y = places(x, offset=2)
    np.testing.assert_array_equal(y.data, 1 + np.stack([places.weight.data[2:5]] * 2))
    y.sum().backward()
    assert places.weight.grad.data[:, 0].tolist() == [0, 0, 2, 2, 2, 0]


def test_rotary_turns_neighbours_as_complex_numbers_turn():
    """(a, b) is a + ib, and the turn a product with exp(i p ω): RoFormer's pairs."""
    rng = np.random.default_rng(4)
    x = rng.normal(0, 1, (2, 3, 5, 8))
    turned = RotaryEmbedding(8, max_length=20, base=100.0)(Tensor(x), offset=7).data
    angles = np.arange(7, 12)[:, None] * 100.0 ** (-np.arange(4) / 4)
    want = (x[..., 0::2] + 1j * x[..., 1::2]) * np.exp(1j * angles)
    np.testing.assert_allclose(turned[..., 0::2], want.real, rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(turned[..., 1::2], want.imag, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_products_of_turned_vectors_depend_on_the_distance_alone(dtype):
    """q at place m and k at place n: the same for all m - n that are equal; lengths stay."""
    rng, rotary = np.random.default_rng(5), RotaryEmbedding(16, max_length=64)
    q, k = (np.tile(rng.normal(0, 1, 16).astype(dtype), (64, 1)) for _ in "qk")
    turned_q, turned_k = rotary(Tensor(q)).data, rotary(Tensor(k)).data
    products = turned_q @ turned_k.T
    assert turned_q.dtype == dtype
    close = 1e-12 if dtype == np.float64 else 2e-5
    for distance in (-30, -1, 0, 1, 5, 40):
        along = np.diagonal(products, distance)
        np.testing.assert_allclose(along, along[0], atol=close)
    assert products[:, 0].std() > 0.1
    np.testing.assert_allclose((turned_q**2).sum(-1), (q**2).sum(-1), rtol=close)


def test_turning_back_undoes_turning():
    """A rotation's inverse is its transpose, which the rule uses."""
    rng = np.random.default_rng(6)
    x, angles = rng.normal(0, 1, (5, 8)), rng.normal(0, 3, (5, 4))
    turned = rotate_array(x, np.cos(angles), np.sin(angles))
    np.testing.assert_allclose(rotate_array(turned, np.cos(angles), -np.sin(angles)), x, atol=1e-15)


def test_tables_of_angles_are_not_saved_and_not_learned():
    """They can be computed again from three numbers."""
    rotary = RotaryEmbedding(4, max_length=3)
    assert (list(rotary.state_dict()), list(rotary.parameters())) == ([], [])
    assert list(Embedding(3, 2).state_dict()) == ["weight"]


REFUSED = [
    (lambda: embedding([1], Tensor([[1.0]])), TypeError, "expected a Tensor of ints, got list"),
    (lambda: embedding(Tensor([1.0]), Tensor([[1.0]])), TypeError, "of ints, got float32"),
    (lambda: embedding(Tensor([True]), Tensor([[1.0]])), TypeError, "of ints, got bool"),
    (lambda: embedding(Tensor([0]), Tensor([[1]])), TypeError, "weight as a Tensor of floats"),
    (lambda: embedding(Tensor([0]), Tensor([1.0])), ValueError, r"weight \(V, D\), got \(1,\)"),
    (lambda: Embedding(3, 2)(Tensor([[0, 7, 9]])), IndexError, "ids from 0 to 2, got 7"),
    (lambda: Embedding(3, 2)(Tensor([0, -1])), IndexError, "ids from 0 to 2, got -1"),
    (lambda: Embedding(0, 2)(Tensor([0])), IndexError, "ids from 0 to -1, got 0"),
    (lambda: embedding(Tensor([0]), Tensor([[1.0]]), 1), IndexError, "padding_idx < 1, got 1"),
    (lambda: Embedding(3, 2, padding_idx=-4), IndexError, "-3 <= padding_idx < 3, got -4"),
    (lambda: Embedding(3, -2), ValueError, "Embedding: expected sizes, got 3 and -2"),
    (lambda: Embedding(3.0, 2), TypeError, "float"),
    (lambda: sinusoidal_encoding(3, 5), ValueError, "even dim, columns in pairs, got 5"),
    (lambda: sinusoidal_encoding(-1, 4), ValueError, "expected sizes, got -1 and 4"),
    (lambda: RotaryEmbedding(3), ValueError, "RotaryEmbedding: expected an even dim"),
]
PLACES = {
    LearnedPositionalEmbedding: LearnedPositionalEmbedding(4, 2),
    RotaryEmbedding: RotaryEmbedding(2, max_length=4),
}


@pytest.mark.parametrize(("make", "error", "message"), REFUSED)
def test_wrong_input_is_refused_where_it_enters(make, error, message):
    """One line: what was expected, what came."""
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize("kind", PLACES)
@pytest.mark.parametrize(
    ("x", "offset", "error", "message"),
    [
        (np.zeros((5, 2)), 0, ValueError, "places from 0 to 3, got 5 at offset 0"),
        (np.zeros((1, 2)), 4, ValueError, "places from 0 to 3, got 1 at offset 4"),
        (np.zeros((1, 2)), -1, ValueError, "places from 0 to 3, got 1 at offset -1"),
        (np.zeros((4, 3)), 0, ValueError, r"expected x \(..., T, 2\), got \(4, 3\)"),
        (np.zeros(2), 0, ValueError, r"expected x \(..., T, 2\), got \(2,\)"),
        (np.zeros((4, 2), int), 0, TypeError, "Tensor of floats, got int64"),
    ],
)
def test_places_that_are_not_there_are_refused(kind, x, offset, error, message):
    """Both kinds know how long a sequence may be."""
    with pytest.raises(error, match=f"{kind.__name__}: .*{message}"):
        PLACES[kind](Tensor(x), offset)


def test_the_examples_are_true():
    """What the docstrings show is what happens."""
    failed, tried = doctest.testmod(embeddings)
    assert failed == 0
    assert tried >= 15
