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


def chosen(weight, keep):
    """The indices."""
    return tt.strongest(weight, keep)


def shrunk(first, second, norm, keep, kinds):
    """Numbers and sizes of the smaller layers, and those of what was given."""
    made = []
    for kind, (weight, bias) in zip(kinds, (first, second), strict=True):
        outs, ins, *kernel = weight.shape
        if kind == "conv":
            layer = tt.Conv2d(ins, outs, kernel, padding=1, bias=bias is not None)
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
    return [shapes, before, [repr(layer) for layer in found]]


def product(weight, rank):
    """The product, and how much each factor has: the same."""
    a, b = tt.factorize(weight, rank)
    return [a @ b, a.shape, b.shape, (a * a).sum(0), (b * b).sum(1)]


def ranks(weight, shares):
    """The ranks."""
    return [int(tt.rank_for(weight, share)) for share in shares]


def soft(scores, teacher, target, temperature, alpha):
    """The loss, the gradient, and that the teacher gets none."""
    x, y = tt.Tensor(scores, requires_grad=True), tt.Tensor(teacher, requires_grad=True)
    loss = tt.distillation_loss(x, y, tt.Tensor(target), temperature, alpha)
    loss.backward()
    return [loss.data, x.grad.data, y.grad is None]


def taught(weights, x, target, epochs, settings):
    """The losses, the student's numbers, and how the teacher is in the end."""
    teacher, student = (tt.Linear(*weights[0].shape[::-1]) for _ in range(2))
    teacher = tt.Sequential(teacher, tt.Dropout(0.9))
    for layer, weight in zip((teacher[0], student), weights, strict=True):
        layer.weight.data[...], layer.bias.data[...] = weight, 0.5
    batches = [(tt.Tensor(a), tt.Tensor(b)) for a, b in zip(x, target, strict=True)]
    optimizer = tt.SGD(student.parameters(), lr=0.5)
    losses = tt.distil(student, teacher, batches, optimizer, epochs, **settings)
    state = [student.weight.data, student.bias.data, teacher[0].weight.data]
    alone = all(p.grad is None for p in teacher.parameters())
    return [losses, state, alone, teacher.training, teacher[1].training]


def measured(sizes, seed, x, target):
    """The cost of a model that shares a layer, has a norm's buffers and drops out in training."""
    rng = np.random.default_rng(seed)
    shared = tt.Linear(sizes[0], sizes[0])
    model = tt.Sequential(shared, tt.BatchNorm1d(sizes[0]), shared, tt.Dropout(0.9))
    model = tt.Sequential(model, tt.Linear(*sizes))
    for p in model.parameters():
        p.data[...] = rng.normal(0, 1, p.shape)
    model[0].eval()
    cost = tt.cost_of(model, tt.Tensor(x), tt.Tensor(target))
    modes = [m.training for m in model.modules()]
    return [int(cost.nbytes), int(cost.flops), float(cost.accuracy), modes]
