"""What module 07 must do. Run it with `tito test 07`; the first sentence below a name says why."""

import numpy as np
import pytest

from tinytorch.optimizers import SGD, Adam, AdamW, Optimizer, RMSprop
from tinytorch.tensor import Tensor, apply, changed_since

pytestmark = pytest.mark.filterwarnings("error")

SETTINGS = {
    SGD: dict(momentum=0, dampening=0, weight_decay=0, nesterov=False, maximize=False),
    RMSprop: dict(alpha=0.5, eps=0, weight_decay=0, momentum=0, centered=False, maximize=False),
    Adam: dict(betas=(0.5, 0.75), eps=0, weight_decay=0, amsgrad=False, maximize=False),
}
SETTINGS[AdamW] = SETTINGS[Adam]


def update(kind, p, gradients, state=None, **settings):
    """Run a rule alone on a block of two numbers: where it leads, and what it keeps."""
    block, state = np.array(p), {"step": 1, **(state or {})}
    for gradient in gradients:
        g = np.array(gradient)
        object.__new__(kind).update(block, g, state, {"lr": 0.5, **SETTINGS[kind], **settings})
        assert g.tolist() == gradient, "the gradient belongs to the caller: do not change it"
        state["step"] += 1
    return block.tolist(), {name: kept.tolist() for name, kept in state.items() if name != "step"}


def zeros(*names):
    """Buffers as they are before the first step."""
    return {name: np.zeros(2) for name in names}


def parameter(*numbers, grad=None):
    """A parameter with its gradient."""
    p = Tensor([*map(float, numbers)], requires_grad=True)
    p.grad = None if grad is None else Tensor([*map(float, grad)])
    return p


@pytest.mark.task("SGD.update")
def test_sgd_moves_against_the_gradient():
    """p ← p - lr · g, in the memory that p has: with lr ½, (1, 2) - ½ (2, -4) = (0, 4)."""
    assert update(SGD, [1.0, 2.0], [[2.0, -4.0]]) == ([0.0, 4.0], {})


@pytest.mark.task("SGD.update")
def test_sgd_with_momentum_keeps_a_velocity():
    """b is g at the first step, then µ · b + g: 2, then ½ · 2 + 4 = 5; p moves by ½ of each."""
    buffers = zeros("momentum_buffer")
    at, kept = update(SGD, [1.0, 1.0], [[2.0, 0.0], [4.0, 0.0]], buffers, momentum=0.5)
    assert kept["momentum_buffer"] == [5.0, 0.0]
    assert at == [-2.5, 1.0]


@pytest.mark.task("SGD.update")
def test_dampening_weighs_all_gradients_but_the_first():
    """b is 2, undamped; then ½ · 2 + (1 - ¼) · 4 = 4."""
    settings = dict(momentum=0.5, dampening=0.25)
    at, kept = update(
        SGD, [1.0, 1.0], [[2.0, 0.0], [4.0, 0.0]], zeros("momentum_buffer"), **settings
    )
    assert kept["momentum_buffer"] == [4.0, 0.0]
    assert at == [-2.0, 1.0]


@pytest.mark.task("SGD.update")
def test_nesterov_looks_ahead():
    """It moves by g + µ · b with the new b: at the first step 2 + ½ · 2 = 3, times lr ½."""
    settings = dict(momentum=0.5, nesterov=True)
    at, _ = update(SGD, [1.0, 1.0], [[2.0, 0.0]], zeros("momentum_buffer"), **settings)
    assert at == [-0.5, 1.0]


@pytest.mark.task("SGD.update")
def test_sgd_decays_weights_and_maximizes():
    """g becomes -g + weight_decay · p: -2 + ½ · 4 = 0 stays, -0 + ½ · 8 = 4 moves by 2."""
    at, _ = update(SGD, [4.0, 8.0], [[2.0, 0.0]], weight_decay=0.5, maximize=True)
    assert at == [4.0, 6.0]


@pytest.mark.task("RMSprop.update")
def test_rmsprop_divides_by_the_size_of_the_gradients():
    """v is ½ · 0 + ½ · g²: for g = 4 it is 8, and p moves by ½ · 4 / √8; so does g = -0.004."""
    at, kept = update(RMSprop, [1.0, 1.0], [[4.0, -0.004]], zeros("square_avg"))
    np.testing.assert_allclose(kept["square_avg"], [8.0, 8e-6])
    np.testing.assert_allclose(at, [1 - 2**-0.5, 1 + 2**-0.5])


@pytest.mark.task("RMSprop.update")
def test_eps_is_added_to_the_root():
    """√v + eps, not √(v + eps): with v = ½ · 8 = 4 and eps 2, the step is ½ · √8 / 4."""
    at, _ = update(RMSprop, [1.0, 1.0], [[8**0.5, 0.0]], zeros("square_avg"), eps=2.0)
    np.testing.assert_allclose(at, [1 - 8**0.5 / 8, 1.0])


@pytest.mark.task("RMSprop.update")
def test_rmsprop_with_momentum_sums_up_divided_gradients():
    """b is √2, then ½ · √2 + 4 / √(½ · 8 + ½ · 16) = ½ · √2 + 2 / √3: lr weighs b, not g."""
    state, gradients = zeros("square_avg", "momentum_buffer"), [[4.0, 1.0], [4.0, 1.0]]
    _, kept = update(RMSprop, [1.0, 1.0], gradients, state, momentum=0.5)
    np.testing.assert_allclose(kept["momentum_buffer"], [0.5**0.5 + 2 / 3**0.5] * 2)


@pytest.mark.task("RMSprop.update")
def test_centered_rmsprop_subtracts_the_square_of_the_average():
    """v = 8 and m = 2 for g = 4: the root is √(8 - 4) = 2, and p moves by ½ · 4 / 2 = 1."""
    state = zeros("square_avg", "grad_avg")
    at, kept = update(RMSprop, [1.0, 2.0], [[4.0, 4.0]], state, centered=True)
    assert kept == {"square_avg": [8.0, 8.0], "grad_avg": [2.0, 2.0]}
    assert at == [0.0, 1.0]


@pytest.mark.task("Adam.update")
def test_the_first_step_of_adam_is_the_learning_rate():
    """m̂ = m / (1 - β₁) is g and √v̂ is |g|, so that ½ · g / |g| = ±½, whatever its size."""
    at, kept = update(Adam, [1.0, 1.0], [[100.0, -0.01]], zeros("exp_avg", "exp_avg_sq"))
    np.testing.assert_allclose(kept["exp_avg"], [50.0, -0.005])
    np.testing.assert_allclose(kept["exp_avg_sq"], [2500.0, 0.000025])
    np.testing.assert_allclose(at, [0.5, 1.5])


@pytest.mark.task("Adam.update")
def test_the_second_step_of_adam_is_corrected_by_the_squares_of_the_betas():
    """For g = 4, then 0: m̂ = 1 / (1 - ½²), v̂ = 3 / (1 - ¾²): ½ · (4 / 3) / √(48 / 7) = 0.2546."""
    state = zeros("exp_avg", "exp_avg_sq")
    at, kept = update(Adam, [1.0, 1.0], [[4.0, 4.0], [0.0, 0.0]], state)
    assert kept == {"exp_avg": [1.0, 1.0], "exp_avg_sq": [3.0, 3.0]}
    np.testing.assert_allclose(at, [0.5 - 0.254588] * 2, atol=1e-6)


@pytest.mark.task("Adam.update")
def test_amsgrad_divides_by_the_largest_average():
    """v is 4, then 3; the largest stays 4, and its correction is that of step 2."""
    state = zeros("exp_avg", "exp_avg_sq", "max_exp_avg_sq")
    at, kept = update(Adam, [1.0, 1.0], [[4.0, 4.0], [0.0, 0.0]], state, amsgrad=True)
    assert kept["exp_avg_sq"] == [3.0, 3.0]
    assert kept["max_exp_avg_sq"] == [4.0, 4.0]
    np.testing.assert_allclose(at, [0.5 - 2 / 3 / (64 / 7) ** 0.5] * 2)


@pytest.mark.task("Adam.update")
def test_the_decay_of_adam_goes_into_its_averages_and_that_of_adamw_does_not():
    """Without a gradient, Adam's averages see ½ · p; AdamW's see 0, and p shrinks by 1 - ½ · ½."""
    names, seen = ("exp_avg", "exp_avg_sq"), {}
    for kind in (Adam, AdamW):
        settings = dict(weight_decay=0.5, eps=1.0)
        seen[kind] = update(kind, [8.0, 16.0], [[0.0, 0.0]], zeros(*names), **settings)
    assert seen[Adam][1]["exp_avg"] == [2.0, 4.0]
    assert seen[AdamW] == ([6.0, 12.0], {"exp_avg": [0.0, 0.0], "exp_avg_sq": [0.0, 0.0]})


@pytest.mark.task("Optimizer.add_param_group")
def test_a_group_takes_what_it_does_not_say_from_the_defaults():
    """Whoever writes {"params": [w], "lr": 1.0} wants all other settings as they were."""
    a, b, c = (parameter(1) for _ in "abc")
    optimizer = SGD([{"params": [a, b]}, {"params": [c], "lr": 1.0}], lr=0.25, momentum=0.5)
    first, second = optimizer.param_groups
    assert (first["lr"], second["lr"]) == (0.25, 1.0)
    assert first["momentum"] == second["momentum"] == 0.5
    assert [id(p) for p in first["params"]] == [id(a), id(b)]


@pytest.mark.task("Optimizer.add_param_group")
def test_params_may_be_a_generator_or_one_tensor_and_become_a_list():
    """model.parameters() is a generator, which can be read only once."""
    a, b, c = (parameter(1) for _ in "abc")
    optimizer = SGD(p for p in (a, b))
    optimizer.add_param_group({"params": c})
    assert [len(group["params"]) for group in optimizer.param_groups] == [2, 1]


@pytest.mark.task("Optimizer.add_param_group")
def test_a_parameter_twice_and_an_unknown_setting_are_refused():
    """A parameter in two groups would move twice; a misspelt setting would be ignored."""
    a, b = parameter(1), parameter(1)
    optimizer = SGD([a])
    for wrong in ({"params": [a]}, {"params": [b, b]}, {"params": [b], "learning_rate": 1.0}):
        with pytest.raises(ValueError, match="SGD"):
            optimizer.add_param_group(wrong)
    assert len(optimizer.param_groups) == 1


class Follow(Optimizer):
    """A rule of the tests' own: p goes down by lr times the step's number times g."""

    def __init__(self, params, lr):
        """Nothing but a learning rate."""
        super().__init__(params, {"lr": lr})

    def update(self, p, g, state, group):
        """Note how many bytes came, and move."""
        self.seen = [*getattr(self, "seen", []), p.nbytes]
        p -= group["lr"] * state["step"] * g


@pytest.mark.task("Optimizer.step")
def test_a_step_counts_and_updates_in_place():
    """state["step"] is 1 at the first update; the array in p.data stays the same array."""
    p = parameter(1, 2, grad=[1, -1])
    memory, optimizer = p.data, Follow([p], lr=0.5)
    optimizer.step()
    assert p.tolist() == [0.5, 2.5]
    optimizer.step()
    assert p.tolist() == [-0.5, 3.5]
    assert p.data is memory


@pytest.mark.task("Optimizer.step")
def test_a_parameter_without_gradient_is_left_alone():
    """It was not used: neither its values nor its count change."""
    a, b = parameter(1, grad=[1]), parameter(1)
    optimizer = Follow([{"params": [a]}, {"params": [b]}], lr=0.5)
    optimizer.step()
    assert b.tolist() == [1.0]
    b.grad = Tensor([1.0])
    optimizer.step()
    assert b.tolist() == [0.5]


@pytest.mark.task("Optimizer.step")
def test_a_large_parameter_comes_in_blocks_and_its_change_is_noted():
    """Blocks stay in the cache; and a graph recorded before the step must not be used after it."""
    p = Tensor(np.zeros(1_000_000), requires_grad=True)
    p.grad = Tensor(np.ones(1_000_000))
    recipe = apply(np.negative, p).recipe
    optimizer = Follow([p], lr=0.5)
    optimizer.step()
    assert sum(optimizer.seen) == p.nbytes > max(optimizer.seen)
    assert (p.data == -0.5).all()
    assert changed_since(p, recipe)


@pytest.mark.task("Optimizer.step")
def test_zero_grad_forgets_all_gradients():
    """backward adds to what is there; None costs nothing and is skipped by step."""
    a, b = parameter(1, grad=[1]), parameter(1, grad=[1])
    optimizer = Follow([{"params": [a]}, {"params": [b]}], lr=0.5)
    memory = b.grad.data
    optimizer.zero_grad(set_to_none=False)
    assert b.grad.data is memory
    assert memory.tolist() == [0.0]
    optimizer.zero_grad()
    assert (a.grad, b.grad) == (None, None)


class Remember(Follow):
    """A rule that keeps an array per parameter."""

    def buffers(self, group):
        """Name it."""
        return ("total",)


def remembering(steps=(2, 5)):
    """Two groups of one parameter each, with the state that some steps would leave."""
    params = [parameter(1, 2), parameter(3)]
    optimizer = Remember([{"params": [p]} for p in params], lr=0.5)
    for p, step in zip(params, steps, strict=True):
        optimizer.state[p] = {"step": step, "total": np.full(p.shape, step, np.float32)}
    return optimizer


@pytest.mark.task("Optimizer.state_dict")
def test_a_state_dict_numbers_parameters_through_all_groups():
    """Tensors themselves cannot be saved as keys, so 0, 1, … stand for them."""
    saved = remembering().state_dict()
    assert saved["param_groups"] == [{"lr": 0.5, "params": [0]}, {"lr": 0.5, "params": [1]}]
    assert saved["state"][1]["step"] == 5
    assert saved["state"][0]["total"].tolist() == [2.0, 2.0]


@pytest.mark.task("Optimizer.state_dict")
def test_loading_replaces_settings_and_state_by_copies():
    """What was saved may change later: it must not take what was loaded with it."""
    source, target = remembering(), remembering(steps=(0, 0))
    source.param_groups[1]["lr"] = 0.125
    target.load_state_dict(source.state_dict())
    for p in source.state:
        source.state[p]["total"][...] = -1
    assert [group["lr"] for group in target.param_groups] == [0.5, 0.125]
    states = [target.state[p] for group in target.param_groups for p in group["params"]]
    assert [(state["step"], state["total"].tolist()) for state in states] == [
        (2, [2.0, 2.0]),
        (5, [5.0]),
    ]


@pytest.mark.task("Optimizer.state_dict")
def test_a_state_that_does_not_fit_changes_nothing():
    """The second state has another shape: then the first one must not be loaded either."""
    optimizer = remembering()
    saved = optimizer.state_dict()
    saved["param_groups"][0]["lr"] = 9.0
    saved["state"][1] = saved["state"][0]
    with pytest.raises(ValueError, match="shape"):
        optimizer.load_state_dict(saved)
    assert optimizer.param_groups[0]["lr"] == 0.5
    assert sorted(state["step"] for state in optimizer.state.values()) == [2, 5]
