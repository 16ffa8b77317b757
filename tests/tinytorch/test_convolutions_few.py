"""Convolutions of few channels and many images, with the images last, are the others' equals."""

import numpy as np
import pytest
from hypothesis import given, settings

from tests.tinytorch.test_convolutions import LAYOUTS, cases
from tinytorch import convolutions
from tinytorch.activations import ReLU
from tinytorch.autograd import check_grads
from tinytorch.convolutions import (
    BatchNorm2d,
    Conv2d,
    MaxPool2d,
    conv2d,
    conv2d_array,
    conv2d_loops,
    few_channels_array,
    side_by_side,
)
from tinytorch.layers import Sequential
from tinytorch.tensor import Tensor, apply, from_numpy, manual_seed, randn

pytestmark = pytest.mark.filterwarnings("error")


@given(cases())
@settings(deadline=None, max_examples=25)
def test_few_channels_are_the_same_with_the_images_last(case):
    """Result and gradients, with lines of pixels and with images that fill several blocks."""
    x, weight, bias, (*how, _) = case
    x = np.concatenate([x, x[::-1] / 2, np.ones_like(x, shape=(1, *x.shape[1:]))])
    x, how = x[:, : weight.shape[1]], (*how, 1)
    got = few_channels_array(x, weight, bias, *how)
    np.testing.assert_allclose(got, conv2d_loops(x, weight, bias, *how), atol=1e-11)
    names = ("stride", "padding", "dilation", "groups")
    settings = dict(zip(names, how, strict=True))
    for leaves in ((x, weight, bias), (x, weight)):

        def few(x, weight, bias=None):
            return apply(few_channels_array, x, weight, bias, **settings)

        check_grads(few, *leaves)


@pytest.mark.parametrize("budget", [1, 1 << 20])
def test_many_images_of_few_channels_go_images_last(budget, monkeypatch):
    """In float32, with gradients, as the same images in two batches of few do."""
    monkeypatch.setattr(convolutions, "COLUMN_BYTES", budget)
    monkeypatch.setattr(convolutions, "ADDED_BYTES", budget)
    manual_seed(0)
    layer = Sequential(Conv2d(2, 5, 3, padding=1), ReLU(), MaxPool2d(2), Conv2d(5, 3, 2))
    images, found = randn(28, 2, 9, 8), []
    for batches in ([images], [images[:14], images[14:]]):
        x = [batch.detach() for batch in batches]
        for batch in x:
            batch.requires_grad = True
        y = [layer(batch) for batch in x]
        op = y[0].recipe.op
        sum((part * part).sum() for part in y).backward()
        grads = [p.grad.data for p in layer.parameters()]
        layer.zero_grad()
        parts = (np.concatenate([t.data for t in y]), np.concatenate([t.grad.data for t in x]))
        found.append((op, [*parts, *grads]))
    (one, got), (two, want) = found
    assert (one, two) == (few_channels_array, conv2d_array)
    for one, two in zip(got, want, strict=True):
        np.testing.assert_allclose(one, two, rtol=2e-5, atol=2e-5)


def test_what_goes_over_pixels_lays_images_out_once():
    """A norm and a wide convolution after few channels; the gradient goes back in their order."""
    manual_seed(0)
    data = LAYOUTS["images last"](np.random.default_rng(0).normal(0, 1, (20, 12, 5, 4)))
    for layer in (BatchNorm2d(12, dtype=np.float64), Conv2d(12, 18, 3, dtype=np.float64)):
        found = []
        for x in (data, data.copy()):
            x = from_numpy(x, requires_grad=True)
            y = layer(x)
            op = y.recipe.inputs[0].recipe
            (y * y).sum().backward()
            found.append((op and op.op, y.data, x.grad.data))
        (op, *got), (none, *want) = found
        assert (op, none) == (side_by_side, None)
        for one, two in zip(got, want, strict=True):
            np.testing.assert_allclose(one, two, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("outputs, before", [(15, "rows"), (16, "images last")])
def test_as_many_outputs_as_a_short_line_have_it_from_before(outputs, before):
    """Sixteen outputs go images last if the images do, else what follows would lose by it."""
    x = np.ones((16, 2, 4, 4), np.float32)
    weight = Tensor(np.ones((outputs, 2, 3, 3), np.float32), requires_grad=True)
    assert conv2d(from_numpy(LAYOUTS[before](x)), weight).recipe.op is few_channels_array
    more = Tensor(np.ones((outputs + 1, 2, 3, 3), np.float32), requires_grad=True)
    assert conv2d(from_numpy(LAYOUTS[before](x)), more).recipe.op is conv2d_array
