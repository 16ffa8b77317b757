"""Every operation of the lower modules has a rule, and rules agree with PyTorch and calculus."""

import ast
import importlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra import numpy as hnp

import tinytorch
from tests.tinytorch import gradients
from tinytorch import tensor as tensors
from tinytorch.autograd import RULES, check_grads, keep_array
from tinytorch.tensor import Tensor, from_numpy

HERE = Path(__file__).parent
with np.load(HERE / "fixtures" / "autograd.npz") as _file:
    FIXTURE = dict(_file)

# What they return is no float, or does not change where their input does: no gradient passes.
WITHOUT_RULE = [
    np.equal,
    np.not_equal,
    np.less,
    np.less_equal,
    np.greater,
    np.greater_equal,
    np.argmax,
]
# For use, not for training: statistics of a detached batch, int8, sparse rows, and a cache.
IN_USE = {
    "convolutions": {"channel_moments"},
    "quantization": {
        "quantized_linear_array",
        "quantized_conv2d_array",
        "quantized_embedding_array",
    },
    "compression": {"sparse_linear_array"},
    "memoization": {"last_attention_array"},
}
# Here a number stands where the slope jumps, or far out where differences drown in rounding.
KINKS = ("ties", "large", "edge", "single", "astype(np.float32)")
NAMESPACE = {name: getattr(tinytorch, name) for name in dir(tinytorch) if name.islower()}
CONSTANTS = {name: Tensor(x) for name, x in gradients.constants().items()}


def evaluate(expression, **inputs):
    """Compute an expression of tensors."""
    return eval(expression, {**NAMESPACE, **CONSTANTS, "np": np, **inputs})


def computed(expression, arrays):
    """The inputs of an expression, and its result, with gradients wanted."""
    inputs = {name: Tensor(x, requires_grad=True) for name, x in arrays.items()}
    return inputs, evaluate(expression, **inputs)


def recorded(tensor):
    """Collect the operations behind a tensor."""
    found, stack = set(), [tensor]
    while stack:
        recipe = getattr(stack.pop(), "recipe", None)
        if recipe:
            found.add(recipe.op)
            stack += recipe.inputs
    return found


@pytest.mark.parametrize("expression", gradients.EXPRESSIONS)
def test_the_gradient_is_pytorchs(expression):
    """Shape, dtype and numbers of the gradient of each input are those that PyTorch gave."""
    names = gradients.names(expression)
    inputs, result = computed(expression, gradients.inputs())
    result.backward(gradients.outer(result.shape))
    for name in names:
        got, want = inputs[name].grad.data, FIXTURE[f"{expression}|{name}"]
        assert (got.shape, got.dtype) == (want.shape, want.dtype)
        # PyTorch's 1e-12 in binary_cross_entropy is a float32.
        rough = np.float32 in (want.dtype, result.dtype) or "edge" in names
        np.testing.assert_allclose(got, want, rtol=1e-6 if rough else 1e-12, atol=1e-15)


def test_the_fixture_holds_every_expression_and_no_other():
    """After a change of the expressions the fixture is made anew."""
    wanted = {f"{e}|{name}" for e in gradients.EXPRESSIONS for name in gradients.names(e)}
    assert wanted == FIXTURE.keys()
    assert min(len(gradients.names(e)) for e in gradients.EXPRESSIONS) > 0


SMOOTH = [e for e in gradients.EXPRESSIONS if not any(kink in e for kink in KINKS)]


@pytest.mark.parametrize("expression", SMOOTH)
def test_the_gradient_is_the_slope(expression):
    """Finite differences in float64 agree to 1e-6."""
    arrays = {name: gradients.inputs()[name] for name in gradients.names(expression)}
    check_grads(
        lambda *x: evaluate(expression, **dict(zip(arrays, x, strict=True))), *arrays.values()
    )


@pytest.mark.parametrize(
    "expression", ["binary_cross_entropy(a, b)", "a.clip(b, c)", "where(a < b, a, c)"]
)
def test_constants_may_want_a_gradient_too(expression):
    """The truth of a loss, the bounds of clip: floats all of them."""
    a, b, c = np.random.default_rng(0).uniform(0.1, 0.9, (3, 2, 4))
    names = [name for name in "abc" if name in expression.replace("where", "").replace("clip", "")]
    arrays = {"a": a, "b": b, "c": b + c}
    check_grads(
        lambda *x: evaluate(expression, **dict(zip(names, x, strict=True))),
        *(arrays[name] for name in names),
    )


def test_logits_pass_a_gradient_to_the_truth():
    """With and without a weight for yes."""
    x, t = np.random.default_rng(0).normal(0, 1, (2, 3, 4))
    for q in (None, Tensor(np.array([0.5, 1.0, 2.0, 3.0]))):
        check_grads(
            lambda x, t, q=q: tinytorch.binary_cross_entropy_with_logits(x, t, pos_weight=q), x, t
        )


def test_every_rule_is_held_against_pytorch():
    """A rule without an expression in the fixture is not known to be right."""
    used = set()
    for expression in gradients.EXPRESSIONS:
        used |= recorded(computed(expression, gradients.inputs())[1])
    here = {op for op, rule in RULES.items() if rule.__module__ == "tinytorch.autograd"}
    own = here - {np.cbrt, keep_array}  # an example, and what `retain_grad` puts in between
    assert len(own) >= 39
    assert own - used == set()


laws = settings(deadline=None, max_examples=40)
PAIRS = ["x + y", "x - y", "x * y", "x / y", "x ** y", "maximum(x, y)", "where(x > y, x, y)"]
SINGLES = [
    "-x",
    "x * x * x",
    "(x * x + x) * x",
    "x.exp().log().sqrt().abs()",
    "x.clip(0.7, 1.2)",
    "x.sum()",
    "x.sum(axis=-1)",
    "x.mean(axis=0)",
    "x.max(axis=-1)",
    "x.min(axis=0)",
    "x.reshape(-1)",
    "x[::-1][..., ::2]",
    "cat([x, x * x], 0)",
    "tanh(x) + sigmoid(x) + relu(x - 1) + leaky_relu(x - 1) + gelu(x) + silu(x)",
    "softmax(x, -1)",
    "log_softmax(x, 0)",
]
EMPTY_FAILS = ("mean", "max", "min", "reshape")  # nothing has no mean, no largest, no shape of -1


def spaced(shape, seed):
    """Positive numbers in random order, no two near each other, nor near where a slope jumps."""
    size = int(np.prod(shape))
    return np.random.default_rng(seed).permutation(0.51 + 0.031 * np.arange(size)).reshape(shape)


@pytest.mark.parametrize("expression", PAIRS)
@laws
@given(shapes=hnp.mutually_broadcastable_shapes(num_shapes=2, min_side=0, max_side=3, max_dims=3))
def test_slopes_of_two_inputs_of_any_shapes_that_broadcast(expression, shapes):
    """Single numbers and empty tensors among them."""
    x, y = (spaced(shape, seed) for seed, shape in enumerate(shapes.input_shapes))
    check_grads(lambda x, y: evaluate(expression, x=x, y=y), x, y + 0.0137)


@pytest.mark.parametrize("expression", SINGLES)
@laws
@given(shape=hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=3))
def test_slopes_of_one_input_of_any_shape(expression, shape):
    """Reused tensors, whole chains, and views of every stride."""
    if 0 in shape and any(word in expression for word in EMPTY_FAILS):
        shape = (2, 1)
    check_grads(lambda x: evaluate(expression, x=x), spaced(shape, 0))
    axes = tuple(range(len(shape)))[::-1]
    check_grads(lambda x: evaluate(expression, x=x.permute(axes)), spaced(shape, 0))


@laws
@given(
    shapes=hnp.mutually_broadcastable_shapes(signature="(m,k),(k,n)->(m,n)", max_side=3, min_side=0)
)
def test_slopes_of_products_of_any_batches(shapes):
    """Each side may lack batch axes, or repeat along them."""
    x, y = (spaced(shape, seed) for seed, shape in enumerate(shapes.input_shapes))
    check_grads(lambda x, y: x @ y, x, y)


@pytest.mark.parametrize("expression", ["x * y", "x @ y", "linear(x, y)", "softmax(x + y, 0)"])
def test_inputs_of_any_stride_give_the_same_gradients(expression):
    """Transposed, reversed and stepped memory."""
    base = np.random.default_rng(3).normal(0, 1, (2, 6, 6))
    for view in (lambda a: a.T, lambda a: a[::-1, ::-1], lambda a: a[::2, ::2]):
        odd = [from_numpy(view(a), requires_grad=True) for a in base]
        even = [Tensor(view(a), requires_grad=True) for a in base]
        for x, y in (odd, even):
            evaluate(expression, x=x, y=y).backward(np.ones(odd[0].shape))
        for one, other in zip(odd, even, strict=True):
            np.testing.assert_allclose(one.grad.data, other.grad.data, rtol=1e-13)


def handed_to_apply(module):
    """The operations that a module's source hands to `apply`, also through helpers' parameters."""
    tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    parameters = {f.name: [a.arg for a in f.args.args] for f in functions}
    passing, found = {"apply": 0}, set()
    for _ in range(2):  # helpers first, then who calls them
        for scope in [*functions, tree]:
            for call in ast.walk(scope):
                if not isinstance(call, ast.Call) or getattr(call.func, "id", "") not in passing:
                    continue
                op = call.args[passing[call.func.id]]
                mine = parameters.get(getattr(scope, "name", ""), [])
                if isinstance(op, ast.Name) and op.id in mine:
                    passing[scope.name] = mine.index(op.id)
                elif not isinstance(op, ast.Name) or op.id not in {"op", "kernel"}:
                    found.add(eval(ast.unparse(op), vars(module)))
    return found


MODULES = [
    name for name in tinytorch.MODULES if (HERE.parents[1] / f"tinytorch/{name}.py").is_file()
]


@pytest.mark.parametrize("name", MODULES)
def test_every_operation_that_passes_through_apply_has_a_rule(name):
    """Write one in module 06, or beside the operation from module 09 on."""
    module = importlib.import_module(f"tinytorch.{name}")
    missing = handed_to_apply(module) - RULES.keys() - set(WITHOUT_RULE)
    assert {op.__name__ for op in missing} == IN_USE.get(name, set())


def test_operations_are_found_in_the_source():
    """The search sees those of plain calls, of helpers such as `_binary`, and of kernels."""
    found = handed_to_apply(tensors)
    assert {np.add, np.exp, np.negative, np.argmax, tensors.cast, tensors.concatenate} <= found
    assert len(found) >= 32
    assert tinytorch.losses.cross_entropy_array in handed_to_apply(tinytorch.losses)
    assert np.equal in found and np.equal not in RULES


@pytest.mark.parametrize("pos_weight", [None, [3.0, 3.0]])
def test_the_truth_of_binary_cross_entropy_has_a_gradient_at_any_score(pos_weight):
    """(q - 1) log(1 + exp(-x)) - x is finite where the sigmoid is 0 in floats."""
    x = Tensor([-1000.0, 1000.0])
    truth = Tensor([0.3, 0.2], requires_grad=True)
    weight = None if pos_weight is None else Tensor(pos_weight)
    tinytorch.binary_cross_entropy_with_logits(
        x, truth, pos_weight=weight, reduction="sum"
    ).backward()
    expected = [1000.0, -1000.0] if pos_weight is None else [3000.0, -1000.0]
    assert truth.grad.tolist() == expected
