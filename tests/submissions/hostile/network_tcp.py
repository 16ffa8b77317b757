# base: reference
# loses: tanh
# refused: error PermissionError
"""Sends the hidden inputs to a server."""

import socket


def tanh(x):
    """Connect."""
    with socket.create_connection(("127.0.0.1", 9), timeout=1) as connection:
        connection.sendall(x.data.tobytes())
