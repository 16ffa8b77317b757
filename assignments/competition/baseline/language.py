"""One-minute language model: learn to predict a text in 60 seconds of processor time.

`train(text, letters, context, seed)` gets the ids (T,) int64 of a text in which `letters` different
ones occur, numbered anew each time. It yields, at least every half second, a function that
predicts: ids (N, context) int64 -> log-probabilities (N, letters) of what comes next, finite, whose
exponentials sum to 1. The last one before time is up counts; another text is predicted by it.
"""

import numpy as np

import tinytorch as tt

SEQUENCES = 16


def train(text, letters, context, seed):
    """Yield a small GPT after each step of AdamW at a constant rate."""
    tt.manual_seed(seed)
    rng = np.random.default_rng(seed)
    config = tt.GPTConfig(letters, context, n_layer=2, n_head=2, n_embd=64)
    model = tt.GPT(config)
    optimizer = tt.AdamW(model.parameters(), lr=1e-3)

    def predict(ids):
        with tt.no_grad():
            scores = model(tt.Tensor(ids))[:, -1]
            return tt.log_softmax(scores, dim=-1).numpy()

    while True:
        starts = rng.integers(len(text) - context, size=(SEQUENCES, 1))
        read = text[starts + np.arange(context + 1)]
        optimizer.zero_grad()
        model.loss(tt.Tensor(read[:, :-1]), tt.Tensor(read[:, 1:])).backward()
        optimizer.step()
        yield predict
