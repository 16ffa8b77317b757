"""Transformers: a GPT, from the norm inside its blocks to the text that it writes.

One can keep numbers in range (`LayerNorm`, `RMSNorm`), stack attention and a small network into
blocks (`FeedForward`, `TransformerBlock`), and build of these a model that knows what comes next
(`GPT`, of a `GPTConfig`): it has a `loss`, and writes on by `generate`. Names and results are
PyTorch's; a PyTorch model with the same names of parts loads into this one, and the other way.
"""

from __future__ import annotations

import functools
import math
import operator
from dataclasses import dataclass

import numpy as np

from tinytorch.activations import gelu
from tinytorch.attention import MultiHeadAttention
from tinytorch.autograd import no_grad, vjp
from tinytorch.embeddings import Embedding, LearnedPositionalEmbedding
from tinytorch.layers import Dropout, Linear, Module, Parameter, linear
from tinytorch.losses import cross_entropy
from tinytorch.tensor import Tensor, apply, cat, default_generator, from_numpy, note_change

__all__ = [
    "GPT",
    "FeedForward",
    "GPTConfig",
    "LayerNorm",
    "RMSNorm",
    "TransformerBlock",
    "layer_norm",
    "next_probabilities",
    "num_parameters",
    "rms_norm",
    "sample",
]


def layer_norm(x: Tensor, weight: Tensor, bias: Tensor | None = None, eps: float = 1e-5) -> Tensor:
    """Give every row mean 0 and variance 1, then a learned scale and start: `layer_norm_array`.

    Shapes: x (..., *S), weight of shape S, bias of shape S or None -> that of x; a row is all that
    weight spans. Errors: TypeError unless all are Tensors of one floating dtype; ValueError with
    the shapes if x does not end in that of weight, or bias has another.

    >>> layer_norm(Tensor([[1.0, 3.0]]), Tensor([1.0, 10.0]), eps=0.0).tolist()
    [[-1.0, 10.0]]
    """
    _require_norm("layer_norm", x, weight, weight if bias is None else bias)
    return apply(layer_norm_array, x, weight, bias, eps=eps)


def layer_norm_array(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, eps: float
) -> np.ndarray:
    """Compute weight · (x - mean) / √(variance + eps) + bias, in the dtype of x.

    Mean and variance (with divisor n) are those of each row: of the last axes, as many as weight
    has. `centred` does the first part. Shapes: x (..., *S), weight and bias S -> that of x.
    Source: Ba, Kiros and Hinton, "Layer normalization", 2016.

    >>> x = np.array([[0.0, 4.0], [7.0, 7.0]])
    >>> layer_norm_array(x, np.array([1.0, 1.0]), np.array([0.5, 0.0]), 0.0 + 1e-12).round(3)
    array([[-0.5,  1. ],
           [ 0.5,  0. ]])
    """
    y, r = centred(x.reshape(-1, weight.size), eps)
    y *= r
    y *= weight.reshape(-1)
    if bias is not None:
        y += bias.reshape(-1)
    return y.reshape(x.shape)


def centred(rows: np.ndarray, eps: float) -> tuple[np.ndarray, np.ndarray]:
    """Return c = x - mean for each row of a matrix, and r = 1 / √(variance + eps), (N, 1)."""
    c = rows - row_means(rows)
    return c, 1 / np.sqrt(row_means(c, c) + rows.dtype.type(eps))


def row_means(a: np.ndarray, b: np.ndarray | None = None) -> np.ndarray:
    """Return the mean of each row of `a`, or of a · b, as a column: (N, D) -> (N, 1)."""
    if b is None:  # as a product with a vector, which takes a quarter of the time of a sum
        return a @ _mean_of(a.shape[1], a.dtype)
    if not a.flags.c_contiguous:
        return row_means(a * b)
    means = np.vecdot(a, b)[:, None]
    means /= a.shape[1]
    return means


@functools.lru_cache(maxsize=64)
def _mean_of(size: int, dtype: np.dtype) -> np.ndarray:
    """Return the column with which a product is the mean of `size` numbers, (size, 1)."""
    return np.full((size, 1), 1 / size, dtype)


def column_sums(a: np.ndarray) -> np.ndarray:
    """Return the sum of each column of a matrix, as a product with a vector: (N, D) -> (D,)."""
    return np.ones(len(a), a.dtype) @ a


@vjp(layer_norm_array)
def layer_norm_rule(y, x, weight, bias, eps):
    """y = w c r + b, c = x - mean: for x it is r (h - mean(h) - c r² mean(h c)), where h = w g.

    Means are those of each row. For w the sum of g c r over all rows, for b that of g. The two
    subtrahends are there as the mean and r depend on x, too: whoever adds a number to a whole row,
    or scales it, does not change y.

    >>> ones = np.ones(3)
    >>> to_x, to_weight, _ = layer_norm_rule(None, np.array([[0.0, 2.0, 4.0]]), ones, ones, 0.0)
    >>> to_x(np.array([[5.0, 6.0, 7.0]])).round(6).tolist()  # 6, and c / 2: neither changes y
    [[0.0, 0.0, 0.0]]
    """
    shape, w = (-1, weight.size), weight.reshape(-1, 1)
    c, r = centred(x.reshape(shape), eps)

    def to_x(g):
        g = g.reshape(shape)
        slope = c * (-r * r * ((g * c) @ w) / w.size)
        slope -= g @ w / w.size
        slope += g * w.T
        slope *= r
        return slope.reshape(x.shape)

    return (
        to_x,
        lambda g: (r.T @ (g.reshape(shape) * c)).reshape(weight.shape),
        lambda g: column_sums(g.reshape(shape)).reshape(weight.shape),
    )


def rms_norm(x: Tensor, weight: Tensor, eps: float | None = None) -> Tensor:
    """Divide every row by the root of its mean square, then scale: `rms_norm_array`.

    Shapes and errors as in `layer_norm`. Without an eps it is that of the dtype, as in PyTorch.

    >>> print(rms_norm(Tensor([[1.0, 7.0]]), Tensor([5.0, 10.0])).numpy().round(4))
    [[ 1. 14.]]
    """
    _require_norm("rms_norm", x, weight)
    return apply(rms_norm_array, x, weight, eps=np.finfo(x.dtype).eps if eps is None else eps)


def rms_norm_array(x: np.ndarray, weight: np.ndarray, eps: float) -> np.ndarray:
    """Compute weight · x / √(mean(x²) + eps), in the dtype of x, the mean that of each row.

    There is no mean to subtract and no bias, and models train as well. Shapes: x (..., *S),
    weight S -> that of x. Source: Zhang and Sennrich, "Root mean square layer normalization", 2019.

    >>> rms_norm_array(np.array([[1.0, 7.0]]), np.array([5.0, 10.0]), 0.0).tolist()
    [[1.0, 14.0]]
    """
    rows = x.reshape(-1, weight.size)
    y = rows / np.sqrt(row_means(rows, rows) + x.dtype.type(eps))
    y *= weight.reshape(-1)
    return y.reshape(x.shape)


@vjp(rms_norm_array)
def rms_norm_rule(y, x, weight, eps):
    """y = w x r, r = 1 / √(mean(x²) + eps): for x r (h - x r² mean(h x)), where h = w g.

    The mean is that of each row. For w the sum of g x r over all rows.

    >>> to_x, to_weight = rms_norm_rule(None, np.array([[1.0, 7.0]]), np.array([5.0, 10.0]), 0.0)
    >>> to_weight(np.array([[1.0, 1.0]])).round(4).tolist()
    [0.2, 1.4]
    """
    shape, w = (-1, weight.size), weight.reshape(-1, 1)
    rows = x.reshape(shape)
    r = 1 / np.sqrt(row_means(rows, rows) + x.dtype.type(eps))

    def to_x(g):
        g = g.reshape(shape)
        slope = rows * (-r * r * ((g * rows) @ w) / w.size)
        slope += g * w.T
        slope *= r
        return slope.reshape(x.shape)

    return to_x, lambda g: (r.T @ (g.reshape(shape) * rows)).reshape(weight.shape)


class LayerNorm(Module):
    """`layer_norm` as a layer: weight of ones, bias of zeros or None, both to be learned.

    >>> LayerNorm(2)(Tensor([[0.0, 100.0]])).shape, LayerNorm(2)
    ((1, 2), LayerNorm((2,), eps=1e-05))
    """

    def __init__(self, normalized_shape, eps: float = 1e-5, bias: bool = True, dtype=np.float32):
        """Take one size, or a tuple of the last axes' sizes."""
        super().__init__()
        self.normalized_shape, self.eps = _shape(normalized_shape), eps
        self.weight = Parameter(np.ones(self.normalized_shape, dtype))
        self.bias = Parameter(np.zeros(self.normalized_shape, dtype)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """Return `layer_norm` of x with this layer's weight, bias and eps."""
        return layer_norm(x, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """Show the shape of a row, and eps."""
        return f"{self.normalized_shape}, eps={self.eps}"


class RMSNorm(Module):
    """`rms_norm` as a layer: weight of ones, to be learned."""

    def __init__(self, normalized_shape, eps: float | None = None, dtype=np.float32):
        """Take one size, or a tuple of the last axes' sizes."""
        super().__init__()
        self.normalized_shape, self.eps = _shape(normalized_shape), eps
        self.weight = Parameter(np.ones(self.normalized_shape, dtype))

    def forward(self, x: Tensor) -> Tensor:
        """Return `rms_norm` of x with this layer's weight and eps."""
        return rms_norm(x, self.weight, self.eps)

    def extra_repr(self) -> str:
        """Show the shape of a row, and eps."""
        return f"{self.normalized_shape}, eps={self.eps}"


class FeedForward(Module):
    """A small network for each place by itself: wider by `up`, bent, and back by `down`.

    >>> FeedForward(4)
    FeedForward(
      (up): Linear(in_features=4, out_features=16, bias=True)
      (down): Linear(in_features=16, out_features=4, bias=True)
    )
    """

    def __init__(self, embed_dim: int, hidden_dim: int | None = None):
        """Make two layers; the hidden one is four times as wide unless one says so."""
        super().__init__()
        hidden_dim = 4 * embed_dim if hidden_dim is None else hidden_dim
        self.up = Linear(embed_dim, hidden_dim)
        self.down = Linear(hidden_dim, embed_dim)

    def forward(self, x: Tensor) -> Tensor:
        """Return down(gelu(up(x))): (..., D) -> (..., D), no place seeing another.

        >>> layer = FeedForward(2, 1)
        >>> layer.up.weight.data[...] = layer.down.weight.data[...] = 1
        >>> layer.up.bias.data[...] = layer.down.bias.data[...] = 0
        >>> layer(Tensor([[6.0, 4.0]])).tolist()
        [[10.0, 10.0]]
        """
        return self.down(gelu(self.up(x)))


class TransformerBlock(Module):
    """Attention between places, then a FeedForward at each, both added to what came.

    >>> block = TransformerBlock(8, num_heads=2)
    >>> block(Tensor(np.ones((1, 3, 8), np.float32))).shape
    (1, 3, 8)
    """

    def __init__(self, embed_dim: int, num_heads: int, hidden_dim=None, dropout: float = 0.0):
        """Make norm1, attention, norm2, feed_forward, and one dropout for both branches."""
        super().__init__()
        self.norm1 = LayerNorm(embed_dim)
        self.attention = MultiHeadAttention(embed_dim, num_heads)
        self.norm2 = LayerNorm(embed_dim)
        self.feed_forward = FeedForward(embed_dim, hidden_dim)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, is_causal: bool = True) -> Tensor:
        """Return h = x + dropout(attention(norm1(x))), then h + dropout(feed_forward(norm2(h))).

        The norms stand in the branches, and the sum itself is never normalized: a gradient comes
        down the sums unchanged, through any number of blocks ("pre-norm"). Attention is causal
        unless one says no: place t sees the places 0 … t. Shapes: x (..., T, D) -> the same.
        Source: Vaswani and others, "Attention is all you need", 2017, section 3.1; the place of the
        norms: Xiong and others, "On layer normalization in the transformer architecture", 2020.

        >>> block = TransformerBlock(4, num_heads=1)
        >>> for branch in (block.attention.out_proj, block.feed_forward.down):
        ...     branch.weight.data[...] = branch.bias.data[...] = 0
        >>> block(Tensor([[1.0, 2.0, 3.0, 4.0]])).tolist()  # branches that say nothing
        [[1.0, 2.0, 3.0, 4.0]]
        """
        h = x + self.dropout(self.attention(self.norm1(x), is_causal=is_causal))
        return h + self.dropout(self.feed_forward(self.norm2(h)))

    def last(self, x: Tensor) -> Tensor:
        """Return the last place of `forward`, (..., T, D) -> (..., 1, D): it sees all places."""
        seen = self.norm1(x)
        end = x[..., -1:, :] + self.dropout(self.attention(seen[..., -1:, :], seen))
        return end + self.dropout(self.feed_forward(self.norm2(end)))


@dataclass(frozen=True)
class GPTConfig:
    """The sizes of a GPT; ValueError for those that make none.

    >>> GPTConfig(vocab_size=256, block_size=128, n_layer=4, n_head=4, n_embd=128).dropout
    0.0
    """

    vocab_size: int  # how many ids there are
    block_size: int  # how many places it sees at most
    n_layer: int = 4
    n_head: int = 4
    n_embd: int = 128  # numbers per place; n_head divides it
    dropout: float = 0.0

    def __post_init__(self):
        """Refuse sizes below 1, and heads of unequal width."""
        for name in ("vocab_size", "block_size", "n_layer", "n_head", "n_embd"):
            if operator.index(getattr(self, name)) < 1:
                raise ValueError(f"GPTConfig: expected {name} >= 1, got {getattr(self, name)}")
        if self.n_embd % self.n_head:
            got = f"n_embd={self.n_embd} and n_head={self.n_head}"
            raise ValueError(f"GPTConfig: expected n_head to divide n_embd, got {got}")


class GPT(Module):
    """A model of what comes next: ids (B, T) -> a score for each id at each place (B, T, V).

    >>> model = GPT(GPTConfig(vocab_size=10, block_size=4, n_layer=1, n_head=2, n_embd=8))
    >>> model(Tensor([[1, 2, 3]])).shape, num_parameters(model)
    ((1, 3, 10), 1000)
    """

    def __init__(self, config: GPTConfig):
        """Make token_embedding, position_embedding, dropout, blocks and norm, and draw numbers."""
        super().__init__()
        self.config, size = config, config.n_embd
        self.token_embedding = Embedding(config.vocab_size, size)
        self.position_embedding = LearnedPositionalEmbedding(config.block_size, size)
        self.dropout = Dropout(config.dropout)
        shape = (size, config.n_head, 4 * size, config.dropout)
        self.blocks = [TransformerBlock(*shape) for _ in range(config.n_layer)]
        self.norm = LayerNorm(size)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw all matrices anew, normal with mean 0 and deviation 0.02, and set biases to 0.

        Matrices are the parameters of two axes. What a branch ends with (`out_proj.weight` and
        `down.weight`) has deviation 0.02 / √(2 n_layer): each of the n_layer blocks adds two
        branches, and so their sum has the variance of one. A norm has weight 1 and bias 0. In the
        order of `named_parameters`, each matrix at once by `default_generator().normal`, into the
        memory that it has; `note_change` learns of every parameter.
        Source: Radford, Wu, Child, Luan, Amodei and Sutskever, "Language models are unsupervised
        multitask learners" (GPT-2), 2019, section 2.3.

        >>> model = GPT(GPTConfig(vocab_size=100, block_size=4, n_layer=2, n_head=1, n_embd=50))
        >>> down, token = model.blocks[0].feed_forward.down.weight, model.token_embedding.weight
        >>> round(down.var().item() ** 0.5, 3), round(token.var().item() ** 0.5, 3)
        (0.01, 0.02)
        """
        narrow = 0.02 / math.sqrt(2 * self.config.n_layer)
        for name, parameter in self.named_parameters():
            if parameter.ndim == 2:
                last = name.endswith(("out_proj.weight", "down.weight"))
                drawn = default_generator().normal(0, narrow if last else 0.02, parameter.shape)
                parameter.data[...] = drawn
            else:
                parameter.data[...] = 0 if name.endswith("bias") else 1
            note_change(parameter)

    def features(self, ids: Tensor) -> Tensor:
        """Return what the last norm makes of the places: ids (B, T) -> (B, T, n_embd).

        The tokens' vectors, with those of their places, pass through dropout, then all blocks in
        order, then `norm`. Errors: ValueError unless ids has two axes and 1 to block_size places;
        IndexError from the embedding for an id that is none.

        >>> model = GPT(GPTConfig(vocab_size=10, block_size=4, n_layer=1, n_head=2, n_embd=8))
        >>> model.features(Tensor([[1, 2, 3]])).shape
        (1, 3, 8)
        """
        self._require_ids("GPT", ids, self.config.block_size)
        x = self.dropout(self.position_embedding(self.token_embedding(ids)))
        for block in self.blocks:
            x = block(x)
        return self.norm(x)

    def last_features(self, ids: Tensor) -> Tensor:
        """Return the last place of `features`, (B, T) -> (B, n_embd), with less work.

        The last block needs the other places for their keys and values alone; and few places are
        multiplied faster if they lie `by_columns`, as all that is made of them does then.
        """
        self._require_ids("GPT", ids, self.config.block_size)
        x = self.dropout(self.position_embedding(self.token_embedding(ids)))
        x = apply(by_columns, x)
        for block in self.blocks[:-1]:
            x = block(x)
        return self.norm(self.blocks[-1].last(x))[:, 0]

    def forward(self, ids: Tensor) -> Tensor:
        """Score every id at every place: the product of `features` with each token's own vector.

        Shapes: ids (B, T) -> (B, T, V); at place t they say what comes at t + 1. The weight of this
        last layer, which has no bias, is that of token_embedding ("tied"): V · D parameters less,
        and tokens alike in use become alike in prediction. Source: Press and Wolf, "Using the
        output embedding to improve language models", 2017.

        >>> model = GPT(GPTConfig(vocab_size=10, block_size=4, n_layer=1, n_head=2, n_embd=8))
        >>> model(Tensor([[1, 2, 3]])).shape
        (1, 3, 10)
        """
        return linear(self.features(ids), self.token_embedding.weight)

    def loss(self, ids: Tensor, targets: Tensor) -> Tensor:
        """Return the mean cross-entropy of the scores with what came: ids, targets (B, T) -> ().

        targets[b, t] is the id that follows ids[b, t]; -100 stands for one that does not count.
        ValueError, with both shapes, unless they are equal.

        >>> model = GPT(GPTConfig(vocab_size=10, block_size=4, n_layer=1, n_head=2, n_embd=8))
        >>> abs(model.loss(Tensor([[1, 2, 3]]), Tensor([[2, 3, 4]])).item() - math.log(10)) < 0.2
        True
        """
        if targets.shape != ids.shape:
            raise ValueError(f"loss: expected targets {ids.shape}, as the ids, got {targets.shape}")
        scores = self(ids)
        return cross_entropy(scores.reshape(-1, scores.shape[-1]), targets.reshape(-1))

    def generate(
        self,
        ids: Tensor,
        max_new_tokens: int,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        seed: int | None = None,
    ) -> Tensor:
        """Write on: ids (B, T), T >= 1 -> (B, T + max_new_tokens), each row by itself.

        Token by token: the model reads the last block_size ids at most; `next_probabilities` of
        the scores at the last place, whose `last_features` are enough, with temperature, top_k and
        top_p, say what may come; and `sample` draws one id per row, which is appended. It draws
        from a new generator of this seed or, without one, from `default_generator()`. Meanwhile the
        model is in eval mode and nothing is recorded; afterwards each of its modules has its own
        mode back.
        Errors: ValueError unless ids has two axes and a place, and from `next_probabilities`.

        >>> model = GPT(GPTConfig(vocab_size=10, block_size=4, n_layer=1, n_head=2, n_embd=8))
        >>> model.generate(Tensor([[1, 2]]), max_new_tokens=5, seed=0).shape
        (1, 7)
        """
        self._require_ids("generate", ids, math.inf)
        generator = default_generator() if seed is None else np.random.default_rng(seed)
        modes = [(module, module.training) for module in self.modules()]
        self.eval()
        try:
            with no_grad():
                for _ in range(max_new_tokens):
                    features = self.last_features(ids[:, -self.config.block_size :])
                    scores = linear(features, self.token_embedding.weight)
                    chances = next_probabilities(scores.data, temperature, top_k, top_p)
                    new = from_numpy(sample(chances, generator)[:, None])
                    ids = cat([ids, new], dim=1)
        finally:
            for module, mode in modes:
                module.training = mode
        return ids

    def _require_ids(self, name: str, ids: Tensor, most: float) -> None:
        """Refuse what is no batch of sequences of 1 to `most` places."""
        if not isinstance(ids, Tensor):
            raise TypeError(f"{name}: expected a Tensor of ids, got {type(ids).__name__}")
        if ids.ndim != 2 or not 1 <= ids.shape[1] <= most:
            wanted = f"expected ids (B, T) with T from 1 to {most}"
            raise ValueError(f"{name}: {wanted}, got {ids.shape}")

    def extra_repr(self) -> str:
        """Show the sizes."""
        return str(self.config)


def next_probabilities(
    scores: np.ndarray,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
) -> np.ndarray:
    """Turn the scores of the ids into the probabilities by which the next one is drawn.

    Shapes: (B, V) -> the same, rows that sum to 1, the dtype kept. softmax(scores / temperature): a
    low temperature bets on the best, a high one gives all a chance, and 0 stands for its limit: 1
    for the largest score, the first of equals. Then top_k keeps the k largest scores and those
    equal to the k-th. Then top_p, of the probabilities that this left, keeps the largest until they
    sum up to p or more, so at least one; of equals the lower id comes first. Others get 0, and the
    rest is divided by its sum. None keeps all. Errors: ValueError unless temperature >= 0,
    top_k >= 1 and 0 < top_p <= 1. Source of top_p: Holtzman, Buys, Du, Forbes and Choi, "The
    curious case of neural text degeneration", 2020.

    >>> scores = np.log([[1.0, 2.0, 5.0]])
    >>> next_probabilities(scores, temperature=0.5).round(3).tolist()
    [[0.033, 0.133, 0.833]]
    >>> next_probabilities(scores, top_k=2).round(3).tolist()
    [[0.0, 0.286, 0.714]]
    >>> next_probabilities(scores, top_p=0.7).round(3).tolist()
    [[0.0, 0.286, 0.714]]
    """
    _require_sampling(temperature, top_k, top_p)
    if temperature == 0:
        best = scores.argmax(axis=1, keepdims=True)
        return (np.arange(scores.shape[1]) == best).astype(scores.dtype)
    # Not softmax_array: the largest score is known from sorting, and a sum over what is kept is
    # right at once. One token that is drawn behind a cache would take 2 % longer.
    if top_k is not None and top_k < scores.shape[1]:
        rising = np.sort(scores, axis=1)
        kept, largest = scores >= rising[:, -top_k, None], rising[:, -1:]
    else:
        kept, largest = True, scores.max(axis=1, keepdims=True)
    chances = scores - largest
    chances *= min(1 / temperature, 1e38)  # 0 times infinity is no number
    np.exp(chances, out=chances)
    chances *= kept
    chances /= np.add.reduce(chances, axis=1, keepdims=True)
    if top_p is not None:
        order = np.argsort(-chances, axis=1, kind="stable")
        falling = np.take_along_axis(chances, order, axis=1)
        before = np.cumsum(falling, axis=1) - falling
        np.put_along_axis(chances, order, np.where(before < top_p, falling, 0), axis=1)
        chances /= chances.sum(axis=1, keepdims=True)
    return chances


def sample(chances: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Draw one id per row, each as often as its probability says: (B, V) -> (B,) of int64.

    One number u, uniform in [0, 1), per row, all by one call of `generator.random`. The ids divide
    a line of length 1 among themselves, in order; the result is the one on whose part u lies: the
    first whose running sum of probabilities exceeds u times the sum of all.

    >>> sample(np.array([[0.0, 1.0], [1.0, 0.0]]), np.random.default_rng(0)).tolist()
    [1, 0]
    """
    ends = np.add.accumulate(chances, axis=1, dtype=np.float64)
    u = generator.random(len(chances))
    return (ends > (u * ends[:, -1])[:, None]).argmax(axis=1)


def by_columns(x: np.ndarray) -> np.ndarray:
    """Copy x (..., D) so that the numbers of a column are neighbours in memory, D columns."""
    return np.ascontiguousarray(x.reshape(-1, x.shape[-1]).T).T.reshape(x.shape)


@vjp(by_columns)
def by_columns_rule(y, x):
    """The numbers stay what they are, and so does the gradient."""
    return lambda g: g


def num_parameters(module: Module) -> int:
    """Count the numbers that a module learns, those of shared parameters once.

    >>> num_parameters(Linear(3, 4))
    16
    """
    return sum(parameter.size for parameter in module.parameters())


def _shape(normalized_shape) -> tuple[int, ...]:
    """The sizes of the axes of a row, of which there is at least one."""
    several = isinstance(normalized_shape, tuple | list)
    shape = tuple(map(operator.index, normalized_shape if several else (normalized_shape,)))
    if min(shape, default=0) < 1:
        raise ValueError(f"norm: expected sizes >= 1, got {normalized_shape}")
    return shape


def _require_norm(name: str, x: Tensor, *parameters: Tensor) -> None:
    """Refuse what is not of one floating dtype, and parameters in which no row of x fits."""
    for tensor in (x, *parameters):
        known = isinstance(tensor, Tensor) and tensor.data.dtype
        if not known or known.kind != "f" or known != x.data.dtype:
            kind = tensor.dtype if isinstance(tensor, Tensor) else type(tensor).__name__
            raise TypeError(f"{name}: expected Tensors of one floating dtype, got {kind}")
    shape, row, bias = x.data.shape, parameters[0].data.shape, parameters[-1].data.shape
    if 0 in row or shape[len(shape) - len(row) :] != row:
        wanted = f"expected x (..., {', '.join(map(str, row))}), as weight has it"
        raise ValueError(f"{name}: {wanted}, got {shape}")
    if bias != row:
        raise ValueError(f"{name}: expected a bias {row}, got {bias}")


def _require_sampling(temperature: float, top_k: int | None, top_p: float | None) -> None:
    """Refuse settings that leave nothing to draw from."""
    if not 0 <= temperature < math.inf:
        raise ValueError(f"temperature: expected a finite number >= 0, got {temperature}")
    if top_k is not None and top_k < 1:
        raise ValueError(f"top_k: expected at least 1 or None, got {top_k}")
    if top_p is not None and not 0 < top_p <= 1:
        raise ValueError(f"top_p: expected 0 < p <= 1 or None, got {top_p}")
