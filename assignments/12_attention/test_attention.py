"""What module 12 must do. Run it with `tito test 12`; the first sentence below a name says why."""

import math

import numpy as np
import pytest

from tinytorch import attention
from tinytorch.attention import (
    MultiHeadAttention,
    attention_array,
    attention_gradients,
    attention_weights,
    blocks,
    merge_heads,
    scaled_dot_product_attention,
    split_heads,
)
from tinytorch.autograd import check_grads, differences
from tinytorch.tensor import Tensor, apply, changed_since, from_numpy, manual_seed

pytestmark = pytest.mark.filterwarnings("error")

QUERY, KEY = Tensor([[0.0], [1.0]]), Tensor([[0.0], [math.log(3)]])
VALUE = Tensor([[4.0], [8.0]])


def random(*shape, seed=0):
    """A Tensor of float64."""
    return Tensor(np.random.default_rng(seed).normal(0, 1, shape))


@pytest.mark.task("attention_weights")
def test_weights_are_shares_of_the_keys():
    """Query 1 has the scores 0 and log 3, so the second key counts three times as much."""
    weights = attention_weights(QUERY, KEY)
    np.testing.assert_allclose(weights.data, [[0.5, 0.5], [0.25, 0.75]], rtol=1e-6)


@pytest.mark.task("attention_weights")
def test_scores_are_divided_by_the_root_of_their_length():
    """With E = 4 the score is 4 · log 3 / √4 = 2 · log 3: nine times as much, not 81 times."""
    query, key = Tensor(np.ones((1, 4))), Tensor(np.log(3) * np.array([[0.0] * 4, [1.0] * 4]))
    np.testing.assert_allclose(attention_weights(query, key).data, [[0.1, 0.9]])


@pytest.mark.task("attention_weights")
def test_true_is_for_keys_that_take_part():
    """As in PyTorch's function; a mask that hides instead would leave the wrong half."""
    mask = Tensor([[True, False], [False, True]])
    assert attention_weights(QUERY, KEY, mask).tolist() == [[1, 0], [0, 1]]


@pytest.mark.task("attention_weights")
def test_causal_queries_see_no_later_key():
    """Query i sees keys 0 … i: nothing right of the diagonal, and all of the last row."""
    weights = attention_weights(random(4, 2), random(4, 2, seed=1), is_causal=True).data
    assert (np.triu(weights, 1) == 0).all()
    assert (np.tril(weights) > 0).sum() == 10
    np.testing.assert_allclose(weights.sum(-1), 1)


@pytest.mark.task("attention_weights")
def test_floats_are_added_to_the_scores():
    """log 3 more makes a key count three times as much, and -inf hides it."""
    bias = Tensor([[math.log(3), 0.0], [0.0, -math.inf]])
    weights = attention_weights(QUERY, KEY, bias).data
    np.testing.assert_allclose(weights, [[0.75, 0.25], [1, 0]], rtol=1e-6)


@pytest.mark.task("attention_weights")
def test_a_query_that_sees_nothing_has_weights_of_zero():
    """Not NaN, and not equal shares of what it must not see."""
    mask = Tensor([[False, False], [True, True]])
    assert attention_weights(QUERY, KEY, mask).tolist()[0] == [0, 0]


@pytest.mark.task("attention_weights")
def test_gradients_pass_through_the_weights():
    """Every step is an operation that has a rule already."""
    mask = Tensor([[True, False, True]] * 2)
    check_grads(lambda q, k: attention_weights(q, k, mask, True), random(2, 3), random(3, 3))


@pytest.mark.task("scaled_dot_product_attention")
def test_answers_are_averages_of_the_values():
    """½ · 4 + ½ · 8 = 6, and ¼ · 4 + ¾ · 8 = 7."""
    y = scaled_dot_product_attention(QUERY, KEY, VALUE)
    np.testing.assert_allclose(y.data, [[6], [7]], rtol=1e-6)


@pytest.mark.task("scaled_dot_product_attention")
@pytest.mark.parametrize("is_causal", [False, True])
@pytest.mark.parametrize("masked", ["nothing", "keys", "floats"])
def test_it_equals_weights_times_values(masked, is_causal):
    """One operation instead of many, for more queries than one block has."""
    q, k, v = random(2, 3, 20, 4), random(2, 3, 20, 4, seed=1), random(2, 3, 20, 5, seed=2)
    mask = random(2, 1, 1, 20, seed=3)
    mask = {"nothing": None, "keys": mask > -0.5, "floats": mask}[masked]
    y = scaled_dot_product_attention(q, k, v, mask, is_causal)
    want = attention_weights(q, k, mask, is_causal) @ v
    np.testing.assert_allclose(y.data, want.data, atol=1e-12)


@pytest.mark.task("scaled_dot_product_attention")
def test_equal_keys_share_and_their_order_does_not_matter():
    """The mean of all values where no key differs; keys move with their values."""
    q, k, v = random(3, 4), random(5, 4, seed=1), random(5, 2, seed=2)
    even = scaled_dot_product_attention(q, Tensor(np.ones((5, 4))), v)
    np.testing.assert_allclose(even.data, [v.data.mean(0)] * 3)
    moved = scaled_dot_product_attention(q, k[::-1], v[::-1])
    np.testing.assert_allclose(moved.data, scaled_dot_product_attention(q, k, v).data)


@pytest.mark.task("scaled_dot_product_attention")
def test_it_is_one_operation_that_keeps_its_weights():
    """Rules are found by the operation, and this one's needs the weights, block by block."""
    x = Tensor(np.random.default_rng(4).normal(0, 1, (2, 20, 3)), requires_grad=True)
    recipe = scaled_dot_product_attention(x, x, x, is_causal=True).recipe
    assert recipe.op is attention_array
    kept = recipe.kwargs["kept"]
    sizes = [(2, rows.stop - rows.start, end) for _, rows, end in blocks((2, 20, 20), 8, True)]
    assert [p.shape for p in kept] == sizes
    np.testing.assert_allclose(kept[0].sum(-1), 1)


@pytest.mark.task("scaled_dot_product_attention")
def test_large_scores_and_no_keys_at_all_give_numbers():
    """A million more or less makes one key the only one; the average of nothing is 0."""
    large = Tensor([[1000.0], [-1000.0]])
    y = scaled_dot_product_attention(large, large, VALUE)
    assert y.tolist() == [[4], [8]]
    mask = Tensor([[False, False], [True, True]])
    assert scaled_dot_product_attention(QUERY, KEY, VALUE, mask).tolist()[0] == [0]


@pytest.mark.task("scaled_dot_product_attention")
def test_what_does_not_fit_is_refused():
    """By `_require_fit`, before anything is computed; and a mask that learns still learns."""
    with pytest.raises(ValueError, match="attention: expected query"):
        scaled_dot_product_attention(random(3, 2), random(3, 4), random(3, 2))
    with pytest.raises(TypeError, match="attn_mask"):
        scaled_dot_product_attention(QUERY, KEY, VALUE, Tensor([[1, 0], [1, 1]]))
    mask = Tensor([[0.0, 0.0]] * 2, requires_grad=True)
    scaled_dot_product_attention(QUERY, KEY, VALUE, mask).sum().backward()
    assert mask.grad.data.any()


def gradients(is_causal, queries, keys, seed):
    """What attention_gradients writes, and what finite differences say."""
    rng = np.random.default_rng(seed)
    q, k, v = (rng.normal(0, 1, (2, n, 3)) for n in (queries, keys, keys))
    g = rng.normal(0, 1, q.shape)

    def weights():
        scores = q @ k.mT / math.sqrt(3)
        scores = np.exp(np.where(np.tri(queries, keys, dtype=bool) | (not is_causal), scores, -999))
        return scores / scores.sum(-1, keepdims=True)

    p, y = weights(), weights() @ v
    kept = [p[..., rows, :end] for _, rows, end in blocks(p.shape, 8, is_causal)]
    found = [np.full_like(x, 99) for x in (q, k, v)]
    attention_gradients(g, y, q, k, v, kept, is_causal, found)
    return found, [differences(lambda: float((weights() @ v * g).sum()), x) for x in (q, k, v)]


@pytest.mark.task("attention_gradients")
@pytest.mark.parametrize("is_causal", [False, True])
def test_gradients_are_those_of_finite_differences(is_causal):
    """For queries, keys and values, with as many keys as queries, fewer and more."""
    for queries, keys in ((4, 4), (2, 5), (5, 2)):
        for got, want in zip(*gradients(is_causal, queries, keys, seed=5), strict=True):
            np.testing.assert_allclose(got, want, atol=1e-7)


@pytest.mark.task("attention_gradients")
def test_every_block_adds_its_part():
    """18 causal queries come in two blocks, and the first keys are seen by both."""
    for got, want in zip(*gradients(True, 18, 18, seed=6), strict=True):
        np.testing.assert_allclose(got, want, atol=1e-7)


@pytest.mark.task("split_heads")
def test_each_head_gets_its_columns():
    """Of four columns the first head has 1, 2 and the second 3, 4, of every place."""
    x = Tensor([[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12]])
    heads = split_heads(x, 2)
    assert heads.tolist() == [[[1, 2], [5, 6], [9, 10]], [[3, 4], [7, 8], [11, 12]]]
    assert np.shares_memory(heads.data, x.data)


@pytest.mark.task("split_heads")
def test_merging_undoes_splitting():
    """Whatever axes stand in front."""
    x = random(2, 3, 5, 12)
    assert split_heads(x, 4).shape == (2, 3, 4, 5, 3)
    assert (merge_heads(split_heads(x, 4)).data == x.data).all()
    assert merge_heads(Tensor([[[1, 2], [5, 6]], [[3, 4], [7, 8]]])).tolist() == [
        [1, 2, 3, 4],
        [5, 6, 7, 8],
    ]


def layer_of_ones():
    """A layer whose heads see what stands in their own columns, times 1, 2 and 3."""
    layer, eye = MultiHeadAttention(4, 2, dtype=np.float64), np.eye(4)
    layer.in_proj_weight.data[...] = np.concatenate([eye, 2 * eye, 3 * eye])
    layer.in_proj_bias.data[...] = np.arange(12) * 0.1
    layer.out_proj.weight.data[...] = eye[::-1]
    layer.out_proj.bias.data[...] = [0, 0, 0, 10]
    return layer


@pytest.mark.task("MultiHeadAttention.reset_parameters")
def test_a_layer_starts_within_its_bounds():
    """√(6 / 4E) for the projections, biases 0, all from the framework's generator, in place."""
    manual_seed(0)
    layer = MultiHeadAttention(24, 3)
    bound = math.sqrt(6 / 96)
    assert 0.95 * bound < abs(layer.in_proj_weight.data).max() <= bound
    assert not layer.in_proj_bias.data.any() and not layer.out_proj.bias.data.any()
    memory, recipe = layer.in_proj_weight.data, apply(np.negative, layer.in_proj_weight).recipe
    drawn = []
    for _ in range(2):
        manual_seed(0)
        layer.reset_parameters()
        drawn.append(memory.copy())
    assert (drawn[0] == drawn[1]).all() and layer.in_proj_weight.data is memory
    assert changed_since(layer.in_proj_weight, recipe)


@pytest.mark.task("MultiHeadAttention.reset_parameters")
def test_projections_use_thirds_of_the_weight_and_the_bias():
    """Queries the first E rows, keys the next, values the last; heads apart."""
    x = random(3, 4)
    q, k, v = layer_of_ones().project(x, x, random(3, 4, seed=1))
    want = (x.data + [0, 0.1, 0.2, 0.3]).reshape(3, 2, 2).transpose(1, 0, 2)
    np.testing.assert_allclose(q.data, want)
    np.testing.assert_allclose(k.data[1], 2 * x.data[:, 2:] + [0.6, 0.7])
    np.testing.assert_allclose(v.data[0], 3 * random(3, 4, seed=1).data[:, :2] + [0.8, 0.9])


@pytest.mark.task("MultiHeadAttention.reset_parameters")
@pytest.mark.parametrize("is_causal", [False, True])
def test_self_attention_is_attention_of_its_projections(is_causal):
    """Merged and projected once more: out_proj turns the columns round and adds 10 to the last."""
    layer, x = layer_of_ones(), random(2, 5, 4)
    q, k, v = layer.project(x, x, x)
    heads = scaled_dot_product_attention(q, k, v, is_causal=is_causal)
    want = merge_heads(heads).data[..., ::-1] + [0, 0, 0, 10]
    np.testing.assert_allclose(layer(x, is_causal=is_causal).data, want)
    y, weights = layer(x, is_causal=is_causal, need_weights=True)
    np.testing.assert_allclose(y.data, want)
    np.testing.assert_allclose(weights.data, attention_weights(q, k, is_causal=is_causal).data)


@pytest.mark.task("MultiHeadAttention.reset_parameters")
def test_other_sequences_may_be_asked():
    """Cross-attention: as many answers as queries, of keys and values from somewhere else."""
    layer, x, other = layer_of_ones(), random(2, 3, 4), random(2, 6, 4, seed=1)
    mask = Tensor(np.arange(6) < 4).reshape(1, 6)
    y = layer(x, other, attn_mask=mask)
    np.testing.assert_allclose(y.data, layer(x, other[:, :4], other[:, :4]).data)
    assert y.shape == (2, 3, 4)


@pytest.mark.task("MultiHeadAttention.reset_parameters")
def test_later_tokens_change_no_earlier_answer_and_order_is_all_the_same_without_places():
    """Causality and symmetry: two probes that find most mistakes in attention."""
    layer, x = layer_of_ones(), random(6, 4).data
    changed = x.copy()
    changed[4:] += 5
    one, other = (layer(from_numpy(a), is_causal=True).data for a in (x, changed))
    np.testing.assert_allclose(one[:4], other[:4])
    assert abs(one[4:] - other[4:]).min() > 1e-6
    turned = layer(from_numpy(x[::-1].copy())).data[::-1]
    np.testing.assert_allclose(layer(from_numpy(x)).data, turned)


@pytest.mark.task("MultiHeadAttention.reset_parameters")
def test_one_product_serves_all_three_projections_of_self_attention(monkeypatch):
    """A third of the calls, each with three times the work; then one for out_proj."""
    seen = []
    linear = attention.linear
    monkeypatch.setattr(
        attention, "linear", lambda x, w, b: seen.append(w.shape) or linear(x, w, b)
    )
    layer_of_ones()(random(3, 4))
    assert seen == [(12, 4)]
