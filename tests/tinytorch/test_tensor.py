"""Tensors agree with PyTorch's frozen results, and with NumPy on arrays of every kind."""

import doctest
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tinytorch import tensor as tt
from tinytorch.tensor import Tensor, broadcast_shape, cat, from_numpy, matmul_loops, split, stack

pytestmark = pytest.mark.filterwarnings("error")

with np.load(Path(__file__).parent / "fixtures" / "tensor.npz") as _file:
    FIXTURE = dict(_file)
INPUTS = {key[3:]: from_numpy(value) for key, value in FIXTURE.items() if key.startswith("in.")}
EXPRESSIONS = sorted(FIXTURE.keys() - {f"in.{name}" for name in INPUTS})
DTYPES = [np.bool_, np.int8, np.int32, np.int64, np.uint8, np.float16, np.float32, np.float64]
SMALL = dict(min_dims=0, max_dims=4, min_side=0, max_side=4)


@st.composite
def views(draw, dtypes=tuple(DTYPES), **shape):
    """Arrays of small whole numbers: of any shape, transposed, stepped through, backwards."""
    dtype = draw(st.sampled_from(dtypes))
    sides = draw(hnp.array_shapes(**{**SMALL, **shape}))
    array = (np.arange(math.prod(2 * n for n in sides)) * 7 % 23).astype(dtype)
    array = array.reshape([2 * n for n in sides])
    array = array[(*(slice(None, None, draw(st.sampled_from((2, -2)))) for _ in sides), ...)]
    return array.transpose(draw(st.permutations(range(array.ndim))))


def same(tensor, array):
    """Compare dtype, shape and every element, NaN included."""
    array = np.asarray(array)
    assert type(tensor) is Tensor
    assert (tensor.dtype, tensor.shape) == (array.dtype, array.shape)
    np.testing.assert_array_equal(tensor.data, array)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_the_result_is_pytorchs(expression):
    """The key of the fixture is the expression; dtype, shape and values are PyTorch's."""
    with np.errstate(over="ignore"):  # exp(200) is infinite in float32, of which NumPy warns
        got = eval(expression, {**vars(tt), **INPUTS}).data
    want = FIXTURE[expression]
    assert (got.dtype, got.shape) == (want.dtype, want.shape)
    rtol = 1e-12 if want.dtype == np.float64 else 2e-6
    np.testing.assert_allclose(got, want, rtol=rtol, atol=0)


def test_the_examples_in_the_docstrings_are_true():
    """Every `>>>` of tensor.py gives what is printed below it."""
    results = doctest.testmod(tt)
    assert (results.failed, results.attempted > 20) == (0, True)


@pytest.mark.parametrize(
    ("data", "dtype"),
    [
        (1.5, "float32"),
        ([], "float32"),
        ([1, 2.5], "float32"),
        ([[1, 2], [3, 4]], "int64"),
        ([2**62], "int64"),
        (True, "bool"),
        ([True, 2], "int64"),
        ((1.0, 2.0), "float32"),
        (range(3), "int64"),
        (np.float64(2), "float64"),
        (np.int8(2), "int8"),
        (np.arange(3, dtype=np.uint8), "uint8"),
        (np.ones((2, 2)), "float64"),
        (np.ones(2, np.float16), "float16"),
    ],
)
def test_python_data_gets_pytorchs_dtypes_and_numpys_keeps_its_own(data, dtype):
    """Floats are float32 and ints int64, unless NumPy has said otherwise."""
    same(Tensor(data), np.array(data, dtype))


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_dtype_that_is_asked_for_is_given(dtype):
    """By the constructor, by astype and by the functions that make tensors."""
    same(Tensor([0, 1], dtype=dtype), np.array([0, 1], dtype))
    same(Tensor(np.array([0.0, 1.0]), dtype=dtype), np.array([0, 1], dtype))
    same(Tensor([0, 1]).astype(dtype), np.array([0, 1], dtype))
    same(tt.arange(2, dtype=dtype), np.array([0, 1], dtype))
    same(tt.full((2,), 1, dtype=dtype), np.array([1, 1], dtype))
    same(tt.eye(1, 2, dtype=dtype), np.array([[1, 0]], dtype))
    same(tt.zeros(1, dtype=dtype), np.array([0], dtype))
    same(tt.ones((1,), dtype=dtype), np.array([1], dtype))


@given(views())
def test_numbers_survive_a_round_trip(array):
    """What goes in through lists, arrays and copies comes out again."""
    x = Tensor(array)
    same(x, array)
    same(from_numpy(array), array)
    same(x.clone(), array)
    same(Tensor(x.tolist(), dtype=array.dtype).reshape(array.shape), array)
    assert x.numpy() is x.data
    assert x.data.flags.c_contiguous
    assert (x.ndim, x.size, x.nbytes) == (array.ndim, array.size, array.nbytes)
    np.testing.assert_array_equal(np.asarray(x), array)


@given(views(dtypes=(np.int64, np.float32, np.bool_)))
def test_repr_can_be_read_back(array):
    """The text of a tensor is an expression for it, of whatever shape and dtype."""
    assume(array.size)
    same(eval(repr(Tensor(array))), array)


def test_repr_names_what_is_unusual():
    """The dtype when it is none of Python's, and that a gradient is wanted."""
    assert repr(Tensor(np.float64(2))) == "Tensor(2., dtype=float64)"
    assert repr(Tensor([0.5], requires_grad=True)) == "Tensor([0.5], requires_grad=True)"
    assert repr(Tensor([[1, 2], [3, 4]])) == "Tensor([[1, 2],\n        [3, 4]])"


@given(hnp.mutually_broadcastable_shapes(num_shapes=3, min_side=0, max_side=4, max_dims=4))
def test_broadcast_shape_is_numpys(shapes):
    """Whatever fits gives the shape that NumPy finds."""
    assert broadcast_shape(*shapes.input_shapes) == shapes.result_shape


@given(st.lists(hnp.array_shapes(min_dims=0, min_side=0, max_side=4), min_size=1, max_size=3))
def test_broadcast_shape_refuses_what_numpy_refuses(shapes):
    """A ValueError from one is a ValueError from the other, of each other's shapes."""
    try:
        expected = np.broadcast_shapes(*shapes)
    except ValueError:
        with pytest.raises(ValueError, match="do not broadcast"):
            broadcast_shape(*shapes)
    else:
        assert broadcast_shape(*shapes) == expected


@given(st.data(), hnp.mutually_broadcastable_shapes(num_shapes=2, min_side=0, max_side=3))
def test_operators_broadcast_tensors_arrays_and_numbers_both_ways_round(data, shapes):
    """x + y, x + array and array + x are what NumPy adds, and so for the other operators."""
    a, b = (
        np.resize(data.draw(views((np.float64,), min_dims=1, min_side=1)), shape) + 1.0
        for shape in shapes.input_shapes
    )
    x, y = Tensor(a), Tensor(b)
    for left, right in ((x, y), (x, b), (a, y)):
        same(left + right, np.asarray(a + b))
        same(left - right, np.asarray(a - b))
        same(left * right, np.asarray(a * b))
        same(left / right, np.asarray(a / b))
        same(left**right, np.asarray(a**b))
        same(left < right, np.asarray(a < b))
        same(left == right, np.asarray(a == b))
    same(2 - x, np.asarray(2 - a))
    same(2 / x, np.asarray(2 / a))
    same(2**x, np.asarray(2**a))
    same(np.float64(2) * x, np.asarray(2 * a))
    same(2 >= x, np.asarray(2 >= a))


@given(views(dtypes=(np.bool_, np.int8, np.uint8, np.int32, np.int64)), st.sampled_from("/.elt"))
def test_whole_numbers_become_float32_where_pytorch_says_so(array, how):
    """Division, transcendental functions and float operands give float32, never float64."""
    x = Tensor(array)
    results = {
        "/": lambda: x / 2,
        ".": lambda: x + 0.5,
        "e": lambda: x.exp(),
        "l": lambda: (x + 1).sqrt(),
        "t": lambda: x * Tensor(np.ones(x.shape, np.float32)),
    }
    assert results[how]().dtype == np.float32


@given(st.data(), views())
def test_reductions_are_numpys_along_any_axes(data, array):
    """Any view, any axes from either end, keepdims or not."""
    ends = st.integers(-array.ndim, array.ndim - 1) if array.ndim else st.none()
    axes = st.permutations(range(array.ndim)).map(
        lambda order: tuple(order[: max(1, array.ndim // 2)])
    )
    axis = data.draw(st.one_of(st.none(), ends, axes if array.ndim else st.none()))
    how, x = dict(axis=axis, keepdims=data.draw(st.booleans())), from_numpy(array)
    total = array.sum(dtype=None if array.dtype.kind == "f" else np.int64, **how)
    same(x.sum(**how), np.asarray(total))
    if array.size:
        same(x.max(**how), np.asarray(array.max(**how)))
        same(x.min(**how), np.asarray(array.min(**how)))
        place = {**how, "axis": axis if isinstance(axis, int) else None}
        same(x.argmax(**place), np.asarray(array.argmax(**place)))
        if array.dtype.kind == "f":
            same(x.mean(**how), np.asarray(array.mean(**how)))
            same(x.var(correction=0, **how), np.asarray(array.var(**how)))


@given(views(), st.data())
def test_reshape_keeps_the_order_and_one_size_may_be_left_out(array, data):
    """Any factorization of the size, with -1 for one of its sizes, there and back."""
    x, n = from_numpy(array), array.size
    first = data.draw(st.sampled_from([k for k in range(1, n + 1) if n % k == 0] or [1]))
    shape = data.draw(st.permutations([first, n // first, 1]))
    same(x.reshape(*shape), array.reshape(shape))
    same(x.reshape(shape).reshape(array.shape), array)
    if n:
        hidden = [-1 if i == data.draw(st.integers(0, 2)) else k for i, k in enumerate(shape)]
        if hidden.count(-1) == 1:
            same(x.reshape(hidden), array.reshape(shape))


@given(views(), st.data())
def test_view_refuses_exactly_where_numpy_would_copy(array, data):
    """reshape(copy=False) is the oracle: the same memory, or a ValueError."""
    shape = data.draw(st.permutations([array.size, 1, 1]))
    try:
        array.reshape(shape, copy=False)
    except ValueError:
        with pytest.raises(ValueError, match="use reshape"):
            from_numpy(array).view(*shape)
    else:
        same(from_numpy(array).view(*shape), array.reshape(shape))


@given(views(min_dims=1), st.data())
def test_axes_change_places_as_in_numpy(array, data):
    """transpose, permute, .T, squeeze, unsqueeze and flatten, with axes from either end."""
    x, n = from_numpy(array), array.ndim
    a, b = (data.draw(st.integers(-n, n - 1)) for _ in "ab")
    same(x.transpose(a, b), np.swapaxes(array, a, b))
    order = data.draw(st.permutations(range(n)))
    same(x.permute(*order), array.transpose(order))
    same(x.permute(*order).permute(*np.argsort(order).tolist()), array)
    same(x.unsqueeze(a), np.expand_dims(array, a))
    same(x.unsqueeze(a).squeeze(a), array)
    same(x.squeeze(), array.squeeze())
    same(x.flatten(), array.reshape(-1))
    if n == 2:
        same(x.T, array.T)


@given(views(min_side=1), st.integers(0, 2), st.integers(2, 3))
def test_expand_is_numpys_broadcast_to(array, more, grown):
    """Sizes of 1 grow, the others stay, new axes come first."""
    new = tuple(grown if n == 1 else n for n in array.shape)
    kept = tuple(-1 if n == 1 else n for n in array.shape)
    same(from_numpy(array).expand(*(2,) * more, *new), np.broadcast_to(array, (2,) * more + new))
    same(
        from_numpy(array).expand(*(2,) * more, *kept),
        np.broadcast_to(array, (2,) * more + array.shape),
    )


@given(views(min_dims=1), st.data())
def test_cat_puts_together_what_split_took_apart(array, data):
    """Chunks of any size, or listed sizes, along any axis; stack is cat along a new one."""
    x, dim = from_numpy(array), data.draw(st.integers(-array.ndim, array.ndim - 1))
    n, size = array.shape[dim], data.draw(st.integers(1, 6))
    same(cat(split(x, size, dim), dim), array)
    cut = data.draw(st.integers(0, n))
    left, right = split(x, [cut, n - cut], dim)
    assert (left.shape[dim], right.shape[dim]) == (cut, n - cut)
    same(cat([left, right], dim=dim), array)
    same(stack([x, x, x], dim), np.stack([array] * 3, dim))


@given(views(min_dims=1), st.data())
def test_indexing_is_numpys(array, data):
    """Ints, slices, ..., None, arrays and tensors of ints, masks."""
    x = from_numpy(array)
    basic = data.draw(hnp.basic_indices(array.shape, allow_newaxis=True))
    same(x[basic], np.asarray(array[basic]))
    mask = array > 3
    same(x[mask], array[mask])
    same(x[x > 3], array[mask])
    if array.size:
        some = data.draw(hnp.integer_array_indices(array.shape))
        same(x[some], np.asarray(array[some]))
        same(x[tuple(map(Tensor, some))], np.asarray(array[some]))
        assert [row.shape for row in x] == [array.shape[1:]] * len(x)


@given(views(dtypes=(np.int64, np.float32, np.float64), min_dims=2, max_dims=2), st.integers(0, 4))
def test_matmul_is_the_triple_loop(array, columns):
    """The fast product and the loops agree exactly on small whole numbers."""
    other = np.arange(array.shape[1] * columns).reshape(array.shape[1], columns) % 5
    product = from_numpy(array) @ other.astype(array.dtype)
    same(product, matmul_loops(array, other.astype(array.dtype)))
    same(product, array @ other.astype(array.dtype))


@given(hnp.array_shapes(min_side=0, max_side=4), st.integers(0, 2**32))
def test_random_numbers_can_be_had_again(shape, seed):
    """The same seed gives the same float32 numbers, in [0, 1) or around 0."""
    tt.manual_seed(seed)
    uniform, normal = tt.rand(*shape), tt.randn(shape)
    tt.manual_seed(seed)
    same(tt.rand(shape), uniform.data)
    same(tt.randn(*shape), normal.data)
    assert uniform.dtype == normal.dtype == np.float32
    assert ((uniform.data >= 0) & (uniform.data < 1)).all()
    assert tt.manual_seed(seed) is tt.default_generator()


def test_random_normal_numbers_have_mean_0_and_variance_1():
    """Over ten thousand numbers, to two digits."""
    tt.manual_seed(0)
    x = tt.randn(10_000)
    assert abs(x.mean().item()) < 0.03
    assert abs(x.var().item() - 1) < 0.05
