"""Hidden and shown checks of 07_optimizers; otter-grader runs this file in the trusted process."""

import numpy as np
from otter.test_files import test_case

OK_FORMAT = False
name = "07_optimizers"
points = 100

# float32 formulas that are equal on paper differ by a few units in the seventh digit.
SINGLE = {"rtol": 2e-5, "atol": 2e-6}
IN_PLACE = "Only p and the buffers change, each in its own memory; g stays as it came."
PLAIN = {
    "SGD": dict(momentum=0.0, dampening=0.0, weight_decay=0.0, nesterov=False, maximize=False),
    "RMSprop": dict(weight_decay=0.0, momentum=0.0, centered=False, maximize=False),
    "Adam": dict(weight_decay=0.0, amsgrad=False, maximize=False),
}
PLAIN["AdamW"] = PLAIN["Adam"]


def shown(name, points, hint):
    """A check that students see; the hint is what they read when it fails."""
    return test_case(name=name, points=points, hidden=False, failure_message=hint)


def hidden(name, points, hint):
    """A check that students do not see, but for its hint."""
    return test_case(name=name, points=points, hidden=True, failure_message=hint)


def draw(rng, low=0.1, high=0.9):
    """A setting that no constant answers."""
    return float(rng.uniform(low, high))


def walk(agree, rng, kind, buffers, dtype=np.float64, step=1, steps=4, **settings):
    """Compare several updates of a random block, its buffers zeros at the first step."""
    p, *gradients = rng.normal(0, 1, (1 + steps, 3, 2)).astype(dtype)
    gradients[-2] *= 0.1  # so that the largest average is not the newest
    state = {one: np.zeros_like(p) for one in buffers}
    if step > 1:
        state = {one: rng.uniform(0.5, 2, p.shape).astype(dtype) for one in buffers}
    settings = {"lr": draw(rng), **PLAIN[kind], **settings}
    state["step"] = step
    close = SINGLE if dtype == np.float32 else {}
    inputs = {"p": p, "gradients": gradients, "state": state, "settings": settings}
    agree("updates", kind=kind, **inputs, **close)


@shown(
    "SGD.update: two steps by hand", 3, "p ← p - lr · g; with momentum, b ← µ · b + g comes first."
)
def sgd_small(agree, rng):
    settings = {**PLAIN["SGD"], "lr": 0.5}
    for momentum, state in ((0.0, {"step": 1}), (0.5, {"step": 2, "momentum_buffer": np.ones(2)})):
        agree(
            "updates",
            kind="SGD",
            p=np.array([1.0, 2.0]),
            gradients=[np.array([1.0, -2.0]), np.array([draw(rng), 0.0])],
            state=state,
            settings={**settings, "momentum": momentum},
        )


@hidden(
    "SGD.update: momentum and dampening", 6, "At step 1 the gradient counts in full, later not."
)
def sgd_momentum(agree, rng):
    for step in (1, 3):
        walk(agree, rng, "SGD", ["momentum_buffer"], step=step, momentum=draw(rng))
        both = {"momentum": draw(rng, 0.6), "dampening": draw(rng, 0.1, 0.4)}
        walk(agree, rng, "SGD", ["momentum_buffer"], step=step, **both)


@hidden("SGD.update: nesterov", 4, "Nesterov moves by g + µ · b, with the b that was just updated.")
def sgd_nesterov(agree, rng):
    for step in (1, 4):
        ahead = {"momentum": draw(rng), "nesterov": True, "weight_decay": draw(rng)}
        walk(agree, rng, "SGD", ["momentum_buffer"], step=step, **ahead)


@hidden(
    "SGD.update: decay, maximize, float32", 5, f"Hand p and g to `_direction` first. {IN_PLACE}"
)
def sgd_direction(agree, rng):
    walk(agree, rng, "SGD", [], weight_decay=draw(rng), maximize=True)
    walk(agree, rng, "SGD", [], weight_decay=draw(rng))
    full = {"momentum": draw(rng), "dampening": draw(rng), "weight_decay": draw(rng)}
    walk(agree, rng, "SGD", ["momentum_buffer"], maximize=True, **full)
    walk(agree, rng, "SGD", ["momentum_buffer"], np.float32, **full)


def rms(rng, **settings):
    """RMSprop's settings, drawn."""
    return {"alpha": draw(rng), "eps": draw(rng, 0.05, 0.2), **settings}


@shown(
    "RMSprop.update: a step by hand",
    2,
    "v ← α · v + (1 - α) · g², then p ← p - lr · g / (√v + eps).",
)
def rmsprop_small(agree, rng):
    settings = {**PLAIN["RMSprop"], "lr": 0.5, "alpha": 0.75, "eps": 0.0}
    p, gradients = np.array([1.0, 2.0]), [np.array([2.0, -4.0]), np.array([draw(rng), 1.0])]
    state = {"step": 1, "square_avg": np.array([0.0, 16.0])}
    agree("updates", kind="RMSprop", p=p, gradients=gradients, state=state, settings=settings)


@hidden("RMSprop.update: alpha and eps", 4, f"eps is added to the root, not under it. {IN_PLACE}")
def rmsprop_plain(agree, rng):
    for step, dtype in ((1, np.float64), (5, np.float64), (1, np.float32)):
        walk(agree, rng, "RMSprop", ["square_avg"], dtype, step=step, **rms(rng))


@hidden(
    "RMSprop.update: momentum, decay, maximize",
    4,
    "The buffer sums up g / (√v + eps), and lr weighs the buffer; `_direction` comes before all.",
)
def rmsprop_momentum(agree, rng):
    for step in (1, 3):
        both = ["square_avg", "momentum_buffer"]
        walk(agree, rng, "RMSprop", both, step=step, **rms(rng, momentum=draw(rng)))
        settings = rms(rng, momentum=draw(rng), weight_decay=draw(rng), maximize=True)
        walk(agree, rng, "RMSprop", both, step=step, **settings)


@hidden("RMSprop.update: centered", 4, "√(v - m²), of 0 where rounding leaves less than 0.")
def rmsprop_centered(agree, rng):
    names = ["square_avg", "grad_avg"]
    walk(agree, rng, "RMSprop", names, **rms(rng, centered=True))
    settings = rms(rng, centered=True, momentum=draw(rng), weight_decay=draw(rng))
    walk(agree, rng, "RMSprop", [*names, "momentum_buffer"], **settings)
    settings = {**PLAIN["RMSprop"], "lr": 0.1, "alpha": 0.5, "eps": 1.0, "centered": True}
    gradient = rng.normal(0, 1, 50).astype(np.float32)
    state = {"step": 1, **{one: np.zeros(50, np.float32) for one in names}}
    inputs = {"p": gradient * 2, "gradients": [gradient] * 30, "state": state}
    agree("updates", kind="RMSprop", settings=settings, **inputs, rtol=5e-3, atol=5e-3)


def betas(rng, **settings):
    """Adam's settings, drawn."""
    return {"betas": [draw(rng), draw(rng)], "eps": draw(rng, 0.05, 0.2), **settings}


MOMENTS = ["exp_avg", "exp_avg_sq"]


@shown(
    "Adam.update: the first step", 2, "At the first step, m̂ is g and √v̂ is |g|: the step is lr."
)
def adam_small(agree, rng):
    settings = {**PLAIN["Adam"], "lr": 0.5, "betas": [0.9, 0.999], "eps": 1e-8}
    p, state = np.array([1.0, 2.0]), {"step": 1, **{one: np.zeros(2) for one in MOMENTS}}
    gradients = [np.array([100.0, -0.01]), np.array([draw(rng), 1.0])]
    agree("updates", kind="Adam", p=p, gradients=gradients, state=state, settings=settings)


@hidden(
    "Adam.update: random steps",
    5,
    "m̂ = m / (1 - β₁ᵗ) and v̂ = v / (1 - β₂ᵗ) with t = state['step']; √v̂ + eps divides m̂.",
)
def adam_random(agree, rng):
    walk(agree, rng, "Adam", MOMENTS, **betas(rng))
    walk(agree, rng, "Adam", MOMENTS, step=7, **betas(rng))
    walk(agree, rng, "Adam", MOMENTS, np.float32, **betas(rng, betas=[0.9, 0.999], eps=1e-3))


@hidden("Adam.update: decay and maximize", 4, f"Adam's decay goes into both averages. {IN_PLACE}")
def adam_direction(agree, rng):
    walk(agree, rng, "Adam", MOMENTS, **betas(rng, weight_decay=draw(rng)))
    walk(agree, rng, "Adam", MOMENTS, step=2, **betas(rng, weight_decay=draw(rng), maximize=True))


@hidden(
    "Adam.update: amsgrad",
    4,
    "max_exp_avg_sq keeps the largest v so far, uncorrected, and stands for v in v̂.",
)
def adam_amsgrad(agree, rng):
    names = [*MOMENTS, "max_exp_avg_sq"]
    walk(agree, rng, "Adam", names, steps=6, **betas(rng, amsgrad=True))
    walk(agree, rng, "Adam", names, step=3, **betas(rng, amsgrad=True, weight_decay=draw(rng)))


@hidden(
    "Adam.update: AdamW decays by itself",
    5,
    "p ← p · (1 - lr · weight_decay) before Adam's update, whose averages see no decay.",
)
def adamw_decoupled(agree, rng):
    walk(agree, rng, "AdamW", MOMENTS, **betas(rng, weight_decay=draw(rng)))
    walk(agree, rng, "AdamW", MOMENTS, np.float32, step=3, **betas(rng, weight_decay=draw(rng)))
    names = [*MOMENTS, "max_exp_avg_sq"]
    decayed = betas(rng, weight_decay=draw(rng), amsgrad=True, maximize=True)
    walk(agree, rng, "AdamW", names, **decayed)


def group(*params, form="list", **settings):
    """One group for the probe `grouped`: parameters by number."""
    return {"params": list(params), "form": form, "settings": settings}


@shown(
    "Optimizer.add_param_group: settings",
    2,
    "What the group says counts, all other settings come from `self.defaults`.",
)
def groups_small(agree, rng):
    groups = [group(0, 1), group(2, lr=draw(rng))]
    agree("grouped", kind="SGD", count=3, groups=groups, later=[], settings={"lr": draw(rng)})


@hidden(
    "Optimizer.add_param_group: lists, generators, one tensor",
    5,
    "`params` becomes a list of the very same tensors; the dict that was given stays as it was.",
)
def groups_forms(agree, rng):
    order = [int(i) for i in rng.permutation(7)]
    groups = [group(*order[:2], form="generator"), group(order[2], form="one", lr=draw(rng))]
    later = [
        group(*order[3:5], form="tuple", betas=[draw(rng), draw(rng)], amsgrad=True),
        group(*order[5:], eps=draw(rng), weight_decay=draw(rng)),
    ]
    settings = {"lr": draw(rng), "betas": (draw(rng), draw(rng))}
    agree("grouped", kind="Adam", count=7, groups=groups, later=later, settings=settings)
    agree("grouped", kind="RMSprop", count=7, groups=groups[:1], later=groups[1:], settings={})


@hidden(
    "Optimizer.add_param_group: what is refused",
    5,
    "A parameter twice, an unknown setting, one out of range: ValueError, and nothing is added.",
)
def groups_refused(agree, refuses, rng):
    good = {"kind": "SGD", "what": "nothing", "settings": {"lr": draw(rng)}}
    for what in ("a pair", "an old one", "a result", "emptiness"):
        refuses("added", ValueError, bad={**good, "what": what}, good=good)
    for what in ("a set", "an array", "a name"):
        refuses("added", TypeError, bad={**good, "what": what}, good=good)
    for wrong in ({"rate": 0.1}, {"lr": -draw(rng)}, {"nesterov": True}):
        refuses("added", ValueError, bad={**good, "settings": wrong}, good=good)
        agree("left", kind="SGD", what="nothing", settings=wrong)
    for what in ("nothing", "a pair", "an array"):
        agree("left", kind="SGD", what=what, settings={})


def values(rng, *shapes, dtype=np.float64):
    """Random arrays; the shape (0,) stands for no gradient."""
    return [rng.normal(0, 1, shape).astype(dtype) for shape in shapes]


def rule(rng, *params, keep):
    """A group of the rule in the probe `stepped`."""
    return {"params": list(params), "lr": draw(rng), "keep": keep}


@shown(
    "Optimizer.step: two parameters",
    3,
    "Count the step, then update each block; `step` is 1 at the first update.",
)
def step_small(agree, rng):
    start, steps = values(rng, 2, (2, 3)), [values(rng, 2, (2, 3)) for _ in range(2)]
    agree("stepped", values=start, gradients=steps, groups=[rule(rng, 0, 1, keep=True)])


@hidden(
    "Optimizer.step: groups, and gradients that are None",
    5,
    "grad None: values and count stay; each group has its settings; `_state_of` refuses others.",
)
def step_groups(agree, rng):
    shapes, none = [(3,), (), (2, 2), (4,), (0,)], (0,)
    groups = [rule(rng, 3, 0, keep=True), rule(rng, 1, keep=False), rule(rng, 2, 4, keep=True)]
    steps = [
        values(rng, (3,), none, (2, 2), none, (0,)),
        values(rng, none, none, (2, 2), (4,), (0,)),
        values(rng, (3,), (), none, none, (0,)),
    ]
    agree("stepped", values=values(rng, *shapes), gradients=steps, groups=groups)
    steps = [values(rng, *shapes[:4], (0,), dtype=np.float32) for _ in range(3)]
    start = values(rng, *shapes, dtype=np.float32)
    agree("stepped", values=start, gradients=steps, groups=groups, **SINGLE)


@hidden(
    "Optimizer.step: in blocks, and noted",
    5,
    "`update` sees one block after the other, all of them once; then tell `note_change`.",
)
def step_blocks(agree, rng):
    p, g = rng.integers(-9, 9, (2, 300, int(rng.integers(400, 600)))).astype(np.float64)
    agree("stepped_by_blocks", p=p, g=g)
    p, g = rng.integers(-9, 9, (2, 200_001)).astype(np.float32)
    agree("stepped_by_blocks", p=p, g=g)


@hidden(
    "Optimizer.step: zero_grad",
    5,
    "grad becomes None in every group; with set_to_none=False, zeros where it lies, noted.",
)
def zero_grad(agree, rng):
    for set_to_none in (None, True, False):
        gradients = values(rng, (3,), (0,), (2, 2), ())
        agree("zeroed", gradients=gradients, set_to_none=set_to_none)


@shown(
    "Optimizer.state_dict: one parameter",
    3,
    "Parameters are numbered; arrays become Tensors on the same memory.",
)
def state_small(agree, rng):
    agree("saved", totals=values(rng, 2), groups=[{"params": [0], "lr": draw(rng)}])


@hidden(
    "Optimizer.state_dict: several groups",
    5,
    "Count through all groups in order; parameters without state are numbered and have no entry.",
)
def state_groups(agree, rng):
    totals = values(rng, (3,), (2, 2), (0,), (), (4,))
    groups = [
        {"params": [3, 0], "lr": draw(rng), "betas": (draw(rng), draw(rng))},
        {"params": [2], "lr": draw(rng), "nesterov": True},
        {"params": [4, 1], "lr": draw(rng), "initial_lr": draw(rng)},
    ]
    agree("saved", totals=totals, groups=groups)
    agree("saved", totals=totals[:3], groups=[{"params": [2, 1, 0]}])


def state_of(rng, *shapes):
    """The states of parameters, by number."""
    arrays = values(rng, *shapes)
    return {str(i): {"step": int(rng.integers(1, 9)), "total": x} for i, x in enumerate(arrays)}


@hidden(
    "Optimizer.state_dict: loading",
    5,
    "Match in order, by the numbers in `params`; old state goes, what was saved is copied.",
)
def load_random(agree, rng):
    sizes, state = [3, 2, 4], state_of(rng, 3, 2, 4)
    settings = [{"lr": draw(rng), "betas": [draw(rng), draw(rng)], "initial_lr": 1.0} for _ in "ab"]
    groups = [{**settings[0], "params": [0]}, {**settings[1], "params": [1, 2]}]
    agree("loaded", sizes=sizes, state=state, groups=groups, text=False)
    agree("loaded", sizes=sizes, state=state, groups=groups, text=True)
    some = {key: state[key] for key in ("1", "2")}
    agree("loaded", sizes=sizes, state=some, groups=groups, text=False)
    named = [{**settings[0], "params": [7]}, {**settings[1], "params": [3, 5]}]
    moved = {new: state[old] for new, old in (("7", "0"), ("3", "1"), ("5", "2"))}
    agree("loaded", sizes=sizes, state=moved, groups=named, text=False)


@hidden(
    "Optimizer.state_dict: what does not fit",
    5,
    "`_fitting_groups` and `_fitting_state` refuse; build all that is new, then assign it.",
)
def load_refused(agree, refuses, rng):
    state = state_of(rng, 3, 2)
    good = {"sizes": [3, 2], "state": state, "groups": [{"params": [0, 1], "lr": draw(rng)}]}
    (first,) = good["groups"]
    wrong = [
        {"groups": [{**first, "params": [0]}]},
        {"groups": [first, first]},
        {"groups": [{"params": [0, 1]}]},
        {"groups": [{**first, "lr": -1.0}]},
        {"state": {"0": state["0"], "1": state["0"]}},
        {"state": {**state, "5": state["0"]}},
        {"state": {"0": state["0"], "1": {"step": 1}}},
    ]
    for change in wrong:
        refuses("load", ValueError, bad={**good, **change}, good=good)
        agree("reloaded", **{**good, **change})
    agree("reloaded", **good)
