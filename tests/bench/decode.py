"""What a cache of keys and values is worth in writing text, against PyTorch with and without one.

The GPT of `tests.bench.gpt`: 128 numbers per place, 4 layers, 4 heads; 96 ids after 32. The peer
runs eagerly in `inference_mode`, which takes less time than the `no_grad` of most programs; that
stands beside it. It uses the fused `scaled_dot_product_attention`, and appends keys and values by
`torch.cat`, as the library transformers does by default; to write them into memory taken once takes
it 3 to 6 % longer at this size. Nothing is compiled on either side. Two bounds of what NumPy
can do stand beside it, too: `products` alone, which read 3.3 MB of weights per id, and `bare`, the
same ids by NumPy's calls in a row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from tests.bench import gpt, peers
from tests.bench.measure import Bar, median_ratio

CACHED, PLAIN = "cached decoding, speed", "cached decoding, speed against none"
OURS = "tests.bench.decode:ours"


def bars() -> list[Bar]:
    """Measure against both, each turned over: tokens per second."""
    peer, note = "tests.bench.decode:theirs", f"{gpt.SHAPE}, {gpt.NEW} ids after 32"
    cached = peers.time_bar(
        CACHED, 1 / 3, (OURS, peer), (gpt.SIZES,), 2, 15, f"{note}, both with a cache"
    )
    if cached.measured is not None:
        cached = replace(cached, note=f"{cached.note}; for information: {_beside(peer)}")
    plain = peers.time_bar(
        PLAIN,
        1 / 8,
        (OURS, "tests.bench.gpt:their_writer"),
        (gpt.SIZES,),
        1,
        11,
        f"{note}, PyTorch without a cache",
    )
    return [_turned(cached), _turned(plain)]


def _beside(peer: str) -> str:
    """Measure what a step cannot be faster than here, and a peer as most programs run it."""
    pairs = (
        (OURS, "tests.bench.decode:theirs_without_grad"),
        ("tests.bench.decode:bare", peer),
        ("tests.bench.decode:products", peer),
    )
    usual, bare, alone = (
        1 / median_ratio(peers.times(*pair, (gpt.SIZES,), 2, 7)) for pair in pairs
    )
    return (
        f"against no_grad {usual:.2f}, NumPy's calls alone {bare:.2f}, products alone {alone:.1f}"
    )


def _turned(bar: Bar) -> Bar:
    """The bar as a ratio of speeds, and no more of times."""
    measured = None if bar.measured is None else 1 / bar.measured
    note = bar.note if measured is None else f"{bar.note}, turned over: tokens per second"
    return replace(bar, target=1 / bar.target, measured=measured, at_least=True, note=note)


def ours(sizes: dict) -> Callable[[], object]:
    """Let our GPT write on with a cache, folded once."""
    from tinytorch import Folded, Tensor, generate_cached

    model, start = gpt.our_model(sizes), Tensor(gpt.text(sizes)[:1, :32])
    settings = {"temperature": 0.8, "top_k": 40, "seed": 0, "folded": Folded(model)}
    return lambda: generate_cached(model, start, gpt.NEW, **settings)


def products(sizes: dict) -> Callable[[], None]:
    """Multiply as one does for NEW ids after the first, and do nothing else."""
    import numpy as np

    from tinytorch import Folded

    folded = Folded(gpt.our_model(sizes))
    weights = [weight for block in folded.blocks for weight in block[:4]] + [folded.head]
    work = [(np.ones((1, len(w)), w.dtype), w, np.empty((1, w.shape[1]), w.dtype)) for w in weights]

    def multiply() -> None:
        for _ in range(gpt.NEW - 1):
            for x, weight, y in work:
                x.dot(weight, y)

    return multiply


def bare(sizes: dict) -> Callable[[], list[int]]:
    """Write what `ours` writes, by NumPy's calls in a row."""
    from tests.bench.bare import Bare

    model, start = gpt.our_model(sizes), gpt.text(sizes)[0, :32]
    writer = Bare(model)
    if writer.write(start, gpt.NEW) != ours(sizes)().tolist()[0]:
        raise AssertionError("what is measured here writes other ids")
    return lambda: writer.write(start, gpt.NEW)


def theirs(sizes: dict) -> Callable[[], None]:
    """Let PyTorch's GPT write on with a cache."""
    import torch

    return torch.inference_mode()(_their_writer(sizes))


def theirs_without_grad(sizes: dict) -> Callable[[], None]:
    """Let it write in the mode that most programs use."""
    import torch

    return torch.no_grad()(_their_writer(sizes))


def _their_writer(sizes: dict) -> Callable[[], None]:
    import torch
    from torch.nn import functional as F

    model, start = gpt.their_model(sizes), torch.from_numpy(gpt.text(sizes)[:1, :32])
    model.eval()
    heads, size = sizes["n_head"], sizes["n_embd"]
    *blocks, norm = model.blocks

    def attend(block, x, past):
        batch, new, _ = x.shape
        parts = block.qkv(block.norm1(x)).split(size, dim=2)
        q, k, v = (p.view(batch, new, heads, -1).transpose(1, 2) for p in parts)
        if past is not None:
            k, v = (torch.cat(pair, dim=2) for pair in zip(past, (k, v), strict=True))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=new > 1)
        x = x + block.out(y.transpose(1, 2).reshape(batch, new, size))
        return x + block.down(F.gelu(block.up(block.norm2(x)), approximate="tanh")), (k, v)

    def write() -> None:
        past, ids, new, begin = [None] * len(blocks), start, start, 0
        for _ in range(gpt.NEW):
            end = begin + new.shape[1]
            x = model.token(new) + model.place(torch.arange(begin, end))
            for layer, block in enumerate(blocks):
                x, past[layer] = attend(block, x, past[layer])
            new, begin = gpt.their_choice(model.head(norm(x[:, -1]))), end
            ids = torch.cat([ids, new], dim=1)

    return write
