"""What the checks of 16_compression ask of a framework; each function travels alone."""

import numpy as np

import tinytorch as tt


def masked(weights, sparsity):
    """The masks, and what was given."""
    return [tt.magnitude_masks(weights, sparsity), weights]


def pruned(shapes, seed, sparsity, scope):
    """Masks by name and all numbers, in the memory that was there, noted."""
    rng = np.random.default_rng(seed)
    model = tt.Sequential(*[tt.Linear(n, m) for m, n in shapes], tt.Conv2d(2, 3, 2))
    for p in model.parameters():
        p.data[...] = rng.normal(0, rng.uniform(0.5, 2), p.shape)
    weights = [p for p in model.parameters() if p.ndim >= 2]
    memory = [p.data for p in weights]
    recipes = [tt.tensor.apply(np.negative, p).recipe for p in weights]
    masks = tt.prune(model, sparsity, scope)
    noted = [tt.tensor.changed_since(p, r) for p, r in zip(weights, recipes, strict=True)]
    same = [p.data is m for p, m in zip(weights, memory, strict=True)]
    return [list(masks), list(masks.values()), [p.data for p in model.parameters()], noted, same]


def kept(seed, weight, mask):
    """What is left after masks were applied, of one layer of two."""
    model = tt.Sequential(tt.Linear(*weight.shape[::-1]), tt.Linear(2, 2))
    rng = np.random.default_rng(seed)
    for p in model.parameters():
        p.data[...] = rng.normal(0, 1, p.shape)
    model[0].weight.data[...] = weight
    recipe = tt.tensor.apply(np.negative, model[0].weight).recipe
    tt.apply_masks(model, {"0.weight": mask})
    noted = tt.tensor.changed_since(model[0].weight, recipe)
    return [[p.data for p in model.parameters()], noted]


def compressed(weight):
    """The three arrays, and what was given."""
    return [list(tt.compress_rows(weight)), weight]


def sparse(x, values, columns, starts, bias):
    """The product, and what was given."""
    y = tt.compression.sparse_linear_array(x, values, columns, starts, bias)
    return [y, x, values, bias]


def sparse_peak(x, values, columns, starts):
    """Whether all products are ever in memory at once: by the memory that was taken."""
    import tracemalloc

    tracemalloc.start()
    try:
        tt.compression.sparse_linear_array(x, values, columns, starts, None)
        return tracemalloc.get_traced_memory()[1] < len(x) * values.nbytes // 2
    finally:
        tracemalloc.stop()


def chosen(weight, keep):
    """The indices."""
    return tt.strongest(weight, keep)


def shrunk(first, second, norm, keep, kinds, groups):
    """Numbers and sizes of the smaller layers, those of what was given, and what both share."""
    made = []
    for kind, (weight, bias) in zip(kinds, (first, second), strict=True):
        outs, ins, *kernel = weight.shape
        if kind == "conv":
            ins, how = ins * groups, {"groups": groups, "bias": bias is not None}
            layer = tt.Conv2d(ins, outs, kernel, padding=1, **how)
        else:
            layer = tt.Linear(ins, outs, bias is not None)
        layer.weight.data[...] = weight
        if bias is not None:
            layer.bias.data[...] = bias
        made.append(layer)
    between = None
    if norm is not None:
        between = tt.BatchNorm2d(len(norm))
        between.running_mean.data[...] = norm
        between.weight.data[...] = 2 * norm
    found = tt.shrink(*made, keep, between)
    shapes = [[x.data for x in layer.state_dict().values()] for layer in found]
    before = [[x.data for x in layer.state_dict().values()] for layer in made]
    given = sum(before, [x.data for x in between.state_dict().values()] if between else [])
    shared = [np.shares_memory(x, y) for x in sum(shapes, []) for y in given]
    return [shapes, before, [repr(layer) for layer in found], any(shared)]


def product(weight, rank):
    """The product, and how much each factor has: the same."""
    a, b = tt.factorize(weight, rank)
    return [a @ b, a.shape, b.shape, (a * a).sum(0), (b * b).sum(1)]


def ranks(weight, shares):
    """The ranks."""
    return [int(tt.rank_for(weight, share)) for share in shares]


def full_ranks(sizes):
    """The ranks that keep all of matrices with these singular values."""
    return [int(tt.rank_for(np.diag(row), 1.0)) for row in sizes]


def soft(scores, teacher, target, temperature, alpha):
    """The loss, the gradient, and that the teacher gets none."""
    x, y = tt.Tensor(scores, requires_grad=True), tt.Tensor(teacher, requires_grad=True)
    loss = tt.distillation_loss(x, y, tt.Tensor(target), temperature, alpha)
    loss.backward()
    return [loss.data, x.grad.data, y.grad is None]


def taught(weights, x, target, epochs, settings, fails):
    """The losses, the student's numbers, and how the teacher is asked, and is in the end."""
    asked = []

    class Teacher(tt.Sequential):
        def forward(self, x):
            y = super().forward(x)
            asked.append([y.requires_grad, *(part.training for part in self.modules())])
            if fails and len(asked) == 2:
                raise ArithmeticError("as asked")
            return y

    inner, student = (tt.Linear(*weights[0].shape[::-1]) for _ in range(2))
    teacher = Teacher(inner, tt.Dropout(0.9), tt.Dropout(0.5))
    inner.eval(), teacher[1].eval()
    for layer, weight in zip((inner, student), weights, strict=True):
        layer.weight.data[...], layer.bias.data[...] = weight, 0.5
    batches = [(tt.Tensor(a), tt.Tensor(b)) for a, b in zip(x, target, strict=True)]
    optimizer, losses, state = tt.SGD(student.parameters(), lr=0.5), [], []
    try:
        losses = tt.distil(student, teacher, batches, optimizer, epochs, **settings)
        state = [student.weight.data, student.bias.data, inner.weight.data]
    except ArithmeticError:
        pass
    alone = all(p.grad is None for p in teacher.parameters())
    recording = (tt.Tensor([1.0], requires_grad=True) * 2).requires_grad
    modes = [part.training for part in teacher.modules()]
    return [losses, state, alone, modes, asked, recording]


def measured(sizes, seed, x, target, fails):
    """The cost of a model that shares a layer, has a norm's buffers and drops out in training."""
    rng, asked = np.random.default_rng(seed), []

    class Model(tt.Sequential):
        def forward(self, x):
            y = super().forward(x)
            asked.append(y.requires_grad)
            if fails:
                raise ArithmeticError("as asked")
            return y

    shared = tt.Linear(sizes[0], sizes[0])
    model = tt.Sequential(shared, tt.BatchNorm1d(sizes[0]), shared, tt.Dropout(0.9))
    model = Model(model, tt.Linear(*sizes))
    for p in model.parameters():
        p.data[...] = rng.normal(0, 1, p.shape)
    model[0].eval()
    found = []
    try:
        cost = tt.cost_of(model, tt.Tensor(x), tt.Tensor(target))
        found = [int(cost.nbytes), int(cost.flops), float(cost.accuracy)]
    except ArithmeticError:
        pass
    recording = (tt.Tensor([1.0], requires_grad=True) * 2).requires_grad
    return [found, [m.training for m in model.modules()], any(asked), recording]


def counted(named):
    """The FLOPs of an operation with a counter, or of one without."""

    def twice(x):
        return x * 2

    op = np.negative if named else twice
    model = tt.Sequential(lambda x: tt.tensor.apply(op, x))
    return int(tt.cost_of(model, tt.Tensor([[1.0, 2.0]]), tt.Tensor([0])).flops)
