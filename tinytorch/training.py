"""Training: the loop around forward, backward and step, and all that it must not lose.

Schedulers (`StepLR` … `SequentialLR`) change the learning rate, `clip_grad_norm_` bounds a step,
`save` and `load` keep any state in one file, and `Trainer` turns the loop. A training that was
stopped goes on as if it never had been, to the last bit.
"""

from __future__ import annotations

import json
import math
import os
import signal
import time
from contextlib import contextmanager
from copy import deepcopy
from itertools import islice

import numpy as np

from tinytorch.autograd import no_grad
from tinytorch.tensor import Tensor, default_generator, from_numpy, note_change

__all__ = [
    "CosineAnnealingLR",
    "LRScheduler",
    "LinearLR",
    "SequentialLR",
    "StepLR",
    "Trainer",
    "accuracy",
    "clip_grad_norm_",
    "clip_grad_value_",
    "load",
    "save",
]


def _require(condition: bool, message: str) -> None:
    """Raise ValueError with the message unless the condition holds."""
    if not condition:
        raise ValueError(message)


class LRScheduler:
    """Sets the learning rate of each parameter group from its first one and the epochs done.

    A scheduler of your own is a subclass with a `rate`; `settings` become its attributes.
    """

    def __init__(self, optimizer, **settings):
        """Remember the first rates, and set those of epoch 0."""
        vars(self).update(settings, optimizer=optimizer, last_epoch=-1)
        for group in optimizer.param_groups:
            group.setdefault("initial_lr", group["lr"])  # another scheduler may have changed lr
        self.base_lrs = [group["initial_lr"] for group in optimizer.param_groups]
        self.step()

    def rate(self, base_lr: float, epoch: int) -> float:
        """Return the rate in an epoch, counted from 0, of a group whose first rate is base_lr."""
        raise NotImplementedError(f"{type(self).__name__} has no rate")

    def step(self) -> None:
        """Go on to the next epoch; call it after the optimizer's steps."""
        self.last_epoch += 1
        for group, base_lr in zip(self.optimizer.param_groups, self.base_lrs, strict=True):
            group["lr"] = self.rate(base_lr, self.last_epoch)

    def get_last_lr(self) -> list[float]:
        """Return the rate of each group."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def state_dict(self) -> dict:
        """Return all the numbers; the rates themselves are in the optimizer's state."""
        return {k: v for k, v in vars(self).items() if k not in ("optimizer", "schedulers")}

    def load_state_dict(self, state: dict) -> None:
        """Take over the numbers of a scheduler of the same kind."""
        known, came = sorted(self.state_dict()), sorted(state)
        _require(known == came, f"{type(self).__name__}: expected a state of {known}, got {came}")
        vars(self).update(state)


class StepLR(LRScheduler):
    """Multiplies the rate by gamma after every step_size epochs."""

    def __init__(self, optimizer, step_size: int, gamma: float = 0.1):
        """Keep the settings."""
        _require(step_size > 0, f"StepLR: expected step_size > 0, got {step_size}")
        super().__init__(optimizer, step_size=step_size, gamma=gamma)

    def rate(self, base_lr: float, epoch: int) -> float:
        """Return base_lr · gammaⁿ, where n is how many times step_size epochs are over.

        With step_size 3, n is 0 in epochs 0, 1 and 2, and 1 in epochs 3, 4 and 5.

        >>> from tinytorch.optimizers import SGD
        >>> optimizer = SGD([Tensor([0.0], requires_grad=True)], lr=1.0)
        >>> schedule = StepLR(optimizer, step_size=2, gamma=0.5)
        >>> [schedule.rate(1.0, epoch) for epoch in range(5)]
        [1.0, 1.0, 0.5, 0.5, 0.25]
        """
        return base_lr * self.gamma ** (epoch // self.step_size)


class CosineAnnealingLR(LRScheduler):
    """Lowers the rate along half a cosine to eta_min in epoch T_max, slowly at both ends."""

    def __init__(self, optimizer, T_max: int, eta_min: float = 0.0):
        """Keep the settings."""
        _require(T_max > 0, f"CosineAnnealingLR: expected T_max > 0, got {T_max}")
        super().__init__(optimizer, T_max=T_max, eta_min=eta_min)

    def rate(self, base_lr: float, epoch: int) -> float:
        """Return eta_min + (base_lr - eta_min) · (1 + cos(π · epoch / T_max)) / 2.

        After T_max the cosine, and with it the rate, goes up again.
        Source: Loshchilov and Hutter, "SGDR: Stochastic gradient descent with warm restarts", 2017.

        >>> from tinytorch.optimizers import SGD
        >>> optimizer = SGD([Tensor([0.0], requires_grad=True)], lr=1.0)
        >>> schedule = CosineAnnealingLR(optimizer, T_max=4, eta_min=0.5)
        >>> [round(schedule.rate(1.0, epoch), 4) for epoch in range(6)]
        [1.0, 0.9268, 0.75, 0.5732, 0.5, 0.5732]
        """
        cosine = math.cos(math.pi * epoch / self.T_max)
        return self.eta_min + (base_lr - self.eta_min) * (1 + cosine) / 2


class LinearLR(LRScheduler):
    """Moves the rate from one factor of the first rate to another in equal steps: a warm-up."""

    def __init__(self, optimizer, start_factor=1 / 3, end_factor=1.0, total_iters: int = 5):
        """Keep the settings; the factors are at most 1."""
        sound = 0 < start_factor <= 1 and 0 <= end_factor <= 1 and total_iters > 0
        came = f"start_factor={start_factor}, end_factor={end_factor}, total_iters={total_iters}"
        _require(sound, f"LinearLR: expected factors in (0, 1] and [0, 1], steps > 0, got {came}")
        settings = {"start_factor": start_factor, "end_factor": end_factor}
        super().__init__(optimizer, **settings, total_iters=total_iters)

    def rate(self, base_lr: float, epoch: int) -> float:
        """Return base_lr times a factor on the straight line from start_factor to end_factor.

        Epoch 0 has start_factor; epoch total_iters and all later ones have end_factor.
        Source of warm-up: Goyal et al., "Accurate, large minibatch SGD", 2017, section 2.2.

        >>> from tinytorch.optimizers import SGD
        >>> optimizer = SGD([Tensor([0.0], requires_grad=True)], lr=1.0)
        >>> schedule = LinearLR(optimizer, start_factor=0.5, total_iters=2)
        >>> [schedule.rate(1.0, epoch) for epoch in range(4)]
        [0.5, 0.75, 1.0, 1.0]
        """
        done = min(epoch, self.total_iters) / self.total_iters
        return base_lr * (self.start_factor + (self.end_factor - self.start_factor) * done)


class SequentialLR(LRScheduler):
    """Follows one scheduler after the other: at each milestone the next takes over."""

    def __init__(self, optimizer, schedulers: list[LRScheduler], milestones: list[int]):
        """Keep schedulers of this optimizer, one more than there are milestones."""
        rising = sorted(set(milestones)) == list(milestones)
        came = f"{len(schedulers)} schedulers, milestones {milestones}"
        fits = rising and len(schedulers) == len(milestones) + 1
        _require(fits, f"SequentialLR: expected rising milestones between schedulers, got {came}")
        own = all(one.optimizer is optimizer for one in schedulers)
        _require(own, "SequentialLR: a scheduler has another optimizer: give all the same")
        super().__init__(optimizer, schedulers=schedulers, milestones=milestones)

    def rate(self, base_lr: float, epoch: int) -> float:
        """Return the rate of the scheduler whose turn it is, which counts from its milestone.

        The first is on before milestones[0]; epoch milestones[0] is epoch 0 of the second.

        >>> from tinytorch.optimizers import SGD
        >>> optimizer = SGD([Tensor([0.0], requires_grad=True)], lr=1.0)
        >>> parts = [LinearLR(optimizer, 0.5, total_iters=2), StepLR(optimizer, 1, gamma=0.1)]
        >>> schedule = SequentialLR(optimizer, parts, milestones=[3])
        >>> [round(schedule.rate(1.0, epoch), 4) for epoch in range(6)]
        [0.5, 0.75, 1.0, 1.0, 0.1, 0.01]
        """
        turn = sum(epoch >= milestone for milestone in self.milestones)
        start = self.milestones[turn - 1] if turn else 0
        return self.schedulers[turn].rate(base_lr, epoch - start)


def _gradients(parameters) -> list[Tensor]:
    """Return the gradients that are there, of one tensor or of several."""
    parameters = [parameters] if isinstance(parameters, Tensor) else parameters
    return [p.grad for p in parameters if p.grad is not None and p.grad.size]


def clip_grad_norm_(parameters, max_norm, norm_type=2.0, error_if_nonfinite=False) -> Tensor:
    """Scale all gradients by one factor, in place, so that their norm is at most max_norm.

    The norm is that of all gradients as one vector: (Σ|g|ᵖ)^(1/p) for norm_type p, max |g| for inf.
    The factor is max_norm / (norm + 1e-6), or 1 where that is larger. Returned is the norm before,
    a tensor of one number; 0.0 if there is no gradient. Parameters: an iterable, or one tensor.
    Errors: ValueError for a negative max_norm; RuntimeError for a norm of nan or infinity, if
    `error_if_nonfinite` asks for it.
    Source: Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural networks",
    2013.

    >>> weight = Tensor([0.0, 0.0], requires_grad=True)
    >>> weight.grad = Tensor([3.0, 4.0])
    >>> clip_grad_norm_([weight], max_norm=1.0).item()
    5.0
    >>> print(weight.grad.data.round(3))
    [0.6 0.8]
    """
    _require(max_norm >= 0, f"clip_grad_norm_: expected max_norm >= 0, got {max_norm}")
    gradients, p = _gradients(parameters), float(norm_type)
    norms = [np.linalg.norm(gradient.data.ravel(), p) for gradient in gradients]
    norm = np.linalg.norm(norms, p) if norms else np.float32(0)
    if error_if_nonfinite and not np.isfinite(norm):
        raise RuntimeError(f"clip_grad_norm_: the norm is {norm}: look for the first such gradient")
    factor = np.minimum(max_norm / (norm + 1e-6), 1)
    for gradient in gradients:
        gradient.data *= factor
        note_change(gradient)
    return Tensor(norm)


def clip_grad_value_(parameters, clip_value: float) -> None:
    """Move every element of the gradients into [-clip_value, clip_value], in place.

    Unlike `clip_grad_norm_` this turns the step into another direction. Parameters: an iterable,
    or one tensor. Errors: ValueError for a negative clip_value.

    >>> weight = Tensor([0.0, 0.0], requires_grad=True)
    >>> weight.grad = Tensor([-3.0, 0.5])
    >>> clip_grad_value_([weight], 1.0)
    >>> weight.grad.tolist()
    [-1.0, 0.5]
    """
    _require(clip_value >= 0, f"clip_grad_value_: expected clip_value >= 0, got {clip_value}")
    for gradient in _gradients(parameters):
        np.clip(gradient.data, -clip_value, clip_value, out=gradient.data)
        note_change(gradient)


SCALARS = (str, int, float, type(None))  # what JSON gives back as it was; a bool is an int


def pack(value, arrays: list[np.ndarray]):
    """Return a value in terms of JSON, after appending the arrays within it to `arrays`.

    None, bools, ints, floats and texts stay. A list becomes the list of its packed values. All else
    becomes a dict with one key, the kind: {"array": n} or {"tensor": n}, where arrays[n] has the
    numbers, {"tuple": [...]}, and {"dict": [[key, value], ...]}, as JSON would turn a key 0 into
    "0". Errors: TypeError for what is none of these, and for an array of anything but numbers.

    >>> arrays = []
    >>> pack({"lr": 0.1, 0: (Tensor([1.0, 2.0]), None)}, arrays)
    {'dict': [['lr', 0.1], [0, {'tuple': [{'tensor': 0}, None]}]]}
    >>> arrays
    [array([1., 2.], dtype=float32)]
    """
    if isinstance(value, SCALARS):
        return value
    if isinstance(value, list | tuple):
        items = [pack(item, arrays) for item in value]
        return items if isinstance(value, list) else {"tuple": items}
    if isinstance(value, dict) and all(isinstance(key, SCALARS) for key in value):
        return {"dict": [[key, pack(item, arrays)] for key, item in value.items()]}
    array = value.data if isinstance(value, Tensor) else value
    if not isinstance(array, np.ndarray | np.generic) or array.dtype.kind not in "fiubc":
        what = f"{type(value).__name__} {value!r:.40}"
        raise TypeError(f"save: expected numbers, texts, and lists and dicts of them, got {what}")
    arrays.append(np.asarray(array))
    return {"tensor" if isinstance(value, Tensor) else "array": len(arrays) - 1}


def unpack(tree, arrays: list[np.ndarray]):
    """Return the value that `pack` took apart, in the same types, on the memory of `arrays`.

    Errors: ValueError for a kind that `pack` does not write.

    >>> unpack({"dict": [[0, {"tuple": [{"array": 0}, None]}]]}, [np.array([1, 2])])
    {0: (array([1, 2]), None)}
    """
    if isinstance(tree, list):
        return [unpack(item, arrays) for item in tree]
    if not isinstance(tree, dict):
        return tree
    ((kind, content),) = tree.items()
    if kind == "dict":
        return {key: unpack(item, arrays) for key, item in content}
    if kind == "tuple":
        return tuple(unpack(content, arrays))
    _require(kind in ("array", "tensor"), f"unknown kind {kind!r:.60}")
    return arrays[content] if kind == "array" else from_numpy(arrays[content])


SAFETENSORS = ".safetensors"


def save(file, /, **state) -> None:
    """Write numbers, texts, arrays, tensors, and lists and dicts of them, to one `.npz` file.

    A path that ends in `.safetensors` gets that format, which other frameworks read: tensors and
    arrays by name, as in `save("model.safetensors", **model.state_dict())`, and nothing else. A
    path gets the new file whole or keeps its old one, whatever happens meanwhile. A file object is
    written to. TypeError for what `pack` refuses, or the format cannot hold.
    """
    if hasattr(file, "write"):
        return _write_npz(file, state)
    write = _write_safetensors if os.fspath(file).endswith(SAFETENSORS) else _write_npz
    part = f"{os.fspath(file)}.{os.getpid()}.part"
    try:
        with open(part, "wb") as stream:
            write(stream, state)
            os.fsync(stream.fileno())  # or a power cut could leave the new name without its bytes
        os.replace(part, file)
    finally:
        if os.path.exists(part):
            os.remove(part)


def _write_npz(stream, state: dict) -> None:
    arrays = []
    text = json.dumps(pack(state, arrays)).encode()
    np.savez(stream, *arrays, state=np.frombuffer(text, np.uint8))


def _write_safetensors(stream, state: dict) -> None:
    arrays = {name: x.data if isinstance(x, Tensor) else x for name, x in state.items()}
    for name, array in arrays.items():
        if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiub":
            wanted = f"expected tensors and arrays alone, as {SAFETENSORS} files hold no others"
            raise TypeError(f"save: {wanted}, got {name}, {type(array).__name__}")
    arrays = {name: np.ascontiguousarray(x).reshape(x.shape) for name, x in arrays.items()}
    stream.write(_safetensors().save(arrays))


def _safetensors():
    """Return the library that reads and writes the format."""
    try:
        import safetensors.numpy
    except ModuleNotFoundError:
        cure = "run `pip install safetensors`, or use a path that ends in .npz"
        raise ModuleNotFoundError(f"{SAFETENSORS}: the library is missing: {cure}") from None
    return safetensors.numpy


def load(file) -> dict:
    """Return what `save` wrote, from a path or a file object; nothing in the file is ever run.

    Of a path that ends in `.safetensors`, whoever wrote it, the tensors by name. ValueError says in
    one line why a file is no checkpoint, or is one no longer.
    """
    if not hasattr(file, "read"):
        read = _read_safetensors if os.fspath(file).endswith(SAFETENSORS) else load
        with open(file, "rb") as stream:
            return read(stream)
    try:
        with np.load(file, allow_pickle=False) as members:
            packed = any(info.compress_type for info in members.zip.infolist())
            _require(not packed, "expected members as they are, got compressed ones")  # or bombs
            arrays = [members[f"arr_{n}"] for n in range(len(members) - 1)]
            _require(all(a.dtype.kind in "fiubc" for a in arrays), "an array is not of numbers")
            return dict(**unpack(json.loads(members["state"].tobytes()), arrays))
    except Exception as error:  # a file can be damaged, or made to break its reader, in any way
        raise _damaged(file, "checkpoint", error) from None


def _read_safetensors(stream) -> dict:
    read = _safetensors().load
    try:
        return {name: Tensor(array) for name, array in read(stream.read()).items()}
    except Exception as error:  # see `load`
        raise _damaged(stream, f"{SAFETENSORS} file", error) from None


def _damaged(file, kind: str, error: Exception) -> ValueError:
    """The error for a file that cannot be read, in one line."""
    why = f"{type(error).__name__}: {' '.join(str(error).split())}"
    return ValueError(f"load: {getattr(file, 'name', 'the file')} is no whole {kind} ({why:.200})")


def accuracy(output: Tensor, target: Tensor) -> float:
    """Return the share of rows in which the largest score is that of the target class."""
    return (output.data.argmax(axis=1) == target.data).mean().item()


class Trainer:
    """Trains a model: `fit`, `evaluate`, and a `state_dict` from which all goes on.

    A batch is a tuple (input, ..., target), and `loss(output, target)` a mean over its samples. A
    step takes `accumulate` batches as if they were one. The scheduler steps after each "epoch" or
    each "step", as `schedule` says. `metrics`, name -> function of output and target, are averaged
    by `evaluate`. A callback is an object with any of the methods `on_epoch_start`, `on_step_end`,
    `on_epoch_end` and `on_fit_end`, each called with the trainer; `trainer.stop = True` ends `fit`.
    """

    def __init__(
        self,
        model,
        optimizer,
        loss,
        scheduler: LRScheduler | None = None,
        accumulate: int = 1,
        clip_norm: float | None = None,
        callbacks=(),
        metrics: dict | None = None,
        schedule: str = "epoch",
        progress: bool = True,
    ):
        """Keep the parts; nothing is trained yet."""
        _require(accumulate > 0, f"Trainer: expected accumulate > 0, got {accumulate}")
        _require(schedule in ("epoch", "step"), f"Trainer: no schedule by {schedule!r}, but epoch")
        self.model, self.optimizer, self.loss, self.scheduler = model, optimizer, loss, scheduler
        self.accumulate, self.clip_norm, self.schedule = accumulate, clip_norm, schedule
        self.callbacks = [*callbacks, _Progress()] if progress else [*callbacks]
        self.epoch = self.step = self.epochs = 0  # epochs and steps done, epochs to do
        self.history = {}  # loss, lr, ...: a list with a number for each epoch
        self.running = {"loss": 0, "samples": 0, "batches": 0, "ended": False}  # of this epoch
        self.metrics, self.stop, self.loader, self._place = metrics or {}, False, None, None

    def fit(self, loader, epochs: int, validation=None, checkpoint=None) -> dict[str, list]:
        """Train until `epochs` epochs are done in all, and return the history.

        Each epoch ends with an `evaluate` of the loader `validation`, if there is one. The state is
        saved to the path `checkpoint` after each epoch and when training stops. Ctrl-C waits for
        the end of the step, saves, and raises KeyboardInterrupt; a second one does not wait, and
        saves nothing. Called again, fit goes on, also in the middle of an epoch.
        """
        self.loader, self.epochs, self.stop = loader, epochs, False
        skip = self.running["batches"]  # of a loader that cannot say where it stands
        if self._place is not None:
            loader.load_state_dict(self._place)
            self._place, skip = None, 0
        with _held_interrupt(self):
            try:
                while self.epoch < epochs and not self.stop:
                    self._train_epoch(skip, validation)
                    skip = 0
                    if checkpoint:
                        save(checkpoint, **self.state_dict())
            finally:
                self._place = self._where() if self.running["batches"] else None
                self._call("on_fit_end")
        if self.stop is signal.SIGINT:
            where = f"saved to {checkpoint}" if checkpoint else "not saved: fit has no checkpoint"
            raise KeyboardInterrupt(f"stopped after step {self.step}, {where}")
        return self.history

    def _train_epoch(self, skip: int, validation) -> None:
        """Take the steps that are left of an epoch, and write the history."""
        self.model.train()
        self._call("on_epoch_start")
        batches = iter(()) if self.running["ended"] else islice(self.loader, skip, None)
        while group := list(islice(batches, self.accumulate)):
            self.running["ended"] = len(group) < self.accumulate  # the loader has begun anew
            self._count(self.train_step(group), group)
            self._call("on_step_end")
            if self.stop:
                return
        _require(self.running["samples"] > 0, "fit: expected batches, the loader gave none")
        self._end_epoch(self.evaluate(validation) if validation is not None else {})
        self._call("on_epoch_end")

    def _count(self, loss: float, group: list[tuple]) -> None:
        samples = sum(len(target) for *_, target in group)
        self.running["loss"] += loss * samples
        self.running["samples"] += samples
        self.running["batches"] += len(group)
        self.step += 1
        if self.scheduler and self.schedule == "step":
            self.scheduler.step()

    def _end_epoch(self, results: dict[str, float]) -> None:
        loss = self.running["loss"] / self.running["samples"]
        numbers = {"loss": loss, "lr": self.optimizer.param_groups[0]["lr"]}
        numbers |= {f"validation_{name}": value for name, value in results.items()}
        for name, number in numbers.items():
            self.history.setdefault(name, []).append(number)
        if self.scheduler and self.schedule == "epoch":
            self.scheduler.step()
        self.epoch += 1
        self.running = dict.fromkeys(self.running, 0) | {"ended": False}

    def _call(self, event: str) -> None:
        for callback in self.callbacks:
            if hasattr(callback, event):
                getattr(callback, event)(self)

    def train_step(self, batches: list[tuple]) -> float:
        """Take one step of the optimizer on several batches, as if they were one; return its loss.

        Clear the gradients. Then, batch by batch: call the model on all tensors but the last, and
        the loss on its output and the last, the target; multiply by the batch's share of all
        samples, so that losses and gradients add up to those of the mean over all samples; go
        backward. Clip the gradients to `clip_norm`, unless it is None, and step.
        Errors: FloatingPointError, raised by `_refuse_loss` before each backward, and by
        `_refuse_gradients` before clipping, where they find nan or infinity: no step is taken.

        Losses of 1.0 for a batch of 3 samples and 2.0 for one of 1: 1.0 · 3/4 + 2.0 · 1/4 = 1.25.
        """
        samples = sum(len(target) for *_, target in batches)
        self.optimizer.zero_grad()
        total = 0.0
        for *inputs, target in batches:
            loss = self.loss(self.model(*inputs), target) * (len(target) / samples)
            self._refuse_loss(loss)
            loss.backward()
            total += loss.item()
        self._refuse_gradients(batches[-1])
        if self.clip_norm is not None:
            clip_grad_norm_(self.model.parameters(), self.clip_norm)
        self.optimizer.step()
        return total

    def _refuse_loss(self, loss: Tensor) -> None:
        """Raise FloatingPointError with the layer where it began, if the loss is not finite."""
        if not _finite(loss):
            self._refuse(f"the loss is {loss.item()}", _origin(loss), self.model.named_parameters())

    def _refuse_gradients(self, batch: tuple) -> None:
        """Raise FloatingPointError with the layer where it began, if a gradient is not finite."""
        named = [(name, p) for name, p in self.model.named_parameters() if p.grad is not None]
        bad = [(name, p) for name, p in named if not _finite(p.grad)]
        if bad:
            *inputs, target = batch
            loss = self.loss(self.model(*inputs), target)  # again: backward has freed that graph
            self._refuse("a gradient is not finite", loss, bad)

    def _refuse(self, what: str, tensor: Tensor, named) -> None:
        """Blame the layer whose parameter, one of those named, is nearest behind the tensor."""
        names = {id(p): f"layer {name.rpartition('.')[0]!r}" for name, p in named}
        where = next((names[id(x)] for x in _behind(tensor) if id(x) in names), "the batch itself")
        cure = "no step was taken: look at the data, or lower the learning rate"
        raise FloatingPointError(f"step {self.step + 1}: {what}, first in {where}; {cure}")

    def evaluate(self, loader) -> dict[str, float]:
        """Return the loss and each of the metrics, averaged over all samples of the loader.

        Meanwhile the model is in eval mode, and nothing is recorded for gradients; afterwards each
        of its modules has its own mode back. A batch counts by its samples, since the last one is
        often smaller. A metric, as the loss, is a function of output and target that returns a
        number or a Tensor of one. Errors: ValueError if the loader gives no batch.

        Losses of 1.0 for a batch of 3 samples and 2.0 for one of 1: {"loss": 1.25}.
        """
        sums, samples = dict.fromkeys(["loss", *self.metrics], 0.0), 0
        modes = [(module, module.training) for module in self.model.modules()]
        self.model.eval()
        try:
            with no_grad():
                for *inputs, target in loader:
                    output = self.model(*inputs)
                    samples += len(target)
                    for name in sums:
                        value = self.metrics.get(name, self.loss)(output, target)
                        sums[name] += np.asarray(value).item() * len(target)
        finally:
            for module, mode in modes:
                module.training = mode
        _require(samples > 0, "evaluate: expected batches, the loader gave none")
        return {name: total / samples for name, total in sums.items()}

    def state_dict(self) -> dict:
        """Return all that the rest of the training depends on, as a dict that `save` can write.

        The states of "model", "optimizer" and, if there is one, "scheduler", as `_parts` has them;
        the numbers of `_own` as a deep copy, "epoch", "step", "running" and "history"; "loader",
        which is what `_where` says; and "generator", the state of the default generator's
        bit_generator, from which dropout draws.
        """
        parts = {name: part.state_dict() for name, part in self._parts().items()}
        random = default_generator().bit_generator.state
        return parts | deepcopy(self._own()) | {"loader": self._where(), "generator": random}

    def load_state_dict(self, state: dict) -> None:
        """Take over a state, so that `fit` goes on as if it had never stopped, to the last bit.

        The loader's part waits in `_place` for the loader that comes with `fit`. Errors: ValueError
        for a state with other keys than this trainer's.
        """
        known, came = sorted(self.state_dict()), sorted(state)
        _require(known == came, f"Trainer: expected a state of {known}, got {came}")
        for name, part in self._parts().items():
            part.load_state_dict(state[name])
        vars(self).update(deepcopy({name: state[name] for name in self._own()}))
        self._place = state["loader"]
        default_generator().bit_generator.state = state["generator"]

    def _parts(self) -> dict:
        """Return the parts that have states of their own."""
        parts = {name: getattr(self, name) for name in ("model", "optimizer", "scheduler")}
        return {name: part for name, part in parts.items() if part is not None}

    def _own(self) -> dict:
        """Return the trainer's own numbers."""
        return {name: getattr(self, name) for name in ("epoch", "step", "running", "history")}

    def _where(self) -> dict | None:
        """Return where the loader stands, or is to go on; None if it cannot say."""
        if self._place is not None or not hasattr(self.loader, "state_dict"):
            return self._place
        return self.loader.state_dict()


@contextmanager
def _held_interrupt(trainer: Trainer):
    """Let a first Ctrl-C stop the trainer after its step, by `stop = signal.SIGINT`."""

    def stop(number, frame):
        trainer.stop = signal.SIGINT
        signal.signal(signal.SIGINT, before)

    try:
        before = signal.signal(signal.SIGINT, stop)
    except ValueError:  # only the main thread may, and only it is interrupted
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _finite(tensor: Tensor) -> bool:
    """Is every element finite? One sum says yes at a fraction of the cost; it may overflow."""
    with np.errstate(all="ignore"):
        return bool(np.isfinite(tensor.data.sum()) or np.isfinite(tensor.data).all())


def _inputs(tensor: Tensor) -> list[Tensor]:
    """Return the tensors that this one was made from."""
    inputs = tensor.recipe.inputs if tensor.recipe is not None else ()
    return [x for x in inputs if isinstance(x, Tensor)]


def _origin(tensor: Tensor) -> Tensor:
    """Go back from a result that is not finite to the first one."""
    while bad := [x for x in _inputs(tensor) if not _finite(x)]:
        tensor = bad[0]
    return tensor


def _behind(tensor: Tensor):
    """Yield the tensor and all that it was made from, the nearest first."""
    level, seen = {id(tensor): tensor}, set()
    while level:
        yield from level.values()
        seen |= level.keys()
        level = {id(x): x for one in level.values() for x in _inputs(one) if id(x) not in seen}


class _Progress:
    """A line for each epoch and, on a terminal where rich is installed, a bar during it."""

    def __init__(self):
        self.bar = _rich_bar()
        self.show = self.bar.console.print if self.bar else print

    def on_epoch_start(self, trainer):
        self.start, self.seen, self.rate = time.perf_counter(), trainer.running["samples"], 0
        if self.bar:
            name = f"epoch {trainer.epoch + 1}/{trainer.epochs}"
            total = len(trainer.loader) if hasattr(trainer.loader, "__len__") else None
            self.task = self.bar.add_task(name, total=total, text="")
            self.bar.start()

    def on_step_end(self, trainer):
        loss, samples, batches, _ = trainer.running.values()
        self.rate = (samples - self.seen) / (time.perf_counter() - self.start)
        if self.bar:
            text = f"loss {loss / samples:.4f}  {self.rate:,.0f} samples/s"
            self.bar.update(self.task, completed=batches, text=text)

    def on_epoch_end(self, trainer):
        numbers = "  ".join(f"{name} {values[-1]:.4g}" for name, values in trainer.history.items())
        self.show(f"epoch {trainer.epoch}/{trainer.epochs}  {numbers}  {self.rate:,.0f} samples/s")
        if self.bar:
            self.bar.remove_task(self.task)

    def on_fit_end(self, trainer):
        if self.bar:
            self.bar.stop()


def _rich_bar():
    """Return a bar that goes when it is done, or None where there is no terminal or no rich."""
    try:
        from rich.progress import Progress
    except ModuleNotFoundError:
        return None
    bar = Progress(*Progress.get_default_columns(), "{task.fields[text]}", transient=True)
    return bar if bar.console.is_interactive else None
