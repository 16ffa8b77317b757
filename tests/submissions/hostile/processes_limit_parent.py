# base: reference
# loses: tanh
# refused: error PermissionError
"""Takes the processor time of the fork server away."""

import os
import resource


def tanh(x):
    """Limit somebody else."""
    resource.prlimit(os.getppid(), resource.RLIMIT_CORE, (0, 0))
    raise RuntimeError("leaked: changed the limits of the parent")
