"""What the checks of 03_layers ask of a framework; each function travels alone."""

import numpy as np

import tinytorch as tt


def weighted(x, weight, bias):
    """The operation's result, whether it was recorded, and all inputs as they were left."""
    x, weight = tt.Tensor(x, requires_grad=True), tt.Tensor(weight)
    bias = None if bias is None else tt.Tensor(bias)
    y = tt.linear(x, weight, bias)
    left = [x.data, weight.data] + ([] if bias is None else [bias.data])
    return [y.data, y.requires_grad, left]


def weighted_plain(x, weight, bias, tensor):
    """The operation's result for tensors of any dtype, x perhaps an array that is none."""
    return tt.linear(tt.Tensor(x) if tensor else x, tt.Tensor(weight), tt.Tensor(bias)).data


def weighted_arrays(x, weight, bias):
    """The kernel's result, that of the operation on views, and how many operations it is."""
    ops = []
    runner = tt.tensor.set_runner(
        lambda op, arrays, kwargs: ops.append(op) or op(*arrays, **kwargs)
    )
    turned = tt.from_numpy(np.ascontiguousarray(x.T).T)
    y = tt.linear(turned, tt.from_numpy(weight[::-1]), tt.from_numpy(bias[::-1]))
    tt.tensor.set_runner(runner)
    kernel = tt.layers.linear_array
    names = [getattr(op, "__name__", "") for op in ops]
    return [kernel(x, weight, bias), kernel(x, weight, None), y.data, names]


def initial(inputs, outputs, seed):
    """Weight and bias of a new layer, of the same seed again, and of the next."""
    tt.manual_seed(seed)
    first = tt.Linear(inputs, outputs)
    second = tt.Linear(inputs, outputs)
    tt.manual_seed(seed)
    again = tt.Linear(inputs, outputs)
    return [[layer.weight.data, layer.bias.data] for layer in (first, again, second)]


def drawn_anew(inputs, outputs):
    """Whether drawing anew keeps memory and dtype, is noticed, changes all; of both parameters."""
    layer = tt.Linear(inputs, outputs, dtype=np.float64)
    parameters = [layer.weight, layer.bias]
    arrays = [p.data for p in parameters]
    before = [a.copy() for a in arrays]
    recipes = [(p * 2).recipe for p in parameters]
    layer.reset_parameters()
    same = [p.data is a for p, a in zip(parameters, arrays)]  # noqa: B905
    noticed = [tt.tensor.changed_since(p, r) for p, r in zip(parameters, recipes)]  # noqa: B905
    changed = [bool((a != b).all()) for a, b in zip(arrays, before)]  # noqa: B905
    kept = [layer.weight is parameters[0], layer.bias is parameters[1]]
    return [same, noticed, changed, kept, [str(p.dtype) for p in parameters]]


def edges(outputs):
    """The bias of a layer without inputs, and the bias of one without a bias."""
    return [tt.Linear(0, outputs).bias.data, tt.Linear(outputs, 2, bias=False).bias is None]


def dropped(x, p, seed):
    """Two results in a row, the first again after the same seed, the record, x as it was left."""
    x = tt.Tensor(x, requires_grad=True)
    tt.manual_seed(seed)
    first, second = tt.dropout(x, p), tt.dropout(x, p, training=True)
    tt.manual_seed(seed)
    again = tt.dropout(x, p)
    return [first.data, second.data, again.data, first.requires_grad, x.data]


def dropped_steps(x, p):
    """The names of the operations that one dropout is."""
    ops = []
    runner = tt.tensor.set_runner(
        lambda op, arrays, kwargs: ops.append(op) or op(*arrays, **kwargs)
    )
    tt.dropout(tt.Tensor(x), p)
    tt.tensor.set_runner(runner)
    return [getattr(op, "__name__", "") for op in ops]


def dropped_never(x):
    """Whether x itself comes back: in use, with p = 0, and ints in use; and what p = 1 leaves."""
    x, ints = tt.Tensor(x), tt.Tensor([1, 2])
    same = [tt.dropout(x, 0.5, False) is x, tt.dropout(x, 0.0) is x]
    return [same, tt.dropout(ints, 0.5, training=False) is ints, tt.dropout(x, 1.0).data]


def dropped_plain(x, p, training):
    """The shape of what a tensor of any dtype becomes."""
    return list(tt.dropout(tt.Tensor(x), p, training).shape)


def opened(name, value):
    """What stands in nested lists and dicts; a list that begins with "tuple" becomes one."""

    def shaped(value):
        if isinstance(value, dict):
            return {key: shaped(item) for key, item in value.items()}
        if isinstance(value, list):
            items = [shaped(item) for item in value]
            return tuple(items[1:]) if items[:1] == ["tuple"] else items
        return value

    return [list(pair) for pair in tt.layers.contents(name, shaped(value))]


def opened_kinds(values):
    """What stands in kinds of lists, tuples and dicts, and in what only looks like one."""
    from collections import OrderedDict, namedtuple

    pair = namedtuple("Pair", "left right")(*values)
    kinds = {5: OrderedDict(b=values[0], a=values[1]), "pair": pair, "text": "ab", "none": None}
    found = list(tt.layers.contents("it", kinds))
    parameter = tt.layers.Parameter([1.0, 2.0])
    same = list(tt.layers.contents("w", [parameter]))
    return [[list(one) for one in found], same[0][0], same[0][1] is parameter]


def walked(spec):
    """The names of all modules and parameters of a tree, and the numbers of the parameters.

    A dict is a module, an array a parameter, a text the name of a node that is shared.
    """
    nodes = {}

    def build(spec, path):
        nodes[path] = module = tt.layers.Module()
        for name, part in spec.items():
            below = f"{path}.{name}" if path else name
            if isinstance(part, str):
                nodes[below] = nodes[part]
            elif isinstance(part, dict):
                build(part, below)
            else:
                nodes[below] = tt.layers.Parameter(part)
            setattr(module, name, nodes[below])
        return module

    model = build(spec, "")
    modules, parameters = list(model.named_modules()), list(model.named_parameters())
    same = [module is nodes[name] for name, module in modules]
    same += [parameter is nodes[name] for name, parameter in parameters]
    names = [[name for name, _ in found] for found in (modules, parameters)]
    return [names, same, [parameter.data for _, parameter in parameters]]


def walked_apart(arrays):
    """The names below a prefix, around a module that contains itself, with a memo, and none."""

    class Net(tt.layers.Module):
        def __init__(self):
            super().__init__()
            self.plain, self.setting, self.frozen = tt.Tensor(arrays[0]), 3, None
            self.weight = tt.layers.Parameter(arrays[0])
            self.scale = tt.layers.Parameter(arrays[1])

    ring = Net()
    ring.inner, ring.other = Net(), Net()
    ring.inner.outer = ring
    below = [name for name, _ in ring.named_modules(prefix="net")]
    around = [name for name, _ in ring.named_modules(memo={ring.other})]
    return [below, around, [name for name, _ in ring.named_parameters()]]


def switched(modes):
    """What `training` is in a tree after each mode, and whether the module itself came back."""

    class Frozen(tt.layers.Module):
        def train(self, mode=True):
            return super().train(False)

    model, child = tt.layers.Module(), tt.layers.Module()
    model.child, model.frozen, child.below = child, Frozen(), tt.layers.Module()
    model.again, child.frozen = child.below, Frozen()
    found = []
    for mode in modes:
        same = model.train(mode) is model
        parts = (model, child, child.below, model.frozen, child.frozen)
        found.append([same, *(part.training for part in parts)])
    return [found, model.eval().training, model.train().training, child.below.training]


def switched_to(mode):
    """The mode of a module after one call."""
    return tt.layers.Module().train(mode).training


def state(w, b, steps):
    """The state's names, numbers, memory and gradients, of shared parameters and buffers too.

    One child says its state itself, as a counter of its own.
    """

    class Own(tt.layers.Module):
        def state_dict(self, prefix=""):
            return {f"{prefix}counted": tt.Tensor(steps)}

    class Part(tt.layers.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("steps", np.array(steps))
            self.register_buffer("scratch", np.array(b), persistent=False)
            self.register_buffer("nothing", None)
            self.weight, self.bias = tt.layers.Parameter(w), tt.layers.Parameter(b)
            self.plain, self.none = tt.Tensor(b), None

    model = Part()
    model.first, model.second = Part(), Part()
    model.second.below = model.third = model.first
    model.tied, model.own = model.first.weight, Own()
    state, again = model.state_dict(), model.state_dict(prefix="net.")
    shared = [np.shares_memory(state["first.bias"].data, model.first.bias.data)]
    shared.append(np.shares_memory(state["steps"].data, model.steps.data))
    wanted = [tensor.requires_grad for tensor in state.values()]
    plain = [type(tensor) is tt.Tensor for tensor in state.values()]
    return [list(state), list(again), shared, wanted, plain, [t.data for t in state.values()]]


def loaded(w, b, steps, state, strict):
    """A model's numbers after loading, names not found or unknown, and what stayed as it was."""

    class Part(tt.layers.Module):
        def __init__(self):
            super().__init__()
            self.weight, self.bias = tt.layers.Parameter(w), tt.layers.Parameter(b)
            self.register_buffer("steps", np.array(steps))

    model = Part()
    model.part = Part()
    tensors = [model.weight, model.bias, model.steps, model.part.weight, model.part.bias]
    arrays = [tensor.data for tensor in tensors]
    recipe = (model.weight * 2).recipe
    given = {name: tt.Tensor(a) if i % 2 else a for i, (name, a) in enumerate(state.items())}
    missing, unexpected = model.load_state_dict(given, strict=strict)
    same = [t.data is a for t, a in zip(tensors, arrays)]  # noqa: B905
    noticed = tt.tensor.changed_since(model.weight, recipe)
    return [[t.data for t in tensors], list(missing), list(unexpected), same, noticed]


def loaded_pairs(w, pairs):
    """The weight after loading it from a dict, or from a list of pairs."""
    model = tt.layers.Module()
    model.weight = tt.layers.Parameter(w)
    model.load_state_dict([("weight", w + 1)] if pairs else {"weight": w + 1})
    return model.weight.data


def loaded_badly(w, b, state):
    """The numbers of a model that refused a state, and the refusal; "" if it did not."""
    model = tt.layers.Module()
    model.weight, model.bias = tt.layers.Parameter(w), tt.layers.Parameter(b)
    said = ""
    try:
        model.load_state_dict(state)
    except ValueError as error:
        said = str(error)
    return [model.weight.data, model.bias.data, said]


def chained(x, factors):
    """A chain of plain functions and modules: its result, its length; and of a chain of nothing."""

    class Times(tt.layers.Module):
        def __init__(self, factor):
            super().__init__()
            self.factor = factor

        def forward(self, x):
            return x * self.factor + 1

    layers = [Times(factor) for factor in factors]
    model = tt.Sequential(*layers, lambda x: x - 0.5, tt.Sequential(*layers[:1]))
    x = tt.Tensor(x)
    return [model(x).data, tt.Sequential()(x) is x, len(model)]


def picked(count, index):
    """Which layer is at an index of a chain of so many, or which and their names for two ends."""
    layers = {f"layer{i}": tt.layers.Identity() for i in range(count)}
    model = tt.Sequential(layers)
    order = [id(layer) for layer in layers.values()]
    if isinstance(index, list):
        part = model[slice(*index)]
        names = [name for name, _ in part.named_children()]
        return [type(part) is tt.Sequential, [order.index(id(one)) for one in part], names]
    return order.index(id(model[index]))
