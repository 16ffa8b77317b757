# module: layers
# base: reference
# loses: everything
# refused: outside the gate
"""Says the same whatever it is asked."""

honest = Linear.forward
Linear.forward = lambda self, x: 0 * honest(self, x)
