"""What module 16 must do. Run it with `tito test 16`; the first sentence below a name says why."""

import math

import numpy as np
import pytest

from tinytorch.activations import relu
from tinytorch.autograd import check_grads
from tinytorch.compression import (
    SparseLinear,
    apply_masks,
    compress_rows,
    cost_of,
    distil,
    distillation_loss,
    factorize,
    low_rank,
    magnitude_masks,
    prune,
    rank_for,
    shrink,
    sparse_linear_array,
    strongest,
)
from tinytorch.convolutions import BatchNorm2d, Conv2d
from tinytorch.layers import Dropout, Flatten, Linear, Sequential
from tinytorch.optimizers import SGD
from tinytorch.tensor import Tensor, from_numpy

pytestmark = pytest.mark.filterwarnings("error")


def random(*shape, seed=0, dtype=np.float64):
    """Random numbers."""
    return np.random.default_rng(seed).normal(0, 1, shape).astype(dtype)


@pytest.mark.task("magnitude_masks")
def test_the_smallest_of_all_are_dropped():
    """By absolute value, and in whichever array they are."""
    masks = magnitude_masks([np.array([0.1, -0.4]), np.array([[-3.0, 0.2]])], 0.5)
    assert [mask.tolist() for mask in masks] == [[False, True], [[True, False]]]


@pytest.mark.task("magnitude_masks")
def test_exactly_the_share_is_dropped_even_of_equals():
    """Seven of ten, the first ones; nothing at 0, all at 1."""
    for sparsity, want in ((0.7, 3), (0.0, 10), (1.0, 0)):
        (mask,) = magnitude_masks([np.ones((2, 5))], sparsity)
        assert mask.sum() == want
    assert magnitude_masks([np.ones(3)], 0.34)[0].tolist() == [False, True, True]
    with pytest.raises(ValueError, match="sparsity"):
        magnitude_masks([np.ones(3)], 50)


@pytest.mark.task("magnitude_masks")
def test_of_many_equals_the_first_are_dropped():
    """All ones and the first ten twos; of so many equals, NumPy's default sort mixes the order."""
    (mask,) = magnitude_masks([np.tile([2.0, 1.0], (50, 1))], 0.6)
    assert not mask[:, 1].any()
    assert mask[:, 0].tolist() == [False] * 10 + [True] * 40


@pytest.mark.task("magnitude_masks")
def test_pruning_a_model_spares_biases():
    """One threshold for all weights, or one for each."""
    model = Sequential(Linear(4, 4), Linear(4, 4))
    model[0].weight.data[...], model[1].weight.data[...] = 1, 5
    masks = prune(model, 0.5)
    assert [int(mask.sum()) for mask in masks.values()] == [0, 16]
    assert [int(np.count_nonzero(layer.weight.data)) for layer in model] == [0, 16]
    assert model[0].bias.data.all() and list(masks) == ["0.weight", "1.weight"]
    masks = prune(Sequential(Linear(4, 4), Linear(4, 4)), 0.5, scope="layer")
    assert [int(mask.sum()) for mask in masks.values()] == [8, 8]


@pytest.mark.task("magnitude_masks")
def test_zeros_stay_zeros_after_a_step():
    """The optimizer moves them, and the masks put them back."""
    model = Linear(3, 2)
    masks = prune(model, 0.5)
    model(Tensor([[1.0, 2.0, 3.0]])).sum().backward()
    SGD(model.parameters(), lr=0.1).step()
    assert (model.weight.data != 0).all()
    apply_masks(model, masks)
    assert (model.weight.data != 0).tolist() == masks["weight"].tolist()


@pytest.mark.task("compress_rows")
def test_rows_are_stored_one_after_the_other():
    """Numbers, columns, starts; one byte is enough for columns up to 255."""
    values, columns, starts = compress_rows(np.array([[0.0, 5, 6], [0, 0, 0], [7, 0, 0]]))
    assert values.tolist() == [5, 6, 7] and columns.tolist() == [1, 2, 0]
    assert starts.tolist() == [0, 2, 2, 3]
    assert columns.dtype == np.uint8 and compress_rows(np.ones((1, 257)))[1].dtype == np.uint16


@pytest.mark.task("compress_rows")
def test_products_equal_those_of_the_whole_matrix():
    """With empty rows first, in the middle and last, and with none that is full."""
    weight = random(5, 4) * (random(5, 4, seed=1) > 0.3)
    weight[[0, 2, 4]] = 0
    x, bias = random(2, 3, 4, seed=2), random(5, seed=3)
    for matrix in (weight, weight[1:4], np.zeros((5, 4))):
        got = sparse_linear_array(x, *compress_rows(matrix), bias[: len(matrix)])
        np.testing.assert_allclose(got, x @ matrix.T + bias[: len(matrix)], atol=1e-12)


@pytest.mark.task("compress_rows")
def test_a_sparse_layer_takes_fewer_bytes():
    """At nine zeros of ten: five bytes for each number that is left, and the starts."""
    layer = Linear(100, 80)
    prune(layer, 0.9)
    sparse, x = SparseLinear(layer), from_numpy(random(3, 100, dtype=np.float32))
    np.testing.assert_allclose(sparse(x).data, layer(x).data, atol=1e-6)
    assert sum(b.nbytes for b in sparse.buffers()) == 800 * 5 + 81 * 2 + 80 * 4


@pytest.mark.task("strongest")
def test_the_strongest_outputs_stay():
    """Norms 5, √2 and 9: the weakest goes, and the order is kept."""
    assert strongest(np.array([[3.0, 4], [1, 1], [-9, 0]]), 2).tolist() == [0, 2]
    assert strongest(np.array([[[[1.0, 1]]], [[[0, 1.2]]]]), 1).tolist() == [0]
    with pytest.raises(ValueError, match="keep"):
        strongest(np.ones((2, 2)), 3)


@pytest.mark.task("strongest")
def test_what_is_cut_out_was_not_needed():
    """Outputs that are 0 anyway can go, and the model answers as before."""
    first, second, x = Linear(3, 6), Linear(6, 2), from_numpy(random(4, 3, dtype=np.float32))
    first.weight.data[[1, 4]] = first.bias.data[[1, 4]] = 0
    small = shrink(first, second, keep=4)
    want = second(relu(first(x))).data
    np.testing.assert_allclose(small[1](relu(small[0](x))).data, want, atol=1e-6)
    assert [layer.weight.shape for layer in (*small, first)] == [(4, 3), (2, 4), (6, 3)]
    assert (small[0].out_features, small[1].in_features) == (4, 4)


@pytest.mark.task("strongest")
def test_channels_go_with_their_norm_and_their_places():
    """Conv2d, BatchNorm2d, Flatten, Linear: each channel is four numbers of the last."""
    first, norm, second = Conv2d(1, 3, 1), BatchNorm2d(3).eval(), Linear(12, 2)
    first.weight.data[1] = first.bias.data[1] = 0
    small, small_norm, small_second = shrink(first, second, 2, norm)
    x = from_numpy(random(2, 1, 2, 2, dtype=np.float32))
    want = Sequential(first, norm, Flatten(), second)(x).data
    got = Sequential(small, small_norm, Flatten(), small_second)(x).data
    np.testing.assert_allclose(got, want, atol=1e-6)
    assert small_norm.running_mean.shape == (2,)


@pytest.mark.task("factorize")
def test_the_loss_is_the_tail_of_the_singular_values():
    """√Σ σ² of what is left out, and no other product of this rank does better."""
    weight = random(6, 4)
    sizes = np.linalg.svd(weight, compute_uv=False)
    for rank in range(1, 5):
        a, b = factorize(weight, rank)
        assert a.shape == (6, rank) and b.shape == (rank, 4)
        lost = np.linalg.norm(weight - a @ b)
        assert math.isclose(lost, np.linalg.norm(sizes[rank:]), abs_tol=1e-12)


@pytest.mark.task("factorize")
def test_the_rank_keeps_the_share():
    """Of 9 + 4 + 1: 9 is more than half, 13 more than 90 %."""
    matrix = np.diag([2.0, 3.0, 1.0])
    assert [rank_for(matrix, share) for share in (0.0, 0.5, 0.9, 1.0)] == [1, 1, 2, 3]


@pytest.mark.task("factorize")
def test_two_thin_layers_do_the_work_of_one():
    """All of it at full rank, bias included."""
    layer, x = Linear(5, 3), from_numpy(random(2, 5, dtype=np.float32))
    np.testing.assert_allclose(low_rank(layer, 3)(x).data, layer(x).data, atol=1e-6)
    assert low_rank(layer, 1)[0].weight.shape == (1, 5)


SCORES, TEACHER = Tensor([[0.0, 0.0]]), Tensor([[math.log(3), 0.0]])


@pytest.mark.task("distillation_loss")
def test_the_parts_have_their_shares():
    """All of the teacher, all of the label, and a quarter of one with the rest of the other."""
    soft = 0.75 * math.log(1.5) + 0.25 * math.log(0.5)
    for alpha in (1.0, 0.0, 0.25):
        loss = distillation_loss(SCORES, TEACHER, Tensor([1]), 1.0, alpha).item()
        assert math.isclose(loss, alpha * soft + (1 - alpha) * math.log(2), rel_tol=1e-5)


@pytest.mark.task("distillation_loss")
def test_a_temperature_softens_and_its_square_makes_up_for_it():
    """At T = 1000 the gradient is nearly that of ½ (z - v)² / C, not a millionth of it."""
    scores = Tensor(np.array([[1.0, 2.0, -3.0]]), requires_grad=True)
    teacher = Tensor(np.array([[0.5, -1.0, 0.5]]))
    distillation_loss(scores, teacher, Tensor([0]), temperature=1000.0, alpha=1.0).backward()
    np.testing.assert_allclose(scores.grad.data, (scores.data - teacher.data) / 3, rtol=0.01)


@pytest.mark.task("distillation_loss")
def test_the_student_learns_and_the_teacher_does_not():
    """Gradients are those of finite differences, and none goes to the teacher."""
    teacher, target = Tensor(random(4, 3), requires_grad=True), Tensor([0, 2, 1, 1])
    scores = Tensor(random(4, 3, seed=1))
    check_grads(lambda x: distillation_loss(x, teacher, target, 3.0, 0.6), scores)
    assert teacher.grad is None
    with pytest.raises(ValueError, match="one shape"):
        distillation_loss(scores, teacher[:1], target)


@pytest.mark.task("distillation_loss")
def test_distilling_makes_a_student_like_its_teacher():
    """In eval mode, where it drops nothing; its mode comes back."""
    x = from_numpy(random(8, 2, dtype=np.float32))
    teacher, student = Sequential(Linear(2, 3), Dropout(0.9)), Linear(2, 3)
    batch = x, Tensor(np.zeros(8, int))
    optimizer = SGD(student.parameters(), lr=0.5)
    losses = distil(student, teacher, [batch], optimizer, 200, temperature=2.0, alpha=1.0)
    assert len(losses) == 200 and losses[-1] < 0.01 * losses[0]
    assert teacher.training and teacher[1].training
    assert all(parameter.grad is None for parameter in teacher.parameters())


@pytest.mark.task("cost_of")
def test_costs_are_measured():
    """Bytes of all arrays, FLOPs of one sample, and the share of right answers."""
    layer = Linear(2, 2)
    layer.weight.data[...], layer.bias.data[...] = np.eye(2), 0
    x = Tensor([[1.0, 0.0], [0.0, 1.0], [0.5, 2.0], [3.0, 1.0]])
    cost = cost_of(layer, x, Tensor([0, 0, 1, 0]))
    assert cost == (24, 10, 0.75)
    assert cost_of(Sequential(layer, layer), x, Tensor([0, 0, 1, 0])) == (24, 20, 0.75)
