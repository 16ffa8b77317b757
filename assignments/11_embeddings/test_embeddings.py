"""What module 11 must do. Run it with `tito test 11`; the first sentence below a name says why."""

import math

import numpy as np
import pytest

from tinytorch import embeddings
from tinytorch.autograd import check_grads
from tinytorch.embeddings import (
    Embedding,
    LearnedPositionalEmbedding,
    RotaryEmbedding,
    embedding,
    embedding_array,
    rotate_array,
    scatter_add,
    sinusoidal_encoding,
)
from tinytorch.tensor import Tensor, apply, changed_since, manual_seed

pytestmark = pytest.mark.filterwarnings("error")

TABLE = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])


@pytest.mark.task("embedding")
def test_each_id_is_replaced_by_its_row():
    """(2, 2) ids give (2, 2, 2) numbers: the ids' axes, then the row's."""
    y = embedding(Tensor([[2, 0], [2, 1]]), Tensor(TABLE))
    assert y.tolist() == [[[5, 6], [1, 2]], [[5, 6], [3, 4]]]
    assert embedding_array(np.array([1]), TABLE, None).tolist() == [[3, 4]]


@pytest.mark.task("embedding")
def test_it_is_one_operation_that_knows_its_padding_row():
    """Rules are found by the operation, and -1 is row 2 of 3: counted from the front from here."""
    recipe = embedding(Tensor([0]), Tensor(TABLE, requires_grad=True), padding_idx=-1).recipe
    assert recipe.op is embedding_array
    assert recipe.kwargs == {"padding_idx": 2}


@pytest.mark.task("embedding")
@pytest.mark.parametrize("wrong", [3, 7, -1])
def test_an_id_that_is_not_there_is_refused_by_name(wrong):
    """NumPy would take -1 for the last row, and the model would learn nonsense without a word."""
    with pytest.raises(IndexError, match=rf"{wrong}\b"):
        embedding(Tensor([0, wrong]), Tensor(TABLE))


@pytest.mark.task("embedding")
def test_ids_are_ints_and_a_table_is_a_matrix_of_floats():
    """1.0 is no id; and the padding row must be one of the table's."""
    for ids, table in (([1.0], TABLE), ([True], TABLE), ([1], TABLE.astype(int))):
        with pytest.raises(TypeError, match="embedding: expected"):
            embedding(Tensor(ids), Tensor(table))
    with pytest.raises(ValueError, match=r"weight \(V, D\)"):
        embedding(Tensor([0]), Tensor([1.0]))
    with pytest.raises(IndexError, match="got 3"):
        embedding(Tensor([0]), Tensor(TABLE), padding_idx=3)


@pytest.mark.task("scatter_add")
def test_an_id_that_comes_twice_gets_both_rows():
    """Row 2 gets 1 + 3; rows 1 and 3, which no id names, get 0."""
    rows = np.array([[1.0, 10.0], [2.0, 20.0], [3.0, 30.0]])
    total = scatter_add(np.array([2, 0, 2]), rows, 4)
    assert total.tolist() == [[2, 20], [0, 0], [4, 40], [0, 0]]


@pytest.mark.task("scatter_add")
def test_ids_may_have_several_axes_and_be_small_ints():
    """As a batch of sequences has; and 100 · 3 does not fit into int8."""
    ids, rows = np.array([[100, 1], [1, 100]], np.int8), np.ones((2, 2, 3), np.float32)
    total = scatter_add(ids, rows, 101)
    assert total.dtype == np.float32
    assert (total.shape, total[100].tolist(), total.sum()) == ((101, 3), [2, 2, 2], 12)


@pytest.mark.task("scatter_add")
def test_the_table_gets_the_sums_and_its_padding_row_nothing():
    """Row 1 was used twice, row 2 once, row 0 not at all; then row 1 is padding."""
    for padding, want in ((None, [0, 2, 1]), (1, [0, 0, 1])):
        table = Tensor(TABLE, requires_grad=True)
        apply(embedding_array, Tensor([1, 2, 1]), table, padding_idx=padding).sum().backward()
        assert table.grad.tolist() == [[n, n] for n in want]


@pytest.mark.task("Embedding.reset_parameters")
def test_a_table_is_drawn_from_the_normal_distribution():
    """Mean 0, variance 1, from the framework's generator; the padding row is 0."""
    manual_seed(1)
    table = Embedding(200, 50, padding_idx=3).weight.data
    assert not table[3].any()
    assert abs(table.mean()) < 0.05
    assert abs(table.var() - 1) < 0.06
    manual_seed(1)
    assert (Embedding(200, 50, padding_idx=3).weight.data == table).all()


@pytest.mark.task("Embedding.reset_parameters")
def test_drawing_again_writes_into_the_same_memory_and_says_so():
    """An optimizer holds the parameter, and a graph its old numbers."""
    layer = Embedding(3, 2)
    memory, recipe = layer.weight.data, apply(np.negative, layer.weight).recipe
    layer.reset_parameters()
    assert layer.weight.data is memory
    assert changed_since(layer.weight, recipe)


@pytest.mark.task("Embedding.reset_parameters")
def test_a_layer_looks_ids_up_in_its_table():
    """With its padding_idx, which the rule must know."""
    layer = Embedding(3, 2, padding_idx=-2)
    layer.weight.data[...] = TABLE
    y = layer(Tensor([[1, 2]]))
    assert y.tolist() == [[[3, 4], [5, 6]]]
    assert y.recipe.kwargs == {"padding_idx": 1}


@pytest.mark.task("sinusoidal_encoding")
def test_sines_stand_in_even_columns_and_cosines_in_odd_ones():
    """At place 0 every sine is 0 and every cosine 1; at place 3 the first pair is sin 3, cos 3."""
    encoding = sinusoidal_encoding(4, 6)
    assert (encoding.shape, encoding.dtype) == ((4, 6), np.float32)
    assert encoding[0].tolist() == [0, 1, 0, 1, 0, 1]
    np.testing.assert_allclose(encoding.data[3, :2], [math.sin(3), math.cos(3)], rtol=1e-6)


@pytest.mark.task("sinusoidal_encoding")
def test_waves_get_longer_from_pair_to_pair():
    """With dim 4 the second pair turns by 10000^(-2/4) = 1/100 per place: 0.02 at place 2."""
    encoding = sinusoidal_encoding(3, 4).data
    np.testing.assert_allclose(encoding[2, 2:], [math.sin(0.02), math.cos(0.02)], rtol=1e-6)


@pytest.mark.task("sinusoidal_encoding")
def test_far_places_are_exact_and_odd_sizes_refused():
    """In float32 the angle 123456.7 would be off by a hundredth."""
    np.testing.assert_allclose(sinusoidal_encoding(123_457, 2).data[-1, 0], math.sin(123456), 1e-6)
    with pytest.raises(ValueError):
        sinusoidal_encoding(3, 5)


@pytest.mark.task("LearnedPositionalEmbedding.forward")
def test_each_place_has_a_vector_that_is_added():
    """The same for both sequences; from offset 1 on, the first place gets row 1."""
    places = LearnedPositionalEmbedding(3, 2)
    places.weight.data[...] = TABLE
    x = Tensor(np.zeros((2, 2, 2), np.float32))
    assert places(x).tolist() == [[[1, 2], [3, 4]]] * 2
    assert places(x, offset=1).tolist() == [[[3, 4], [5, 6]]] * 2


@pytest.mark.task("LearnedPositionalEmbedding.forward")
def test_places_beyond_the_last_are_refused():
    """A slice would silently come out shorter."""
    places = LearnedPositionalEmbedding(3, 2)
    for shape, offset in (((4, 2), 0), ((2, 2), 2), ((2, 2), -1), ((2, 3), 0)):
        with pytest.raises(ValueError, match="LearnedPositionalEmbedding"):
            places(Tensor(np.zeros(shape, np.float32)), offset)


@pytest.mark.task("rotate_array")
def test_neighbours_turn_together():
    """A quarter turn makes (3, 4) into (-4, 3); no turn leaves (1, 2) as it is."""
    cos, sin = np.array([[0.0, 1.0]]), np.array([[1.0, 0.0]])
    x = np.array([[3.0, 4.0, 1.0, 2.0]])
    assert rotate_array(x, cos, sin).tolist() == [[-4, 3, 1, 2]]
    assert x.tolist() == [[3, 4, 1, 2]]


@pytest.mark.task("rotate_array")
def test_gradients_turn_back():
    """The rule is held against finite differences."""
    cos, sin = np.cos([[0.3, 2.0]] * 3), np.sin([[0.3, 2.0]] * 3)
    x = np.random.default_rng(0).normal(0, 1, (2, 3, 4))
    check_grads(lambda x: apply(embeddings.rotate_array, x, cos, sin), x)


@pytest.mark.task("rotate_array")
def test_tables_hold_the_angle_of_every_place_and_pair():
    """Place p turns pair i by p · base^(-2i / dim): with base 100 and dim 4, by p and p / 10."""
    cos, sin = RotaryEmbedding(4, max_length=6, base=100.0).tables()
    assert cos.dtype == sin.dtype == np.float64
    np.testing.assert_allclose(cos[5], [math.cos(5), math.cos(0.5)])
    np.testing.assert_allclose(sin[5], [math.sin(5), math.sin(0.5)])


@pytest.mark.task("rotate_array")
def test_products_depend_on_the_distance_alone():
    """q · k is the same at places 5 and 3 as at 12 and 10, and another one at 5 and 4."""
    rotary = RotaryEmbedding(8, max_length=16)
    q, k = np.random.default_rng(1).normal(0, 1, (2, 1, 8))
    turn = [rotary(Tensor(np.repeat(x, 16, 0))).data for x in (q, k)]
    products = turn[0] @ turn[1].T
    np.testing.assert_allclose(products[5, 3], products[12, 10])
    assert abs(products[5, 3] - products[5, 4]) > 1e-3


@pytest.mark.task("rotate_array")
def test_an_offset_moves_all_places_and_keeps_the_dtype():
    """A cache of keys (module 18) holds the places before; float32 stays float32."""
    rotary = RotaryEmbedding(2, max_length=8)
    x = Tensor(np.ones((3, 2), np.float32))
    y = rotary(x, offset=5)
    assert y.dtype == np.float32
    angles = np.arange(5, 8)
    np.testing.assert_allclose(y.data[:, 0], np.cos(angles) - np.sin(angles), rtol=1e-6)
    with pytest.raises(ValueError, match="RotaryEmbedding"):
        rotary(x, offset=6)
