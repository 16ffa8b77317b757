"""States of PyTorch's layers, an input to each, and what they make of it."""

import numpy as np

LAYERS = {  # the class, which has the same name here, and what it is made with
    "linear": ("Linear", (5, 3), {}),
    "embedding": ("Embedding", (7, 4), {"padding_idx": 2}),
    "attention": ("MultiheadAttention", (6, 2), {}),
    "layer_norm": ("LayerNorm", (5,), {}),
    "conv": ("Conv2d", (4, 6, (3, 2)), {"stride": 2, "padding": (1, 0), "groups": 2}),
    "batch_norm": ("BatchNorm2d", (4,), {}),
}
IDS = np.array([[2, 0, 6], [1, 2, 5]])
SHAPES = {"linear": (2, 5), "attention": (2, 3, 6), "layer_norm": (2, 5)}
IMAGES = (2, 4, 5, 6)


def arrays():
    """The input `<layer>.x`, the output `<layer>.y`, and `<layer>.state.<name>`."""
    import torch  # here, as the tests know the cases from this file

    torch.manual_seed(13)
    rng, frozen = np.random.default_rng(13), {}
    for name, (kind, sizes, settings) in LAYERS.items():
        extra = {"batch_first": True} if name == "attention" else {}
        layer = getattr(torch.nn, kind)(*sizes, **settings, **extra)
        for parameter in layer.parameters():
            torch.nn.init.normal_(parameter)
        x = IDS if name == "embedding" else rng.normal(0, 1, SHAPES.get(name, IMAGES))
        x = torch.from_numpy(x if name == "embedding" else x.astype(np.float32))
        layer(*[x] * (3 if name == "attention" else 1))  # so that running numbers are not 0 and 1
        layer.eval()
        y = layer(x, x, x)[0] if name == "attention" else layer(x)
        frozen |= {f"{name}.x": x.numpy(), f"{name}.y": y.detach().numpy()}
        for key, value in layer.state_dict().items():
            frozen[f"{name}.state.{key}"] = value.numpy()
    return frozen
