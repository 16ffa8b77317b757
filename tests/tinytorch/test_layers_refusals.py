"""Layers refuse what is wrong where it enters, and say what was expected, what came, what to do."""

import copy

import numpy as np
import pytest

from tinytorch.layers import (
    Dropout,
    Identity,
    Linear,
    Module,
    Parameter,
    Sequential,
    dropout,
    linear,
)
from tinytorch.tensor import Tensor


class Node(Module):
    """A module with the parts that a test gives it."""

    def __init__(self, **parts):
        super().__init__()
        for name, part in parts.items():
            setattr(self, name, part)


@pytest.mark.parametrize(
    ("shapes", "text"),
    [
        (((2, 4), (3, 5), (3,)), r"expected x \(..., 5\) for a weight \(3, 5\), got \(2, 4\)"),
        (((), (3, 5), (3,)), r"got \(\)"),
        (((2, 5), (3, 5), (5,)), r"got \(3, 5\) and \(5,\)"),
        (((2, 5), (3, 5), (1,)), r"got \(3, 5\) and \(1,\)"),
        (((2, 5), (5,), (3,)), r"got \(5,\) and \(3,\)"),
    ],
)
def test_linear_names_the_shapes_that_do_not_fit(shapes, text):
    """What would be broadcast or multiplied the wrong way round is refused."""
    with pytest.raises(ValueError, match=text):
        linear(*(Tensor(np.ones(shape)) for shape in shapes))


def test_linear_takes_floats_of_one_dtype_only():
    """Tensors, no arrays; no ints; and float32 does not meet float64."""
    x, weight = Tensor([[1.0, 2.0]]), Tensor([[1.0, 2.0]])
    for bad, text in ((np.ones((1, 2)), "ndarray"), (Tensor([[1, 2]]), "int64")):
        with pytest.raises(TypeError, match=f"linear: expected a Tensor of floats, got {text}"):
            linear(bad, weight)
    for tensors in ((x, weight, Tensor(np.ones(1))), (Tensor(np.ones((1, 2))), weight)):
        with pytest.raises(TypeError, match="float32"):
            linear(*tensors)
    with pytest.raises(TypeError, match="got ndarray"):
        linear(x, weight, np.ones(1, np.float32))


def test_a_linear_layer_takes_sizes():
    """Whole numbers of 0 or more; a dtype other than float32 if asked for."""
    for sizes, error in (((-1, 2), ValueError), ((2, -1), ValueError), ((2.5, 1), TypeError)):
        with pytest.raises(error):
            Linear(*sizes)
    assert Linear(np.int64(2), 3, dtype=np.float64).weight.dtype == np.float64
    assert Linear(0, 3)(Tensor(np.ones((2, 0), np.float32))).tolist() == [[0.0] * 3] * 2


def test_dropout_refuses():
    """What is no probability, and ints in training; when the layer is made, where it can."""
    for p in (-0.1, 1.5, float("nan"), 50):
        with pytest.raises(ValueError, match="from 0 to 1"):
            Dropout(p)
    with pytest.raises(TypeError, match="dropout: expected a Tensor of floats, got int64"):
        dropout(Tensor([1, 2]))


def test_ints_have_no_gradient():
    """A parameter of ints must say that it is not learned."""
    with pytest.raises(RuntimeError, match="floating"):
        Parameter([1, 2])
    assert not Parameter([1, 2], requires_grad=False).requires_grad


def test_before_super_init_layers_are_refused():
    """The message says what to write; plain settings may come first, as in PyTorch."""

    class Early(Module):
        def __init__(self, part):
            self.setting = 3
            self.part = part
            super().__init__()

    for part in (Linear(1, 1), Parameter([1.0])):
        with pytest.raises(AttributeError, match=r"Early: .*call super\(\).__init__\(\) first"):
            Early(part)
    assert Early(3).setting == 3


def test_a_forgotten_super_init_is_named_where_it_shows():
    """A list of layers is an ordinary attribute; whoever needs what is missing says so."""

    class Never(Module):
        def __init__(self):
            self.layers = [Linear(1, 1)]

    for ask in (lambda model: model.training, lambda model: model.register_buffer("b", None)):
        with pytest.raises(AttributeError, match=r"call super\(\).__init__\(\) first"):
            ask(Never())


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("w", Tensor([2.0]), "expected a Parameter or None; to change its numbers"),
        ("w", Linear(1, 1), "expected a Parameter or None"),
        ("part", Tensor([2.0]), "expected a Module, another callable or None, got Tensor"),
        ("mean", [2.0], "expected a Tensor or None, as it is a buffer, got list"),
    ],
)
def test_what_is_registered_is_not_replaced_unnoticed(name, value, text):
    """`self.w = self.w - 0.1 * g` would leave a constant where a parameter was."""
    model = Node(w=Parameter([1.0]), part=Identity())
    model.register_buffer("mean", np.zeros(2))
    with pytest.raises(TypeError, match=f"Node.{name}: {text}"):
        setattr(model, name, value)
    setattr(model, name, None)
    setattr(model, name, value)
    setattr(model, name, Parameter([3.0]))
    assert dict(model.named_parameters())[name].tolist() == [3.0]


@pytest.mark.parametrize(
    ("state", "text"),
    [
        ({"weight": np.ones((1, 2))}, "bias is missing"),
        ({"weight": np.ones((1, 2)), "bias": np.ones(1), "b": 0}, "b is unexpected"),
        ({"weight": np.ones((2, 1)), "bias": np.ones(1)}, r"shape \(2, 1\), expected \(1, 2\)"),
        ({"weight": [[1.0, 2.0]], "bias": np.ones(1)}, "weight is no tensor or array"),
        ({"weight": np.ones((1, 2)), "bias": np.array([1j])}, "bias is complex128, expected float"),
    ],
)
def test_a_state_that_does_not_fit_is_refused_whole(state, text):
    """The message names it; nothing is copied."""
    layer = Linear(2, 1)
    before = copy.deepcopy(layer.state_dict())
    with pytest.raises(ValueError, match=f"Linear stays as it was: .*{text}"):
        layer.load_state_dict(state)
    assert all(before[name].tolist() == t.tolist() for name, t in layer.state_dict().items())
    with pytest.raises(TypeError, match="expected a dict, got list"):
        layer.load_state_dict(list(state))


def test_sequential_refuses_what_is_no_layer():
    """A list of layers is a forgotten star; a name that a method has would hide it."""
    for bad, text in ([Identity()], "got 0: "), ({"forward": Identity()}, "got 'forward': "):
        with pytest.raises(TypeError, match=text):
            Sequential(bad)
    for index in (2, -3):
        with pytest.raises(IndexError, match=f"it has 2 layers, got index {index}"):
            Sequential(Identity(), Identity())[index]
    with pytest.raises(TypeError):
        Sequential(Identity())["0"]


def test_a_model_without_forward_says_what_to_write():
    """Calling it is a mistake of whoever wrote the class."""
    with pytest.raises(NotImplementedError, match=r"Node: expected a method forward\(self, x\)"):
        Node()(Tensor([1.0]))
