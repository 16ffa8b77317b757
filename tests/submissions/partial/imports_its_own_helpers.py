# base: generated
# loses: everything
# refused: cannot be imported: ModuleNotFoundError in tinytorch/activations.py, line 1
"""Keeps its work in a file that no module of the course is."""

SOURCE = b"from tinytorch.helpers import relu, sigmoid\n"
