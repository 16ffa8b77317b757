"""Hidden and shown checks of 08_training; otter-grader runs this file in the trusted process."""

import numpy as np
from otter.test_files import test_case

OK_FORMAT = False
name = "08_training"
points = 100

# Many small steps on two machines' worth of BLAS: equal to ten digits and more in float64.
TRAINED = {"rtol": 1e-7, "atol": 1e-9}


def rates(rng):
    return rng.uniform(0.01, 0.5, 2).tolist()


def gradients(rng, dtype=np.float64, scale=1.0):
    shapes = [(3, 4), (4,), (2, 1, 3)]
    return [(scale * rng.normal(0, 2, shape)).astype(dtype) for shape in shapes]


def classes(rng, rows):
    return {"x": rng.normal(0, 1, (rows, 4)), "y": rng.integers(0, 3, rows)}


@test_case(
    name="StepLR.rate: random step sizes",
    points=3,
    hidden=True,
    failure_message="gamma to the power of epoch // step_size, for every group.",
)
def step_random(agree, rng):
    for _ in range(3):
        settings = [int(rng.integers(2, 6)), float(rng.uniform(0.2, 0.9))]
        agree("schedule", kind="StepLR", settings=settings, rates=rates(rng), epochs=20)


@test_case(
    name="StepLR.rate: every epoch, late ones, and upwards",
    points=3,
    hidden=True,
    failure_message="With step_size 1 the first change is in epoch 1; gamma may exceed 1.",
)
def step_edges(agree, rng):
    for settings in ([1, 0.5], [7], [3, float(rng.uniform(1.1, 1.5))], [100, 0.1]):
        agree("schedule", kind="StepLR", settings=settings, rates=rates(rng), epochs=25)


@test_case(
    name="CosineAnnealingLR.rate: from 1 to 0 in four epochs",
    points=2,
    hidden=False,
    failure_message="Half of a cosine: 1, 0.8536, 0.5, 0.1464, 0; a straight line is another.",
)
def cosine_small(agree, rng):
    agree("schedule", kind="CosineAnnealingLR", settings=[4], rates=[1.0], epochs=5)
    agree("schedule", kind="CosineAnnealingLR", settings=[4], rates=rates(rng), epochs=5)


@test_case(
    name="CosineAnnealingLR.rate: down to a minimum",
    points=4,
    hidden=True,
    failure_message="eta_min is the rate in epoch T_max: only base_lr - eta_min is multiplied.",
)
def cosine_minimum(agree, rng):
    for _ in range(3):
        settings = [int(rng.integers(5, 20)), float(rng.uniform(0.001, 0.009))]
        epochs = settings[0] + 1
        agree(
            "schedule", kind="CosineAnnealingLR", settings=settings, rates=rates(rng), epochs=epochs
        )


@test_case(
    name="CosineAnnealingLR.rate: and up again",
    points=4,
    hidden=True,
    failure_message="After T_max the cosine goes on, and the rate with it: nothing is cut off.",
)
def cosine_beyond(agree, rng):
    for _ in range(2):
        settings = [int(rng.integers(2, 8)), float(rng.uniform(0.001, 0.009))]
        agree("schedule", kind="CosineAnnealingLR", settings=settings, rates=rates(rng), epochs=30)


@test_case(
    name="LinearLR.rate: a warm-up",
    points=4,
    hidden=True,
    failure_message="start_factor in epoch 0, end_factor in epoch total_iters, a straight line.",
)
def linear_up(agree, rng):
    for _ in range(3):
        settings = [float(rng.uniform(0.01, 0.9)), 1.0, int(rng.integers(2, 9))]
        agree("schedule", kind="LinearLR", settings=settings, rates=rates(rng), epochs=settings[2])


@test_case(
    name="LinearLR.rate: downwards, and what comes after",
    points=4,
    hidden=True,
    failure_message="After total_iters the factor stays end_factor.",
)
def linear_down(agree, rng):
    for _ in range(3):
        settings = [1.0, float(rng.uniform(0.1, 0.9)), int(rng.integers(2, 9))]
        agree("schedule", kind="LinearLR", settings=settings, rates=rates(rng), epochs=20)
    agree("schedule", kind="LinearLR", settings=[0.3, 0.3, 1], rates=rates(rng), epochs=4)
    agree("schedule", kind="LinearLR", settings=[], rates=rates(rng), epochs=9)


@test_case(
    name="SequentialLR.rate: two schedulers",
    points=4,
    hidden=True,
    failure_message="Epoch milestones[0] belongs to the second, for which it is epoch 0.",
)
def sequence_of_two(agree, rng):
    for _ in range(3):
        slopes = rng.uniform(-1, 1, 2).tolist()
        milestones = [int(rng.integers(1, 9))]
        agree("sequence", slopes=slopes, milestones=milestones, rates=rates(rng), epochs=12)


@test_case(
    name="SequentialLR.rate: one, four, and those that follow at once",
    points=4,
    hidden=True,
    failure_message="Each counts its epochs from its own milestone, the first from 0.",
)
def sequence_of_many(agree, rng):
    for milestones in ([], [3, 4, 11], [1, 2, 3], [2, 7]):
        slopes = rng.uniform(-1, 1, len(milestones) + 1).tolist()
        agree("sequence", slopes=slopes, milestones=milestones, rates=rates(rng), epochs=15)


@test_case(
    name="clip_grad_norm_: three and four make five",
    points=2,
    hidden=False,
    failure_message="The norm of all gradients together, before; one factor for all, in place.",
)
def norm_small(agree, rng):
    inputs = {"missing": 0, "norm_type": None, "single": False}
    agree("clip_norm", gradients=[np.array([3.0]), np.array([4.0])], max_norm=1.0, **inputs)
    agree("clip_norm", gradients=gradients(rng), max_norm=0.5, **inputs)


@test_case(
    name="clip_grad_norm_: random gradients, large and small",
    points=6,
    hidden=True,
    failure_message="A norm below max_norm stays; one factor for all; dtype and memory are kept; "
    "note_change is told.",
)
def norm_random(agree, rng):
    for scale, max_norm in ((1, 2.0), (0.001, 2.0), (30, 0.1), (1, 0.0)):
        inputs = {"missing": int(rng.integers(0, 3)), "max_norm": max_norm, "single": False}
        agree("clip_norm", gradients=gradients(rng, scale=scale), norm_type=None, **inputs)
        single = gradients(rng, np.float32, scale)
        agree("clip_norm", gradients=single, norm_type=2.0, **inputs, rtol=1e-5)
    agree("clipped_is_noted", name="clip_grad_norm_", bound=1.0)


@test_case(
    name="clip_grad_norm_: other norms, one tensor, none, and what is refused",
    points=6,
    hidden=True,
    failure_message="norm_type p is (Σ|g|ᵖ)^(1/p), inf the largest |g|; see the errors.",
)
def norm_others(agree, refuses, rng):
    for p in (1.0, 3.0, 0.5, float("inf"), float(rng.uniform(1.5, 4))):
        inputs = {"missing": 1, "max_norm": 1.5, "norm_type": p, "single": False}
        agree("clip_norm", gradients=gradients(rng), **inputs)
    inputs = {"missing": 0, "max_norm": 0.5, "norm_type": None, "single": True}
    agree("clip_norm", gradients=[rng.normal(0, 2, 5)], **inputs)
    agree("clip_norm_of_nothing")
    good = {"gradient": rng.normal(0, 1, 4), "max_norm": 1.0}
    refuses("clip_strictly", ValueError, bad={**good, "max_norm": -1.0}, good=good)
    for wrong in (np.nan, np.inf):
        bad = {**good, "gradient": np.array([1.0, wrong])}
        refuses("clip_strictly", RuntimeError, bad=bad, good=good)


@test_case(
    name="clip_grad_value_: random gradients",
    points=3,
    hidden=True,
    failure_message="Each element into [-clip_value, clip_value], both sides, in place.",
)
def value_random(agree, rng):
    for dtype in (np.float32, np.float64):
        inputs = {"missing": int(rng.integers(0, 3)), "bound": float(rng.uniform(0.3, 2))}
        agree("clip_value", gradients=gradients(rng, dtype), single=False, **inputs)


@test_case(
    name="clip_grad_value_: one tensor, a bound of 0, and below",
    points=3,
    hidden=True,
    failure_message="One tensor stands for a list; a negative bound is refused; note_change.",
)
def value_edges(agree, refuses, rng):
    good = {"gradients": [rng.normal(0, 2, 6)], "missing": 0, "bound": 0.75, "single": True}
    agree("clip_value", **{**good, "bound": 0.0})
    agree("clipped_is_noted", name="clip_grad_value_", bound=1.0)
    refuses("clip_value", ValueError, bad={**good, "bound": -0.5}, good=good)


def numbers(rng):
    """Arrays of several dtypes and shapes."""
    return [
        rng.normal(0, 1, (2, 3)),
        rng.normal(0, 1, 3).astype(np.float32),
        rng.integers(0, 9, (2, 2)),
        rng.normal(0, 1, 2).astype(np.float32),
    ]


@test_case(
    name="pack: one value of each kind",
    points=2,
    hidden=False,
    failure_message="See the table of kinds in the docstring, and its example.",
)
def pack_kinds(agree, rng):
    agree("pack", numbers=numbers(rng), text="a", n=0)


@test_case(
    name="pack: other values, and what is refused; unpack: every kind",
    points=6,
    hidden=True,
    failure_message="Keys stay what they are, tuples stay tuples; anything else is a TypeError.",
)
def pack_random(agree, refuses, rng):
    agree("pack", numbers=numbers(rng), text="{}[]\u00e9", n=int(rng.integers(1, 2**62)) * 2**50)
    good = {"kind": "list", "numbers": rng.normal(0, 1, 3)}
    for kind in ("set", "objects", "dates", "texts", "bytes", "key", "object", "inner"):
        refuses("pack_odd", TypeError, bad={**good, "kind": kind}, good=good)
    tree = {
        "dict": [["a", [1, None, {"tensor": 1}]], [7, {"tuple": [{"array": 0}, {"tuple": []}]}]]
    }
    good = {"tree": tree, "numbers": numbers(rng)[:2]}
    agree("unpack", **good)
    bad = {**good, "tree": {"dict": [["a", {"code": 0}]]}}
    refuses("unpack", ValueError, bad=bad, good=good)


@test_case(
    name="pack: through a file in memory and back by unpack",
    points=6,
    hidden=True,
    failure_message="What comes back has the same types, keys and bits, also 128-bit integers.",
)
def pack_round_trip(agree, rng):
    for dtype in (np.float32, np.float64):
        inputs = rng.normal(0, 1, (3, 2)).astype(dtype)
        found = agree("round_trip", numbers=inputs, seed=int(rng.integers(1000)))
        assert found[-1].tobytes() == found[-2].tobytes()


@test_case(
    name="Trainer.train_step: one batch",
    points=3,
    hidden=False,
    failure_message="zero_grad, forward, loss, backward, step; return the loss before the step.",
)
def step_of_one(agree, rng):
    inputs = {"sizes": [8], "seed": int(rng.integers(1000)), "clip": None, "steps": 3}
    agree("train_step", **classes(rng, 8), **inputs, **TRAINED)


@test_case(
    name="Trainer.train_step: several batches are one big batch",
    points=5,
    hidden=True,
    failure_message="A batch's share is its samples by all samples, not 1 by the batches.",
)
def step_of_several(agree, rng):
    inputs = {"seed": int(rng.integers(1000)), "clip": None, "steps": 3, **classes(rng, 12)}
    whole = agree("train_step", sizes=[12], **inputs, **TRAINED)
    for sizes in ([4, 4, 4], [7, 3, 2], [1, 11]):
        parts = agree("train_step", sizes=sizes, **inputs, **TRAINED)
        for one, other in zip(parts[1], whole[1], strict=True):
            np.testing.assert_allclose(one, other, **TRAINED)


@test_case(
    name="Trainer.train_step: clipping, several inputs, and no step into NaN",
    points=6,
    hidden=True,
    failure_message="Clip once, between the last backward and the step; call `_refuse_loss` and "
    "`_refuse_gradients` where the docstring says.",
)
def step_refusals(agree, refuses, rng):
    inputs = {"sizes": [5, 3], "seed": int(rng.integers(1000)), "steps": 3}
    for clip in (0.05, 0.0):
        agree("train_step", clip=clip, **classes(rng, 8), **inputs, **TRAINED)
    a, b, y = rng.normal(0, 1, (3, 5, 2))
    agree("train_step_inputs", a=a, b=b, y=y[:, :1], seed=int(rng.integers(1000)), **TRAINED)
    x, y = rng.normal(0, 1, (5, 2)), rng.normal(0, 1, (5, 3))
    good = {"x": x, "y": y, "where": "nowhere", "seed": int(rng.integers(1000))}
    for where, layer in (("loss", "second"), ("gradient", "first")):
        words, bad = ("step 1", where, f"'{layer}'", "unchanged: True"), {**good, "where": where}
        refuses("train_step_bad", FloatingPointError, *words, bad=bad, good=good)


@test_case(
    name="Trainer.evaluate: means over samples",
    points=4,
    hidden=True,
    failure_message="Each batch counts by its samples, for the loss and for every metric.",
)
def evaluate_means(agree, refuses, rng):
    seed = int(rng.integers(1000))
    for sizes in ([10], [4, 4, 2], [1, 9]):
        agree("evaluate", **classes(rng, 10), sizes=sizes, seed=seed, **TRAINED)
    good = {**classes(rng, 10), "sizes": [10], "seed": seed}
    refuses("evaluate", ValueError, bad={**good, "sizes": []}, good=good)


@test_case(
    name="Trainer.evaluate: modes and recording",
    points=4,
    hidden=True,
    failure_message="eval mode and no_grad while it lasts; each module's own mode afterwards.",
)
def evaluate_modes(agree, rng):
    for fail in (False, True):
        seed = int(rng.integers(1000))
        agree("evaluate_modes", **classes(rng, 6), seed=seed, fail=fail, **TRAINED)


@test_case(
    name="Trainer.state_dict: a resumed training equals an uninterrupted one",
    points=7,
    hidden=True,
    failure_message="Model, optimizer, scheduler, loader, generator, numbers: which is missing?",
)
def resume_everywhere(agree, rng):
    for stop, accumulate, own in ((8, 1, True), (2, 1, False), (3, 2, False)):
        settings = {"stop": stop, "accumulate": accumulate, "own": own}
        seed = int(rng.integers(1000))
        found = agree("resume", **classes(rng, 18), seed=seed, **settings, **TRAINED)
        for one, other in zip(found[0][0], found[1][0], strict=True):
            assert one.tobytes() == other.tobytes()


@test_case(
    name="Trainer.state_dict: its own numbers, and states of other trainers",
    points=5,
    hidden=True,
    failure_message="Own numbers are copied both ways; a state with other keys is refused.",
)
def state_copies(agree, refuses, rng):
    agree("state_is_a_copy", seed=int(rng.integers(1000)))
    good = {"seed": int(rng.integers(1000)), "forget": ""}
    for forget in ("scheduler", "loader", "running", "nothing"):
        refuses("load_other", ValueError, bad={**good, "forget": forget}, good=good)
