"""Compression: smaller models that answer nearly as well, and what each way really saves.

One can drop the smallest weights (`prune`) and store what is left (`SparseLinear`), drop the
weakest neurons and channels and get smaller layers (`shrink`, `shrink_model`), write a matrix as a
product of two thin ones (`low_rank`), or teach a small model by a large one (`distil`). `cost_of`
says what a model takes and how often it is right, measured.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np

from tinytorch.activations import log_softmax
from tinytorch.autograd import no_grad
from tinytorch.convolutions import BatchNorm1d, Conv2d
from tinytorch.layers import Linear, Module, Parameter, Sequential
from tinytorch.losses import cross_entropy
from tinytorch.optimizers import Optimizer
from tinytorch.profiling import Profiler, flops
from tinytorch.tensor import Tensor, apply, note_change

__all__ = [
    "Cost",
    "SparseLinear",
    "apply_masks",
    "compress_rows",
    "cost_of",
    "distil",
    "distillation_loss",
    "factorize",
    "low_rank",
    "magnitude_masks",
    "prune",
    "rank_for",
    "shrink",
    "shrink_model",
    "strongest",
]


PRODUCTS = 2**16  # so many products of a sparse layer are made at a time: they stay in the cache


def magnitude_masks(weights: list[np.ndarray], sparsity: float) -> list[np.ndarray]:
    """Say which numbers stay when the smallest are dropped: for each array one of bools.

    Of all n numbers together, round(sparsity · n) are dropped, those of the smallest absolute
    value; of equals those that come first, in the order of the arrays and in each row by row.
    ValueError unless 0 <= sparsity <= 1. Source: Han, Pool, Tran and Dally, "Learning both weights
    and connections for efficient neural networks", 2015.

    >>> small, large = np.array([0.1, -0.4]), np.array([[-3.0, 0.2]])
    >>> [mask.tolist() for mask in magnitude_masks([small, large], sparsity=0.5)]
    [[False, True], [[True, False]]]
    """
    if not 0 <= sparsity <= 1:
        raise ValueError(f"sparsity: expected a share from 0 to 1, got {sparsity}")
    sizes = np.concatenate([np.abs(weight).ravel() for weight in weights] or [np.zeros(0)])
    stays = np.ones(len(sizes), bool)
    stays[np.argsort(sizes, kind="stable")[: round(sparsity * len(sizes))]] = False
    ends = np.cumsum([weight.size for weight in weights])[:-1]
    parts = np.split(stays, ends)
    return [part.reshape(w.shape) for part, w in zip(parts, weights, strict=False)]


def prune(model: Module, sparsity: float, scope: str = "global") -> dict[str, np.ndarray]:
    """Set the smallest weights to 0, in place; return masks by name, for `apply_masks`.

    Weights are the parameters of two axes or more: biases and norms, which have one, are few, and
    stay; a LayerNorm over several axes has several, and does not. The scope says among whom the
    smallest are sought by `magnitude_masks`: "global", all weights of the model, or "layer", in
    each weight by itself. ValueError for another scope.

    >>> model = Sequential(Linear(10, 10), Linear(10, 10))
    >>> masks = prune(model, sparsity=0.75, scope="layer")
    >>> [(name, int(mask.sum())) for name, mask in masks.items()]
    [('0.weight', 25), ('1.weight', 25)]
    """
    if scope not in ("global", "layer"):
        raise ValueError(f'prune: expected the scope "global" or "layer", got {scope!r}')
    weights = {name: p.data for name, p in model.named_parameters() if p.ndim >= 2}
    if scope == "global":
        found = magnitude_masks(list(weights.values()), sparsity)
    else:
        found = [magnitude_masks([weight], sparsity)[0] for weight in weights.values()]
    masks = dict(zip(weights, found, strict=True))
    apply_masks(model, masks)
    return masks


def apply_masks(model: Module, masks: dict[str, np.ndarray]) -> None:
    """Set to 0, in place, what the masks say: to be done after every step of an optimizer.

    A step moves weights of 0 as well: by their gradient, and by momentum from before. Parameters
    keep their memory, and `note_change` learns of each. KeyError for a name that is no parameter's.

    >>> layer = Linear(2, 1)
    >>> layer.weight.data[...] = [[3, 4]]
    >>> apply_masks(layer, {"weight": np.array([[True, False]])})
    >>> layer.weight.tolist()
    [[3.0, 0.0]]
    """
    parameters = dict(model.named_parameters())
    for name, mask in masks.items():
        parameters[name].data[~mask] = 0
        note_change(parameters[name])


def compress_rows(weight: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the numbers of a matrix that are not 0, their columns, and where each row starts.

    Row r has the numbers values[starts[r] : starts[r + 1]], in order, in the columns at the same
    places; so starts has one number more than there are rows, from 0 to the count of all. Columns
    and starts have the smallest unsigned dtype that holds the last column, and the count:
    `np.min_scalar_type`. ("CSR", compressed sparse rows.)

    >>> values, columns, starts = compress_rows(np.array([[0.0, 5.0, 6.0], [0, 0, 0], [7, 0, 0]]))
    >>> values.tolist(), columns.tolist(), starts.tolist(), columns.dtype
    ([5.0, 6.0, 7.0], [1, 2, 0], [0, 2, 2, 3], dtype('uint8'))
    """
    rows, columns = np.nonzero(weight)
    counts = np.bincount(rows, minlength=len(weight))
    starts = np.concatenate([[0], np.cumsum(counts)])
    last = np.min_scalar_type(max(weight.shape[1] - 1, 0))
    return weight[rows, columns], columns.astype(last), starts.astype(np.min_scalar_type(len(rows)))


def sparse_linear_array(
    x: np.ndarray,
    values: np.ndarray,
    columns: np.ndarray,
    starts: np.ndarray,
    bias: np.ndarray | None,
) -> np.ndarray:
    """Compute x Wᵀ + b of a matrix as `compress_rows` has it: (..., in) -> (..., out).

    Each output is the sum of its row's values, times what x has in their columns; a row without any
    gives 0. `np.add.reduceat` sums pieces, but for an empty one it returns the number that comes
    next: ask it for the other rows only. All products, of every row of x with every value, would
    take far more memory than the layer saves: make PRODUCTS at a time, of a few rows of x or one.

    >>> matrix = compress_rows(np.array([[0.0, 5.0, 6.0], [0, 0, 0], [7, 0, 0]]))
    >>> sparse_linear_array(np.array([[1.0, 10.0, 100.0]]), *matrix, None).tolist()
    [[650.0, 0.0, 7.0]]
    """
    rows = x.reshape(math.prod(x.shape[:-1]), x.shape[-1])
    y = np.zeros((len(rows), len(starts) - 1), x.dtype)
    begins, filled = starts[:-1].astype(np.intp), np.flatnonzero(starts[1:] > starts[:-1])
    columns, step = columns.astype(np.intp), max(PRODUCTS // max(len(values), 1), 1)
    for start in range(0, len(rows) if len(filled) else 0, step):
        part = slice(start, start + step)
        products = rows[part].take(columns, axis=1)  # in a fifth of the time of [:, columns]
        products *= values
        y[part, filled] = np.add.reduceat(products, begins[filled], axis=1)
    if bias is not None:
        y += bias
    return y.reshape(*x.shape[:-1], y.shape[1])


@flops(sparse_linear_array)
def sparse_linear_flops(y, x, values, columns, starts, bias) -> int:
    """Count, for each row of x, a product and a sum per number that is there, and the bias."""
    rows = y.size // max(y.shape[-1], 1)
    return rows * 2 * values.size + y.size * (bias is not None)


class SparseLinear(Module):
    """A Linear that stores only what is not 0, for use: it has nothing to learn.

    >>> layer = Linear(100, 50)
    >>> masks = prune(layer, 0.9)
    >>> sparse, x = SparseLinear(layer), Tensor(np.ones((2, 100), np.float32))
    >>> sparse, bool(np.allclose(sparse(x).data, layer(x).data, atol=1e-6))
    (SparseLinear(in_features=100, out_features=50, stored=500), True)
    """

    def __init__(self, layer: Linear):
        """Copy what a Linear has now."""
        super().__init__()
        self.in_features, self.out_features = layer.in_features, layer.out_features
        for name, array in zip(
            ("values", "columns", "starts"), compress_rows(layer.weight.data), strict=True
        ):
            self.register_buffer(name, array)
        self.register_buffer("bias", None if layer.bias is None else layer.bias.data.copy())

    def forward(self, x: Tensor) -> Tensor:
        """Return x Wᵀ + b."""
        if x.shape[-1:] != (self.in_features,):
            raise ValueError(f"SparseLinear: expected x (..., {self.in_features}), got {x.shape}")
        return apply(sparse_linear_array, x, self.values, self.columns, self.starts, self.bias)

    def extra_repr(self) -> str:
        """Show the sizes, and how many numbers are stored."""
        sizes = f"in_features={self.in_features}, out_features={self.out_features}"
        return f"{sizes}, stored={self.values.size}"


def strongest(weight: np.ndarray, keep: int) -> np.ndarray:
    """Return which outputs have the largest weights: the first axis, `keep` indices, rising.

    By the root of the sum of squares of all that one output has; of equals the first ones stay.
    ValueError unless 1 <= keep <= len(weight).
    Source: Li, Kadav, Durdanovic, Samet and Graf, "Pruning filters for efficient ConvNets", 2017,
    who take the sum of absolute values.

    >>> strongest(np.array([[3.0, 4.0], [1.0, 1.0], [-9.0, 0.0]]), keep=2).tolist()
    [0, 2]
    """
    if not 1 <= keep <= len(weight):
        raise ValueError(f"keep: expected 1 to {len(weight)} outputs, got {keep}")
    norms = np.linalg.norm(weight.reshape(len(weight), -1), axis=1)
    return np.sort(np.argsort(-norms, kind="stable")[:keep])


def shrink(
    first: Linear | Conv2d,
    second: Linear | Conv2d,
    keep: int,
    norm: BatchNorm1d | None = None,
) -> tuple[Module, ...]:
    """Return smaller copies: first with its `strongest` outputs, second with their inputs.

    Shapes: first.weight (out, …) -> (keep, …), its bias with it; second.weight, whose axis 1 has
    n ≥ 1 numbers in a row for each output of first (1, or the places of a channel after a Flatten),
    (…, out · n, …) -> (…, keep · n, …), its bias as it was. Between the two stand only layers that
    work channel by channel: a BatchNorm is given as `norm`, and comes back in the middle. Made by
    `resized`; what is given does not change. Errors: ValueError where the sizes do not fit, for
    convolutions in groups, and from `strongest`.

    >>> first, second = Linear(3, 8), Linear(8, 2)
    >>> [layer.weight.shape for layer in shrink(first, second, keep=5)]
    [(5, 3), (2, 5)]
    """
    outputs, inputs = len(first.weight), second.weight.shape[1]
    if inputs % outputs or max(getattr(layer, "groups", 1) for layer in (first, second)) > 1:
        wanted = f"expected layers without groups, and inputs for {outputs} outputs"
        raise ValueError(f"shrink: {wanted}, got {first} and {second}")
    if norm is not None and norm.num_features != outputs:
        raise ValueError(f"shrink: expected a norm for {outputs} outputs, got {norm}")
    kept = strongest(first.weight.data, keep)
    weight = second.weight.data
    weight = weight.reshape(len(weight), outputs, -1)[:, kept]
    weight = weight.reshape(len(weight), -1, *second.weight.shape[2:])
    small = resized(first, first.weight.data[kept], _chosen(first.bias, kept))
    small_second = resized(second, weight, _chosen(second.bias, slice(None)))
    if norm is None:
        return small, small_second
    return small, _smaller_norm(norm, kept), small_second


def resized(layer: Linear | Conv2d, weight: np.ndarray, bias: np.ndarray | None) -> Module:
    """Return a layer like this one with other arrays, and the sizes that these have."""
    small = copy.copy(layer)
    small.weight = Parameter(np.ascontiguousarray(weight))
    small.bias = None if bias is None else Parameter(bias)
    names = "features" if isinstance(layer, Linear) else "channels"
    setattr(small, f"out_{names}", weight.shape[0])
    setattr(small, f"in_{names}", weight.shape[1])
    return small


def _chosen(tensor: Tensor | None, kept) -> np.ndarray | None:
    """Some numbers of a vector, a copy."""
    return None if tensor is None else tensor.data[kept].copy()


def _smaller_norm(norm: BatchNorm1d, kept: np.ndarray) -> BatchNorm1d:
    """A BatchNorm of the channels that stay."""
    small = type(norm)(len(kept), norm.eps, norm.momentum, norm.affine, norm.track_running_stats)
    for name, tensor in vars(norm).items():
        if isinstance(tensor, Tensor):
            array = _chosen(tensor, kept) if tensor.ndim else tensor.data.copy()
            setattr(small, name, Parameter(array) if name in ("weight", "bias") else Tensor(array))
    return small.train(norm.training)


def shrink_model(model: Sequential, share: float) -> Sequential:
    """Return a copy of a Sequential in which every layer but the last has a share of its outputs.

    Layers that have weights are Linear and Conv2d; of each, round(share · outputs) stay, at least
    one, by `shrink` with the next one. A BatchNorm between is shrunk with them. What else stands
    between must work channel by channel, as functions and layers without parameters are taken to:
    ValueError for any other, which would meet fewer channels than it was made for.

    >>> model = Sequential(Linear(4, 10), np.abs, Linear(10, 6), Linear(6, 2))
    >>> [layer.weight.shape for layer in shrink_model(model, 0.5) if isinstance(layer, Linear)]
    [(5, 4), (3, 5), (2, 3)]
    """
    layers = [copy.deepcopy(layer) for layer in model]
    places = [i for i, layer in enumerate(layers) if isinstance(layer, Linear | Conv2d)]
    for one, other in zip(places, places[1:], strict=False):
        keep = max(round(share * len(layers[one].weight)), 1)
        sized = [i for i in range(one + 1, other) if _has_sizes(layers[i])]
        norms = [layers[i] for i in sized]
        if len(norms) > 1 or not all(isinstance(norm, BatchNorm1d) for norm in norms):
            wanted = "expected at most one BatchNorm, and else no parameters, between two layers"
            got = " and ".join(type(norm).__name__ for norm in norms)
            raise ValueError(f"shrink_model: {wanted}, got {got}: take the parts to `shrink`")
        found = shrink(layers[one], layers[other], keep, *norms)
        for i, layer in zip((one, *sized, other), found, strict=True):
            layers[i] = layer
    return Sequential(*layers)


def _has_sizes(layer: Callable) -> bool:
    """Tell whether a layer was made for so many channels: it has parameters, buffers or a norm."""
    if not isinstance(layer, Module):
        return False
    return bool(layer.state_dict()) or any(isinstance(m, BatchNorm1d) for m in layer.modules())


def factorize(weight: np.ndarray, rank: int) -> tuple[np.ndarray, np.ndarray]:
    """Return A (out, rank) and B (rank, in) whose product is as near to weight as any of this rank.

    With weight = U diag(σ) Vᵀ (`np.linalg.svd`), the first columns of U times √σ, and √σ times the
    first rows of Vᵀ. The root of the sum of squares of what is lost is √Σ σᵢ² over i >= rank.
    ValueError unless 1 <= rank <= min(out, in). Source: Eckart and Young, "The approximation of one
    matrix by another of lower rank", 1936.

    >>> a, b = factorize(np.array([[3.0, 0.0], [0.0, 1.0]]), rank=1)
    >>> (a @ b).round(6).tolist()
    [[3.0, 0.0], [0.0, 0.0]]
    """
    if not 1 <= rank <= min(weight.shape):
        raise ValueError(f"rank: expected 1 to {min(weight.shape)}, got {rank}")
    u, sizes, vt = np.linalg.svd(weight, full_matrices=False)
    roots = np.sqrt(sizes[:rank])
    return u[:, :rank] * roots, roots[:, None] * vt[:rank]


def rank_for(weight: np.ndarray, share: float) -> int:
    """Return the smallest rank that keeps this share of the sum of squares, at least 1.

    The sum of all squares of a matrix is Σ σᵢ², and of its best copy of rank r that of the first r.
    Sums of the same numbers in another order differ by rounding: a share that is missed by 1e-12 of
    all or less is kept.

    >>> [rank_for(np.diag([3.0, 2.0, 1.0]), share) for share in (0.5, 0.9, 1.0)]
    [1, 2, 3]
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share: expected 0 to 1, got {share}")
    squares = np.linalg.svd(weight.astype(np.float64), compute_uv=False) ** 2
    return int(np.argmax(np.cumsum(squares) >= share * squares.sum() * (1 - 1e-12))) + 1


def low_rank(layer: Linear, rank: int) -> Sequential:
    """Return two layers for one: x -> B x -> A (B x) + b, with A and B of `factorize`.

    rank · (in + out) weights for in · out: fewer where rank < in · out / (in + out).

    >>> low_rank(Linear(100, 50), rank=10)[1].weight.shape
    (50, 10)
    """
    a, b = factorize(layer.weight.data, rank)
    return Sequential(resized(layer, b, None), resized(layer, a, _chosen(layer.bias, slice(None))))


def distillation_loss(
    scores: Tensor,
    teacher: Tensor,
    target: Tensor,
    temperature: float = 4.0,
    alpha: float = 0.7,
) -> Tensor:
    """Return alpha · T² · KL(p ‖ q) + (1 - alpha) · cross_entropy(scores, target), one number.

    p = softmax(teacher / T) and q = softmax(scores / T) along the classes, and KL(p ‖ q) =
    Σ p (log p - log q), the mean over the rows. T² makes up for the gradient of the first part,
    which is smaller by that. The teacher gets no gradient. Shapes: scores and teacher (N, C),
    target (N,) -> (). Errors: ValueError where the scores' shapes differ, unless T > 0, and unless
    0 <= alpha <= 1. Source: Hinton, Vinyals and Dean, "Distilling the knowledge in a neural
    network", 2015.

    >>> scores, teacher = Tensor([[0.0, 0.0]]), Tensor([[math.log(3), 0.0]])
    >>> loss = distillation_loss(scores, teacher, Tensor([0]), temperature=1.0, alpha=1.0)
    >>> round(loss.item(), 4)  # ¾ log(¾ / ½) + ¼ log(¼ / ½)
    0.1308
    """
    if scores.shape != teacher.shape:
        got = f"{scores.shape} and {teacher.shape}"
        raise ValueError(f"distillation_loss: expected scores of one shape, got {got}")
    if not temperature > 0 or not 0 <= alpha <= 1:
        got = f"{temperature} and {alpha}"
        raise ValueError(f"distillation_loss: expected T > 0 and 0 <= alpha <= 1, got {got}")
    log_p = log_softmax(teacher.detach() / temperature, dim=1)
    log_q = log_softmax(scores / temperature, dim=1)
    soft = (log_p.exp() * (log_p - log_q)).sum() / len(scores)
    return alpha * temperature**2 * soft + (1 - alpha) * cross_entropy(scores, target)


def distil(
    student: Module,
    teacher: Module,
    batches: Iterable,
    optimizer: Optimizer,
    epochs: int = 1,
    temperature: float = 4.0,
    alpha: float = 0.7,
) -> list[float]:
    """Train the student on what the teacher says; return the mean loss of each epoch.

    For every batch (x, target): the teacher's scores, in eval mode and without recording, then
    `distillation_loss` of the student's own, backward, and a step of the optimizer, which has the
    student's parameters. The teacher has no gradient, and each of its modules the mode that it had
    before, after an error too.

    >>> teacher, student = Linear(2, 3), Linear(2, 3)
    >>> batch = Tensor([[1.0, 0.0], [0.0, 1.0]]), Tensor([0, 2])
    >>> before = distillation_loss(student(batch[0]), teacher(batch[0]), batch[1]).item()
    >>> from tinytorch.optimizers import SGD
    >>> distil(student, teacher, [batch], SGD(student.parameters(), lr=0.1), 9)[-1] < before
    True
    """
    modes = [(module, module.training) for module in teacher.modules()]
    teacher.eval()

    def loss(x, target):
        with no_grad():
            wanted = teacher(x)
        return distillation_loss(student(x), wanted, target, temperature, alpha)

    try:
        return list(fit(loss, batches, optimizer, epochs))
    finally:
        for module, mode in modes:
            module.training = mode


def fit(
    loss: Callable, batches: Iterable, optimizer: Optimizer, epochs: int = 1, after=None
) -> Iterator[float]:
    """Minimize loss(x, target) on batches; yield each epoch's mean. `after()` follows each step."""
    for _ in range(epochs):
        losses = []
        for x, target in batches:
            optimizer.zero_grad()
            now = loss(x, target)
            now.backward()
            optimizer.step()
            if after is not None:
                after()
            losses.append(now.item())
        yield sum(losses) / max(len(losses), 1)


class Cost(NamedTuple):
    """What a model takes, and how often it is right."""

    nbytes: int  # parameters and buffers
    flops: int  # for one sample
    accuracy: float  # from 0 to 1

    def against(self, other: Cost) -> str:
        """Return a line: bytes and FLOPs as a share of another's, and the points lost."""
        size, work = self.nbytes / other.nbytes, self.flops / other.flops
        points = 100 * (self.accuracy - other.accuracy)
        return f"{size:.0%} of the bytes, {work:.0%} of the FLOPs, {points:+.1f} points"


def cost_of(model: Module, x: Tensor, target: Tensor) -> Cost:
    """Measure a model on samples x (N, …) and their classes (N,), in eval mode, all at once.

    nbytes is that of the arrays of all parameters and buffers, each array once; flops is what a
    `Profiler` counts while it runs, divided by N, rounded down; accuracy is the share of rows whose
    largest score, the first of equals, is at the target. Nothing is recorded, and modules have
    their modes back, after an error too. Errors: ValueError that names the operations without a
    counter, `uncounted`, as they would cost nothing.

    >>> layer = Linear(2, 2)
    >>> layer.weight.data[...], layer.bias.data[...] = np.eye(2), 0
    >>> cost_of(layer, Tensor([[1.0, 0.0], [0.0, 1.0]]), Tensor([0, 0]))
    Cost(nbytes=24, flops=10, accuracy=0.5)
    """
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with no_grad(), Profiler() as profile:
            scores = model(x)
    finally:
        for module, mode in modes:
            module.training = mode
    if profile.uncounted:
        names, cure = ", ".join(profile.uncounted), "give each a counter by `flops`"
        raise ValueError(f"cost_of: expected operations that can be counted, got {names}: {cure}")
    arrays = {id(t.data): t.data for t in (*model.parameters(), *model.buffers())}
    right = scores.data.argmax(axis=1) == target.data
    nbytes = sum(array.nbytes for array in arrays.values())
    return Cost(nbytes, profile.flops // len(x), float(right.mean()))
