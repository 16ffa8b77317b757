# base: generated
# loses: everything
# refused: SyntaxError
"""A file in an encoding that it does not name."""

SOURCE = 'def relu(x):\n    """Größer als 0."""\n    return x\n'.encode("latin-1")
