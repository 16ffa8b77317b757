"""What module 02 must do. Run it with `tito test 02`; the first sentence below a name says why."""

import numpy as np
import pytest

from tinytorch.activations import (
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

# A warning such as "overflow encountered in exp" is a failure: the formula needs another form.
pytestmark = pytest.mark.filterwarnings("error")


def along_rows(operation):
    """Return softmax or log_softmax with its dim filled in, for the tests that take them all."""
    return lambda x: operation(x, dim=1)


every_operation = pytest.mark.parametrize(
    "operation",
    [
        pytest.param(relu, id="relu", marks=pytest.mark.task("relu")),
        pytest.param(leaky_relu, id="leaky_relu", marks=pytest.mark.task("leaky_relu")),
        pytest.param(sigmoid, id="sigmoid", marks=pytest.mark.task("sigmoid")),
        pytest.param(tanh, id="tanh", marks=pytest.mark.task("tanh")),
        pytest.param(gelu, id="gelu", marks=pytest.mark.task("gelu")),
        pytest.param(silu, id="silu", marks=pytest.mark.task("silu")),
        pytest.param(along_rows(softmax), id="softmax", marks=pytest.mark.task("softmax")),
        pytest.param(
            along_rows(log_softmax), id="log_softmax", marks=pytest.mark.task("log_softmax")
        ),
    ],
)


def close(tensor, expected):
    """Compare up to four digits, as printed in the tests below."""
    np.testing.assert_allclose(tensor.numpy(), np.array(expected), atol=6e-5)


@pytest.mark.task("relu")
def test_relu_keeps_the_positive_and_zeroes_the_rest():
    """relu(x) = max(x, 0) for every element: -2 becomes 0, not 2."""
    assert relu(Tensor([[-2.0, 0.0, 3.0], [0.5, -0.1, -7.0]])).tolist() == [[0, 0, 3], [0.5, 0, 0]]


@pytest.mark.task("relu")
def test_relu_passes_a_nan_on():
    """A NaN must stay visible: max(NaN, 0) is NaN, a comparison with 0 would hide it."""
    assert np.isnan(relu(Tensor([float("nan")])).numpy()).all()


@pytest.mark.task("leaky_relu")
def test_leaky_relu_multiplies_the_negative_by_001_unless_told_otherwise():
    """The slope for x < 0 is negative_slope, 0.01 if none is given; x >= 0 stays."""
    close(leaky_relu(Tensor([-100.0, 0.0, 3.0])), [-1.0, 0.0, 3.0])
    close(leaky_relu(Tensor([-100.0, 0.0, 3.0]), 0.25), [-25.0, 0.0, 3.0])


@pytest.mark.task("leaky_relu")
def test_leaky_relu_takes_slopes_above_one():
    """max(x, slope · x) is shorter, but for a slope of 3 it is wrong on both sides."""
    close(leaky_relu(Tensor([-2.0, 2.0]), negative_slope=3.0), [-6.0, 2.0])


@pytest.mark.task("sigmoid")
def test_sigmoid_has_these_values():
    """sigmoid(x) = 1 / (1 + exp(-x)): one half at 0, and sigmoid(-x) = 1 - sigmoid(x)."""
    close(sigmoid(Tensor([-2.0, 0.0, 2.0])), [0.1192, 0.5, 0.8808])


@pytest.mark.task("sigmoid")
def test_sigmoid_does_not_overflow():
    """exp(1000) is too large for a float: only ever take exp of a number that is 0 or less."""
    assert sigmoid(Tensor([-1000.0, 1000.0])).tolist() == [0.0, 1.0]


@pytest.mark.task("tanh")
def test_tanh_has_these_values():
    """tanh(x) = (exp(x) - exp(-x)) / (exp(x) + exp(-x)): 0 at 0, odd, between -1 and 1."""
    close(tanh(Tensor([-1.0, 0.0, 0.5])), [-0.7616, 0.0, 0.4621])


@pytest.mark.task("tanh")
def test_tanh_does_not_overflow():
    """The formula by exp gives inf / inf = NaN at 1000; NumPy has a tanh that does not."""
    assert tanh(Tensor([-1000.0, 1000.0])).tolist() == [-1.0, 1.0]


@pytest.mark.task("gelu")
def test_gelu_has_these_values():
    """gelu(x) = ½ x (1 + tanh(√(2/π) (x + 0.044715 x³))): mind the constant and the root."""
    close(gelu(Tensor([-2.0, -1.0, 0.0, 1.0, 3.0])), [-0.0454, -0.1588, 0.0, 0.8412, 2.9964])


@pytest.mark.task("gelu")
def test_gelu_far_out_is_zero_or_x():
    """Far to the left the gate is shut, far to the right it is open."""
    close(gelu(Tensor([-1000.0, 1000.0])), [0.0, 1000.0])


@pytest.mark.task("silu")
def test_silu_has_these_values():
    """silu(x) = x · sigmoid(x), with no factor inside the sigmoid."""
    close(silu(Tensor([-2.0, -1.0, 0.0, 1.0, 3.0])), [-0.2384, -0.2689, 0.0, 0.7311, 2.8577])


@pytest.mark.task("silu")
def test_silu_does_not_overflow():
    """A stable sigmoid makes silu stable too."""
    close(silu(Tensor([-1000.0, 1000.0])), [0.0, 1000.0])


@pytest.mark.task("softmax")
def test_softmax_along_rows_makes_each_row_sum_to_one():
    """dim=1 runs along a row: [0, log 3] holds odds of 1 to 3, so 1/4 and 3/4."""
    close(softmax(Tensor([[0.0, np.log(3)], [5.0, 5.0]]), dim=1), [[0.25, 0.75], [0.5, 0.5]])


@pytest.mark.task("softmax")
def test_softmax_along_columns_makes_each_column_sum_to_one():
    """dim=0 runs down a column, and -2 is another name for it where there are two dimensions."""
    scores = Tensor([[0.0, 5.0], [np.log(3), 5.0]])
    close(softmax(scores, dim=0), [[0.25, 0.5], [0.75, 0.5]])
    close(softmax(scores, dim=-2), [[0.25, 0.5], [0.75, 0.5]])


@pytest.mark.task("softmax")
def test_softmax_does_not_overflow():
    """Only differences count: take the largest score of each row from the row before exp."""
    scores = Tensor([[1000.0, 1000.0], [-1000.0, -1000.0], [1000.0, -1000.0]])
    assert softmax(scores, dim=1).tolist() == [[0.5, 0.5], [0.5, 0.5], [1.0, 0.0]]


@pytest.mark.task("softmax")
def test_softmax_of_nothing_is_nothing():
    """A tensor of shape (2, 0) has no largest score; its softmax has shape (2, 0)."""
    assert softmax(Tensor(np.zeros((2, 0))), dim=1).shape == (2, 0)


@pytest.mark.task("log_softmax")
def test_log_softmax_is_the_logarithm_of_softmax():
    """log_softmax of [0, log 3] is [log ¼, log ¾], along rows and along columns."""
    scores = Tensor([[0.0, np.log(3)], [0.0, np.log(3)]])
    close(log_softmax(scores, dim=1), np.log([[0.25, 0.75]] * 2))
    close(log_softmax(scores, dim=0), np.log([[0.5, 0.5]] * 2))


@pytest.mark.task("log_softmax")
def test_log_softmax_stays_finite_where_softmax_is_zero():
    """The probability exp(-1000) is 0 in floats and its log is -inf: never form it."""
    assert log_softmax(Tensor([[0.0, -1000.0]]), dim=1).tolist() == [[0.0, -1000.0]]
    assert log_softmax(Tensor([[1000.0, 0.0]]), dim=1).tolist() == [[0.0, -1000.0]]


@pytest.mark.parametrize(
    "operation",
    [
        pytest.param(softmax, id="softmax", marks=pytest.mark.task("softmax")),
        pytest.param(log_softmax, id="log_softmax", marks=pytest.mark.task("log_softmax")),
    ],
)
def test_a_dim_that_is_not_there_is_refused(operation):
    """A tensor of two dimensions has dims -2 to 1; `_dim` raises the error, so call it."""
    assert operation(Tensor([[1.0, 2.0]]), dim=1).shape == (1, 2)
    with pytest.raises(IndexError, match="dim=2"):
        operation(Tensor([[1.0, 2.0]]), dim=2)


@every_operation
def test_the_dtype_stays(operation):
    """float32 in, float32 out, and float64 likewise: module 06 checks gradients in float64."""
    assert operation(Tensor([[1.0, -2.0]])).dtype == np.float32
    assert operation(Tensor(np.array([[1.0, -2.0]]))).dtype == np.float64


@every_operation
def test_the_input_stays_as_it_was(operation):
    """Return new numbers: whoever owns x may still need it."""
    x = Tensor([[1.0, -2.0, 0.5]])
    result = operation(x)
    assert x.tolist() == [[1.0, -2.0, 0.5]]
    assert not np.shares_memory(result.data, x.data)


@every_operation
def test_the_operation_passes_through_apply(operation):
    """`apply` notes how a result came about; without it, module 06 could not differentiate."""
    result = operation(Tensor([[1.0, -2.0]], requires_grad=True))
    assert result.requires_grad


@every_operation
def test_whole_numbers_are_refused(operation):
    """An activation of integers is nearly always a forgotten conversion: `_floats` says so."""
    assert operation(Tensor([[1.0, 2.0]])).shape == (1, 2)
    with pytest.raises(TypeError, match="astype"):
        operation(Tensor([[1, 2]]))
