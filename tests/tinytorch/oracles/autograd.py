"""What PyTorch's autograd answers for the expressions of `tests/tinytorch/gradients.py`."""

import torch
import torch.nn.functional as F

from tests.tinytorch import gradients


def arrays():
    """Gradients `<expression>|<input>` in float64; where PyTorch gives none, there is none."""
    constants = {name: torch.from_numpy(x) for name, x in gradients.constants().items()}
    found = {}
    for ours, theirs in gradients.EXPRESSIONS.items():
        inputs = {name: torch.tensor(x) for name, x in gradients.inputs().items()}
        for x in inputs.values():
            x.requires_grad = True
        result = eval(theirs or ours, {**vars(torch), **vars(F), **constants, **inputs})
        result.backward(torch.from_numpy(gradients.outer(tuple(result.shape))).to(result.dtype))
        for name in gradients.names(ours):
            found[f"{ours}|{name}"] = inputs[name].grad.numpy()
    return found
