"""A loss or gradient that is not finite is refused with the step and the layer where it began."""

import numpy as np
import pytest

from tests.tinytorch.trainers import X, Y, batches, small
from tinytorch.layers import Linear, Module
from tinytorch.losses import cross_entropy
from tinytorch.optimizers import SGD
from tinytorch.tensor import Tensor, manual_seed
from tinytorch.training import Trainer


class Network(Module):
    """Layers by name, registered in another order than they are called in."""

    def __init__(self):
        super().__init__()
        manual_seed(0)
        self.out, self.first, self.middle = Linear(4, 3), Linear(4, 4), Linear(4, 4)

    def forward(self, x):
        return self.out(self.act(self.middle(self.act(self.first(x)))))

    act = staticmethod(lambda x: x)


def refusal(model, batch):
    """The message of the error, after a check that no parameter changed."""
    trainer = Trainer(model, SGD(model.parameters(), 0.1), cross_entropy, progress=False)
    trainer.step = 41
    before = {name: p.data.copy() for name, p in model.named_parameters()}
    with pytest.raises(FloatingPointError) as error, np.errstate(all="ignore"):
        trainer.train_step([batch])
    for name, p in model.named_parameters():
        np.testing.assert_array_equal(p.data, before[name])
    return str(error.value)


@pytest.mark.parametrize("layer", ["first", "middle", "out"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, 3e38])
def test_a_loss_that_is_not_finite_names_the_first_layer(layer, bad):
    """A weight that is no number, infinite, or so large that sums of its products overflow."""
    model = Network()
    getattr(model, layer).weight.data[...] = bad
    x = np.abs(X[:5]) + 1 if layer == "first" else X[:5]
    for name in ("first", "middle"):
        getattr(model, name).bias.data[...] = 9
    message = refusal(model, (Tensor(x), Tensor(Y[:5])))
    assert message.startswith("step 42: the loss is ")
    assert f", first in layer '{layer}'; no step was taken: look at the data, or lower" in message


def test_a_loss_that_is_not_finite_may_be_the_batchs_fault():
    """A missing value in the data is no layer's."""
    x = X[:5].copy()
    x[3, 2] = np.nan
    message = refusal(Network(), (Tensor(x), Tensor(Y[:5])))
    assert "step 42: the loss is nan, first in the batch itself; " in message


def test_an_operation_between_layers_is_blamed_on_the_layer_before():
    """The logarithm of a negative number, after `middle`."""
    model = Network()
    model.middle.bias.data[...] = -99
    calls = []
    model.act = lambda x: (calls.append(x), x.log() if len(calls) == 2 else x)[1]
    assert "first in layer 'middle'" in refusal(model, (Tensor(X[:5]), Tensor(Y[:5])))


def test_infinity_that_vanishes_on_the_way_is_not_blamed():
    """exp(-∞) is 0, as in masked attention: the fault is behind it."""
    model = Network()
    model.act = lambda x: x + (x * 0 - np.inf).exp()
    model.out.weight.data[0, 0] = np.nan
    assert "first in layer 'out'" in refusal(model, (Tensor(X[:5]), Tensor(Y[:5])))


@pytest.mark.parametrize(("call", "layer"), [(1, "first"), (2, "middle")])
def test_a_gradient_that_is_not_finite_names_the_layer_where_backward_met_it_first(call, layer):
    """√0 has an infinite slope, and 0 · ∞ is NaN: the layer before it gets it, then those before.

    The layers are registered in another order than that in which they are called.
    """
    model, calls = Network(), []

    def act(x):
        calls.append(x)
        return x + (x * 0).abs().sqrt() if len(calls) % 2 == call % 2 else x

    model.act = act
    message = refusal(model, (Tensor(X[:5]), Tensor(Y[:5])))
    assert f"step 42: a gradient is not finite, first in layer '{layer}'; " in message


def test_a_sum_that_overflows_is_no_infinity():
    """The quick check by a sum is followed by an exact one."""
    model = Linear(1, 2)
    for p in model.parameters():  # two gradients of 3e38: their sum is infinite, they are not
        p.data[...] = 0
    trainer = Trainer(model, SGD(model.parameters(), 0.0), progress=False, loss=None)
    trainer.loss = lambda output, target: (output * 3e38).sum()
    with np.errstate(over="raise"):
        assert trainer.train_step([(Tensor([[1.0]]), Tensor([0]))]) == 0
    assert model.bias.grad.tolist() == pytest.approx([3e38, 3e38])


def test_fit_names_the_step_and_can_go_on_behind_it():
    """Step 3 has a bad batch: two steps were taken; without it all goes well."""
    data = batches(X, Y, 10)
    bad = Tensor(np.full((10, 4), np.nan, np.float32)), data[2][1]
    trainer = small()
    with pytest.raises(FloatingPointError, match="^step 3: the loss is nan, first in the batch"):
        trainer.fit([*data[:2], bad, *data[3:]], 1)
    assert trainer.step == 2
    trainer.fit(data, 1)
    assert trainer.step == 5
