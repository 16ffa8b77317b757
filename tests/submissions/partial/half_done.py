# base: starter
# loses: gelu, silu, softmax, log_softmax
# refused: error NotImplementedError
"""The first half is done, in the student's own way."""


def relu_array(x):
    """Compute max(x, 0)."""
    return np.maximum(x, 0)


def relu(x):
    """Keep what is positive."""
    return apply(relu_array, _floats("relu", x))


def leaky_relu(x, negative_slope=0.01):
    """Multiply what is negative by a small slope."""
    return apply(
        lambda a: np.maximum(a, 0) + negative_slope * np.minimum(a, 0), _floats("leaky_relu", x)
    )


def sigmoid(x):
    """Map to between 0 and 1."""

    def kernel(a):
        e = np.exp(-np.abs(a))
        return np.where(a >= 0, 1 / (1 + e), e / (1 + e))

    return apply(kernel, _floats("sigmoid", x))


def tanh(x):
    """Map to between -1 and 1."""
    return apply(np.tanh, _floats("tanh", x))
