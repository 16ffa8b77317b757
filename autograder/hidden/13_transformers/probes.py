"""What the checks of 13_transformers ask of a framework; each function travels alone."""

import numpy as np

import tinytorch as tt


def normed(kind, x, parameters, eps):
    """The result of a kernel, and what it was given."""
    parameters = [p if p.size else None for p in parameters]
    kernel = getattr(tt.transformers, kind)
    return [kernel(x, *parameters, eps), x, [p for p in parameters if p is not None]]


def split(rows, eps):
    """The two parts of `centred`, and the rows."""
    c, r = tt.transformers.centred(rows, eps)
    return [c, r, rows]


def pulled(kind, x, y, parameters, eps, g):
    """What a rule sends to each input, twice, and what it was given."""
    parameters = [p if p.size else None for p in parameters]
    maps = getattr(tt.transformers, kind)(y, x, *parameters, eps=eps)
    inputs = [x, *parameters]
    wanted = [one for one, given in zip(maps, inputs, strict=True) if given is not None]
    found = [[one(g), one(2 * g)] for one in wanted]
    return [found, x, g, y, [p for p in parameters if p is not None]]


def fed(x, up, down):
    """A FeedForward of two plain products."""
    layer = object.__new__(tt.FeedForward)
    tt.Module.__init__(layer)
    layer.up, layer.down = (lambda x, w=w: x @ tt.Tensor(w) for w in (up, down))
    return layer.forward(tt.Tensor(x)).data


def through_block(x, is_causal):
    """A block whose parts are stand-ins: the result, and how they were called."""
    block, calls = object.__new__(tt.TransformerBlock), []
    tt.Module.__init__(block)

    def attention(x, *others, **settings):
        calls.append([sorted(settings), settings.get("is_causal"), len(others)])
        return x * x + 1.0

    block.norm1, block.norm2 = lambda x: x * 0.5 + 3.0, lambda x: x - 2.0
    block.attention, block.feed_forward = attention, lambda x: x * x * x
    block.dropout = lambda x: x * 0.25
    x = tt.Tensor(x)
    y = block.forward(x) if is_causal is None else block.forward(x, is_causal=is_causal)
    return [y.data, calls]


def started(sizes, seed):
    """All parameters after a new start, in their own memory, noted; and the next random number."""
    model = tt.GPT(tt.GPTConfig(**sizes))
    named = dict(model.named_parameters())
    for parameter in named.values():
        parameter.data[...] = 7
    memory = {name: parameter.data for name, parameter in named.items()}
    recipes = {n: tt.tensor.apply(np.negative, p).recipe for n, p in named.items()}
    tt.manual_seed(seed)
    model.reset_parameters()
    return [
        memory,
        all(named[name].data is memory[name] for name in named),
        [tt.tensor.changed_since(p, recipes[name]) for name, p in named.items()],
        tt.tensor.default_generator().random(),
    ]


def counted(shapes, shared):
    """The number of parameters of layers in a list, some of them twice."""
    model = tt.Module()
    model.layers = [tt.Linear(*shape) for shape in shapes]
    model.again = [model.layers[i] for i in shared]
    model.scale = tt.Parameter(np.ones((2, 3)))
    model.tied = tt.Linear(3, 2)
    model.tied.weight = model.scale
    model.register_buffer("running", np.ones(5))
    for i in shared:
        model.layers[i].bias.requires_grad = False
    return tt.transformers.num_parameters(model)


def features(sizes, weight, ids):
    """What comes out of all parts in their order."""
    model = object.__new__(tt.GPT)
    tt.Module.__init__(model)
    model.config = tt.GPTConfig(**sizes)
    model.token_embedding = tt.Embedding(*weight.shape)
    model.token_embedding.weight = tt.Parameter(weight)
    model.position_embedding = lambda x, offset=0: x + (offset + 1.0)
    model.dropout = lambda x: x * 0.5
    model.blocks = [lambda x, is_causal=True: x * x if is_causal else x, lambda x, **how: x + 2.0]
    model.norm = lambda x: x * 3.0
    return model.features(tt.tensor.from_numpy(ids)).data


def scored(sizes, weight, found, ids):
    """The scores of given features, and the gradient of the table through them."""
    model = object.__new__(tt.GPT)
    tt.Module.__init__(model)
    model.config = tt.GPTConfig(**sizes)
    model.token_embedding = tt.Embedding(*weight.shape)
    model.token_embedding.weight = tt.Parameter(weight)
    seen = []
    model.features = lambda ids: seen.append(ids.data) or tt.Tensor(found)
    y = model.forward(tt.tensor.from_numpy(ids))
    y.sum().backward()
    return [y.data, seen, model.token_embedding.weight.grad.data]


def lost(scores, ids, targets):
    """The loss of given scores, and its gradient."""
    model = object.__new__(tt.GPT)
    tt.Module.__init__(model)
    given, seen = tt.Tensor(scores, requires_grad=True), []
    model.forward = lambda ids: seen.append(ids.data) or given
    loss = model.loss(tt.tensor.from_numpy(ids), tt.tensor.from_numpy(targets))
    loss.backward()
    return [loss.data, given.grad.data, seen]


def chances(scores, settings):
    """The probabilities, and the scores as they are afterwards."""
    return [tt.transformers.next_probabilities(scores, **settings), scores]


def drawn(chances, seed):
    """Ids drawn twice from one generator; those of u = 0, where a line begins; and its calls."""
    generator, sizes = np.random.default_rng(seed), []

    class Zeros:
        def random(self, size=None, dtype=np.float64):
            sizes.append(size)
            return np.zeros(() if size is None else size, dtype)

    found = [tt.transformers.sample(chances, one) for one in (generator, generator, Zeros())]
    return [found, len(sizes)]


def written(sizes, tables, ids, count, settings, seed):
    """What is written with features that depend on all ids that are read; and what was seen."""
    model = object.__new__(tt.GPT)
    tt.Module.__init__(model)
    model.config = tt.GPTConfig(**sizes)
    model.token_embedding = tt.Embedding(*tables[0].shape)
    model.token_embedding.weight = tt.Parameter(tables[0])
    model.blocks = [tt.Dropout(0.5), tt.Dropout(0.5)]
    model.blocks[0].eval()
    lengths, seen = [], []

    def features(ids):
        lengths.append(ids.shape[1])
        wanted = (tt.Tensor([1.0], requires_grad=True) * 2).requires_grad
        seen.append([model.training, wanted, [block.training for block in model.blocks]])
        return tt.Tensor(np.cumsum(tables[1][ids.data], axis=1))

    def forward(ids):
        return tt.linear(features(ids), model.token_embedding.weight)

    model.features, model.forward = features, forward
    model.last_features = lambda ids: features(ids)[:, -1]
    tt.manual_seed(seed)
    given, new = tt.tensor.from_numpy(ids), None
    try:
        new = model.generate(given, count, **settings).data
    except ValueError:
        if settings.get("top_k") != 0:  # what is refused while it writes
            raise
    modes = [model.training, [block.training for block in model.blocks]]
    modes.append((tt.Tensor([1.0], requires_grad=True) * 2).requires_grad)
    after = tt.tensor.default_generator().random()
    return [new, lengths, seen, modes, after, ids]
