"""The Trainer does what a plain loop does, and says what it does."""

import sys
from pathlib import Path

import numpy as np
import pytest
import rich
from rich.console import Console

from tests.tinytorch.trainers import HELD_OUT, At, X, Y, batches, own_generator, small
from tinytorch.activations import Tanh
from tinytorch.layers import Dropout, Linear, Module, Sequential
from tinytorch.losses import cross_entropy, mse_loss
from tinytorch.optimizers import SGD, Adam
from tinytorch.tensor import Tensor
from tinytorch.training import (
    CosineAnnealingLR,
    LinearLR,
    SequentialLR,
    StepLR,
    Trainer,
    accuracy,
    load,
)

with np.load(Path(__file__).parent / "fixtures" / "training.npz") as _file:
    FIXTURE = dict(_file)


def fixture_run(accumulate, size):
    """The run of the fixture, by a Trainer; returns the loss of each step and the model."""
    model = Sequential(Linear(6, 8, dtype=np.float64), Tanh(), Linear(8, 3, dtype=np.float64))
    model.load_state_dict({name: FIXTURE[f"run.start.{name}"] for name in model.state_dict()})
    optimizer = Adam(model.parameters(), lr=0.05)
    parts = [LinearLR(optimizer), StepLR(optimizer, 2), CosineAnnealingLR(optimizer, 9)]
    scheduler = SequentialLR(optimizer, parts, milestones=[3, 11])
    losses = Losses()
    trainer = Trainer(
        model,
        optimizer,
        cross_entropy,
        scheduler,
        accumulate=accumulate,
        clip_norm=0.3,
        callbacks=[losses],
        progress=False,
    )
    trainer.fit(batches(FIXTURE["run.x"], FIXTURE["run.y"], size), 6)
    return losses.values, model


class Losses:
    """Collects the loss of each step."""

    def __init__(self):
        self.values, self.before = [], 0

    def on_epoch_start(self, trainer):
        self.total = self.samples = 0

    def on_step_end(self, trainer):
        total, samples = trainer.running["loss"], trainer.running["samples"]
        self.values.append((total - self.total) / (samples - self.samples))
        self.total, self.samples = total, samples


# 28 samples in steps of 10: the last step has 8, which is 4 + 4, 5 + 3, or 10 times fewer than 10.
@pytest.mark.parametrize(("accumulate", "size"), [(1, 10), (2, 5), (5, 2), (10, 1)])
def test_a_run_is_pytorchs_and_accumulated_batches_are_a_big_one(accumulate, size):
    """Adam, a schedule of three parts and clipping: losses and weights of a loop in PyTorch."""
    losses, model = fixture_run(accumulate, size)
    np.testing.assert_allclose(losses, FIXTURE["run.losses"], rtol=1e-9)
    for name, weight in model.state_dict().items():
        np.testing.assert_allclose(weight.data, FIXTURE[f"run.end.{name}"], rtol=1e-7, atol=1e-9)


def test_the_checkpoint_is_written_after_each_epoch(tmp_path):
    """A crash in epoch 2 costs less than one epoch."""
    path, epochs = tmp_path / "run.npz", []

    class Reads:
        def on_epoch_start(self, trainer):
            epochs.append(load(path)["epoch"] if path.exists() else None)

    small(callbacks=[Reads()]).fit(own_generator(), 3, checkpoint=path)
    assert epochs == [None, 1, 2]
    assert load(path)["epoch"] == 3


def test_callbacks_are_called_in_turn():
    """An object needs only the methods that it has; the history is there at an epoch's end."""
    told = []

    class Tells:
        def __init__(self, name):
            self.name = name

        def on_epoch_start(self, trainer):
            told.append((self.name, "start", trainer.epoch))

        def on_epoch_end(self, trainer):
            told.append((self.name, "end", trainer.epoch, len(trainer.history["loss"])))

        def on_fit_end(self, trainer):
            told.append((self.name, "fit"))

    small(callbacks=[Tells("a"), object(), Tells("b")]).fit(own_generator(), 2)
    epochs = [
        (name, *event)
        for epoch in (0, 1)
        for event in (("start", epoch), ("end", epoch + 1, epoch + 1))
        for name in "ab"
    ]
    assert told == [*epochs, ("a", "fit"), ("b", "fit")]


def test_a_callback_may_stop_the_training():
    """Early stopping is three lines."""

    class Stops:
        def on_epoch_end(self, trainer):
            trainer.stop = trainer.epoch == 2

    trainer = small(callbacks=[Stops()])
    assert len(trainer.fit(own_generator(), 9)["loss"]) == 2
    assert trainer.epoch == 2


def test_the_history_has_means_over_samples():
    """50 samples in batches of 20: the last batch counts half."""
    trainer, model = small(clip_norm=None), Sequential(Linear(4, 3))
    trainer.model, trainer.scheduler = model, None
    trainer.optimizer = SGD(model.parameters(), lr=1e-12)
    history = trainer.fit(batches(X, Y, 20), 2, validation=batches(X, Y, 20))
    loss = cross_entropy(model(Tensor(X)), Tensor(Y)).item()
    share = (model(Tensor(X)).data.argmax(1) == Y).mean()
    assert history["loss"] == pytest.approx([loss, loss])
    assert history["validation_loss"] == pytest.approx([loss, loss])
    assert history["validation_accuracy"] == pytest.approx([share, share])
    assert history["lr"] == [1e-12, 1e-12]


@pytest.mark.parametrize(("schedule", "steps"), [("epoch", 3), ("step", 21)])
def test_the_scheduler_steps_as_it_is_told(schedule, steps):
    """After each epoch, or after each step: 3 epochs of 7 steps."""
    trainer = small(schedule=schedule)
    trainer.fit(own_generator(), 3)
    assert trainer.scheduler.last_epoch == steps


def test_evaluate_counts_samples_and_calls_metrics():
    """Losses of 1 for 3 samples and 2 for one make 1.25; a metric may give a Tensor."""
    values = iter([1.0, 2.0])
    trainer = small()
    trainer.loss = lambda output, target: Tensor(next(values))
    trainer.metrics = {"size": lambda output, target: (target == target).astype(int).sum()}
    found = trainer.evaluate(batches(X[:4], Y[:4], 3))
    assert found == {"loss": 1.25, "size": (3 * 3 + 1 * 1) / 4}
    assert list(map(type, found.values())) == [float, float]


class Watched(Module):
    """A model that notes in which mode it was called, and whether gradients were wanted."""

    def __init__(self):
        super().__init__()
        self.frozen, self.live, self.seen = Dropout(0.5), Dropout(0.5), []
        self.weight = Linear(4, 3)

    def forward(self, x):
        y = self.weight(self.live(self.frozen(x)))
        self.seen.append((self.training, self.live.training, y.requires_grad))
        return y


def test_evaluate_is_in_eval_mode_records_nothing_and_restores_each_mode():
    """A layer that was frozen on purpose stays so; dropout is off in between."""
    model = Watched()
    model.frozen.eval()
    trainer = Trainer(model, SGD(model.parameters(), 0.1), cross_entropy, progress=False)
    first = trainer.evaluate(batches(X, Y, 25))
    assert first == trainer.evaluate(batches(X, Y, 25))
    assert set(model.seen) == {(False, False, False)}
    assert [m.training for m in model.modules()] == [True, False, True, True]
    assert all(p.grad is None for p in model.parameters())
    with pytest.raises(ValueError, match="linear"):
        trainer.evaluate([(Tensor(X[:, :3]), Tensor(Y))])
    assert [m.training for m in model.modules()] == [True, False, True, True]
    assert model.weight(Tensor(X)).requires_grad


def test_a_model_may_have_several_inputs():
    """All but the last tensor of a batch."""

    class Sum(Module):
        def __init__(self):
            super().__init__()
            self.layer = Linear(4, 1)

        def forward(self, a, b):
            return self.layer(a + b)

    model = Sum()
    trainer = Trainer(model, SGD(model.parameters(), 0.1), mse_loss, progress=False)
    batch = [(Tensor(X), Tensor(X), Tensor(Y[:, None].astype(np.float32)))]
    first = trainer.fit(batch, 1)["loss"][0]
    assert trainer.evaluate(batch)["loss"] < first


def test_a_loader_without_batches_is_refused():
    """A mean of nothing is no number."""
    with pytest.raises(ValueError, match="fit: expected batches, the loader gave none"):
        small().fit([], 1)
    with pytest.raises(ValueError, match="evaluate: expected batches, the loader gave none"):
        small().evaluate([])


@pytest.mark.parametrize(
    ("options", "message"),
    [({"accumulate": 0}, "accumulate > 0, got 0"), ({"schedule": "week"}, "no schedule by 'week'")],
)
def test_wrong_settings_are_refused(options, message):
    """Where they are given, and not in epoch 3."""
    with pytest.raises(ValueError, match=f"Trainer: .*{message}"):
        small(**options)


def test_a_line_is_printed_for_each_epoch(capsys):
    """With the history's last numbers and the throughput; nothing with progress=False."""
    small(progress=False).fit(own_generator(), 1)
    assert capsys.readouterr().out == ""
    small(progress=True).fit(own_generator(), 2, validation=HELD_OUT)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:3] for line in lines] == [["epoch", f"{n}/2", "loss"] for n in (1, 2)]
    names = "lr validation_loss validation_accuracy samples/s".split()
    assert all(name in line for line in lines for name in names)


def test_a_line_is_printed_for_an_epoch_of_which_nothing_was_left(capsys):
    """Saved after its last step, it has no throughput to tell."""
    states = []
    keeps = At(7, lambda trainer: states.append(trainer.state_dict()))
    small(callbacks=[keeps]).fit(own_generator(), 1)
    trainer = small(progress=True)
    trainer.load_state_dict(states[0])
    trainer.fit(own_generator(), 1)
    assert capsys.readouterr().out.endswith("  0 samples/s\n")


def test_without_rich_a_line_is_printed_all_the_same(capsys, monkeypatch):
    """NumPy is all that must be installed."""
    monkeypatch.setitem(sys.modules, "rich.progress", None)
    small(progress=True).fit(own_generator(), 1)
    assert capsys.readouterr().out.startswith("epoch 1/1  loss ")


@pytest.mark.parametrize("length", ["known", "unknown"])
def test_on_a_terminal_a_bar_moves_and_is_gone_at_the_end(capsys, monkeypatch, length):
    """It shows epoch, loss and samples per second, also where the number of batches is unknown."""
    monkeypatch.setattr(rich, "_console", Console(force_terminal=True, width=150))
    loader = own_generator()
    if length == "unknown":
        loader = type("Endless", (), {"__iter__": lambda self: iter(own_generator())})()
    trainer = small(progress=True)
    bar = trainer.callbacks[-1].bar
    trainer.callbacks += [At(3, lambda _: bar.refresh()), At(9, _fail)]
    with pytest.raises(RuntimeError, match="from a callback"):
        trainer.fit(loader, 2)
    assert not bar.live.is_started
    out = capsys.readouterr().out
    assert "epoch 1/2" in out and "epoch 2/2" in out
    assert "samples/s" in out and "loss" in out


def _fail(trainer):
    raise RuntimeError("from a callback")


def test_accuracy_counts_rows():
    """Two of three."""
    scores = Tensor([[0.1, 0.9], [0.8, 0.2], [0.3, 0.7]])
    assert accuracy(scores, Tensor([1, 0, 0])) == pytest.approx(2 / 3)
    assert isinstance(accuracy(scores, Tensor([1, 0, 0])), float)
