"""The activations agree with PyTorch's frozen results, keep their laws, and refuse wrong input."""

import doctest
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tinytorch import activations
from tinytorch.activations import (
    GELU,
    LeakyReLU,
    LogSoftmax,
    ReLU,
    Sigmoid,
    SiLU,
    Softmax,
    Tanh,
    gelu,
    leaky_relu,
    log_softmax,
    relu,
    sigmoid,
    silu,
    softmax,
    tanh,
)
from tinytorch.tensor import Tensor

pytestmark = pytest.mark.filterwarnings("error")

with np.load(Path(__file__).parent / "fixtures" / "activations.npz") as _file:
    FIXTURE = dict(_file)

CALLS = {
    "relu": relu,
    "leaky_relu": leaky_relu,
    "leaky_relu_0.3": lambda x: leaky_relu(x, 0.3),
    "leaky_relu_2": lambda x: leaky_relu(x, negative_slope=2.0),
    "sigmoid": sigmoid,
    "tanh": tanh,
    "gelu": gelu,
    "silu": silu,
}
ELEMENTWISE = [relu, leaky_relu, sigmoid, tanh, gelu, silu]
ALONG_DIM = [softmax, log_softmax]
OPERATIONS = ELEMENTWISE + [lambda x, f=f: f(x, dim=-1) for f in ALONG_DIM]
NAMES = [f.__name__ for f in ELEMENTWISE + ALONG_DIM]
every_operation = pytest.mark.parametrize("operation", OPERATIONS, ids=NAMES)


def floats(dtype, limit, **shape):
    """Arrays of finite floats of one dtype, at most `limit` in size."""
    bound = dict(min_value=-limit, max_value=limit, width=np.dtype(dtype).itemsize * 8)
    return hnp.arrays(dtype, hnp.array_shapes(**shape), elements=st.floats(**bound))


arrays = st.sampled_from([np.float32, np.float64]).flatmap(
    lambda dtype: floats(dtype, 1000, min_dims=1, max_dims=3, min_side=0, max_side=5)
)
laws = settings(deadline=None, max_examples=60)


@pytest.mark.parametrize("key", [key for key in FIXTURE if not key.startswith("x.")])
def test_the_result_is_pytorchs(key):
    """Values, shape and dtype are those that PyTorch gave, NaN and infinity included."""
    name, case, *dim = key.rsplit(".dim")[0].rsplit(".", 1) + key.split(".dim")[1:]
    call = CALLS.get(name) or (lambda x: getattr(activations, name)(x, dim=int(dim[0])))
    # Where infinities make a NaN, NumPy warns and PyTorch is silent: only the values are compared.
    with np.errstate(invalid="ignore" if case in ("infinite", "masked") else "warn"):
        got = call(Tensor(FIXTURE[f"x.{case}"])).data
    want = FIXTURE[key]
    rtol = 1e-12 if want.dtype == np.float64 else 2e-6
    assert (got.dtype, got.shape) == (want.dtype, want.shape)
    # atol: PyTorch flushes what is below the smallest normal number to 0, NumPy keeps it.
    np.testing.assert_allclose(got, want, rtol=rtol, atol=np.finfo(want.dtype).tiny)


def test_the_fixture_holds_every_function_and_case():
    """Nothing is skipped because a name in the fixture is misspelt."""
    assert len(FIXTURE) == 8 + 8 * len(CALLS) + 2 * sum(
        FIXTURE[k].ndim for k in FIXTURE if k[0] == "x"
    )


@every_operation
@laws
@given(x=arrays)
def test_results_are_finite_and_new_and_keep_shape_and_dtype(operation, x):
    """Up to ±1000 nothing overflows or warns, and the input stays as it was."""
    tensor = Tensor(x)
    result = operation(tensor).data
    assert (result.dtype, result.shape) == (x.dtype, x.shape)
    assert np.isfinite(result).all()
    np.testing.assert_array_equal(tensor.data, x)
    assert not np.shares_memory(result, tensor.data)


@every_operation
def test_views_of_any_stride_give_what_copies_give(operation):
    """A transposed and stepped view has the same numbers, so the same results."""
    base = Tensor(np.linspace(-4, 4, 48).reshape(6, 8))
    view = base.T[::2, ::-1]
    np.testing.assert_allclose(
        operation(view).data, operation(Tensor(view.data.copy())).data, rtol=1e-13
    )


@every_operation
def test_the_operation_passes_through_apply(operation):
    """One recipe, one input: module 06 has exactly one rule to look up."""
    x = Tensor([[0.5, -1.0]], requires_grad=True)
    result = operation(x)
    assert result.requires_grad
    assert result.recipe.inputs == (x,)
    again = result.recipe.op(x.data, **result.recipe.kwargs)
    np.testing.assert_array_equal(again, result.data)
    assert operation(Tensor([[0.5, -1.0]])).recipe is None


def test_a_module_level_function_stands_behind_every_operation():
    """A rule table needs names that it can look up: the kernels, and np.tanh."""
    x = Tensor([[1.0]], requires_grad=True)
    ops = [operation(x).recipe.op for operation in OPERATIONS]
    kernels = [getattr(activations, f"{name}_array", np.tanh) for name in NAMES]
    assert ops == kernels


@laws
@given(x=arrays)
def test_relu_plus_relu_of_the_opposite_is_the_absolute_value(x):
    """max(x, 0) + max(-x, 0) = |x|, exactly."""
    np.testing.assert_array_equal(relu(Tensor(x)).data + relu(Tensor(-x)).data, np.abs(x))


@laws
@given(x=arrays, slope=st.sampled_from([0.0, 0.25, 1.0, 2.0]))
def test_leaky_relu_bends_at_zero_alone(x, slope):
    """Positive numbers stay, the others are multiplied by the slope, whatever it is."""
    want = np.where(x > 0, x, (slope * x).astype(x.dtype))
    np.testing.assert_array_equal(leaky_relu(Tensor(x), slope).data, want)


def test_a_numpy_slope_does_not_widen_the_result():
    """np.float64 is no Python float; float32 comes out of float32 all the same (see `apply`)."""
    assert leaky_relu(Tensor([-1.0]), np.float64(0.5)).dtype == np.float32


@laws
@given(x=arrays)
def test_sigmoid_of_x_and_of_minus_x_sum_to_one(x):
    """σ(x) + σ(-x) = 1, and σ(x) = (1 + tanh(x / 2)) / 2."""
    up, down = sigmoid(Tensor(x)).data, sigmoid(Tensor(-x)).data
    np.testing.assert_allclose(up + down, 1, rtol=3e-7)
    np.testing.assert_allclose(up, (1 + tanh(Tensor(x / 2)).data) / 2, rtol=1e-6, atol=1e-7)


def test_sigmoid_keeps_its_digits_far_out():
    """σ(-80) is exp(-80) to the last digits, not 0: logarithms of it must work."""
    np.testing.assert_allclose(sigmoid(Tensor(np.array([-80.0]))).data, np.exp([-80.0]), rtol=1e-14)


@laws
@given(x=arrays)
def test_tanh_is_odd(x):
    """tanh(-x) = -tanh(x), exactly."""
    np.testing.assert_array_equal(tanh(Tensor(-x)).data, -tanh(Tensor(x)).data)


@pytest.mark.parametrize("gate", [gelu, silu])
@laws
@given(x=arrays)
def test_a_gated_unit_of_x_and_of_minus_x_differ_by_x(gate, x):
    """x·g(x) - (-x)·g(-x) = x·(g(x) + g(-x)) = x, as the gate and its mirror sum to one."""
    difference = gate(Tensor(x)).data - gate(Tensor(-x)).data
    np.testing.assert_allclose(difference, x, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("operation", [relu, leaky_relu, sigmoid, tanh])
@laws
@given(x=floats(np.float64, 1000, min_dims=1, max_dims=1, min_side=2, max_side=20))
def test_more_in_is_never_less_out(operation, x):
    """These four are monotone (gelu and silu dip below zero and are not)."""
    assert (np.diff(operation(Tensor(np.sort(x))).data) >= 0).all()


@laws
@given(x=arrays, data=st.data())
def test_softmax_makes_probabilities_along_its_dim(x, data):
    """No number is negative and each line along `dim` sums to 1, for any dim."""
    dim = data.draw(st.integers(-x.ndim, x.ndim - 1))
    p = softmax(Tensor(x), dim).data
    assert (p >= 0).all()
    lines = p.sum(axis=dim)
    np.testing.assert_allclose(lines, np.ones_like(lines) if x.shape[dim] else 0, rtol=1e-6)


@laws
@given(x=arrays, shift=st.floats(-1000, 1000), data=st.data())
def test_softmax_forgets_what_all_scores_share(x, shift, data):
    """softmax(x + c) = softmax(x), and the same for its logarithm."""
    dim = data.draw(st.integers(-x.ndim, x.ndim - 1))
    x = x.astype(np.float64)
    for operation in ALONG_DIM:
        shifted = operation(Tensor(x + shift), dim).data
        np.testing.assert_allclose(shifted, operation(Tensor(x), dim).data, rtol=1e-9, atol=1e-9)


@laws
@given(x=arrays)
def test_log_softmax_is_the_logarithm_of_softmax_and_more(x):
    """exp(log_softmax) = softmax, also where softmax is 0 and its own logarithm would not exist."""
    log_p, p = log_softmax(Tensor(x), dim=0).data, softmax(Tensor(x), dim=0).data
    np.testing.assert_allclose(np.exp(log_p), p, rtol=1e-4, atol=1e-7)
    assert (log_p <= 0).all()


@every_operation
@pytest.mark.parametrize("dtype", [np.int64, np.uint8, np.bool_])
def test_whole_numbers_and_bools_are_refused(operation, dtype):
    """The message names the function, the dtype that came, and what to do."""
    with pytest.raises(TypeError, match=rf": expected floats, got {np.dtype(dtype)}; .*astype"):
        operation(Tensor(np.ones((2, 2), dtype)))


@every_operation
@pytest.mark.parametrize("wrong", [[1.0], np.ones(2), 1.0, None])
def test_what_is_no_tensor_is_refused(operation, wrong):
    """Lists, arrays and numbers are not wrapped silently."""
    with pytest.raises(TypeError, match=f"expected a Tensor, got {type(wrong).__name__}; write"):
        operation(wrong)


@pytest.mark.parametrize("operation", ALONG_DIM)
@pytest.mark.parametrize(
    ("shape", "dim", "error", "message"),
    [
        ((2, 3), 2, IndexError, r"shape \(2, 3\) has dims from -2 to 1, got dim=2"),
        ((2, 3), -3, IndexError, r"got dim=-3"),
        ((), 0, IndexError, r"shape \(\) has dims none, as it is a single number, got dim=0"),
        ((2, 3), 1.0, TypeError, r"expected dim as an int, got 1.0; dim=-1 is the last dimension"),
        ((2, 3), None, TypeError, r"expected dim as an int, got None"),
    ],
)
def test_a_dim_that_is_not_there_is_refused(operation, shape, dim, error, message):
    """Out of range is an IndexError as in PyTorch, no int is a TypeError."""
    with pytest.raises(error, match=f"^{operation.__name__}: .*{message}"):
        operation(Tensor(np.ones(shape)), dim)


@pytest.mark.parametrize("make", [softmax, log_softmax])
def test_the_dim_must_be_said(make):
    """PyTorch guesses a missing dim and warns; here it is an error."""
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'dim'"):
        make(Tensor([[1.0]]))


@pytest.mark.parametrize(
    ("layer", "operation", "text"),
    [
        (ReLU(), relu, "ReLU()"),
        (LeakyReLU(), leaky_relu, "LeakyReLU(negative_slope=0.01)"),
        (LeakyReLU(0.3), CALLS["leaky_relu_0.3"], "LeakyReLU(negative_slope=0.3)"),
        (Sigmoid(), sigmoid, "Sigmoid()"),
        (Tanh(), tanh, "Tanh()"),
        (GELU(), gelu, "GELU()"),
        (SiLU(), silu, "SiLU()"),
        (Softmax(dim=0), lambda x: softmax(x, 0), "Softmax(dim=0)"),
        (LogSoftmax(1), lambda x: log_softmax(x, 1), "LogSoftmax(dim=1)"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_object_does_what_its_function_does(layer, operation, text):
    """The module form gives the same numbers and prints itself with its settings."""
    x = Tensor([[-1.5, 0.0, 2.0], [3.0, -0.25, 1.0]])
    np.testing.assert_array_equal(layer(x).data, operation(x).data)
    assert repr(layer) == text


@pytest.mark.parametrize("make", [Softmax, LogSoftmax])
def test_an_object_needs_its_dim_too(make):
    """Softmax() alone does not know which numbers belong together."""
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'dim'"):
        make()


def test_the_examples_in_the_docstrings_are_true():
    """Every example of the specification runs and prints what it says."""
    failed, tried = doctest.testmod(activations)
    assert failed == 0
    assert tried >= len(NAMES)
