"""What the checks of 08_training ask of a framework; each function travels alone."""

import numpy as np

import tinytorch as tt


def schedule(kind, settings, rates, epochs):
    """The rate of every group in each epoch, as the optimizer has it, and rates asked for."""
    groups = [{"params": [tt.Tensor([0.0], requires_grad=True)], "lr": rate} for rate in rates]
    optimizer = tt.SGD(groups)
    scheduler = getattr(tt, kind)(optimizer, *settings)
    found = []
    for _ in range(epochs):
        found.append([group["lr"] for group in optimizer.param_groups])
        scheduler.step()
    return [np.array(found), [scheduler.rate(0.7, epoch) for epoch in (2, 5, 0)]]


def sequence(slopes, milestones, rates, epochs):
    """The rates of a sequence of schedulers of our own, the nth with the nth slope; some asked."""

    class Line(tt.LRScheduler):
        def rate(self, base_lr, epoch):
            return base_lr * (self.number + self.slope * epoch)

    groups = [{"params": [tt.Tensor([0.0], requires_grad=True)], "lr": rate} for rate in rates]
    optimizer = tt.SGD(groups)
    lines = [Line(optimizer, number=n, slope=slope) for n, slope in enumerate(slopes, 1)]
    scheduler = tt.SequentialLR(optimizer, lines, milestones)
    found = []
    for _ in range(epochs):
        found.append([group["lr"] for group in optimizer.param_groups])
        scheduler.step()
    return [np.array(found), [scheduler.rate(0.7, epoch) for epoch in (2, 5, 0)]]


def clip_norm(gradients, missing, max_norm, norm_type, single):
    """The norm, the gradients after, and whether they are where they were and known as changed."""
    tensors = [tt.Tensor(np.zeros_like(g), requires_grad=True) for g in gradients]
    for tensor, gradient in zip(tensors, gradients, strict=True):
        tensor.grad = tt.Tensor(gradient)
    memory = [tensor.grad.data for tensor in tensors]
    bare = [tt.Tensor([1.0], requires_grad=True) for _ in range(missing)]
    parameters = tensors[0] if single else iter([*bare, *tensors])
    if norm_type is None:
        norm = tt.clip_grad_norm_(parameters, max_norm)
    else:
        norm = tt.clip_grad_norm_(parameters, max_norm, norm_type=norm_type)
    kept = all(t.grad.data is m for t, m in zip(tensors, memory, strict=True))
    return [norm.data, [t.grad.data for t in tensors], kept, [t.grad is None for t in bare]]


def clip_norm_of_nothing():
    """The norm where there is no gradient at all."""
    bare = tt.Tensor([1.0], requires_grad=True)
    return [tt.clip_grad_norm_([bare], 1.0).data, tt.clip_grad_norm_([], 1.0).data]


def clip_strictly(gradient, max_norm):
    """The norm, where one that is not finite is an error."""
    tensor = tt.Tensor(np.zeros_like(gradient), requires_grad=True)
    tensor.grad = tt.Tensor(gradient)
    return tt.clip_grad_norm_([tensor], max_norm, error_if_nonfinite=True).data


def clip_value(gradients, missing, bound, single):
    """The gradients after, and whether they are where they were."""
    tensors = [tt.Tensor(np.zeros_like(g), requires_grad=True) for g in gradients]
    for tensor, gradient in zip(tensors, gradients, strict=True):
        tensor.grad = tt.Tensor(gradient)
    memory = [tensor.grad.data for tensor in tensors]
    bare = [tt.Tensor([1.0], requires_grad=True) for _ in range(missing)]
    tt.clip_grad_value_(tensors[0] if single else iter([*bare, *tensors]), bound)
    kept = all(t.grad.data is m for t, m in zip(tensors, memory, strict=True))
    return [[t.grad.data for t in tensors], kept, [t.grad is None for t in bare]]


def clipped_is_noted(name, bound):
    """Whether a backward notices that a gradient was clipped after it had been used."""
    weight, factor = tt.Tensor([1.0, 2.0]), tt.Tensor([1.0, 1.0], requires_grad=True)
    weight.grad = tt.Tensor([3.0, 4.0])
    product = (factor * weight.grad).sum()
    getattr(tt, name)([weight], bound)
    try:
        product.backward()
    except RuntimeError:
        return True
    return False


def pack(numbers, text, n):
    """What `pack` makes of one value of each kind, as JSON, and the arrays it took out."""
    import json

    from tinytorch.training import pack

    arrays = []
    value = [
        text,
        n,
        None,
        True,
        0.5,
        (numbers[0], [1, (2,)]),
        {"w": tt.Tensor(numbers[1]), n: {"m": numbers[2], True: ()}, None: {}},
        numbers[3][0],
    ]
    return [json.dumps(pack(value, arrays)), arrays, [a is numbers[2] for a in arrays]]


def pack_odd(kind, numbers):
    """`pack` of a value that a checkpoint can hold, or cannot."""
    import json

    from tinytorch.training import pack

    value = {
        "list": [numbers],
        "set": {1, 2},
        "objects": np.array([None, 1]),
        "dates": np.array(["2020-02-29"], "datetime64[D]"),
        "texts": np.array(["a"]),
        "bytes": b"1",
        "key": {(1, 2): 3},
        "object": object(),
        "inner": {"a": [1, (2, {3})]},
    }[kind]
    return json.dumps(pack(value, []))


def unpack(tree, numbers):
    """What `unpack` makes of a tree, told by types, with the memory of the arrays."""
    from tinytorch.training import unpack

    def told(value):
        if isinstance(value, tt.Tensor):
            return ["Tensor", value.data, any(value.data is a for a in numbers)]
        if isinstance(value, np.ndarray):
            return ["array", value, any(value is a for a in numbers)]
        if isinstance(value, dict):
            keys = [f"{type(key).__name__} {key}" for key in value]
            return ["dict", keys, [told(item) for item in value.values()]]
        if isinstance(value, list | tuple):
            return [type(value).__name__, [told(item) for item in value]]
        return [type(value).__name__, str(value)]

    return told(unpack(tree, numbers))


def round_trip(numbers, seed):
    """A state with a generator's, through a file in memory, and what the generator then draws."""
    import io

    generator = np.random.default_rng(seed)
    state = {"weights": {"a.b": tt.Tensor(numbers), 0: (numbers.T, [None, False])}}
    file = io.BytesIO()
    tt.save(file, random=generator.bit_generator.state, **state)
    want = generator.random(3)
    file.seek(0)
    found = tt.load(file)
    other = np.random.default_rng()
    other.bit_generator.state = found["random"]
    tensor, (array, rest) = found["weights"]["a.b"], found["weights"][0]
    keys = [type(key).__name__ for key in found["weights"]]
    kinds = [type(one).__name__ for one in (tensor, array, rest, found["weights"][0])]
    return [tensor.data, array, rest, keys, kinds, other.random(3), want]


def train_step(x, y, sizes, seed, clip, steps):
    """Losses and weights after some steps, each on all rows, cut into batches of these sizes."""
    import tinytorch.training as training

    def clip_grad_norm_(parameters, max_norm, norm_type=2.0, error_if_nonfinite=False):
        parameters = list(parameters)
        norm = np.sqrt(sum((p.grad.data**2).sum() for p in parameters))
        for p in parameters:
            p.grad.data *= min(max_norm / (norm + 1e-6), 1.0)
        return tt.Tensor(norm)

    tt.manual_seed(seed)
    model = tt.Sequential(tt.Linear(x.shape[1], 5, dtype=np.float64), tt.Tanh())
    model = tt.Sequential(model, tt.Linear(5, 3, dtype=np.float64))
    trainer = tt.Trainer(
        model,
        tt.SGD(model.parameters(), lr=0.5, momentum=0.5),
        tt.CrossEntropyLoss(),
        clip_norm=clip,
        progress=False,
    )
    ends = np.cumsum(sizes)
    parts = [slice(end - n, end) for end, n in zip(ends, sizes, strict=True)]
    batches = [(tt.Tensor(x[part]), tt.Tensor(y[part])) for part in parts]
    own, training.clip_grad_norm_ = training.clip_grad_norm_, clip_grad_norm_  # of another task
    try:
        losses = [trainer.train_step(batches) for _ in range(steps)]
    finally:
        training.clip_grad_norm_ = own
    return [losses, [p.data for p in model.parameters()]]


def train_step_inputs(a, b, y, seed):
    """One step of a model with two inputs."""

    class Both(tt.Module):
        def __init__(self):
            super().__init__()
            self.layer = tt.Linear(a.shape[1], 1, dtype=np.float64)

        def forward(self, one, other):
            return self.layer(one - other)

    tt.manual_seed(seed)
    model = Both()
    trainer = tt.Trainer(model, tt.SGD(model.parameters(), 0.1), tt.MSELoss(), progress=False)
    loss = trainer.train_step([(tt.Tensor(a), tt.Tensor(b), tt.Tensor(y))])
    return [loss, [p.data for p in model.parameters()]]


def train_step_bad(x, y, where, seed):
    """The weights after a step whose loss or gradient is not finite: there is no such step."""

    class Model(tt.Module):
        def __init__(self):
            super().__init__()
            self.first = tt.Linear(x.shape[1], 4, dtype=np.float64)
            self.second = tt.Linear(4, 3, dtype=np.float64)

        def forward(self, x):
            h = self.first(x)
            h = h + (h * 0).abs().sqrt() if where == "gradient" else h
            return self.second(h)

    tt.manual_seed(seed)
    model = Model()
    if where == "loss":
        model.second.weight.data[0, 0] = np.nan
    trainer = tt.Trainer(model, tt.SGD(model.parameters(), 0.1), tt.MSELoss(), progress=False)
    before = [p.data.copy() for p in model.parameters()]
    with np.errstate(all="ignore"):
        try:
            trainer.train_step([(tt.Tensor(x), tt.Tensor(y))])
        except FloatingPointError as error:
            pairs = zip(model.parameters(), before, strict=True)
            same = all(np.array_equal(p.data, b, equal_nan=True) for p, b in pairs)
            raise FloatingPointError(f"{error} unchanged: {same}") from None
    return [p.data for p in model.parameters()]


def evaluate(x, y, sizes, seed):
    """Loss and metrics over batches of these sizes, and the loss of a model of two inputs."""

    class Both(tt.Module):
        def forward(self, one, other):
            return one - other

    tt.manual_seed(seed)
    model = tt.Linear(x.shape[1], 3, dtype=np.float64)
    metrics = {
        "right": lambda output, target: float((output.data.argmax(1) == target.data).mean()),
        "largest": lambda output, target: output.max(),
    }
    trainer = tt.Trainer(
        model, tt.SGD(model.parameters()), tt.CrossEntropyLoss(), metrics=metrics, progress=False
    )
    ends = np.cumsum(sizes)
    parts = [slice(end - n, end) for end, n in zip(ends, sizes, strict=True)]
    batches = [(tt.Tensor(x[part]), tt.Tensor(y[part])) for part in parts]
    two = tt.Trainer(Both(), trainer.optimizer, tt.CrossEntropyLoss(), progress=False)
    pairs = [(inputs, inputs.exp(), target) for inputs, target in batches]
    return [trainer.evaluate(batches), two.evaluate(pairs)]


def evaluate_modes(x, y, seed, fail):
    """Modes before, during and after, whether anything was recorded, and twice the result."""

    class Model(tt.Module):
        def __init__(self):
            super().__init__()
            self.frozen, self.live = tt.Dropout(0.5), tt.Dropout(0.5)
            self.layer, self.seen = tt.Linear(x.shape[1], 3, dtype=np.float64), []

        def forward(self, x):
            y = self.layer(self.live(self.frozen(x)))
            self.seen.append([self.training, self.live.training, y.requires_grad])
            if fail:
                raise RuntimeError
            return y

    tt.manual_seed(seed)
    model = Model()
    model.frozen.eval()
    trainer = tt.Trainer(model, tt.SGD(model.parameters()), tt.CrossEntropyLoss(), progress=False)
    found = []
    for _ in range(2):
        try:
            found.append(trainer.evaluate([(tt.Tensor(x), tt.Tensor(y))]))
        except RuntimeError:
            found.append("failed")
    records = tt.Tensor([1.0], requires_grad=True) * 2
    modes = [module.training for module in model.modules()]
    return [found, model.seen, modes, records.requires_grad]


def resume(x, y, seed, stop, accumulate, own):
    """Weights, history and the next random number of a run that stopped and went on elsewhere."""
    from copy import deepcopy

    class Falling(tt.LRScheduler):
        def rate(self, base_lr, epoch):
            return base_lr / (1 + epoch)

    class Plain(tt.Trainer):
        def train_step(self, batches):  # the one of another task
            self.optimizer.zero_grad()
            for inputs, target in batches:
                loss = self.loss(self.model(inputs), target) * (1 / len(batches))
                loss.backward()
            self.optimizer.step()
            return loss.item()

    class Stop:
        def on_step_end(self, trainer):
            trainer.stop = trainer.step == stop

    def make(callbacks=()):
        tt.manual_seed(seed)
        first, last = (tt.Linear(*n, dtype=np.float64) for n in ((x.shape[1], 6), (6, 3)))
        model = tt.Sequential(first, tt.Tanh(), tt.Dropout(0.3), last)
        optimizer = tt.Adam(model.parameters(), lr=0.05)
        generator = np.random.default_rng(seed) if own else None
        data = tt.TensorDataset(tt.Tensor(x), tt.Tensor(y))
        loader = tt.DataLoader(data, 4, shuffle=True, generator=generator)
        parts = model, optimizer, tt.CrossEntropyLoss(), Falling(optimizer), accumulate
        return Plain(*parts, callbacks=callbacks, progress=False), loader

    def ends(trainer, loader):
        trainer.fit(loader, 3)
        weights = [p.data for p in trainer.model.parameters()]
        return [weights, trainer.history, trainer.step, tt.default_generator().random(2)]

    first, loader = make([Stop()])
    first.fit(loader, 3)
    state = deepcopy(first.state_dict())
    second, loader = make()
    tt.default_generator().random(5)
    second.load_state_dict(state)
    resumed = ends(second, loader)
    return [resumed, ends(*make()), sorted(state)]


def state_is_a_copy(seed):
    """Whether the state keeps its own numbers while the training goes on, both ways."""
    tt.manual_seed(seed)
    model = tt.Linear(2, 1)
    trainer = tt.Trainer(model, tt.SGD(model.parameters()), tt.MSELoss(), progress=False)
    trainer.history, trainer.epoch, trainer.step = {"loss": [3.0]}, 1, 7
    state = trainer.state_dict()
    trainer.history["loss"].append(2.0)
    trainer.running["samples"] = 5
    told = [state["epoch"], state["step"], state["history"], state["running"]["samples"]]
    trainer.load_state_dict(state)
    trainer.history["loss"].append(1.0)
    trainer.running["samples"] = 6
    told += [state["history"], state["running"]["samples"], trainer.step, sorted(state)]
    return told


def load_other(seed, forget):
    """The step of a trainer that takes over another's state, which lacks a part or has one more."""
    tt.manual_seed(seed)
    model = tt.Linear(2, 1)
    parts = model, tt.SGD(model.parameters(), lr=0.1), tt.MSELoss()
    schedule = tt.LRScheduler.__new__(tt.LRScheduler)
    vars(schedule).update(optimizer=parts[1], last_epoch=3, base_lrs=[0.1])
    trainer = tt.Trainer(*parts, schedule, progress=False)
    trainer.step = 5
    state = {name: part for name, part in trainer.state_dict().items() if name != forget}
    state |= {"more": 1} if forget == "nothing" else {}
    trainer.step = 0
    trainer.load_state_dict(state)
    return [trainer.step, schedule.last_epoch]
