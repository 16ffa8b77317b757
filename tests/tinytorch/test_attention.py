"""Attention answers as PyTorch's does, forward and back, whatever the mask, blocks and layout."""

import doctest
import math
import tracemalloc
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from tests.tinytorch.oracles.attention import LAYERS, LENGTHS, MASKS, inputs, sequences
from tinytorch import attention
from tinytorch.attention import (
    MultiHeadAttention,
    attention_weights,
    blocks,
    packed_attention,
    scaled_dot_product_attention,
    thirds,
)
from tinytorch.autograd import check_grads, no_grad
from tinytorch.tensor import Tensor, from_numpy, manual_seed

pytestmark = pytest.mark.filterwarnings("error")

with np.load(Path(__file__).parent / "fixtures" / "attention.npz") as _file:
    FIXTURE = dict(_file)

every_case = pytest.mark.parametrize(
    ("lengths", "kind", "is_causal"), list(product(LENGTHS, MASKS, (False, True)))
)


def masked(mask, dtype=np.float64):
    """A mask as a Tensor, floats in the dtype."""
    return None if mask is None else Tensor(mask, dtype=None if mask.dtype == bool else dtype)


def want(lengths, kind, is_causal):
    """PyTorch's result and gradients of a case."""
    case = f"{lengths[0]}x{lengths[1]}.{kind}.{is_causal}"
    return [FIXTURE[f"{case}.{name}"] for name in ("y", "q", "k", "v")]


def same(got, expected, dtype=np.float64):
    """Equal but for rounding."""
    close = dict(rtol=1e-13, atol=1e-14) if dtype == np.float64 else dict(rtol=1e-5, atol=2e-6)
    for one, other in zip(got, expected, strict=True):
        assert one.dtype == dtype
        np.testing.assert_allclose(one, other, **close)


@pytest.fixture(params=[2**18, 1], ids=["whole", "blocks"])
def block_bytes(request, monkeypatch):
    """All in one block, and blocks as small as they get."""
    monkeypatch.setattr(attention, "BLOCK_BYTES", request.param)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@every_case
def test_results_and_gradients_are_pytorchs(lengths, kind, is_causal, dtype):
    """Every mask, causal or not, with as many keys as queries, more and fewer."""
    *arrays, g, every = inputs(*lengths)
    tensors = [Tensor(x, dtype=dtype, requires_grad=True) for x in arrays]
    mask = masked(every[kind], dtype)
    y = scaled_dot_product_attention(*tensors, mask, is_causal)
    y.backward(g)
    same([y.data, *(x.grad.data for x in tensors)], want(lengths, kind, is_causal), dtype)


@every_case
def test_the_weights_times_the_values_are_the_same(lengths, kind, is_causal):
    """The plain form, whose gradients come from the rules of lower modules."""
    *arrays, g, every = inputs(*lengths)
    q, k, v = (Tensor(x, requires_grad=True) for x in arrays)
    weights = attention_weights(q, k, masked(every[kind]), is_causal)
    y = weights @ v
    y.backward(g)
    same([y.data, q.grad.data, k.grad.data, v.grad.data], want(lengths, kind, is_causal))
    sums = weights.data.sum(-1)
    assert ((abs(sums - 1) < 1e-12) | (sums == 0)).all()


@every_case
def test_a_mask_of_floats_may_learn(lengths, kind, is_causal):
    """Then the answer is the same, and the mask gets its gradient."""
    *arrays, g, every = inputs(*lengths)
    mask = every[kind]
    if mask is None or mask.dtype == bool:
        mask = np.zeros((1, 1)) if mask is None else np.where(mask, 0.0, -np.inf)
    tensors = [Tensor(x, requires_grad=True) for x in (*arrays, mask)]
    y = scaled_dot_product_attention(*tensors, is_causal)
    y.backward(g)
    same([y.data, *(x.grad.data for x in tensors[:3])], want(lengths, kind, is_causal))
    assert np.isfinite(tensors[3].grad.data).all()


@pytest.mark.parametrize(("queries", "keys"), [(40, 40), (17, 50), (50, 17), (1, 3), (33, 1)])
@pytest.mark.parametrize("is_causal", [False, True])
def test_blocks_change_nothing(queries, keys, is_causal, monkeypatch):
    """However the scores are cut, packed or not, each row is its own; what is not computed is 0."""
    rng = np.random.default_rng(queries)
    q, k, v = (rng.normal(0, 1, (2, 3, n, 4)) for n in (queries, keys, keys))
    g, mask = rng.normal(0, 1, q.shape), Tensor(rng.random((2, 1, 1, keys)) < 0.7)
    found = []
    for size in (2**18, 1):
        monkeypatch.setattr(attention, "BLOCK_BYTES", size)
        tensors = [Tensor(x, requires_grad=True) for x in (q, k, v)]
        y = scaled_dot_product_attention(*tensors, mask, is_causal)
        y.backward(g)
        found.append([y.data, *(x.grad.data for x in tensors)])
    same(*found)
    plain = attention_weights(Tensor(q), Tensor(k), mask, is_causal) @ Tensor(v)
    same([found[1][0]], [plain.data])


@pytest.mark.parametrize("is_causal", [False, True])
def test_gradients_are_those_of_finite_differences(is_causal, block_bytes):
    """In float64, several blocks, a mask, and the packed form."""
    rng = np.random.default_rng(1)
    mask = Tensor(rng.random((18, 18)) < 0.6)
    check_grads(lambda x: packed_attention(x, mask, is_causal), rng.normal(0, 1, (3, 18, 2)))
    check_grads(
        lambda q, k, v, bias: scaled_dot_product_attention(q, k, v, bias, is_causal),
        *(rng.normal(0, 1, shape) for shape in ((3, 2), (4, 2), (4, 3), (3, 4))),
    )
    layer = MultiHeadAttention(4, 2, dtype=np.float64)
    check_grads(lambda x: layer(x, is_causal=True), rng.normal(0, 1, (2, 3, 4)))
    check_grads(layer, *(rng.normal(0, 1, (n, 4)) for n in (3, 2, 2)))


def test_the_packed_form_is_the_plain_one_of_its_thirds(block_bytes):
    """Also from and into memory where heads stand side by side."""
    rng = np.random.default_rng(2)
    memory = rng.normal(0, 1, (2, 20, 9, 4))  # (B, T, 3H, D)
    heads = from_numpy(memory.transpose(0, 2, 1, 3), requires_grad=True)
    y = packed_attention(heads, is_causal=True)
    g = rng.normal(0, 1, y.shape)
    y.backward(g)
    q, k, v = (Tensor(x, requires_grad=True) for x in thirds(memory.transpose(0, 2, 1, 3)))
    plain = scaled_dot_product_attention(q, k, v, is_causal=True)
    plain.backward(g)
    same([y.data], [plain.data])
    same(thirds(heads.grad.data), [x.grad.data for x in (q, k, v)])
    assert y.data.transpose(0, 2, 1, 3).flags.c_contiguous  # merging the heads takes no copy


def test_a_query_that_sees_nothing_answers_nothing():
    """0 and not NaN, in the gradient too; and its neighbours are as without it."""
    q, k, v = (Tensor(np.full((3, 2), 7.0), requires_grad=True) for _ in "qkv")
    mask = Tensor(np.array([[True, True, False], [False] * 3, [True] * 3]))
    y = scaled_dot_product_attention(q, k, v, mask)
    np.testing.assert_allclose(y.data, [[7, 7], [0, 0], [7, 7]], rtol=1e-14)
    assert not y.data[1].any()
    y.sum().backward()
    assert not q.grad.data[1].any()
    np.testing.assert_allclose(v.grad.data[:, 0], [5 / 6, 5 / 6, 1 / 3])


def test_large_scores_do_not_overflow():
    """The largest score is taken from all before exp, and one that is hidden does not count."""
    q, k = Tensor([[1000.0], [1000.0]]), Tensor([[1.0], [1000.0]])  # scores up to a million
    y = scaled_dot_product_attention(q, k, Tensor([[3.0], [5.0]]), is_causal=True)
    assert y.tolist() == [[3.0], [5.0]]
    assert attention_weights(q, k, is_causal=True).tolist() == [[1.0, 0.0], [0.0, 1.0]]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [1e-3, 1.0, 6.0, 7.0, 9.5, 30.0, 1e4])
def test_small_scores_and_large_ones_are_treated_alike(size, dtype):
    """Whether or not the largest is taken from them, on both sides of where exp would overflow."""
    rng = np.random.default_rng(9)
    q, k = (np.clip(rng.normal(0, size, (20, 4)), -2 * size, 2 * size) for _ in "qk")
    v = rng.normal(0, 1, (20, 3))
    scores = q.astype(dtype).astype(np.float64) @ k.astype(dtype).astype(np.float64).T / 2
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    want = weights / weights.sum(-1, keepdims=True) @ v
    y = scaled_dot_product_attention(*(Tensor(x, dtype=dtype) for x in (q, k, v)))
    close = 1e-5 * max(1, size**2 / 50) if dtype == np.float32 else 1e-13 * max(1, size**2)
    np.testing.assert_allclose(y.data, want, atol=close)


def test_not_a_number_is_not_swallowed():
    """A query that is none gets an answer that is none, and no other does."""
    x, broken = Tensor(np.ones((4, 2))), Tensor(np.ones((4, 2)))
    broken[3, 0] = np.nan
    with np.errstate(invalid="ignore"):
        y = scaled_dot_product_attention(broken, x, x, is_causal=True).data
    assert np.isnan(y).any(axis=1).tolist() == [False, False, False, True]


def test_no_keys_and_no_queries_are_no_error():
    """An average of nothing is 0, as in PyTorch."""
    q, none = Tensor(np.ones((2, 3, 4))), Tensor(np.ones((2, 0, 4)))
    assert scaled_dot_product_attention(q, none, none).tolist() == np.zeros((2, 3, 4)).tolist()
    assert scaled_dot_product_attention(none, q, q).shape == (2, 0, 4)
    q.requires_grad = True
    scaled_dot_product_attention(none, q, q, is_causal=True).backward(np.zeros((2, 0, 4)))
    assert not q.grad.data.any()


def test_later_keys_change_nothing_of_a_causal_answer(block_bytes):
    """Not a bit, whatever stands there; with a mask as well."""
    rng = np.random.default_rng(3)
    q, k, v = rng.normal(0, 1, (3, 2, 40, 4)).astype(np.float32)
    layer = MultiHeadAttention(4, 2)
    for place in (0, 5, 20, 38):
        before = scaled_dot_product_attention(Tensor(q), Tensor(k), Tensor(v), is_causal=True)
        x, changed = layer(Tensor(q), is_causal=True), q.copy()
        for array in (k, v, changed):
            array[:, place + 1 :] += 100 * rng.normal(0, 1, (2, 39 - place, 4))
        after = scaled_dot_product_attention(Tensor(q), Tensor(k), Tensor(v), is_causal=True)
        seen = slice(place + 1)
        np.testing.assert_array_equal(before.data[:, seen], after.data[:, seen])
        assert (before.data[:, place + 1 :] != after.data[:, place + 1 :]).any()
        y = layer(Tensor(changed), is_causal=True)
        np.testing.assert_allclose(x.data[:, seen], y.data[:, seen], rtol=1e-6, atol=1e-7)


def test_order_of_keys_does_not_matter_and_equal_keys_share():
    """Attention alone knows no places; and where all keys are equal the answer is the mean."""
    rng = np.random.default_rng(4)
    q, k, v = rng.normal(0, 1, (3, 7, 4))
    order = rng.permutation(7)
    y = scaled_dot_product_attention(Tensor(q), Tensor(k), Tensor(v))
    moved = scaled_dot_product_attention(Tensor(q), Tensor(k[order]), Tensor(v[order]))
    np.testing.assert_allclose(y.data, moved.data, rtol=1e-13)
    even = scaled_dot_product_attention(Tensor(q), Tensor(k[:1].repeat(7, 0)), Tensor(v))
    np.testing.assert_allclose(even.data, np.tile(v.mean(0), (7, 1)), rtol=1e-13)
    layer = MultiHeadAttention(4, 2, dtype=np.float64)
    y, moved = layer(Tensor(q)), layer(Tensor(q[order]))
    np.testing.assert_allclose(y.data[order], moved.data, rtol=1e-12)


def test_the_rule_needs_no_weights_of_another_backend():
    """If something else computed the result, it computes them again."""
    x = Tensor(np.random.default_rng(5).normal(0, 1, (3, 5, 2)), requires_grad=True)
    found = []
    for forget in (False, True):
        for form in (packed_attention, lambda x: scaled_dot_product_attention(x, x, x)):
            y = form(x)
            if forget:
                y.recipe.kwargs["kept"].clear()
            y.sum().backward()
            found.append(x.grad.data)
            x.grad = None
    same(found[:2], found[2:])


def test_a_second_walk_has_gradients_of_its_own():
    """retain_graph: what the first walk found must not stand in the second's way."""
    x = Tensor(np.random.default_rng(6).normal(0, 1, (3, 5, 2)), requires_grad=True)
    y = scaled_dot_product_attention(x, x, x).sum()
    y.backward(retain_graph=True)
    once = x.grad.data.copy()
    y.backward()
    np.testing.assert_allclose(x.grad.data, 2 * once)


@pytest.mark.parametrize(("bias", "case"), LAYERS)
def test_the_layer_is_pytorchs_with_its_weights(bias, case):
    """The state loads by its names; results, the heads' weights and all gradients are equal."""
    name = f"{bias}.{case}."
    found = {key[len(name) :]: x for key, x in FIXTURE.items() if key.startswith(name)}
    layer = MultiHeadAttention(8, 2, bias=bias == "bias")
    state = {k[len("state.") :]: x for k, x in found.items() if k.startswith("state.")}
    assert list(layer.state_dict()) == list(state)
    layer.load_state_dict(state)
    x, other, g = (Tensor(one, dtype=np.float32) for one in sequences())
    for need_weights in (False, True):
        x.requires_grad, x.grad = True, None
        layer.zero_grad()
        given = (x, other) if case == "cross" else (x,)
        y = layer(*given, is_causal=case == "causal", need_weights=need_weights)
        if need_weights:
            y, weights = y
            np.testing.assert_allclose(weights.data, found["weights"], rtol=1e-5, atol=1e-6)
        y.backward(g)
        close = dict(rtol=1e-5, atol=2e-6)
        np.testing.assert_allclose(y.data, found["y"], **close)
        np.testing.assert_allclose(x.grad.data, found["grad.x"], **close)
        for key, p in layer.named_parameters():
            np.testing.assert_allclose(p.grad.data, found[f"grad.{key}"], **close, err_msg=key)


def test_the_first_numbers_of_a_layer_are_within_pytorchs_bounds():
    """√(6 / 4E) for the three projections together, 1 / √E for the last, biases 0."""
    manual_seed(0)
    layer = MultiHeadAttention(24, 4)
    for weight, bound in (
        (layer.in_proj_weight, math.sqrt(6 / 96)),
        (layer.out_proj.weight, 24**-0.5),
    ):
        assert 0.97 * bound < abs(weight.data).max() <= bound
        assert abs(weight.data.var() / (bound**2 / 3) - 1) < 0.1
    assert not layer.in_proj_bias.data.any() and not layer.out_proj.bias.data.any()
    manual_seed(0)
    again = MultiHeadAttention(24, 4)
    np.testing.assert_array_equal(again.in_proj_weight.data, layer.in_proj_weight.data)


def test_a_layer_takes_sequences_with_and_without_a_batch():
    """(L, E), (B, L, E) and more axes; each sequence answers for itself."""
    rng, layer = np.random.default_rng(7), MultiHeadAttention(6, 3)
    x = rng.normal(0, 1, (2, 3, 5, 6)).astype(np.float32)
    y = layer(Tensor(x), is_causal=True).data
    for at in np.ndindex(2, 3):
        np.testing.assert_allclose(layer(Tensor(x[at]), is_causal=True).data, y[at], atol=1e-6)
    cross = layer(Tensor(x[0]), Tensor(x[1, :, :2]))
    assert cross.shape == (3, 5, 6)


def test_self_attention_keeps_its_weights_and_no_graph_without_gradients():
    """The weights (B, H, T, T) are what grows with the square; no_grad keeps nothing."""
    layer, x = MultiHeadAttention(8, 2), Tensor(np.ones((3, 5, 8), np.float32))
    merged = layer(x).recipe.inputs[0]
    packed = merged.recipe.inputs[0].recipe.inputs[0]
    assert packed.recipe.op is attention.packed_attention_array
    assert sum(p.nbytes for p in packed.recipe.kwargs["kept"]) == 3 * 2 * 5 * 5 * 4
    with no_grad():
        assert layer(x).recipe is None


def test_without_gradients_a_long_sequence_takes_no_square():
    """Each block is forgotten before the next: never is a quarter of all weights there."""
    x = Tensor(np.random.default_rng(8).normal(0, 1, (1, 1024, 8)).astype(np.float32))
    tracemalloc.start()
    scaled_dot_product_attention(x, x, x)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1024 * 1024 * 4 / 4


def test_blocks_cover_each_query_once_and_fit():
    """No more than BLOCK_BYTES of a sequence where there is room for 16 queries, and two of all."""
    shapes = [(2, 4, 128, 128), (1, 12, 1024, 1024), (3, 7, 9), (3, 50, 2, 16, 16), (70, 1, 96, 96)]
    for shape, is_causal in product(shapes, (0, 1)):
        seen = np.zeros(shape[:-3] + shape[-2:-1], int)
        for one, rows, end in blocks(shape, 4, is_causal):
            seen[one][..., rows] += 1
            assert end == (rows.stop if is_causal else shape[-1])
            each = shape[-3] * (rows.stop - rows.start) * shape[-1] * 4
            assert each <= attention.BLOCK_BYTES * 4
            several = np.zeros(shape[:-3])[one].size
            assert several == 1 or several * each <= 2 * attention.BLOCK_BYTES
        assert (seen == 1).all()


def test_short_sequences_are_done_together():
    """A hundred of them are not a hundred blocks."""
    assert len(list(blocks((100, 4, 16, 16), 4, is_causal=False))) == 1
    assert len(list(blocks((4, 4, 1024, 1024), 4, is_causal=False))) == 2 * 64


def test_the_examples_are_true():
    """What the docstrings show is what happens."""
    failed, tried = doctest.testmod(attention)
    assert failed == 0
    assert tried >= 15
