"""Backends are equal to the plain path, on in one thread alone, and gone afterwards."""

import doctest
import threading
import tracemalloc

import numpy as np
import pytest

from tinytorch import acceleration, autograd, profiling
from tinytorch.acceleration import (
    BACKENDS,
    DEFAULT,
    accelerate,
    backends,
    conv2d_shifted,
    conv_pool_array,
    few_pool_array,
    packed_tiled_array,
    tiled_attention_array,
)
from tinytorch.activations import GELU, ReLU, gelu, relu
from tinytorch.attention import attention_array, packed_attention, scaled_dot_product_attention
from tinytorch.autograd import check_grads, no_grad
from tinytorch.convolutions import AvgPool2d, BatchNorm2d, Conv2d, MaxPool2d, conv2d, conv2d_array
from tinytorch.layers import Flatten, Linear, Sequential, set_caller
from tinytorch.losses import cross_entropy
from tinytorch.profiling import Profiler
from tinytorch.tensor import Tensor, apply, from_numpy, manual_seed, randn, set_chooser
from tinytorch.transformers import GPT, FeedForward, GPTConfig, layer_norm

pytestmark = pytest.mark.filterwarnings("error")
PLAIN = {"stride": (1, 1), "padding": (0, 0), "dilation": (1, 1), "groups": 1}


@pytest.fixture(autouse=True)
def empty_seams():
    """Nothing is on, and nobody in the seams, before a test or after it."""
    assert (set_chooser(None), set_caller(None), backends()) == (None, None, frozenset())
    yield
    assert (set_chooser(None), set_caller(None), backends()) == (None, None, frozenset())


def array(*shape, seed=0):
    """Random numbers in float64."""
    return np.random.default_rng(seed).normal(0, 1, shape)


def convolutional():
    """A network in which everything of images can be fused, and its loss."""
    layers = [Conv2d(3, 4, 3, padding=1), ReLU(), MaxPool2d(2), Conv2d(4, 17, 3), relu]
    model = Sequential(*layers, MaxPool2d(2), Flatten(), Linear(17, 5), GELU(), Linear(5, 4))
    x, target = randn(6, 3, 8, 8), Tensor([0, 1, 2, 3, 1, 2])
    return model, lambda: cross_entropy(model(x), target)


def normed():
    """A network with batch norms, and its loss."""
    layers = [Conv2d(3, 4, 3, padding=1, bias=False), BatchNorm2d(4), ReLU(), MaxPool2d(2)]
    model = Sequential(*layers, Flatten(), Linear(4 * 16, 4))
    x, target = randn(6, 3, 8, 9), Tensor([0, 1, 2, 3, 1, 2])
    return model, lambda: cross_entropy(model(x), target)


def language():
    """A GPT and its loss."""
    model = GPT(GPTConfig(vocab_size=11, block_size=9, n_layer=2, n_head=2, n_embd=8))
    ids = Tensor(np.random.default_rng(0).integers(0, 11, (3, 10)))
    return model, lambda: model.loss(ids[:, :-1], ids[:, 1:])


@pytest.mark.parametrize("names", [(), *((name,) for name in BACKENDS), tuple(BACKENDS)], ids=str)
@pytest.mark.parametrize("make", [convolutional, normed, language])
def test_a_model_has_the_same_loss_and_gradients(make, names, monkeypatch):
    """Within each backend's tolerance, in float32, with blocks so small that there are many."""
    for name, value in {"CACHE_BYTES": 200, "PRODUCT_BYTES": 300, "TILE": 3, "LONG": 1}.items():
        monkeypatch.setattr(acceleration, name, value)
    manual_seed(0)
    model, loss = make()
    found = []
    for on in (False, True):
        model.zero_grad()
        if on:
            with accelerate(*names):
                total = loss()
        else:
            total = loss()
        total.backward()
        found.append([total.data, *(p.grad.data for p in model.parameters())])
    tolerance = max(BACKENDS[name] for name in names or DEFAULT)
    for plain, fast in zip(*found, strict=True):
        assert np.abs(plain - fast).max() <= tolerance * max(np.abs(plain).max(), 0.01)


@pytest.mark.parametrize("is_causal", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_tiled_attention_is_attention(is_causal, masked, monkeypatch):
    """With queries that see nothing, and as many keys as queries or not; in float64."""
    monkeypatch.setattr(acceleration, "TILE", 3)
    for queries, keys in ((7, 7), (4, 8), (8, 4)):
        q, k = array(2, 2, queries, 4), array(2, 2, keys, 4, seed=1)
        v = array(2, 2, keys, 3, seed=2)
        bias = np.where(array(2, queries, keys, seed=3) > 0.5, -np.inf, 0.0) if masked else None
        if masked:
            bias[:, 0] = -np.inf
        settings = {"bias": bias, "is_causal": is_causal, "kept": None}
        want = attention_array(q, k, v, **settings)
        np.testing.assert_allclose(tiled_attention_array(q, k, v, **settings), want, atol=1e-12)
        settings["kept"] = []
        check_grads(lambda *x, s=settings: apply(tiled_attention_array, *x, **s), q, k, v)


def test_packed_heads_are_tiled_as_well(monkeypatch):
    """The three gradients stand in one array."""
    monkeypatch.setattr(acceleration, "TILE", 2)
    for kept in ([], None):
        settings = {"bias": None, "is_causal": True, "kept": kept}
        check_grads(lambda x, s=settings: apply(packed_tiled_array, x, **s), array(2, 6, 5, 3))


@pytest.mark.parametrize("op", [conv_pool_array, conv2d_shifted])
def test_convolutions_have_the_gradients_of_all_settings(op, monkeypatch):
    """Strides, padding, dilation and groups, with blocks of one image."""
    monkeypatch.setattr(acceleration, "PRODUCT_BYTES", 1)
    how = {"stride": (2, 1), "padding": (1, 2), "dilation": (1, 2), "groups": 2}
    settings = how | ({"pool": (2, 3), "kept": None} if op is conv_pool_array else {})
    x, weight, bias = array(3, 4, 9, 7), array(4, 2, 3, 2, seed=1), array(4, seed=2)
    check_grads(lambda *inputs: apply(op, *inputs, **settings), x, weight, bias)
    check_grads(lambda x, weight: apply(op, x, weight, None, **settings), x, weight)


@pytest.mark.parametrize("pool", [(2, 2), (1, 3), (2, 3)])
@pytest.mark.parametrize("kept", [[], None])
def test_images_last_are_the_same(pool, kept, monkeypatch):
    """Strides, padding, dilation, lines and columns that no window takes, a line at a time."""
    monkeypatch.setattr(acceleration, "PRODUCT_BYTES", 1)
    x, weight, bias = array(3, 2, 9, 8), array(4, 2, 3, 2, seed=1), array(4, seed=2)
    for how in ({}, {"stride": (2, 1), "padding": (1, 2), "dilation": (1, 2)}):
        settings = PLAIN | how | {"pool": pool, "kept": None if kept is None else []}
        plain = conv_pool_array(x, weight, bias, **settings | {"kept": None})
        fast = few_pool_array(x, weight, bias, **settings | {"kept": None})
        np.testing.assert_allclose(fast, plain, atol=1e-12)
        inputs = (x, weight, bias)
        check_grads(lambda *i, s=settings: apply(few_pool_array, *i, **s), *inputs)
    settings["kept"] = None if kept is None else []
    check_grads(lambda x, w: apply(few_pool_array, x, w, None, **settings), x, weight)


def test_few_channels_and_many_images_go_images_last():
    """And others do not; both agree with the plain chain in float32."""
    model = Sequential(Conv2d(1, 4, 3, padding=1), ReLU(), MaxPool2d(2))
    for count, op in ((15, conv_pool_array), (16, few_pool_array)):
        x = randn(count, 1, 7, 7)
        plain = model(x)
        with accelerate():
            fast = model(x)
        assert fast.recipe.op is op
        np.testing.assert_allclose(fast.data, plain.data, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("affine", [True, False])
def test_a_norm_before_a_pool_is_the_same(training, affine, monkeypatch):
    """In float64: results, all gradients, the running moments; scales may be negative."""
    monkeypatch.setattr(acceleration, "PRODUCT_BYTES", 1)
    x, g, found = array(4, 3, 5, 6), array(4, 3, 2, 3, seed=1), []
    for names in ("norm_pool", "shifted"):
        layer = BatchNorm2d(3, affine=affine, dtype=np.float64)
        for name, parameter in layer.named_parameters():
            parameter.data[...] = [1, -2, 0.5] if name == "weight" else [0.1, 0.2, -0.1]
        model, given = Sequential(layer, ReLU(), MaxPool2d(2)), Tensor(x, requires_grad=True)
        model.train(training)
        with accelerate(names):
            y = model(given)
        assert (y.recipe.op is acceleration.norm_pool_array) == (names == "norm_pool")
        y.backward(g)
        gradients = [given.grad.data, *(p.grad.data for p in layer.parameters())]
        found.append([y.data, *gradients, layer.running_mean.data, layer.running_var.data])
    for fast, plain in zip(*found, strict=True):
        np.testing.assert_allclose(fast, plain, atol=1e-12)


def peak(length):
    """The bytes that a tiled forward and backward hold at most."""
    q = randn(1, 1, length, 8, requires_grad=True)
    tracemalloc.start()
    scaled_dot_product_attention(q, q, q, is_causal=True).sum().backward()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most


def test_memory_of_tiled_attention_grows_with_the_length():
    """Twice the tokens, at most twice the bytes; the plain form needs nearly four times as many."""
    plain = [peak(length) for length in (512, 1024)]
    with accelerate("attention"):
        tiled = [peak(length) for length in (512, 1024)]
    assert plain[1] > 2.5 * plain[0]
    assert tiled[1] < 2 * tiled[0] and tiled[1] < plain[1] / 4


def test_a_fused_convolution_keeps_a_byte_per_number():
    """Where plain keeps the convolution, and ReLU of it, in four bytes each."""
    model, x = Sequential(Conv2d(1, 4, 3, padding=1), ReLU(), MaxPool2d(2)), randn(2, 1, 8, 8)
    with accelerate("conv_pool"):
        y = model(x)
    (taken,) = y.recipe.kwargs["kept"]
    assert taken.nbytes == 2 * 8 * 8 * 4
    assert y.recipe.inputs[0] is x


def test_nothing_is_kept_where_no_gradient_is_wanted():
    """In use the slopes, marks and moments are not even computed."""
    asked = []

    def spy(op, inputs, kwargs):
        found = acceleration.choose(op, inputs, kwargs)
        asked.append(found[1].get("kept", "nothing"))
        return found

    with accelerate(), no_grad():
        before = set_chooser(spy)
        language()[1]()
        set_chooser(before)
    assert asked.count(None) >= 9 and [] not in asked


@pytest.mark.parametrize(
    "layers",
    [
        [Conv2d(2, 3, 3), ReLU(), AvgPool2d(2)],
        [Conv2d(2, 3, 3), ReLU(), MaxPool2d(2, stride=1)],
        [Conv2d(2, 3, 3), ReLU(), MaxPool2d(2, padding=1)],
        [Conv2d(2, 3, 3, padding="same"), ReLU(), MaxPool2d(2)],
        [Conv2d(2, 3, 3), gelu, MaxPool2d(2)],
        [Conv2d(2, 3, 3), ReLU()],
        [Linear(6, 2), relu],
        [Linear(6, 2)],
    ],
    ids=lambda chain: "-".join(getattr(one, "__name__", type(one).__name__) for one in chain),
)
def test_what_is_another_chain_stays_as_it_is(layers):
    """Only what is surely the same is fused."""
    model, x = Sequential(*layers), randn(2, 2, 6, 6)
    plain = model(x)
    with accelerate():
        fast = model(x)
    assert fast.recipe.op is plain.recipe.op
    np.testing.assert_array_equal(fast.data, plain.data)


def test_a_subclass_with_a_forward_of_its_own_keeps_it():
    """Whoever overrides something means it."""

    class Doubled(Linear):
        def forward(self, x):
            return super().forward(x) * 2

    class Twice(FeedForward):
        def forward(self, x):
            return super().forward(x) * 2

    x = randn(3, 4)
    for model in (Sequential(Doubled(4, 2), GELU()), Twice(4)):
        plain = model(x)
        with accelerate():
            np.testing.assert_allclose(model(x).data, plain.data, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("shape", [(3, 5), (3, 4, 6, 6), (2, 2, 2, 2)])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_what_is_refused_is_refused_in_the_same_words(shape, kind):
    """A chain that does not fit runs plainly, and says what is wrong."""
    x = from_numpy(np.ones(shape, kind))
    for model in (
        Sequential(Linear(4, 2), GELU()),
        Sequential(Conv2d(2, 3, 3), ReLU(), MaxPool2d(2)),
    ):
        said = []
        for on in (False, True):
            with pytest.raises((TypeError, ValueError)) as error:
                if on:
                    with accelerate():
                        model(x)
                else:
                    model(x)
            said.append(str(error.value))
        assert said[0] == said[1]


def test_losses_that_are_not_plain_stay_as_they_are():
    """Class weights, smoothing, more axes, no rows."""
    x, target = Tensor(array(4, 3)), Tensor([0, 1, 2, 1])
    weight = Tensor(np.array([1.0, 2.0, 3.0]))
    images, labels = Tensor(array(2, 3, 4)), Tensor(np.zeros((2, 4), int))
    for inputs, settings in (
        ((x, target), {"weight": weight}),
        ((x, target), {"label_smoothing": 0.1}),
        ((images, labels), {}),
        ((Tensor(np.zeros((0, 3))), Tensor(np.zeros(0, int))), {"reduction": "sum"}),
    ):
        with accelerate():
            fast = cross_entropy(*inputs, **settings)
        np.testing.assert_array_equal(fast.data, cross_entropy(*inputs, **settings).data)


def test_short_sequences_are_attended_plainly():
    """Below LONG keys the second exp does not pay."""
    for length, op in ((8, "packed_attention_array"), (512, "packed_tiled_array")):
        with accelerate():
            y = packed_attention(randn(1, 3, length, 2, requires_grad=True))
        assert y.recipe.op.__name__ == op


def test_shifts_are_used_when_they_are_asked_for():
    """And by nobody else: they pay with many channels alone."""
    x, weight = randn(1, 2, 4, 4), randn(3, 2, 2, 2, requires_grad=True)
    assert "shifted" not in DEFAULT
    for names, op in (((), conv2d_array), (("shifted",), conv2d_shifted)):
        with accelerate(*names):
            assert conv2d(x, weight).recipe.op is op


def test_threads_have_switches_of_their_own():
    """One thread leaves while another is within; whoever is last leaves the seams empty."""
    model, x, inside, go, found = (
        FeedForward(4),
        randn(2, 4),
        threading.Event(),
        threading.Event(),
        [],
    )

    def other():
        with accelerate("linear_gelu"):
            inside.set()
            assert go.wait(10)
            found.append((set(backends()), model(x).recipe.inputs[0].recipe.op.__name__))

    thread = threading.Thread(target=other)
    with accelerate("layer_norm"):
        thread.start()
        assert inside.wait(10)
        assert backends() == {"layer_norm"}
        assert model(x).recipe.inputs[0].recipe.op.__name__ == "gelu_array"
    assert model(x).recipe.inputs[0].recipe.op.__name__ == "gelu_array"
    go.set()
    thread.join()
    assert found == [({"linear_gelu"}, "linear_gelu_array")]


def test_a_profiler_within_sees_the_fused_operations_and_their_cost():
    """It stands above; when it leaves in another order, nothing is left behind."""
    model, x = Sequential(Linear(4, 8), GELU()), randn(5, 4)
    with accelerate(), Profiler() as profile:
        model(x)
    assert [one.name for one in profile.operations] == ["linear_gelu"]
    assert profile.flops == 5 * 8 * (2 * 4 + 1 + 8) and not profile.uncounted
    late, block = Profiler(), accelerate()
    with block:
        late.__enter__()
    with accelerate():
        assert model(x).recipe.op.__name__ == "linear_gelu_array"
    assert model(x).recipe.op.__name__ == "gelu_array"
    late.__exit__(None, None, None)
    set_caller(None)


def test_every_operation_says_what_it_costs():
    """Those with a rule have a counter, too."""
    missing = [op for op in autograd.RULES if op.__module__ == acceleration.__name__]
    assert [op.__name__ for op in missing if op not in profiling.COUNTERS] == []
    x, w, b = array(2, 3, 6, 6), array(4, 3, 3, 3), array(4)
    y = conv_pool_array(x, w, b, **PLAIN, pool=(2, 2), kept=None)
    found = profiling.count_flops(
        conv_pool_array, y, [x, w, b], PLAIN | {"pool": (2, 2), "kept": 0}
    )
    assert found == 2 * 4 * 4 * 4 * (2 * 27 + 1 + 1) + 2 * 4 * 2 * 2 * 3


def test_a_name_that_is_none_is_refused():
    """With those that are."""
    with pytest.raises(ValueError, match="expected names of linear_gelu, .*, got 'fast', 'faster'"):
        accelerate("faster", "attention", "fast")


def test_layer_norm_of_nothing_is_nothing():
    """No rows, no blocks."""
    with accelerate("layer_norm"):
        assert layer_norm(Tensor(np.zeros((0, 3))), Tensor(np.ones(3))).shape == (0, 3)


def test_the_examples_are_true():
    """Each docstring's example runs."""
    assert doctest.testmod(acceleration).failed == 0
