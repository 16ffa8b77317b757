"""Optimizers: rules that move parameters against their gradients, step by step.

`Optimizer` keeps the parameters in groups, each with its own settings, and what a rule remembers
about each parameter; `SGD`, `RMSprop`, `Adam` and `AdamW` are rules. A rule is one method,
`update`: mathematics on a block of numbers, in place. Names, settings and results are PyTorch's.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable, Iterator

import numpy as np

from tinytorch.tensor import Tensor, from_numpy, note_change

__all__ = ["SGD", "Adam", "AdamW", "Optimizer", "RMSprop"]

# The five blocks of an Adam update (values, gradient, two averages, one scratch) fit together into
# a cache of 1 MiB, and the memory of a scratch block is that of the last one, still warm.
BLOCK_BYTES = 2**18


class Optimizer:
    """Groups of parameters with their settings, and the state of each parameter.

    `param_groups` is a list of dicts: "params" holds the tensors, the other keys are settings,
    which may be changed between steps. `state` maps a parameter to a dict: "step" counts its
    updates, the other keys are the arrays of `buffers`. A subclass has `update` and `buffers`.

    >>> w = Tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = SGD([w], lr=0.5)
    >>> w.grad = Tensor([2.0, -2.0])
    >>> optimizer.step()
    >>> w.tolist()
    [0.0, 3.0]
    """

    def __init__(self, params: Iterable, defaults: dict):
        """Take tensors, or dicts of "params" and settings that differ from the defaults."""
        self.defaults = dict(defaults)
        self.param_groups, self.state = [], {}
        for group in _as_groups(type(self).__name__, params):
            self.add_param_group(group)

    def buffers(self, group: dict) -> tuple[str, ...]:
        """Return the names of the arrays that `update` keeps per parameter, with these settings."""
        return ()

    def update(self, p: np.ndarray, g: np.ndarray, state: dict, group: dict) -> None:
        """Change the block `p` in place, given its gradient, blocks of its buffers and settings."""
        raise NotImplementedError(f"{type(self).__name__}: expected a method update, found none")

    def add_param_group(self, group: dict) -> None:
        """Append a group to `param_groups`: {"params": tensors, and settings unlike the defaults}.

        "params" is a Tensor or an iterable of them, and becomes a list; every setting that is not
        in `group` comes from `self.defaults`. The caller's dict stays as it is.
        Errors: TypeError for params that are a set (it has no order) or hold anything but Tensors.
        ValueError if there are none, for a tensor that came out of an operation (it has a recipe),
        for one that is there already, here or in another group, for a setting that is not among the
        defaults, and from `_check` for a value out of range. Then no group is added.

        >>> a, b = Tensor([1.0]), Tensor([2.0])
        >>> optimizer = SGD([a], lr=0.1)
        >>> optimizer.add_param_group({"params": b, "lr": 0.5})
        >>> [(group["lr"], len(group["params"])) for group in optimizer.param_groups]
        [(0.1, 1), (0.5, 1)]
        """
        raise NotImplementedError("07_optimizers: Optimizer.add_param_group")

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients: `grad` becomes None, or zeros in place: tell `note_change`.

        Without this, the next backward adds to them.

        >>> w = Tensor([1.0])
        >>> w.grad = Tensor([2.0])
        >>> SGD([w]).zero_grad()
        >>> w.grad is None
        True
        """
        raise NotImplementedError("07_optimizers: Optimizer.zero_grad")

    def step(self) -> None:
        """Update every parameter that has a gradient, once, in its own memory.

        For each of them: `_state_of` finds its state, "step" in it grows by one, `update` changes
        one of its `_blocks` after the other, and `note_change` is told. A parameter whose `grad` is
        None is left alone, its state too.
        Errors: ValueError and TypeError from `_state_of` for a gradient of another shape or dtype.

        >>> w, unused = Tensor([1.0]), Tensor([1.0])
        >>> w.grad = Tensor([2.0])
        >>> SGD([w, unused], lr=0.25).step()
        >>> w.tolist(), unused.tolist()
        ([0.5], [1.0])
        """
        raise NotImplementedError("07_optimizers: Optimizer.step")

    def state_dict(self) -> dict:
        """Return what must be saved to go on later: {"state": {…}, "param_groups": […]}.

        Parameters are counted through all groups, 0, 1, …; such an index stands in "params" of each
        group and is the key in "state". Settings and "step" are as they are, arrays become Tensors
        on the same memory: later steps change them.

        >>> w = Tensor([1.0])
        >>> w.grad = Tensor([2.0])
        >>> optimizer = SGD([w], lr=0.25, momentum=0.5)
        >>> optimizer.step()
        >>> optimizer.state_dict()["state"]
        {0: {'step': 1, 'momentum_buffer': Tensor([2.])}}
        >>> optimizer.state_dict()["param_groups"][0]["params"]
        [0]
        """
        raise NotImplementedError("07_optimizers: Optimizer.state_dict")

    def load_state_dict(self, state_dict: dict) -> None:
        """Take over settings and state from `state_dict()`, possibly of another optimizer.

        Groups and their parameters are matched in order: the numbers in the saved "params" say
        whose state is whose, and are ints, or their text, as keys of "state". `_fitting_groups` and
        `_fitting_state` copy what was saved; what was here before goes, also the state of a
        parameter for which none was saved. Errors: ValueError from these two unless groups, names
        and shapes fit those here, and for state of a number that no group has. Then nothing is
        changed.

        >>> w = Tensor([1.0])
        >>> saved = SGD([Tensor([7.0])], lr=0.25).state_dict()
        >>> optimizer = SGD([w], lr=0.5)
        >>> optimizer.load_state_dict(saved)
        >>> optimizer.param_groups[0]["lr"]
        0.25
        """
        raise NotImplementedError("07_optimizers: Optimizer.load_state_dict")

    def _parameters(self) -> Iterator[Tensor]:
        """Go through the parameters of all groups, in order."""
        return (p for group in self.param_groups for p in group["params"])

    def _check(self, group: dict) -> None:
        """Refuse settings out of range."""
        for name in group.keys() & self.defaults.keys():
            _check_setting(f"{type(self).__name__}: {name}", name, group[name])

    def _state_of(self, p: Tensor, group: dict) -> dict:
        """Return the state of a parameter, made at its first step; refuse a strange gradient."""
        values, g = p.data, p.grad.data
        if g.shape != values.shape:
            raise ValueError(f"step: expected a gradient of shape {p.shape}, got {g.shape}")
        if g.dtype != values.dtype:
            raise TypeError(f"step: expected a gradient of {p.dtype}, got {g.dtype}: use astype")
        state = self.state.setdefault(p, {"step": 0})
        for name in self.buffers(group):
            if name not in state:
                state[name] = np.zeros_like(values)
        return state

    def _fitting_groups(self, saved: list[dict]) -> list[dict]:
        """Return the groups with saved settings; refuse other numbers of groups or parameters."""
        sizes = [len(group["params"]) for group in self.param_groups]
        theirs = [len(group["params"]) for group in saved]
        if theirs != sizes:
            raise ValueError(
                f"load_state_dict: expected groups of {sizes} parameters, got {theirs}: "
                "make the optimizer with the groups that were saved"
            )
        groups = []
        for group, other in zip(self.param_groups, saved, strict=True):
            missing = sorted(self.defaults.keys() - other.keys())
            if missing:
                raise ValueError(f"load_state_dict: {missing} missing: saved by another optimizer?")
            settings = {name: tuple(v) if type(v) is list else v for name, v in other.items()}
            groups.append({**settings, "params": group["params"]})
            self._check(groups[-1])
        return groups

    def _fitting_state(self, p: Tensor, group: dict, saved: dict) -> dict:
        """Return a copy of one parameter's saved state; refuse other names and shapes."""
        names = self.buffers(group)
        if saved.keys() != {"step", *names}:
            raise ValueError(
                f"load_state_dict: expected the state {['step', *names]}, got {[*saved]}: "
                "saved by another optimizer?"
            )
        state = {"step": int(saved["step"])}
        for name in names:
            array = np.array(saved[name], dtype=p.dtype)
            if array.shape != p.shape:
                raise ValueError(
                    f"load_state_dict: {name} of a parameter of shape {p.shape} has shape "
                    f"{array.shape}: list the parameters in the order in which they were saved"
                )
            state[name] = array
        return state


class SGD(Optimizer):
    """Stochastic gradient descent, plain or with (Nesterov) momentum."""

    def __init__(
        self,
        params: Iterable,
        lr: float = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
    ):
        """Keep the settings; see `update` for what they mean."""
        settings = dict(lr=lr, momentum=momentum, dampening=dampening, weight_decay=weight_decay)
        super().__init__(params, {**settings, "nesterov": nesterov, "maximize": maximize})

    def buffers(self, group: dict) -> tuple[str, ...]:
        """One array, if there is momentum."""
        return ("momentum_buffer",) if group["momentum"] else ()

    def update(self, p: np.ndarray, g: np.ndarray, state: dict, group: dict) -> None:
        """Do p ← p - lr · d in place, where d is the gradient or, with momentum µ, the velocity b.

        g ← `_direction`: with maximize and weight_decay. At the first step (`state["step"]` is 1)
        b ← g, later b ← µ · b + (1 - dampening) · g, in place. With nesterov, d = g + µ · b. The
        array that comes as `g` is not changed.
        Source: Polyak, "Some methods of speeding up the convergence of iteration methods", 1964;
        Sutskever and others, "On the importance of initialization and momentum", 2013.

        >>> p, b = np.array([1.0]), np.array([4.0])
        >>> settings = dict(lr=0.5, momentum=0.25, dampening=0.0, nesterov=False)
        >>> settings |= dict(weight_decay=0.0, maximize=False)
        >>> state = {"step": 2, "momentum_buffer": b}
        >>> SGD.update(None, p, np.array([1.0]), state, settings)  # b = 1/4 · 4 + 1
        >>> b.tolist(), p.tolist()
        ([2.0], [0.0])
        """
        raise NotImplementedError("07_optimizers: SGD.update")

    def _check(self, group: dict) -> None:
        super()._check(group)
        if group["nesterov"] and not (group["momentum"] and group["dampening"] == 0):
            raise ValueError(
                "SGD: nesterov expects momentum > 0 and dampening 0, got "
                f"momentum={group['momentum']}, dampening={group['dampening']}: set momentum=0.9"
            )


class RMSprop(Optimizer):
    """Gradient descent in which each number's step is divided by the size of its gradients."""

    def __init__(
        self,
        params: Iterable,
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        *,
        maximize: bool = False,
    ):
        """Keep the settings; see `update` for what they mean."""
        settings = dict(lr=lr, alpha=alpha, eps=eps, weight_decay=weight_decay, momentum=momentum)
        super().__init__(params, {**settings, "centered": centered, "maximize": maximize})

    def buffers(self, group: dict) -> tuple[str, ...]:
        """The average of the squares; one more array each for momentum and for centering."""
        names = ("square_avg", "momentum_buffer") if group["momentum"] else ("square_avg",)
        return (*names, "grad_avg") if group["centered"] else names

    def update(self, p: np.ndarray, g: np.ndarray, state: dict, group: dict) -> None:
        """Do p ← p - lr · g / (√v + eps) in place, with a running average v of g².

        g ← `_direction`: with maximize and weight_decay. square_avg: v ← α · v + (1 - α) · g².
        With centered, grad_avg: m ← α · m + (1 - α) · g, and √(v - m²) stands for √v; rounding may
        bring v - m² below 0, take 0 then. With momentum µ, momentum_buffer: b ← µ · b + g / (√v +
        eps), and p ← p - lr · b. The array that comes as `g` is not changed.
        Source: Hinton, "Neural networks for machine learning", lecture 6e, 2012; centered: Graves,
        "Generating sequences with recurrent neural networks", 2013, section 2.

        >>> p, v = np.array([1.0]), np.array([8.0])
        >>> settings = dict(lr=0.5, alpha=0.5, eps=0.0, momentum=0.0, centered=False)
        >>> settings |= dict(weight_decay=0.0, maximize=False)
        >>> state = {"step": 2, "square_avg": v}
        >>> RMSprop.update(None, p, np.array([0.0]), state, settings)
        >>> RMSprop.update(None, p, np.array([2.0]), state, settings)  # v = 1/2 · 4 + 1/2 · 2²
        >>> v.tolist(), p.tolist()
        ([4.0], [0.5])
        """
        raise NotImplementedError("07_optimizers: RMSprop.update")


class Adam(Optimizer):
    """Momentum and RMSprop together, both corrected for having begun at zero."""

    def __init__(
        self,
        params: Iterable,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ):
        """Keep the settings; see `update` for what they mean."""
        settings = dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay)
        super().__init__(params, {**settings, "amsgrad": amsgrad, "maximize": maximize})

    def buffers(self, group: dict) -> tuple[str, ...]:
        """Two averages; with amsgrad, the largest that the second has been."""
        names = ("exp_avg", "exp_avg_sq")
        return (*names, "max_exp_avg_sq") if group["amsgrad"] else names

    def update(self, p: np.ndarray, g: np.ndarray, state: dict, group: dict) -> None:
        """Do p ← p - lr · m̂ / (√v̂ + eps) in place, with running averages m of g and v of g².

        g ← `_direction`: with maximize and weight_decay. exp_avg: m ← β₁ · m + (1 - β₁) · g, and
        exp_avg_sq: v ← β₂ · v + (1 - β₂) · g². Both begin at 0 and are too small at step t =
        `state["step"]`: m̂ = m / (1 - β₁ᵗ), v̂ = v / (1 - β₂ᵗ). With amsgrad, max_exp_avg_sq, the
        largest v so far, stands for v in v̂. The array that comes as `g` is not changed.
        Source: Kingma and Ba, "Adam: a method for stochastic optimization", 2014, algorithm 1 and
        the last lines of section 2; Reddi, Kale and Kumar, "On the convergence of Adam", 2018.

        >>> p = np.array([1.0, 1.0])
        >>> settings = dict(lr=0.25, betas=(0.9, 0.999), eps=0.0, amsgrad=False)
        >>> settings |= dict(weight_decay=0.0, maximize=False)
        >>> state = {"step": 1, "exp_avg": np.zeros(2), "exp_avg_sq": np.zeros(2)}
        >>> Adam.update(None, p, np.array([100.0, -0.01]), state, settings)
        >>> p.round(6).tolist()  # at the first step, only the sign of a gradient counts
        [0.75, 1.25]
        """
        raise NotImplementedError("07_optimizers: Adam.update")


class AdamW(Adam):
    """Adam with weight decay of its own, which the averages do not see."""

    def __init__(
        self,
        params: Iterable,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ):
        """Keep the settings; weight_decay is not 0 unless one says so."""
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize)

    def update(self, p: np.ndarray, g: np.ndarray, state: dict, group: dict) -> None:
        """Shrink the block, p ← p · (1 - lr · weight_decay), then do Adam's update without decay.

        Source: Loshchilov and Hutter, "Decoupled weight decay regularization", 2017, algorithm 2.

        >>> p = np.array([8.0])
        >>> settings = dict(lr=0.5, betas=(0.9, 0.999), eps=1.0, amsgrad=False)
        >>> settings |= dict(weight_decay=0.5, maximize=False)
        >>> state = {"step": 1, "exp_avg": np.zeros(1), "exp_avg_sq": np.zeros(1)}
        >>> AdamW.update(object.__new__(AdamW), p, np.array([0.0]), state, settings)
        >>> p.tolist()
        [6.0]
        """
        raise NotImplementedError("07_optimizers: AdamW.update")


def _direction(p: np.ndarray, g: np.ndarray, group: dict) -> np.ndarray:
    """Return the gradient of what is minimized: -g to maximize, plus weight_decay · p.

    weight_decay · p is the gradient of the penalty weight_decay / 2 · Σp². The result may be `g`
    itself: do not change it.
    """
    if group["maximize"]:
        g = -g
    return group["weight_decay"] * p + g if group["weight_decay"] else g


def _mix(average: np.ndarray, new: np.ndarray, share: float, scratch: np.ndarray) -> None:
    """Move an average in place by a share of the way to `new`, which may be the scratch itself."""
    np.subtract(new, average, out=scratch)
    scratch *= share
    average += scratch


def _blocks(p: np.ndarray, g: np.ndarray, state: dict) -> Iterator[tuple]:
    """Cut values, gradient and buffers into views of about BLOCK_BYTES, of the same places each.

    Ten passes over a block that stays in the cache cost less than ten over the whole array, and no
    intermediate result is larger than a block. Arrays of unusual strides are cut between rows.
    """
    count = round(p.nbytes / BLOCK_BYTES)
    if count < 2 and p.ndim:  # NumPy's results are no arrays where no axis is
        yield p, g, state
        return
    names = [name for name in state if name != "step"]
    arrays = [p, g, *map(state.get, names)]
    if all(array.flags.c_contiguous for array in arrays):
        arrays = [array.reshape(-1) for array in arrays]
    rows = math.ceil(len(arrays[0]) / max(count, 1))
    for start in range(0, len(arrays[0]), rows):
        values, gradient, *buffers = [array[start : start + rows] for array in arrays]
        yield values, gradient, {**state, **dict(zip(names, buffers, strict=True))}


def _as_groups(name: str, params: Iterable) -> list[dict]:
    """The parameters as a list of groups; a list of tensors is one group."""
    if isinstance(params, Tensor | dict) or not isinstance(params, Iterable):
        kind = type(params).__name__
        raise TypeError(f"{name}: expected a list of tensors or of dicts, got {kind}: write [...]")
    params = params if isinstance(params, set) else list(params)
    return params if isinstance(next(iter(params), None), dict) else [{"params": params}]


def _as_parameters(name: str, group: dict) -> list[Tensor]:
    """The parameters of one group as a list, refused unless they are leaf tensors."""
    if not isinstance(group, dict) or "params" not in group:
        raise TypeError(f"{name}: expected a dict with 'params', got {group!r:.60}")
    params = group["params"]
    if isinstance(params, set):
        raise TypeError(f"{name}: expected parameters in an order, got a set: use a list")
    params = [params] if isinstance(params, Tensor) else list(params)
    if not params:
        raise ValueError(f"{name}: expected at least one parameter, got none: model.parameters()?")
    for p in params:
        if not isinstance(p, Tensor):
            kind = type(p).__name__
            raise TypeError(f"{name}: expected Tensors, got {kind}: pass model.parameters()")
        if p.recipe is not None:
            raise ValueError(
                f"{name}: expected tensors that nothing computed, got the result of an operation, "
                f"shape {p.shape}: pass what it was computed from, or its detach()"
            )
    return params


def _check_setting(what: str, name: str, value) -> None:
    """Refuse what is no bool, no number, or out of the range of the setting called `name`."""
    if name in ("nesterov", "maximize", "centered", "amsgrad"):
        if not isinstance(value, bool):
            raise TypeError(f"{what}: expected True or False, got {value!r}")
        return
    if name == "betas" and not (isinstance(value, tuple | list) and len(value) == 2):
        raise TypeError(f"{what}: expected two numbers, got {value!r}: write (0.9, 0.999)")
    low, high = -math.inf if name == "dampening" else 0, 1 if name in ("betas", "alpha") else None
    for number in value if name == "betas" else (value,):
        if not isinstance(number, numbers.Real):
            raise TypeError(f"{what}: expected a number, got {number!r}")
        if not (low <= number < (high or math.inf)) or math.isinf(number):
            wanted = f"0 <= {name} < 1" if high else f"a finite number >= {low}"
            raise ValueError(f"{what}: expected {wanted}, got {value}")
