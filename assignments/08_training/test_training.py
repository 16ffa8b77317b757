"""What module 08 must do. Run it with `tito test 08`; the first sentence below a name says why."""

import io
import math

import numpy as np
import pytest

from tinytorch.dataloader import DataLoader, TensorDataset
from tinytorch.layers import Dropout, Linear, Module, Sequential
from tinytorch.losses import mse_loss
from tinytorch.optimizers import SGD, Adam
from tinytorch.tensor import Tensor, manual_seed
from tinytorch.training import (
    CosineAnnealingLR,
    LinearLR,
    LRScheduler,
    SequentialLR,
    StepLR,
    Trainer,
    clip_grad_norm_,
    clip_grad_value_,
    load,
    pack,
    save,
    unpack,
)


def weight(*numbers, grad=None):
    """A tensor to learn, with a gradient if there are numbers for one."""
    tensor = Tensor(list(numbers), requires_grad=True)
    tensor.grad = None if grad is None else Tensor(grad)
    return tensor


def rates(make, epochs):
    """The rates in each epoch, to four digits, of an optimizer that begins with 1."""
    optimizer = SGD([weight(0.0)], lr=1.0)
    scheduler, found = make(optimizer), []
    for _ in range(epochs):
        found.append(round(optimizer.param_groups[0]["lr"], 4))
        scheduler.step()
    return found


@pytest.mark.task("StepLR.rate")
def test_a_step_schedule_falls_every_three_epochs():
    """base_lr · gammaⁿ with n = epoch // step_size: 3 epochs at 1, then 3 at 0.1, and so on."""
    assert rates(lambda o: StepLR(o, 3), 8) == [1, 1, 1, 0.1, 0.1, 0.1, 0.01, 0.01]
    assert rates(lambda o: StepLR(o, 1, gamma=0.5), 4) == [1, 0.5, 0.25, 0.125]


@pytest.mark.task("CosineAnnealingLR.rate")
def test_a_cosine_schedule_falls_slowly_then_fast_then_slowly():
    """(1 + cos(π · epoch / T_max)) / 2: half is left in the middle, but no straight line."""
    assert rates(lambda o: CosineAnnealingLR(o, 4), 5) == [1, 0.8536, 0.5, 0.1464, 0]


@pytest.mark.task("CosineAnnealingLR.rate")
def test_a_cosine_schedule_ends_at_eta_min_and_goes_up_again():
    """Only base_lr - eta_min is multiplied; after T_max the cosine goes on."""
    found = rates(lambda o: CosineAnnealingLR(o, T_max=2, eta_min=0.2), 5)
    assert found == [1, 0.6, 0.2, 0.6, 1]


@pytest.mark.task("LinearLR.rate")
def test_a_linear_schedule_reaches_end_factor_and_stays():
    """Equal steps from start_factor, in epoch 0, to end_factor, in epoch total_iters."""
    assert rates(lambda o: LinearLR(o, 0.25, total_iters=3), 5) == [0.25, 0.5, 0.75, 1, 1]
    assert rates(lambda o: LinearLR(o, 1.0, 0.5, 2), 4) == [1, 0.75, 0.5, 0.5]


class Line(LRScheduler):
    """A schedule for the test below: `number` plus a tenth for every epoch of its own."""

    def rate(self, base_lr, epoch):
        """Return a rate from which one can tell which schedule was asked, and for what epoch."""
        return base_lr * (self.number + epoch / 10)


@pytest.mark.task("SequentialLR.rate")
def test_a_sequence_hands_over_at_each_milestone():
    """From epoch 2 on, the second schedule is asked, and begins with its own epoch 0."""
    found = rates(lambda o: SequentialLR(o, [Line(o, number=n) for n in (1, 2, 3)], [2, 5]), 7)
    assert found == [1, 1.1, 2, 2.1, 2.2, 3, 3.1]


@pytest.mark.task("clip_grad_norm_")
def test_all_gradients_are_scaled_by_one_factor():
    """Gradients (3) and (4) have the norm 5 together: to get to 1, both are multiplied by 0.2."""
    a, b = weight(0.0, grad=[3.0]), weight(0.0, grad=[4.0])
    norm = clip_grad_norm_([a, weight(0.0), b], max_norm=1.0)
    assert norm.item() == 5.0
    assert [a.grad.item(), b.grad.item()] == pytest.approx([0.6, 0.8], rel=1e-5)


@pytest.mark.task("clip_grad_norm_")
def test_a_small_norm_stays():
    """The factor is at most 1: clipping never makes a gradient larger."""
    a = weight(0.0, 0.0, grad=[0.3, 0.4])
    assert clip_grad_norm_(a, max_norm=1.0).item() == pytest.approx(0.5)
    assert a.grad.tolist() == pytest.approx([0.3, 0.4])


@pytest.mark.task("clip_grad_norm_")
def test_other_norms_than_the_second():
    """norm_type 1 adds sizes, inf takes the largest; without gradients the norm is 0."""
    for p, norm in ((1, 7.0), (math.inf, 4.0)):
        tensors = [weight(0.0, grad=[-3.0]), weight(0.0, grad=[4.0])]
        assert clip_grad_norm_(tensors, 1.0, norm_type=p).item() == pytest.approx(norm)
        assert tensors[1].grad.item() == pytest.approx(4 / norm, rel=1e-5)
    assert clip_grad_norm_([weight(0.0)], 1.0).item() == 0


@pytest.mark.task("clip_grad_norm_")
def test_a_norm_that_is_not_finite_is_refused_if_asked():
    """A factor of NaN would make every gradient NaN: `error_if_nonfinite` raises instead."""
    a = weight(0.0, 0.0, grad=[1.0, math.inf])
    with pytest.raises(RuntimeError):
        clip_grad_norm_([a], 1.0, error_if_nonfinite=True)
    with pytest.raises(ValueError):
        clip_grad_norm_([weight(0.0, grad=[1.0])], -1.0)


@pytest.mark.task("clip_grad_value_")
def test_each_element_is_clipped_on_both_sides():
    """Into [-1, 1], in the gradient's own memory."""
    a = weight(0.0, 0.0, 0.0, grad=[-3.0, 0.5, 2.0])
    memory = a.grad.data
    clip_grad_value_([a, weight(0.0)], 1.0)
    assert memory.tolist() == [-1.0, 0.5, 1.0]
    with pytest.raises(ValueError):
        clip_grad_value_([a], -1.0)


@pytest.mark.task("pack")
def test_pack_takes_the_arrays_out():
    """Each array is replaced by its number; dicts become pairs, so that a key 0 stays a 0."""
    arrays = []
    tree = pack([{"w": Tensor([1.0]), 0: np.array([2, 3])}, (None, True), "text", 0.5], arrays)
    pairs = [["w", {"tensor": 0}], [0, {"array": 1}]]
    assert tree == [{"dict": pairs}, {"tuple": [None, True]}, "text", 0.5]
    assert [array.tolist() for array in arrays] == [[1.0], [2, 3]]


@pytest.mark.task("pack")
def test_pack_refuses_what_a_file_cannot_hold():
    """An object cannot be written without running code when it is read: TypeError."""
    for value in ({1, 2}, object(), np.array([None]), {(1, 2): 3}, [b"bytes"]):
        with pytest.raises(TypeError):
            pack(value, [])


@pytest.mark.task("pack")
def test_unpack_gives_back_what_pack_took_apart():
    """The same types, and the same keys."""
    tree = {"dict": [[0, {"tuple": [{"array": 0}, None]}], ["t", [{"tensor": 0}]]]}
    found = unpack(tree, [np.array([1.0])])
    assert list(found) == [0, "t"]
    assert type(found[0]) is tuple and found[0][1] is None
    assert type(found[0][0]) is np.ndarray and type(found["t"][0]) is Tensor
    with pytest.raises(ValueError):
        unpack({"code": 1}, [])


@pytest.mark.task("pack")
def test_a_generator_goes_on_behind_a_checkpoint():
    """Its state has integers of 128 bits, more than any NumPy integer holds."""
    generator, file = np.random.default_rng(0), io.BytesIO()
    save(file, state=generator.bit_generator.state, at=(3, [True]))
    expected = generator.random()
    file.seek(0)
    found = load(file)
    generator.bit_generator.state = found["state"]
    assert generator.random() == expected
    assert found["at"] == (3, [True])


def line(accumulate=1, **options):
    """A trainer of one weight, y = w x from w = 1, by plain descent with the rate 0.1."""
    model = Linear(1, 1, bias=False, dtype=np.float64)
    model.weight.data[...] = 1.0
    return Trainer(model, SGD(model.parameters(), lr=0.1), mse_loss, progress=False, **options)


def pairs(*rows):
    """A batch of (input, target) rows."""
    return tuple(
        Tensor(np.array(column, np.float64)[:, None]) for column in zip(*rows, strict=True)
    )


@pytest.mark.task("Trainer.train_step")
def test_one_step_by_hand():
    """Loss (1·1 - 3)² = 4, gradient 2 · (1 - 3) · 1 = -4, new weight 1 + 0.1 · 4 = 1.4."""
    trainer = line()
    assert trainer.train_step([pairs((1, 3))]) == 4.0
    assert trainer.model.weight.item() == pytest.approx(1.4)
    assert trainer.train_step([pairs((1, 3))]) == pytest.approx(1.6**2)


@pytest.mark.task("Trainer.train_step")
def test_batches_of_one_step_are_one_big_batch():
    """A batch of 3 rows counts three times as much as a batch of one."""
    rows = [(1, 3), (2, 1), (-1, 0), (3, 3)]
    big, cut = line(), line()
    loss = big.train_step([pairs(*rows)])
    assert cut.train_step([pairs(*rows[:3]), pairs(rows[3])]) == pytest.approx(loss)
    assert cut.model.weight.item() == pytest.approx(big.model.weight.item())


@pytest.mark.task("Trainer.train_step")
def test_gradients_are_clipped_before_the_step():
    """The gradient -4 becomes -1: the weight moves by 0.1."""
    trainer = line(clip_norm=1.0)
    trainer.train_step([pairs((1, 3))])
    assert trainer.model.weight.item() == pytest.approx(1.1)


@pytest.mark.task("Trainer.train_step")
def test_no_step_is_taken_into_nan():
    """`_refuse_loss` says where it began, and the weight stays as it was."""
    trainer = line()
    with pytest.raises(FloatingPointError, match="step 1: the loss is nan, first in the batch"):
        trainer.train_step([pairs((1, 3)), pairs((math.nan, 1))])
    assert trainer.model.weight.item() == 1.0


@pytest.mark.task("Trainer.train_step")
def test_no_step_is_taken_with_a_gradient_of_infinity():
    """The slope of the root at 0 is infinite: `_refuse_gradients` finds it behind a loss of 0."""
    trainer = line()
    trainer.model.weight.data[...] = 0.0
    trainer.loss = lambda output, target: (output * output).sqrt().mean()
    with np.errstate(all="ignore"), pytest.raises(FloatingPointError, match="a gradient is not"):
        trainer.train_step([pairs((1, 1))])
    assert trainer.model.weight.item() == 0.0


@pytest.mark.task("Trainer.evaluate")
def test_evaluate_averages_over_samples():
    """Errors 0, 0, 0 in one batch and 2 in another: (3 · 0 + 1 · 4) / 4 = 1, not (0 + 4) / 2."""
    trainer = line(metrics={"largest": lambda output, target: output.max()})
    found = trainer.evaluate([pairs((1, 1), (2, 2), (3, 3)), pairs((5, 3))])
    assert found == {"loss": 1.0, "largest": (3 * 3 + 5) / 4}
    with pytest.raises(ValueError):
        trainer.evaluate([])


class Watched(Module):
    """A model that notes how it is called."""

    def __init__(self):
        """Make two dropouts, of which one will be frozen."""
        super().__init__()
        self.frozen, self.live, self.seen = Dropout(0.5), Dropout(0.5), []
        self.layer = Linear(1, 1, dtype=np.float64)

    def forward(self, x):
        """Compute, and note modes and whether gradients are wanted."""
        y = self.layer(self.live(self.frozen(x)))
        self.seen.append((self.training, self.live.training, y.requires_grad))
        return y


@pytest.mark.task("Trainer.evaluate")
def test_evaluate_switches_to_eval_mode_and_back():
    """No dropout and no recording while it lasts; then each module is in its own mode again."""
    model = Watched()
    model.frozen.eval()
    Trainer(model, SGD(model.parameters()), mse_loss, progress=False).evaluate([pairs((1, 1))])
    assert model.seen == [(False, False, False)]
    assert [module.training for module in model.modules()] == [True, False, True, True]
    assert model(Tensor(np.ones((1, 1)))).requires_grad


def small(stop=None):
    """A trainer with dropout and Adam and a loader that shuffles, all from the same seeds."""

    class Stop:
        def on_step_end(self, trainer):
            trainer.stop = trainer.step == stop

    manual_seed(0)
    model = Sequential(Linear(2, 6), Dropout(0.3), Linear(6, 1))
    optimizer = Adam(model.parameters(), lr=0.05)
    x = np.random.default_rng(0).normal(size=(18, 2)).astype(np.float32)
    data = TensorDataset(Tensor(x), Tensor(x[:, :1] * x[:, 1:]))
    loader = DataLoader(data, 4, shuffle=True, generator=np.random.default_rng(1))
    return Trainer(model, optimizer, mse_loss, callbacks=[Stop()], progress=False), loader


@pytest.mark.task("Trainer.state_dict")
@pytest.mark.parametrize("stop", [2, 5, 8])
def test_a_resumed_training_equals_an_uninterrupted_one(stop):
    """Model, Adam's averages, the loader's order, dropout's generator: nothing may be forgotten."""
    whole, loader = small()
    whole.fit(loader, 3)
    first, loader = small(stop)
    first.fit(loader, 3)
    state = first.state_dict()
    state["model"] = {name: w.numpy().copy() for name, w in state["model"].items()}
    second, loader = small()
    second.load_state_dict(state)
    second.fit(loader, 3)
    for one, other in zip(whole.model.parameters(), second.model.parameters(), strict=True):
        assert one.data.tobytes() == other.data.tobytes()
    assert second.history == whole.history


@pytest.mark.task("Trainer.state_dict")
def test_a_state_keeps_its_own_numbers():
    """Copies, both ways: the history of a state does not grow with the trainer's."""
    trainer, loader = small()
    trainer.fit(loader, 1)
    state = trainer.state_dict()
    assert (state["epoch"], state["step"], len(state["history"]["loss"])) == (1, 5, 1)
    trainer.load_state_dict(state)
    trainer.fit(loader, 2)
    assert (state["epoch"], state["step"], len(state["history"]["loss"])) == (1, 5, 1)


@pytest.mark.task("Trainer.state_dict")
def test_a_state_with_other_keys_is_refused():
    """A state without a part would go on with the part as it is: ValueError."""
    trainer, _ = small()
    state = trainer.state_dict()
    del state["optimizer"]
    with pytest.raises(ValueError):
        trainer.load_state_dict(state)
