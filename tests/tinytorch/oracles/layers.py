"""How PyTorch names, orders and shows what a model holds, and what its layers answer."""

from collections import OrderedDict

import numpy as np
import torch
from torch import nn

# Each is Python that leaves a `model`; PyTorch runs it with its names and the tests with ours.
MODELS = [
    "model = Linear(3, 4)",
    "model = Linear(3, 4, bias=False)",
    "model = Sequential()",
    "model = Sequential(Linear(3, 4), ReLU(), Dropout(0.25), Linear(4, 2, bias=False))",
    "model = Sequential(Flatten(), Identity(7, unused=1), Flatten(0, 1), Flatten(end_dim=2))",
    "model = Sequential(Sequential(Linear(1, 1)), Tanh(), Sequential(Sequential(SiLU())))",
    "model = Sequential(OrderedDict([('last', Linear(2, 1)), ('first', Softmax(dim=1))]))",
    "model = Sequential(Linear(2, 2), ReLU(), Linear(2, 1))[1:]",
    "model = Sequential(Linear(2, 2), ReLU(), Linear(2, 1))[::-2]",
    "shared = Linear(2, 2)\nmodel = Sequential(shared, ReLU(), shared, Sequential(shared))",
    "model = Sequential(Linear(2, 2), ReLU())\nmodel[1] = Identity()\nmodel[-2] = Dropout(0.1)",
    "model = Sequential(Linear(2, 2), Linear(2, 2))\nmodel[1].weight = model[0].weight",
    "model = Sequential(Linear(2, 2), ReLU())\nmodel.head = Linear(2, 1)",
    """
class Net(Module):
    def __init__(self):
        super().__init__()
        self.first = Linear(2, 3)
        self.register_buffer("mean", zeros(3))
        self.scale = Parameter(ones(3))
        self.shift = Parameter(zeros(1, 3))
        self.plain = zeros(2)
        self.register_buffer("mask", zeros(2, 2), persistent=False)
        self.register_buffer("later", None)
        self.tied = self.scale
        self.gate = Sigmoid()
        self.frozen = Parameter(zeros(2), requires_grad=False)

    def extra_repr(self):
        return "kind=3"

model = Sequential(Net(), Net())
model[0].body = Sequential(Net(), Linear(3, 3))
""",
    """
model = Module()
model.a, model.b = Linear(1, 2), Linear(2, 3)
model.w, model.v = Parameter(zeros(1)), Parameter(zeros(2))
model.a, model.w = Linear(1, 4), Parameter(zeros(5))
del model.b, model.v
model.b = Parameter(zeros(2))
""",
    "model = Sequential(Linear(2, 2))\nmodel[0].bias = None",
]


def holds(source, names):
    """What the model of a source holds, in five texts of lines.

    Activations are left out of the modules' names: ours are no modules, as they hold nothing.
    """
    space = dict(names)
    exec(source, space)
    model = space["model"]
    state = [f"{name} {tuple(tensor.shape)}" for name, tensor in model.state_dict().items()]
    modules = [(n, m) for n, m in model.named_modules() if "activation" not in type(m).__module__]
    found = (model.named_parameters(), model.named_buffers(), modules)
    lists = [[name for name, _ in one] for one in found]
    return ["\n".join(lines) for lines in ([repr(model)], state, *lists)]


def arrays():
    """The `models` and what they hold; `y.<bias>.<case>` of inputs `x.<case>`; quantiles."""
    names = {**vars(nn), "OrderedDict": OrderedDict, "zeros": torch.zeros, "ones": torch.ones}
    held = [holds(source, names) for source in MODELS]
    held = np.array([[part.replace(", inplace=False", "") for part in one] for one in held])
    rng, frozen = np.random.default_rng(3), {"models": np.array(MODELS), "holds": held}
    weight, bias = rng.normal(0, 1, (4, 5)), rng.normal(0, 1, 4)
    shapes = {"matrix": (3, 5), "vector": (5,), "batch": (2, 3, 5), "deep": (2, 1, 3, 5)}
    for case, shape in {**shapes, "none": (0, 5), "no_rows": (2, 0, 5)}.items():
        frozen[f"x.{case}"] = x = rng.normal(0, 1, shape)
        for dtype in (np.float32, np.float64):
            inputs = [torch.from_numpy(a.astype(dtype)) for a in (x, weight, bias)]
            frozen[f"y.bias.{case}.{dtype.__name__}"] = nn.functional.linear(*inputs).numpy()
            frozen[f"y.plain.{case}.{dtype.__name__}"] = nn.functional.linear(*inputs[:2]).numpy()
    torch.manual_seed(0)
    layer, steps = nn.Linear(64, 20_000), np.linspace(0, 1, 21)
    for name, parameter in layer.named_parameters():
        frozen[f"quantiles.{name}"] = np.quantile(parameter.detach().numpy(), steps)
    return frozen | {"weight": weight, "bias": bias}
