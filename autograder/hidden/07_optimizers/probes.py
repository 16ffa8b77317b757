"""What the checks of 07_optimizers ask of a framework; each function travels alone."""

import numpy as np

import tinytorch as tt


def updates(kind, p, gradients, state, settings):
    """Values, buffers and gradient after each of several updates, in the memory they began in."""
    optimizer, after = object.__new__(getattr(tt, kind)), []
    for g in gradients:
        given = g.copy()
        with np.errstate(over="raise", invalid="raise", divide="raise"):
            optimizer.update(p, given, state, settings)
        buffers = [state[name].copy() for name in sorted(state) if name != "step"]
        after.append([p.copy(), given, *buffers])
        state["step"] += 1
    return after


def grouped(kind, count, groups, later, settings):
    """The groups that come out: indices of parameters, settings; and what was given, if kept."""
    tensors = [tt.Tensor(np.zeros(2)) for _ in range(count)]
    forms = {"list": list, "tuple": tuple, "generator": iter, "one": lambda chosen: chosen[0]}
    given = [
        {**group["settings"], "params": forms[group["form"]]([tensors[i] for i in group["params"]])}
        for group in groups + later
    ]
    before = [group["params"] for group in given]
    optimizer = getattr(tt, kind)(given[: len(groups)], **settings)
    for group in given[len(groups) :]:
        optimizer.add_param_group(group)
    places = {id(tensor): i for i, tensor in enumerate(tensors)}
    kept = [group["params"] is one for group, one in zip(given, before, strict=True)]
    return (
        [kept]
        + [
            [
                [places[id(p)] for p in group["params"]],
                isinstance(group["params"], list),
                {name: value for name, value in group.items() if name != "params"},
            ]
            for group in optimizer.param_groups
        ]
        + [sorted(group) for group in given]
    )


def added(kind, what, settings):
    """The number of groups after one more was added, of which `what` may be wrong."""
    there, new = tt.Tensor(np.zeros(2), requires_grad=True), tt.Tensor(np.zeros((3, 1)))
    params = {
        "nothing": [new],
        "a set": {new},
        "an array": [new, np.zeros(2)],
        "a name": [("w", new)],
        "emptiness": [],
        "a result": [there * 2],
        "a pair": [new, new],
        "an old one": [new, there],
    }[what]
    optimizer = getattr(tt, kind)([there])
    optimizer.add_param_group({"params": params, **settings})
    return len(optimizer.param_groups)


def left(kind, what, settings):
    """The number of groups, and the parameters in them, after one that may be wrong was tried."""
    there, new = tt.Tensor(np.zeros(2)), tt.Tensor(np.zeros((3, 1)))
    params = {"nothing": [new], "a pair": [new, new], "an array": [new, np.zeros(2)]}[what]
    optimizer = getattr(tt, kind)([there])
    try:
        optimizer.add_param_group({"params": params, **settings})
    except (TypeError, ValueError):
        pass
    return [len(group["params"]) for group in optimizer.param_groups]


def stepped(values, gradients, groups):
    """What steps of a rule of this probe's own do; an empty gradient stands for None.

    Then, how steps end with a first gradient of one number, and with one of another dtype.
    """

    class Rule(tt.Optimizer):
        def buffers(self, group):
            return ("total",) if group["keep"] else ()

        def update(self, p, g, state, group):
            if group["keep"]:
                state["total"] += g
                g = state["total"]
            p -= group["lr"] * state["step"] * g

    tensors = [tt.Tensor(value, requires_grad=True) for value in values]
    memory = [tensor.data for tensor in tensors]
    optimizer = object.__new__(Rule)
    optimizer.defaults, optimizer.state = {"lr": 0.0, "keep": False}, {}
    optimizer.param_groups = [
        {**group, "params": [tensors[i] for i in group["params"]]} for group in groups
    ]
    for step in gradients:
        for tensor, gradient in zip(tensors, step, strict=True):
            tensor.grad = tt.Tensor(gradient) if gradient.size else None
        optimizer.step()
    states = [optimizer.state.get(tensor, {}) for tensor in tensors]
    states = [{k: v.copy() if k == "total" else v for k, v in one.items()} for one in states]
    memory_then, refused = [one.copy() for one in memory], []
    dtype = np.float32 if tensors[0].dtype == np.float64 else np.float64
    for odd in (np.ones(1, tensors[0].dtype), np.ones(tensors[0].shape, dtype)):
        tensors[0].grad = tt.Tensor(odd, dtype=odd.dtype)
        try:
            optimizer.step()
            refused.append("none")
        except (TypeError, ValueError) as error:
            refused.append(type(error).__name__)
    return [
        refused,
        memory_then,
        [tensor.data is one for tensor, one in zip(tensors, memory, strict=True)],
        [state.get("step", 0) for state in states],
        [state["total"] for state in states if "total" in state],
    ]


def stepped_by_blocks(p, g):
    """A large step: values, whether no block was large, and whether recipes know of the change."""
    sizes = []

    class Rule(tt.Optimizer):
        def update(self, p, g, state, group):
            sizes.append(p.nbytes)
            p -= g

    used, unused = tt.Tensor(p, requires_grad=True), tt.Tensor(p[:2], requires_grad=True)
    used.grad = tt.Tensor(g)
    recipes = [tt.tensor.apply(np.negative, one).recipe for one in (used, unused)]
    optimizer = object.__new__(Rule)
    optimizer.defaults, optimizer.state = {}, {}
    optimizer.param_groups = [{"params": [used, unused]}]
    optimizer.step()
    noted = [
        tt.tensor.changed_since(one, recipe)
        for one, recipe in zip((used, unused), recipes, strict=True)
    ]
    return [used.data, max(sizes) < p.nbytes, sum(sizes) == p.nbytes, noted]


def zeroed(gradients, set_to_none):
    """The gradients that are left, whether in the memory they had; empty ones stand for None.

    Of one that is not finite, whether it is gone, and whether recipes know.
    """
    tensors = [tt.Tensor(np.zeros(gradient.shape)) for gradient in gradients]
    for tensor, gradient in zip(tensors, gradients, strict=True):
        tensor.grad = tt.Tensor(gradient) if gradient.size else None
    before = [tensor.grad for tensor in tensors]
    memory = [None if grad is None else grad.data for grad in before]
    wild, lost = tt.Tensor(np.zeros(2)), tt.Tensor([float("inf"), float("nan")])
    wild.grad, recipe = lost, (tt.Tensor([1.0, 2.0], requires_grad=True) * lost).recipe
    optimizer = object.__new__(tt.Optimizer)
    optimizer.defaults, optimizer.state = {}, {}
    optimizer.param_groups = [{"params": tensors[:1]}, {"params": [*tensors[1:], wild]}]
    if set_to_none is None:
        optimizer.zero_grad()
    else:
        optimizer.zero_grad(set_to_none=set_to_none)
    return [
        [tensor.grad is None for tensor in tensors],
        [tensor.grad.data for tensor in tensors if tensor.grad is not None],
        [grad is not None and grad.data is m for grad, m in zip(before, memory, strict=True)],
        [m for m in memory if m is not None],
        wild.grad is None or not lost.data.any() and tt.tensor.changed_since(lost, recipe),
    ]


def saved(totals, groups):
    """What a state_dict says of parameters, of which those with an empty total have no state."""
    tensors = [tt.Tensor(np.zeros(total.shape)) for total in totals]
    optimizer = object.__new__(tt.Optimizer)
    optimizer.defaults = {}
    optimizer.param_groups = [
        {**group, "params": [tensors[i] for i in group["params"]]} for group in groups
    ]
    optimizer.state = {
        tensor: {"step": 3 + i, "total": total, "zero": np.zeros_like(total)}
        for i, (tensor, total) in enumerate(zip(tensors, totals, strict=True))
        if total.size
    }
    kept = optimizer.state_dict()
    untouched = all(
        p is tensors[i]
        for p, i in zip(
            (p for group in optimizer.param_groups for p in group["params"]),
            (i for group in groups for i in group["params"]),
            strict=True,
        )
    )
    return [
        sorted(kept),
        kept["param_groups"],
        sorted(kept["state"]),
        [
            [
                state["step"],
                sorted(state),
                state["total"].data,
                isinstance(state["total"], tt.Tensor),
                any(np.shares_memory(state["total"].data, total) for total in totals),
            ]
            for _, state in sorted(kept["state"].items())
        ],
        untouched,
    ]


def loaded(sizes, state, groups, text):
    """What is in an optimizer after loading: settings, steps, arrays, and whether they are new."""

    class Rule(tt.Optimizer):
        def buffers(self, group):
            return ("total",)

    tensors = [tt.Tensor(np.zeros(size, np.float32)) for size in sizes]
    optimizer = object.__new__(Rule)
    optimizer.defaults, optimizer.state = {"lr": 0.5, "betas": (0.5, 0.5)}, {}
    split = [{"params": tensors[:1]}, {"params": tensors[1:]}]
    optimizer.param_groups = [{**group, "lr": 0.5, "betas": (0.5, 0.5)} for group in split]
    optimizer.state[tensors[0]] = {"step": 99, "total": np.ones(sizes[0], np.float32)}
    given = {(key if text else int(key)): dict(kept) for key, kept in state.items()}
    optimizer.load_state_dict({"state": given, "param_groups": groups})
    states = [optimizer.state.get(tensor) for tensor in tensors]
    return [
        [
            [p is t for p, t in zip(group["params"], own["params"], strict=True)]
            for group, own in zip(optimizer.param_groups, split, strict=True)
        ],
        [{k: v for k, v in group.items() if k != "params"} for group in optimizer.param_groups],
        [kept is not None for kept in states],
        [[kept["step"], kept["total"]] for kept in states if kept is not None],
        not any(
            np.shares_memory(kept["total"], one["total"])
            for kept in states
            if kept is not None
            for one in state.values()
        ),
        [len(group["params"]) for group in groups],
        [[str(key), sorted(kept)] for key, kept in given.items()],
    ]


def reloaded(sizes, state, groups):
    """Settings and steps after a loading that may have been refused: all new, or all old."""

    class Rule(tt.Optimizer):
        def buffers(self, group):
            return ("total",)

    tensors = [tt.Tensor(np.zeros(size)) for size in sizes]
    optimizer = object.__new__(Rule)
    optimizer.defaults = {"lr": 0.5}
    optimizer.param_groups = [{"params": tensors, "lr": 0.5}]
    optimizer.state = {t: {"step": 9, "total": np.ones(t.shape)} for t in tensors}
    given = {int(key): dict(kept) for key, kept in state.items()}
    try:
        optimizer.load_state_dict({"state": given, "param_groups": groups})
    except (TypeError, ValueError):
        pass
    steps = [optimizer.state[t]["step"] for t in tensors]
    return [steps, [optimizer.state[t]["total"] for t in tensors], optimizer.param_groups[0]["lr"]]


def load(sizes, state, groups):
    """The steps after loading."""

    class Rule(tt.Optimizer):
        def buffers(self, group):
            return ("total",)

    tensors = [tt.Tensor(np.zeros(size)) for size in sizes]
    optimizer = object.__new__(Rule)
    optimizer.defaults, optimizer.state = {"lr": 0.5}, {}
    optimizer.param_groups = [{"params": tensors, "lr": 0.5}]
    given = {int(key): dict(kept) for key, kept in state.items()}
    optimizer.load_state_dict({"state": given, "param_groups": groups})
    return [optimizer.state[t]["step"] for t in tensors]
