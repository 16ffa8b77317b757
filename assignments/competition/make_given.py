"""Trains the weights that the competition gives: `python -m assignments.competition.make_given`."""

from __future__ import annotations

import numpy as np

import tinytorch as tt
from assignments.competition import draws, language
from assignments.competition.given import DIGITS, WIDTHS

EPOCHS, BATCH, RATE = 600, 64, 2e-3
STEPS, SEQUENCES = 3000, 16  # of the GPT


def digits() -> dict[str, np.ndarray]:
    """Return the state dict of a multi-layer perceptron that reads redrawn digits."""
    tt.manual_seed(0)
    rng = np.random.default_rng(0)
    layers = [
        layer
        for features in zip(WIDTHS, WIDTHS[1:], strict=False)
        for layer in (tt.Linear(*features), tt.ReLU())
    ]
    model = tt.Sequential(*layers[:-1])
    optimizer = tt.AdamW(model.parameters(), lr=RATE, weight_decay=1e-2)
    schedule = tt.CosineAnnealingLR(optimizer, T_max=EPOCHS)
    images, labels = draws.given_digits(held_back=False)
    for _ in range(EPOCHS):
        seen = draws.redrawn(images, rng)
        for batch in np.array_split(rng.permutation(len(labels)), len(labels) // BATCH):
            optimizer.zero_grad()
            loss = tt.cross_entropy(model(tt.Tensor(seen[batch])), tt.Tensor(labels[batch]))
            loss.backward()
            optimizer.step()
        schedule.step()
    return {name: tensor.numpy() for name, tensor in model.state_dict().items()}


def gpt() -> dict[str, np.ndarray]:
    """Return the state dict of a GPT that has read the course's lessons."""
    tt.manual_seed(0)
    rng = np.random.default_rng(0)
    sizes = (len(language.LETTERS), language.CONTEXT, language.LAYERS, language.HEADS)
    model = tt.GPT(tt.GPTConfig(*sizes, language.WIDTH))
    optimizer = tt.AdamW(model.parameters(), lr=RATE, weight_decay=0.01)
    schedule = tt.CosineAnnealingLR(optimizer, T_max=STEPS)
    text, places = language.given_text(), np.arange(language.CONTEXT + 1)
    for _ in range(STEPS):
        starts = rng.integers(len(text) - len(places), size=(SEQUENCES, 1))
        read = text[starts + places]
        optimizer.zero_grad()
        model.loss(tt.Tensor(read[:, :-1]), tt.Tensor(read[:, 1:])).backward()
        optimizer.step()
        schedule.step()
    return {name: tensor.numpy() for name, tensor in model.state_dict().items()}


if __name__ == "__main__":
    np.savez(DIGITS, **digits())
    np.savez(language.WEIGHTS, **gpt())
