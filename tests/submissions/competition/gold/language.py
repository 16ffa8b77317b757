"""Gold: a GPT whose rate falls with the clock, mixed with counts of what followed 0 to 5 letters.

The counts: I. H. Witten and T. C. Bell, "The zero-frequency problem: estimating the probabilities
of novel events in adaptive text compression", 1991, method C: the weight of what was never seen is
the number of different letters that were.
"""

import time

import numpy as np

import tinytorch as tt

MOST, SHARE = 5, 0.35  # letters looked back at; of the counts in the mixture
SECONDS, SEQUENCES, RATE = 57.0, 16, 4e-3


def train(text, letters, context, seed):
    """Yield after the counting, then after each step."""
    counted = Counts(text, letters)
    yield counted.log_chances
    tt.manual_seed(seed)
    rng, began = np.random.default_rng(seed), time.process_time()
    model = tt.GPT(tt.GPTConfig(letters, context, n_layer=2, n_head=4, n_embd=96))
    optimizer = tt.AdamW(model.parameters(), lr=RATE, betas=(0.9, 0.98), weight_decay=0.05)
    steps = 0

    def predict(ids):
        with tt.no_grad():
            scores = model(tt.Tensor(ids))[:, -1]
            learned = tt.softmax(scores, dim=-1).numpy()
        share = SHARE if steps > 200 else 0.9
        return np.log(share * np.exp(counted.log_chances(ids)) + (1 - share) * learned + 1e-12)

    while True:
        done = min((time.process_time() - began) / SECONDS, 1.0)
        warm = min((steps + 1) / 50, 1.0)
        optimizer.param_groups[0]["lr"] = RATE * warm * (0.02 + 0.98 * (1 - done))
        starts = rng.integers(len(text) - context, size=(SEQUENCES, 1))
        read = text[starts + np.arange(context + 1)]
        optimizer.zero_grad()
        model.loss(tt.Tensor(read[:, :-1]), tt.Tensor(read[:, 1:])).backward()
        tt.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        steps += 1
        yield predict


class Counts:
    """How often each letter followed the last ones, for each length of what is looked back at."""

    def __init__(self, text, letters):
        """Count, in order of the codes of the letters."""
        self._letters, self._orders = letters, []
        for length in range(MOST + 1):
            windows = np.lib.stride_tricks.sliding_window_view(text, length + 1)
            codes = windows @ letters ** np.arange(length + 1)[::-1]
            self._orders.append((length, *np.unique(codes, return_counts=True)))

    def log_chances(self, ids):
        """Mix each length with the shorter one's: ids (N, T) -> (N, letters)."""
        letters = self._letters
        chances = np.full((len(ids), letters), 1 / letters)
        for length, pairs, counts in self._orders:
            past = ids[:, ids.shape[1] - length :] @ letters ** np.arange(length)[::-1] * letters
            first, last = np.searchsorted(pairs, past), np.searchsorted(pairs, past + letters)
            for row in np.flatnonzero(last > first):
                seen = slice(first[row], last[row])
                count, kinds = counts[seen], last[row] - first[row]
                chances[row] *= kinds
                chances[row, pairs[seen] - past[row]] += count
                chances[row] /= kinds + count.sum()
        return np.log(chances)
