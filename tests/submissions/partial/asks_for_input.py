# base: generated
# loses: everything
# refused: cannot be imported: (EOFError|OSError|RuntimeError)
"""Waits for somebody at a keyboard."""

SOURCE = b'name = input("Your name: ")\n'
