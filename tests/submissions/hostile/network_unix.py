# base: reference
# loses: tanh
# refused: error PermissionError
"""Talks to services of the machine: sockets with a path, without one, and in pairs."""

import socket


def tanh(x):
    """Connect."""
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET):
        for address in ("/run/docker.sock", "\0hostile-abstract"):
            try:
                socket.socket(socket.AF_UNIX, kind).connect(address)
            except PermissionError:
                continue
            raise RuntimeError("leaked: a connection")
    socket.socketpair()
