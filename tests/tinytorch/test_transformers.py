"""Norms and a whole GPT are PyTorch's; what it writes is drawn as it says, and from a seed."""

import doctest
import math
from pathlib import Path

import numpy as np
import pytest

from tests.tinytorch.oracles.transformers import NORMS, SIZES
from tinytorch import transformers
from tinytorch.autograd import check_grads
from tinytorch.layers import Linear, Sequential
from tinytorch.optimizers import Adam
from tinytorch.tensor import Tensor, from_numpy, manual_seed
from tinytorch.transformers import (
    GPT,
    FeedForward,
    GPTConfig,
    LayerNorm,
    RMSNorm,
    TransformerBlock,
    layer_norm,
    next_probabilities,
    num_parameters,
    rms_norm,
    sample,
)

pytestmark = pytest.mark.filterwarnings("error")

with np.load(Path(__file__).parent / "fixtures" / "transformers.npz") as _file:
    FIXTURE = dict(_file)

STATE = {name[6:]: array for name, array in FIXTURE.items() if name.startswith("state.")}


def tiny(seed=0, **sizes):
    """A small GPT, the same for the same seed."""
    manual_seed(seed)
    return GPT(GPTConfig(**(SIZES | sizes)))


def frozen_gpt():
    """The GPT whose scores PyTorch computed."""
    model = tiny()
    model.load_state_dict(STATE)
    return model


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", NORMS)
def test_norms_and_their_gradients_are_pytorchs(name, dtype):
    """Rows of one axis and of two, with a bias and without, with eps and its default."""
    kind, _, eps, bias = NORMS[name]
    parts = ["weight", "bias"][: 1 + bias]
    x, *parameters = (
        Tensor(array.astype(dtype), requires_grad=True)
        for array in (FIXTURE["x"], *[FIXTURE[f"{name}.{part}"] for part in parts])
    )
    y = getattr(transformers, kind)(x, *parameters, eps=eps)
    y.backward(FIXTURE["g"].astype(dtype))
    close = {"rtol": 1e-10, "atol": 1e-10} if dtype == np.float64 else {"rtol": 2e-5, "atol": 5e-6}
    assert y.dtype == dtype
    np.testing.assert_allclose(y.data, FIXTURE[f"{name}.y"], **close)
    for part, tensor in zip(["x", *parts], [x, *parameters], strict=True):
        np.testing.assert_allclose(tensor.grad.data, FIXTURE[f"{name}.{part}.grad"], **close)


@pytest.mark.parametrize("shape", [(1, 5), (3, 5), (2, 3, 5), (2, 0, 5), (5,)])
def test_norms_against_finite_differences(shape):
    """One row, several, none; the gradient of each input."""
    rng = np.random.default_rng(0)
    x, weight, bias = rng.normal(1, 2, shape), rng.normal(0, 1, 5), rng.normal(0, 1, 5)
    check_grads(layer_norm, x, weight, bias)
    check_grads(layer_norm, x, weight)
    check_grads(rms_norm, x, weight)


def test_a_norm_survives_a_large_mean():
    """The variance of 10,000 and a bit is not that of rounding: the mean is subtracted first."""
    x = np.random.default_rng(0).normal(0, 1, (4, 64)).astype(np.float32)
    ones = Tensor(np.ones(64, np.float32))
    far = layer_norm(Tensor(x + np.float32(10_000)), ones).data
    np.testing.assert_allclose(far, layer_norm(Tensor(x), ones).data, atol=2e-3)


@pytest.mark.parametrize("norm", [layer_norm, rms_norm])
def test_norms_refuse_what_does_not_fit(norm):
    """Ints, arrays, two dtypes, rows of another size."""
    x, weight = Tensor(np.ones((2, 3))), Tensor(np.ones(3))
    for wrong in (np.ones((2, 3)), Tensor([[1, 2, 3]]), Tensor(np.ones((2, 3), np.float32))):
        with pytest.raises(TypeError, match=f"{norm.__name__}: expected Tensors of one floating"):
            norm(wrong, weight)
    for wrong in (Tensor(np.ones((3, 2))), Tensor(np.ones(())), Tensor(np.ones((2, 4)))):
        with pytest.raises(ValueError, match=rf"{norm.__name__}: expected x \(\.\.\., 3\)"):
            norm(wrong, weight)
    with pytest.raises(ValueError, match="expected a bias"):
        layer_norm(x, weight, Tensor(np.ones(2)))


def test_norm_layers_have_pytorchs_names_and_starts():
    """weight of ones, bias of zeros or none."""
    layer = LayerNorm((2, 3))
    assert {name: p.tolist() for name, p in layer.state_dict().items()} == {
        "weight": [[1.0] * 3] * 2,
        "bias": [[0.0] * 3] * 2,
    }
    assert list(LayerNorm(3, bias=False).state_dict()) == ["weight"]
    assert list(RMSNorm(3).state_dict()) == ["weight"]
    x = Tensor([[1.0, 2.0, 6.0]])
    assert LayerNorm(3)(x).tolist() == layer_norm(x, LayerNorm(3).weight).tolist()
    assert RMSNorm(3, eps=0.5)(x).tolist() == rms_norm(x, RMSNorm(3).weight, 0.5).tolist()
    for wrong in (0, (), (3, -1)):
        with pytest.raises(ValueError, match="expected sizes"):
            LayerNorm(wrong)


def test_pytorchs_weights_give_pytorchs_scores_loss_and_gradients():
    """A model of nn.Embedding, nn.LayerNorm, nn.MultiheadAttention and nn.Linear, name by name."""
    model, ids = frozen_gpt(), FIXTURE["ids"]
    assert {name: x.shape for name, x in model.state_dict().items()} == {
        name: x.shape for name, x in STATE.items()
    }
    x, targets = Tensor(ids[:, :-1]), Tensor(ids[:, 1:])
    np.testing.assert_allclose(model(x).data, FIXTURE["scores"], rtol=1e-5, atol=1e-5)
    loss = model.loss(x, targets)
    assert loss.item() == pytest.approx(float(FIXTURE["loss"]), rel=1e-6)
    loss.backward()
    for name, parameter in model.named_parameters():
        close = {"rtol": 1e-4, "atol": 1e-5}
        np.testing.assert_allclose(parameter.grad.data, FIXTURE[f"grad.{name}"], **close)


def test_no_place_sees_what_comes_after_it():
    """Changing the id at place 3 leaves the scores at 0, 1 and 2 as they are, to the bit."""
    model, ids = frozen_gpt(), FIXTURE["ids"][:1, :6]
    other = ids.copy()
    other[0, 3] = (ids[0, 3] + 1) % SIZES["vocab_size"]
    a, b = model(Tensor(ids)).data[0], model(Tensor(other)).data[0]
    np.testing.assert_array_equal(a[:3], b[:3])
    assert (a[3:] != b[3:]).any(axis=1).all()
    block, rng = TransformerBlock(8, 2), np.random.default_rng(0)
    x = rng.normal(0, 1, (2, 5, 8)).astype(np.float32)
    y = x.copy()
    y[:, -1] += 1
    assert (block(Tensor(x)).data != block(Tensor(y)).data)[:, :-1].sum() == 0
    free = (block(Tensor(v), is_causal=False).data for v in (x, y))
    assert (np.subtract(*free)[:, :-1] != 0).any()


@pytest.mark.parametrize("vocab_size", [27, 65, 1000])
def test_an_untrained_model_knows_nothing(vocab_size):
    """Its loss is that of a blind guess, ln V, within 2 %."""
    model = tiny(vocab_size=vocab_size, n_layer=4, n_embd=64, n_head=4, block_size=32)
    ids = np.random.default_rng(0).integers(0, vocab_size, (8, 33))
    loss = model.loss(Tensor(ids[:, :-1]), Tensor(ids[:, 1:])).item()
    assert loss == pytest.approx(math.log(vocab_size), rel=0.02)


def test_the_start_is_gpt_2s():
    """0.02 for every matrix, less for those that end a branch; norms 1, biases 0."""
    model = tiny(n_layer=8, n_embd=64, vocab_size=200, block_size=50)
    for name, parameter in model.named_parameters():
        if parameter.ndim == 2:
            narrow = "out_proj" in name or "down" in name
            want = 0.02 / 4 if narrow else 0.02
            assert parameter.data.std() == pytest.approx(want, rel=0.06), name
            assert abs(parameter.data.mean()) < want / 5, name
        else:
            assert (parameter.data == (0 if "bias" in name else 1)).all(), name
    same = tiny(n_layer=8, n_embd=64, vocab_size=200, block_size=50)
    np.testing.assert_array_equal(
        same.token_embedding.weight.data, model.token_embedding.weight.data
    )


def test_weights_are_tied_and_counted_once():
    """One matrix reads ids and scores them; its gradient has both parts."""
    model = tiny()
    sizes = {name: p.size for name, p in model.named_parameters()}
    assert num_parameters(model) == sum(sizes.values()) == 8 * (11 + 6) + 2 * 872 + 16
    assert not [name for name in sizes if "head" in name]
    ids = Tensor(np.array([[1, 2, 3]]))
    model.loss(ids, Tensor(np.array([[2, 3, 4]]))).backward()
    rows = np.abs(model.token_embedding.weight.grad.data).sum(axis=1)
    assert (rows > 0).all()  # 1, 2, 3 were read; all 11 were scored
    layer = Linear(3, 4)
    assert num_parameters(Sequential(layer, layer)) == 16


def test_a_block_is_pre_norm_with_two_branches():
    """x + attention(norm1(x)), then + feed_forward(norm2(·)), spelled out; dropout in both."""
    manual_seed(3)
    block, x = TransformerBlock(8, 2), Tensor(np.random.default_rng(1).normal(0, 1, (2, 4, 8)))
    x = x.astype(np.float32)
    h = x + block.attention(block.norm1(x), is_causal=True)
    want = h + block.feed_forward(block.norm2(h))
    np.testing.assert_allclose(block(x).data, want.data, rtol=1e-6, atol=1e-6)
    silent = TransformerBlock(8, 2, dropout=1.0)
    np.testing.assert_array_equal(silent(x).data, x.data)
    assert (silent.eval()(x).data != x.data).any()
    assert FeedForward(8).up.out_features == 32
    assert TransformerBlock(8, 2, hidden_dim=5).feed_forward.up.out_features == 5


def test_it_learns_a_sequence_by_heart():
    """A few steps of Adam bring the loss of one sequence from ln V to nearly nothing."""
    model = tiny()
    ids = FIXTURE["ids"]
    x, targets = Tensor(ids[:1, :-1]), Tensor(ids[:1, 1:])
    optimizer = Adam(model.parameters(), lr=0.02)
    for _ in range(60):
        optimizer.zero_grad()
        model.loss(x, targets).backward()
        optimizer.step()
    assert model.loss(x, targets).item() < 0.05
    written = model.generate(x[:, :1], SIZES["block_size"], temperature=0)
    assert written.tolist() == ids[:1].tolist()


def test_targets_of_minus_100_do_not_count():
    """As in cross_entropy; the rest is averaged over what counts."""
    model, ids = frozen_gpt(), FIXTURE["ids"]
    x, targets = Tensor(ids[:1, :-1]), ids[:1, 1:].copy()
    targets[0, 2:] = -100
    want = model.loss(x[:, :2], Tensor(targets[:, :2])).item()
    assert model.loss(x, Tensor(targets)).item() == pytest.approx(want, rel=1e-5)


def naive_write(model, ids, count, choose):
    """Write on by the plain forward of the last ids, one sequence alone."""
    ids = list(ids)
    for _ in range(count):
        scores = model(Tensor(np.array([ids[-model.config.block_size :]]))).data[0, -1]
        ids.append(int(choose(scores)))
    return ids


def test_greedy_writing_takes_the_largest_score_and_crops_the_context():
    """Longer than block_size, and each row by itself."""
    model, ids = frozen_gpt(), FIXTURE["ids"][:2, :3]
    written = model.generate(Tensor(ids), 9, temperature=0)
    assert written.shape == (2, 12) and written.dtype == np.int64
    assert written.tolist() == [naive_write(model, row, 9, np.argmax) for row in ids.tolist()]
    assert model.generate(Tensor(ids), 0).tolist() == ids.tolist()


def test_writing_is_the_same_under_the_same_seed():
    """Another seed, or the framework's own numbers, lead elsewhere; only the latter move on."""
    model, ids = frozen_gpt(), Tensor(FIXTURE["ids"][:1, :2])
    one, same, other = (model.generate(ids, 20, seed=seed).tolist() for seed in (5, 5, 6))
    assert one == same != other
    manual_seed(5)
    first, second = (model.generate(ids, 20).tolist() for _ in range(2))
    assert first != second
    manual_seed(5)
    model.generate(ids, 4, seed=9)
    assert model.generate(ids, 20).tolist() == first


def test_writing_leaves_the_model_as_it_was():
    """Modes come back, each module's own; no gradients, no dropout meanwhile."""
    model = tiny(dropout=0.9)
    model.blocks[0].eval()
    modes = [module.training for module in model.modules()]
    one, two = (model.generate(Tensor([[1, 2]]), 8, temperature=0).tolist() for _ in range(2))
    assert one == two
    assert [module.training for module in model.modules()] == modes
    assert not model.generate(Tensor([[1, 2]]), 1).requires_grad
    with pytest.raises(IndexError):
        model.generate(Tensor([[1, 99]]), 1)
    assert [module.training for module in model.modules()] == modes


def reference_probabilities(scores, temperature, top_k, top_p):
    """One row, in plain Python and float64."""
    weights = [math.exp(s / temperature) for s in scores]
    chances = {i: w / sum(weights) for i, w in enumerate(weights)}
    ranked = sorted(chances, key=lambda i: (-chances[i], i))
    if top_k is not None:
        ranked = ranked[:top_k]
    total, kept = sum(chances[i] for i in ranked), []
    for i in ranked:
        if top_p is None or sum(chances[j] for j in kept) / total < top_p:
            kept.append(i)
    total = sum(chances[i] for i in kept)
    return [chances[i] / total if i in kept else 0.0 for i in range(len(scores))]


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5])
@pytest.mark.parametrize("top_k", [None, 1, 3, 50])
@pytest.mark.parametrize("top_p", [None, 1e-9, 0.4, 0.8, 1.0])
def test_probabilities_are_those_of_the_definition(temperature, top_k, top_p):
    """Every combination, against a reference that ranks and adds up one by one."""
    scores = np.random.default_rng(4).normal(0, 2, (5, 7))
    want = [reference_probabilities(row, temperature, top_k, top_p) for row in scores.tolist()]
    given = scores.copy()
    np.testing.assert_allclose(
        next_probabilities(scores, temperature, top_k, top_p), want, rtol=1e-9, atol=1e-12
    )
    np.testing.assert_array_equal(scores, given)


def test_ties_and_extremes():
    """Temperature 0 takes the first of equals, top_k keeps equals, nothing overflows."""
    scores = np.array([[1.0, 3.0, 3.0, 2.0]], np.float32)
    assert next_probabilities(scores, 0).tolist() == [[0, 1, 0, 0]]
    assert next_probabilities(scores, top_k=1).tolist() == [[0, 0.5, 0.5, 0]]
    assert next_probabilities(scores, top_k=2).dtype == np.float32
    assert next_probabilities(np.zeros((1, 4)), top_p=0.5).tolist() == [[0.5, 0.5, 0, 0]]
    for dtype, tiny in ((np.float32, 1e-39), (np.float64, 5e-324)):  # 1 / tiny is infinite there
        with np.errstate(over="ignore"):
            assert next_probabilities(scores.astype(dtype), tiny).tolist() == [[0, 0.5, 0.5, 0]]
    large = np.array([[1000.0, -1000.0]], np.float32)
    assert next_probabilities(large, 0.01).tolist() == [[1, 0]]
    for wrong in ((-1.0, None, None), (math.nan, None, None), (1.0, 0, None), (1.0, None, 0.0)):
        with pytest.raises(ValueError, match="expected"):
            next_probabilities(scores, *wrong)


def test_samples_come_as_often_as_they_should():
    """Of 40,000 draws each id's share is within four deviations; what has no chance never comes."""
    chances = np.array([0.1, 0.0, 0.6, 0.3])
    drawn = sample(np.tile(chances, (40_000, 1)), np.random.default_rng(0))
    shares = np.bincount(drawn, minlength=4) / len(drawn)
    assert (np.abs(shares - chances) <= 4 * np.sqrt(chances * (1 - chances) / len(drawn))).all()
    assert drawn.dtype == np.int64

    class Edge:
        """A generator at the ends of its range."""

        def __init__(self, u):
            self.u = u

        def random(self, size):
            return np.full(size, self.u)

    assert sample(np.array([[0.0, 0.5, 0.5, 0.0]]), Edge(0.0)).tolist() == [1]
    assert sample(np.array([[0.0, 0.5, 0.5, 0.0]]), Edge(1 - 2**-53)).tolist() == [2]
    thirds = np.full((1, 3), 1 / 3, np.float32)
    assert sample(thirds * 0.999, Edge(1 - 2**-53)).tolist() == [2]


@pytest.mark.parametrize(
    "wrong", [dict(vocab_size=0), dict(n_layer=0), dict(n_head=3), dict(n_embd=-8)]
)
def test_a_config_refuses_sizes_that_make_no_model(wrong):
    """In one place, before anything is built."""
    with pytest.raises(ValueError, match="GPTConfig: expected"):
        GPTConfig(**(SIZES | wrong))


def test_gpt_refuses_what_it_cannot_read():
    """More places than it has, none, one axis, ids that are none, floats."""
    model = tiny()
    for wrong in (np.zeros((1, 7), int), np.zeros((1, 0), int), np.zeros(3, int)):
        with pytest.raises(ValueError, match=r"GPT: expected ids \(B, T\) with T from 1 to 6"):
            model(from_numpy(wrong))
    with pytest.raises(ValueError, match="generate: expected ids"):
        model.generate(from_numpy(np.zeros((1, 0), int)), 1)
    with pytest.raises(IndexError, match="expected ids from 0 to 10"):
        model(Tensor([[11]]))
    with pytest.raises(TypeError):
        model(Tensor([[1.0]]))
    with pytest.raises(ValueError, match="loss: expected targets"):
        model.loss(Tensor([[1, 2]]), Tensor([[1]]))


def test_examples_in_docstrings():
    """Every worked example holds."""
    result = doctest.testmod(transformers)
    assert result.failed == 0 < result.attempted


def test_the_last_place_alone_is_what_features_say_of_it():
    """With less work: the other places of the last block are only looked at."""
    manual_seed(0)
    model = GPT(GPTConfig(vocab_size=11, block_size=6, n_layer=2, n_head=2, n_embd=8)).eval()
    for length in (1, 2, 6):
        ids = Tensor(np.random.default_rng(length).integers(0, 11, (3, length)))
        whole, last = model.features(ids), model.last_features(ids)
        assert last.shape == (3, 8)
        np.testing.assert_allclose(last.detach().numpy(), whole.detach().numpy()[:, -1], atol=1e-6)
