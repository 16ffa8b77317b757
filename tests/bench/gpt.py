"""What a GPT costs, against PyTorch's: a training step in time and memory, and writing text.

128 numbers per place, 4 layers, 4 heads, 256 ids; steps of 8 sequences of 128 with Adam. The peer
is a GPT as one writes it in PyTorch, run eagerly: `Linear`, `LayerNorm`, the fused
`scaled_dot_product_attention`, `gelu`, `cross_entropy`, and Adam with its defaults. It writes in
`inference_mode`, which takes 7 % less time than `no_grad`, the head on the last place alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from tests.bench import peers
from tests.bench.measure import Bar

SIZES = {"vocab_size": 256, "block_size": 128, "n_layer": 4, "n_head": 4, "n_embd": 128}
TINY = {"vocab_size": 8, "block_size": 8, "n_layer": 1, "n_head": 1, "n_embd": 8}
BATCH, NEW = 8, 96
STEP, WRITE, MEMORY = "GPT step, time", "GPT writing, speed", "GPT step, memory"
PEERS = ("tests.bench.gpt:ours", "tests.bench.gpt:theirs")
WRITERS = ("tests.bench.gpt:our_writer", "tests.bench.gpt:their_writer")
SHAPE = "128 wide, 4 layers, 4 heads"


def bars() -> list[Bar]:
    """Measure all three."""
    note = f"{SHAPE}, 8 sequences of 128, 256 ids, Adam"
    step = peers.time_bar(STEP, 1.15, PEERS, (SIZES,), 3, 21, note, two_threads=True)
    note = f"{SHAPE}, {NEW} ids after 32 without a cache"
    write = peers.time_bar(WRITE, 1 / 0.95, WRITERS, (SIZES,), 1, 15, note)
    if write.measured is not None:
        note = f"{write.note}, turned over: tokens per second"
        write = replace(write, target=0.95, measured=1 / write.measured, at_least=True, note=note)
    return [step, write, memory_bar()]


def memory_bar() -> Bar:
    """Return the ratio of the processes' peaks; that of their growth beside it.

    Most of what PyTorch's process holds are its libraries; what grows are parameters, moments and
    what a step keeps for its way back, the same numbers on both sides.
    """
    grown = peers.memory_bar(MEMORY, 0.35, PEERS, (TINY,), (SIZES,))
    if grown.measured is None:
        return grown
    ours, theirs = (grown.details[side]["peak"] for side in ("ours", "theirs"))
    note = "peak of the process / PyTorch's; of the growth in it, for information: "
    return replace(grown, measured=ours / theirs, note=f"{note}{grown.measured:.2f}")


def text(sizes: dict) -> np.ndarray:
    """Return random sequences, one id longer than a block."""
    rng = np.random.default_rng(0)
    return rng.integers(0, sizes["vocab_size"], (BATCH, sizes["block_size"] + 1))


def our_model(sizes: dict):
    """Return our GPT."""
    from tinytorch import GPT, GPTConfig, manual_seed

    manual_seed(0)
    return GPT(GPTConfig(**sizes))


def ours(sizes: dict) -> Callable[[], None]:
    """Return one training step of our GPT."""
    from tinytorch import Adam, Tensor

    model, ids = our_model(sizes), text(sizes)
    x, target = Tensor(ids[:, :-1]), Tensor(ids[:, 1:])
    optimizer = Adam(model.parameters())

    def step() -> None:
        optimizer.zero_grad()
        model.loss(x, target).backward()
        optimizer.step()

    return step


def our_writer(sizes: dict) -> Callable[[], None]:
    """Let our GPT write on."""
    from tinytorch import Tensor

    model, start = our_model(sizes), Tensor(text(sizes)[:1, :32])
    return lambda: model.generate(start, NEW, temperature=0.8, top_k=40, seed=0)


def their_block(size: int, heads: int):
    """Return a block of PyTorch's layers."""
    from torch import nn
    from torch.nn import functional as F

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm1, self.norm2 = nn.LayerNorm(size), nn.LayerNorm(size)
            self.qkv, self.out = nn.Linear(size, 3 * size), nn.Linear(size, size)
            self.up, self.down = nn.Linear(size, 4 * size), nn.Linear(4 * size, size)

        def forward(self, x):
            batch, places, _ = x.shape
            parts = self.qkv(self.norm1(x)).split(size, dim=2)
            q, k, v = (p.view(batch, places, heads, -1).transpose(1, 2) for p in parts)
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + self.out(y.transpose(1, 2).reshape(batch, places, size))
            return x + self.down(F.gelu(self.up(self.norm2(x)), approximate="tanh"))

    return Block()


def their_model(sizes: dict):
    """Return the same GPT in PyTorch, on as many threads as the environment says."""
    import torch
    from torch import nn

    class GPT(nn.Module):
        def __init__(self):
            super().__init__()
            size, heads = sizes["n_embd"], sizes["n_head"]
            self.token = nn.Embedding(sizes["vocab_size"], size)
            self.place = nn.Embedding(sizes["block_size"], size)
            self.blocks = nn.Sequential(
                *(their_block(size, heads) for _ in range(sizes["n_layer"])), nn.LayerNorm(size)
            )
            self.head = nn.Linear(size, sizes["vocab_size"], bias=False)
            self.head.weight = self.token.weight
            self.apply(self.reset)

        def reset(self, module):
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.normal_(module.weight, std=0.02)

        def features(self, ids):
            return self.blocks(self.token(ids) + self.place(torch.arange(ids.shape[1])))

    torch.manual_seed(0)
    return GPT()


def theirs(sizes: dict) -> Callable[[], None]:
    """Return one training step of PyTorch's GPT."""
    import torch
    from torch.nn import functional as F

    model, ids = their_model(sizes), torch.from_numpy(text(sizes))
    x, target = ids[:, :-1].contiguous(), ids[:, 1:].contiguous()
    optimizer = torch.optim.Adam(model.parameters())

    def step() -> None:
        optimizer.zero_grad()
        scores = model.head(model.features(x))
        F.cross_entropy(scores.view(-1, scores.shape[-1]), target.view(-1)).backward()
        optimizer.step()

    return step


def their_writer(sizes: dict) -> Callable[[], None]:
    """Let PyTorch's GPT write on."""
    import torch

    model, start = their_model(sizes), torch.from_numpy(text(sizes)[:1, :32])
    model.eval()

    @torch.inference_mode()
    def write() -> None:
        ids = start
        for _ in range(NEW):
            features = model.features(ids[:, -sizes["block_size"] :])
            ids = torch.cat([ids, their_choice(model.head(features[:, -1]))], dim=1)

    return write


def their_choice(scores):
    """Draw the next ids (B, 1) in PyTorch, of the 40 likeliest, with a temperature of 0.8."""
    import torch

    scores = scores / 0.8
    smallest = torch.topk(scores, 40).values[:, -1:]
    scores = scores.masked_fill(scores < smallest, -torch.inf)
    return torch.multinomial(torch.softmax(scores, -1), 1)
