"""PyTorch's norms with their gradients; and a GPT of its own layers: scores, loss, gradients."""

import numpy as np

NORMS = {  # kind, shape of a row, eps, is there a bias?
    "layer": ("layer_norm", (6,), 1e-5, True),
    "layer.rows": ("layer_norm", (4, 6), 1e-5, True),
    "layer.plain": ("layer_norm", (6,), 0.1, False),
    "rms": ("rms_norm", (6,), None, False),
    "rms.rows": ("rms_norm", (4, 6), 0.1, False),
}
SIZES = {"vocab_size": 11, "block_size": 6, "n_layer": 2, "n_head": 2, "n_embd": 8}


def arrays():
    """Inputs of both, then `<norm>.<what>`, and `gpt.<what>` with the GPT's state in `state.`."""
    rng = np.random.default_rng(13)
    frozen = {"x": rng.normal(1, 2, (3, 4, 6)), "g": rng.normal(0, 1, (3, 4, 6))}
    for name, (kind, shape, eps, bias) in NORMS.items():
        parameters = rng.normal(0, 1, (1 + bias, *shape))
        frozen |= {f"{name}.{what}": x for what, x in norm(kind, eps, parameters, frozen).items()}
    frozen["ids"] = rng.integers(0, SIZES["vocab_size"], (3, SIZES["block_size"] + 1))
    return frozen | gpt(frozen["ids"])


def norm(kind, eps, parameters, frozen):
    """Return the parameters, the result, and the gradients of all."""
    import torch  # here, as the tests know the cases from this file

    x, *parameters = (torch.tensor(a, requires_grad=True) for a in (frozen["x"], *parameters))
    shape = tuple(parameters[0].shape)
    y = getattr(torch.nn.functional, kind)(x, shape, *parameters, eps=eps)
    y.backward(torch.from_numpy(frozen["g"]))
    found = {"y": y.detach().numpy(), "x.grad": x.grad.numpy()}
    for name, parameter in zip(("weight", "bias"), parameters, strict=False):
        found |= {name: parameter.detach().numpy(), f"{name}.grad": parameter.grad.numpy()}
    return found


def gpt(ids):
    """Return the state, the scores, the loss and its gradients of a GPT in PyTorch, in float32."""
    import torch
    from torch.nn.functional import cross_entropy

    torch.manual_seed(13)
    model, ids = torch_gpt(SIZES), torch.from_numpy(ids)
    scores = model(ids[:, :-1])
    loss = cross_entropy(scores.reshape(-1, scores.shape[-1]), ids[:, 1:].reshape(-1))
    loss.backward()
    found = {f"state.{name}": value.numpy() for name, value in model.state_dict().items()}
    for name, parameter in model.named_parameters():
        found[f"grad.{name}"] = parameter.grad.numpy()
    return found | {"scores": scores.detach().numpy(), "loss": loss.detach().numpy()}


def torch_gpt(sizes):
    """Return a GPT of PyTorch's layers, whose parts are named as in ours."""
    import torch
    from torch import nn
    from torch.nn.functional import gelu, linear

    size = sizes["n_embd"]

    class FeedForward(nn.Module):
        def __init__(self):
            super().__init__()
            self.up, self.down = nn.Linear(size, 4 * size), nn.Linear(4 * size, size)

        def forward(self, x):
            return self.down(gelu(self.up(x), approximate="tanh"))

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm1, self.norm2 = nn.LayerNorm(size), nn.LayerNorm(size)
            self.attention = nn.MultiheadAttention(size, sizes["n_head"], batch_first=True)
            self.feed_forward = FeedForward()

        def forward(self, x):
            hidden = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu(1)
            y = self.norm1(x)
            x = x + self.attention(y, y, y, attn_mask=hidden, need_weights=False)[0]
            return x + self.feed_forward(self.norm2(x))

    class GPT(nn.Module):
        def __init__(self):
            super().__init__()
            self.token_embedding = nn.Embedding(sizes["vocab_size"], size)
            self.position_embedding = nn.Embedding(sizes["block_size"], size)
            self.blocks = nn.ModuleList(Block() for _ in range(sizes["n_layer"]))
            self.norm = nn.LayerNorm(size)
            for parameter in self.parameters():  # biases and norms too, so that none is idle
                nn.init.normal_(parameter, std=0.3)

        def forward(self, ids):
            x = self.token_embedding(ids) + self.position_embedding(torch.arange(ids.shape[1]))
            for block in self.blocks:
                x = block(x)
            return linear(self.norm(x), self.token_embedding.weight)

    return GPT()
