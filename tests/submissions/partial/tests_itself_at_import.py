# base: reference
# loses: everything
# refused: cannot be imported: AssertionError in tinytorch/activations.py, line
"""Ends with a test of its own that fails."""

assert relu(Tensor([-1.0])).item() == 1.0, "relu does not work yet"
