"""What the profiler counts is true, of every operation; it sees all threads and leaves no trace."""

import doctest
import operator
import threading
from pathlib import Path

import numpy as np
import pytest

import tinytorch
from assignments.catalog import load_course
from tests.tinytorch.oracles.profiling import ATTENTIONS, CONVOLUTIONS, PRODUCTS
from tinytorch import autograd, profiling
from tinytorch.layers import Identity, Linear, Module, Sequential, set_caller
from tinytorch.profiling import Profiler, chrome_trace
from tinytorch.tensor import Tensor, apply, randn, set_runner, zeros

pytestmark = pytest.mark.filterwarnings("error")

with np.load(Path(__file__).parent / "fixtures" / "profiling.npz") as _file:
    FIXTURE = dict(_file)


@pytest.fixture(autouse=True)
def empty_seams():
    """Nobody is in the seams before a test, or after it."""
    assert (set_runner(None), set_caller(None)) == (None, None)
    yield
    assert (set_runner(None), set_caller(None)) == (None, None)


def test_products_cost_what_pytorch_counts():
    """Its counter leaves out biases; ours has an operation of its own for none of them."""
    for (b, m, k, n), want in zip(PRODUCTS, FIXTURE["products"], strict=True):
        a, c = np.ones((b, m, k)), np.ones((b, k, n))
        assert profiling.matmul_flops(a @ c, a, c) == want
        x, weight = np.ones((b, m, k)), np.ones((n, k))
        assert profiling.linear_flops(x @ weight.T, x, weight, None) == want


def test_convolutions_cost_what_pytorch_counts():
    """Strides, padding and dilation are in the size of the result, groups in that of the weight."""
    for case, want in zip(CONVOLUTIONS, FIXTURE["convolutions"], strict=True):
        n, c, kh, kw, out, h, w, groups, stride, padding, dilation = case
        places = [
            (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
            for size, kernel in ((h, kh), (w, kw))
        ]
        y, weight = np.zeros((n, out * groups, *places)), np.zeros((out * groups, c, kh, kw))
        how = [(stride,) * 2, (padding,) * 2, (dilation,) * 2, groups]
        assert profiling.conv2d_flops(y, None, weight, None, *how) == want


def test_attention_costs_what_pytorch_counts_and_a_softmax():
    """Its counter has the two products alone."""
    for (b, h, length, keys, e, d), want in zip(ATTENTIONS, FIXTURE["attentions"], strict=True):
        q, k, v = (np.zeros((b, h, *s)) for s in ((length, e), (keys, e), (keys, d)))
        found = profiling.attention_flops(np.zeros((b, h, length, d)), q, k, v)
        assert found == want + 5 * b * h * length * keys + q.size


def test_every_operation_with_a_rule_has_a_counter():
    """Whoever adds an operation with a gradient says what it costs."""
    lower = [one.module for one in load_course().assignments if one.number < 14]
    modules = {"numpy", "_operator", *(getattr(tinytorch, name).__name__ for name in lower)}
    given = {*profiling.COUNTERS, autograd.keep_array}
    rules = {op for op in autograd.RULES if op.__module__ in modules}
    assert len(rules) > 40
    assert [op.__name__ for op in rules - given if not isinstance(op, np.ufunc)] == []


def costs(compute, *shapes):
    """FLOPs, and bytes moved and allocated, of what `compute` does to tensors of these shapes."""
    tensors = [randn(*shape) for shape in shapes]
    with Profiler() as profile:
        compute(*tensors)
    assert profile.uncounted == []
    rows = profile.by_operation()
    return profile.flops, sum(row.moved for row in rows), sum(row.allocated for row in rows)


@pytest.mark.parametrize(
    ("compute", "flops", "moved", "allocated"),
    [
        (lambda x: x + x, 12, 96, 48),
        (lambda x: x + 1.0, 12, 96, 48),
        (lambda x: x > 0, 12, 60, 12),
        (lambda x: x.sum(), 11, 52, 4),
        (lambda x: x.sum(axis=1), 9, 60, 12),
        (lambda x: x.mean(axis=1), 12, 60, 12),
        (lambda x: x.var(), 48, 52, 4),
        (lambda x: x.argmax(axis=0), 8, 80, 32),
        (lambda x: x.clip(0, 1), 24, 96, 48),
        (lambda x: x.T, 0, 0, 0),
        (lambda x: x.reshape(12), 0, 0, 0),
        (lambda x: x.T.reshape(12), 0, 96, 48),
        (lambda x: x.expand(2, 3, 4), 0, 0, 0),
        (lambda x: x[1:], 0, 0, 0),
        (lambda x: x[[0, 0]], 0, 64, 32),
        (lambda x: x.clone(), 0, 96, 48),
        (lambda x: x.astype(np.float64), 0, 144, 96),
        (lambda x: tinytorch.cat([x, x]), 0, 144, 96),
        (lambda x: tinytorch.relu(x), 12, 96, 48),
        (lambda x: tinytorch.gelu(x), 96, 96, 48),
        (lambda x: tinytorch.softmax(x, dim=1), 60, 96, 48),
        (lambda x: x @ x.T, 72, 48 + 48 + 36, 36),
        (lambda x: x**2, 12, 96, 48),
    ],
)
def test_the_costs_of_an_operation_on_three_by_four_numbers(compute, flops, moved, allocated):
    """By hand: an array is read once, 4 bytes a number; what is written is new unless a view."""
    assert costs(compute, (3, 4)) == (flops, moved, allocated)


class Block(Module):
    """A layer that keeps a layer in a list, and is a part of a model."""

    def __init__(self):
        """Two in a list."""
        super().__init__()
        self.parts = [Linear(8, 8), Linear(8, 8, bias=False)]

    def forward(self, x):
        """One after the other, and back to the input."""
        for part in self.parts:
            x = x + part(x)
        return x


def test_layers_cost_their_closed_forms():
    """By name in the tree, with what runs in them and below."""
    model = Sequential(Linear(4, 8), tinytorch.ReLU(), Block(), Linear(8, 2))
    with Profiler() as profile:
        model(randn(5, 4))
    linear = lambda i, o, bias=1: 5 * o * (2 * i + bias)  # noqa: E731
    block = linear(8, 8) + linear(8, 8, 0) + 2 * 40
    assert [(row.name, row.flops) for row in profile.by_layer()] == [
        ("Sequential", linear(4, 8) + 40 + block + linear(8, 2)),
        ("Sequential.0", linear(4, 8)),
        ("Sequential.2", block),  # Sequential.1, the activation, is no Module: see 02
        ("Sequential.2.parts.0", linear(8, 8)),
        ("Sequential.2.parts.1", linear(8, 8, 0)),
        ("Sequential.3", linear(8, 2)),
    ]


@pytest.mark.parametrize(
    ("layer", "shape", "flops"),
    [
        ("Conv2d(3, 8, 3)", (2, 3, 6, 6), 2 * 8 * 16 * (2 * 27 + 1)),
        ("Conv2d(4, 6, (3, 1), 2, 1, groups=2, bias=False)", (2, 4, 6, 6), 2 * 6 * 12 * 2 * 6),
        ("MaxPool2d(2)", (2, 3, 6, 6), 2 * 3 * 9 * 3),
        ("MaxPool2d(3, stride=1, padding=1)", (2, 3, 6, 6), 2 * 3 * 36 * 8),
        ("AvgPool2d((2, 3))", (2, 3, 6, 6), 2 * 3 * 6 * 6),
        ("AdaptiveAvgPool2d((2, 3))", (1, 1, 6, 6), 36),
        ("AdaptiveAvgPool2d((2, 2))", (1, 1, 3, 3), 16),  # regions of 2 × 2 that overlap
        ("BatchNorm2d(3)", (2, 3, 4, 4), 4 * 96 + 2 * 96 + 6 * 3),
        ("BatchNorm2d(3).eval()", (2, 3, 4, 4), 2 * 96 + 6 * 3),
        ("BatchNorm2d(3, affine=False).eval()", (2, 3, 4, 4), 2 * 96 + 4 * 3),
        ("BatchNorm1d(3).eval()", (5, 3), 2 * 15 + 6 * 3),
        ("LearnedPositionalEmbedding(9, 4)", (2, 5, 4), 40),
        ("RotaryEmbedding(4)", (2, 5, 4), 120),
        ("LayerNorm(4)", (2, 5, 4), 7 * 40 + 3 * 10),
        ("LayerNorm(4, bias=False)", (2, 5, 4), 6 * 40 + 3 * 10),
        ("LayerNorm((5, 4))", (2, 5, 4), 7 * 40 + 3 * 2),
        ("RMSNorm(4)", (2, 5, 4), 4 * 40 + 2 * 10),
    ],
)
def test_a_layer_costs_its_closed_form(layer, shape, flops):
    """As the textbook has it, whatever tricks compute it."""
    model = eval(f"tinytorch.{layer}")
    with Profiler() as profile, tinytorch.no_grad():
        model(randn(*shape))
    assert profile.uncounted == []
    assert profile.flops == flops


def test_a_lookup_of_embeddings_computes_nothing_and_reads_what_it_takes():
    """6 ids of 8 bytes and 6 rows of 16, of a table of a thousand."""
    table = tinytorch.Embedding(1000, 4)
    with Profiler() as profile:
        table(Tensor([[1, 2, 3], [3, 2, 1]]))
    (row,) = profile.by_operation()
    assert (row.flops, row.moved) == (0, 6 * 8 + 2 * 6 * 16)


def test_a_whole_gpt_costs_the_sum_of_its_closed_forms():
    """Per block two norms, four products, a causal attention, GELU and two sums; then the words."""
    b, t, d, h, words = 2, 6, 8, 2, 11
    settings = dict(vocab_size=words, block_size=t, n_layer=1, n_head=h, n_embd=d)
    model = tinytorch.GPT(tinytorch.GPTConfig(**settings)).eval()
    with Profiler() as profile, tinytorch.no_grad():
        model(Tensor(np.zeros((b, t), np.int64)))
    rows, head = b * t, d // h
    pairs = t * (t + 1) // 2
    block = 2 * rows * (7 * d + 3) + rows * 12 * d * 2 * d + rows * 9 * d + 8 * rows * 4 * d
    block += b * h * (pairs * (4 * head + 5) + t * head) + 2 * rows * d
    assert profile.uncounted == []
    assert profile.flops == block + rows * d + rows * (7 * d + 3) + rows * 2 * d * words


@pytest.mark.parametrize("causal", [False, True])
def test_self_attention_costs_its_closed_form_and_keeps_its_weights(causal):
    """Four products with weights and biases, and 2 heads of 5² or 15 pairs; 2·3·5² weights kept."""
    layer, x = tinytorch.MultiHeadAttention(8, 2), randn(3, 5, 8)
    with Profiler() as profile:
        y = layer(x, is_causal=causal)
        assert y.requires_grad
        kept = profile.live
    pairs = 15 if causal else 25
    heads = 3 * 2 * (pairs * (2 * 4 + 5 + 2 * 4) + 5 * 4)
    assert profile.flops == 4 * 3 * 5 * 8 * (2 * 8 + 1) + heads
    assert kept >= 3 * 2 * 25 * 4  # a quarter of 15 · 8 numbers, and growing as the square


def test_models_of_one_kind_are_told_apart():
    """The second one gets a number; a layer keeps its first name."""
    one, two = Sequential(Identity()), Sequential(Identity())
    with Profiler() as profile:
        for model in (one, two, one, one[0]):
            model(zeros(1))
    rows = [(row.name, row.calls) for row in profile.by_layer()]
    assert rows == [
        ("Sequential", 2),
        ("Sequential.0", 3),
        ("Sequential 2", 1),
        ("Sequential 2.0", 1),
    ]


def train_step(model, x, target, profile):
    """One step forward and back."""
    with profile:
        loss = tinytorch.cross_entropy(model(x), target)
        with profile.region("backward"):
            loss.backward()
    return loss


def test_a_training_step_keeps_what_backward_needs_and_then_frees_it():
    """Activations of all layers at the peak, none afterwards; without recipes two at a time."""
    model = Sequential(*[Linear(64, 64, bias=False) for _ in range(8)])
    x, target = randn(32, 64), Tensor(np.zeros(32, np.int64))
    training, using = Profiler(), Profiler()
    loss = train_step(model, x, target, training)
    one = 32 * 64 * 4
    assert training.peak == 8 * one + 4
    assert training.live == loss.nbytes == 4
    with using, tinytorch.no_grad():
        model(x)
    assert using.peak == 2 * one


def test_operations_of_all_threads_are_seen_each_in_its_own_layers():
    """Two models run at once; none of their operations stands in a layer of the other."""
    meet = threading.Barrier(2)

    class Meeting(Module):
        def forward(self, x):
            meet.wait(10)
            x = x + 1
            meet.wait(10)
            return x

    models = [Sequential(Meeting()), Sequential(Identity(), Meeting())]
    with Profiler() as profile:
        threads = [threading.Thread(target=model, args=(zeros(2),)) for model in models]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
    stacks = {one.thread: one.layers for one in profile.operations}
    assert len(stacks) == 2
    for stack in stacks.values():
        assert len(stack) == 2 and stack[1].startswith(stack[0] + ".")
    assert len({event.get("tid") for event in chrome_trace(profile)["traceEvents"]} - {None}) == 2


@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1)])
def test_profilers_of_several_threads_end_in_any_order(order):
    """Whoever is left sees on, and the seams are empty in the end."""
    profiles = [Profiler() for _ in range(3)]
    [profile.__enter__() for profile in profiles]
    for done, number in enumerate(order, 1):
        profiles[number].__exit__()
        Identity()(zeros(1) + 1)
        seen = [len(profile.operations) for profile in profiles]
        assert [seen[i] for i in order[done:]] == [done] * (3 - done)
    assert [seen[i] for i in order] == [0, 1, 2]


def test_a_profiler_under_somebody_elses_runner_says_so():
    """What stands above it in the seam is not its own to move."""
    profile = Profiler()
    profile.__enter__()
    before = set_runner(lambda op, arrays, kwargs: op(*arrays, **kwargs))
    with pytest.raises(RuntimeError, match="leave that first"):
        profile.__exit__()
    set_runner(before)
    set_runner(None), set_caller(None)


def test_closed_it_costs_nothing():
    """Nobody stands in the seams: an operation runs as if this module had never been there."""
    with Profiler():
        assert set_runner(set_runner(None)) is None
    assert (set_runner(None), set_caller(None)) == (None, None)


def test_a_result_is_the_same_with_and_without():
    """Bit for bit, dtype and gradients included."""
    tinytorch.manual_seed(3)
    model = Sequential(Linear(4, 8), tinytorch.GELU(), Linear(8, 3))
    x, target = randn(5, 4), Tensor([0, 1, 2, 0, 1])
    results = []
    for context in (Profiler(), Profiler(), None):
        model.zero_grad()
        if context is None:
            loss = tinytorch.cross_entropy(model(x), target)
            loss.backward()
        else:
            loss = train_step(model, x, target, context)
        results.append([loss.data, *(p.grad.data for p in model.parameters())])
    for one in zip(*results, strict=True):
        assert len({array.tobytes() for array in one}) == 1
        assert len({array.dtype for array in one}) == 1


def test_an_operation_without_counter_is_named():
    """Zero FLOPs would be a lie: it adds none, and the profile says which they are."""
    with Profiler() as profile:
        apply(np.sort, Tensor([2.0, 1.0]))
        apply(operator.pos, Tensor([2.0, 1.0]))
    assert profile.uncounted == ["pos", "sort"]
    assert profile.to_dict()["uncounted"] == ["pos", "sort"]


def test_the_examples_in_the_docstrings_are_true():
    """Every example of the specification runs and prints what it says."""
    failed, tried = doctest.testmod(profiling)
    assert failed == 0
    assert tried >= 30
