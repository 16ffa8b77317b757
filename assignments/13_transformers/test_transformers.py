"""What module 13 must do. Run it with `tito test 13`; the first sentence below a name says why."""

import math

import numpy as np
import pytest

from tinytorch import transformers
from tinytorch.autograd import check_grads
from tinytorch.embeddings import Embedding
from tinytorch.layers import Linear, Module, Parameter, Sequential, linear
from tinytorch.tensor import Tensor, manual_seed
from tinytorch.transformers import GPT, FeedForward, GPTConfig, TransformerBlock

pytestmark = pytest.mark.filterwarnings("error")


def bare(kind, **parts):
    """A module whose parts are given, so that a test needs no other task."""
    module = object.__new__(kind)
    Module.__init__(module)
    for name, part in parts.items():
        setattr(module, name, part)
    return module


@pytest.mark.task("layer_norm_array")
def test_a_row_gets_mean_0_and_variance_1():
    """(0, 4) has mean 2 and variance 4: (-1, 1), then times weight, plus bias."""
    x, weight, bias = np.array([[0.0, 4.0]]), np.array([1.0, 10.0]), np.array([0.5, 0.0])
    y = transformers.layer_norm_array(x, weight, bias, 0.0)
    np.testing.assert_allclose(y, [[-0.5, 10.0]])
    np.testing.assert_allclose(transformers.layer_norm_array(x, weight, None, 0.0), [[-1.0, 10.0]])
    assert x.tolist() == [[0.0, 4.0]], "x belongs to the caller: do not change it"


@pytest.mark.task("layer_norm_array")
def test_eps_is_added_under_the_root():
    """With variance 4 and eps 12, r is 1 / √16 = ¼."""
    c, r = transformers.centred(np.array([[0.0, 4.0], [7.0, 3.0]]), 12.0)
    assert c.tolist() == [[-2.0, 2.0], [2.0, -2.0]]
    np.testing.assert_allclose(r, [[0.25], [0.25]])


@pytest.mark.task("layer_norm_array")
def test_a_row_is_what_weight_spans():
    """A weight (2, 2) has rows of four numbers: one mean for all of them."""
    x = np.array([[[0.0, 2.0], [4.0, 6.0]]])
    y = transformers.layer_norm_array(x, np.ones((2, 2)), None, 0.0)
    np.testing.assert_allclose(y, (x - 3) / math.sqrt(5))


@pytest.mark.task("layer_norm_array")
def test_the_gradients_of_the_layer_norm_are_slopes():
    """Against finite differences, for x, weight and bias."""
    rng = np.random.default_rng(0)
    check_grads(transformers.layer_norm, rng.normal(1, 2, (3, 5)), *rng.normal(0, 1, (2, 5)))


@pytest.mark.task("rms_norm_array")
def test_rms_norm_divides_by_the_root_of_the_mean_square():
    """(1, 7): the mean square is 25, its root 5; times weight (5, 10) that is (1, 14)."""
    y = transformers.rms_norm_array(np.array([[1.0, 7.0]]), np.array([5.0, 10.0]), 0.0)
    np.testing.assert_allclose(y, [[1.0, 14.0]])


@pytest.mark.task("rms_norm_array")
def test_the_gradients_of_the_rms_norm_are_slopes():
    """Against finite differences, for x and weight."""
    rng = np.random.default_rng(0)
    check_grads(transformers.rms_norm, rng.normal(1, 2, (3, 5)), rng.normal(0, 1, 5))


@pytest.mark.task("TransformerBlock.forward")
def test_both_branches_are_added():
    """norms that halve, branches that multiply: h = 8 + 10 · 4 = 48, then 48 + 100 · 24."""
    block = bare(TransformerBlock, norm1=lambda x: x / 2, norm2=lambda x: x / 2)
    block.attention = lambda x, is_causal: x * (10 if is_causal else 20)
    block.feed_forward, block.dropout = lambda x: x * 100, lambda x: x
    assert block.forward(Tensor([[8.0]])).tolist() == [[2448.0]]
    assert block.forward(Tensor([[8.0]]), is_causal=False).tolist() == [[88.0 + 100 * 44]]


@pytest.mark.task("TransformerBlock.forward")
def test_dropout_is_for_what_a_branch_says():
    """A dropout that drops everything leaves x: the road itself is never cut."""
    block = bare(TransformerBlock, norm1=lambda x: x, norm2=lambda x: x)
    block.attention, block.feed_forward = lambda x, is_causal: x * 7, lambda x: x * 9
    block.dropout = lambda x: x * 0
    assert block.forward(Tensor([[8.0]])).tolist() == [[8.0]]


@pytest.mark.task("TransformerBlock.forward")
def test_the_small_network_bends_between_its_layers():
    """down(gelu(up(x))): gelu(10) is 10, gelu(-10) is 0."""
    layer = bare(FeedForward, up=lambda x: x * 10, down=lambda x: x + 1)
    np.testing.assert_allclose(layer.forward(Tensor([1.0, -1.0])).data, [11.0, 1.0], atol=1e-6)


@pytest.mark.task("GPT.reset_parameters")
def test_a_gpt_starts_small_and_its_branches_end_smaller():
    """0.02 for matrices, 0.02 / √(2 · 8) where a branch ends, 1 for norms, 0 for biases."""
    manual_seed(0)
    model = GPT(GPTConfig(vocab_size=90, block_size=90, n_layer=8, n_head=1, n_embd=48))
    for name, parameter in model.named_parameters():
        if parameter.ndim == 2:
            want = 0.005 if name.endswith(("out_proj.weight", "down.weight")) else 0.02
            assert parameter.data.std() == pytest.approx(want, rel=0.1), name
        else:
            assert (parameter.data == (0 if name.endswith("bias") else 1)).all(), name


@pytest.mark.task("GPT.reset_parameters")
def test_shared_parameters_are_counted_once():
    """A Linear(3, 4) has 16 numbers, however often it stands in a model."""
    layer = Linear(3, 4)
    assert transformers.num_parameters(layer) == 16
    assert transformers.num_parameters(Sequential(layer, Linear(1, 1), layer)) == 18


SIZES = {"vocab_size": 3, "block_size": 4, "n_layer": 1, "n_head": 1, "n_embd": 2}


def stand_in(**parts):
    """A GPT of parts that one can compute by hand; its table has three tokens."""
    table = Embedding(3, 2)
    table.weight = Parameter(np.array([[1.0, 0.0], [0.0, 1.0], [2.0, 3.0]]))
    return bare(GPT, config=GPTConfig(**SIZES), token_embedding=table, **parts)


@pytest.mark.task("GPT.forward")
def test_features_pass_through_all_parts_in_order():
    """(2, 3) + 1, halved, squared, plus 10, times 2."""
    model = stand_in(position_embedding=lambda x: x + 1, dropout=lambda x: x / 2)
    model.blocks, model.norm = [lambda x: x * x, lambda x: x + 10], lambda x: x * 2
    assert model.features(Tensor([[2]])).tolist() == [[[2 * (1.5**2 + 10), 2 * (2.0**2 + 10)]]]


@pytest.mark.task("GPT.forward")
def test_the_table_of_tokens_scores_what_comes_next():
    """(10, 1) has the products 10, 1 and 23 with the three tokens: the weights are tied."""
    model = stand_in(features=lambda ids: Tensor(np.array([[[10.0, 1.0]]])))
    assert model.forward(Tensor([[0]])).tolist() == [[[10.0, 1.0, 23.0]]]


@pytest.mark.task("GPT.forward")
def test_the_loss_is_the_mean_over_places():
    """Equal scores of three ids: ln 3 at each of two places, and ln 3 on average."""
    model = stand_in(forward=lambda ids: Tensor(np.zeros((1, 2, 3))))
    ids = Tensor([[0, 1]])
    assert model.loss(ids, Tensor([[1, 2]])).item() == pytest.approx(math.log(3))
    with pytest.raises(ValueError, match=r"\(1, 3\)"):
        model.loss(ids, Tensor([[1, 2, 0]]))


@pytest.mark.task("next_probabilities")
def test_temperature_sharpens_and_0_is_certain():
    """At ½, chances are squared: 1, 4 and 25 of 30."""
    scores = np.log([[1.0, 2.0, 5.0]])
    half = transformers.next_probabilities(scores, temperature=0.5)
    np.testing.assert_allclose(half, [[1 / 30, 4 / 30, 25 / 30]])
    equal = np.array([[1.0, 5.0, 5.0]])
    assert transformers.next_probabilities(equal, temperature=0).tolist() == [[0, 1, 0]]


@pytest.mark.task("next_probabilities")
def test_top_k_and_top_p_cut_off_the_tail():
    """Of ⅝, ¼, ⅛: the two largest; and for p = 0.6 only the first, as it has 0.625 by itself."""
    scores = np.log([[1.0, 2.0, 5.0]])
    two = transformers.next_probabilities(scores, top_k=2)
    np.testing.assert_allclose(two, [[0, 2 / 7, 5 / 7]])
    assert transformers.next_probabilities(scores, top_p=0.6).round(9).tolist() == [[0, 0, 1]]
    np.testing.assert_allclose(transformers.next_probabilities(scores, top_p=0.7), two)


class Fixed:
    """A generator whose numbers are known."""

    def random(self, size):
        """Return 0.65 for every row."""
        return np.full(size, 0.65)


@pytest.mark.task("next_probabilities")
def test_a_number_falls_on_one_id():
    """Parts that end at 0.2, 0.7 and 1: 0.65 lies on the second; what has no part is never met."""
    chances = np.array([[0.2, 0.5, 0.3], [0.0, 0.0, 1.0]])
    assert transformers.sample(chances, Fixed()).tolist() == [1, 2]


def writer():
    """A GPT that scores the id after the last one highest, and counts what it reads."""
    model = stand_in(lengths=[])
    rows = np.array([[-1.0, 9.0], [2.0, 9.0], [9.0, -9.0]])  # next: 1 after 0, 2 after 1, 0 after 2

    def features(ids):
        model.lengths.append(ids.shape[1])
        return Tensor(rows[ids.data])

    model.features = features
    model.last_features = lambda ids: features(ids)[:, -1]
    model.forward = lambda ids: linear(features(ids), model.token_embedding.weight)
    model.token_embedding.weight = Parameter(np.array([[1.0, 0.0], [-1.0, 0.5], [0.1, 0.9]]))
    return model


@pytest.mark.task("next_probabilities")
def test_writing_appends_the_best_id_and_crops_what_is_read():
    """Each step reads the last four ids at most."""
    model = writer()
    want = [0]
    for _ in range(6):
        scores = model.forward(Tensor([want])).data[0, -1]
        want.append(int(scores.argmax()))
    model.lengths.clear()
    assert model.generate(Tensor([[0]]), 6, temperature=0).tolist() == [want]
    assert model.lengths == [1, 2, 3, 4, 4, 4]


@pytest.mark.task("next_probabilities")
def test_writing_repeats_under_a_seed_and_restores_the_mode():
    """The same seed draws the same; the model is in eval meanwhile, and in training again after."""
    model = writer()
    one, two = (model.generate(Tensor([[0]]), 30, 2.0, seed=3).tolist() for _ in range(2))
    assert one == two
    assert model.training
