"""Layers: functions that carry numbers to be learned, and the tree that finds those again.

One can write a model as a class (`Module`) whose attributes are numbers to learn (`Parameter`) and
other models, compose it of layers (`Linear`, `Dropout`, `Sequential`, `Flatten`, `Identity`), and
ask it for every parameter by name, for a copy of its state, or to behave as in use (`eval`).
Names, orders and results are PyTorch's; beyond it, what stands in plain lists, tuples and dicts
is found too. A layer may be any callable: `relu` and `ReLU()` have nothing to learn.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from tinytorch.tensor import Tensor, apply, as_array, default_generator, from_numpy, note_change

__all__ = [
    "Dropout",
    "Flatten",
    "Identity",
    "Linear",
    "Module",
    "Parameter",
    "Sequential",
    "dropout",
    "linear",
]


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Give each output its own weighted sum of the inputs, and a start: y = x Wᵀ + b.

    Shapes: x (..., in), weight (out, in), bias (out,) or None -> (..., out), dtype kept. It is one
    operation: `linear_array`, handed to `apply` with x, weight and bias, None included. Errors:
    TypeError unless all are Tensors of one floating dtype; ValueError with both shapes where the
    last axis of x is not `in`, or where weight or bias have other shapes than these.

    >>> linear(Tensor([[1.0, 2.0]]), Tensor([[10.0, 1.0], [0.0, 3.0]]), Tensor([0.5, 0.0])).tolist()
    [[12.5, 6.0]]
    """
    _require_floats("linear", x, weight, weight if bias is None else bias)
    if weight.ndim != 2 or (bias is not None and bias.shape != weight.shape[:1]):
        got = f"{weight.shape} and {getattr(bias, 'shape', None)}"
        raise ValueError(f"linear: expected weight (out, in) and bias (out,), got {got}")
    if x.shape[-1:] != weight.shape[1:]:
        wanted = f"expected x (..., {weight.shape[1]}) for a weight {weight.shape}"
        raise ValueError(f"linear: {wanted}, got {x.shape}")
    return apply(linear_array, x, weight, bias)


def linear_array(x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None) -> np.ndarray:
    """Compute x Wᵀ + b: (..., in) -> (..., out), the bias added in the product's own memory."""
    rows = x if x.ndim <= 2 else x.reshape(math.prod(x.shape[:-1]), x.shape[-1])
    # One product of matrices, however many axes: a batch of them takes longer. With few rows BLAS
    # is faster the other way round, by more than turning the result over takes, as measured; and
    # where x lies in memory column by column, so may the result.
    outputs, inputs = weight.shape
    if not rows.flags.fnc and 3 * len(rows) * outputs > inputs * (outputs - len(rows)):
        y = rows @ weight.T
    else:
        y = (weight @ rows.T).T
        y = y if rows.flags.fnc else np.ascontiguousarray(y)
    if bias is not None:
        y += bias
    return y if x.ndim <= 2 else y.reshape(*x.shape[:-1], len(weight))


def dropout(x: Tensor, p: float = 0.5, training: bool = True) -> Tensor:
    """Replace each element by 0 with probability p, and divide those that stay by 1 - p.

    So the expected value of each element stays what it was, and nothing needs to change in use:
    with training=False, or p = 0, `x` itself is returned. With p = 1 all become 0. An element stays
    where a number of `default_generator()`, uniform in [0, 1), is p or more; the mask of 0 and
    1 / (1 - p) in the dtype of x meets x in one multiplication, through `apply`.
    Shapes: any -> the same. Errors: ValueError unless 0 <= p <= 1; in training, TypeError unless x
    is floating. Source: Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov, "Dropout: a
    simple way to prevent neural networks from overfitting", 2014.

    >>> x = Tensor([1.0, 2.0, 3.0])
    >>> dropout(x, p=0.9, training=False) is x, dropout(x, p=1.0).tolist()
    (True, [0.0, 0.0, 0.0])
    """
    _require_probability(p)
    if not training or p == 0:
        return x
    _require_floats("dropout", x)
    stays = default_generator().random(x.shape, np.float32) >= p
    return apply(np.multiply, x, np.multiply(stays, 1 / (1 - p) if p < 1 else 0, dtype=x.dtype))


class Parameter(Tensor):
    """A Tensor that is to be learned: a Module that has it as an attribute finds it again.

    >>> Parameter([1.0, 2.0])
    Parameter containing:
    Tensor([1., 2.], requires_grad=True)
    """

    __slots__ = ()

    def __init__(self, data, requires_grad: bool = True):
        """Take an array's or a tensor's own memory; nested numbers are copied."""
        array = data.data if isinstance(data, Tensor) else data
        self.data = from_numpy(array).data if isinstance(array, np.ndarray) else as_array(array)
        self.grad = self._op = None
        self.requires_grad = requires_grad

    def __repr__(self) -> str:
        """Show that it is one."""
        return f"Parameter containing:\n{super().__repr__()}"


def contents(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield what stands in nested lists, tuples and dicts, each thing with its path as its name.

    The path is `name`, then an index or a key for each level, joined by dots, in the order in which
    things stand there. What is no list, tuple or dict (kinds of them included) is itself the only
    thing, under its own name.

    >>> list(contents("blocks", [7, {"a": 8, "b": (9,)}]))
    [('blocks.0', 7), ('blocks.1.a', 8), ('blocks.1.b.0', 9)]
    """
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list | tuple):
        items = enumerate(value)
    else:
        yield name, value
        return
    for key, item in items:
        yield from contents(f"{name}.{key}", item)


class LoadResult(NamedTuple):
    """The names that `load_state_dict` did not find, and those that it did not know."""

    missing_keys: list[str]
    unexpected_keys: list[str]


_call = None  # what calls a module instead of the module itself


def set_caller(call: Callable | None) -> Callable | None:
    """Let `call(module, inputs, kwargs)` call forward, or None: the module; return who did.

    So one sees, while a model runs, which layer computes (08, 14).
    """
    global _call
    before, _call = _call, call
    return before


class Module:
    """A model or a part of one: `forward` computes; Parameters and Modules in attributes are found.

    >>> class Scale(Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.factor = Parameter(2.0)
    ...     def forward(self, x):
    ...         return x * self.factor
    >>> Scale()(Tensor([1.0, 3.0])).tolist(), [name for name, _ in Scale().named_parameters()]
    ([2.0, 6.0], ['factor'])
    """

    # Here, so that vars(self) holds what was assigned and nothing else: the tree is read from it.
    __slots__ = ("training", "_buffers", "__dict__", "__weakref__")

    _kind = property(lambda self: type(self).__name__)

    def __init__(self):
        """Begin in training, with nothing registered; a subclass calls this first."""
        self.training = True
        self._buffers = {}  # names of tensors that are state but not learned: do they persist?

    def __call__(self, *inputs, **kwargs):
        """Return `forward` of the inputs."""
        if _call is None:
            return self.forward(*inputs, **kwargs)
        return _call(self, inputs, kwargs)

    def forward(self, *inputs):
        """Compute the output; each kind of Module has its own."""
        raise NotImplementedError(f"{self._kind}: expected a method forward(self, x): write it")

    def __setattr__(self, name, value):
        """Assign; refuse to replace a parameter, a layer or a buffer by something else."""
        if value is not None and not isinstance(value, Parameter):
            self._require_fit(name, vars(self).get(name), value)
        if isinstance(value, Parameter | Module):
            self._buffers.pop(name, None)
        object.__setattr__(self, name, value)

    def _require_fit(self, name, old, value):
        if isinstance(old, Parameter):
            wanted = "a Parameter or None; to change its numbers, write into its data"
        elif isinstance(old, Module) and not callable(value):
            wanted = "a Module, another callable or None"
        elif isinstance(old, Tensor) and name in self._buffers and not isinstance(value, Tensor):
            wanted = "a Tensor or None, as it is a buffer"
        else:
            return
        raise TypeError(f"{self._kind}.{name}: expected {wanted}, got {type(value).__name__}")

    def __delattr__(self, name):
        """Delete an attribute, and with it what was registered."""
        object.__delattr__(self, name)
        self._buffers.pop(name, None)

    def __getattr__(self, name):
        """Say what is missing: the attribute, or the call of Module.__init__."""
        if name in Module.__slots__:
            raise AttributeError(
                f"{self._kind}: nothing to learn yet: call super().__init__() first"
            )
        raise AttributeError(
            f"{self._kind!r} object has no attribute {name!r}", name=name, obj=self
        )

    def __repr__(self) -> str:
        """Show the settings and, one below the other, what can be called: layers, mostly."""
        parts = [(n, leaf) for n, leaf in self._leaves() if callable(leaf)]
        texts = [f"({n}): {getattr(leaf, '__name__', None) or repr(leaf)}" for n, leaf in parts]
        lines = [self.extra_repr()] * bool(self.extra_repr()) + texts
        if not texts:
            return f"{self._kind}({''.join(lines)})"
        inside = "".join(f"\n{line}" for line in lines).replace("\n", "\n  ")
        return f"{self._kind}({inside}\n)"

    def extra_repr(self) -> str:
        """Return the settings that `repr` shows."""
        return ""

    def register_buffer(self, name: str, tensor, persistent: bool = True) -> None:
        """Add a tensor or an array that is state, but not learned; persistent: saved with it."""
        tensor = from_numpy(tensor) if isinstance(tensor, np.ndarray) else tensor
        if not isinstance(tensor, Tensor | None):
            raise TypeError(f"register_buffer: expected a Tensor or None, got {tensor!r:.60}")
        if not name.isidentifier() or (hasattr(self, name) and name not in self._buffers):
            raise KeyError(f"register_buffer: expected a new attribute's name, got {name!r}")
        setattr(self, name, tensor)
        self._buffers[name] = persistent

    def _leaves(self) -> Iterator[tuple[str, Any]]:
        """Yield each attribute with its name, lists, tuples and dicts opened by `contents`."""
        for name, value in vars(self).items():
            several = isinstance(value, dict | list | tuple)
            yield from contents(name, value) if several else [(name, value)]

    def _tensors(self) -> list[tuple[str, Tensor]]:
        """List this module's own state, without that of its children: parameters, then buffers."""
        own = [(name, leaf) for name, leaf in self._leaves() if isinstance(leaf, Tensor)]
        parameters = [(name, leaf) for name, leaf in own if isinstance(leaf, Parameter)]
        return parameters + [(name, leaf) for name, leaf in own if self._buffers.get(name)]

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """Yield the modules that stand in this one's attributes, each once."""
        seen = set()
        for name, leaf in self._leaves():
            if isinstance(leaf, Module) and leaf not in seen:
                seen.add(leaf)
                yield name, leaf

    def children(self) -> Iterator[Module]:
        """Yield the modules of `named_children`."""
        return (child for _, child in self.named_children())

    def named_modules(self, memo: set | None = None, prefix: str = ""):
        """Yield this module under the name `prefix`, then all below it, each module once.

        A child's name is its parent's, a dot, and its name in `named_children`; without the dot if
        the parent's is empty. A child comes before its next sibling with all that is below it.
        `memo` is a set of the modules met so far, shared by the whole walk: one of them is passed
        over with all below it, so a module that two others share has the first name only, and one
        that contains itself ends.

        >>> [name for name, _ in Sequential(Sequential(Identity()), Identity()).named_modules()]
        ['', '0', '0.0', '1']
        """
        memo = set() if memo is None else memo
        if self not in memo:
            memo.add(self)
            yield prefix, self
            for name, child in self.named_children():
                yield from child.named_modules(memo, f"{prefix}.{name}" if prefix else name)

    def modules(self) -> Iterator[Module]:
        """Yield the modules of `named_modules`."""
        return (module for _, module in self.named_modules())

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Yield every Parameter of this module and of those below it, each once, with its name.

        In the order of `named_modules`, and of `_leaves` within each: the name is the module's, a
        dot, and the leaf's; without the dot if the module's is empty. A Parameter that is met again
        (shared weights) is passed over: an optimizer must not move it twice.

        >>> [name for name, _ in Sequential(Linear(2, 3), Linear(3, 1)).named_parameters()]
        ['0.weight', '0.bias', '1.weight', '1.bias']
        """
        seen = set()
        for path, module in self.named_modules():
            for name, leaf in module._leaves():
                if isinstance(leaf, Parameter) and leaf not in seen:
                    seen.add(leaf)
                    yield f"{path}.{name}" if path else name, leaf

    def parameters(self) -> Iterator[Parameter]:
        """Yield the parameters of `named_parameters`: what an optimizer takes."""
        return (parameter for _, parameter in self.named_parameters())

    def named_buffers(self) -> Iterator[tuple[str, Tensor]]:
        """Yield every buffer, each once, with its name."""
        found = {}
        for path, module in self.named_modules():
            for name in module._buffers:
                if (tensor := getattr(module, name)) is not None:
                    found.setdefault(tensor, f"{path}.{name}" if path else name)
        return ((name, tensor) for tensor, name in found.items())

    def buffers(self) -> Iterator[Tensor]:
        """Yield the tensors of `named_buffers`."""
        return (tensor for _, tensor in self.named_buffers())

    def train(self, mode: bool = True) -> Module:
        """Set `training` to the mode here and, by their own `train`, in all children; return self.

        ValueError unless the mode is a bool: `train` trains nothing, it only says how to behave.

        >>> model = Sequential(Linear(2, 2), Dropout(0.5))
        >>> model.train(False) is model, model[1].training
        (True, False)
        """
        if not isinstance(mode, bool):
            raise ValueError(f"train: expected True or False, got {mode!r:.60}")
        self.training = mode
        for child in self.children():
            child.train(mode)
        return self

    def eval(self) -> Module:
        """Behave as in use: `train(False)`."""
        return self.train(False)

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for parameter in self.parameters():
            parameter.grad = None

    def state_dict(self, prefix: str = "") -> dict[str, Tensor]:
        """Return every parameter and persistent buffer by name, detached, on the same memory.

        First those of `_tensors`, each under `prefix` and its name; then each child's own
        `state_dict`, in the order of `_leaves`, whose prefix is this one, the child's name and a
        dot. What is shared comes under each of its names, so that whoever loads it finds all.

        >>> state = Sequential(Linear(2, 1), Dropout(0.5)).state_dict()
        >>> [(name, tensor.shape) for name, tensor in state.items()]
        [('0.weight', (1, 2)), ('0.bias', (1,))]
        """
        state = {f"{prefix}{name}": tensor.detach() for name, tensor in self._tensors()}
        for name, leaf in self._leaves():
            if isinstance(leaf, Module):
                state |= leaf.state_dict(f"{prefix}{name}.")
        return state

    def load_state_dict(self, state: Mapping[str, Any], strict: bool = True) -> LoadResult:
        """Copy tensors or arrays into those of this module that have the same names, in place.

        Each keeps its memory and dtype (float64 is rounded into float32), and `note_change` learns
        of it. Nothing is copied if anything is wrong. Errors: ValueError that lists all that is
        wrong: names that are missing or unexpected, unless strict=False; shapes that differ, both
        of them; dtypes that `np.can_cast` refuses by "same_kind", as floats for ints; what is no
        tensor or array. TypeError unless `state` is a mapping.

        >>> layer = Linear(2, 1)
        >>> layer.load_state_dict({"weight": np.array([[1.0, 2.0]])}, strict=False)
        LoadResult(missing_keys=['bias'], unexpected_keys=[])
        >>> layer.weight.tolist()
        [[1.0, 2.0]]
        """
        if not isinstance(state, Mapping):
            raise TypeError(f"load_state_dict: expected a dict, got {type(state).__name__}")
        own = self.state_dict()
        missing = [name for name in own if name not in state]
        unexpected = [name for name in state if name not in own]
        arrays = {name: state[name] for name in own if name in state}
        arrays = {name: x.data if isinstance(x, Tensor) else x for name, x in arrays.items()}
        wrong = [_misfit(name, array, own[name].data) for name, array in arrays.items()]
        if strict:
            wrong += [f"{name} is missing" for name in missing]
            wrong += [f"{name} is unexpected" for name in unexpected]
        if any(wrong):
            what = "; ".join(filter(None, wrong))
            raise ValueError(f"load_state_dict: {self._kind} stays as it was: {what}")
        for name, array in arrays.items():
            np.copyto(own[name].data, array, casting="same_kind")
            note_change(own[name])
        return LoadResult(missing, unexpected)


def _misfit(name: str, array: Any, own: np.ndarray) -> str:
    """Say why an array cannot be copied into a module's own; "" if it can."""
    if not isinstance(array, np.ndarray):
        return f"{name} is no tensor or array"
    if array.shape != own.shape:
        return f"{name} has shape {array.shape}, expected {own.shape}"
    fits = np.can_cast(array.dtype, own.dtype, "same_kind")
    return "" if fits else f"{name} is {array.dtype}, expected {own.dtype}"


class Linear(Module):
    """Every output a weighted sum of all inputs: weight (out, in), bias (out,) or None.

    >>> Linear(3, 4), Linear(3, 4)(Tensor([[1.0, 2.0, 3.0]])).shape
    (Linear(in_features=3, out_features=4, bias=True), (1, 4))
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True, dtype=np.float32):
        """Make both parameters, and draw their numbers."""
        super().__init__()
        self.in_features, self.out_features = map(operator.index, (in_features, out_features))
        if min(in_features, out_features) < 0:
            raise ValueError(f"Linear: expected sizes, got {in_features} and {out_features}")
        self.weight = Parameter(np.zeros((out_features, in_features), dtype))
        self.bias = Parameter(np.zeros(out_features, dtype)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Fill weight, then bias if there is one, with numbers uniform in [-1/√in, 1/√in).

        Drawn from `default_generator()`, into the memory that the parameters have, where recipes
        should know of it: `note_change`. So an output of inputs of variance 1 has variance ⅓ and a
        bit, whatever `in` is: neither large nor lost, however wide the layer. A layer of no inputs
        gets a bias of 0.
        Source: LeCun, Bottou, Orr and Müller, "Efficient backprop", 1998, section 4.6; the bounds
        are those of PyTorch.

        >>> layer = Linear(100, 10)
        >>> bool((abs(layer.weight) <= 0.1).data.all()), layer.weight.var().item() < 0.004
        (True, True)
        """
        bound = 1 / math.sqrt(self.in_features) if self.in_features else 0
        for parameter in (self.weight, self.bias):
            if parameter is not None:
                parameter.data[...] = default_generator().uniform(-bound, bound, parameter.shape)
                note_change(parameter)

    def forward(self, x: Tensor) -> Tensor:
        """Return `linear` of x with this layer's weight and bias."""
        return linear(x, self.weight, self.bias)

    def extra_repr(self) -> str:
        """Show the sizes, and whether there is a bias."""
        sizes = f"in_features={self.in_features}, out_features={self.out_features}"
        return f"{sizes}, bias={self.bias is not None}"


class Dropout(Module):
    """`dropout` as a layer: at work in training, absent after `eval()`."""

    def __init__(self, p: float = 0.5):
        """Remember the probability with which an element becomes 0."""
        super().__init__()
        _require_probability(p)
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        """Return `dropout` of x, as `training` says."""
        return dropout(x, self.p, self.training)

    def extra_repr(self) -> str:
        """Show the probability."""
        return f"p={self.p}"


class Flatten(Module):
    """Each sample's numbers in one row: (N, C, H, W) -> (N, C·H·W)."""

    def __init__(self, start_dim: int = 1, end_dim: int = -1):
        """Remember the axes that become one."""
        super().__init__()
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, x: Tensor) -> Tensor:
        """Return `x.flatten(start_dim, end_dim)`."""
        return x.flatten(self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        """Show both axes."""
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Identity(Module):
    """Nothing: what stands where a layer was taken out. It takes any arguments."""

    def __init__(self, *arguments, **settings):
        """Ignore what the layer in whose place it stands was made with."""
        super().__init__()

    def forward(self, x: Tensor) -> Tensor:
        """Return x itself."""
        return x


class Sequential(Module):
    """Layers one after another; each is an attribute "0", "1", … or has its name in a dict.

    As in PyTorch, what is assigned to it joins it: its callable attributes are its layers.

    >>> Sequential(Linear(2, 3), Identity())
    Sequential(
      (0): Linear(in_features=2, out_features=3, bias=True)
      (1): Identity()
    )
    """

    def __init__(self, *layers: Callable | dict[str, Callable]):
        """Assign the layers, any callables, or those of one dict under its names."""
        super().__init__()
        named = len(layers) == 1 and isinstance(layers[0], dict)
        for name, layer in layers[0].items() if named else enumerate(layers):
            if not callable(layer) or hasattr(type(self), str(name)):
                wanted = "callables, and names that no method has: Sequential(*layers)"
                raise TypeError(f"Sequential: expected {wanted}, got {name!r}: {layer!r:.60}")
            setattr(self, str(name), layer)

    def _named_layers(self) -> dict[str, Callable]:
        return {name: value for name, value in vars(self).items() if callable(value)}

    def forward(self, x: Tensor) -> Tensor:
        """Give x to the first layer, its output to the second, and so on; without layers return x.

        >>> Sequential(lambda x: x + 1, lambda x: x * 10)(Tensor([1.0])).tolist()
        [20.0]
        """
        for layer in self:
            x = layer(x)
        return x

    def __len__(self) -> int:
        """Return the number of layers."""
        return len(self._named_layers())

    def __iter__(self) -> Iterator[Callable]:
        """Go through the layers."""
        return iter(self._named_layers().values())

    def __getitem__(self, index: int | slice) -> Callable:
        """Return the layer at an index, from either end, or for a slice a Sequential of layers.

        That has the very same layers, under the names they have here. IndexError, with the number
        of layers, for an index out of range; TypeError for what is no int or slice.

        >>> model = Sequential(Identity(), Flatten(), Dropout(0.1))
        >>> model[-1], list(model[1:].state_dict()), len(model[1:])
        (Dropout(p=0.1), [], 2)
        """
        if isinstance(index, slice):
            return Sequential(dict(list(self._named_layers().items())[index]))
        return getattr(self, self._name(index))

    def __setitem__(self, index: int, layer: Callable) -> None:
        """Put another layer in the place of one."""
        setattr(self, self._name(index), layer)

    def _name(self, index: int) -> str:
        names = list(self._named_layers())
        if not -len(names) <= operator.index(index) < len(names):
            raise IndexError(f"Sequential: it has {len(names)} layers, got index {index}")
        return names[index]


def _require_floats(name: str, *tensors: Tensor) -> None:
    """Refuse what is no Tensor of floats, and floats of different sizes."""
    for tensor in tensors:
        if not isinstance(tensor, Tensor) or tensor.data.dtype.kind != "f":
            kind = tensor.dtype if isinstance(tensor, Tensor) else type(tensor).__name__
            cure = "convert it with Tensor(...) or astype(np.float32)"
            raise TypeError(f"{name}: expected a Tensor of floats, got {kind}: {cure}")
        if tensor.data.dtype != tensors[0].data.dtype:
            dtypes = f"{tensors[0].dtype} and {tensor.dtype}"
            raise TypeError(f"{name}: dtypes differ, {dtypes}: convert with astype")


def _require_probability(p: float) -> None:
    """Refuse what is not between 0 and 1."""
    if not 0 <= p <= 1:
        raise ValueError(f"dropout: expected a probability p from 0 to 1, got {p}")
