# base: reference
# loses: nothing
"""Leaves its prints in, at import and in every call."""

print("importing my module")


def relu(x):
    """Print and answer."""
    print("in relu with shape", x.shape)
    return apply(relu_array, _floats("relu", x))
