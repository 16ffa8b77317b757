"""What the checks of 11_embeddings ask of a framework; each function travels alone."""

import numpy as np

import tinytorch as tt


def looked_up(ids, weight, padding_idx):
    """The rows, how they were made, and what was given."""
    table = tt.Tensor(weight, requires_grad=True)
    given = tt.tensor.from_numpy(np.asarray(ids))
    y = tt.embeddings.embedding(given, table, padding_idx)
    recipe = y.recipe
    return [
        y.data,
        recipe.op is tt.embeddings.embedding_array,
        recipe.inputs[0] is given,
        recipe.inputs[1] is table,
        recipe.kwargs,
        ids,
        table.data,
    ]


def looked_up_kernel(ids, weight):
    """The rows as the kernel takes them: a copy, from any layout."""
    y = tt.embeddings.embedding_array(np.asarray(ids), weight, None)
    return [y, np.shares_memory(y, weight)]


def look_up(ids, weight, padding_idx):
    """The rows alone."""
    return tt.embeddings.embedding(tt.Tensor(ids), tt.Tensor(weight), padding_idx).data


def scattered(ids, rows, count):
    """The sums, and what was given."""
    return [tt.embeddings.scatter_add(np.asarray(ids), rows, count), ids, rows]


def pulled_rows(ids, weight, padding_idx, g):
    """What the rule sends to the table, twice, and what it was given."""
    y = weight[ids]
    to_ids, to_weight = tt.embeddings.embedding_rule(y, ids, weight, padding_idx=padding_idx)
    return [to_ids is None, to_weight(g), to_weight(2 * g), g, weight, y]


def drawn(sizes, padding_idx, seed, dtype):
    """A table's numbers, drawn in the memory that it has, and noted; and the next number."""
    layer = object.__new__(tt.Embedding)
    tt.Module.__init__(layer)
    layer.num_embeddings, layer.embedding_dim = sizes
    layer.padding_idx = padding_idx
    memory = np.full(tuple(sizes), 7, dtype)
    layer.weight = tt.Parameter(memory)
    recipe = tt.tensor.apply(np.negative, layer.weight).recipe
    tt.manual_seed(seed)
    layer.reset_parameters()
    noted = tt.tensor.changed_since(layer.weight, recipe)
    return [memory, layer.weight.data is memory, noted, tt.tensor.default_generator().random()]


def layer_rows(ids, weight, padding_idx):
    """The rows of a layer's table, and the padding row that the operation knows."""
    layer = tt.Embedding(*weight.shape, padding_idx=padding_idx, dtype=weight.dtype)
    layer.weight.data[...] = weight
    y = layer(tt.Tensor(ids))
    return [y.data, y.recipe.kwargs, y.recipe.inputs[1] is layer.weight]


def waves(length, dim, rows):
    """Some rows of the encoding, all if there are none to choose, and its shape."""
    encoding = tt.sinusoidal_encoding(length, dim)
    return [encoding.data[rows] if rows else encoding.data, encoding.shape, encoding.requires_grad]


def placed(x, weight, offset):
    """What stands there with its place, and what the places learn."""
    layer = tt.LearnedPositionalEmbedding(*weight.shape, dtype=weight.dtype)
    layer.weight.data[...] = weight
    given = tt.Tensor(x, requires_grad=True)
    y = layer(given) if offset is None else layer(given, offset=offset)
    y.backward(np.cos(y.data))
    return [y.data, layer.weight.grad.data, given.grad.data, given.data]


def rotated(x, cos, sin):
    """The turned vectors, in new memory, and what was given."""
    y = tt.embeddings.rotate_array(x, cos, sin)
    return [y, np.shares_memory(x, y), x, cos, sin]


def pulled_turn(x, cos, sin, g):
    """What the rule sends to x, and what it was given."""
    maps = tt.embeddings.rotate_rule(x, x, cos, sin)
    pull = maps[0] if isinstance(maps, (tuple, list)) else maps
    return [pull(g), g, x, cos, sin]


def tables(dim, max_length, base):
    """Both tables."""
    rotary = object.__new__(tt.RotaryEmbedding)
    tt.Module.__init__(rotary)
    rotary.dim, rotary.max_length, rotary.base = dim, max_length, base
    return list(rotary.tables())


def turned(x, dim, max_length, base, offset):
    """Vectors turned by the layer, how they were, and the gradient that comes back."""
    rotary = tt.RotaryEmbedding(dim, max_length=max_length, base=base)
    given = tt.Tensor(x, requires_grad=True)
    y = rotary(given) if offset is None else rotary(given, offset=offset)
    op, inputs = y.recipe.op, y.recipe.inputs
    how = [op is tt.embeddings.rotate_array, inputs[0] is given]
    kinds = [str(x.dtype) for x in inputs[1:]]
    y.backward(np.sin(y.data))
    return [y.data, given.grad.data, how, kinds, rotary.cos.data[1]]
