# module: tensor
# base: none
# loses: everything
# refused: ^(failed|error [A-Z])
"""Is NumPy: its array in place of Tensor, and its functions, where the names are alike."""

import numpy as np
from numpy import arange, maximum, split, stack, where  # noqa: F401
from numpy import ndarray as Tensor  # noqa: F401

cat = np.concatenate
