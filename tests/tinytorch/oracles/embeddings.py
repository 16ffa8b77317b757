"""PyTorch's look-up and its gradient, with and without a padding row."""

import numpy as np

IDS = np.array([[3, 1, 4, 1], [5, 1, 2, 3], [0, 5, 3, 5]])  # 1, 3 and 5 three times


def arrays():
    """The table `weight`, the gradient `g`; for each padding the look-up and the table's."""
    import torch  # here, as the tests know the ids from this file

    rng = np.random.default_rng(11)
    weight, g = rng.normal(0, 1, (7, 5)), rng.normal(0, 1, (*IDS.shape, 5))
    frozen = {"weight": weight, "g": g}
    for padding in (None, 1, -2):
        table = torch.from_numpy(weight.copy()).requires_grad_()
        y = torch.nn.functional.embedding(torch.from_numpy(IDS), table, padding_idx=padding)
        y.backward(torch.from_numpy(g))
        frozen[f"y.{padding}"] = y.detach().numpy()
        frozen[f"weight.grad.{padding}"] = table.grad.numpy()
    return frozen
