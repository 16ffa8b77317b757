"""What the checks of 06_autograd ask of a framework; each function travels alone."""

import numpy as np

import tinytorch as tt


def summed(g, shape):
    """The gradient in the shape of its input, and as it was left."""
    return [tt.autograd.unbroadcast(g, tuple(shape)), g]


def pulled(rule, y, inputs, g, settings):
    """What a rule sends to each float input, in that input's shape, and what it was given."""
    settings = {k: tuple(v) if isinstance(v, list) else v for k, v in settings.items()}
    maps = getattr(tt.autograd, rule)(y, *inputs, **settings)
    parts = []
    maps = maps if isinstance(maps, (tuple, list)) else (maps,)
    for x, pull in zip(inputs, maps, strict=False):
        if isinstance(x, np.ndarray) and x.dtype.kind == "f":
            part = np.asarray(pull(g))
            part = part.sum(axis=tuple(range(part.ndim - x.ndim)))
            grown = tuple(i for i, n in enumerate(x.shape) if n == 1 != part.shape[i])
            parts.append(part.sum(axis=grown, keepdims=True))
    return [parts, y, inputs, g]


def pulled_index(x, g, kind, places):
    """What the rule of x[index] sends to x, for the index of a kind."""
    index = {
        "row": (1, ...),
        "steps": (slice(None), None, slice(None, None, -2), ...),
        "mask": (x > 0, ...),
        "places": (places, ...),
        "pairs": (places, ..., places[::-1]),
    }[kind]
    maps = tt.autograd.getitem_rule(x[index], x, index)
    pull = maps[0] if isinstance(maps, (tuple, list)) else maps
    return pull(g[index])


def order(pairs):
    """The places of the tensors in the order; tensor n is made of the pair of places n."""
    made = [tt.Tensor([1.0], requires_grad=True), tt.Tensor([2.0])]
    made += [tt.Tensor([3.0], requires_grad=True)]
    for a, b in pairs:
        made.append(tt.tensor.apply(np.add, made[a], made[b]))
    place = {id(t): n for n, t in enumerate(made)}
    return [place[id(t)] for t in tt.autograd.topological_order(made[-1])]


def long_order(length):
    """How long the order of a chain is, and whether it begins at the beginning."""
    x = tt.Tensor([1.0], requires_grad=True)
    made = [x]
    for _ in range(length):
        made.append(tt.tensor.apply(np.add, made[-1], 1.0))
    order = tt.autograd.topological_order(made[-1])
    return [
        len(order),
        order[0] is made[1],
        order[-1] is made[-1],
        all(map(hasattr, order, ["data"])),
    ]


def walk(pairs, leaves, g):
    """The leaves' gradients, and whether others have one; tensor n is the product of pair n."""
    import operator

    product = operator.mul  # any function will do that has no rule yet
    tt.autograd.vjp(product)(lambda y, a, b: (lambda g: g * b, lambda g: g * a))
    made = [tt.Tensor(x, requires_grad=True) for x in leaves]
    for a, b in pairs:
        made.append(tt.tensor.apply(product, made[a], made[b]))
    tt.autograd.backward(made[-1], g)
    found = [made[n].grad for n in range(len(leaves))]
    others = [t.grad is not None for t in made[len(leaves) :]]
    return [[None if grad is None else grad.data for grad in found], any(others)]


def walk_failed(x, g):
    """The gradients of two leaves after a walk that an operation without a rule ends midway."""
    import operator

    def triple(a):
        return a * 3

    tt.autograd.vjp(operator.mul)(lambda y, a, b: (lambda g: g * b, lambda g: g * a))
    leaves = [tt.Tensor(x, requires_grad=True) for _ in range(2)]
    leaves[0].grad = tt.Tensor(g)
    y = tt.tensor.apply(operator.mul, leaves[0], tt.tensor.apply(triple, leaves[1]))
    try:
        tt.autograd.backward(y, g)
    except NotImplementedError:
        pass
    return [leaves[0].grad.data, leaves[1].grad is None]


def walk_twice(x, y, g, again, new):
    """Gradients of two leaves that get the same one, after one walk and after more, and g.

    What the rule gives both is its argument or, with `new`, an array that it made and keeps.
    """
    import operator

    def rule(y, a, b):
        made = []

        def pull(g):
            made.append(2 * g if new else g)
            return made[0]

        return pull, pull

    both, same = operator.add, operator.pos
    tt.autograd.vjp(both)(rule)
    tt.autograd.vjp(same)(lambda y, a: (lambda g: g,))
    x, y = tt.Tensor(x, requires_grad=True), tt.Tensor(y, requires_grad=True)
    for _ in range(again):
        # In whichever order one walks, x gets another part after it has got one with y.
        inner, sides = tt.tensor.apply(both, x, y), [tt.tensor.apply(same, x) for _ in range(2)]
        z = tt.tensor.apply(both, tt.tensor.apply(both, sides[0], inner), sides[1])
        tt.autograd.backward(z, g)
    shared = np.shares_memory(x.grad.data, y.grad.data) or np.shares_memory(y.grad.data, g)
    return [x.grad.data, y.grad.data, x.grad.requires_grad, shared, g]


def walk_far(length, number):
    """The gradient at the end of a long chain, and how many of its tensors are left."""
    import operator
    import weakref

    tt.autograd.vjp(operator.pos)(lambda y, a: (lambda g: g,))
    x = tt.Tensor(np.array([number]), requires_grad=True)
    y, made = x, []
    for _ in range(length):
        y = tt.tensor.apply(operator.pos, y)
        made.append(weakref.ref(y))
    tt.autograd.backward(y)
    return [x.grad.data, sum(ref() is not None for ref in made), y.requires_grad]


def walk_again(x, retain, walks, change, lazily):
    """Walk a graph some times, its memory changed or not; with `lazily`, one input is constant."""
    import operator

    called = []

    def rule(y, a, b):
        return lambda g: g * b, lambda g: called.append(1) or g * a

    tt.autograd.vjp(operator.mul)(rule)
    b = tt.Tensor(x + 1, requires_grad=not lazily)
    x = tt.Tensor(x, requires_grad=True)
    y = tt.tensor.apply(operator.mul, x, b)
    if change:
        x.data[0] += 1
        tt.tensor.note_change(x)
    for _ in range(walks):
        tt.autograd.backward(y, np.ones(x.shape), retain)
    return [x.grad.data, None if b.grad is None else b.grad.data, len(called)]


def walk_from(x, g, known, wanted):
    """Begin a walk with the gradient g, or none, through an operation with or without a rule."""
    import operator

    def triple(a):
        return a * 3

    tt.autograd.vjp(operator.pos)(lambda y, a: lambda g: g)
    x = tt.Tensor(x, requires_grad=wanted)
    tt.autograd.backward(tt.tensor.apply(operator.pos if known else triple, x), g)
    return x.grad.data


def recorded(modes, fail):
    """Whether an operation is recorded in contexts within each other, and behind each end."""
    x, seen, opened = tt.Tensor([1.0], requires_grad=True), [], []
    for on in modes:
        opened.append(tt.enable_grad() if on else tt.no_grad())
        opened[-1].__enter__()
        seen.append(tt.tensor.apply(np.add, x, 1.0).requires_grad)
    while opened:
        error = (ValueError, ValueError("x"), None) if fail else (None, None, None)
        seen.append(bool(opened.pop().__exit__(*error)))
        seen.append(tt.tensor.apply(np.add, x, 1.0).requires_grad)
    return seen


def recorded_again(modes):
    """Whether an operation is recorded in one context that is entered within others and itself."""
    x, seen, context, opened = tt.Tensor([1.0], requires_grad=True), [], tt.no_grad(), []
    for on in modes:
        opened += [tt.enable_grad() if on else tt.no_grad(), context]
    for one in opened:
        one.__enter__()
        seen.append(tt.tensor.apply(np.add, x, 1.0).requires_grad)
    while opened:
        opened.pop().__exit__(None, None, None)
        seen.append(tt.tensor.apply(np.add, x, 1.0).requires_grad)
    return seen


def slopes(x, c, eps):
    """The slopes of a sum of cubes with factors c, for x and a view, and whether x was put back."""
    before, turned = x.copy(), x.T[::-1] if x.ndim else x
    found = tt.autograd.differences(lambda: float((c * x * x * x).sum()), x, eps)
    of_view = tt.autograd.differences(lambda: float((c * x * x * x).sum()), turned, eps)
    return [found, of_view, np.array_equal(x, before)]


def slopes_by_default(x, c):
    """The slopes of a product of sines with the usual step, how often f was called, and x."""
    calls = []

    def f():
        calls.append(1)
        return float(np.prod(np.sin(x * c)))

    return [tt.autograd.differences(f, x), len(calls), x]
