"""PyTorch's attention, with each kind of mask, and its layer, of one sequence and of two."""

from itertools import product

import numpy as np

LENGTHS = ((5, 5), (3, 6), (6, 3))  # queries, keys
MASKS = ("none", "bool", "keys", "float")
LAYERS = tuple(product(("bias", "plain"), ("self", "causal", "cross")))


def masks(rng, queries, keys):
    """A mask of each kind; with the second and the last the first query sees nothing."""
    seen = rng.random((2, 1, queries, keys)) < 0.6
    seen[:, :, 0] = False
    added = rng.normal(0, 1, (2, queries, keys))
    added[:, 0] = -np.inf
    return {"none": None, "bool": seen, "keys": rng.random((1, keys)) < 0.6, "float": added}


def inputs(queries, keys):
    """The queries, keys, values, gradient and masks of one case: the same at each call."""
    rng = np.random.default_rng(queries * 10 + keys)
    shapes = (queries, 3), (keys, 3), (keys, 2), (queries, 2)
    q, k, v, g = (rng.normal(0, 1, (2, 2, *shape)) for shape in shapes)
    return q, k, v, g, masks(rng, queries, keys)


def sequences():
    """Two sequences, batch first, and a gradient of the first."""
    return np.random.default_rng(2).normal(0, 1, (3, 2, 5, 8))


def arrays():
    """The results and gradients by case, and of each layer the state too."""
    frozen = {}
    for lengths in LENGTHS:
        *given, every = inputs(*lengths)
        for kind, is_causal in product(MASKS, (False, True)):
            case = f"{lengths[0]}x{lengths[1]}.{kind}.{is_causal}"
            for name, array in attention(*given, every[kind], is_causal).items():
                frozen[f"{case}.{name}"] = array
    for bias, case in LAYERS:
        for name, array in layer(bias == "bias", case).items():
            frozen[f"{bias}.{case}.{name}"] = array
    return frozen


def attention(q, k, v, g, mask, is_causal):
    """Return the result and the three gradients; the causal mask is spelt out."""
    import torch  # here, as the tests know the cases from this file

    q, k, v = (torch.from_numpy(x).requires_grad_() for x in (q, k, v))
    if is_causal:
        seen = np.tri(q.shape[-2], k.shape[-2], dtype=bool)
        if mask is None or mask.dtype == bool:
            mask = seen if mask is None else mask & seen
        else:
            mask = np.where(seen, mask, -np.inf)
    mask = None if mask is None else torch.from_numpy(mask)
    y = torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    y.backward(torch.from_numpy(g))
    made = {"y": y.detach(), "q": q.grad, "k": k.grad, "v": v.grad}
    return {name: tensor.numpy() for name, tensor in made.items()}


def layer(bias, case):
    """Return state, result, weights of the heads, and gradients of nn.MultiheadAttention."""
    import torch

    torch.manual_seed(12)
    made = torch.nn.MultiheadAttention(8, 2, bias=bias, batch_first=True)
    if bias:
        torch.nn.init.normal_(made.in_proj_bias)
        torch.nn.init.normal_(made.out_proj.bias)
    x, other, g = (torch.from_numpy(one.astype(np.float32)) for one in sequences())
    x.requires_grad_()
    hidden = ~torch.ones(5, 5, dtype=bool).tril() if case == "causal" else None
    source = other if case == "cross" else x
    y, weights = made(x, source, source, attn_mask=hidden, average_attn_weights=False)
    y.backward(g)
    kept = {f"state.{name}": tensor for name, tensor in made.state_dict().items()}
    kept |= {f"grad.{name}": p.grad for name, p in made.named_parameters()}
    kept |= {"y": y.detach(), "weights": weights.detach(), "grad.x": x.grad}
    return {name: tensor.numpy().copy() for name, tensor in kept.items()}
