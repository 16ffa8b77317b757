"""What module 17 must do. Run it with `tito test 17`; the first sentence below a name says why."""

import threading

import numpy as np
import pytest

from tinytorch import acceleration
from tinytorch.acceleration import (
    accelerate,
    backends,
    blocked_norm_array,
    choose,
    conv2d_shifted,
    gelu_and_slope,
    largest,
    linear_gelu_array,
    loss_and_slope_array,
    mark_taken,
    matmul_blocked,
    online,
)
from tinytorch.autograd import check_grads
from tinytorch.convolutions import conv2d_loops
from tinytorch.layers import Linear, Sequential, set_caller
from tinytorch.losses import cross_entropy
from tinytorch.tensor import Tensor, apply, set_chooser

pytestmark = pytest.mark.filterwarnings("error")


def random(*shape, seed=0):
    """An array of float64."""
    return np.random.default_rng(seed).normal(0, 1, shape)


@pytest.mark.task("matmul_blocked")
def test_blocks_add_up_to_the_product():
    """Sizes that no block divides evenly leave smaller blocks at the ends."""
    a, b = random(7, 5), random(5, 4, seed=1)
    for size in (1, 2, 3, 64):
        np.testing.assert_allclose(matmul_blocked(a, b, size), a @ b, atol=1e-12)


@pytest.mark.task("conv2d_shifted")
def test_shifts_convolve_as_the_loops_do():
    """With strides, padding, dilation and groups."""
    x, weight, bias = random(2, 4, 6, 7), random(6, 2, 3, 2, seed=1), random(6, seed=2)
    how = ((2, 1), (1, 2), (1, 2), 2)
    want = conv2d_loops(x, weight, bias, *how)
    np.testing.assert_allclose(conv2d_shifted(x, weight, bias, *how), want, atol=1e-12)


@pytest.mark.task("gelu_and_slope")
def test_gelu_and_its_slope_come_together():
    """At 0 gelu is 0 and rises by ½; far to the right it is x, far to the left 0."""
    h, slope = np.array([[0.0, 1.0, 100.0, -100.0]]), np.full((1, 4), np.nan)
    assert gelu_and_slope(h, slope) is None
    np.testing.assert_allclose(h, [[0, 0.841192, 100, 0]], atol=1e-6)
    np.testing.assert_allclose(slope, [[0.5, 1.082964, 1, 0]], atol=1e-6)


@pytest.mark.task("gelu_and_slope")
def test_slopes_are_differences():
    """Many rows, which are cut into blocks, and none of them is left out."""
    h = random(3000, 20)
    slope, above, below = np.empty_like(h), h + 1e-5, h - 1e-5
    gelu_and_slope(h.copy(), slope)
    gelu_and_slope(above, None)
    gelu_and_slope(below, None)
    np.testing.assert_allclose(slope, (above - below) / 2e-5, atol=1e-8)


@pytest.mark.task("linear_gelu_array")
def test_a_layer_with_its_bend_is_one_operation():
    """The gradient needs the slopes, one for each number of the result, and nothing else."""
    kept = []
    y = linear_gelu_array(random(2, 3, 4), random(5, 4, seed=1), random(5, seed=2), kept)
    assert (y.shape, [slope.shape for slope in kept]) == ((2, 3, 5), [(6, 5)])
    inputs = random(2, 3, 4), random(5, 4, seed=1), random(5, seed=2)
    check_grads(lambda *inputs: apply(linear_gelu_array, *inputs, kept=[]), *inputs)
    check_grads(lambda x, w: apply(linear_gelu_array, x, w, None, kept=None), *inputs[:2])


@pytest.mark.task("loss_and_slope_array")
def test_the_loss_leaves_its_gradient_behind():
    """Scores 0 and log 3: probabilities ¼ and ¾."""
    kept = []
    x, target = np.array([[0.0, np.log(3)], [5.0, 5.0]]), np.array([0, -100])
    loss = loss_and_slope_array(x, target, -100, "mean", kept)
    assert float(loss) == pytest.approx(np.log(4))
    np.testing.assert_allclose(kept[0], [[-0.75, 0.75], [0, 0]], atol=1e-12)


@pytest.mark.task("loss_and_slope_array")
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_the_loss_is_that_of_module_04(reduction):
    """At scores of any size, with a label that does not count."""
    x, target = 500 * random(6, 4), np.array([0, 3, 2, 2, 1, 0])
    settings = {"ignore_index": 2, "reduction": reduction}
    want = cross_entropy(Tensor(x), Tensor(target), **settings)
    np.testing.assert_allclose(loss_and_slope_array(x, target, **settings, kept=None), want.data)
    check_grads(lambda x: apply(loss_and_slope_array, x, target, **settings, kept=[]), random(6, 4))


@pytest.mark.task("norm_gradients")
def test_a_norm_in_blocks_has_the_same_gradients():
    """Rows of one block and of several; a row may span several axes."""
    for shape, row in (((5, 4), (4,)), ((2, 3, 4), (3, 4))):
        inputs = random(*shape), random(*row, seed=1), random(*row, seed=2)
        check_grads(lambda *inputs: apply(blocked_norm_array, *inputs, eps=0.1, kept=[]), *inputs)


@pytest.mark.task("online")
def test_tiles_give_what_a_whole_row_gives():
    """The largest score may come in any tile."""
    scores, values = 3 * random(2, 5, 9), random(2, 9, 3, seed=1)
    p = np.exp(scores)
    for cuts in ([], [4], [1, 2, 8]):
        pieces = (tile.copy() for tile in np.split(scores, cuts, axis=2))
        y, total = online(pieces, iter(np.split(values, cuts, axis=1)))
        np.testing.assert_allclose(y, p @ values / p.sum(-1, keepdims=True))
        np.testing.assert_allclose(total, np.log(p.sum(-1, keepdims=True)))


@pytest.mark.task("online")
def test_a_row_that_sees_nothing_gets_0():
    """In the first tile, in all; -inf less -inf is no number, and none may come out."""
    first, second = np.full((2, 2), -np.inf), np.array([[-np.inf, -np.inf], [0.0, -np.inf]])
    y, total = online(iter([first, second]), iter([np.ones((2, 1)), np.full((2, 1), 7.0)]))
    assert (y.tolist(), total.tolist()) == ([[0.0], [7.0]], [[np.inf], [0.0]])


@pytest.mark.task("online")
def test_tiled_attention_has_the_same_gradients(monkeypatch):
    """With tiles of two, so that even this is many; causal, and with a bias that hides."""
    monkeypatch.setattr(acceleration, "TILE", 2)
    q, k, v = random(2, 5, 3), random(2, 5, 3, seed=1), random(2, 5, 2, seed=2)
    bias = np.where(random(5, 5, seed=3) > 0.5, -np.inf, 0.0)
    for settings in ({"bias": None, "is_causal": True}, {"bias": bias, "is_causal": False}):
        check_grads(
            lambda *inputs, settings=settings: apply(
                acceleration.tiled_attention_array, *inputs, **settings, kept=[]
            ),
            *(q, k, v),
        )


@pytest.mark.task("largest")
def test_pooling_marks_the_first_of_equals():
    """Where nothing is above 0, ReLU leaves 0, and no number gets a gradient."""
    numbers = [np.array([3.0, 1.0, -2.0]), np.array([3.0, 2.0, -1.0])]
    y, taken = np.empty(3), np.empty((2, 3), bool)
    largest(iter(numbers), y)
    mark_taken(iter(numbers), y, taken)
    assert y.tolist() == [3.0, 2.0, 0.0]
    assert taken.tolist() == [[True, False, False], [False, True, False]]


@pytest.mark.task("largest")
def test_convolution_relu_and_pool_are_one():
    """Its gradient is that of the three, in blocks of images."""
    inputs = random(3, 2, 5, 6), random(3, 2, 2, 3, seed=1), random(3, seed=2)
    how = {"stride": (1, 1), "padding": (1, 0), "dilation": (1, 1), "groups": 1}
    check_grads(
        lambda *inputs: apply(acceleration.conv_pool_array, *inputs, **how, pool=(2, 2), kept=[]),
        *inputs,
    )


@pytest.mark.task("choose")
def test_only_what_is_on_is_chosen(monkeypatch):
    """A substitute answers None where it does not fit."""
    table = {
        np.add: ("attention", lambda inputs, kwargs: (np.multiply, {"out": None})),
        np.subtract: ("attention", lambda inputs, kwargs: None),
    }
    monkeypatch.setattr(acceleration, "SUBSTITUTES", table)
    assert choose(np.add, (1, 2), {}) == (np.add, {})
    with accelerate("attention"):
        assert choose(np.add, (1, 2), {}) == (np.multiply, {"out": None})
        assert choose(np.subtract, (1, 2), {"a": 1}) == (np.subtract, {"a": 1})
        assert choose(np.exp, (1,), {}) == (np.exp, {})


@pytest.mark.task("choose")
def test_backends_are_on_in_the_block_and_in_this_thread():
    """Blocks stand in each other; an error ends them too; another thread sees nothing."""
    elsewhere = []
    with pytest.raises(ArithmeticError), accelerate("attention"):
        with accelerate("layer_norm"):
            assert backends() == {"attention", "layer_norm"}
            thread = threading.Thread(target=lambda: elsewhere.append(backends()))
            thread.start()
            thread.join()
        assert backends() == {"attention"}
        raise ArithmeticError
    assert (backends(), elsewhere) == (frozenset(), [frozenset()])
    assert (set_chooser(None), set_caller(None)) == (None, None)


@pytest.mark.task("choose")
def test_a_model_is_the_same_and_runs_otherwise():
    """The recipe says what ran."""
    model, x = Sequential(Linear(3, 2), acceleration.gelu), Tensor(random(4, 3).astype(np.float32))
    plain = model(x)
    with accelerate():
        fast = model(x)
    np.testing.assert_allclose(fast.data, plain.data, rtol=1e-5)
    assert (plain.recipe.op.__name__, fast.recipe.op.__name__) == (
        "gelu_array",
        "linear_gelu_array",
    )
