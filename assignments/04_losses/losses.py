"""Losses: one number that says how wrong a model's answers are, for training to make smaller.

One can compare numbers (`mse_loss`, `l1_loss`), scores of classes with labels (`cross_entropy`,
`nll_loss`) and yes-or-no answers with the truth (`binary_cross_entropy`, and better
`binary_cross_entropy_with_logits`). As in 02, `nll_loss_array` is the kernel, `nll_loss` the
operation, `NLLLoss()` the operation as an object. Names, settings and results are PyTorch's. Every
loss is reduced: "none" keeps one number per sample, "sum" adds them, "mean" averages them.
"""

from __future__ import annotations

import numpy as np

from tinytorch.activations import _floats, log_softmax, log_softmax_array
from tinytorch.tensor import Tensor, apply

__all__ = [
    "BCELoss",
    "BCEWithLogitsLoss",
    "CrossEntropyLoss",
    "L1Loss",
    "MSELoss",
    "NLLLoss",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "l1_loss",
    "mse_loss",
    "nll_loss",
]

REDUCTIONS = ("none", "mean", "sum")


def mse_loss(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """Measure squared errors: lᵢ = (inputᵢ - targetᵢ)², element by element, then reduced.

    Shapes: any and the same, nothing broadcasts -> () or, for "none", the same. Errors: those of
    `_pair` and `_reduced`. Source: Legendre, "Nouvelles méthodes pour la détermination des orbites
    des comètes", 1805.

    >>> mse_loss(Tensor([1.0, 2.0, 3.0]), Tensor([1.0, 4.0, 2.0]), reduction="none").tolist()
    [0.0, 4.0, 1.0]
    """
    raise NotImplementedError("04_losses: mse_loss")


def l1_loss(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """Measure absolute errors: lᵢ = |inputᵢ - targetᵢ|, element by element, then reduced.

    Shapes and errors: as `mse_loss`. Source: Boscovich, 1757.

    >>> l1_loss(Tensor([1.0, 2.0, 3.0]), Tensor([1.0, 4.0, 2.0]), reduction="sum").item()
    3.0
    """
    raise NotImplementedError("04_losses: l1_loss")


def own_class(target: np.ndarray, ignore_index: int) -> tuple[np.ndarray, ...]:
    """Return where the label's own class stands, for every sample that counts: (n, c, d…).

    Labels (N, d…) -> a tuple of 1 + ndim index arrays, one entry per sample that is not
    `ignore_index`, so that scores[own] of scores (N, C, d…) holds the score of each sample's own
    class. The arrays but the second are an index into (N, d…).

    >>> n, c = own_class(np.array([2, -100, 0]), ignore_index=-100)
    >>> n.tolist(), c.tolist()
    ([0, 2], [2, 0])
    """
    raise NotImplementedError("04_losses: own_class")


def collect(losses, own, shape: tuple, weight, reduction: str) -> np.ndarray:
    """Reduce the losses of the samples that count, of which `own` is the `own_class`.

    none: an array of this shape, with 0 for every ignored sample. sum: Σ lᵢ. mean: Σ lᵢ / Σ wᵢ
    with wᵢ = weight[cᵢ], the weight of the sample's own class, or 1 without weights. A mean over
    no sample, or over samples that weigh nothing, is NaN as in PyTorch.

    >>> own = own_class(np.array([1, -100, 0]), ignore_index=-100)
    >>> collect(np.array([2.0, 7.0]), own, (3,), None, "none").tolist()
    [2.0, 0.0, 7.0]
    >>> collect(np.array([2.0, 7.0]), own, (3,), None, "mean").item()
    4.5
    """
    raise NotImplementedError("04_losses: collect")


def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """Pick the log-probability of each label's class and turn its sign: lᵢ = -w[tᵢ] · input[i, tᵢ].

    `input` holds log-probabilities, `target` a label from 0 to C - 1 for each sample, or
    `ignore_index` for a sample that shall not count; `weight` one constant per class, or None: 1.
    The mean is Σ lᵢ / Σ w[tᵢ] over the samples that count, NaN if there is none.
    Shapes: (N, C) and (N,), (N, C, d…) and (N, d…), (C,) and () -> (), or those of `target`.
    Errors: those of `_settings`.

    >>> log_p = Tensor([[-1.0, -2.0], [-3.0, -4.0], [-5.0, -6.0]])
    >>> nll_loss(log_p, Tensor([1, 0, -100]), reduction="none").tolist()
    [2.0, 3.0, 0.0]
    >>> nll_loss(log_p, Tensor([1, 0, -100])).item()
    2.5
    """
    raise NotImplementedError("04_losses: nll_loss")


def nll_loss_array(
    log_p: np.ndarray, target: np.ndarray, weight, ignore_index: int, reduction: str
) -> np.ndarray:
    """Compute lᵢ = -w[tᵢ] · log_p[i, tᵢ] for (N, C, d…) and (N, d…), reduced by `collect`."""
    raise NotImplementedError("04_losses: nll_loss_array")


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Compare scores with labels: `nll_loss` of `log_softmax` along the classes, dim 1.

    With label smoothing ε the truth is not the label alone: it has the share 1 - ε, and the share
    ε is spread over all classes, lᵢ = (1 - ε) · w[tᵢ] · nᵢ[tᵢ] + ε / C · Σ_c w[c] · nᵢ[c], where
    nᵢ[c] is minus the log-probability of class c. The mean divides by Σ w[tᵢ] as in `nll_loss`.
    Instead of labels, `target` may hold probabilities: `_against_probabilities` does that.
    Shapes and settings: as `nll_loss`. Errors: those of `_share` and `_settings`.
    Source: Szegedy and others, "Rethinking the inception architecture for computer vision", 2016,
    section 7.

    >>> scores = Tensor([[0.0, 0.0], [0.0, 1000.0]])
    >>> cross_entropy(scores, Tensor([1, 0]), reduction="none").tolist()
    [0.6931471824645996, 1000.0]
    """
    raise NotImplementedError("04_losses: cross_entropy")


def cross_entropy_array(
    x: np.ndarray,
    target: np.ndarray,
    weight,
    ignore_index: int,
    reduction: str,
    label_smoothing: float,
) -> np.ndarray:
    """Compute lᵢ = (1 - ε) w[tᵢ] nᵢ[tᵢ] + ε / C · Σ_c w[c] nᵢ[c], nᵢ = -log_softmax(xᵢ), reduced.

    For module 06: with p = softmax(xᵢ), ∂lᵢ/∂x[i, c] is w[tᵢ] (p_c - 1{c = tᵢ}) without smoothing,
    and (1 - ε) w[tᵢ] (p_c - 1{c = tᵢ}) + ε / C · (p_c Σ_k w[k] - w[c]) with it; 0 where ignored,
    also where all are and the mean is NaN.
    """
    raise NotImplementedError("04_losses: cross_entropy_array")


def binary_cross_entropy(
    input: Tensor, target: Tensor, weight: Tensor | None = None, reduction: str = "mean"
) -> Tensor:
    """Compare chances with truths: lᵢ = -wᵢ · (tᵢ log pᵢ + (1 - tᵢ) log(1 - pᵢ)), then reduced.

    `input` holds the chances p that the answer is yes, `target` the truth t, 0 or 1 or between.
    No logarithm is below -100, so that one hopeless answer costs 100 and not infinity. `weight`,
    a constant, broadcasts to the input's shape; the mean divides by the number of elements.
    Shapes: as `mse_loss`. Errors: those of `_pair`, `_chances`, `_factor` and `_reduced`.

    >>> print(binary_cross_entropy(Tensor([0.5, 0.0]), Tensor([1.0, 1.0]), reduction="none"))
    Tensor([  0.6931472, 100.       ])
    """
    raise NotImplementedError("04_losses: binary_cross_entropy")


def binary_cross_entropy_array(p: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Compute -(t · max(log p, -100) + (1 - t) · max(log(1 - p), -100)).

    For module 06, as PyTorch has it: ∂l/∂p is (p - t) / max(p (1 - p), 1e-12).
    """
    raise NotImplementedError("04_losses: binary_cross_entropy_array")


def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """Compare scores with truths: `binary_cross_entropy` of sigmoid(input), at any score.

    With s = log(1 + exp(-x)), lᵢ = wᵢ · ((1 - tᵢ) xᵢ + (1 + (qᵢ - 1) tᵢ) sᵢ), and s itself
    never overflows as log(1 + exp(-|x|)) + max(-x, 0). q is `pos_weight`, a factor for the
    yes-part alone, 1 without it. Both weights are constants and broadcast to the input's shape.
    Shapes: as `mse_loss`. Errors: those of `_pair`, `_factor` and `_reduced`.

    >>> x, t = Tensor([0.0, 1000.0, -1000.0]), Tensor([1.0, 1.0, 1.0])
    >>> binary_cross_entropy_with_logits(x, t, reduction="none").tolist()
    [0.6931471824645996, 0.0, 1000.0]
    """
    raise NotImplementedError("04_losses: binary_cross_entropy_with_logits")


def binary_cross_entropy_with_logits_array(
    x: np.ndarray, target: np.ndarray, pos_weight: np.ndarray | None
) -> np.ndarray:
    """Compute (1 - t) x + (1 + (q - 1) t) s, with s = log(1 + exp(-|x|)) + max(-x, 0).

    For module 06: ∂l/∂x = (1 - t) - (1 + (q - 1) t) · sigmoid(-x), and ∂s/∂x = -sigmoid(-x).
    """
    raise NotImplementedError("04_losses: binary_cross_entropy_with_logits_array")


class _Loss:
    """A loss as an object: its settings now, answers and truth later, as in MSELoss()(x, y)."""

    def __init__(self, reduction: str = "mean"):
        """Remember the reduction."""
        self.reduction = _reduction(type(self).__name__, reduction)

    def __call__(self, input: Tensor, target: Tensor) -> Tensor:
        """Return operation(input, target, **settings); the attributes are the settings."""
        return self.operation(input, target, **vars(self))

    def __repr__(self) -> str:
        settings = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"{type(self).__name__}({settings})"


class MSELoss(_Loss):
    """`mse_loss` as an object."""

    operation = staticmethod(mse_loss)


class L1Loss(_Loss):
    """`l1_loss` as an object."""

    operation = staticmethod(l1_loss)


class NLLLoss(_Loss):
    """`nll_loss` as an object, with the weights of the classes and the label to ignore."""

    operation = staticmethod(nll_loss)

    def __init__(self, weight=None, ignore_index: int = -100, reduction: str = "mean"):
        """Remember the settings."""
        super().__init__(reduction)
        self.weight, self.ignore_index = weight, ignore_index


class CrossEntropyLoss(_Loss):
    """`cross_entropy` as an object, with its settings."""

    operation = staticmethod(cross_entropy)

    def __init__(
        self,
        weight=None,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ):
        """Remember the settings."""
        super().__init__(reduction)
        self.weight, self.ignore_index = weight, ignore_index
        self.label_smoothing = label_smoothing


class BCELoss(_Loss):
    """`binary_cross_entropy` as an object, with its weight."""

    operation = staticmethod(binary_cross_entropy)

    def __init__(self, weight=None, reduction: str = "mean"):
        """Remember the settings."""
        super().__init__(reduction)
        self.weight = weight


class BCEWithLogitsLoss(_Loss):
    """`binary_cross_entropy_with_logits` as an object, with both weights."""

    operation = staticmethod(binary_cross_entropy_with_logits)

    def __init__(self, weight=None, reduction: str = "mean", pos_weight=None):
        """Remember the settings."""
        super().__init__(reduction)
        self.weight, self.pos_weight = weight, pos_weight


def _reduction(name: str, reduction: str) -> str:
    """Return the reduction when it is one; raise ValueError with the three otherwise."""
    if reduction not in REDUCTIONS:
        raise ValueError(f"{name}: expected reduction 'none', 'mean' or 'sum', got {reduction!r}")
    return reduction


def _reduced(name: str, losses: Tensor, reduction: str, weight=None) -> Tensor:
    """Return the losses, times a weight if there is one, reduced; ValueError for no reduction."""
    _reduction(name, reduction)
    losses = losses if weight is None else losses * weight
    return losses if reduction == "none" else getattr(losses, reduction)()


def _pair(name: str, input: Tensor, target: Tensor) -> None:
    """Refuse two tensors unless they are floats of one dtype and one shape; nothing broadcasts."""
    _floats(name, input)
    _floats(name, target)
    if input.shape != target.shape:
        what = f"{name}: expected equal shapes, got input {input.shape}, target {target.shape}"
        raise ValueError(f"{what}; reshape one of them, nothing broadcasts here")
    _one_dtype(name, "target", target, input)


def _one_dtype(name: str, what: str, other: Tensor, input: Tensor) -> None:
    """Refuse a second tensor whose dtype is not the input's."""
    if other.dtype != input.dtype:
        cure = f"convert one, as in {what}.astype(np.{input.dtype})"
        raise TypeError(f"{name}: expected {what} in {input.dtype}, got {other.dtype}; {cure}")


def _constant(name: str, what: str, weight: Tensor, input: Tensor) -> np.ndarray:
    """Return the array of a weight in the input's dtype that wants no gradient, refuse others."""
    _floats(f"{name}: {what}", weight)
    _one_dtype(name, what, weight, input)
    if weight.requires_grad:
        cure = f"pass {what}.detach()"
        raise ValueError(f"{name}: expected {what} without requires_grad, got a variable; {cure}")
    return weight.data


def _factor(name: str, what: str, weight: Tensor | None, input: Tensor) -> np.ndarray | None:
    """Return a weight that broadcasts to the input's shape as an array, or None; refuse others."""
    if weight is None:
        return None
    array, shape = _constant(name, what, weight, input), input.shape
    pairs = zip(array.shape[::-1], shape[::-1], strict=False)
    if array.ndim > len(shape) or any(n not in (1, m) for n, m in pairs):
        fit = f"expected {what} to broadcast to {shape}"
        raise ValueError(f"{name}: {fit}, got {array.shape}; give each axis its size, or 1")
    return array


def _share(name: str, label_smoothing: float) -> float:
    """Return the share of all classes when it is one; raise ValueError otherwise."""
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"{name}: expected 0 <= label_smoothing <= 1, got {label_smoothing}")
    return float(label_smoothing)


def _settings(name, input, target, weight, ignore_index, reduction) -> dict:
    """Return what a kernel of labels is told besides its arrays; refuse all that is wrong."""
    _reduction(name, reduction)
    _labels(name, input, target, ignore_index)
    weight = _class_weight(name, weight, input)
    return {"weight": weight, "ignore_index": ignore_index, "reduction": reduction}


def _class_weight(name: str, weight: Tensor | None, input: Tensor) -> np.ndarray | None:
    """Return one weight per class as an array, or None; refuse another shape or dtype."""
    if weight is None:
        return None
    array, classes = _constant(name, "weight", weight, input), _classes(input)
    if array.shape != (classes,):
        what = f"expected one weight per class, shape {(classes,)}"
        raise ValueError(f"{name}: {what}, got {array.shape}; dim 1 of the input holds classes")
    return array


def _classes(input: Tensor) -> int:
    """Return the number of classes: axis 1, or the only axis of a single sample."""
    return input.shape[min(1, input.ndim - 1)]


def _scores(name: str, input: Tensor) -> Tensor:
    """Return the input when it is a Tensor of floats with an axis of classes; refuse others."""
    if not _floats(name, input).ndim:
        raise ValueError(f"{name}: expected input (C,) or (N, C, ...), got a single number")
    return input


def _labels(name: str, input: Tensor, target: Tensor, ignore_index: int) -> None:
    """Refuse labels that are no integers, in another shape, or that name no class of the input."""
    shape = _scores(name, input).shape
    if not isinstance(ignore_index, int | np.integer):
        raise TypeError(f"{name}: expected ignore_index as an int, got {ignore_index!r}")
    if not isinstance(target, Tensor):
        raise TypeError(
            f"{name}: expected a Tensor, got {type(target).__name__}; write Tensor(...)"
        )
    labels, wanted = target.data, shape[:1] + shape[2:] if len(shape) > 1 else ()
    if labels.dtype.kind not in "iu":
        cure = "convert labels by astype(np.int64)"
        raise TypeError(f"{name}: expected integer labels, got {labels.dtype}; {cure}")
    if labels.shape != wanted:
        what = f"{name}: expected labels {wanted} for input {shape}, got {labels.shape}"
        raise ValueError(f"{what}; one label per sample, classes on dim 1 of the input")
    classes = _classes(input)
    if labels.min(initial=0) < 0 or labels.max(initial=0) >= classes:
        wrong = labels[(labels != ignore_index) & ((labels < 0) | (labels >= classes))]
        if wrong.size:
            what = f"{name}: expected labels from 0 to {classes - 1}, got {wrong[0]}"
            raise IndexError(f"{what}; a sample that shall not count has label {ignore_index}")


def _batched(kernel, input: Tensor, target: Tensor, **settings) -> Tensor:
    """Apply a kernel of scores (N, C, ...); a single sample is a batch of one."""
    if input.ndim > 1:
        return apply(kernel, input, target, **settings)
    return apply(kernel, input.unsqueeze(0), target.unsqueeze(0), **settings).reshape(())


def _chances(name: str, input: Tensor, target: Tensor) -> None:
    """Refuse what is not between 0 and 1, NaN included."""
    scores = "scores of any size belong in binary_cross_entropy_with_logits"
    truths = "a truth is 0 for no, 1 for yes, or between"
    for what, x, cure in (("input", input.data, scores), ("target", target.data, truths)):
        inside = (x >= 0) & (x <= 1)
        if not inside.all():
            raise ValueError(f"{name}: expected 0 <= {what} <= 1, got {x[~inside][0]}; {cure}")


def _are_probabilities(input: Tensor, target: Tensor) -> bool:
    """Is the target no label per sample but a probability per class?"""
    if not isinstance(input, Tensor) or not isinstance(target, Tensor) or not input.ndim:
        return False
    return target.dtype.kind == "f" and target.shape == input.shape


def _against_probabilities(name, input, target, weight, ignore_index, reduction, share) -> Tensor:
    """Return -Σ_c w[c] q[c] log_softmax(input)[c], q being the target, smoothed."""
    if ignore_index >= 0:
        cure = "labels are ignored, a probability of 0 needs no help"
        raise ValueError(f"{name}: expected no ignore_index, got {ignore_index}; {cure}")
    _pair(name, input, target)
    weight, dim = _class_weight(name, weight, input), min(1, input.ndim - 1)
    truth = target * (1 - share) + share / _classes(input) if share else target
    if weight is not None:
        truth = truth * weight.reshape(-1, *[1] * (input.ndim - 1 - dim))
    return _reduced(name, -(truth * log_softmax(input, dim)).sum(axis=dim), reduction)
