# module: layers
# base: reference
# loses: everything
# refused: SystemExit in tinytorch/layers.py
"""Ends as a program that succeeded."""


def forward(self, x):
    raise SystemExit(0)


Linear.forward = forward
