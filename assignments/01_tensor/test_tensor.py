"""What module 01 must do. Run it with `tito test 01`; the first sentence below a name says why."""

import time

import numpy as np
import pytest

from tinytorch.tensor import (
    Tensor,
    as_array,
    broadcast_shape,
    cat,
    from_numpy,
    matmul_loops,
    maximum,
    split,
    stack,
    where,
)

TABLE = np.array([[1.0, 2.0, 3.0], [10.0, 20.0, 60.0]], dtype=np.float32)


def table():
    """Return a 2 x 3 tensor, made without the function that another task asks for."""
    return from_numpy(TABLE.copy())


OPERATIONS = {
    "Tensor.matmul": lambda x: x @ x.T,
    "where": lambda x: where(x.detach() > 2, x, maximum(x, 1.0).clip(0.0, 9.0)),
    "Tensor.sum": lambda x: x.sum(axis=0),
    "Tensor.mean": lambda x: x.mean(axis=0),
    "Tensor.var": lambda x: x.var(axis=0),
    "Tensor.max": lambda x: x.max(axis=0) + x.min(axis=0),
    "Tensor.reshape": lambda x: x.reshape(3, 2),
    "Tensor.transpose": lambda x: x.transpose(0, 1).permute(1, 0),
    "Tensor.squeeze": lambda x: x.unsqueeze(0).squeeze(0),
    "Tensor.expand": lambda x: x.expand(4, 2, 3),
    "cat": lambda x: cat([stack([x, x])]),
    "split": lambda x: split(x, 1)[0],
}


@pytest.mark.parametrize(
    "operation",
    [
        pytest.param(call, id=task, marks=pytest.mark.task(task))
        for task, call in OPERATIONS.items()
    ],
)
def test_the_operation_goes_through_apply(operation):
    """Return apply(…), not Tensor(…): only then can module 06 find the gradient."""
    result = operation(from_numpy(TABLE, requires_grad=True))
    assert result.requires_grad
    assert result.recipe is not None


@pytest.mark.task("as_array")
def test_python_numbers_get_pytorchs_dtypes():
    """Floats become float32 (NumPy says float64), ints int64, bools stay bool."""
    assert as_array([[1.5, 2.0], [3.0, 4.0]]).dtype == np.float32
    assert as_array([1, 2, 3]).dtype == np.int64
    assert as_array([True, False]).dtype == np.bool_
    assert as_array([1, 2.5]).tolist() == [1.0, 2.5]


@pytest.mark.task("as_array")
def test_a_dtype_that_is_asked_for_is_kept():
    """Tensor([1, 2], dtype=np.float64) is float64, whatever the rule says."""
    assert Tensor([1, 2], dtype=np.float64).dtype == np.float64
    assert Tensor([1.0, 2.0], dtype="int32").dtype == np.int32


@pytest.mark.task("as_array")
def test_rows_of_different_length_and_text_are_refused():
    """A table has equal rows (ValueError) and numbers in them (TypeError)."""
    with pytest.raises(ValueError):
        as_array([[1.0, 2.0], [3.0]])
    with pytest.raises(TypeError):
        as_array(["1", "2"])
    with pytest.raises(TypeError):
        as_array([1.0, None])


@pytest.mark.task("broadcast_shape")
def test_shapes_are_aligned_at_the_right():
    """(4, 1) and (3,) make (4, 3): the missing axis counts as 1, and 1 stretches."""
    assert tuple(broadcast_shape((4, 1), (3,))) == (4, 3)
    assert tuple(broadcast_shape((2, 1, 5), (3, 1), ())) == (2, 3, 5)


@pytest.mark.task("broadcast_shape")
def test_sizes_that_differ_are_named_with_their_axis():
    """(2, 3) and (2, 4) do not fit: a ValueError that says 3, 4 and axis -1."""
    with pytest.raises(ValueError, match=r"3.*4.*-1"):
        broadcast_shape((2, 3), (2, 4))


@pytest.mark.task("matmul_loops")
def test_a_product_by_loops():
    """[1, 2] · [10, 1] = 12 and [3, 4] · [10, 1] = 34: row times column, added up."""
    product = matmul_loops(np.array([[1, 2], [3, 4]]), np.array([[10], [1]]))
    assert product.tolist() == [[12], [34]]
    assert product.dtype == np.int64


@pytest.mark.task("matmul_loops")
def test_loops_and_numpy_compute_the_same(record_property):
    """The loops are right, and NumPy does the same work many times faster: see the ratio."""
    a, b = np.random.default_rng(0).standard_normal((2, 24, 24))
    start = time.perf_counter()
    slow = matmul_loops(a, b)
    middle = time.perf_counter()
    fast = np.matmul(a, b)
    end = time.perf_counter()
    np.testing.assert_allclose(slow, fast, rtol=1e-12)
    ratio = (middle - start) / max(end - middle, 1e-9)
    record_property("loops_over_numpy", ratio)
    print(f"24 x 24 x 24: the loops took {ratio:.0f} times as long as np.matmul")


@pytest.mark.task("Tensor.matmul")
def test_a_product_of_matrices():
    """(2, 2) @ (2, 2): the element in row 1, column 0 is 3·10 + 4·1."""
    a, b = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[10.0, 0.0], [1.0, 100.0]])
    assert (Tensor(a) @ Tensor(b)).tolist() == [[12.0, 200.0], [34.0, 400.0]]


@pytest.mark.task("Tensor.matmul")
def test_a_product_with_a_vector_loses_an_axis():
    """(2, 3) @ (3,) is (2,), and (3,) @ (3,) is a single number."""
    v = from_numpy(np.array([1, 0, 2], dtype=np.float32))
    assert (table() @ v).tolist() == [7.0, 130.0]
    assert (v @ v).item() == 5.0


@pytest.mark.task("Tensor.matmul")
def test_inner_sizes_that_differ_are_shown():
    """(2, 3) @ (2, 3) has no meaning: a ValueError with both shapes."""
    with pytest.raises(ValueError, match=r"\(2, 3\).*\(2, 3\)"):
        table() @ table()


@pytest.mark.task("where")
def test_where_chooses_element_by_element():
    """Where the condition holds the first, elsewhere the second; ints are no condition."""
    x = from_numpy(np.array([-1.0, 5.0]))
    assert where(x > 0, x, 0.0).tolist() == [0.0, 5.0]
    with pytest.raises(TypeError):
        where(from_numpy(np.array([0, 1])), 1.0, 2.0)


@pytest.mark.task("where")
def test_maximum_compares_two_tensors():
    """maximum takes the larger of each pair; Tensor.max, of one tensor, is another task."""
    a, b = from_numpy(np.array([1.0, 5.0])), from_numpy(np.array([3.0, 4.0]))
    assert maximum(a, b).tolist() == [3.0, 5.0]
    assert maximum(a, 2.0).tolist() == [2.0, 5.0]


@pytest.mark.task("where")
def test_clip_keeps_elements_between_the_bounds():
    """clip(0, 2) moves what is outside to the nearer bound; None leaves a side open."""
    x = from_numpy(np.array([-1.0, 1.0, 5.0]))
    assert x.clip(0.0, 2.0).tolist() == [0.0, 1.0, 2.0]
    assert x.clip(max=2.0).tolist() == [-1.0, 1.0, 2.0]
    with pytest.raises(ValueError):
        x.clip()


@pytest.mark.task("Tensor.sum")
def test_sum_takes_away_the_axis_it_adds_up():
    """axis=0 adds the rows, axis=1 the columns; keepdims leaves a size of 1 there."""
    assert table().sum().item() == 96.0
    assert table().sum(axis=0).tolist() == [11.0, 22.0, 63.0]
    assert table().sum(axis=1, keepdims=True).tolist() == [[6.0], [90.0]]
    assert table().sum(axis=(0, 1)).shape == ()


@pytest.mark.task("Tensor.sum")
def test_sum_counts_bools_and_does_not_overflow():
    """The sum of bools is how many are true; int8 numbers add up to int64."""
    assert from_numpy(np.array([True, True, False])).sum().tolist() == 2
    assert from_numpy(np.array([100, 100], dtype=np.int8)).sum().tolist() == 200


@pytest.mark.task("Tensor.sum")
def test_sum_refuses_an_axis_that_is_not_there():
    """A matrix has the axes 0 and 1, or -2 and -1: anything else is an IndexError."""
    with pytest.raises(IndexError):
        table().sum(axis=2)


@pytest.mark.task("Tensor.mean")
def test_mean_divides_by_the_number_of_elements_along_the_axis():
    """Each row has three elements, each column two."""
    assert table().mean(axis=1).tolist() == [2.0, 30.0]
    assert table().mean(axis=0, keepdims=True).tolist() == [[5.5, 11.0, 31.5]]
    assert table().mean().item() == 16.0


@pytest.mark.task("Tensor.mean")
def test_mean_refuses_whole_numbers():
    """The mean of ints is no int, so PyTorch and we ask for floats: a TypeError."""
    with pytest.raises(TypeError, match="int64"):
        from_numpy(np.array([1, 2])).mean()


@pytest.mark.task("Tensor.var")
def test_var_divides_by_one_less_than_the_number_of_elements():
    """The variance of 1, 2, 6 is (4 + 1 + 9) / (3 - 1) = 7, and 14/3 with correction=0."""
    x = from_numpy(np.array([1.0, 2.0, 6.0]))
    assert x.var().item() == 7.0
    assert x.var(correction=0).item() == pytest.approx(14 / 3)
    assert table().var(axis=1, keepdims=True).shape == (2, 1)


@pytest.mark.task("Tensor.var")
def test_var_refuses_whole_numbers():
    """As the mean does: a TypeError."""
    with pytest.raises(TypeError, match="bool"):
        from_numpy(np.array([True, False])).var()


@pytest.mark.task("Tensor.max")
def test_max_and_min_are_values():
    """The largest and smallest of all, or along an axis; nothing has no largest."""
    x = from_numpy(np.array([[1, 9, 3], [7, 2, 8]]))
    assert x.max(axis=1).tolist() == [9, 8]
    assert x.min(axis=0).tolist() == [1, 2, 3]
    assert x.max().item() == 9
    assert x.min(axis=1, keepdims=True).shape == (2, 1)
    with pytest.raises(ValueError):
        from_numpy(np.zeros(0)).max()


@pytest.mark.task("Tensor.max")
def test_argmax_is_a_place():
    """Along an axis the index on it; without one, the index when rows lie end to end."""
    x = from_numpy(np.array([[1, 9, 3], [7, 2, 8]]))
    assert x.argmax(axis=1).tolist() == [1, 2]
    assert x.argmax(axis=0).tolist() == [1, 0, 1]
    assert x.argmax().item() == 1


@pytest.mark.task("Tensor.reshape")
def test_reshape_keeps_the_order_row_by_row():
    """0 … 5 in two rows are 0 1 2 and 3 4 5; -1 is whatever is left."""
    x = from_numpy(np.arange(6))
    assert x.reshape(2, 3).tolist() == [[0, 1, 2], [3, 4, 5]]
    assert x.reshape((3, -1)).shape == (3, 2)
    assert x.reshape(-1, 2, 1).shape == (3, 2, 1)


@pytest.mark.task("Tensor.reshape")
def test_reshape_shows_the_same_memory():
    """A change seen through both: reshape copies only if it must."""
    x = from_numpy(np.arange(6))
    x.reshape(2, 3)[0, 1] = 99
    assert x.tolist() == [0, 99, 2, 3, 4, 5]


@pytest.mark.task("Tensor.reshape")
def test_reshape_refuses_another_number_of_elements():
    """Six elements fill no (4, 2) and no (4, -1): a ValueError with both shapes."""
    x = from_numpy(np.arange(6))
    for shape in ((4, 2), (4, -1), (-1, -1)):
        with pytest.raises(ValueError, match=r"\(6,\).*\(.*\)"):
            x.reshape(*shape)


@pytest.mark.task("Tensor.transpose")
def test_transpose_swaps_two_axes():
    """Rows become columns; of more than two axes, only these two change places."""
    assert table().transpose(0, 1).tolist() == [[1.0, 10.0], [2.0, 20.0], [3.0, 60.0]]
    assert from_numpy(np.zeros((2, 3, 4))).transpose(0, -1).shape == (4, 3, 2)
    with pytest.raises(IndexError):
        table().transpose(0, 2)


@pytest.mark.task("Tensor.transpose")
def test_permute_puts_axes_in_any_order():
    """Axis i of the result is axis dims[i]: (2, 3, 4) by (2, 0, 1) is (4, 2, 3)."""
    x = from_numpy(np.arange(24).reshape(2, 3, 4))
    assert x.permute(2, 0, 1).shape == (4, 2, 3)
    assert x.permute(2, 0, 1)[3, 1, 2].item() == x[1, 2, 3].item()
    with pytest.raises(ValueError):
        x.permute(0, 0, 1)


@pytest.mark.task("Tensor.squeeze")
def test_squeeze_drops_axes_of_size_one():
    """All of them, or the one that is named, if its size is 1."""
    x = from_numpy(np.zeros((1, 3, 1)))
    assert x.squeeze().shape == (3,)
    assert x.squeeze(0).shape == (3, 1)
    assert x.squeeze(1).shape == (1, 3, 1)


@pytest.mark.task("Tensor.squeeze")
def test_unsqueeze_adds_an_axis_of_size_one():
    """It is axis dim of the result, so -1 puts it last."""
    assert table().unsqueeze(0).shape == (1, 2, 3)
    assert table().unsqueeze(1).shape == (2, 1, 3)
    assert table().unsqueeze(-1).shape == (2, 3, 1)
    with pytest.raises(IndexError):
        table().unsqueeze(3)


@pytest.mark.task("Tensor.expand")
def test_expand_repeats_sizes_of_one_without_copying():
    """A column of two becomes two rows of three, and still only two numbers are in memory."""
    column = from_numpy(np.array([[1.0], [2.0]]))
    wide = column.expand(-1, 3)
    assert wide.tolist() == [[1.0, 1.0, 1.0], [2.0, 2.0, 2.0]]
    assert np.shares_memory(wide.data, column.data)
    assert from_numpy(np.zeros(3)).expand(2, 3).shape == (2, 3)


@pytest.mark.task("Tensor.expand")
def test_expand_refuses_to_change_another_size():
    """Only a 1 can grow; two rows cannot become four: a ValueError with both shapes."""
    with pytest.raises(ValueError, match=r"\(2, 3\).*\(4, 3\)"):
        table().expand(4, 3)


@pytest.mark.task("cat")
def test_cat_makes_an_axis_longer():
    """Two rows and one row are three rows; the other sizes must agree."""
    rows = cat([table(), from_numpy(np.ones((1, 3)))])
    assert rows.tolist() == [[1.0, 2.0, 3.0], [10.0, 20.0, 60.0], [1.0, 1.0, 1.0]]
    assert cat([table(), table()], dim=1).shape == (2, 6)
    with pytest.raises(ValueError, match=r"\(2, 3\).*\(2, 2\)"):
        cat([table(), from_numpy(np.ones((2, 2)))])


@pytest.mark.task("cat")
def test_stack_makes_a_new_axis():
    """Two tensors of one shape lie on each other; -1 puts the new axis last."""
    a, b = from_numpy(np.array([1, 2])), from_numpy(np.array([3, 4]))
    assert stack([a, b]).tolist() == [[1, 2], [3, 4]]
    assert stack([a, b], dim=-1).tolist() == [[1, 3], [2, 4]]
    with pytest.raises(ValueError):
        stack([a, table()])


@pytest.mark.task("split")
def test_split_makes_chunks_of_a_size():
    """Five in chunks of 2 are 2, 2 and 1: the number is the size, not how many."""
    parts = split(from_numpy(np.arange(5)), 2)
    assert [part.tolist() for part in parts] == [[0, 1], [2, 3], [4]]
    assert [part.shape for part in split(table(), 2, dim=1)] == [(2, 2), (2, 1)]


@pytest.mark.task("split")
def test_split_takes_listed_sizes_that_add_up():
    """One part per size; sizes that do not add up to the axis are a ValueError."""
    left, right = split(table(), [1, 2], dim=1)
    assert (left.tolist(), right.tolist()) == ([[1.0], [10.0]], [[2.0, 3.0], [20.0, 60.0]])
    with pytest.raises(ValueError):
        split(table(), [1, 1], dim=1)
