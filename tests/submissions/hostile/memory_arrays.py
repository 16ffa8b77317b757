# base: reference
# loses: tanh
# refused: error needed more than 512 MiB of memory
# limits: memory_bytes=536870912
"""Takes memory in C and touches every page of it."""


def tanh(x):
    """Take 16 GiB at once."""
    return Tensor(np.ones(1 << 31))
