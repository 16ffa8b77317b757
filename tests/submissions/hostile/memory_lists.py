# base: reference
# loses: tanh
# refused: error needed more than 512 MiB of memory
# limits: memory_bytes=536870912
"""Grows a list until there is no memory."""


def tanh(x):
    """Grow."""
    rows = []
    while True:
        rows.append([0.0] * 1_000_000)
