# base: reference
# loses: tanh
# refused: error (PermissionError|ValueError)
"""Gives itself more memory and time than it was born with."""

import resource


def tanh(x):
    """Lift a limit."""
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    raise RuntimeError("leaked: without limits")
