# base: reference
# loses: relu
# refused: error returned an answer that nests too deep
"""Answers with a list that holds itself."""


def relu(x):
    """Return it."""
    out = Tensor(0.0, requires_grad=True)
    out.data = []
    out.data.append(out.data)
    return out
