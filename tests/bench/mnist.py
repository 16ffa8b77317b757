"""How well and how fast a network learns MNIST, with nothing but the framework, from its files."""

from __future__ import annotations

import os
import time
from pathlib import Path

from tests.bench.measure import Bar
from tinytorch import (
    MNIST,
    Adam,
    CosineAnnealingLR,
    CrossEntropyLoss,
    DataLoader,
    Dropout,
    Flatten,
    Linear,
    ReLU,
    Sequential,
    Trainer,
    accuracy,
    manual_seed,
)

FOLDER = "TINYTORCH_DATA"  # the environment variable that names the folder of the files
ACCURACY, SECONDS = ("MNIST test accuracy", 97.5), ("MNIST training", 60.0)
EPOCHS, BATCH, RATE, SEED = 8, 128, 2e-3, 0


def bars() -> list[Bar]:
    """Read the files, train, evaluate on the test images; by the clock, on the cores there are."""
    folder = os.environ.get(FOLDER)
    if not folder:
        note = f"not measured: set {FOLDER} to the folder of MNIST's four idx files"
        return [
            Bar(*ACCURACY, None, unit="%", at_least=True, note=note),
            Bar(*SECONDS, None, unit="s", note=note),
        ]
    began = time.perf_counter()
    trainer = _train(MNIST(Path(folder), train=True))
    took = time.perf_counter() - began
    share = trainer.evaluate(DataLoader(MNIST(Path(folder), train=False), 1000))["accuracy"]
    details = {"epochs": EPOCHS, "seed": SEED, "cores": os.cpu_count(), **trainer.history}
    note = f"784-256-128-10, dropout, {EPOCHS} epochs of Adam in batches of {BATCH}, seed {SEED}"
    return [
        Bar(*ACCURACY, 100 * share, unit="%", at_least=True, note=note, details=details),
        Bar(*SECONDS, took, unit="s", note=f"{note}; reading included, by the clock"),
    ]


def _train(images) -> Trainer:
    """Return a trainer that has done its epochs on the images."""
    manual_seed(SEED)
    layers = [Linear(784, 256), ReLU(), Dropout(0.2), Linear(256, 128), ReLU(), Linear(128, 10)]
    model = Sequential(Flatten(), *layers)
    optimizer = Adam(model.parameters(), lr=RATE)
    loader = DataLoader(images, BATCH, shuffle=True)
    schedule = CosineAnnealingLR(optimizer, EPOCHS * len(loader))
    trainer = Trainer(
        model,
        optimizer,
        CrossEntropyLoss(),
        schedule,
        schedule="step",
        metrics={"accuracy": accuracy},
        progress=False,
    )
    trainer.fit(loader, EPOCHS)
    return trainer
