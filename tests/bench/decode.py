"""What a cache of keys and values is worth in writing text, against PyTorch with and without one.

The GPT of `tests.bench.gpt`: 128 numbers per place, 4 layers, 4 heads; 96 ids after 32. The peer
runs eagerly in `inference_mode` and writes keys and values into memory taken once, from where the
fused `scaled_dot_product_attention` reads them; to append them by `torch.cat`, as the library
transformers does by default, takes it as long. Nothing is compiled on either side.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from tests.bench import gpt, peers
from tests.bench.measure import Bar

CACHED, PLAIN = "cached decoding, speed", "cached decoding, speed against none"
OURS = "tests.bench.decode:ours"


def bars() -> list[Bar]:
    """Measure against both, each turned over: tokens per second."""
    note = f"{gpt.SHAPE}, {gpt.NEW} ids after 32, both with a cache"
    cached = peers.time_bar(
        CACHED, 1 / 3, (OURS, "tests.bench.decode:theirs"), (gpt.SIZES,), 2, 15, note
    )
    note = f"{gpt.SHAPE}, {gpt.NEW} ids after 32, PyTorch without a cache"
    plain = peers.time_bar(
        PLAIN, 1 / 8, (OURS, "tests.bench.gpt:their_writer"), (gpt.SIZES,), 1, 11, note
    )
    return [_turned(cached), _turned(plain)]


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


def theirs(sizes: dict) -> Callable[[], None]:
    """Let PyTorch's GPT write on with a cache."""
    import torch
    from torch.nn import functional as F

    model, start = gpt.their_model(sizes), torch.from_numpy(gpt.text(sizes)[:1, :32])
    model.eval()
    heads, size, places = sizes["n_head"], sizes["n_embd"], sizes["block_size"]
    *blocks, norm = model.blocks
    shape = (len(blocks), 2, 1, heads, places, size // heads)

    def attend(block, x, past, begin, end):
        parts = block.qkv(block.norm1(x)).split(size, dim=2)
        q, k, v = (p.view(1, end - begin, heads, -1).transpose(1, 2) for p in parts)
        past[0, :, :, begin:end], past[1, :, :, begin:end] = k, v
        k, v = past[0, :, :, :end], past[1, :, :, :end]
        y = F.scaled_dot_product_attention(q, k, v, is_causal=end - begin > 1)
        x = x + block.out(y.transpose(1, 2).reshape(x.shape))
        return x + block.down(F.gelu(block.up(block.norm2(x)), approximate="tanh"))

    @torch.inference_mode()
    def write() -> None:
        cache, ids, new, begin = torch.empty(shape), start, start, 0
        for _ in range(gpt.NEW):
            end = begin + new.shape[1]
            x = model.token(new) + model.place(torch.arange(begin, end))
            for block, past in zip(blocks, cache, strict=True):
                x = attend(block, x, past, begin, end)
            new, begin = gpt.their_choice(model.head(norm(x[:, -1]))), end
            ids = torch.cat([ids, new], dim=1)

    return write
