"""Smaller models are smaller by nbytes, answer as they should, and students learn from teachers."""

import doctest
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

import tinytorch as tt
from tinytorch import compression
from tinytorch.compression import (
    Cost,
    SparseLinear,
    apply_masks,
    compress_rows,
    cost_of,
    distil,
    distillation_loss,
    factorize,
    fit,
    low_rank,
    magnitude_masks,
    prune,
    rank_for,
    shrink,
    shrink_model,
    sparse_linear_array,
    strongest,
)
from tinytorch.layers import Linear, Sequential
from tinytorch.tensor import Tensor, from_numpy, manual_seed

pytestmark = pytest.mark.filterwarnings("error")
DIGITS = Path(__file__).parents[2] / "milestones" / "data" / "digits.npz"


@pytest.fixture(scope="module")
def digits():
    """Images and classes in an order of their own: 1400 to learn from, the rest to be asked."""
    with np.load(DIGITS) as file:
        x, y = file["images"].reshape(-1, 64), file["digits"]
    order = np.random.default_rng(0).permutation(len(x))
    return (x[order] / 16).astype(np.float32), y[order]


class Batches:
    """Batches of 32, shuffled anew in each epoch."""

    def __init__(self, x, y, seed):
        """Take all that there is to learn from."""
        self.x, self.y, self.rng = x, y, np.random.default_rng(seed)

    def __iter__(self):
        """Go through one epoch."""
        order = self.rng.permutation(len(self.x))
        for start in range(0, len(order), 32):
            rows = order[start : start + 32]
            yield from_numpy(self.x[rows]), from_numpy(self.y[rows])


def network(hidden, seed):
    """A network of two layers."""
    manual_seed(seed)
    return Sequential(Linear(64, hidden), tt.relu, Linear(hidden, 10))


def train(model, x, y, epochs, seed=0, after=None):
    """Train it by its labels alone."""
    optimizer = tt.Adam(model.parameters(), lr=0.01)
    loss = lambda a, b: tt.cross_entropy(model(a), b)  # noqa: E731
    list(fit(loss, Batches(x, y, seed), optimizer, epochs, after))
    return model


@pytest.fixture(scope="module")
def teacher(digits):
    """A network of 64 hidden numbers that has seen 1400 digits."""
    x, y = digits
    return train(network(64, 0), x[:1400], y[:1400], 8)


def test_distillation_beats_training_alone_over_five_seeds(digits, teacher):
    """A hundred labels for 16 hidden numbers: the same images, batches and first weights."""
    x, y = digits
    test = from_numpy(x[1400:]), from_numpy(y[1400:])
    assert cost_of(teacher, *test).accuracy > 0.95
    alone, taught = [], []
    for seed in range(5):
        few = np.random.default_rng(seed).permutation(1400)[:100]
        student = train(network(16, seed), x[few], y[few], 60, seed)
        alone.append(cost_of(student, *test).accuracy)
        student = network(16, seed)
        optimizer = tt.Adam(student.parameters(), lr=0.01)
        distil(student, teacher, Batches(x[few], y[few], seed), optimizer, 60, 4.0, 0.9)
        taught.append(cost_of(student, *test).accuracy)
    assert np.mean(taught) > np.mean(alone) + 0.02
    assert sum(a < b for a, b in zip(alone, taught, strict=True)) >= 4


def test_a_pruned_network_learns_again_and_stays_sparse(digits, teacher):
    """Nine of ten weights go; what is left is stored, and answers the same."""
    x, y = digits
    test = from_numpy(x[1400:]), from_numpy(y[1400:])
    model = network(64, 0)
    model.load_state_dict(teacher.state_dict())
    masks = prune(model, 0.9)
    hurt = cost_of(model, *test).accuracy
    train(model, x[:1400], y[:1400], 4, after=lambda: apply_masks(model, masks))
    healed, before = cost_of(model, *test), cost_of(teacher, *test)
    assert hurt < healed.accuracy and healed.accuracy > before.accuracy - 0.05
    assert all((model.state_dict()[n].data[~mask] == 0).all() for n, mask in masks.items())
    sparse = Sequential(*[SparseLinear(one) if isinstance(one, Linear) else one for one in model])
    stored = cost_of(sparse, *test)
    assert stored.accuracy == pytest.approx(healed.accuracy, abs=0.003)
    assert stored.nbytes < 0.2 * before.nbytes and stored.flops < 0.2 * before.flops


@pytest.mark.parametrize("shape", [(1, 1), (5, 7), (40, 300), (3, 70000)], ids=str)
@pytest.mark.parametrize("density", [0.0, 0.1, 1.0])
def test_products_of_stored_rows_are_those_of_the_matrix(shape, density):
    """In float64, for no, one and many rows of x."""
    rng = np.random.default_rng(1)
    weight = rng.normal(0, 1, shape) * (rng.random(shape) < density)
    matrix = compress_rows(weight)
    for lead in ((), (0,), (3,), (2, 2)):
        x = rng.normal(0, 1, (*lead, shape[1]))
        y = sparse_linear_array(x, *matrix, None)
        np.testing.assert_allclose(y, x @ weight.T, atol=1e-9)
    assert [int(n) for n in matrix[2][[0, -1]]] == [0, np.count_nonzero(weight)]


def test_products_of_stored_rows_take_little_memory():
    """256 rows and 26,214 numbers are 27 MB of products; the answer is half a megabyte."""
    rng = np.random.default_rng(0)
    weight, x = (rng.normal(0, 1, (n, 512)).astype(np.float32) for n in (512, 256))
    weight[magnitude_masks([weight], 0.1)[0]] = 0
    matrix = compress_rows(weight)
    tracemalloc.start()
    try:
        y = sparse_linear_array(x, *matrix, None)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2e6
    np.testing.assert_allclose(y, x @ weight.T, atol=1e-4)


def test_stored_rows_are_those_of_scipy():
    """Its CSR has the same three arrays."""
    sparse = pytest.importorskip("scipy.sparse")
    rng = np.random.default_rng(2)
    weight = rng.normal(0, 1, (6, 9)) * (rng.random((6, 9)) < 0.3)
    theirs = sparse.csr_matrix(weight)
    for ours, other in zip(
        compress_rows(weight), (theirs.data, theirs.indices, theirs.indptr), strict=True
    ):
        assert (ours == other).all()


def test_a_sparse_layer_has_a_state_and_refuses_other_sizes():
    """And counts what it computes: a product and a sum for each number, and the bias."""
    layer = Linear(6, 4)
    prune(layer, 0.5)
    sparse, x = SparseLinear(layer), tt.randn(3, 6)
    assert list(sparse.state_dict()) == ["values", "columns", "starts", "bias"]
    with tt.Profiler() as profile:
        sparse(x)
    assert profile.flops == 3 * (2 * 12 + 4) and not profile.uncounted
    with pytest.raises(ValueError, match=r"expected x \(\.\.\., 6\), got \(3, 5\)"):
        sparse(tt.randn(3, 5))
    layer.weight.data[...] = 0
    assert (sparse(x).data != 0).any()


@pytest.mark.parametrize("share", [0.25, 0.5, 1.0])
def test_a_convolutional_network_shrinks_and_learns_on(share):
    """Channels, their norms and the numbers of a flattened image go together."""
    manual_seed(0)
    model = Sequential(
        *(tt.Conv2d(1, 8, 3, padding=1), tt.BatchNorm2d(8), tt.relu, tt.MaxPool2d(2)),
        *(tt.Conv2d(8, 12, 3, padding=1), tt.relu, tt.Flatten(), Linear(12 * 16, 10)),
    )
    x = tt.randn(5, 1, 8, 8)
    model(x)  # moves the running moments
    small = shrink_model(model, share)
    assert [small[i].weight.shape[0] for i in (0, 1, 4)] == [8 * share, 8 * share, 12 * share]
    assert small[7].weight.shape == (10, 12 * share * 16)
    if share == 1:
        np.testing.assert_allclose(small.eval()(x).data, model.eval()(x).data, atol=1e-6)
    y = small.train()(x)
    y.sum().backward()
    assert y.shape == (5, 10) and model[0].weight.grad is None
    target = Tensor([0] * 5)
    assert share == 1 or cost_of(small, x, target).flops < cost_of(model, x, target).flops


@pytest.mark.parametrize(
    ("between", "got"),
    [
        ([Sequential(Linear(4, 4), tt.relu)], "Sequential"),
        ([tt.LayerNorm(4)], "LayerNorm"),
        ([tt.BatchNorm1d(4), tt.relu, tt.BatchNorm1d(4)], "BatchNorm1d and BatchNorm1d"),
        ([Sequential(tt.BatchNorm1d(4, affine=False, track_running_stats=False))], "Sequential"),
    ],
    ids=["nested", "norm", "two norms", "norm without numbers"],
)
def test_layers_between_that_would_no_longer_fit_are_refused(between, got):
    """They were made for all channels: what came back would fail when it is called."""
    model = Sequential(Linear(3, 4), *between, Linear(4, 2))
    assert model(tt.randn(5, 3)).shape == (5, 2)
    with pytest.raises(ValueError, match=f"shrink_model: .* got {got}:"):
        shrink_model(model, 0.5)


def test_layers_between_without_numbers_stay_and_norms_must_fit():
    """Activations and what is nested of them; but a norm that comes after Flatten has places."""
    model = Sequential(Linear(3, 4), Sequential(tt.ReLU(), tt.Dropout(0.5)), Linear(4, 2))
    assert shrink_model(model, 0.5)(tt.randn(5, 3)).shape == (5, 2)
    flat = [tt.Conv2d(1, 2, 1), tt.Flatten(), tt.BatchNorm1d(8), Linear(8, 2)]
    with pytest.raises(ValueError, match="a norm for 2 outputs, got BatchNorm1d"):
        shrink_model(Sequential(*flat), 0.5)


def test_shrinking_changes_nothing_that_was_given():
    """Not a number, not the random generator, and no memory is shared."""
    first, second = Linear(3, 6), Linear(6, 2)
    before = [p.data.copy() for layer in (first, second) for p in layer.parameters()]
    manual_seed(1)
    drawn = tt.tensor.default_generator().random()
    manual_seed(1)
    for layer in shrink(first, second, 6):
        for p in layer.parameters():
            p.data[...] = 9
    assert tt.tensor.default_generator().random() == drawn
    after = [p.data for layer in (first, second) for p in layer.parameters()]
    assert all((a == b).all() for a, b in zip(before, after, strict=True))


def test_factors_are_the_best_of_their_rank():
    """Their loss is the tail of the singular values; a random product of this rank loses more."""
    rng = np.random.default_rng(3)
    weight = rng.normal(0, 1, (8, 5))
    sizes = np.linalg.svd(weight, compute_uv=False)
    for rank in range(1, 6):
        a, b = factorize(weight, rank)
        lost = ((weight - a @ b) ** 2).sum()
        assert lost == pytest.approx((sizes[rank:] ** 2).sum(), abs=1e-12)
        shaken = a + 0.01 * rng.normal(0, 1, a.shape)
        assert ((weight - shaken @ b) ** 2).sum() > lost
        assert rank_for(weight, (sizes[:rank] ** 2).sum() / (sizes**2).sum()) == rank
    assert factorize(weight.astype(np.float32), 2)[0].dtype == np.float32


def test_low_rank_layers_take_what_they_promise():
    """rank · (in + out) weights, and the bias once."""
    thin = low_rank(Linear(100, 50), 10)
    assert tt.num_parameters(thin) == 10 * 150 + 50
    assert thin[0].bias is None and (thin[0].out_features, thin[1].in_features) == (10, 10)
    assert low_rank(Linear(4, 3, bias=False), 2)[1].bias is None


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
def test_the_distillation_loss_is_pytorchs_kl_div_and_cross_entropy(temperature):
    """kl_div(log q, p, batchmean) T² alpha + (1 - alpha) cross-entropy, by hand in float64."""
    rng = np.random.default_rng(4)
    z, v, target = rng.normal(0, 3, (6, 4)), rng.normal(0, 3, (6, 4)), rng.integers(0, 4, 6)

    def softmax(x):
        e = np.exp(x - x.max(1, keepdims=True))
        return e / e.sum(1, keepdims=True)

    p, q = softmax(v / temperature), softmax(z / temperature)
    soft = (p * np.log(p / q)).sum(1).mean()
    hard = -np.log(softmax(z)[np.arange(6), target]).mean()
    got = distillation_loss(*map(Tensor, (z, v, target)), temperature, 0.3).item()
    assert got == pytest.approx(0.3 * temperature**2 * soft + 0.7 * hard, rel=1e-12)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: magnitude_masks([np.ones(2)], 1.1), "sparsity: expected a share from 0 to 1"),
        (lambda: magnitude_masks([np.ones(2)], float("nan")), "sparsity"),
        (lambda: prune(Linear(2, 2), 0.5, "row"), '"global" or "layer", got \'row\''),
        (lambda: strongest(np.ones((3, 2)), 0), "keep: expected 1 to 3 outputs, got 0"),
        (lambda: shrink(Linear(2, 3), Linear(4, 2), 1), "inputs for 3 outputs"),
        (lambda: shrink(tt.Conv2d(4, 4, 1, groups=2), Linear(4, 2), 1), "without groups"),
        (lambda: factorize(np.ones((3, 2)), 3), "rank: expected 1 to 2, got 3"),
        (lambda: rank_for(np.ones((3, 2)), 2), "share: expected 0 to 1"),
    ],
)
def test_what_cannot_be_done_is_refused(call, message):
    """In one line that says what would do."""
    with pytest.raises(ValueError, match=message):
        call()


def test_masks_of_other_models_are_refused_and_none_prune_nothing():
    """A name that is no parameter's; a model without weights."""
    with pytest.raises(KeyError):
        apply_masks(Linear(2, 2), {"0.weight": np.ones((2, 2), bool)})
    assert prune(tt.LayerNorm(3), 0.5) == {}
    assert list(prune(tt.LayerNorm((2, 3)), 0.5)) == ["weight", "bias"]


def test_rounding_costs_no_rank():
    """Of all squares the last sum may be short by a bit, in some matrices: argmax would say 1."""
    for sizes in np.random.default_rng(0).uniform(1, 2, (64, 32)):
        assert rank_for(np.diag(sizes), 1.0) == 32


def test_operations_without_a_counter_have_no_cost_that_could_be_told():
    """They are named, and not taken for free."""

    def doubled(x):
        return 2 * x

    model = Sequential(Linear(2, 2), lambda x: tt.tensor.apply(doubled, x))
    with pytest.raises(ValueError, match="cost_of: .* got doubled: give each a counter"):
        cost_of(model, tt.randn(3, 2), Tensor([0, 1, 0]))


def test_costs_compare_in_one_line():
    """Shares of bytes and FLOPs, and the points that are lost."""
    line = Cost(50, 10, 0.9).against(Cost(200, 40, 0.95))
    assert line == "25% of the bytes, 25% of the FLOPs, -5.0 points"


def test_examples_in_docstrings():
    """Every worked example holds."""
    result = doctest.testmod(compression)
    assert result.failed == 0 < result.attempted
