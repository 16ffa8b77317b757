"""A training that was stopped, anywhere and however, goes on as if it never had been."""

import io
import signal
import threading

import numpy as np
import pytest

from tests.tinytorch.trainers import (
    DATASET,
    HELD_OUT,
    At,
    X,
    Y,
    batches,
    own_generator,
    shuffled,
    small,
    weights,
)
from tinytorch.dataloader import DataLoader
from tinytorch.layers import Module
from tinytorch.optimizers import SGD, Adam
from tinytorch.tensor import manual_seed, rand
from tinytorch.training import load, save

LOADERS = {
    "the default generator": lambda: DataLoader(DATASET, 8, shuffle=True),
    "a generator of its own": own_generator,
    "a thread ahead": lambda: DataLoader(
        DATASET, 8, shuffle=True, generator=np.random.default_rng(5), prefetch=2
    ),
    "a list": lambda: batches(X, Y, 8),
}
OPTIMIZERS = [Adam, lambda p, lr: SGD(p, lr, momentum=0.9, nesterov=True)]


@pytest.mark.parametrize("loader", LOADERS.values(), ids=LOADERS)
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=["Adam", "SGD"])
@pytest.mark.parametrize("accumulate", [1, 3])
def test_a_resumed_training_equals_an_uninterrupted_one_to_the_bit(loader, optimizer, accumulate):
    """Stopped after any step, first, middle or last of an epoch, and read from a file elsewhere."""
    whole = small(optimizer, accumulate=accumulate)
    history = whole.fit(loader(), 3, validation=shuffled())
    assert len(history["loss"]) == 3
    drawn = rand(3).tolist()
    for step in range(1, whole.step + 1):
        file = io.BytesIO()
        writes = At(step, lambda trainer, file=file: save(file, **trainer.state_dict()))
        small(optimizer, accumulate=accumulate, callbacks=[writes]).fit(loader(), 3, shuffled())
        file.seek(0)
        resumed = small(optimizer, accumulate=accumulate)
        rand(7)
        resumed.load_state_dict(load(file))
        assert resumed.step == step
        found = resumed.fit(loader(), 3, validation=shuffled())
        assert weights(resumed) == weights(whole)
        assert found == history
        assert resumed.scheduler.state_dict() == whole.scheduler.state_dict()
        assert rand(3).tolist() == drawn


def test_a_state_that_is_resumed_may_be_saved_before_it_goes_on():
    """Loaded and saved again, it is the same file."""
    first, second = io.BytesIO(), io.BytesIO()
    writes = At(4, lambda trainer: save(first, **trainer.state_dict()))
    small(callbacks=[writes]).fit(own_generator(), 2)
    trainer = small()
    trainer.load_state_dict(load(io.BytesIO(first.getvalue())))
    save(second, **trainer.state_dict())
    assert second.getvalue() == first.getvalue()


def test_fit_again_goes_on_where_it_stopped():
    """In the same process, after a callback's `stop` and between epochs, no file is needed."""
    whole = small()
    whole.fit(own_generator(), 3)
    loader = own_generator()
    parts = small(callbacks=[At(3, lambda trainer: setattr(trainer, "stop", True))])
    parts.fit(loader, 3)
    assert (parts.epoch, parts.step, parts.history) == (0, 3, {})
    for epochs in (1, 2, 3, 3):
        parts.fit(loader, epochs)
        assert parts.epoch == epochs
    assert weights(parts) == weights(whole)
    assert parts.history == whole.history


@pytest.mark.parametrize("missing", ["optimizer", "generator", "loader", "running"])
def test_a_state_with_something_forgotten_gives_another_training(missing):
    """The comparison above can fail: each part of the state matters."""
    whole, file = small(), io.BytesIO()
    whole.fit(own_generator(), 3)
    writes = At(10, lambda trainer: save(file, **trainer.state_dict()))
    small(callbacks=[writes]).fit(own_generator(), 2)
    state = load(io.BytesIO(file.getvalue()))
    for forgotten in (None, missing):
        resumed = small()
        if forgotten:
            state[forgotten] = resumed.state_dict()[forgotten]
        resumed.load_state_dict(state)
        resumed.fit(own_generator(), 3)
        same = (weights(resumed), resumed.history) == (weights(whole), whole.history)
        assert same == (forgotten is None)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("scheduler"), r"expected a state of \['epoch', .*got \['epoch', "),
        (lambda state: state.update(more=1), "'more'"),
    ],
)
def test_a_state_of_another_trainer_is_refused(change, message):
    """With or without a scheduler, both must have one."""
    state = small().state_dict()
    change(state)
    with pytest.raises(ValueError, match=message):
        small().load_state_dict(state)


def test_a_state_is_not_changed_by_what_follows():
    """The trainer's own numbers are copied, both ways."""
    trainer = small()
    trainer.fit(own_generator(), 1)
    state = trainer.state_dict()
    other = small()
    other.load_state_dict(state)
    other.fit(own_generator(), 2)
    assert len(state["history"]["loss"]) == len(trainer.history["loss"]) == 1


class Interrupted(Module):
    """Presses Ctrl-C in the middle of chosen forward passes."""

    def __init__(self, model, passes):
        super().__init__()
        self.model, self.passes, self.calls = model, passes, 0

    def forward(self, x):
        self.calls += 1
        for _ in range(self.passes.count(self.calls)):
            signal.raise_signal(signal.SIGINT)
        return self.model(x)


def interrupted(passes, **options):
    trainer = small(**options)
    trainer.model = Interrupted(trainer.model, passes)
    return trainer


@pytest.mark.parametrize("when", [1, 4, 7, 8, 11])
def test_ctrl_c_ends_the_step_saves_and_raises(tmp_path, when):
    """What comes of the file is what an uninterrupted training gives; 7 steps are an epoch."""
    path = tmp_path / "run.npz"
    trainer, before = interrupted([when]), signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt, match=f"stopped after step {when}, saved to .*run.npz"):
        trainer.fit(own_generator(), 2, checkpoint=path)
    assert signal.getsignal(signal.SIGINT) is before
    assert trainer.step == when
    resumed = interrupted([])
    resumed.load_state_dict(load(path))
    resumed.fit(own_generator(), 2)
    whole = interrupted([])
    whole.fit(own_generator(), 2)
    assert weights(resumed) == weights(whole)
    assert resumed.history == whole.history


def test_ctrl_c_without_a_checkpoint_says_so_and_fit_goes_on():
    """The trainer in memory is whole."""
    trainer, loader = interrupted([3]), own_generator()
    with pytest.raises(KeyboardInterrupt, match="after step 3, not saved: fit has no checkpoint"):
        trainer.fit(loader, 2)
    trainer.fit(loader, 2)
    whole = interrupted([])
    whole.fit(own_generator(), 2)
    assert weights(trainer) == weights(whole)


def test_a_second_ctrl_c_does_not_wait(tmp_path):
    """Whoever presses it twice wants the prompt; the last whole file stays."""
    path, trainer = tmp_path / "run.npz", interrupted([9, 9])
    with pytest.raises(KeyboardInterrupt) as stop:
        trainer.fit(own_generator(), 2, checkpoint=path)
    assert not str(stop.value)
    assert trainer.step == 8
    assert load(path)["epoch"] == 1


def test_ctrl_c_while_evaluating_ends_the_epoch(tmp_path):
    """The eighth forward pass is the first of the validation after 7 steps."""
    path, trainer = tmp_path / "run.npz", interrupted([8])
    with pytest.raises(KeyboardInterrupt, match="after step 7"):
        trainer.fit(own_generator(), 2, validation=HELD_OUT, checkpoint=path)
    assert load(path)["epoch"] == 1
    assert len(load(path)["history"]["validation_loss"]) == 1


def test_a_thread_may_train():
    """It has no signals to hold."""
    trainer, whole = small(), small()
    thread = threading.Thread(target=trainer.fit, args=(batches(X, Y, 8), 1))
    manual_seed(1)
    thread.start()
    thread.join()
    manual_seed(1)
    whole.fit(batches(X, Y, 8), 1)
    assert weights(trainer) == weights(whole)
