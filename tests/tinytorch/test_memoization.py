"""Scores with a cache are PyTorch's without one; a token is read once; nothing else is changed."""

import doctest
from pathlib import Path

import numpy as np
import pytest

from tests.tinytorch.oracles.transformers import SIZES
from tinytorch import memoization
from tinytorch.layers import Linear, linear_array
from tinytorch.memoization import (
    Folded,
    KVCache,
    cached_scores,
    generate_cached,
    kv_bytes,
    window_start,
)
from tinytorch.tensor import Tensor, default_generator, from_numpy, manual_seed, rand, set_runner
from tinytorch.transformers import GPT, GPTConfig

pytestmark = pytest.mark.filterwarnings("error")

with np.load(Path(__file__).parent / "fixtures" / "transformers.npz") as _file:
    FIXTURE = dict(_file)
IDS = FIXTURE["ids"][:, :-1]  # (3, 6)


def pytorchs():
    """The model that PyTorch's answers are of."""
    model = GPT(GPTConfig(**SIZES))
    state = {n[6:]: x for n, x in FIXTURE.items() if n.startswith("state.")}
    model.load_state_dict({n: x for n, x in state.items() if n in model.state_dict()})
    return model


def noisy(block_size=8, **sizes):
    """A model of ours with numbers in all parameters."""
    sizes = {"vocab_size": 13, "n_layer": 2, "n_head": 2, "n_embd": 8} | sizes
    model, rng = GPT(GPTConfig(block_size=block_size, **sizes)), np.random.default_rng(7)
    for parameter in model.parameters():
        parameter.data[...] = rng.normal(0, 0.4, parameter.shape)
    return model


def by_cache(model, ids, cache):
    """Return a reader of arrays."""
    return cached_scores(model, from_numpy(ids), cache).data


def by_folding(model, ids, cache):
    """Return the last place only, as it does."""
    return Folded(model).scores(ids, cache)[:, None]


@pytest.mark.parametrize("read", [by_cache, by_folding])
@pytest.mark.parametrize("cuts", [[1, 2, 3, 4, 5], [3], [2, 3], []], ids=str)
def test_scores_at_every_place_are_pytorchs(read, cuts):
    """To 1e-5, of three texts at once, in parts of any length."""
    model = pytorchs()
    cache = KVCache.of(model, 3)
    for begin, end in zip([0, *cuts], [*cuts, 6], strict=True):
        got = read(model, IDS[:, begin:end], cache)
        want = FIXTURE["scores"][:, end - got.shape[1] : end]
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-5)
        assert cache.lengths == [end] * 2


def test_both_ways_of_reading_share_a_cache():
    """Folding changes queries, and neither keys nor values."""
    model = noisy()
    caches = [KVCache.of(model, 3) for _ in range(2)]
    ids = IDS % 13
    by_cache(model, ids[:, :4], caches[0])
    by_folding(model, ids[:, :4], caches[1])
    np.testing.assert_allclose(caches[0].both, caches[1].both, atol=2e-6)
    one, other = by_folding(model, ids[:, 4:], caches[0]), by_cache(model, ids[:, 4:], caches[1])
    np.testing.assert_allclose(one[:, -1], other[:, -1], atol=1e-5)


def test_large_scores_of_a_folded_model_stay_numbers():
    """Keys that bet everything on one place, to the float's limit."""
    model = noisy()
    for block in model.blocks:
        block.attention.in_proj_weight.data[...] *= 1e4
    want = model(Tensor(IDS % 13)).data[:, -1]
    np.testing.assert_allclose(by_folding(model, IDS % 13, KVCache.of(model, 3))[:, 0], want, 1e-3)


@pytest.mark.parametrize("shift", [-12.0, 0.0, 12.0])
def test_scores_far_from_0_are_read_with_care(shift):
    """Softmax is the same for scores of ±288 and more, whose exponentials are 0 or infinite."""
    model = noisy()
    for block in model.blocks:
        queries, keys, _ = np.split(block.attention.in_proj_bias.data, 3)
        queries += abs(shift)
        keys += shift
    folded, cache = Folded(model), KVCache.of(model, 3)
    for begin, end in ((0, 5), (5, 6)):
        got = folded.scores(IDS[:, begin:end] % 13, cache)
        want = model(Tensor(IDS[:, :end] % 13)).data[:, -1]
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-3 if shift else 1e-5)
    assert all(harmless == (not shift) for *_, harmless in folded.blocks)


def test_no_score_exceeds_its_bound_and_some_reach_it():
    """Of a million pairs of rows of length 1; without biases, of the two that are worst."""
    heads, rng = 2, np.random.default_rng(0)
    ask = rng.normal(size=(9, 24))
    rows = rng.normal(size=(1000, 8))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)

    def scores(rows):
        q, k, _ = np.split(np.concatenate([rows, np.ones((len(rows), 1))], 1) @ ask, 3, 1)
        return [a @ b.T for a, b in zip(np.split(q, heads, 1), np.split(k, heads, 1), strict=True)]

    largest = np.abs(scores(rows)).max()
    assert largest < memoization.largest_score(ask, heads) < 2 * largest
    ask[-1] = 0
    q, k, _ = (np.split(part, heads, axis=1) for part in np.split(ask[:-1], 3, axis=1))
    worst = [np.linalg.svd(a @ b.T) for a, b in zip(q, k, strict=True)]
    reached = [scores(np.stack([u[:, 0], v[0]]))[i][0, 1] for i, (u, _, v) in enumerate(worst)]
    assert max(reached) == pytest.approx(memoization.largest_score(ask, heads))


def test_half_precision_is_read_with_care():
    """Its exp is infinite from 12 on: here scores reach 13."""
    model = GPT(GPTConfig(9, 4, n_layer=1, n_head=1, n_embd=4))
    model.blocks[0].attention.in_proj_weight.data[:8] = 2.6 * np.tile(np.eye(4), (2, 1))
    for parameter in model.parameters():
        parameter.data = parameter.data.astype(np.float16)
    ids = np.array([[1, 2, 3]])
    got = Folded(model).scores(ids, KVCache.of(model, 1))
    np.testing.assert_allclose(got, model(Tensor(ids)).data[:, -1], rtol=0, atol=0.01)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_model_with_no_numbers_is_read_with_care(bad):
    """Nothing is promised of its scores, and it is no error to fold it."""
    model = noisy()
    model.blocks[0].attention.in_proj_weight.data[0, 0] = bad
    assert not Folded(model).blocks[0][-1] and Folded(model).blocks[1][-1]


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("fold", [False, True])
def test_texts_are_those_of_generate_within_a_block_and_beyond(batch, fold):
    """The same ids for the same seed, and from the framework's generator, which goes on alike."""
    model, ids = noisy(), Tensor(IDS[:batch, :3] % 13)
    folded = Folded(model) if fold else None
    for settings in ({"seed": 5}, {"top_k": 4, "temperature": 1.5}, {"top_p": 0.8, "seed": 1}):
        manual_seed(3)
        want, after = model.generate(ids, 11, **settings), default_generator().random()
        manual_seed(3)
        got = generate_cached(model, ids, 11, folded=folded, **settings)
        assert got.tolist() == want.tolist() and got.dtype == want.dtype
        assert default_generator().random() == after


@pytest.mark.parametrize("hop", [1, 3, 8])
def test_a_window_reads_exactly_what_it_says(hop, monkeypatch):
    """Every score on the way is that of model(ids[:, window_start : t]), read at once."""
    model, seen, chances = noisy(), [], memoization.next_probabilities
    keep = lambda scores, *settings: seen.append(scores) or chances(scores, *settings)  # noqa: E731
    monkeypatch.setattr(memoization, "next_probabilities", keep)
    ids = generate_cached(model, Tensor([[1, 2], [3, 4]]), 20, seed=0, hop=hop).data
    for end, scores in enumerate(seen, 2):
        window = ids[:, window_start(end, 8, hop) : end]
        assert 1 <= window.shape[1] <= 8 and (end <= 8 or window.shape[1] > 8 - hop)
        np.testing.assert_allclose(scores, model(from_numpy(window)).data[:, -1], atol=1e-5)


def rows(work):
    """How many rows pass through `linear` meanwhile."""
    passed = []

    def run(op, arrays, kwargs):
        if op is linear_array:
            passed.append(arrays[0].size // arrays[0].shape[-1])
        return op(*arrays, **kwargs)

    assert set_runner(run) is None
    try:
        work()
    finally:
        set_runner(None)
    return sum(passed)


def test_each_token_is_projected_once():
    """By the operations that really run; without a cache it is once per later token.

    But in the last of two blocks, which makes keys and values alone of all places but the last.
    """
    model, ids, each = noisy(32), Tensor([[1, 2, 3]]), 4 * 2 + 1
    assert rows(lambda: generate_cached(model, ids, 20, seed=0)) == (3 + 19) * each
    again = sum(range(3, 23))
    assert rows(lambda: model.generate(ids, 20, seed=0)) == again * 6 + 20 * 5


def test_a_hop_saves_what_it_promises():
    """Beyond a block of 8, a hop of 4 reads 5 tokens once in 4, and then 3 times one."""
    model, ids, each = noisy(), Tensor(np.ones((1, 8), int)), 4 * 2 + 1
    assert rows(lambda: generate_cached(model, ids, 1 + 8, seed=0)) == (8 + 8 * 8) * each
    assert rows(lambda: generate_cached(model, ids, 1 + 8, seed=0, hop=4)) == (8 + 2 * 8) * each


def test_memory_is_taken_once_and_is_what_the_formula_says():
    """As `nbytes` has it, for both dtypes; appending moves nothing."""
    model = noisy()
    cache = KVCache.of(model, 3)
    address, size = cache.both.ctypes.data, cache.nbytes
    for end in range(1, 9):
        by_cache(model, IDS[:, :1] % 13, cache)
        assert (cache.both.ctypes.data, cache.nbytes, cache.length) == (address, size, end)
    assert size == kv_bytes(2, 3, 8, 8) == 2 * 2 * 3 * 8 * 8 * 4
    assert KVCache(2, 3, 2, 8, 4, np.float64).nbytes == kv_bytes(2, 3, 8, 8, itemsize=8)


def test_the_model_stays_as_it_was():
    """Neither modes nor numbers nor gradients change, and dropout is out of it, as in use."""
    model = noisy()
    model.dropout.p = model.blocks[0].dropout.p = 0.9
    before = {name: x.numpy().copy() for name, x in model.state_dict().items()}
    text = generate_cached(model, Tensor([[1, 2]]), 5, temperature=0)
    Folded(model)
    assert model.training and all(
        (before[n] == x.data).all() for n, x in model.state_dict().items()
    )
    assert all(parameter.grad is None for parameter in model.parameters())
    assert text.tolist() == model.generate(Tensor([[1, 2]]), 5, temperature=0).tolist()


def test_layers_in_the_place_of_others_are_asked():
    """Only what a block has is called, so that quantized layers write, too (15)."""
    model, calls = noisy(), []

    class Counting(Linear):
        def forward(self, x):
            calls.append(x.shape)
            return super().forward(x)

    model.blocks[1].feed_forward.up = Counting(8, 32)
    generate_cached(model, Tensor([[1, 2]]), 3, seed=0)
    assert calls == [(1, 2, 8), (1, 1, 8), (1, 1, 8)]


def test_models_without_biases_fold():
    """In attention, in norms and in networks."""
    model = noisy()
    for block in model.blocks:
        block.attention.in_proj_bias = block.attention.out_proj.bias = None
        block.norm1.bias = block.feed_forward.up.bias = block.feed_forward.down.bias = None
    want = model(Tensor(IDS % 13)).data[:, -1]
    got = by_folding(model, IDS % 13, KVCache.of(model, 3))[:, 0]
    np.testing.assert_allclose(got, want, atol=1e-5)


@pytest.mark.parametrize(
    ("ids", "error", "message"),
    [
        (np.zeros((2, 1), int), ValueError, "expected 1 rows, as the cache, got 2"),
        (np.zeros((1, 9), int), ValueError, "8 places at most, got 9 after 0"),
        (np.zeros((1, 0), int), ValueError, r"expected ids \(B, T\)"),
        (np.zeros(3, int), ValueError, r"got \(3,\)"),
        (np.zeros((1, 1)), TypeError, "got float64"),
        (np.full((1, 1), 13), IndexError, "from 0 to 12"),
    ],
)
def test_ids_that_cannot_be_read_are_refused(ids, error, message):
    """Before anything is written into the cache."""
    model = noisy()
    cache = KVCache.of(model, 1)
    with pytest.raises(error, match=message):
        cached_scores(model, from_numpy(ids), cache)
    assert cache.lengths == [0, 0] and not cache.both.any()


@pytest.mark.parametrize("ids", [[[13]], [[-1]]])
def test_a_folded_model_lets_no_id_wrap_round(ids):
    """Nor does it write beyond its places."""
    model = noisy()
    folded, cache = Folded(model), KVCache.of(model, 1)
    with pytest.raises(IndexError, match="Folded: expected ids from 0 to 12"):
        folded.scores(np.array(ids), cache)
    folded.scores(np.ones((1, 8), int), cache)
    for ids in ([[1]], [[]]):
        with pytest.raises(ValueError, match="Folded: expected ids that fit"):
            folded.scores(np.array(ids, int), cache)


def test_wrong_settings_are_refused_before_anything_is_written():
    """Even if nothing is to be written."""
    model, ids = noisy(), Tensor([[1]])
    for wrong in (0, 9):
        with pytest.raises(ValueError, match="hop: expected 1 to block_size = 8"):
            generate_cached(model, ids, 0, hop=wrong)
    with pytest.raises(TypeError, match="generate_cached: expected a Tensor of ints"):
        generate_cached(model, [[1]], 1)
    with pytest.raises(ValueError, match="KVCache: expected sizes >= 1"):
        KVCache(1, 0, 1, 1, 1)
    assert generate_cached(model, ids, 0).tolist() == [[1]]
    manual_seed(0)
    with pytest.raises(ValueError, match="temperature"):
        generate_cached(model, ids, 1, temperature=-1)
    drawn = rand(1).item()
    manual_seed(0)
    assert drawn == rand(1).item(), "a call that is refused has drawn numbers"


def test_examples_in_docstrings():
    """Every worked example holds."""
    result = doctest.testmod(memoization)
    assert result.failed == 0 < result.attempted
