"""What the backends of module 17 save: whole training steps beside PyTorch's, and each by itself.

The models are those of `cnn` and `gpt`, with all default backends on; then each backend against the
plain form of the same work in one process, forward and backward, taking turns.
"""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from tests.bench import cnn, gpt
from tests.bench.measure import Bar, interleave, median_ratio
from tests.bench.peers import time_bar, times

ROUNDS = 21
TARGETS = {"lenet": 0.9, "cifar": 0.9, "norms": 1.05}
OURS = "tests.bench.acceleration:our_network", "tests.bench.acceleration:our_gpt"
PRODUCTS = "tests.bench.acceleration:our_products", "tests.bench.acceleration:their_products"
SINGLE_ROUNDS = 15


def our_network(name: str) -> Callable[[], None]:
    """Return a training step of one of the convolutional networks, accelerated."""
    return _accelerated(cnn.ours(name))


def our_gpt(sizes: dict) -> Callable[[], None]:
    """Return a training step of the GPT, accelerated."""
    return _accelerated(gpt.ours(sizes))


def _accelerated(step: Callable[[], None]) -> Callable[[], None]:
    from tinytorch import accelerate

    def faster() -> None:
        with accelerate():
            step()

    return faster


def bars() -> list[Bar]:
    """Measure the steps, then each backend."""
    found = []
    for name, target in TARGETS.items():
        _, steps, _, title, note = cnn.NETWORKS[name]
        peers = (OURS[0], cnn.PEERS[1])
        work = {"steps": steps, "rounds": ROUNDS, "note": f"{note}, backends on"}
        found.append(time_bar(f"{title}, accelerated", target, peers, (name,), **work))
    return [*found, _gpt_bar(), *single_bars(), memory_bar()]


def _gpt_bar() -> Bar:
    """Return the ratio of the steps, and beside it what is BLAS against BLAS."""
    note = f"{gpt.SHAPE}, 8 sequences of 128, 256 ids, Adam, backends on"
    peers = (OURS[1], gpt.PEERS[1])
    bar = time_bar("GPT step, accelerated", 1.05, peers, (gpt.SIZES,), 3, ROUNDS, note=note)
    if bar.measured is None:
        return bar
    alone = median_ratio(times(*PRODUCTS, (gpt.SIZES,), 5, ROUNDS))
    share = median_ratio(times(PRODUCTS[0], OURS[1], (gpt.SIZES,), 3, ROUNDS))
    beside = f"the products of its layers alone, {share:.0%} of ours: {alone:.2f}"
    return replace(bar, note=f"{bar.note}; for information: {beside}")


def our_products(sizes: dict) -> Callable[[], None]:
    """Return all products of a step with weights, forward and backward, by NumPy's BLAS."""
    drawn = np.random.default_rng(0).standard_normal
    return _multiply(sizes, np.matmul, lambda *shape: drawn(shape, np.float32))


def their_products(sizes: dict) -> Callable[[], None]:
    """Return the same by PyTorch's."""
    import torch

    return torch.inference_mode()(_multiply(sizes, torch.matmul, torch.randn))


def _multiply(sizes: dict, matmul: Callable, drawn: Callable) -> Callable[[], None]:
    size, rows = sizes["n_embd"], gpt.BATCH * sizes["block_size"]
    block = [(3 * size, size), (size, size), (4 * size, size), (size, 4 * size)]
    layers = block * sizes["n_layer"] + [(sizes["vocab_size"], size)]
    work = [(drawn(rows, i), drawn(o, i), drawn(rows, o)) for o, i in layers]

    def multiply() -> None:
        for x, weight, gradient in work:
            matmul(x, weight.T)
            matmul(gradient, weight)
            matmul(gradient.T, x)

    return multiply


def single_bars() -> list[Bar]:
    """Return for each backend the ratio of the plain form's time to its own."""
    from tinytorch import accelerate

    found = []
    for name, work in works().items():

        def plain(work=work) -> float:
            began = time.thread_time()
            y = work()
            y.backward(np.ones_like(y.data))
            return time.thread_time() - began

        def fast(name=name, plain=plain) -> float:
            with accelerate(name):
                return plain()

        interleave(plain, fast, 2)
        pairs = interleave(plain, fast, SINGLE_ROUNDS)
        note = "plain / accelerated, forward and backward, CPU time of one process in turns"
        ratio = median_ratio(pairs)
        found.append(Bar(f"backend {name}", 1, ratio, at_least=True, note=note))
    return found


def works() -> dict[str, Callable]:
    """Return work for each backend, of sizes that training has."""
    import tinytorch as tt

    tt.manual_seed(0)
    rng = np.random.default_rng(0)
    rows = tt.randn(1024, 128, requires_grad=True)
    wide = tt.randn(4096, 256, requires_grad=True)
    scores = tt.randn(1024, 256, requires_grad=True)
    target = tt.Tensor(rng.integers(0, 256, 1024))
    tokens = tt.randn(1, 4, 2048, 32, requires_grad=True)
    images = tt.randn(32, 3, 32, 32)
    forward, norm = tt.FeedForward(128), tt.LayerNorm(256)
    layers = [tt.Conv2d(3, 32, 3, padding=1), tt.ReLU(), tt.MaxPool2d(2)]
    plain = tt.Sequential(*layers)
    normed = tt.Sequential(layers[0], tt.BatchNorm2d(32), *layers[1:])
    attend = tt.scaled_dot_product_attention
    return {
        "linear_gelu": lambda: forward(rows),
        "cross_entropy": lambda: tt.cross_entropy(scores, target),
        "layer_norm": lambda: norm(wide),
        "attention": lambda: attend(tokens, tokens, tokens, is_causal=True),
        "conv_pool": lambda: plain(images),
        "norm_pool": lambda: normed(images),
    }


def memory_bar(length: int = 2048) -> Bar:
    """Return by what the memory of tiled attention grows when the length doubles."""
    from tinytorch import accelerate, randn, scaled_dot_product_attention

    peaks = []
    for tokens in (length, 2 * length):
        q = randn(1, 2, tokens, 32, requires_grad=True)
        with accelerate("attention"):
            tracemalloc.start()
            scaled_dot_product_attention(q, q, q, is_causal=True).sum().backward()
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
    note = f"peak of forward and backward at {2 * length} / at {length} tokens; plain: 4"
    ratio = peaks[1] / peaks[0]
    return Bar("tiled attention, memory", 2.1, ratio, note=note, details={"bytes": peaks})
