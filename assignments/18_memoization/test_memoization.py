"""What module 18 must do. Run it with `tito test 18`; the first sentence below a name says why."""

import numpy as np
import pytest

from tinytorch.attention import attention_array
from tinytorch.layers import linear_array
from tinytorch.memoization import (
    Folded,
    KVCache,
    cached_block,
    cached_scores,
    centre_outputs,
    fold_norm,
    generate_cached,
    kv_bytes,
    last_attention_array,
    window_start,
)
from tinytorch.tensor import Tensor, from_numpy, manual_seed, set_runner
from tinytorch.transformers import GPT, GPTConfig, LayerNorm, TransformerBlock

pytestmark = pytest.mark.filterwarnings("error")


def random(*shape, seed=0):
    """Numbers of float64."""
    return np.random.default_rng(seed).normal(0, 1, shape)


def noisy(module, seed=0):
    """The module, with numbers in all of its parameters, biases and norms too."""
    rng = np.random.default_rng(seed)
    for parameter in module.parameters():
        parameter.data[...] = rng.normal(0, 0.5, parameter.shape)
    return module


def gpt(block_size=8):
    """A model whose every part matters."""
    manual_seed(0)
    return noisy(GPT(GPTConfig(11, block_size, n_layer=2, n_head=2, n_embd=8)))


def projected(work):
    """How many rows passed through products while it worked."""
    rows = []

    def run(op, arrays, kwargs):
        if op is linear_array:
            rows.append(arrays[0].size // arrays[0].shape[-1])
        return op(*arrays, **kwargs)

    before = set_runner(run)
    try:
        work()
    finally:
        set_runner(before)
    return sum(rows)


@pytest.mark.task("kv_bytes")
def test_the_formula_is_what_the_memory_takes():
    """Two arrays, of so many numbers, of so many bytes."""
    assert kv_bytes(2, 3, 5, 8, 4) == 2 * 2 * 3 * 5 * 8 * 4
    for dtype in (np.float32, np.float64):
        cache = KVCache(2, 3, 4, 5, 2, dtype)
        assert cache.nbytes == kv_bytes(2, 3, 5, 8, np.dtype(dtype).itemsize)


@pytest.mark.task("kv_bytes")
def test_what_is_appended_comes_back_behind_what_was_there():
    """The newest token among it: without its own key a token cannot see itself."""
    cache = KVCache(1, 1, 1, 3, 2)
    one = np.ones((1, 1, 1, 2), np.float32)
    keys, values = cache.append(0, 5 * one, 7 * one)
    assert keys.tolist() == [[[[5, 5]]]] and values.tolist() == [[[[7, 7]]]]
    keys, _ = cache.append(0, 6 * one, one)
    assert keys.tolist() == [[[[5, 5], [6, 6]]]] and cache.lengths == [2]
    assert np.shares_memory(keys, cache.keys)


@pytest.mark.task("kv_bytes")
def test_a_full_cache_says_so():
    """And writes nothing of what does not fit."""
    cache, two = KVCache(1, 1, 1, 3, 2), np.ones((1, 1, 2, 2), np.float32)
    cache.append(0, two, two)
    with pytest.raises(ValueError, match="3 places at most, got 4"):
        cache.append(0, two, two)
    assert cache.lengths == [2] and not cache.keys[..., 2:, :].any()
    with pytest.raises(ValueError, match="expected keys and values"):
        cache.append(0, two[..., :1], two[..., :1])


@pytest.mark.task("last_attention_array")
def test_the_last_queries_see_what_they_see_among_all():
    """The last rows of causal attention, for one query, for some, and for all."""
    q, k, v = random(2, 5, 3), random(2, 5, 3, seed=1), random(2, 5, 4, seed=2)
    want = attention_array(q, k, v, None, True, None)
    for new in (1, 2, 5):
        y = last_attention_array(q[:, -new:], k, v)
        np.testing.assert_allclose(y, want[:, -new:], atol=1e-12)


@pytest.mark.task("last_attention_array")
def test_the_first_token_sees_itself():
    """One place: its value is the answer, whatever the key."""
    v = random(1, 1, 4)
    np.testing.assert_allclose(last_attention_array(random(1, 1, 3), random(1, 1, 3), v), v)


@pytest.mark.task("cached_block")
@pytest.mark.parametrize("cuts", [[], [1, 2, 3, 4], [3]], ids=str)
def test_a_block_in_parts_is_the_block(cuts):
    """However many places come at a time, to 1e-5."""
    block = noisy(TransformerBlock(8, 2))
    x, cache = random(2, 5, 8).astype(np.float32), KVCache(1, 2, 2, 5, 4)
    parts = [cached_block(block, from_numpy(part), cache, 0) for part in np.split(x, cuts, 1)]
    got = np.concatenate([part.data for part in parts], 1)
    np.testing.assert_allclose(got, block(from_numpy(x)).data, rtol=1e-5, atol=1e-5)


@pytest.mark.task("cached_block")
def test_scores_equal_those_of_reading_everything_again():
    """At every place, to 1e-5, for two texts at once."""
    model, ids = gpt(), np.random.default_rng(1).integers(0, 11, (2, 8))
    want, cache = model(Tensor(ids)).data, KVCache.of(model, 2)
    for place in range(8):
        got = cached_scores(model, Tensor(ids[:, place : place + 1]), cache)
        np.testing.assert_allclose(got.data[:, 0], want[:, place], rtol=1e-5, atol=1e-5)
        assert not got.requires_grad and cache.length == place + 1


@pytest.mark.task("window_start")
def test_the_window_moves_by_hops():
    """A block of 4: two ids at a time leave 3 or 4 of them."""
    assert [window_start(n, 4, 2) for n in range(1, 10)] == [0, 0, 0, 0, 2, 2, 4, 4, 6]
    assert [window_start(n, 4) for n in range(3, 8)] == [0, 0, 1, 2, 3]
    with pytest.raises(ValueError, match="hop"):
        window_start(9, 4, 5)


@pytest.mark.task("window_start")
def test_the_text_is_that_of_generate():
    """For the same seed, within block_size and beyond it."""
    model, ids = gpt(), Tensor([[1, 2, 3], [4, 5, 6]])
    settings = {"temperature": 1.5, "top_k": 5, "seed": 3}
    want = model.generate(ids, 12, **settings)
    assert generate_cached(model, ids, 12, **settings).tolist() == want.tolist()


@pytest.mark.task("window_start")
def test_a_window_that_hops_reads_what_it_says():
    """The likeliest id at each step, by the scores of exactly those ids."""
    model, ids = gpt(), np.array([[1, 2, 3]])
    got = generate_cached(model, Tensor(ids), 15, temperature=0, hop=3).data
    for end in range(3, 18):
        start = window_start(end, 8, hop=3)
        likeliest = int(model(Tensor(got[:, start:end])).data[:, -1].argmax())
        assert likeliest == got[0, end]


@pytest.mark.task("window_start")
def test_each_token_is_projected_once():
    """Four products per block and one for the scores, of a row per token that is read."""
    model = gpt()
    rows = projected(lambda: generate_cached(model, Tensor([[1, 2, 3]]), 6, seed=0))
    read = 3 + 5  # the last token that is written is not read
    assert rows == read * (4 * 2 + 1)


@pytest.mark.task("fold_norm")
def test_a_norm_before_a_product_can_be_folded_into_it():
    """W norm(x) + b = W' u + b', with u of mean 0 and variance 1."""
    norm, x = noisy(LayerNorm(4, dtype=np.float64)), random(3, 4)
    weight, bias = random(5, 4, seed=1), random(5, seed=2)
    u = (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + norm.eps)
    folded, shift = fold_norm(norm, weight, bias)
    want = norm(from_numpy(x)).data @ weight.T + bias
    np.testing.assert_allclose(u @ folded.T + shift, want, atol=1e-12)


@pytest.mark.task("fold_norm")
def test_products_can_be_centred_beforehand():
    """The product less its mean, for any x."""
    weight, bias, x = random(5, 4), random(5, seed=1), random(3, 4, seed=2)
    y = x @ weight.T + bias
    centred, shift = centre_outputs(weight, bias)
    want = y - y.mean(1, keepdims=True)
    np.testing.assert_allclose(x @ centred.T + shift, want, atol=1e-12)


@pytest.mark.task("fold_norm")
def test_a_folded_model_gives_the_same_scores():
    """All of it together, for several ids and for one."""
    model, ids = gpt(), np.random.default_rng(1).integers(0, 11, (2, 8))
    want, folded, cache = model(Tensor(ids)).data, Folded(model), KVCache.of(model, 2)
    for begin, end in ((0, 3), (3, 4), (4, 8)):
        got = folded.scores(ids[:, begin:end], cache)
        np.testing.assert_allclose(got, want[:, end - 1], rtol=1e-4, atol=2e-5)
