"""What PyTorch's schedulers, clipping and one plain training loop answer."""

import numpy as np
import torch
from torch.nn.utils import clip_grad_norm_, clip_grad_value_
from torch.optim import lr_scheduler as lrs

EPOCHS = 25
RATES = (0.1, 0.003)
SCHEDULES = {
    "step": lambda o: lrs.StepLR(o, 4),
    "step_0.7": lambda o: lrs.StepLR(o, step_size=3, gamma=0.7),
    "step_every": lambda o: lrs.StepLR(o, 1, 0.9),
    "cosine": lambda o: lrs.CosineAnnealingLR(o, 10),
    "cosine_min": lambda o: lrs.CosineAnnealingLR(o, T_max=7, eta_min=0.002),
    "cosine_one": lambda o: lrs.CosineAnnealingLR(o, 1, 0.001),
    "linear": lambda o: lrs.LinearLR(o),
    "linear_up": lambda o: lrs.LinearLR(o, start_factor=0.01, total_iters=8),
    "linear_down": lambda o: lrs.LinearLR(o, 1.0, 0.2, 12),
    "warm_cosine": lambda o: lrs.SequentialLR(
        o, [lrs.LinearLR(o, 0.1, total_iters=5), lrs.CosineAnnealingLR(o, 15, 0.001)], [5]
    ),
    "three": lambda o: lrs.SequentialLR(
        o, [lrs.LinearLR(o), lrs.StepLR(o, 2), lrs.CosineAnnealingLR(o, 9)], milestones=[3, 11]
    ),
}
NORMS = (1.0, 2.0, 3.0, 0.5, float("inf"))
CASES = ("float32", "float64", "single", "small", "zero", "missing", "mixed")


def gradients(case):
    """Return the gradients of a case; None for a parameter that has none."""
    rng = np.random.default_rng(8)
    shapes = [(4, 5), (5,), (2, 3, 2)]
    arrays = [rng.normal(0, 3, shape) for shape in shapes]
    if case == "single":
        return [np.array(-2.5, np.float32)]
    if case == "mixed":
        return [arrays[0].astype(np.float32), arrays[1]]
    scale, dtype = {"small": 1e-3, "zero": 0}.get(case, 1), {"float64": float}
    arrays = [(scale * a).astype(dtype.get(case, np.float32)) for a in arrays]
    return [arrays[0], None, arrays[2]] if case == "missing" else arrays


def parameters(arrays):
    """Return tensors that have these gradients."""
    tensors = []
    for array in arrays:
        like = np.zeros(1) if array is None else array
        tensors.append(torch.zeros(like.shape, dtype=torch.from_numpy(like[...]).dtype))
        tensors[-1].grad = None if array is None else torch.tensor(array)
    return tensors


def schedules():
    """Rates of both groups in each epoch, by steps."""
    found = {}
    for name, make in SCHEDULES.items():
        groups = [{"params": [torch.zeros(1)], "lr": rate} for rate in RATES]
        optimizer = torch.optim.SGD(groups)
        scheduler, rates = make(optimizer), []
        for _ in range(EPOCHS):
            rates.append(scheduler.get_last_lr())
            optimizer.step()
            scheduler.step()
        found[f"rates.{name}"] = np.array(rates)
    return found


def clipped():
    """Gradients before, the norms of each order, and the gradients after."""
    found = {}
    for case in CASES:
        arrays = gradients(case)
        found |= {f"grad.{case}.{i}": a for i, a in enumerate(arrays) if a is not None}
        for p in NORMS:
            tensors = parameters(arrays)
            found[f"norm.{case}.{p}"] = clip_grad_norm_(tensors, 1.5, p).numpy()
            after = {f"after.{case}.{p}.{i}": t.grad for i, t in enumerate(tensors)}
            found |= {key: grad.numpy() for key, grad in after.items() if grad is not None}
        tensors = parameters(arrays)
        clip_grad_value_(tensors, 0.75)
        after = {f"value.{case}.{i}": t.grad for i, t in enumerate(tensors)}
        found |= {key: grad.numpy() for key, grad in after.items() if grad is not None}
    return found


def run():
    """Six epochs of a small network in float64, by a loop in PyTorch, big batches of 10."""
    rng = np.random.default_rng(8)
    x, y = rng.normal(0, 1, (28, 6)), rng.integers(0, 3, 28)
    model = torch.nn.Sequential(
        torch.nn.Linear(6, 8), torch.nn.Tanh(), torch.nn.Linear(8, 3)
    ).double()
    found = {"run.x": x, "run.y": y}
    with torch.no_grad():
        for name, p in model.named_parameters():
            p.copy_(torch.from_numpy(rng.normal(0, 0.5, tuple(p.shape))))
            found[f"run.start.{name}"] = p.numpy().copy()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    scheduler = SCHEDULES["three"](optimizer)
    losses = []
    for _ in range(6):
        for start in range(0, 28, 10):
            optimizer.zero_grad()
            bx, by = torch.from_numpy(x[start : start + 10]), torch.from_numpy(y[start:][:10])
            loss = torch.nn.functional.cross_entropy(model(bx), by)
            loss.backward()
            clip_grad_norm_(model.parameters(), 0.3)
            optimizer.step()
            losses.append(loss.item())
        scheduler.step()
    found |= {f"run.end.{name}": p.detach().numpy() for name, p in model.named_parameters()}
    return found | {"run.losses": np.array(losses)}


def arrays():
    """All of it."""
    return schedules() | clipped() | run()
