"""What module 03 must do. Run it with `tito test 03`; the first sentence below a name says why."""

import numpy as np
import pytest

from tinytorch.layers import (
    Dropout,
    Identity,
    Linear,
    Module,
    Parameter,
    Sequential,
    contents,
    dropout,
    linear,
    linear_array,
)
from tinytorch.tensor import Tensor, changed_since, manual_seed


class Node(Module):
    """A module with the parts that a test gives it, in that order."""

    def __init__(self, **parts):
        """Assign the parts."""
        super().__init__()
        for name, part in parts.items():
            setattr(self, name, part)


@pytest.mark.task("linear")
def test_linear_is_a_weighted_sum_for_each_output():
    """y[i, j] = Σₖ x[i, k] · weight[j, k] + bias[j]: the weight has one row for each output."""
    x, weight = Tensor([[1.0, 2.0]]), Tensor([[10.0, 1.0], [0.0, 3.0], [1.0, 1.0]])
    assert linear(x, weight, Tensor([0.5, 0.0, -3.0])).tolist() == [[12.5, 6.0, 0.0]]
    assert linear(x, weight).tolist() == [[12.0, 6.0, 3.0]]


@pytest.mark.task("linear")
def test_linear_takes_any_number_of_leading_axes():
    """The features are the last axis; whatever stands before it stays: (3, 2, 5) -> (3, 2, 4)."""
    x, weight = np.arange(30.0).reshape(3, 2, 5), np.arange(20.0).reshape(4, 5)
    y = linear(Tensor(x), Tensor(weight), Tensor(np.ones(4)))
    np.testing.assert_allclose(y.numpy(), np.einsum("abk,jk->abj", x, weight) + 1)
    assert linear(Tensor(x[0, 0]), Tensor(weight)).shape == (4,)
    assert linear(Tensor(x[:0]), Tensor(weight)).shape == (0, 2, 4)


@pytest.mark.task("linear")
def test_linear_is_one_operation():
    """apply gets linear_array with x, weight and bias: module 06 then needs one rule, not three."""
    x, weight = Tensor([[1.0, 2.0]]), Parameter([[3.0, 4.0]])
    recipe = linear(x, weight).recipe
    assert recipe.op is linear_array
    assert recipe.inputs == (x, weight, None)


@pytest.mark.task("linear")
def test_linear_leaves_its_inputs_alone():
    """The bias is added in the memory of the product: not in that of x, weight or bias."""
    x, weight, bias = np.ones((2, 3)), np.ones((1, 3)), np.ones(1)
    assert linear_array(x, weight, bias).tolist() == [[4.0], [4.0]]
    assert (x.sum(), weight.sum(), bias.sum()) == (6, 3, 1)


@pytest.mark.task("linear")
def test_linear_refuses_what_does_not_fit():
    """Shapes: a ValueError that shows both. Ints, and dtypes that differ: a TypeError."""
    weight = Tensor([[1.0, 2.0, 3.0]])
    assert linear(Tensor([1.0, 1.0, 1.0]), weight).tolist() == [6.0]
    with pytest.raises(ValueError, match=r"\(1, 3\).*\(4, 2\)"):
        linear(Tensor(np.ones((4, 2), np.float32)), weight)
    with pytest.raises(ValueError, match=r"\(2,\)"):
        linear(Tensor([1.0, 1.0, 1.0]), weight, Tensor([1.0, 2.0]))
    with pytest.raises(TypeError, match="int64"):
        linear(Tensor([1, 1, 1]), weight)
    with pytest.raises(TypeError, match="float64"):
        linear(Tensor(np.ones(3)), weight)


@pytest.mark.task("Linear.reset_parameters")
def test_a_new_layer_is_uniform_within_one_over_the_root_of_its_inputs():
    """400 inputs: all of weight and bias lie within ±1/20, evenly, and reach close to it."""
    layer = Linear(400, 300)
    for parameter in (layer.weight, layer.bias):
        assert 0.045 < np.abs(parameter.data).max() <= 0.05 + 1e-8
        assert abs(parameter.data.std() - 0.05 / np.sqrt(3)) < 0.005
    assert layer.weight.shape == (300, 400)


@pytest.mark.task("Linear.reset_parameters")
def test_the_same_seed_makes_the_same_layer():
    """Numbers come from default_generator(), so that manual_seed decides them all."""
    manual_seed(3)
    first, second = Linear(5, 4), Linear(5, 4)
    manual_seed(3)
    assert Linear(5, 4).weight.tolist() == first.weight.tolist() != second.weight.tolist()


@pytest.mark.task("Linear.reset_parameters")
def test_reset_parameters_writes_into_the_memory_that_is_there():
    """Whoever holds the weight sees the new numbers, and recipes learn of it by note_change."""
    layer = Linear(5, 4, dtype=np.float64)
    data, recipe = layer.weight.data, (layer.weight * 2).recipe
    layer.reset_parameters()
    assert layer.weight.data is data and data.dtype == np.float64
    assert changed_since(layer.weight, recipe)


@pytest.mark.task("Linear.reset_parameters")
def test_a_layer_may_lack_a_bias_or_inputs():
    """bias=False: there is None to fill. No inputs: 1/√0 is no number, the bias is 0."""
    assert Linear(3, 2, bias=False).bias is None
    assert Linear(0, 2).bias.tolist() == [0.0, 0.0]


@pytest.mark.task("dropout")
def test_dropout_zeroes_a_share_p_and_scales_up_the_rest():
    """p = 0.2 of ten thousand ones: about 2000 become 0, the others 1 / 0.8."""
    y = dropout(Tensor(np.ones(10_000)), p=0.2).numpy()
    assert set(y.round(12)) == {0.0, 1.25}
    assert 1700 < (y == 0).sum() < 2300


@pytest.mark.task("dropout")
def test_dropout_keeps_the_mean():
    """What is lost is made up for, so that layers behind it see numbers of the same size."""
    assert abs(dropout(Tensor(np.ones(100_000)), p=0.7).numpy().mean() - 1) < 0.05


@pytest.mark.task("dropout")
def test_dropout_draws_another_mask_each_time_and_the_same_for_a_seed():
    """The masks come from default_generator(): the seed decides them."""
    x = Tensor(np.ones((20, 20)))
    manual_seed(1)
    first, second = dropout(x), dropout(x)
    manual_seed(1)
    assert first.tolist() == dropout(x).tolist() != second.tolist()


@pytest.mark.task("dropout")
def test_dropout_returns_x_itself_where_nothing_is_dropped():
    """In use nothing happens, so nothing is computed or copied; p = 1 leaves zeros and no NaN."""
    x = Tensor([1.0, 2.0])
    assert dropout(x, 0.5, training=False) is x
    assert dropout(x, 0.0) is x
    assert dropout(x, 1.0).tolist() == [0.0, 0.0]


@pytest.mark.task("dropout")
def test_dropout_keeps_the_dtype_and_is_recorded():
    """float32 in, float32 out, and gradients flow through the product with the mask."""
    y = dropout(Tensor([1.0, 2.0], requires_grad=True))
    assert y.dtype == np.float32 and y.requires_grad
    assert dropout(Tensor(np.ones(3))).dtype == np.float64


@pytest.mark.task("dropout")
def test_dropout_refuses_what_is_no_probability():
    """50 is no probability, nor is -0.1; and a share of an int is no int."""
    assert dropout(Tensor([1.0]), 1).shape == (1,)
    for p in (50, -0.1, float("nan")):
        with pytest.raises(ValueError, match="from 0 to 1"):
            dropout(Tensor([1.0]), p)
    with pytest.raises(TypeError, match="int64"):
        dropout(Tensor([1, 2]), 0.5)


@pytest.mark.task("contents")
def test_contents_goes_down_lists_tuples_and_dicts():
    """Each level adds a dot and an index or a key; what is no container has the name itself."""
    found = dict(contents("it", [7, {"a": (8,), "b": []}, [[9]]]))
    assert found == {"it.0": 7, "it.1.a.0": 8, "it.2.0.0": 9}
    assert list(contents("one", "text")) == [("one", "text")]


@pytest.mark.task("contents")
def test_layers_in_lists_and_dicts_are_found():
    """A plain list in an attribute is enough: its parameters are named layers.0, layers.1."""
    a, b = Parameter([1.0]), Parameter([2.0])
    model = Node(layers=[a, "no layer"], heads={"b": b})
    assert dict(model._leaves()) == {"layers.0": a, "layers.1": "no layer", "heads.b": b}


@pytest.mark.task("Module.named_modules")
def test_modules_have_the_path_to_them_as_their_name():
    """The module itself comes first, under ""; then depth first, in order of assignment."""
    inner = Identity()
    first = Node(inner=inner)
    model = Node(first=first, second=Node())
    assert list(model.named_modules()) == [
        ("", model),
        ("first", first),
        ("first.inner", inner),
        ("second", model.second),
    ]
    names = [name for name, _ in model.named_modules(prefix="net")]
    assert names == ["net", "net.first", "net.first.inner", "net.second"]


@pytest.mark.task("Module.named_modules")
def test_a_shared_module_comes_once():
    """Under the first of its names; and a module that contains itself does not go on for ever."""
    part = Node(below=Identity())
    model = Node(a=part, b=Node(c=part))
    part.up = model
    assert [name for name, _ in model.named_modules()] == ["", "a", "a.below", "b"]


@pytest.mark.task("Module.named_modules")
def test_parameters_are_named_after_the_modules_that_hold_them():
    """An optimizer asks for parameters(), a checkpoint for their names: own ones come first."""
    w, v = Parameter([1.0]), Parameter([2.0])
    model = Node(part=Node(v=v), w=w, constant=Tensor([3.0]), nothing=None)
    assert list(model.named_parameters()) == [("w", w), ("part.v", v)]


@pytest.mark.task("Module.named_modules")
def test_shared_weights_are_counted_once():
    """Moved twice in one step, a weight that two layers share would go too far."""
    w = Parameter([1.0, 2.0])
    model = Node(encoder=Node(w=w, tied=w), decoder=Node(w=w, b=Parameter([1.0, 2.0])))
    assert [name for name, _ in model.named_parameters()] == ["encoder.w", "decoder.b"]


@pytest.mark.task("Module.train")
def test_train_and_eval_reach_every_module_below():
    """Dropout is off in use, however deep it lies; train(mode) returns the module itself."""
    model = Node(a=Node(dropout=Dropout(0.9)), b=Dropout(0.9))
    assert model.eval() is model
    assert [one.training for one in (model, model.a, model.a.dropout, model.b)] == [False] * 4
    assert model.a.dropout.train() is model.a.dropout
    assert (model.training, model.a.training, model.a.dropout.training) == (False, False, True)


@pytest.mark.task("Module.train")
def test_train_refuses_what_is_no_mode():
    """train(data) looks as if it would learn; it only switches: True or False, nothing else."""
    with pytest.raises(ValueError, match="True or False, got 1"):
        Node().train(1)


@pytest.mark.task("Module.state_dict")
def test_the_state_holds_every_parameter_and_buffer_by_name():
    """Parameters, then buffers, then children; a shared one under both names: all are found."""
    w = Parameter([1.0])
    model = Node(part=Node(w=w), w=w)
    model.register_buffer("steps", np.array(7))
    model.register_buffer("scratch", np.array(8), persistent=False)
    state = model.state_dict()
    assert {name: tensor.tolist() for name, tensor in state.items()} == {
        "w": [1.0],
        "steps": 7,
        "part.w": [1.0],
    }
    assert list(state) == ["w", "steps", "part.w"]


@pytest.mark.task("Module.state_dict")
def test_the_state_is_the_modules_own_memory_without_gradients():
    """Whoever wants to keep it while the model learns on must copy it, as in PyTorch."""
    model = Node(w=Parameter([1.0]))
    state = model.state_dict()
    assert not state["w"].requires_grad
    state["w"][0] = 5.0
    assert model.w.tolist() == [5.0]


@pytest.mark.task("Module.state_dict")
def test_a_state_is_loaded_in_place():
    """Tensors or arrays by name; memory and dtype stay, so optimizers keep their hold."""
    model = Node(w=Parameter([1.0]), part=Node(v=Parameter([[2.0]])))
    data, recipe = model.w.data, (model.w * 2).recipe
    found = model.load_state_dict({"part.v": Tensor([[7.0]]), "w": np.array([6.0])})
    assert found == ([], [])
    assert model.part.v.tolist() == [[7.0]]
    assert model.w.data is data and data.tolist() == [6.0] and data.dtype == np.float32
    assert changed_since(model.w, recipe)


@pytest.mark.task("Module.state_dict")
def test_loading_names_all_that_is_wrong_and_changes_nothing():
    """A checkpoint of another model must not be loaded halfway, nor be broadcast into place."""
    model = Node(w=Parameter([1.0, 1.0]), b=Parameter([0.0]), v=Parameter([5.0]))
    with pytest.raises(ValueError) as refusal:
        model.load_state_dict({"v": np.zeros(1), "w": np.zeros(1), "head": np.zeros(1)})
    assert [word in str(refusal.value) for word in ("b", "head", "(1,)", "(2,)")] == [True] * 4
    assert model.v.tolist() == [5.0]


@pytest.mark.task("Module.state_dict")
def test_loading_less_strictly_returns_what_did_not_fit():
    """strict=False takes what is there, for a model with a new head; shapes must fit even so."""
    model = Node(w=Parameter([1.0, 1.0]), b=Parameter([0.0]))
    found = model.load_state_dict({"w": np.array([3.0, 4.0]), "head": np.zeros(9)}, strict=False)
    assert (found.missing_keys, found.unexpected_keys) == (["b"], ["head"])
    assert model.w.tolist() == [3.0, 4.0]
    with pytest.raises(ValueError, match=r"\(3,\)"):
        model.load_state_dict({"w": np.zeros(3)}, strict=False)


@pytest.mark.task("Sequential.forward")
def test_a_chain_gives_each_layer_the_output_of_the_one_before():
    """(1 + 1) · 10 = 20, not 11: first layer first. A chain of no layers changes nothing."""
    x = Tensor([1.0])
    assert Sequential(lambda x: x + 1, lambda x: x * 10)(x).tolist() == [20.0]
    assert Sequential()(x) is x


@pytest.mark.task("Sequential.forward")
def test_a_chain_is_indexed_like_a_list():
    """From either end; a slice is a chain of the same layers under the same names."""
    first, second, third = Identity(), Dropout(0.1), Identity()
    model = Sequential(first, second, third)
    assert model[0] is first and model[-1] is third
    tail = model[1:]
    assert isinstance(tail, Sequential)
    assert list(tail.named_children()) == [("1", second), ("2", third)]
    with pytest.raises(IndexError, match="3 layers"):
        model[3]
