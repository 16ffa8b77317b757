"""Layers hold, name, order and show what PyTorch's do, and answer the same; each keeps its laws."""

import copy
import doctest
import pickle
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinytorch
from tinytorch import layers
from tinytorch.layers import (
    Dropout,
    Flatten,
    Identity,
    Linear,
    Module,
    Parameter,
    Sequential,
    contents,
    dropout,
    linear,
    linear_array,
    set_caller,
)
from tinytorch.tensor import Tensor, from_numpy, manual_seed, set_recording

with np.load(Path(__file__).parent / "fixtures" / "layers.npz") as _file:
    FIXTURE = dict(_file)

PYTORCH_NAMES = {name: getattr(tinytorch, name) for name in (*layers.__all__, "zeros", "ones")}
PYTORCH_NAMES |= {name: getattr(tinytorch, name) for name in tinytorch.activations.__all__}
PYTORCH_NAMES |= {"OrderedDict": OrderedDict}
laws = settings(deadline=None, max_examples=40)


class Node(Module):
    """A module with the parts that a test gives it."""

    def __init__(self, **parts):
        super().__init__()
        for name, part in parts.items():
            setattr(self, name, part)


def held(source):
    """What the model of a source holds, as the oracle writes it."""
    space = dict(PYTORCH_NAMES)
    exec(source, space)
    model = space["model"]
    state = [f"{name} {tuple(tensor.shape)}" for name, tensor in model.state_dict().items()]
    found = (model.named_parameters(), model.named_buffers(), model.named_modules())
    lists = [[name for name, _ in one] for one in found]
    return ["\n".join(lines) for lines in ([repr(model)], state, *lists)]


@pytest.mark.parametrize("index", range(len(FIXTURE["models"])))
def test_a_model_holds_what_pytorchs_does(index):
    """Text, state, parameters, buffers and modules: the same names in the same order."""
    assert held(str(FIXTURE["models"][index])) == FIXTURE["holds"][index].tolist()


@pytest.mark.parametrize("key", [key for key in FIXTURE if key.startswith("y.")])
def test_linear_gives_pytorchs_result(key):
    """Values, shape and dtype, for any number of axes, with bias and without."""
    _, which, case, dtype = key.split(".")
    arrays = [FIXTURE[name].astype(dtype) for name in (f"x.{case}", "weight", "bias")]
    tensors = list(map(Tensor, arrays))[: 2 + (which == "bias")]
    got, want = linear(*tensors).data, FIXTURE[key]
    assert (got.dtype, got.shape) == (want.dtype, want.shape)
    np.testing.assert_allclose(got, want, rtol=1e-12 if dtype == "float64" else 1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["weight", "bias"])
def test_a_new_layer_is_distributed_as_pytorchs(name):
    """Twenty-one quantiles of the first numbers, from the least to the largest."""
    manual_seed(0)
    numbers = getattr(Linear(64, 20_000), name).data
    want = FIXTURE[f"quantiles.{name}"]
    np.testing.assert_allclose(np.quantile(numbers, np.linspace(0, 1, 21)), want, atol=0.003)


def test_every_fixture_is_used():
    """Nothing is skipped because a name in the fixture is misspelt."""
    cases = [key for key in FIXTURE if key.startswith("x.")]
    assert len(FIXTURE) == 2 + len(cases) + 4 * len(cases) + 2 + 2
    assert len(FIXTURE["models"]) == len(FIXTURE["holds"]) == 16


def test_linear_is_one_operation_and_views_are_as_good_as_copies():
    """One recipe with x, weight and bias as inputs: one rule differentiates it."""
    layer, x = Linear(5, 4), from_numpy(np.asfortranarray(np.ones((3, 5), np.float32)))
    y = layer(x)
    assert y.recipe.op is linear_array
    assert y.recipe.inputs == (x, layer.weight, layer.bias) and y.recipe.kwargs == {}
    np.testing.assert_allclose(y.data, layer(Tensor(x.data.copy())).data, rtol=1e-6)
    wide = from_numpy(np.ones((2, 3, 10), np.float32)[:, :, ::2])
    assert layer(wide).data[1, 2] == pytest.approx(y.data[0], rel=1e-6)
    assert Linear(5, 4, bias=False)(x).recipe.inputs[2] is None


@laws
@given(p=st.floats(0.05, 0.95), seed=st.integers(0, 2**32 - 1), double=st.booleans())
def test_dropout_zeroes_or_scales(p, seed, double):
    """Every element is 0 or x / (1 - p); about a share p is 0; the seed decides which."""
    x = Tensor(np.linspace(1, 2, 4000, dtype=np.float64 if double else np.float32).reshape(40, 100))
    manual_seed(seed)
    y = dropout(x, p).data
    manual_seed(seed)
    np.testing.assert_array_equal(y, Dropout(p)(x).data)
    assert y.dtype == x.dtype
    np.testing.assert_allclose(y, np.where(y == 0, 0, x.data / (1 - p)), rtol=1e-6)
    assert abs((y == 0).mean() - p) < 6 * np.sqrt(p * (1 - p) / x.size)


def test_dropout_off_is_no_operation():
    """In eval, with p = 0, and for ints outside of training, the very same tensor comes back."""
    x, ints, layer = Tensor([1.0]), Tensor([1, 2]), Dropout(0.9).eval()
    assert layer(x) is x and layer(ints) is ints and Dropout(0.0)(x) is x
    assert dropout(Tensor([np.inf]), 0.0).tolist() == [np.inf]


def test_dropout_is_recorded_as_one_product():
    """Its gradient is the mask: no rule of its own is needed."""
    x = Tensor(np.ones((3, 4)), requires_grad=True)
    y = dropout(x, 0.5)
    assert y.recipe.op is np.multiply and y.recipe.inputs[0] is x
    np.testing.assert_array_equal(y.recipe.inputs[1], y.data)
    assert dropout(Tensor(1.0), 0.5).shape == ()


nested = st.recursive(
    st.integers(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text("abc", min_size=1), inner),
)


@laws
@given(value=nested)
def test_contents_leads_to_what_it_names(value):
    """Following the path of each name arrives at its thing, and nothing is left out."""
    found = list(contents("it", value))
    for name, leaf in found:
        at = value
        for key in name.split(".")[1:]:
            at = at[int(key) if isinstance(at, list) else key]
        assert at is leaf and not isinstance(leaf, list | dict)
    # Integers hold no bracket, comma or colon, so every leaf is one run of digits in the text.
    digits = "".join(c if c in "-0123456789" else " " for c in repr(value))
    assert len(digits.split()) == len(found)


def test_lists_are_read_when_asked_and_not_when_assigned():
    """A layer appended later is found; as are those in tuples and in dicts of lists."""
    model = Node(blocks=[Linear(1, 1)], pair=(Parameter([1.0]), 3), heads={"a": [Identity()]})
    model.blocks.append(Linear(1, 1, bias=False))
    names = [name for name, _ in model.named_parameters()]
    assert names == ["pair.0", "blocks.0.weight", "blocks.0.bias", "blocks.1.weight"]
    assert [name for name, _ in model.named_children()] == ["blocks.0", "blocks.1", "heads.a.0"]
    assert repr(Node(acts=[Identity(), tinytorch.relu])) == (
        "Node(\n  (acts.0): Identity()\n  (acts.1): relu\n)"
    )


@pytest.mark.parametrize("make", [Parameter, lambda data: Parameter(Tensor(data))])
def test_a_parameter_shares_memory_with_what_it_is_made_of(make):
    """Arrays and tensors are not copied; the result of an operation is a plain Tensor."""
    data = np.ones(3)
    parameter = make(data)
    assert parameter.requires_grad and isinstance(parameter, Tensor)
    assert np.shares_memory(parameter.data, data) == (make is Parameter)
    assert type(parameter * 2) is type(parameter.detach()) is type(parameter.clone()) is Tensor
    assert Parameter([1.0, 2.0]).dtype == np.float32
    assert repr(Parameter(1.5)) == "Parameter containing:\nTensor(1.5, requires_grad=True)"


def test_attributes_are_deleted_and_replaced():
    """What is gone is no longer registered, and its name is free for anything."""
    model = Node(w=Parameter([1.0]), part=Linear(1, 1))
    model.register_buffer("mean", np.zeros(2))
    model.part = tinytorch.relu
    del model.w, model.mean
    model.mean = Tensor([1.0])
    assert list(model.state_dict()) == list(model.named_buffers()) == []
    with pytest.raises(AttributeError, match="'Node' object has no attribute 'w'"):
        del model.w
    with pytest.raises(AttributeError, match="'Node' object has no attribute 'wieght'"):
        _ = model.wieght


def test_buffers_are_state_and_not_learned():
    """They may be replaced by other tensors; only persistent ones are saved; each comes once."""
    model, shared = Node(inner=Node()), Tensor([5.0])
    model.register_buffer("mean", shared)
    model.inner.register_buffer("mean", shared)
    model.register_buffer("scratch", np.zeros(1), persistent=False)
    model.register_buffer("later", None)
    assert [name for name, _ in model.named_buffers()] == ["mean", "scratch"]
    assert list(model.state_dict()) == ["mean", "inner.mean"]
    model.mean = Tensor([7.0])
    assert [tensor.tolist() for tensor in model.buffers()] == [[7.0], [0.0], [5.0]]
    for name in ("forward", "a.b", "", "inner"):
        with pytest.raises(KeyError, match="a new attribute's name"):
            model.register_buffer(name, None)
    with pytest.raises(TypeError, match="expected a Tensor or None, got 3"):
        model.register_buffer("three", 3)


def test_zero_grad_forgets_the_gradients_of_all_parameters():
    """None, as in PyTorch: an optimizer passes over what has no gradient."""
    model = Sequential(Linear(1, 1), Sequential(Linear(1, 1)))
    for parameter in model.parameters():
        parameter.grad = Tensor([1.0])
    model.zero_grad()
    assert [parameter.grad for parameter in model.parameters()] == [None] * 4


def test_a_copy_is_independent_and_keeps_what_is_shared():
    """deepcopy and pickle give a model with its own memory; tied weights stay tied."""
    part = Linear(2, 2)
    model = Sequential(part, Dropout(0.5), part).eval()
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert repr(twin) == repr(model) and not twin.training
        assert twin[0] is twin[2] and len(list(twin.parameters())) == 2
        twin[0].weight.data[...] = 0
        assert type(twin[0].weight) is Parameter and twin[0].weight.requires_grad
    assert part.weight.data.all()


def test_the_state_of_one_model_makes_another_its_equal():
    """And of the same model: what is shared is copied onto itself."""
    one, other = (Sequential(Linear(3, 4), tinytorch.relu, Linear(4, 2)) for _ in range(2))
    x = tinytorch.randn(5, 3)
    assert one(x).tolist() != other(x).tolist()
    assert other.load_state_dict(one.state_dict()) == ([], [])
    assert one(x).tolist() == other(x).tolist()
    assert one.load_state_dict(one.state_dict()) == ([], [])


def test_flatten_and_identity():
    """Each sample becomes a row; Identity returns the very same tensor."""
    x = Tensor(np.arange(24.0).reshape(2, 3, 4))
    assert Flatten()(x).tolist() == x.data.reshape(2, 12).tolist()
    assert np.shares_memory(Flatten()(x).data, x.data)
    assert Flatten(0, -2)(x).shape == (6, 4)
    assert Flatten()(Tensor(np.ones((0, 3, 4)))).shape == (0, 12)
    with pytest.raises(IndexError):
        Flatten()(Tensor([1.0]))
    assert Identity()(x) is x


def test_a_caller_sees_every_module_that_computes():
    """The seam of 08 and 14: it calls forward itself, and gives way to who was there before."""
    seen = []

    def call(module, inputs, kwargs):
        seen.append(type(module).__name__)
        return module.forward(*inputs, **kwargs)

    model = Sequential(Identity(), tinytorch.relu, Sequential(Flatten()))
    assert set_caller(call) is None
    try:
        model(Tensor([[1.0]]))
    finally:
        assert set_caller(None) is call
    model(Tensor([[1.0]]))
    assert seen == ["Sequential", "Identity", "Sequential", "Flatten"]


def test_a_model_computes_alike_with_and_without_recipes():
    """What no gradient is wanted of leaves none."""
    layer, x = Linear(2, 2), Tensor([[1.0, 2.0]])
    before = set_recording(False)
    try:
        plain = layer(x)
    finally:
        set_recording(before)
    assert plain.recipe is None and layer(x).recipe is not None
    assert plain.tolist() == layer(x).tolist()


def test_the_examples_in_the_docstrings_are_true():
    """Every example of the specification runs and prints what it says."""
    failed, tried = doctest.testmod(layers)
    assert failed == 0
    assert tried > 15
