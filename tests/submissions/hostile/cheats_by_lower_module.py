# base: reference
# loses: nothing
"""Breaks the module below it; only its own checks could suffer, each in a worker of its own."""

import sys

sys.modules["tinytorch.tensor"].cat = sys.modules["tinytorch.tensor"].matmul_loops = None
