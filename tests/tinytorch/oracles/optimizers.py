"""Five steps of PyTorch's optimizers with every combination of their settings."""

from itertools import product

import numpy as np

STEPS = 5
SETTINGS = {
    "SGD": {
        "lr": (0.1,),
        "momentum": (0, 0.9),
        "dampening": (0, 0.3),
        "weight_decay": (0, 0.2),
        "nesterov": (False, True),
        "maximize": (False, True),
    },
    "RMSprop": {
        "lr": (0.02,),
        "alpha": (0.99, 0.7),
        "eps": (1e-8, 0.1),
        "weight_decay": (0, 0.2),
        "momentum": (0, 0.9),
        "centered": (False, True),
        "maximize": (False, True),
    },
    "Adam": {
        "lr": (0.05,),
        "betas": ((0.9, 0.999), (0.4, 0.8)),
        "eps": (1e-8, 0.1),
        "weight_decay": (0, 0.2),
        "amsgrad": (False, True),
        "maximize": (False, True),
    },
}
SETTINGS["AdamW"] = SETTINGS["Adam"]


def cases(kind):
    """Go through all settings that an optimizer takes together."""
    names, values = SETTINGS[kind].keys(), SETTINGS[kind].values()
    for chosen in (dict(zip(names, picks, strict=True)) for picks in product(*values)):
        if not chosen.get("nesterov") or (chosen["momentum"] and not chosen["dampening"]):
            yield chosen


def arrays():
    """The start `p`, gradients `g` of five steps, paths `<kind>.<dtype>` (cases, 5, 4)."""
    rng = np.random.default_rng(7)
    start, gradients = rng.normal(0, 1, 4), rng.normal(0, 1, (STEPS, 4))
    gradients[3] *= 0.01  # so that the largest average is not the newest
    frozen = {"p": start, "g": gradients}
    for kind, dtype in product(SETTINGS, (np.float32, np.float64)):
        p, g = start.astype(dtype), gradients.astype(dtype)
        paths = [path(kind, settings, p, g) for settings in cases(kind)]
        frozen[f"{kind}.{np.dtype(dtype)}"] = np.array(paths)
    return frozen


def path(kind, settings, start, gradients):
    """Return the parameter after each step."""
    import torch  # here, as the tests know the cases from this file

    p = torch.nn.Parameter(torch.from_numpy(start.copy()))
    optimizer = getattr(torch.optim, kind)([p], **settings)
    points = []
    for gradient in gradients:
        p.grad = torch.from_numpy(gradient)
        optimizer.step()
        points.append(p.detach().numpy().copy())
    return np.array(points)
