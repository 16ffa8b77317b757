"""Decode: write on as the given GPT does, in less processor time.

`load(weights)` is called once: the float32 arrays of a state dict as `tt.GPT` has it, of 96
letters, 64 places, 2 layers, 4 heads, width 64. It returns the function that is timed: a prompt of
16 ids (16,) int64 -> the 48 ids that follow (48,) int64, each the likeliest. They must be the
reference's. The prompt's array is used again for the next.
"""

import numpy as np

import tinytorch as tt


def load(weights):
    """Return greedy decoding that reads everything again for each letter."""
    model = tt.GPT(tt.GPTConfig(vocab_size=96, block_size=64, n_layer=2, n_head=4, n_embd=64))
    model.load_state_dict(weights)

    def write(prompt: np.ndarray) -> np.ndarray:
        ids = model.generate(tt.Tensor(prompt[None]), max_new_tokens=48, temperature=0)
        return ids.numpy()[0, len(prompt) :]

    return write
