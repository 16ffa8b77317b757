# base: generated
# loses: everything
# refused: TabError in tinytorch/activations.py, line 3
"""A file edited in two editors."""

SOURCE = b"def relu(x):\n        y = x\n\treturn y\n"
