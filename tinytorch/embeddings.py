"""Embeddings: vectors for tokens, and for the places where they stand.

One can look up a learned vector per id (`embedding`, `Embedding`), and tell a model where a token
stands in one of three ways: waves to be added (`sinusoidal_encoding`), learned vectors to be added
(`LearnedPositionalEmbedding`), or a turn of queries and keys (`RotaryEmbedding`). Each operation
and its rule stand side by side. Names and results are PyTorch's, where PyTorch has them.
"""

from __future__ import annotations

import operator

import numpy as np

from tinytorch.autograd import vjp
from tinytorch.layers import Module, Parameter
from tinytorch.tensor import FLOAT32, Tensor, apply, default_generator, from_numpy, note_change

__all__ = [
    "Embedding",
    "LearnedPositionalEmbedding",
    "RotaryEmbedding",
    "embedding",
    "sinusoidal_encoding",
]


def embedding(x: Tensor, weight: Tensor, padding_idx: int | None = None) -> Tensor:
    """Look up one row of `weight` for each id in x: y[..., :] = weight[x[...]].

    Shapes: x any, of ints, and weight (V, D) -> (*x.shape, D), the dtype of weight. The row
    `padding_idx`, which may count from the end, is looked up like any other, but gets no gradient.
    One operation: `embedding_array`, handed to `apply` with x, weight, and padding_idx by name,
    counted from the front. Errors: TypeError unless x is a Tensor of ints and weight one of floats;
    ValueError unless weight is a matrix; IndexError for an id below 0 or not below V, which it
    names, and for such a padding_idx: here no id counts from the end.

    >>> embedding(Tensor([2, 0, 2]), Tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])).tolist()
    [[5.0, 6.0], [1.0, 2.0], [5.0, 6.0]]
    """
    _require_table(x, weight)
    count = len(weight)
    if padding_idx is not None:
        padding_idx = _padding(padding_idx, count)
    if x.size and not 0 <= x.data.min() <= x.data.max() < count:
        wrong = x.data[(x.data < 0) | (x.data >= count)][0]
        cure = "make the table larger, or mend the ids"
        raise IndexError(f"embedding: expected ids from 0 to {count - 1}, got {wrong}: {cure}")
    return apply(embedding_array, x, weight, padding_idx=padding_idx)


def embedding_array(x: np.ndarray, weight: np.ndarray, padding_idx: int | None) -> np.ndarray:
    """Copy the rows: ids (...), weight (V, D) -> (..., D)."""
    return weight.take(x, axis=0)


@vjp(embedding_array)
def embedding_rule(y, x, weight, padding_idx):
    """y[i] = weight[x[i]]: each row of weight gets the sum of the gradients of its copies.

    None for the ids, which have no gradient. For weight `scatter_add` of the ids and the gradient's
    rows, and then 0 in the row `padding_idx`, if there is one.
    """

    def pull(g):
        total = scatter_add(x, g, len(weight))
        if padding_idx is not None:
            total[padding_idx] = 0
        return total

    return None, pull


def scatter_add(ids: np.ndarray, rows: np.ndarray, count: int) -> np.ndarray:
    """Add each row to the row of zeros that its id names: total[v] = Σ rows[i] over ids[i] = v.

    Shapes: ids any, rows (*ids.shape, D) -> (count, D), the dtype of rows. An id that comes twice
    counts twice, which `total[ids] += rows` forgets: it reads before it writes. `np.add.at` does
    not, and takes a third of the time if both arrays are made one-dimensional: number d of row v
    lies at v · D + d.

    >>> scatter_add(np.array([2, 0, 2]), np.array([[1.0], [2.0], [3.0]]), 4).tolist()
    [[2.0], [0.0], [4.0], [0.0]]
    """
    size = rows.shape[-1]
    places = ids.reshape(-1, 1).astype(np.intp) * size + np.arange(size)
    total = np.zeros(count * size, rows.dtype)
    np.add.at(total, places.ravel(), rows.ravel())
    return total.reshape(count, size)


class Embedding(Module):
    """A learned vector for each id: weight (num_embeddings, embedding_dim).

    >>> table = Embedding(10, 4, padding_idx=0)
    >>> table, table(Tensor([[3, 1, 0]])).shape
    (Embedding(10, 4, padding_idx=0), (1, 3, 4))
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        dtype=np.float32,
    ):
        """Make the table, and draw its numbers."""
        super().__init__()
        sizes = _sizes("Embedding", num_embeddings, embedding_dim)
        self.num_embeddings, self.embedding_dim = sizes
        self.padding_idx = None if padding_idx is None else _padding(padding_idx, sizes[0])
        self.weight = Parameter(np.zeros(sizes, dtype))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Fill weight with normal numbers, mean 0 and variance 1, and the padding row with 0.

        Drawn from `default_generator()` by one `standard_normal` of the table's shape, in float64,
        into the memory that it has, where recipes should know of it: `note_change`.

        >>> Embedding(3, 2, padding_idx=1).weight.tolist()[1]
        [0.0, 0.0]
        """
        self.weight.data[...] = default_generator().standard_normal(self.weight.shape)
        if self.padding_idx is not None:
            self.weight.data[self.padding_idx] = 0
        note_change(self.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Return `embedding` of the ids x in this layer's table, with its padding_idx."""
        return embedding(x, self.weight, self.padding_idx)

    def extra_repr(self) -> str:
        """Show the sizes, and the padding row if there is one."""
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return f"{self.num_embeddings}, {self.embedding_dim}{padding}"


def sinusoidal_encoding(length: int, dim: int) -> Tensor:
    """Give every place waves of its own: sin(p · ωᵢ) in column 2i, cos(p · ωᵢ) in column 2i + 1.

    ωᵢ = 10000^(-2i / dim) for i = 0 … dim / 2 - 1, p = 0 … length - 1. Shapes: -> (length, dim),
    float32, computed in float64, as float32 has no exact sine of a large number. Errors: ValueError
    for a dim that is odd, and for sizes below 0. Source: Vaswani, Shazeer, Parmar, Uszkoreit,
    Jones, Gomez, Kaiser and Polosukhin, "Attention is all you need", 2017, section 3.5.

    >>> print(sinusoidal_encoding(2, 4).numpy().round(4))
    [[0.     1.     0.     1.    ]
     [0.8415 0.5403 0.01   1.    ]]
    """
    length, dim = _sizes("sinusoidal_encoding", length, dim)
    _require_even("sinusoidal_encoding", dim)
    angles = np.arange(length)[:, None] * 10000.0 ** (-np.arange(0, dim, 2) / dim)
    encoding = np.empty((length, dim), FLOAT32)
    encoding[:, 0::2] = np.sin(angles)
    encoding[:, 1::2] = np.cos(angles)
    return from_numpy(encoding)


class LearnedPositionalEmbedding(Module):
    """A learned vector for each place, added to what stands there: weight (max_length, dim).

    >>> places = LearnedPositionalEmbedding(8, 4)
    >>> places, places(Tensor(np.zeros((2, 5, 4), np.float32))).shape
    (LearnedPositionalEmbedding(8, 4), (2, 5, 4))
    """

    def __init__(self, max_length: int, embedding_dim: int, dtype=np.float32):
        """Draw the vectors, normal with a deviation of 0.02: small beside the tokens' own."""
        super().__init__()
        sizes = _sizes("LearnedPositionalEmbedding", max_length, embedding_dim)
        self.max_length, self.embedding_dim = sizes
        self.weight = Parameter(default_generator().normal(0, 0.02, sizes).astype(dtype))

    def forward(self, x: Tensor, offset: int = 0) -> Tensor:
        """Add to place t of x the vector of place offset + t, the same for every sequence.

        Shapes: x (..., T, D) -> the same. `offset` says how many tokens stand before x. Errors:
        ValueError, with the numbers, unless x ends in D, and unless 0 <= offset and
        offset + T <= max_length.

        >>> places = LearnedPositionalEmbedding(3, 1)
        >>> places.weight.data[:, 0] = 10, 20, 30
        >>> places(Tensor([[1.0], [2.0]]), offset=1).tolist()
        [[21.0], [32.0]]
        """
        _require_places("LearnedPositionalEmbedding", x, self.embedding_dim)
        end = _end("LearnedPositionalEmbedding", x, offset, self.max_length)
        return x + self.weight[offset:end]

    def extra_repr(self) -> str:
        """Show the sizes."""
        return f"{self.max_length}, {self.embedding_dim}"


def rotate_array(x: np.ndarray, cos: np.ndarray, sin: np.ndarray) -> np.ndarray:
    """Turn each pair of neighbours, columns 2i and 2i + 1, by an angle of its place.

    (a, b) -> (a · cos - b · sin, a · sin + b · cos). Shapes: x (..., T, D), cos and sin (T, D / 2)
    -> the shape and dtype of x, a new array.

    >>> quarter = np.array([[0.0]]), np.array([[1.0]])
    >>> rotate_array(np.array([[3.0, 4.0]]), *quarter).tolist()
    [[-4.0, 3.0]]
    """
    turned, a, b = np.empty_like(x), x[..., 0::2], x[..., 1::2]
    turned[..., 0::2] = a * cos - b * sin
    turned[..., 1::2] = a * sin + b * cos
    return turned


@vjp(rotate_array)
def rotate_rule(y, x, cos, sin):
    """y = R x with a rotation R: the gradient is turned back, Rᵀ g; cos and sin get none."""
    return lambda g: rotate_array(g, cos, -sin), None, None


class RotaryEmbedding(Module):
    """Turn pairs of numbers by angles that grow with the place; there is nothing to learn.

    Pair i, columns 2i and 2i + 1, turns by base^(-2i / dim) per place. Queries and keys that were
    turned so have products q · k that depend on how far apart they stand, and not on where.
    Source: Su, Lu, Pan, Murtadha, Wen and Liu, "RoFormer: enhanced transformer with rotary
    position embedding", 2021, section 3.2, whose pairs these are. (Some models, LLaMA's weights as
    converted for the library transformers, pair column i with i + dim / 2 instead.)

    >>> rotary = RotaryEmbedding(4, max_length=8)
    >>> rotary, rotary(Tensor(np.ones((2, 3, 5, 4), np.float32))).shape
    (RotaryEmbedding(4, max_length=8, base=10000.0), (2, 3, 5, 4))
    """

    def __init__(self, dim: int, max_length: int = 2048, base: float = 10000.0):
        """Compute the tables for all places once; they are no part of the saved state."""
        super().__init__()
        self.dim, self.max_length = _sizes("RotaryEmbedding", dim, max_length)
        _require_even("RotaryEmbedding", dim)
        self.base = base
        cos, sin = self.tables()
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)

    def tables(self) -> tuple[np.ndarray, np.ndarray]:
        """Return cos(p · ωᵢ) and sin(p · ωᵢ) for all places p < max_length, ωᵢ = base^(-2i / dim).

        Shapes: two of (max_length, dim / 2), float64.

        >>> cos, sin = RotaryEmbedding(4, max_length=3).tables()
        >>> print(sin.round(4))
        [[0.     0.    ]
         [0.8415 0.01  ]
         [0.9093 0.02  ]]
        """
        frequencies = self.base ** (-np.arange(0, self.dim, 2) / self.dim)
        angles = np.arange(self.max_length)[:, None] * frequencies
        return np.cos(angles), np.sin(angles)

    def forward(self, x: Tensor, offset: int = 0) -> Tensor:
        """Turn the vector at place t of x by the angles of place offset + t.

        Shapes: x (..., T, dim), floats -> the same; T is the second axis from the end, as in
        queries (B, H, T, dim). One operation: `rotate_array`, handed to `apply` with x and the
        places' rows of both tables, in the dtype of x. Errors: ValueError, with the numbers, unless
        x ends in dim, and unless 0 <= offset and offset + T <= max_length.

        >>> rotary = RotaryEmbedding(2, max_length=4)
        >>> print(rotary(Tensor([[1.0, 0.0], [1.0, 0.0]]), offset=1).numpy().round(4))
        [[ 0.5403  0.8415]
         [-0.4161  0.9093]]
        """
        _require_places("RotaryEmbedding", x, self.dim)
        end = _end("RotaryEmbedding", x, offset, self.max_length)
        cos, sin = (table.data[offset:end].astype(x.dtype) for table in (self.cos, self.sin))
        return apply(rotate_array, x, cos, sin)

    def extra_repr(self) -> str:
        """Show the sizes and the base."""
        return f"{self.dim}, max_length={self.max_length}, base={self.base}"


def _require_table(x: Tensor, weight: Tensor) -> None:
    """Refuse ids that are no ints, and a table that is no matrix of floats."""
    if not isinstance(x, Tensor) or x.dtype.kind not in "iu":
        kind = x.dtype if isinstance(x, Tensor) else type(x).__name__
        cure = "make one of a list or an array by Tensor(ids)"
        raise TypeError(f"embedding: expected a Tensor of ints, got {kind}: {cure}")
    if not isinstance(weight, Tensor) or weight.dtype.kind != "f":
        kind = weight.dtype if isinstance(weight, Tensor) else type(weight).__name__
        raise TypeError(f"embedding: expected weight as a Tensor of floats, got {kind}")
    if weight.ndim != 2:
        raise ValueError(f"embedding: expected weight (V, D), got {weight.shape}")


def _padding(padding_idx: int, count: int) -> int:
    """Return the padding row, counted from the front."""
    if not -count <= operator.index(padding_idx) < count:
        allowed = f"{-count} <= padding_idx < {count}"
        raise IndexError(f"embedding: expected {allowed}, got {padding_idx}")
    return padding_idx % count


def _sizes(name: str, *sizes: int) -> tuple[int, ...]:
    """Return the sizes as ints; refuse one below 0."""
    sizes = tuple(map(operator.index, sizes))
    if min(sizes) < 0:
        raise ValueError(f"{name}: expected sizes, got {' and '.join(map(str, sizes))}")
    return sizes


def _require_even(name: str, dim: int) -> None:
    """Refuse an odd number of columns, of which one would be left alone."""
    if dim % 2:
        raise ValueError(f"{name}: expected an even dim, columns in pairs, got {dim}")


def _require_places(name: str, x: Tensor, dim: int) -> None:
    """Refuse what is not (..., T, dim) and of floats."""
    if not isinstance(x, Tensor) or x.dtype.kind != "f":
        kind = x.dtype if isinstance(x, Tensor) else type(x).__name__
        raise TypeError(f"{name}: expected a Tensor of floats, got {kind}")
    if x.ndim < 2 or x.shape[-1] != dim:
        raise ValueError(f"{name}: expected x (..., T, {dim}), got {x.shape}")


def _end(name: str, x: Tensor, offset: int, max_length: int) -> int:
    """Return the place after the last one of x; refuse one that is not there."""
    end = operator.index(offset) + x.shape[-2]
    if offset < 0 or end > max_length:
        got = f"{x.shape[-2]} at offset {offset}"
        raise ValueError(f"{name}: expected places from 0 to {max_length - 1}, got {got}")
    return end
