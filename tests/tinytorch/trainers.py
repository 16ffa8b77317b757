"""A small training for the tests of the Trainer: data, loaders, and a step at which to act."""

import numpy as np

from tinytorch.activations import ReLU
from tinytorch.dataloader import DataLoader, TensorDataset
from tinytorch.layers import Dropout, Linear, Sequential
from tinytorch.losses import cross_entropy
from tinytorch.optimizers import Adam
from tinytorch.tensor import Tensor, from_numpy, manual_seed
from tinytorch.training import CosineAnnealingLR, Trainer, accuracy


def batches(x, y, size):
    """A list of batches, in order."""
    return [(Tensor(x[i : i + size]), Tensor(y[i : i + size])) for i in range(0, len(x), size)]


DATA = np.random.default_rng(8)
X = DATA.normal(size=(50, 4)).astype(np.float32)
Y = (X @ DATA.normal(size=(4, 3))).argmax(1)
DATASET = TensorDataset(from_numpy(X), from_numpy(Y))


def small(optimizer=Adam, **options):
    """A small trainer with dropout, a schedule by steps and clipping, from seed 0."""
    manual_seed(0)
    model = Sequential(Linear(4, 8), ReLU(), Dropout(0.3), Linear(8, 3))
    optimizer = optimizer(model.parameters(), lr=0.02)
    settings = dict(clip_norm=1.0, schedule="step", metrics={"accuracy": accuracy}, progress=False)
    scheduler = CosineAnnealingLR(optimizer, 12)
    return Trainer(model, optimizer, cross_entropy, scheduler, **settings | options)


def weights(trainer):
    """All of what was learned, as bytes."""
    return {name: w.data.tobytes() for name, w in trainer.model.state_dict().items()}


class At:
    """Calls a function with the trainer after some step."""

    def __init__(self, step, call):
        self.step, self.call = step, call

    def on_step_end(self, trainer):
        if trainer.step == self.step:
            self.call(trainer)


def own_generator():
    return DataLoader(DATASET, 8, shuffle=True, generator=np.random.default_rng(5))


HELD_OUT = batches(X[:20], Y[:20], 9)


def shuffled():
    """Batches to validate on that draw from the default generator, as a state must survive."""
    return DataLoader(TensorDataset(Tensor(X[:20]), Tensor(Y[:20])), 9, shuffle=True)
