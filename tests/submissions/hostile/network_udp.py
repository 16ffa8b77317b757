# base: reference
# loses: tanh
# refused: error PermissionError
"""Sends the hidden inputs in packets that nobody answers."""

import socket


def tanh(x):
    """Send, over both versions of the protocol."""
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        try:
            socket.socket(family, socket.SOCK_DGRAM).sendto(x.data.tobytes(), (address, 9))
        except PermissionError:
            continue
        raise RuntimeError("leaked: a packet")
    raise PermissionError("leaked: nothing")
