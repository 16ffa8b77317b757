# base: generated
# loses: everything
# refused: SyntaxError in tinytorch/activations.py, line 2
"""A file that was saved in the middle of a line."""

SOURCE = b"def relu(x):\n    return apply(\n"
