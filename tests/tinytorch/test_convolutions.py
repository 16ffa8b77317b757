"""Convolutions, pools and batch norms are PyTorch's, their gradients and memory too."""

import doctest
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tinytorch.oracles import convolutions as oracle
from tinytorch import convolutions
from tinytorch.activations import ReLU
from tinytorch.autograd import check_grads
from tinytorch.convolutions import (
    AdaptiveAvgPool2d,
    AvgPool2d,
    BatchNorm1d,
    BatchNorm2d,
    Conv2d,
    MaxPool2d,
    adaptive_avg_pool2d,
    avg_pool2d,
    batch_norm,
    conv2d,
    conv2d_loops,
    max_pool2d,
)
from tinytorch.layers import Flatten, Sequential
from tinytorch.tensor import Tensor, default_generator, from_numpy, manual_seed, set_runner

pytestmark = pytest.mark.filterwarnings("error")

with np.load(Path(__file__).parent / "fixtures" / "convolutions.npz") as _file:
    FIXTURE = dict(_file)

LAYOUTS = {
    "rows": np.ascontiguousarray,
    "channels last": lambda x: np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 1, -1)), -1, 1),
    "every second": lambda x: np.repeat(x, 2, -1)[..., ::2],
    "images last": lambda x: np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 0, -1)), -1, 0),
    "backwards": lambda x: x[::-1].copy()[::-1],
}
every_layout = pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)


def holds(key, function, inputs, layout=np.asarray, dtype=np.float64):
    """Compare a function of tensors and its gradients with what the fixture has under a key."""
    close = dict(rtol=1e-10, atol=1e-12) if dtype == np.float64 else dict(rtol=1e-4, atol=2e-5)
    arrays = [x if x is None else np.asarray(x, dtype) for x in inputs]
    leaves = [x if x is None else from_numpy(x, requires_grad=True) for x in arrays]
    leaves[0] = from_numpy(layout(arrays[0]), requires_grad=True)
    y = function(*leaves)
    y.backward(oracle.draw(key, y.shape))
    found = {"y": y.data, **{i: x.grad.data for i, x in enumerate(leaves) if x is not None}}
    for part, got in found.items():
        want = FIXTURE[f"{key}.{part}"]
        assert (got.shape, got.dtype) == (want.shape, dtype)
        np.testing.assert_allclose(got, want, err_msg=str(part), **close)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@every_layout
@pytest.mark.parametrize("name", oracle.CONVOLUTIONS)
def test_a_convolution_and_its_gradients_are_pytorchs(name, layout, dtype):
    """Every setting, every path through memory."""
    x, weight, how = oracle.CONVOLUTIONS[name]
    inputs = [oracle.draw(name, *part) for part in (("x", x), ("w", weight), ("b", weight[:1]))]
    holds(f"conv2d.{name}", lambda *i: conv2d(*i, **how), inputs, layout, dtype)


@every_layout
@pytest.mark.parametrize("name", oracle.POOLS)
@pytest.mark.parametrize("pool", [max_pool2d, avg_pool2d], ids=lambda pool: pool.__name__)
def test_a_pool_and_its_gradient_are_pytorchs(pool, name, layout):
    """Equal numbers too: the first of them gets the gradient."""
    key = f"{pool.__name__}.{name}"
    holds(key, lambda x: pool(x, *oracle.POOLS[name]), [oracle.pooled()], layout)


@pytest.mark.parametrize("name", oracle.REGIONS)
def test_an_adaptive_pool_and_its_gradient_are_pytorchs(name):
    """Regions that overlap, regions of one number, and one region."""
    size = oracle.REGIONS[name]
    holds(f"regions.{name}", lambda x: adaptive_avg_pool2d(x, size), [oracle.pooled()])


@every_layout
@pytest.mark.parametrize("name", oracle.NORMS)
def test_a_batch_norm_its_gradients_and_its_running_moments_are_pytorchs(name, layout):
    """In training and in use; the running variance is that of a sample, of n - 1."""
    *inputs, mean, var = oracle.norm_inputs(name)
    running = Tensor(mean), Tensor(var)

    def norm(x, weight, bias):
        return batch_norm(x, *running, weight, bias, oracle.NORMS[name][2], **oracle.SETTINGS)

    holds(f"batch_norm.{name}", norm, inputs, layout)
    for part, got in zip(("mean", "var"), running, strict=True):
        np.testing.assert_allclose(got.data, FIXTURE[f"batch_norm.{name}.{part}"], rtol=1e-12)


def network():
    """The network of the fixture."""
    return Sequential(
        *[Conv2d(2, 4, 3, stride=2, padding=1, groups=2), BatchNorm2d(4), ReLU()],
        *[MaxPool2d(3, 2, 1), Conv2d(4, 3, 1, bias=False), BatchNorm2d(3, momentum=None)],
        *[AvgPool2d(2, 1), AdaptiveAvgPool2d(1), Flatten(), BatchNorm1d(3, affine=False)],
    )


def state(when):
    """What PyTorch's network remembers before or after it was trained."""
    return {key.split(".", 1)[1]: x for key, x in FIXTURE.items() if key.startswith(f"{when}.")}


def test_a_network_takes_pytorchs_state_and_goes_on_as_pytorchs_does():
    """The same names, shapes and dtypes; after three batches the same state, the same answer."""
    model = network()
    want = {name: (x.shape, x.dtype) for name, x in state("before").items()}
    assert {name: (x.shape, x.dtype) for name, x in model.state_dict().items()} == want
    assert list(model.state_dict()) == list(state("before"))
    model.load_state_dict(state("before"))
    batches = [oracle.draw("batch", str(i), oracle.IMAGE) for i in range(oracle.BATCHES)]
    batches = [Tensor(batch, dtype=np.float32) for batch in batches]
    for batch in batches:
        model(batch)
    for name, x in model.state_dict().items():
        np.testing.assert_allclose(x.data, state("after")[name], rtol=1e-4, atol=1e-5, err_msg=name)
    np.testing.assert_allclose(model.eval()(batches[0]).data, FIXTURE["answer"], atol=1e-5)


pairs = st.tuples(*[st.integers(1, 3)] * 2)


@st.composite
def cases(draw):
    """Inputs and settings of a convolution, among them frames that cut some of an image off."""
    kernel, stride, dilation = draw(pairs), draw(pairs), draw(pairs)
    padding, groups = draw(st.tuples(*[st.integers(0, 3)] * 2)), draw(st.integers(1, 3))
    outputs = draw(st.integers(1, 2))
    inputs = draw(st.sampled_from([1, 2] if max(stride) > 1 else [1, 16]))
    least = [
        max(1, d * (k - 1) + 1 - 2 * p) for d, k, p in zip(dilation, kernel, padding, strict=True)
    ]
    size = [n + draw(st.integers(0, 3)) for n in least]
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    x = rng.normal(0, 1, (draw(st.integers(0, 2)), groups * inputs, *size))
    weight = rng.normal(0, 1, (groups * outputs, inputs, *kernel))
    return x, weight, rng.normal(0, 1, groups * outputs), (stride, padding, dilation, groups)


@given(cases())
@settings(deadline=None, max_examples=60)
def test_fast_is_loops(case):
    """Whatever the shape, an empty batch included."""
    x, weight, bias, how = case
    for b in (bias, None):
        got = conv2d(Tensor(x), Tensor(weight), b if b is None else Tensor(b), *how)
        np.testing.assert_allclose(got.data, conv2d_loops(x, weight, b, *how), atol=1e-11)


@given(cases())
@settings(deadline=None, max_examples=25)
def test_the_gradients_of_a_convolution_are_the_slopes(case):
    """Finite differences in float64 agree to 1e-6."""
    x, weight, bias, how = case
    check_grads(lambda x, w, b: conv2d(x, w, b, *how), x, weight, bias)


@given(st.integers(0, 99), pairs, pairs)
@settings(deadline=None, max_examples=20)
def test_the_gradients_of_pools_are_the_slopes(seed, kernel, stride):
    """No two numbers equal, so that no slope jumps."""
    x = np.random.default_rng(seed).permutation(84).reshape(1, 2, 6, 7) / 10
    for pool in (max_pool2d, avg_pool2d):
        for padding in ((0, 0), (kernel[0] // 2, kernel[1] // 2)):
            check_grads(lambda x, p=pool, pad=padding: p(x, kernel, stride, pad), x)
    check_grads(lambda x: adaptive_avg_pool2d(x, kernel), x)


@pytest.mark.parametrize("shape", [(5, 2), (3, 2, 4), (2, 2, 3, 2)])
def test_the_gradients_of_batch_norm_are_the_slopes(shape):
    """In training the batch's own moments move with x."""
    rng = np.random.default_rng(0)
    x, (weight, bias) = rng.normal(1, 2, shape), rng.normal(0, 1, (2, 2))
    mean, var = Tensor(np.zeros(2)), Tensor(np.ones(2))
    for training in (True, False):

        def norm(*leaves, training=training):
            x, *affine = leaves
            return batch_norm(x, mean, var, *affine, training=training, momentum=0.0)

        check_grads(norm, x, weight, bias)
        check_grads(norm, x)


@pytest.mark.parametrize("budget", [1, 700, 5000])
def test_blocks_change_nothing(budget, monkeypatch):
    """However small the pieces: images, lines of images, passes."""
    monkeypatch.setattr(convolutions, "COLUMN_BYTES", budget)
    monkeypatch.setattr(convolutions, "PASS_BYTES", budget)
    monkeypatch.setattr(convolutions, "ADDED_BYTES", budget)
    for name in oracle.CONVOLUTIONS:
        test_a_convolution_and_its_gradients_are_pytorchs(name, np.asarray, np.float64)
    for layout in (np.asarray, LAYOUTS["images last"]):
        test_a_pool_and_its_gradient_are_pytorchs(max_pool2d, "overlap", layout)
    for name in oracle.NORMS:
        test_a_batch_norm_its_gradients_and_its_running_moments_are_pytorchs(name, np.asarray)


def test_an_empty_batch_has_an_empty_result_and_gradients_of_zero():
    """The last batch of a loader may have nothing in it."""
    x = from_numpy(np.zeros((0, 16, 4, 4)), requires_grad=True)
    weight = Tensor(np.ones((2, 16, 3, 3)), requires_grad=True)
    y = max_pool2d(conv2d(x, weight, padding=1), 2)
    y.sum().backward()
    assert (y.shape, x.grad.shape) == ((0, 2, 2, 2), (0, 16, 4, 4))
    assert not weight.grad.data.any()
    norm = BatchNorm2d(16, dtype=np.float64).eval()
    norm(x).sum().backward()
    assert norm(x).shape == x.shape and not norm.weight.grad.data.any()


def test_results_lie_with_their_channels_last():
    """The next layer finds the channels of a pixel side by side, through ReLU and pools."""
    x = Tensor(np.ones((2, 3, 4, 4)))
    y = Conv2d(3, 8, 3, padding=1, dtype=np.float64)(x)
    for z in (y, max_pool2d(ReLU()(y), 2), BatchNorm2d(8, dtype=np.float64)(y)):
        assert np.moveaxis(z.data, 1, -1).flags.c_contiguous


def test_memory_is_used_again_and_is_not_shared_between_threads():
    """What one thread computes does not change under the hands of another."""
    rng = np.random.default_rng(0)
    images = [Tensor(rng.normal(0, 1, (2, 16, 12, 12))) for _ in range(4)]
    weight = Tensor(rng.normal(0, 1, (4, 16, 3, 3)))
    want, got = [conv2d(x, weight).data for x in images], [[] for _ in images]

    def work(number):
        got[number] += [conv2d(images[number], weight).data for _ in range(50)]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all((y == want[n]).all() for n, some in enumerate(got) for y in some)
    assert [len(some) for some in got] == [50] * 4


def test_nan_is_not_swallowed_by_a_pool():
    """A number that is none makes its window none, and no other."""
    x = np.arange(16.0).reshape(1, 1, 4, 4)
    x[0, 0, 1, 1] = np.nan
    assert np.isnan(max_pool2d(Tensor(x), 2).data).tolist() == [[[[True, False], [False, False]]]]


def test_a_layer_draws_weight_then_bias_within_its_bounds():
    """The bounds are PyTorch's: 1 / √(C / groups · KH · KW); the order is weight, bias."""
    manual_seed(3)
    layer = Conv2d(8, 6, (3, 5), groups=2)
    manual_seed(3)
    bound = 1 / 60**0.5
    for parameter in (layer.weight, layer.bias):
        want = default_generator().uniform(-bound, bound, parameter.shape).astype(np.float32)
        np.testing.assert_array_equal(parameter.data, want)
    assert layer.weight.shape == (6, 4, 3, 5)


def test_running_moments_that_change_spoil_a_graph_in_use():
    """Between forward in use and backward, a batch in training moved what the rule needs."""
    layer = BatchNorm1d(2).eval()
    y = layer(Tensor(np.ones((3, 2), np.float32), requires_grad=True))
    layer.train()(Tensor(np.eye(2, dtype=np.float32)))
    with pytest.raises(RuntimeError, match="changed in place"):
        y.sum().backward()


def test_in_use_nothing_moves_and_without_tracking_the_batch_counts():
    """`eval` leaves the running moments; without any, the batch's own are used."""
    x = Tensor(np.arange(6, dtype=np.float32).reshape(3, 2))
    layer = BatchNorm1d(2).eval()
    before = {name: tensor.numpy().copy() for name, tensor in layer.state_dict().items()}
    layer(x)
    assert all((layer.state_dict()[name].data == value).all() for name, value in before.items())
    free = BatchNorm1d(2, track_running_stats=False).eval()
    assert list(free.state_dict()) == ["weight", "bias"]
    np.testing.assert_allclose(free(x).data.mean(0), 0, atol=1e-6)


def test_layers_show_what_they_are():
    """As PyTorch's do."""
    shown = [
        (Conv2d(3, 8, 3), "Conv2d(3, 8, kernel_size=(3, 3), stride=(1, 1))"),
        (
            Conv2d(4, 8, 3, padding="same", groups=2, bias=False),
            "Conv2d(4, 8, kernel_size=(3, 3), stride=(1, 1), padding='same', groups=2, bias=False)",
        ),
        (AvgPool2d((2, 3)), "AvgPool2d(kernel_size=(2, 3), stride=(2, 3), padding=0)"),
        (AdaptiveAvgPool2d(1), "AdaptiveAvgPool2d(output_size=1)"),
        (
            BatchNorm2d(5),
            "BatchNorm2d(5, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True)",
        ),
    ]
    assert [repr(layer) for layer, _ in shown] == [text for _, text in shown]


def test_the_examples_in_the_docstrings_are_true():
    """Every example of the specification runs and prints what it says."""
    failed, tried = doctest.testmod(convolutions)
    assert failed == 0
    assert tried >= 20


def test_every_operation_passes_through_the_seam():
    """A runner sees them all with their settings, and can replace what they compute."""
    seen = []

    def run(op, arrays, kwargs):
        seen.append((op.__name__, kwargs.get("stride")))
        return op(*arrays, **kwargs)

    layer, norm = Conv2d(1, 2, 3, stride=2), BatchNorm2d(2)
    before = set_runner(run)
    try:
        y = max_pool2d(norm(layer(Tensor(np.ones((2, 1, 7, 7), np.float32)))), 2, 1)
        adaptive_avg_pool2d(avg_pool2d(y, 2), 1)
    finally:
        set_runner(before)
    assert [step for step in seen if step[0] != "getitem"] == [
        ("conv2d_array", (2, 2)),
        ("channel_moments", None),
        ("batch_norm_array", None),
        ("max_pool2d_array", (1, 1)),
        ("avg_pool2d_array", (2, 2)),
        ("adaptive_avg_pool2d_array", None),
    ]
