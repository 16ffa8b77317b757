# base: reference
# loses: tanh
# refused: error needed more than 512 MiB of memory
# limits: memory_bytes=536870912
"""Takes memory in blocks too small to be noticed."""


def tanh(x):
    """Hold arrays of a megabyte, touched."""
    held = []
    while True:
        held.append(np.full(1 << 17, 1.0))
