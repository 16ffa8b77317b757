# base: reference
# loses: tanh
# refused: timeout took longer than 1 s
# limits: wall_s=1
# alone: yes
"""Waits for a lock that it holds itself."""

import threading


def tanh(x):
    """Acquire twice."""
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()
