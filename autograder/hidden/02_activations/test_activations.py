"""Hidden and shown checks of 02_activations; otter-grader runs this file in the trusted process."""

import numpy as np
from otter.test_files import test_case

OK_FORMAT = False
name = "02_activations"
points = 100

# float32 formulas that are equal on paper differ by a few units in the seventh digit.
SINGLE = {"rtol": 1e-5, "atol": 1e-6}
FAR = np.array([-1000.0, -200.0, -90.0, 90.0, 200.0, 1000.0])
REFUSE_INTS = "Integers and arrays are refused with a TypeError: hand x to `_floats` first."


def agree_on_random(agree, rng, function):
    """Compare float32, float64, a single number and a view, all of them random."""
    agree("call", name=function, x=rng.normal(0, 2, (4, 7)).astype(np.float32), **SINGLE)
    agree("call", name=function, x=rng.normal(0, 2, (2, 3, 2)))
    agree("call", name=function, x=np.array(rng.normal(0, 2)))
    agree("call_view", name=function, x=rng.normal(0, 2, (5, 6)))


def agree_far_out(agree, refuses, rng, function):
    """Compare ±1000 in both dtypes and an empty array; refuse whole numbers, and mere arrays."""
    x = np.concatenate([FAR, rng.normal(0, 1, 3)])
    agree("call", name=function, x=x)
    agree("call", name=function, x=x.astype(np.float32), **SINGLE)
    agree("call", name=function, x=np.zeros((0, 3), np.float32))
    good = {"name": function, "x": x, "tensor": True}
    ints = rng.integers(1, 9, 4)
    refuses("call_plain", TypeError, "int64", bad={**good, "x": ints}, good=good)
    refuses("call_plain", TypeError, bad={**good, "tensor": False}, good=good)


def agree_along_every_dim(agree, rng, function):
    """Compare every dim of random scores in both dtypes."""
    agree("along_every", name=function, x=rng.normal(0, 3, (2, 3, 4)))
    agree("along_every", name=function, x=rng.normal(0, 3, (3, 5)).astype(np.float32), **SINGLE)
    agree("along", name=function, x=rng.normal(0, 3, (4, 3)), dim=int(rng.integers(-2, 2)))


def agree_on_large_scores(agree, rng, function):
    """Compare scores around ±1000, where exp overflows or gives nothing but zeros."""
    scores = rng.normal(0, 2, (3, 4)) + np.array([[1000.0], [-1000.0], [0.0]])
    agree("along", name=function, x=scores, dim=1)
    agree("along", name=function, x=scores, dim=0)
    agree("along", name=function, x=scores.astype(np.float32), dim=1, rtol=1e-4, atol=1e-4)


def refuse_wrong_dims_and_dtypes(refuses, rng, function):
    """Demand IndexError for a dim that is not there, TypeError for whole numbers and arrays."""
    good = {"name": function, "x": rng.normal(0, 1, (2, 3)), "dim": -1, "tensor": True}
    refuses("along_plain", IndexError, "2", bad={**good, "dim": 2}, good=good)
    refuses("along_plain", IndexError, "-3", bad={**good, "dim": -3}, good=good)
    refuses("along_plain", IndexError, bad={**good, "x": np.array(1.5)}, good=good)
    refuses("along_plain", TypeError, bad={**good, "tensor": False}, good=good)
    refuses("along_plain", TypeError, bad={**good, "dim": 0.5}, good=good)
    ints = rng.integers(1, 9, (2, 3))
    refuses("along_plain", TypeError, "int64", bad={**good, "x": ints}, good=good)


@test_case(
    name="relu: a small matrix",
    points=2,
    hidden=False,
    failure_message="relu(x) = max(x, 0): what is negative becomes 0, the rest stays.",
)
def relu_small(agree, rng):
    agree("call", name="relu", x=np.array([[-2.0, 0.0, 3.0], [0.5, -0.1, -7.0]]))
    agree("call", name="relu", x=rng.normal(0, 1, 5))


@test_case(
    name="relu: random numbers",
    points=3,
    hidden=True,
    failure_message="Any shape and any stride; float32 in, float32 out; x itself must not change.",
)
def relu_random(agree, rng):
    agree_on_random(agree, rng, "relu")


@test_case(
    name="relu: far out, and NaN",
    points=3,
    hidden=True,
    failure_message=f"relu(-inf) is 0, relu(NaN) is NaN. {REFUSE_INTS}",
)
def relu_far_out(agree, refuses, rng):
    agree_far_out(agree, refuses, rng, "relu")
    agree("call", name="relu", x=np.array([-np.inf, np.inf, np.nan, 1.0]), finite=False)


@test_case(
    name="leaky_relu: random slopes",
    points=5,
    hidden=True,
    failure_message="The slope is an argument, 0.01 if none is given; it may exceed 1.",
)
def leaky_relu_random(agree, rng):
    agree_on_random(agree, rng, "leaky_relu")
    for slope in (float(rng.uniform(0.1, 0.9)), float(rng.uniform(1.5, 4))):
        agree("leaky", x=rng.normal(0, 3, (3, 4)).astype(np.float32), slope=slope, **SINGLE)
    agree("leaky", x=rng.normal(0, 3, 6), slope=0.0)


@test_case(
    name="leaky_relu: far out",
    points=5,
    hidden=True,
    failure_message=f"Try -1000 with a slope of your choice, and ±inf. {REFUSE_INTS}",
)
def leaky_relu_far_out(agree, refuses, rng):
    agree_far_out(agree, refuses, rng, "leaky_relu")
    agree("leaky", x=FAR, slope=float(rng.uniform(0.1, 0.9)))
    agree("leaky", x=np.array([-np.inf, np.inf, np.nan]), slope=0.5, finite=False)


@test_case(
    name="sigmoid: one half at zero, and both sides of it",
    points=3,
    hidden=False,
    failure_message="sigmoid(x) = 1 / (1 + exp(-x)).",
)
def sigmoid_small(agree, rng):
    agree("call", name="sigmoid", x=np.array([-2.0, 0.0, 2.0]))
    agree("call", name="sigmoid", x=rng.normal(0, 2, (2, 3)))


@test_case(
    name="sigmoid: random numbers",
    points=5,
    hidden=True,
    failure_message="Any shape and any stride; float32 in, float32 out; x itself must not change.",
)
def sigmoid_random(agree, rng):
    agree_on_random(agree, rng, "sigmoid")


@test_case(
    name="sigmoid: far out",
    points=6,
    hidden=True,
    failure_message=f"At -1000, exp(-x) overflows: use exp(-|x|). {REFUSE_INTS}",
)
def sigmoid_far_out(agree, refuses, rng):
    agree_far_out(agree, refuses, rng, "sigmoid")


@test_case(
    name="tanh: random numbers",
    points=3,
    hidden=True,
    failure_message="Any shape and any stride; float32 in, float32 out; x itself must not change.",
)
def tanh_random(agree, rng):
    agree_on_random(agree, rng, "tanh")


@test_case(
    name="tanh: far out",
    points=3,
    hidden=True,
    failure_message=f"By exp, tanh(1000) is inf / inf; NumPy has a tanh. {REFUSE_INTS}",
)
def tanh_far_out(agree, refuses, rng):
    agree_far_out(agree, refuses, rng, "tanh")


@test_case(
    name="gelu: around zero",
    points=3,
    hidden=False,
    failure_message="½ x (1 + tanh(√(2/π) (x + 0.044715 x³))): check constant and root.",
)
def gelu_small(agree, rng):
    agree("call", name="gelu", x=np.linspace(-3, 3, 13) + rng.uniform(-0.1, 0.1))


@test_case(
    name="gelu: random numbers",
    points=6,
    hidden=True,
    failure_message="Any shape and any stride; float32 in, float32 out; x itself must not change.",
)
def gelu_random(agree, rng):
    agree_on_random(agree, rng, "gelu")


@test_case(
    name="gelu: far out",
    points=5,
    hidden=True,
    failure_message=f"gelu(-1000) is 0, gelu(1000) is 1000, without a warning. {REFUSE_INTS}",
)
def gelu_far_out(agree, refuses, rng):
    agree_far_out(agree, refuses, rng, "gelu")


@test_case(
    name="silu: random numbers",
    points=5,
    hidden=True,
    failure_message="x · sigmoid(x), no factor in the sigmoid; float32 in, float32 out.",
)
def silu_random(agree, rng):
    agree_on_random(agree, rng, "silu")


@test_case(
    name="silu: far out",
    points=5,
    hidden=True,
    failure_message=f"silu is as stable as the sigmoid in it. {REFUSE_INTS}",
)
def silu_far_out(agree, refuses, rng):
    agree_far_out(agree, refuses, rng, "silu")


@test_case(
    name="softmax: odds of one to three",
    points=3,
    hidden=False,
    failure_message="exp of each score, divided by the sum of them along dim.",
)
def softmax_small(agree, rng):
    agree("along", name="softmax", x=np.log([[1.0, 3.0], [2.0, 2.0]]), dim=1)
    agree("along", name="softmax", x=rng.normal(0, 1, (2, 3)), dim=1)


@test_case(
    name="softmax: every dim of random scores",
    points=7,
    hidden=True,
    failure_message="The sum runs along dim, keepdims=True keeps shapes fit for the division.",
)
def softmax_random(agree, rng):
    agree_along_every_dim(agree, rng, "softmax")


@test_case(
    name="softmax: scores around a thousand",
    points=6,
    hidden=True,
    failure_message="Subtract the largest score along dim before exp.",
)
def softmax_large(agree, rng):
    agree_on_large_scores(agree, rng, "softmax")


@test_case(
    name="softmax: wrong input, and none",
    points=4,
    hidden=True,
    failure_message="`_floats` and `_dim` refuse wrong input; shape (2, 0) gives shape (2, 0).",
)
def softmax_refusals(agree, refuses, rng):
    refuse_wrong_dims_and_dtypes(refuses, rng, "softmax")
    agree("along_every", name="softmax", x=np.zeros((2, 0), np.float32))


@test_case(
    name="log_softmax: odds of one to three",
    points=3,
    hidden=False,
    failure_message="log_softmax of [0, log 3] is [log ¼, log ¾].",
)
def log_softmax_small(agree, rng):
    agree("along", name="log_softmax", x=np.log([[1.0, 3.0], [2.0, 2.0]]), dim=1)
    agree("along", name="log_softmax", x=rng.normal(0, 1, (2, 3)), dim=1)


@test_case(
    name="log_softmax: every dim of random scores, and wrong ones",
    points=8,
    hidden=True,
    failure_message="The sum runs along dim; `_floats` and `_dim` refuse wrong input.",
)
def log_softmax_random(agree, refuses, rng):
    agree_along_every_dim(agree, rng, "log_softmax")
    refuse_wrong_dims_and_dtypes(refuses, rng, "log_softmax")
    agree("along_every", name="log_softmax", x=np.zeros((2, 0), np.float32))


@test_case(
    name="log_softmax: scores around a thousand",
    points=7,
    hidden=True,
    failure_message="The log of a probability that is 0 is -inf: never form the probability.",
)
def log_softmax_large(agree, rng):
    agree_on_large_scores(agree, rng, "log_softmax")
