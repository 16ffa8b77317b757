"""What the checks of 04_losses ask of a framework; each function travels alone."""

import numpy as np

import tinytorch as tt


def kept(name, x, target):
    """Both inputs as the loss left them."""
    x, target = tt.Tensor(x, requires_grad=True), tt.Tensor(target)
    getattr(tt, name)(x, target)
    return [x.data, target.data]


def every_reduction(name, x, target, **settings):
    """The loss under each reduction and under none said, if recorded, and if x stays as it was."""
    x, target = tt.Tensor(x, requires_grad=True), tt.Tensor(target)
    kept = {k: tt.Tensor(v) if k.endswith("weight") else v for k, v in settings.items()}
    before = x.data.copy()
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        losses = [
            getattr(tt, name)(x, target, reduction=r, **kept) for r in ("none", "sum", "mean")
        ]
        losses.append(getattr(tt, name)(x, target, **kept))
    found = [part for loss in losses for part in (loss.data, loss.requires_grad)]
    return [*found, np.array_equal(x.data, before)]


def in_order(name, x, target, settings):
    """The loss with its settings given by position, arrays among them as tensors."""
    settings = [tt.Tensor(s) if isinstance(s, np.ndarray) else s for s in settings]
    return getattr(tt, name)(tt.Tensor(x), tt.Tensor(target), *settings).data


def of_view(name, x, target):
    """The loss of scores that are a view with other strides than fresh memory."""
    x = tt.Tensor(x).permute(2, 1, 0)
    return getattr(tt, name)(x, tt.Tensor(target), reduction="none").data


def silent(name, x, target, **settings):
    """The loss of any input, infinities and nothing included."""
    kept = {k: tt.Tensor(v) if k.endswith("weight") else v for k, v in settings.items()}
    with np.errstate(all="ignore"):
        return getattr(tt, name)(tt.Tensor(x), tt.Tensor(target), **kept).data


def places(target, ignore_index):
    """Where each counted sample's own class stands."""
    return list(tt.losses.own_class(target, ignore_index))


def picked(scores, target, ignore_index):
    """What the places pick out of scores, and the labels as they were left."""
    return [scores[tt.losses.own_class(target, ignore_index)], target]


def collected(losses, own, shape, weight, reduction):
    """The losses, reduced, and as they were left."""
    own = tuple(own)
    return [np.asarray(tt.losses.collect(losses, own, tuple(shape), weight, reduction)), losses]
